//! The thread that owns the connection, and the handle that others use.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use super::{DbError, schema};

/// Pieces of work that may wait for the disk. Who adds one more waits for room.
const QUEUE: usize = 256;

type Work = Box<dyn FnOnce(&mut Connection) + Send>;

/// A handle to the database; cheap to clone. The database is closed when the last one is gone.
#[derive(Debug, Clone)]
pub struct Db {
    path: PathBuf,
    work: mpsc::Sender<Work>,
    trouble: watch::Sender<Option<String>>,
}

impl Db {
    /// Opens the database at `path`, or creates one whose first server gets the user `first_uid`. Blocks for as long as
    /// that takes.
    pub fn open(path: &Path, first_uid: u32) -> Result<Self, DbError> {
        let mut connection = schema::open(path, first_uid)?;
        let (sender, mut receiver) = mpsc::channel::<Work>(QUEUE);
        std::thread::Builder::new()
            .name("agent-db".to_owned())
            .spawn(move || {
                while let Some(work) = receiver.blocking_recv() {
                    work(&mut connection);
                }
            })
            .map_err(|source| DbError::NoThread { source })?;
        Ok(Self { path: path.to_owned(), work: sender, trouble: watch::Sender::new(None) })
    }

    /// What is wrong with the database at present, in words; `None` while the last access succeeded.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.borrow().clone()
    }

    /// Runs `work` in a transaction on the database's thread. It is done, on disk, when this returns `Ok`; when the
    /// caller is cancelled it is done all the same.
    pub(super) async fn transact<T, F>(&self, work: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Work = Box::new(move |connection| {
            let result = (|| {
                let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
                let value = work(&transaction)?;
                transaction.commit()?;
                Ok(value)
            })();
            // Nobody waits for the answer any more: the work is done all the same.
            let _ = reply.send(result);
        });
        self.work.send(job).await.map_err(|_| DbError::Closed)?;
        match answer.await {
            Ok(Ok(value)) => {
                self.trouble.send_if_modified(|trouble| trouble.take().is_some());
                Ok(value)
            }
            Ok(Err(source)) => {
                let error = DbError::from_sqlite(self.path.clone(), source);
                let text = error.in_full();
                self.trouble.send_if_modified(|trouble| {
                    let changed = trouble.as_ref() != Some(&text);
                    if changed {
                        tracing::error!(error = %text, "The agent's database cannot be used");
                        *trouble = Some(text);
                    }
                    changed
                });
                Err(error)
            }
            Err(_) => Err(DbError::Closed),
        }
    }
}
