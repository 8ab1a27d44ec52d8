//! Going on as another build in the same process: `execve`, with what the next image needs handed to it.
//!
//! Process id, parent, children, control groups and the signal mask survive an `execve` by themselves. Everything else
//! goes as a *package*: a record, and descriptors with it, that wait in a socket. The socket is the standard input of
//! the next image, which receives the package and puts the standard input back that there was before. So nothing
//! shows in arguments or environment, and the kernel itself gives the next image every descriptor closed-on-exec again.
//!
//! Whether a build can take a package over is tried before anything is staked on it: it is run beside us with a copy of
//! the package and must say [`CAN_GO_ON`]. What comes back from [`become_successor`] is an error, and nothing has
//! changed: the old image goes on.

use std::{
    ffi::{CString, OsString},
    fs::File,
    io::{self, IoSlice, IoSliceMut, Read as _, Seek as _, Write as _},
    mem::MaybeUninit,
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::{ffi::OsStringExt as _, process::CommandExt as _},
    },
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use nix::sys::signal::{SigSet, Signal};
use rustix::{
    fs::{MemfdFlags, memfd_create},
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
        SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
    },
};
use tokio::{io::AsyncReadExt as _, net::unix::pipe, time::timeout};

use super::Process;

/// What a build says on standard output when it could take a package over.
pub const CAN_GO_ON: &[u8] = b"can go on\n";

/// The variable that tells a program that it is a successor: `try` when it is only to say whether it could go on,
/// anything else when it is to go on. Not passed on to what it starts.
pub const SUCCESSION: &str = "NODEPANEL_SUCCESSION";

/// The most descriptors of a package, the standard input and the record among them.
const DESCRIPTORS: usize = 32;
/// The most bytes of a record.
const RECORD_BYTES: u64 = 16 * 1024 * 1024;
/// How long a build may take to look at a package.
const TRIAL: Duration = Duration::from_secs(5);

/// What an image leaves to the next one.
#[derive(Debug)]
pub struct Package {
    /// In a form that both know.
    pub record: Vec<u8>,
    /// In the order in which they were given.
    pub descriptors: Vec<OwnedFd>,
}

impl Package {
    /// Packs a record and copies of descriptors; what is returned is to be the standard input of who takes it over.
    pub fn pack(record: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<OwnedFd> {
        let mut written = File::from(memfd_create("record", MemfdFlags::CLOEXEC)?);
        written.write_all(record)?;
        let stdin = io::stdin();
        let mut all = vec![written.as_fd(), stdin.as_fd()];
        all.extend_from_slice(descriptors);
        let (sender, receiver) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !control.push(SendAncillaryMessage::ScmRights(&all)) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many descriptors"));
        }
        // One byte, because descriptors travel with some. It waits in the receiver when the sender is closed.
        sendmsg(&sender, &[IoSlice::new(b"!")], &mut control, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)?;
        Ok(receiver)
    }

    /// Takes over what the image before this one left on standard input, and puts the former standard input there.
    pub fn receive() -> io::Result<Self> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        recvmsg(io::stdin(), &mut [IoSliceMut::new(&mut byte)], &mut control, flags)?;
        let mut received = control.drain().flat_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => descriptors.collect(),
            _ => Vec::new(),
        });
        let missing = || io::Error::new(io::ErrorKind::InvalidData, "there is no package on standard input");
        let (record, stdin) = (received.next().ok_or_else(missing)?, received.next().ok_or_else(missing)?);
        let descriptors = received.collect();
        rustix::stdio::dup2_stdin(stdin)?;
        let mut text = Vec::new();
        let mut record = File::from(record);
        record.rewind()?;
        record.take(RECORD_BYTES).read_to_end(&mut text)?;
        Ok(Self { record: text, descriptors })
    }
}

