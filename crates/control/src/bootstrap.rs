//! The first start, and every later one: what must be there before an API server can work. Several processes may do
//! this at once; the store decides who is first, and the others take what they find.

use std::{net::IpAddr, path::Path, sync::Arc, time::Duration};

use nodepanel_backbone::pki::{CertificateAuthority, PkiError};
use nodepanel_store::{Backend, CommitError, Repository, StoreError, Transaction};
use nodepanel_types::{
    EnrolmentId, NodeId, RequestId,
    clock::{Clock, IdSource, NIL},
};

use crate::{
    Actor, Context, ControlError, ControlPlane, MasterKey,
    account::digest,
    record::{AllocationId, AllocationRecord, EnrolmentRecord, InstallationRecord, InstallationSecrets, NodeRecord},
    secret::{Sealed, local_enrolment_secret},
};

/// An installation could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// The store failed.
    #[error("the store cannot be used")]
    Store(#[from] StoreError),
    /// The certificate authority failed.
    #[error("the certificate authority of the links cannot be made or read")]
    Pki(#[from] PkiError),
    /// The secrets were sealed with another master key.
    #[error(
        "the installation's secrets cannot be opened with this master key (secret.key): restore the right one from a backup"
    )]
    OtherMasterKey,
    /// A use-case failed.
    #[error("the installation cannot be completed")]
    Control(#[from] ControlError),
    /// A file of the host could not be written.
    #[error("{path} cannot be written: check the owner and the space of the data directory")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

/// The secrets of an installation, opened.
pub struct Installation {
    /// Who issues certificates.
    pub authority: Arc<CertificateAuthority>,
}

impl Installation {
    /// Opens the installation in `store`, and makes it first when there is none.
    pub async fn open(
        store: &Arc<dyn Backend>,
        master: &MasterKey,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
    ) -> Result<Self, BootstrapError> {
        let repository = Repository::<InstallationRecord>::new(Arc::clone(store));
        let sealing = Sealed::<InstallationSecrets>::new(master, "installation");
        loop {
            if let Some(found) = repository.get(&NIL).await? {
                let secrets = sealing.open(&found.record.secrets).map_err(|_| BootstrapError::OtherMasterKey)?;
                let authority = CertificateAuthority::load(&secrets.certificate_authority, clock, ids)?;
                return Ok(Self { authority: Arc::new(authority) });
            }
            let authority = CertificateAuthority::create(Arc::clone(&clock), Arc::clone(&ids))?;
            let secrets = InstallationSecrets { certificate_authority: authority.to_stored() };
            let record = InstallationRecord {
                id: NIL,
                created_at: clock.now(),
                secrets: sealing.seal(&secrets, &*ids).map_err(|_| BootstrapError::OtherMasterKey)?,
                first_administrator: None,
                local_node: None,
            };
            match repository.create(&record).await {
                // Whoever was first made the installation; its secrets are the ones that count.
                Ok(_) | Err(CommitError::Conflict(_)) => {}
                Err(CommitError::Store(error)) => return Err(error.into()),
            }
        }
    }
}

/// The game ports that the first host gets without being asked.
const LOCAL_PORTS: std::ops::RangeInclusive<u16> = 25_565..=25_664;
/// The local agent enrols at once; a permission that is not used is made anew at every start.
const LOCAL_ENROLMENT_LASTS_MS: u64 = 10 * 365 * 24 * 60 * 60 * 1_000;

impl ControlPlane {
    /// Completes the installation: built-in templates, and the node of this host with its permission to join, which is
    /// left where the local agent looks for it.
    pub async fn complete_installation(
        &self,
        hostname: &str,
        game_address: IpAddr,
        join_token_file: Option<&Path>,
    ) -> Result<(), BootstrapError> {
        self.tables.loaded(Duration::from_secs(30)).await?;
        let context = Context::new(Actor::Host, RequestId::from_uuid(self.ids.uuid()));
        self.bring_templates(&context).await?;
        if let Some(file) = join_token_file {
            let node = self.local_node(&context, hostname, game_address).await?;
            self.offer_local_enrolment(&context, node, file).await?;
        }
        Ok(())
    }

    /// The node of this host; made once, and not again after it was removed.
    async fn local_node(
        &self,
        context: &Context,
        hostname: &str,
        game_address: IpAddr,
    ) -> Result<Option<NodeId>, BootstrapError> {
        loop {
            let installation = self.tables.installation.fresh(&NIL).await?;
            let Some(installation) = installation else { return Ok(None) };
            if let Some(node) = installation.record.local_node {
                return Ok(self.tables.machines.fresh(&node).await?.map(|_| node));
            }
            let name = crate::validate::node_name(hostname).unwrap_or_else(|_| "local".to_owned());
            let node =
                NodeRecord { id: NodeId::from_uuid(self.ids.uuid()), name, created_at: self.now(), joined_at: None };
            let known = InstallationRecord { local_node: Some(node.id), ..installation.record.clone() };
            let mut transaction = Transaction::new()
                .update(&known, installation.revision)?
                .create(&node)?
                .create(&self.name_claim(&node))?;
            for port in LOCAL_PORTS {
                let id = AllocationId { node: node.id, address: game_address, port };
                transaction = transaction.create(&AllocationRecord { id, server: None })?;
            }
            match self.commit(context, transaction, ()).await {
                Ok(()) => return Ok(Some(node.id)),
                Err(ControlError::Changed(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Leaves a permission to join where the local agent looks for it. The secret follows from the master key, so every
    /// API server of the host writes the same file.
    async fn offer_local_enrolment(
        &self,
        context: &Context,
        node: Option<NodeId>,
        file: &Path,
    ) -> Result<(), BootstrapError> {
        let Some(node) = node else { return Ok(()) };
        // The node's own UUID names its one local permission.
        let id = EnrolmentId::from_uuid(*node.as_uuid());
        let secret = local_enrolment_secret(&self.master, id);
        let record = EnrolmentRecord {
            id,
            node,
            secret_sha256: digest(&secret),
            expires_at: self.now().plus(LOCAL_ENROLMENT_LASTS_MS),
            used: None,
        };
        match self.tables.enrolments.fresh(&id).await? {
            Some(found) if found.record.used.is_some() => return Ok(()),
            Some(_) => {}
            None => match self.commit(context, Transaction::new().create(&record)?, ()).await {
                Ok(()) | Err(ControlError::Changed(_)) => {}
                Err(error) => return Err(error.into()),
            },
        }
        let token = self.encode_join_token(id, secret)?;
        write_secret(file, token.expose())
            .map_err(|source| BootstrapError::File { path: file.display().to_string(), source })
    }
}

/// Writes a file that only its owner can read, whole or not at all.
fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let draft = path.with_extension(format!("draft-{}", std::process::id()));
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&draft, path)
}
