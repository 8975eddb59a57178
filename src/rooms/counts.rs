//! Figures about the rooms, for those who run the program.

use super::{Body, Rooms, Via};

/// The kinds of events, as the contract names them. In this order they are counted.
pub const EVENT_KINDS: [&str; 11] =
    ["message", "file", "enter", "part", "nick", "edit", "delete", "reaction", "topic", "mode", "kick"];

/// Figures about the rooms.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Living rooms.
    pub rooms: usize,
    /// Members with a place, those briefly away included.
    pub members: usize,
    /// Those among them who came by a terminal.
    pub line_members: usize,
    /// Names that are somebody's own.
    pub accounts: usize,
    /// Bytes of memory that the rooms' history takes.
    pub history_bytes: usize,
    /// Rooms made since the start.
    pub rooms_created: u64,
    /// Events recorded since the start, by kind.
    pub events: [u64; EVENT_KINDS.len()],
    /// Events, each counted once for every connection that was to be sent it.
    pub deliveries: u64,
    /// Times that somebody came into a room, or came back.
    pub joins: u64,
    /// Those among them that went on where they were before.
    pub resumes: u64,
    /// Messages that were sent again, and not said again.
    pub duplicates: u64,
}

impl Counts {
    /// Messages among the events, files included.
    pub fn messages(&self) -> u64 {
        self.events[..2].iter().sum()
    }

    /// All events.
    pub fn all_events(&self) -> u64 {
        self.events.iter().sum()
    }

    /// An event was recorded.
    pub(super) fn note_event(&mut self, body: &Body) {
        let number = match body {
            Body::Message { .. } if body.file().is_none() => 0,
            Body::Message { .. } | Body::Deleted { .. } => 1,
            Body::Enter => 2,
            Body::Part => 3,
            Body::Nick { .. } => 4,
            Body::Edit { .. } => 5,
            Body::Delete { .. } => 6,
            Body::Reaction { .. } => 7,
            Body::Topic { .. } => 8,
            Body::Mode { .. } => 9,
            Body::Kick { .. } => 10,
        };
        self.events[number] += 1;
    }
}

impl Rooms {
    /// Figures for those who run the program.
    pub fn counts(&self) -> Counts {
        let members = || self.rooms.iter().flat_map(|(_, room)| room.state.roster.iter());
        Counts {
            rooms: self.codes.len(),
            members: self.rooms.iter().map(|(_, room)| room.state.roster.places()).sum(),
            line_members: members().filter(|member| member.via() == Via::Line).count(),
            accounts: self.accounts.count(),
            history_bytes: self.history_memory.used_bytes(),
            ..self.counts
        }
    }
}
