//! A week of statistics, one record a server and minute.

use std::ops::RangeInclusive;

use nodepanel_types::{ServerId, limits::STATS_HISTORY_MINUTES};
use rusqlite::{Connection, params};

use super::{Db, DbError, whole::Whole};
use crate::stats::Packed;

/// The means of one minute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Minute {
    /// Minutes since the Unix epoch.
    pub minute: u64,
    /// The means.
    pub sample: Packed,
}

impl Db {
    /// Writes the means of one minute for many servers at once, and forgets all but the newest of a week. Where the
    /// disk is full they are lost: room that can be made is for what has to be remembered.
    pub async fn save_minutes(&self, minute: u64, means: Vec<(ServerId, Packed)>) -> Result<(), DbError> {
        self.transact_in_free_room(move |transaction| {
            let mut insert = transaction
                .prepare_cached("INSERT OR REPLACE INTO minutes (server, minute, sample) VALUES (?1, ?2, ?3)")?;
            for (server, sample) in &means {
                insert.execute(params![server.to_string(), Whole(minute), sample.to_bytes()])?;
            }
            // By their number and not by their age: a clock that is set forward makes nothing old.
            let mut forget = transaction.prepare_cached(
                "DELETE FROM minutes WHERE server = ?1 AND minute <= (SELECT minute FROM minutes WHERE server = ?1
                 ORDER BY minute DESC LIMIT 1 OFFSET ?2)",
            )?;
            for (server, _) in &means {
                forget.execute(params![server.to_string(), Whole(STATS_HISTORY_MINUTES)])?;
            }
            Ok(())
        })
        .await
    }

    /// The minutes of one server within `range`, oldest first.
    pub async fn minutes(&self, server: ServerId, range: RangeInclusive<u64>) -> Result<Vec<Minute>, DbError> {
        self.read(move |transaction| {
            let mut select = transaction.prepare_cached(
                "SELECT minute, sample FROM minutes WHERE server = ?1 AND minute BETWEEN ?2 AND ?3 ORDER BY minute",
            )?;
            let rows =
                select.query_map(params![server.to_string(), Whole(*range.start()), Whole(*range.end())], |row| {
                    let bytes: Vec<u8> = row.get(1)?;
                    Ok((row.get::<_, Whole>(0)?.0, bytes))
                })?;
            let mut minutes = Vec::new();
            for row in rows {
                let (minute, bytes) = row?;
                if let Some(sample) = Packed::from_bytes(&bytes) {
                    minutes.push(Minute { minute, sample });
                }
            }
            Ok(minutes)
        })
        .await
    }
}

/// Forgets the oldest quarter of all statistics, to make room for what has to be remembered. Whether there were any.
pub(super) fn forget_oldest(connection: &Connection) -> rusqlite::Result<bool> {
    let (oldest, newest): (Option<i64>, Option<i64>) =
        connection
            .query_row("SELECT MIN(minute), MAX(minute) FROM minutes", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (Some(oldest), Some(newest)) = (oldest, newest) else { return Ok(false) };
    let until = oldest + (newest - oldest) / 4;
    Ok(connection.execute("DELETE FROM minutes WHERE minute <= ?1", [until])? > 0)
}
