//! Limits on streams that stay open: websockets and event streams, per caller and in all.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use nodepanel_control::Actor;
use nodepanel_types::problem::ProblemCode;

use crate::edge::ApiError;

/// Open streams of one caller.
const PER_CALLER: usize = 100;
/// Open streams of one API server.
const IN_ALL: usize = 10_000;

/// Counts open streams.
#[derive(Debug, Clone, Default)]
pub struct Sockets(Arc<Mutex<HashMap<String, usize>>>);

/// One open stream; its place is free again when this is dropped.
#[derive(Debug)]
pub struct Place {
    of: String,
    sockets: Sockets,
}

impl Sockets {
    /// Takes a place for a stream of `actor`.
    pub fn take(&self, actor: &Actor) -> Result<Place, ApiError> {
        let of = actor.scope();
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = open.get(&of).copied().unwrap_or_default();
        if mine >= PER_CALLER || open.values().sum::<usize>() >= IN_ALL {
            return Err(ApiError::new(
                ProblemCode::TooManyRequests,
                format!(
                    "Too many consoles and event streams are open ({mine} of yours; {PER_CALLER} are allowed). Close some."
                ),
            ));
        }
        open.insert(of.clone(), mine + 1);
        drop(open);
        Ok(Place { of, sockets: self.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.sockets.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.of) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.of);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_stream_ends() {
        let sockets = Sockets::default();
        let places: Vec<_> = (0..PER_CALLER).map(|_| sockets.take(&Actor::Host).unwrap()).collect();
        assert!(sockets.take(&Actor::Host).is_err());
        drop(places);
        assert!(sockets.take(&Actor::Host).is_ok());
        assert!(sockets.0.lock().unwrap().is_empty());
    }
}
