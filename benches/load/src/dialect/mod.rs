//! How one talks to a server: what is said on arrival, how a text is sent, what comes back.
//!
//! A dialect knows words, not sockets. To bench another chat server, write one more file here.

mod irc;
mod line;
mod smallchat;
mod socketio;
mod web;

use crate::stamp::TEXT_BYTES;

/// How messages are told apart in the stream of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// WebSocket frames, after a handshake at this path.
    WebSocket { path: &'static str },
    /// Lines that end in LF.
    Lines,
}

/// Who a member is.
#[derive(Clone, Debug)]
pub struct Identity {
    pub name: String,
    pub room: String,
}

/// What a received message means to the load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Somebody's text.
    Delivery,
    /// This member is in its room now.
    Joined,
    /// The server wants this answered.
    Answer(Vec<u8>),
    /// The server said no.
    Refusal,
    /// Nothing that matters here.
    Other,
}

pub trait Dialect: Sync {
    fn framing(&self) -> Framing;

    /// What a member says first. `None` if the server speaks first and `hear` answers.
    fn greeting(&self, me: &Identity) -> Option<Vec<u8>>;

    /// Writes one message that says `text`, the talker's `sequence`-th.
    fn say(&self, me: &Identity, text: &[u8; TEXT_BYTES], sequence: u32, out: &mut Vec<u8>);

    /// Makes sense of one received message.
    fn hear(&self, me: &Identity, message: &[u8]) -> Heard;

    /// Whether a talker is sent its own texts.
    fn hears_itself(&self) -> bool;
}

/// Reference of a dialect: they have no state.
pub type Speech = &'static dyn Dialect;

/// snugd's WebSocket messages, which the floor and the small room servers speak too.
pub const WEB: Speech = &web::Web;
/// snugd on a terminal.
pub const LINE: Speech = &line::Line;
/// IRC, RFC 2812.
pub const IRC: Speech = &irc::Irc;
/// Socket.IO 4 over WebSocket.
pub const SOCKET_IO: Speech = &socketio::SocketIo;
/// smallchat, which knows one room only.
pub const SMALLCHAT: Speech = &smallchat::Smallchat;

impl std::fmt::Debug for dyn Dialect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.framing())
    }
}
