//! What a control plane does besides answering: follow the nodes, push desired state, reconcile, be known to the others.

use std::{sync::Arc, time::Duration};

use nodepanel_store::{LeaseId, StoreError, Transaction};
use nodepanel_types::WorkerId;
use tokio::sync::watch;

use crate::{
    ControlPlane, account::tell_sign_ins, observed::follow_nodes, push::push_desired, reconcile::reconcile,
    record::InstanceRecord,
};

/// How long an API server that died is still announced to agents.
const TTL: Duration = Duration::from_secs(3);

/// Starts the background work of `plane`, which goes on until the process ends. The receiver names the API servers that
/// run now, this one included.
pub fn run(plane: &Arc<ControlPlane>) -> watch::Receiver<Vec<WorkerId>> {
    tokio::spawn(follow_nodes(Arc::clone(plane)));
    tokio::spawn(push_desired(Arc::clone(plane)));
    tokio::spawn(reconcile(Arc::clone(plane)));
    tokio::spawn(tell_sign_ins(Arc::clone(plane)));
    tokio::spawn(be_known(Arc::clone(plane)));
    let (sender, receiver) = watch::channel(vec![plane.instance]);
    tokio::spawn(know_others(Arc::clone(plane), sender));
    receiver
}

/// Keeps this API server's record alive under a lease.
async fn be_known(plane: Arc<ControlPlane>) {
    let mut lease: Option<LeaseId> = None;
    loop {
        let kept = match lease {
            Some(lease) => plane.store.lease_keep_alive(lease).await,
            None => Err(StoreError::Unavailable { reason: "no lease yet".to_owned() }),
        };
        if kept.is_err() {
            match announce(&plane).await {
                Ok(fresh) => lease = Some(fresh),
                Err(error) => tracing::debug!(%error, "this API server cannot announce itself at the moment"),
            }
        }
        tokio::time::sleep(TTL / 3).await;
    }
}

async fn announce(plane: &ControlPlane) -> Result<LeaseId, StoreError> {
    let lease = plane.store.lease_grant(TTL).await?;
    let record = InstanceRecord { id: plane.instance, started_at: plane.now() };
    let transaction = Transaction::new().put_leased_record(&record, lease)?;
    plane.store.commit(transaction).await.map_err(|error| StoreError::Unavailable { reason: error.to_string() })?;
    Ok(lease)
}

async fn know_others(plane: Arc<ControlPlane>, sender: watch::Sender<Vec<WorkerId>>) {
    let mut changes = plane.tables.subscribe();
    loop {
        let mut known: Vec<WorkerId> = plane.tables.instances.all().iter().map(|instance| instance.record.id).collect();
        if !known.contains(&plane.instance) {
            known.push(plane.instance);
        }
        sender.send_if_modified(|before| {
            let news = *before != known;
            if news {
                *before = known;
            }
            news
        });
        loop {
            match changes.recv().await {
                Ok(change) if change.kind != <InstanceRecord as nodepanel_store::Record>::KIND => {}
                Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
                _ => break,
            }
        }
    }
}
