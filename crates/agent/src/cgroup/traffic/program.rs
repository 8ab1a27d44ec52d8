//! The program that counts, for either direction: six instructions.
//!
//! ```text
//! r2 = packet.len
//! r1 = address of the sum
//! atomically *r1 += r2
//! r0 = 1                      let the packet pass
//! exit
//! ```
//!
//! Encoding: <https://docs.kernel.org/bpf/standardization/instruction-set.html>.

use std::os::fd::{AsRawFd as _, BorrowedFd};

/// Which way packets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// To the group's sockets.
    Received,
    /// From them.
    Sent,
}

impl Direction {
    pub(super) const BOTH: [Self; 2] = [Self::Received, Self::Sent];

    /// The name by which the program is found again; at most 15 bytes of letters, digits and `_`.
    pub(super) const fn program_name(self) -> &'static str {
        match self {
            Self::Received => "nodepanel_recv",
            Self::Sent => "nodepanel_sent",
        }
    }

    /// Where its sum lies in the map's one value, in bytes.
    const fn offset(self) -> i32 {
        match self {
            Self::Received => 0,
            Self::Sent => 8,
        }
    }
}

/// An instruction as the kernel takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Instruction {
    code: u8,
    registers: u8,
    offset: i16,
    immediate: i32,
}

impl Instruction {
    const fn new(code: u8, to: u8, from: u8, immediate: i32) -> Self {
        let registers = if cfg!(target_endian = "little") { from << 4 | to } else { to << 4 | from };
        Self { code, registers, offset: 0, immediate }
    }
}

/// Load a word through the register `from`.
const LOAD_WORD: u8 = 0x61;
/// Load 64 bits that stand in this instruction and the next.
const LOAD_64: u8 = 0x18;
/// ... which are an address within the first value of the map whose descriptor is given.
const ADDRESS_IN_MAP: u8 = 2;
/// Add 64 bits in memory, atomically.
const ATOMIC_ADD_64: u8 = 0xdb;
/// Put a constant into a register.
const SET: u8 = 0xb7;
const EXIT: u8 = 0x95;

/// The program that adds up packets of `direction` in `map`, whose only value is two numbers of 64 bits.
pub(super) fn counting(direction: Direction, map: BorrowedFd<'_>) -> [Instruction; 6] {
    [
        // `len` is the first field of what a program is given about a packet.
        Instruction::new(LOAD_WORD, 2, 1, 0),
        Instruction::new(LOAD_64, 1, ADDRESS_IN_MAP, map.as_raw_fd()),
        Instruction::new(0, 0, 0, direction.offset()),
        Instruction::new(ATOMIC_ADD_64, 1, 2, 0),
        Instruction::new(SET, 0, 0, 1),
        Instruction::new(EXIT, 0, 0, 0),
    ]
}
