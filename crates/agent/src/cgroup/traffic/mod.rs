//! Network traffic of a control group, of whatever protocol: two programs of the kernel's own virtual machine (BPF) that
//! add up the size of every packet, as systemd's `IPAccounting=` does.
//!
//! They are attached to the group (version 2 of control groups, with or without controllers) and live as long as it
//! does: nothing has to run for them to count, and an agent that comes later finds them there. What is counted are IP
//! packets with their headers, those over loopback included. Attaching needs root, or `CAP_BPF` with `CAP_NET_ADMIN`;
//! finding them again needs `CAP_SYS_ADMIN`.

mod counter;
mod kernel;
mod program;

pub use counter::{Totals, TrafficCounter};
