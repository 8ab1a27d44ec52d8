//! Processes on one host: starting them, watching them, replacing them, and keeping the listening sockets while
//! they are replaced.
//!
//! Does not know what the processes do. Three things hold everywhere in it: a process is named by its identity and
//! never by its bare pid; nothing here dies because something else died; no decision to restart is ever final.

pub mod process;
