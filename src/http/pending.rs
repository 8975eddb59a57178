//! A request that cannot be answered before the rooms have done something.

use super::cookie::Sessions;
use super::download::Download;
use super::form::HomeForm;
use super::metrics::Format;
use super::response::ResponseOptions;
use super::trust::Client;
use crate::rooms::{Name, RoomCode};

/// A request that waits for the rooms.
#[derive(Debug)]
pub struct PendingRequest {
    /// What it asked for.
    pub kind: PendingKind,
    /// Who sent it.
    pub client: Client,
    /// The name for which a trusted proxy vouches.
    pub vouched_name: Option<Name>,
    /// How its response is written.
    pub response_options: ResponseOptions,
}

/// What was asked for, and what the response needs of it.
#[derive(Debug)]
pub enum PendingKind {
    /// The home page's form: a place in a room.
    Admission {
        /// What was typed.
        form: HomeForm,
        /// The sessions that the browser has already.
        sessions: Sessions,
    },
    /// The page of a room.
    RoomPage {
        /// Its code.
        code: RoomCode,
        /// The host and port that the page was asked for at.
        host: Box<str>,
    },
    /// API: a new room.
    NewRoom,
    /// API: a room's state.
    Description,
    /// API: a room's events.
    Events,
    /// The program's figures, in this form.
    Metrics(Format),
    /// Whether the program can do what it is for.
    Readiness,
    /// A file that is being shared: the session has it.
    Upload,
    /// A shared file.
    Download(Download),
}
