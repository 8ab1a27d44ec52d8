//! The servers of the node: wish, progress, user and tombstone.

use nodepanel_types::{ServerId, wire::DesiredServer};
use rusqlite::{OptionalExtension, Transaction, params};

use super::{Db, DbError, KeptRefusal, Noted, journal::append, keys::lose, whole::Whole};
use crate::plan::Progress;

/// One server as it is on disk.
#[derive(Debug, Clone)]
pub struct StoredServer {
    /// Which.
    pub server: ServerId,
    /// The generation that was accepted last; of the removal, when it is removed.
    pub generation: u64,
    /// What it should be; `None` once it is removed.
    pub desired: Option<StoredDesired>,
    /// How far that was carried out.
    pub progress: Progress,
    /// Its own user.
    pub uid: u32,
}

/// A stored wish, which a newer or damaged record may hide from this version.
#[derive(Debug, Clone)]
pub enum StoredDesired {
    /// It could be read.
    Known(Box<DesiredServer>),
    /// It could not: why, in words. The server is left as it is until its next generation arrives.
    Unreadable(String),
}

/// What has changed with a server since it was written last.
#[derive(Debug, Default)]
pub struct News<'a> {
    /// Its progress.
    pub progress: Option<&'a Progress>,
    /// A run has ended: with this, keys are refused whose lines were meant for it and of which nobody wrote down what
    /// came of them.
    pub keys: Option<KeptRefusal>,
    /// What is to be noted.
    pub notes: Vec<Noted>,
}

impl Db {
    /// Every server, with the tombstones of those that were removed.
    pub async fn servers(&self) -> Result<Vec<StoredServer>, DbError> {
        self.read(|transaction| {
            let mut statement = transaction
                .prepare("SELECT id, generation, desired, progress, COALESCE(uid, 0), removed FROM servers")?;
            let rows = statement.query_map([], |row| {
                let id: String = row.get(0)?;
                let desired: Option<String> = row.get(2)?;
                let progress: Option<String> = row.get(3)?;
                Ok((id, row.get::<_, Whole>(1)?.0, desired, progress, row.get(4)?))
            })?;
            let mut servers = Vec::new();
            for row in rows {
                let (id, generation, desired, progress, uid) = row?;
                let Ok(server) = id.parse() else { continue };
                servers.push(stored(server, generation, desired.as_deref(), progress.as_deref(), uid));
            }
            Ok(servers)
        })
        .await
    }

    /// Accepts wishes: on disk when this returns. Gives each new server a user id and returns those of all, in order.
    /// With a wish comes the owner of the files that are there already: a server whose record was lost keeps its user,
    /// or it could not use its files any more.
    pub async fn accept(&self, wishes: Vec<(DesiredServer, Option<u32>)>) -> Result<Vec<u32>, DbError> {
        let one = |transaction: &Transaction<'_>, (desired, owner): &(DesiredServer, Option<u32>)| {
            accept(transaction, desired, *owner)
        };
        self.transact(move |transaction| wishes.iter().map(|wish| one(transaction, wish)).collect()).await
    }

    /// Writes the progress of a server.
    pub async fn save_progress(&self, server: ServerId, progress: &Progress) -> Result<(), DbError> {
        let json = encode(progress);
        self.transact(move |transaction| write_progress(transaction, server, &json)).await
    }

    /// Writes what has changed, all of it or nothing; returns the number of the journal's last entry, when there is a
    /// new one.
    pub async fn save(&self, server: ServerId, news: News<'_>) -> Result<Option<u64>, DbError> {
        let News { progress, keys, notes } = news;
        let json = progress.map(encode);
        self.transact(move |transaction| {
            if let Some(refusal) = &keys {
                lose(transaction, server, refusal)?;
            }
            if let Some(json) = &json {
                write_progress(transaction, server, json)?;
            }
            append(transaction, Some(server), &notes)
        })
        .await
    }

    /// Turns a server into a tombstone that refuses every later generation.
    pub async fn entomb(&self, server: ServerId, generation: u64) -> Result<(), DbError> {
        self.transact(move |transaction| {
            transaction.execute(
                "INSERT INTO servers (id, generation, removed) VALUES (?1, ?2, 1) ON CONFLICT (id) DO UPDATE SET
                 generation = MAX(generation, excluded.generation), desired = NULL, progress = NULL, removed = 1",
                params![server.to_string(), Whole(generation)],
            )?;
            transaction.execute("DELETE FROM minutes WHERE server = ?1", [server.to_string()])?;
            transaction.execute("DELETE FROM keys WHERE server = ?1", [server.to_string()])?;
            transaction.execute("DELETE FROM refusals WHERE server = ?1", [server.to_string()])?;
            Ok(())
        })
        .await
    }
}

fn write_progress(transaction: &Transaction<'_>, server: ServerId, json: &str) -> rusqlite::Result<()> {
    let write = "UPDATE servers SET progress = ?2 WHERE id = ?1 AND removed = 0";
    transaction.execute(write, params![server.to_string(), json]).map(|_| ())
}

/// The user, when no server of the records has it or had it.
fn free_again(transaction: &Transaction<'_>, uid: Option<u32>) -> rusqlite::Result<Option<u32>> {
    let Some(uid) = uid else { return Ok(None) };
    let taken = "SELECT EXISTS (SELECT 1 FROM servers WHERE uid = ?1)";
    let taken: bool = transaction.query_row(taken, [uid], |row| row.get(0))?;
    Ok((!taken).then_some(uid))
}

fn accept(transaction: &Transaction<'_>, desired: &DesiredServer, owner: Option<u32>) -> rusqlite::Result<u32> {
    let id = desired.server.to_string();
    let json = encode(desired);
    let held: Option<Option<u32>> =
        transaction.query_row("SELECT uid FROM servers WHERE id = ?1", [&id], |row| row.get(0)).optional()?;
    let uid = match held.flatten().or(free_again(transaction, owner)?) {
        Some(uid) => uid,
        None => transaction.query_row(
            "UPDATE counters SET value = value + 1 WHERE name = 'next_uid' RETURNING value - 1",
            [],
            |row| row.get(0),
        )?,
    };
    transaction.execute(
        "INSERT INTO servers (id, generation, desired, uid) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (id) DO UPDATE SET generation = excluded.generation, desired = excluded.desired,
         uid = excluded.uid WHERE removed = 0",
        params![id, Whole(desired.generation), json, uid],
    )?;
    Ok(uid)
}

fn stored(server: ServerId, generation: u64, desired: Option<&str>, progress: Option<&str>, uid: u32) -> StoredServer {
    let desired = desired.map(|json| match serde_json::from_str::<DesiredServer>(json) {
        Ok(desired) => StoredDesired::Known(Box::new(desired)),
        Err(error) => StoredDesired::Unreadable(error.to_string()),
    });
    let progress = progress.and_then(|json| match serde_json::from_str(json) {
        Ok(progress) => Some(progress),
        Err(error) => {
            tracing::error!(%server, %error, "The progress of a server cannot be read; it is taken as new");
            None
        }
    });
    StoredServer { server, generation, desired, progress: progress.unwrap_or_default(), uid }
}

#[expect(clippy::expect_used, reason = "our records have string keys and no fallible serializers")]
fn encode<T: serde::Serialize>(record: &T) -> String {
    serde_json::to_string(record).expect("our records serialize")
}
