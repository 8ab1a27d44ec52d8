//! The records that the tests store.

use nodepanel_store::{Record, UpgradeError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A game, as its third version has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Game {
    pub id: u32,
    pub title: String,
    pub players: u32,
}

pub fn game(id: u32, title: &str) -> Game {
    Game { id, title: title.to_owned(), players: 0 }
}

impl Record for Game {
    const KIND: &'static str = "games";
    const VERSION: u32 = 3;
    type Id = u32;

    fn id(&self) -> u32 {
        self.id
    }

    /// Version 1 called the title a name; version 2 did not know the players.
    fn upgrade(from: u32, mut value: Value) -> Result<Value, UpgradeError> {
        let fields = value.as_object_mut().ok_or_else(|| UpgradeError { reason: "not an object".into() })?;
        if from == 1 {
            let name = fields.remove("name").ok_or_else(|| UpgradeError { reason: "it has no name".into() })?;
            fields.insert("title".into(), name);
        } else {
            fields.insert("players".into(), json!(7));
        }
        Ok(value)
    }
}

/// Another kind, for transactions across kinds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Player {
    pub name: String,
    pub game: u32,
}

impl Record for Player {
    const KIND: &'static str = "players";
    const VERSION: u32 = 1;
    type Id = String;

    fn id(&self) -> String {
        self.name.clone()
    }
}
