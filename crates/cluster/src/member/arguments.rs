//! What etcd is told: a pure function of who the member is.

use std::ffi::OsString;

use super::{Begin, MemberFile, MemberPlace, Peer};

/// The arguments of etcd.
///
/// Measured on two cores: with these times a leader that is killed is replaced after 0.5 to 1.0 s, with etcd's own after
/// 1.1 to 1.7 s.
pub fn arguments(file: &MemberFile, place: &MemberPlace) -> Vec<OsString> {
    let (state, peers) = match &file.begin {
        Begin::New(peers) => ("new", peers),
        Begin::Join(peers) => ("existing", peers),
    };
    let (clients, peer) = (file.client_url(), file.peer_url());
    let quota = file.quota.to_string();
    let peers: Vec<_> = peers.iter().map(|Peer { name, url }| format!("{name}={url}")).collect();
    let peers = peers.join(",");
    let mut arguments: Vec<OsString> = [
        ["--name", &file.name],
        ["--listen-client-urls", &clients],
        ["--advertise-client-urls", &clients],
        ["--listen-peer-urls", &peer],
        ["--initial-advertise-peer-urls", &peer],
        ["--initial-cluster", &peers],
        ["--initial-cluster-state", state],
        ["--heartbeat-interval", "50"],
        ["--election-timeout", "500"],
        // Clients ping what they wait for every 300 ms.
        ["--grpc-keepalive-min-time", "200ms"],
        // A transaction's turn is an operation and a compare beside the 128 that are allowed.
        ["--max-txn-ops", "256"],
        ["--auto-compaction-mode", "periodic"],
        ["--auto-compaction-retention", "10m"],
        ["--quota-backend-bytes", &quota],
        ["--log-level", "warn"],
        ["--logger", "zap"],
    ]
    .into_iter()
    .flatten()
    .map(OsString::from)
    .collect();
    arguments.extend(["--data-dir".into(), place.data().into_os_string()]);
    if let Some(tls) = &file.tls {
        for (flag, path) in [
            ("--trusted-ca-file", &tls.ca),
            ("--cert-file", &tls.certificate),
            ("--key-file", &tls.key),
            ("--peer-trusted-ca-file", &tls.ca),
            ("--peer-cert-file", &tls.certificate),
            ("--peer-key-file", &tls.key),
        ] {
            arguments.extend([flag.into(), path.as_os_str().to_owned()]);
        }
        arguments.extend(["--client-cert-auth".into(), "--peer-client-cert-auth".into()]);
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> MemberFile {
        MemberFile {
            version: MemberFile::VERSION,
            name: "a".to_owned(),
            mark: "m".to_owned(),
            program: "etcd".into(),
            clients: ([10, 0, 0, 1], 7313).into(),
            peers: ([10, 0, 0, 1], 7315).into(),
            tls: None,
            quota: 4_096,
            begin: Begin::New(vec![Peer { name: "a".to_owned(), url: "http://10.0.0.1:7315".to_owned() }]),
            begun: false,
        }
    }

    fn value(arguments: &[OsString], flag: &str) -> Option<String> {
        let at = arguments.iter().position(|argument| argument == flag)?;
        arguments.get(at + 1).map(|value| value.to_string_lossy().into_owned())
    }

    #[test]
    fn a_member_that_joins_says_so_and_one_with_certificates_takes_nobody_without() {
        let place = MemberPlace::within("/data");
        let mut file = file();
        let told = arguments(&file, &place);
        assert_eq!(value(&told, "--initial-cluster-state").as_deref(), Some("new"));
        assert_eq!(value(&told, "--initial-cluster").as_deref(), Some("a=http://10.0.0.1:7315"));
        assert_eq!(value(&told, "--data-dir").as_deref(), Some("/data/store/etcd/data"));
        assert!(!told.contains(&"--client-cert-auth".into()));
        let Begin::New(peers) = file.begin.clone() else { unreachable!() };
        file.begin = Begin::Join(peers);
        file.tls = Some(super::super::TlsFiles {
            ca: "/c/ca".into(),
            certificate: "/c/pem".into(),
            key: "/c/key".into(),
            server_name: "store".to_owned(),
        });
        let told = arguments(&file, &place);
        assert_eq!(value(&told, "--initial-cluster-state").as_deref(), Some("existing"));
        assert_eq!(value(&told, "--listen-peer-urls").as_deref(), Some("https://10.0.0.1:7315"));
        assert!(told.contains(&"--client-cert-auth".into()) && told.contains(&"--peer-client-cert-auth".into()));
    }
}
