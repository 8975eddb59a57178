//! Every delivery, counted: which texts of which talker reached which member, and how often.
//!
//! A member hears each talker's texts in the order in which they were said, so one number for each pair
//! of member and talker is enough to tell a loss, a repetition and a change of order from what is right.

/// What one member heard from the talkers of its room.
#[derive(Debug)]
pub struct Tally {
    /// For each talker, the sequence that should come next.
    next: Vec<u32>,
    missing: u64,
    repeated: u64,
}

/// How many deliveries went wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Texts that were said and never heard, counted once a member that should have heard them.
    pub lost: u64,
    /// Texts heard again, or after a later one of the same talker.
    pub repeated: u64,
}

impl Tally {
    pub fn new(talkers: usize) -> Self {
        Tally { next: vec![0; talkers], missing: 0, repeated: 0 }
    }

    /// Of who comes when the talkers have said so many texts already.
    pub fn after(said: &[u32]) -> Self {
        Tally { next: said.to_vec(), ..Tally::new(0) }
    }

    /// There are so many talkers now; the new ones have said nothing yet.
    pub fn add_talkers(&mut self, talkers: usize) {
        self.next.resize(talkers, 0);
    }

    /// Counts one delivery. A talker that the room does not have counts as a repetition.
    pub fn count(&mut self, talker: u16, sequence: u32) {
        match self.next.get_mut(usize::from(talker)) {
            Some(next) if sequence >= *next => {
                self.missing += u64::from(sequence - *next);
                *next = sequence + 1;
            }
            _ => self.repeated += 1,
        }
    }

    /// Whether the last text of every talker has been heard. `own` is this member's index as a talker,
    /// if it is one whose own texts are not sent back to it.
    pub fn is_complete(&self, said: &[u32], own: Option<u16>) -> bool {
        self.expected(said, own).all(|(next, said)| next >= said)
    }

    /// What went wrong, once nothing more is to come.
    pub fn faults(&self, said: &[u32], own: Option<u16>) -> Faults {
        let tail: u64 = self.expected(said, own).map(|(next, said)| u64::from(said.saturating_sub(next))).sum();
        Faults { lost: self.missing + tail, repeated: self.repeated }
    }

    fn expected<'a>(&'a self, said: &'a [u32], own: Option<u16>) -> impl Iterator<Item = (u32, u32)> + 'a {
        let pairs = self.next.iter().copied().zip(said.iter().copied());
        pairs.enumerate().filter(move |(talker, _)| own.map(usize::from) != Some(*talker)).map(|(_, pair)| pair)
    }
}

impl std::ops::AddAssign for Faults {
    fn add_assign(&mut self, other: Faults) {
        self.lost += other.lost;
        self.repeated += other.repeated;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(deliveries: &[(u16, u32)]) -> Tally {
        let mut tally = Tally::new(2);
        deliveries.iter().for_each(|&(talker, sequence)| tally.count(talker, sequence));
        tally
    }

    #[test]
    fn everything_heard_once_is_without_fault() {
        let tally = heard(&[(0, 0), (1, 0), (0, 1), (1, 1), (0, 2)]);
        assert!(tally.is_complete(&[3, 2], None));
        assert_eq!(tally.faults(&[3, 2], None), Faults::default());
    }

    #[test]
    fn a_gap_and_a_missing_end_are_losses() {
        let tally = heard(&[(0, 0), (0, 3), (1, 0)]);
        assert!(!tally.is_complete(&[4, 3], None));
        assert_eq!(tally.faults(&[4, 3], None), Faults { lost: 2 + 2, repeated: 0 });
    }

    #[test]
    fn a_text_heard_twice_and_an_unknown_talker_are_repetitions() {
        let tally = heard(&[(0, 0), (0, 0), (7, 0)]);
        assert_eq!(tally.faults(&[1, 0], None), Faults { lost: 0, repeated: 2 });
    }

    #[test]
    fn a_terminal_does_not_wait_for_its_own_words() {
        let tally = heard(&[(1, 0)]);
        assert!(tally.is_complete(&[5, 1], Some(0)));
        assert!(!tally.is_complete(&[5, 1], None));
    }
}
