//! Who is to join, as a scenario invites them and a member carries it out.

use std::net::SocketAddr;

use crate::dialect::{Identity, Speech};

/// Who is to join, and how they are to talk once they are in.
#[derive(Debug)]
pub struct Guest {
    pub address: SocketAddr,
    /// Which of the server's nodes that is, of how many.
    pub node: usize,
    pub nodes: usize,
    pub speech: Speech,
    pub identity: Identity,
    /// Index of the room.
    pub room: usize,
    pub talks: bool,
    /// Whether it comes over TLS.
    pub is_secure: bool,
    /// Whether it comes over a narrow road: small segments, and little room for what it has not read.
    pub narrow: bool,
}

/// How far an arrival goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Connected and upgraded: the bare handshake.
    Upgraded,
    /// In the room.
    Joined,
}
