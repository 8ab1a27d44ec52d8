//! The socket on which clients come in.

use std::{fs, io, os::unix::fs::PermissionsExt as _, path::Path, rc::Rc, time::Duration};

use tokio::{
    net::{UnixListener, UnixStream},
    task::JoinSet,
    time::sleep,
};

use super::{desk::Desk, session};
use crate::{game::Tree, place::SocketPlace};

/// Clients at a time: an agent, its console streams, and room for somebody who only looks.
const SESSIONS: usize = 64;

/// Binds the socket. Only our own user can reach it; who comes in must know the token as well.
pub(super) fn listen(state_dir: &Path) -> io::Result<UnixListener> {
    let place = SocketPlace::open(state_dir)?;
    let path = place.path();
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Lets clients in until the shim goes; then waits for those inside.
pub(super) async fn serve(desk: Rc<Desk>, listener: UnixListener) {
    let mut leaving = desk.leaving.subscribe();
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Dropped without a word: no client of ours is among them, and none opens that many.
                    if let Some(entered) = desk.enter(SESSIONS).filter(|_| may_enter(&stream)) {
                        sessions.spawn_local(session::serve(Rc::clone(&desk), stream, entered));
                    }
                }
                // Out of descriptors or memory: it passes.
                Err(_) => sleep(Duration::from_millis(100)).await,
            },
            Some(_) = sessions.join_next() => {}
            _ = leaving.wait_for(|leaving| *leaving) => break,
        }
    }
    drop(listener);
    while sessions.join_next().await.is_some() {}
}

/// Whether the other end may so much as try a token: not another user, and not the game, which may run as ours.
fn may_enter(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| {
        let pid = peer.pid().and_then(|pid| u32::try_from(pid).ok());
        (peer.uid() == own || peer.uid() == 0) && pid.is_none_or(|pid| !Tree::pids().contains(&pid))
    })
}
