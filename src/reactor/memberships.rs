//! The rooms that a connection is in: none or one, mostly, and then they cost no allocation.

use crate::rooms::Membership;

/// The memberships of one connection, in the order in which they began.
#[derive(Clone, Debug, Default)]
pub enum Memberships {
    /// In no room.
    #[default]
    None,
    /// In one.
    One(Membership),
    /// In several.
    Many(Box<Vec<Membership>>),
}

impl Memberships {
    /// All of them.
    pub fn as_slice(&self) -> &[Membership] {
        match self {
            Memberships::None => &[],
            Memberships::One(membership) => std::slice::from_ref(membership),
            Memberships::Many(memberships) => memberships,
        }
    }

    /// Adds one, unless it is there.
    pub fn add(&mut self, membership: Membership) {
        match self {
            Memberships::None => *self = Memberships::One(membership),
            Memberships::One(one) if *one == membership => (),
            Memberships::One(one) => *self = Memberships::Many(Box::new(vec![*one, membership])),
            Memberships::Many(memberships) => {
                if !memberships.contains(&membership) {
                    memberships.push(membership);
                }
            }
        }
    }

    /// Removes one, if it is there.
    pub fn remove(&mut self, membership: Membership) {
        match self {
            Memberships::One(one) if *one == membership => *self = Memberships::None,
            Memberships::Many(memberships) => {
                memberships.retain(|other| *other != membership);
                if let [only] = memberships[..] {
                    *self = Memberships::One(only);
                }
            }
            Memberships::None | Memberships::One(_) => (),
        }
    }

    /// Leaves none behind.
    pub fn take(&mut self) -> Memberships {
        std::mem::take(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rooms::{AuthorId, RoomId};

    fn membership(room: u32) -> Membership {
        Membership { room: RoomId(room), author: AuthorId(1) }
    }

    #[test]
    fn one_costs_no_more_than_an_option() {
        assert_eq!(size_of::<Memberships>(), 16);
    }

    #[test]
    fn each_is_there_once_in_its_order() {
        let mut memberships = Memberships::default();
        for room in [3, 1, 3, 2, 1] {
            memberships.add(membership(room));
        }
        assert_eq!(memberships.as_slice(), [membership(3), membership(1), membership(2)]);
        memberships.remove(membership(3));
        memberships.remove(membership(7));
        assert_eq!(memberships.as_slice(), [membership(1), membership(2)]);
        memberships.remove(membership(1));
        assert!(matches!(memberships, Memberships::One(_)));
        assert_eq!(memberships.take().as_slice(), [membership(2)]);
        assert!(memberships.as_slice().is_empty());
    }
}