/// Becomes `program` in this process, with `package` on its standard input. `args` begin with the name of the program;
/// `env` is the whole environment. Comes back only with the reason why it could not; everything is as before then.
pub fn become_successor(
    program: &Path,
    args: &[OsString],
    env: &[(OsString, OsString)],
    package: OwnedFd,
) -> io::Error {
    let exec = || -> io::Result<std::convert::Infallible> {
        let text = |text: OsString| CString::new(text.into_vec()).map_err(io::Error::other);
        let path = text(program.as_os_str().to_owned())?;
        let args = args.iter().cloned().map(text).collect::<io::Result<Vec<_>>>()?;
        let env = env.iter().map(|(name, value)| {
            let mut variable = name.clone();
            variable.push("=");
            variable.push(value);
            text(variable)
        });
        let env = env.collect::<io::Result<Vec<_>>>()?;
        let before = io::stdin().as_fd().try_clone_to_owned()?;
        rustix::stdio::dup2_stdin(package)?;
        // Not `CommandExt::exec`, which gives SIGPIPE its deadly meaning back also when it fails.
        let Err(errno) = nix::unistd::execve(&path, &args, &env);
        rustix::stdio::dup2_stdin(before)?;
        Err(errno.into())
    };
    match exec() {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

/// Runs `program` beside us, with `args` as for [`become_successor`], with `env` added to ours, and with a package, to
/// see whether it could take it over; why not, as a sentence's end.
///
/// It is a child of the caller, which may collect it by itself: what counts is what it says.
pub async fn try_successor(
    program: &Path,
    args: &[OsString],
    env: &[(OsString, OsString)],
    package: OwnedFd,
) -> Result<(), String> {
    let failed = |error: io::Error| format!("it cannot be tried ({error})");
    let (heard, told) = io::pipe().map_err(failed)?;
    let mut command = Command::new(program);
    if let Some((name, rest)) = args.split_first() {
        command.arg0(name).args(rest);
    }
    command.envs(env.iter().cloned()).stdin(Stdio::from(package)).stdout(told).stderr(Stdio::null());
    let child = command.spawn().map_err(failed)?;
    // Closes our copy of its standard output.
    drop(command);
    let process = Process::open(child.id()).ok().flatten();
    let mut heard = pipe::Receiver::from_owned_fd(heard.into()).map_err(failed)?.take(1024);
    let mut said = Vec::new();
    let outcome = timeout(TRIAL, heard.read_to_end(&mut said)).await;
    if let Some(process) = process {
        if outcome.is_err() {
            let _ = process.signal(super::Signal::KILL);
        }
        let _ = timeout(TRIAL, process.ended()).await;
    }
    match outcome {
        Ok(Ok(_)) if said == CAN_GO_ON => Ok(()),
        Ok(Ok(_)) => Err("it does not know how to go on from here".to_owned()),
        Ok(Err(error)) => Err(failed(error)),
        Err(_) => Err(format!("it took more than {} s to look at what it would take over", TRIAL.as_secs())),
    }
}

/// The machine's monotonic clock, in nanoseconds: it goes on from one image to the next.
pub fn monotonic_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(now.tv_nsec).unwrap_or_default())
}

/// Signals that ask a process to end, held back in the calling thread: one that comes while no image has its handlers in
/// place would end the process. They wait for [`let_signals_in`].
pub fn hold_signals() -> io::Result<()> {
    Ok(asking().thread_block()?)
}

/// Lets those signals in again: once the handlers are there.
pub fn let_signals_in() -> io::Result<()> {
    Ok(asking().thread_unblock()?)
}

fn asking() -> SigSet {
    [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT].into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[tokio::test]
    async fn only_a_program_that_says_so_can_go_on() {
        let package = || Package::pack(b"{}", &[]).unwrap();
        let words = |text: &str| ["sh", "-c", text].map(OsString::from).to_vec();
        let shell = PathBuf::from("/bin/sh");
        try_successor(&shell, &words("echo can go on"), &[], package()).await.unwrap();
        for text in ["exit 0", "echo can go on; echo no", "exit 2"] {
            let why = try_successor(&shell, &words(text), &[], package()).await.unwrap_err();
            assert!(why.contains("does not know"), "{why}");
        }
        let why = try_successor(Path::new("/nonexistent"), &[], &[], package()).await.unwrap_err();
        assert!(why.contains("cannot be tried"), "{why}");
    }

    #[test]
    fn an_image_that_cannot_be_replaced_goes_on_with_its_standard_input() {
        let before = std::fs::read_link("/proc/self/fd/0").unwrap();
        let package = Package::pack(b"{}", &[]).unwrap();
        let error = become_successor(Path::new("/nonexistent"), &["x".into()], &[], package);
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert_eq!(std::fs::read_link("/proc/self/fd/0").unwrap(), before);
    }
}
