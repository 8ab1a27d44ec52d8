//! Tells the other API servers, through the store, who has failed to sign in too often, and from where accounts were
//! opened.
//!
//! One transaction in half a second at most, and none while nobody comes near a limit: a flood of wrong passwords is no
//! flood of writes. While the store cannot be written each API server goes on with what it counts itself.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use nodepanel_store::Transaction;
use nodepanel_types::{Timestamp, UserId};

use super::login_limits::{HOMES, Told};
use crate::{
    ControlError, ControlPlane,
    record::{LoginDebtRecord, LoginHomesRecord, NameRecord, NameSpace},
    tables::Tables,
};

/// How often something is told at most.
const PERIOD: Duration = Duration::from_millis(500);

/// Tells for ever.
pub async fn tell_sign_ins(plane: Arc<ControlPlane>) {
    loop {
        plane.logins.wait_for_news().await;
        tokio::time::sleep(PERIOD).await;
        while let Err(error) = plane.tell_once().await {
            tracing::debug!(%error, "failed sign-ins could not be shared; it is tried again");
            tokio::time::sleep(PERIOD).await;
        }
    }
}

impl ControlPlane {
    async fn tell_once(&self) -> Result<(), ControlError> {
        let now = self.now();
        let (news, moved) = self.logins.untold(now);
        if news.is_empty() && moved.is_empty() {
            return Ok(());
        }
        let mut transaction = Transaction::new();
        let mut told = Vec::new();
        for news in news {
            let read = self.tables.login_debts.fresh(&news.name).await?;
            let before = read.as_ref().map(|read| read.record.forgiven_at);
            let forgiven_at = self.logins.add_told(&news, before, now);
            let record = LoginDebtRecord { id: news.name.clone(), forgiven_at };
            transaction = match read {
                Some(read) => transaction.update(&record, read.revision)?,
                None => transaction.create(&record)?,
            };
            told.push((news, forgiven_at));
        }
        // Whoever was removed meanwhile has no home.
        let there = moved.iter().map(|(user, _)| *user).filter(|user| self.tables.users.get(user).is_some());
        let users: BTreeSet<UserId> = there.collect();
        if told.is_empty() && users.is_empty() {
            self.logins.were_told(&told, &moved, now);
            return Ok(());
        }
        for user in users {
            let read = self.tables.login_homes.fresh(&user).await?;
            let mut networks = read.as_ref().map(|read| read.record.networks.clone()).unwrap_or_default();
            for (_, network) in moved.iter().filter(|(of, _)| *of == user) {
                networks.retain(|home| home != network);
                networks.push(network.clone());
            }
            networks.drain(..networks.len().saturating_sub(HOMES));
            let record = LoginHomesRecord { id: user, networks };
            transaction = match read {
                Some(read) => transaction.update(&record, read.revision)?,
                None => transaction.create(&record)?,
            };
        }
        self.store.commit(transaction).await?;
        self.logins.were_told(&told, &moved, now);
        Ok(())
    }
}

impl Told for Tables {
    fn debt(&self, name: &str) -> Option<Timestamp> {
        self.login_debts.get(&name.to_owned()).map(|told| told.record.forgiven_at)
    }

    fn is_home(&self, email: &str, network: &str) -> bool {
        let user = self.names.get(&NameRecord::key(NameSpace::Email, email.trim()));
        user.and_then(|name| self.login_homes.get(&UserId::from_uuid(name.record.bearer)))
            .is_some_and(|homes| homes.record.networks.iter().any(|home| home == network))
    }
}
