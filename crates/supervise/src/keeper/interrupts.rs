//! The signals by which people end what runs in a shell.

use std::io;

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

/// One message per Ctrl-C or SIGTERM. A closed terminal (SIGHUP) is ignored: the panel does not end with it.
pub fn interrupts() -> io::Result<mpsc::Receiver<()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let (sender, receiver) = mpsc::channel(4);
    tokio::spawn(async move {
        loop {
            let asked = tokio::select! {
                _ = interrupt.recv() => true,
                _ = terminate.recv() => true,
                _ = hangup.recv() => false,
            };
            if asked && sender.send(()).await.is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}
