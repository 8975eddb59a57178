//! Which node did what, where rooms are shared by several, and what nodes tell each other that is no change.

use rand::{Rng, RngExt};

use super::{AccountId, Address, AuthorId, Epoch};

/// One run of one node, from when it joins the others to when it leaves or is given up by them. A program that is started
/// again, or was given up and comes back, has another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct NodeId(pub u64);

impl NodeId {
    /// The one node there is, where rooms are not shared.
    pub const ALONE: NodeId = NodeId(0);

    /// Draws a new one. It fits into a signed number.
    pub fn random(random: &mut impl Rng) -> NodeId {
        NodeId((random.random::<u64>() >> 1).max(1))
    }
}

/// What a node tells the others without changing anything: neither stored nor answered, and not repeated if it is lost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notice {
    /// A member types.
    Typing {
        /// In which room.
        epoch: Epoch,
        /// Who.
        author: AuthorId,
    },
    /// Something was tried from an address that may not be tried too often.
    Attempt {
        /// What.
        what: Attempt,
        /// From where.
        address: Address,
    },
}

/// What may not be tried too often from one address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attempt {
    /// A code that no room has.
    UnknownCode,
    /// A code, when too many were unknown already.
    UnfamiliarCode,
    /// A room was made.
    Creation,
    /// A file was shared.
    Share,
    /// A name was claimed.
    Registration,
    /// A wrong password was shown.
    Password {
        /// For this account; `None`: for a name that is none's.
        account: Option<AccountId>,
    },
}
