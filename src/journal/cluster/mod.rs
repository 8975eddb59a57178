//! The journal that several nodes share: an ordered log, kept by somebody else ([`log`]).
//!
//! A proposal is appended at the version of its room against which it was checked; it is committed when it comes back from
//! the log, among those of the others and in the same order everywhere. Where something else came before it, it goes back
//! to the rooms, to be checked again. Nothing here waits or names a socket: what reaches the log is a [`Link`].

pub mod codec;
mod effects;
pub mod log;

pub use effects::{Effects, Erasure};
pub use log::Link;
