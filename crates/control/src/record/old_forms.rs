//! Records as earlier versions wrote them (`fixtures/records`): this one reads each, and writes it back as it was. A
//! stored form is never changed; a new one gets a new version, an upgrade from this one, and fixtures of its own.

use std::{collections::BTreeSet, fs, path::Path, sync::Arc};

use nodepanel_store::{Backend, Key, MemoryBackend, Record, Repository, Transaction};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::*;

const VERSION_1: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/records/v1");

#[derive(Deserialize)]
struct Fixture {
    key: String,
    value: Box<RawValue>,
}

async fn is_read<R: Record>() -> String {
    let file = format!("{}.json", R::KIND);
    let text = fs::read_to_string(Path::new(VERSION_1).join(&file)).unwrap();
    let fixture: Fixture = serde_json::from_str(&text).unwrap();
    let key = Key::new(fixture.key).unwrap();
    let store: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    store.commit(Transaction::new().put(key.clone(), fixture.value.get().to_owned())).await.unwrap();
    let listing = Repository::<R>::new(Arc::clone(&store)).list().await.unwrap();
    assert!(listing.unreadable.is_empty(), "{file}: {:?}", listing.unreadable);
    let [stored] = listing.records.as_slice() else { panic!("{file}: {listing:?}") };

    if R::VERSION == 1 {
        let update = Transaction::new().update(&stored.record, stored.revision).unwrap();
        store.commit(update).await.unwrap();
        let written = store.get(&key).await.unwrap().unwrap();
        let written: Value = serde_json::from_slice(&written.value).unwrap();
        assert_eq!(written, serde_json::from_str::<Value>(fixture.value.get()).unwrap(), "{file}");
    }
    file
}

#[tokio::test]
async fn records_of_version_1_are_read() {
    let known = BTreeSet::from([
        is_read::<AllocationRecord>().await,
        is_read::<ApiKeyRecord>().await,
        is_read::<EnrolmentRecord>().await,
        is_read::<InstallationRecord>().await,
        is_read::<InstanceRecord>().await,
        is_read::<LoginDebtRecord>().await,
        is_read::<LoginHomesRecord>().await,
        is_read::<NameRecord>().await,
        is_read::<NodeRecord>().await,
        is_read::<RevocationRecord>().await,
        is_read::<ServerRecord>().await,
        is_read::<TemplateRecord>().await,
        is_read::<TemplateVersionRecord>().await,
        is_read::<UserRecord>().await,
    ]);
    let there: BTreeSet<_> =
        fs::read_dir(VERSION_1).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(there, known, "a fixture that nobody reads");
}
