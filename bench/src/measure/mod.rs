//! What is measured, one file each.

mod api;
mod console;
mod memory;
mod recovery;
mod start;
mod viewers;

use crate::figure::Figure;

/// A measurement.
#[derive(Debug, Clone, Copy)]
pub enum Measure {
    /// From the request to start a server until it is spawned and runs.
    Start,
    /// From the game's write of a line to a viewer.
    Console,
    /// Lines that ten viewers of one console get.
    Viewers,
    /// Reads and writes with many servers in the store.
    Api,
    /// How soon an API server that was killed is back.
    Recovery,
    /// What each process keeps in memory.
    Memory,
}

impl Measure {
    /// All of them, in the order in which they are taken.
    pub const ALL: [Self; 6] = [Self::Start, Self::Console, Self::Viewers, Self::Api, Self::Recovery, Self::Memory];

    /// The word to choose it by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Console => "console",
            Self::Viewers => "viewers",
            Self::Api => "api",
            Self::Recovery => "recovery",
            Self::Memory => "memory",
        }
    }

    /// Takes it, on an installation of its own.
    pub async fn take(self) -> anyhow::Result<Vec<Figure>> {
        match self {
            Self::Start => start::measure().await,
            Self::Console => console::measure().await,
            Self::Viewers => viewers::measure().await,
            Self::Api => api::measure().await,
            Self::Recovery => recovery::measure().await,
            Self::Memory => memory::measure().await,
        }
    }
}
