//! Fills the store: one server is made through the API, on a node that no machine has joined, and its record is copied.
//! So the copies have the form that this version writes, whatever that is.

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use nodepanel_store::{Backend as _, Key, SqliteBackend, SqliteOptions, Transaction};
use nodepanel_types::{
    ServerId,
    api::{CreateAllocations, CreateNode, NodeView, Page, TemplateSummary},
};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::installation::{ASKED_ALL, GAME_ADDRESS, Installation, new_server};

/// Copies in one transaction: each is two entries.
const AT_ONCE: usize = 60;
/// How long the API servers may take to see the copies.
const PATIENCE: Duration = Duration::from_secs(20);

/// Makes a server on a node without a machine, and `count` copies of it; answers the copies.
pub async fn fill(installation: &Installation, count: u16) -> anyhow::Result<Vec<ServerId>> {
    let mut client = installation.client().await?;
    let node: NodeView = client.post("/api/v1/nodes", &CreateNode { name: "without-a-machine".to_owned() }).await?;
    let ports = CreateAllocations { address: GAME_ADDRESS.to_owned(), ports: "20000".to_owned() };
    let _: Value = client.post(&format!("/api/v1/nodes/{}/allocations", node.id), &ports).await?;
    let templates: Page<TemplateSummary> = client.get("/api/v1/templates").await?;
    let minecraft = templates.items.iter().find(|template| template.slug == "minecraft");
    let template = minecraft.context("there is no template “minecraft”")?.id;
    let original = new_server(&mut client, template, node.id, "The original".to_owned(), false).await?;
    let ids = copy_server(&installation.store(), original, count).await?;

    // The API servers follow the store; both must know all of them before anything is measured.
    let deadline = Instant::now() + PATIENCE;
    let mut in_a_row = 0;
    while in_a_row < ASKED_ALL {
        let mut client = installation.client().await?;
        let page: Page<Value> = client.get("/api/v1/servers?limit=1").await?;
        in_a_row = if page.total == u64::from(count) + 1 { in_a_row + 1 } else { 0 };
        anyhow::ensure!(Instant::now() < deadline, "the API servers see {} of {count} servers", page.total);
    }
    Ok(ids)
}

/// Makes `count` copies of `server` and of the port that it has, and answers their ids.
async fn copy_server(store: &Path, server: ServerId, count: u16) -> anyhow::Result<Vec<ServerId>> {
    let store = SqliteBackend::open(&SqliteOptions::new(store))?;
    let record = entry(&store, &format!("/servers/{server}")).await?;
    let node = text(&record, "/record/node")?;
    let address = text(&record, "/record/endpoints/0/address")?;
    let port = record.pointer("/record/endpoints/0/port").and_then(Value::as_u64).context("it has no port")?;
    let allocation = |port: u64| format!("/allocations/{node}/{address}/{port:05}");
    let given = entry(&store, &allocation(port)).await?;

    let mut ids = Vec::with_capacity(usize::from(count));
    let numbers: Vec<u16> = (1..=count).collect();
    for chunk in numbers.chunks(AT_ONCE) {
        let mut transaction = Transaction::new();
        for number in chunk {
            let id = copied_id(server, *number)?;
            let port = port + u64::from(*number);
            let mut copy = record.clone();
            set(&mut copy, "/record/id", json!(id))?;
            set(&mut copy, "/record/name", json!(format!("Server number {number}")))?;
            set(&mut copy, "/record/endpoints/0/port", json!(port))?;
            let mut its_port = given.clone();
            set(&mut its_port, "/record/id/port", json!(port))?;
            set(&mut its_port, "/record/server", json!(id))?;
            transaction = transaction
                .put(Key::new(format!("/servers/{id}"))?, in_order(&copy)?)
                .put(Key::new(allocation(port))?, in_order(&its_port)?);
            ids.push(id);
        }
        store.commit(transaction).await?;
    }
    Ok(ids)
}

async fn entry(store: &SqliteBackend, key: &str) -> anyhow::Result<Value> {
    let entry = store.get(&Key::new(key)?).await?.with_context(|| format!("the store has no {key}"))?;
    Ok(serde_json::from_slice(&entry.value)?)
}

fn text(value: &Value, place: &str) -> anyhow::Result<String> {
    let text = value.pointer(place).and_then(Value::as_str);
    Ok(text.with_context(|| format!("a server's record has no {place}"))?.to_owned())
}

fn set(value: &mut Value, place: &str, to: Value) -> anyhow::Result<()> {
    *value.pointer_mut(place).with_context(|| format!("the record has no {place}"))? = to;
    Ok(())
}

/// The version first, as the store writes it: it is read faster so.
fn in_order(envelope: &Value) -> anyhow::Result<Vec<u8>> {
    let part = |name: &str| envelope.get(name).with_context(|| format!("the stored form has no {name}"));
    Ok(format!("{{\"v\":{},\"record\":{}}}", part("v")?, part("record")?).into_bytes())
}

/// The original's id with another ending; that the original itself ends so is as likely as a lottery's first prize.
fn copied_id(original: ServerId, number: u16) -> anyhow::Result<ServerId> {
    let text = original.to_string();
    let kept = text.get(..text.len() - 8).context("an id is shorter than it should be")?;
    Ok(format!("{kept}{number:08x}").parse()?)
}
