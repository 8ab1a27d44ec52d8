//! The kernel's `bpf` system call, as far as counting needs it; see bpf(2) and `linux/bpf.h`.
//!
//! The only unsafe code of NodePanel: no maintained crate offers these calls without a compiler for BPF. Every function
//! here is safe to call; each builds the kernel's argument itself, with pointers only to what outlives the call.

#![expect(unsafe_code, reason = "the system call has no safe interface; see above")]

use std::{
    fs::File,
    io,
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
};

use super::program::{Direction, Instruction};

/// What the kernel calls an array: values that are there from the beginning, by index.
const MAP_ARRAY: u32 = 2;
/// A program that sees the packets of a group.
const PROGRAM_OF_GROUP: u32 = 8;
/// Other programs on the same group, or above it, go on.
const BESIDE_OTHERS: u32 = 1 << 1;
/// More programs than one direction of one of our groups ever has.
const PROGRAMS: usize = 64;
/// Room for a name with its final zero.
const NAME: usize = 16;

#[derive(Clone, Copy)]
#[repr(i32)]
enum Command {
    CreateMap = 0,
    LookUp = 1,
    LoadProgram = 5,
    Attach = 8,
    ProgramById = 13,
    MapById = 14,
    Describe = 15,
    Attached = 16,
}

/// The two sums of a map.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub(super) struct Sums {
    pub(super) received: u64,
    pub(super) sent: u64,
}

/// A program, as far as it interests.
#[derive(Debug)]
pub(super) struct Description {
    pub(super) name: String,
    /// The number of its first map.
    pub(super) map: Option<u32>,
}

/// Makes a map of one value, [`Sums`].
pub(super) fn create_map() -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Argument {
        map_type: u32,
        key_size: u32,
        value_size: u32,
        max_entries: u32,
    }
    let mut argument =
        Argument { map_type: MAP_ARRAY, key_size: length::<u32>(), value_size: length::<Sums>(), max_entries: 1 };
    // SAFETY: the argument has no pointers.
    unsafe { descriptor(Command::CreateMap, &mut argument) }
}

/// Loads a program for a group.
pub(super) fn load(direction: Direction, instructions: &[Instruction]) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Argument {
        program_type: u32,
        count: u32,
        instructions: u64,
        license: u64,
        log_level: u32,
        log_size: u32,
        log: u64,
        kernel_version: u32,
        flags: u32,
        name: [u8; NAME],
        interface: u32,
        attach_type: u32,
    }
    let count = u32::try_from(instructions.len()).map_err(io::Error::other)?;
    let mut name = [0; NAME];
    for (to, from) in name.iter_mut().take(NAME - 1).zip(direction.program_name().bytes()) {
        *to = from;
    }
    let mut argument = Argument {
        program_type: PROGRAM_OF_GROUP,
        count,
        instructions: address(instructions.as_ptr()),
        license: address(c"MIT OR Apache-2.0".as_ptr()),
        log_level: 0,
        log_size: 0,
        log: 0,
        kernel_version: 0,
        flags: 0,
        name,
        interface: 0,
        attach_type: attach_type(direction),
    };
    // SAFETY: `instructions` and the licence outlive the call, which reads as many instructions as there are, and the
    // licence up to its zero.
    unsafe { descriptor(Command::LoadProgram, &mut argument) }
}

/// Attaches a program to a group, beside others.
pub(super) fn attach(group: &File, program: BorrowedFd<'_>, direction: Direction) -> io::Result<()> {
    #[repr(C)]
    struct Argument {
        target: i32,
        program: i32,
        attach_type: u32,
        flags: u32,
    }
    let mut argument = Argument {
        target: group.as_fd().as_raw_fd(),
        program: program.as_raw_fd(),
        attach_type: attach_type(direction),
        flags: BESIDE_OTHERS,
    };
    // SAFETY: the argument has no pointers.
    unsafe { call(Command::Attach, &mut argument) }.map(drop)
}

/// The numbers of the programs that are attached to this very group.
pub(super) fn attached(group: &File, direction: Direction) -> io::Result<Vec<u32>> {
    #[repr(C)]
    struct Argument {
        target: i32,
        attach_type: u32,
        query_flags: u32,
        attach_flags: u32,
        ids: u64,
        count: u32,
        padding: u32,
    }
    let mut ids = vec![0_u32; PROGRAMS];
    let mut argument = Argument {
        target: group.as_fd().as_raw_fd(),
        attach_type: attach_type(direction),
        query_flags: 0,
        attach_flags: 0,
        ids: address(ids.as_mut_ptr().cast_const()),
        count: u32::try_from(PROGRAMS).map_err(io::Error::other)?,
        padding: 0,
    };
    // SAFETY: `ids` outlives the call and has the `count` elements that the kernel may fill.
    unsafe { call(Command::Attached, &mut argument) }?;
    ids.truncate(usize::try_from(argument.count).map_err(io::Error::other)?);
    Ok(ids)
}

