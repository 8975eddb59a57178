//! Terminals: `nc`, telnet, scripts. Lines come in, lines go out.
//!
//! [`Line`] is one connection's session: it asks for a name and a room (`session/prompts`), then passes on what is typed.
//! `editor` makes lines of received bytes, `opening` knows what is no terminal, `pace` how fast is too fast,
//! `command` tells what a line means, `output_format` writes answers, `encoder` encodes what the room's members say.
//! Nothing here knows a socket, a timer or another protocol.

mod clock;
pub mod command;
mod editor;
pub mod encoder;
pub mod help;
mod opening;
pub mod output_format;
mod pace;
mod session;
#[cfg(test)]
mod tests;

pub use clock::LocalClock;
pub use encoder::{JsonLineEncoder, LineEncoder};
pub use session::Line;

use std::sync::Arc;

use crate::invitation::Invitation;
use crate::json::RefusalCounts;
use crate::options::Limits;

/// What all sessions share.
#[derive(Clone)]
pub struct Context {
    /// The limits of rooms, and the rate at which lines are passed on.
    pub limits: Limits,
    /// Where this server is found.
    pub invitation: Invitation,
    /// The time where this server stands.
    pub clock: LocalClock,
    /// What was refused before the rooms were asked.
    pub refusals: Arc<RefusalCounts>,
}