/// Opens a program by its number.
pub(super) fn program(id: u32) -> io::Result<OwnedFd> {
    by_id(Command::ProgramById, id)
}

/// Opens a map by its number.
pub(super) fn map(id: u32) -> io::Result<OwnedFd> {
    by_id(Command::MapById, id)
}

/// What a program is called, and its map.
pub(super) fn describe(program: BorrowedFd<'_>) -> io::Result<Description> {
    /// The beginning of the kernel's description; older and newer kernels have it so.
    #[derive(Default)]
    #[repr(C)]
    struct Information {
        program_type: u32,
        id: u32,
        tag: [u8; 8],
        jited_length: u32,
        translated_length: u32,
        jited: u64,
        translated: u64,
        load_time: u64,
        created_by: u32,
        map_count: u32,
        map_ids: u64,
        name: [u8; NAME],
    }
    #[repr(C)]
    struct Argument {
        descriptor: i32,
        length: u32,
        information: u64,
    }
    let mut map_id = 0_u32;
    let mut information =
        Information { map_count: 1, map_ids: address((&raw mut map_id).cast_const()), ..Information::default() };
    let mut argument = Argument {
        descriptor: program.as_raw_fd(),
        length: length::<Information>(),
        information: address((&raw mut information).cast_const()),
    };
    // SAFETY: `information` and, within it, `map_id` outlive the call; their sizes are told with them.
    unsafe { call(Command::Describe, &mut argument) }?;
    let name = information.name.iter().take_while(|byte| **byte != 0).copied().collect();
    let name = String::from_utf8(name).map_err(io::Error::other)?;
    Ok(Description { name, map: (information.map_count > 0).then_some(map_id) })
}

/// Reads the sums of a map that [`create_map`] made. About a microsecond.
pub(super) fn look_up(map: BorrowedFd<'_>) -> io::Result<Sums> {
    #[repr(C)]
    struct Argument {
        map: i32,
        padding: u32,
        key: u64,
        value: u64,
        flags: u64,
    }
    let key = 0_u32;
    let mut sums = Sums::default();
    let mut argument = Argument {
        map: map.as_raw_fd(),
        padding: 0,
        key: address(&raw const key),
        value: address((&raw mut sums).cast_const()),
        flags: 0,
    };
    // SAFETY: key and value outlive the call and have the sizes that the map was made with: maps come from this file,
    // or from a program of the name and with the map that this file made.
    unsafe { call(Command::LookUp, &mut argument) }?;
    Ok(sums)
}

const fn attach_type(direction: Direction) -> u32 {
    match direction {
        Direction::Received => 0,
        Direction::Sent => 1,
    }
}

fn by_id(command: Command, id: u32) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Argument {
        id: u32,
        next: u32,
        flags: u32,
    }
    // SAFETY: the argument has no pointers.
    unsafe { descriptor(command, &mut Argument { id, next: 0, flags: 0 }) }
}

fn address<T>(pointer: *const T) -> u64 {
    pointer.expose_provenance() as u64
}

#[expect(clippy::cast_possible_truncation, reason = "structures of some bytes")]
const fn length<T>() -> u32 {
    size_of::<T>() as u32
}

/// Calls a command that answers with a descriptor. The kernel marks it close-on-exec.
///
/// # Safety
///
/// As [`call`].
unsafe fn descriptor<T>(command: Command, argument: &mut T) -> io::Result<OwnedFd> {
    // SAFETY: promised by the caller.
    let raw = unsafe { call(command, argument) }?;
    // SAFETY: the kernel has just given this descriptor to us, and to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// Calls the kernel.
///
/// # Safety
///
/// `argument` is laid out as the kernel expects it for `command`, and each of its pointers is good for what the
/// command reads and writes there.
unsafe fn call<T>(command: Command, argument: &mut T) -> io::Result<i32> {
    // SAFETY: the argument is valid for its size; the rest is promised by the caller.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command as libc::c_int, &raw mut *argument, size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { i32::try_from(result).map_err(io::Error::other) }
}
