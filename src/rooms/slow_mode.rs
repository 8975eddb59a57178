//! Who has spoken of late in a room where each member may say one thing in a while. This node's own.

use hashbrown::HashMap;

use super::AuthorId;

/// With so many remembered, those whose time is up are forgotten first.
const FORGETS_ABOVE: usize = 64;

/// When members spoke last. Empty where there is no slow mode.
#[derive(Default)]
pub(super) struct SlowMode {
    spoken_at_ms: HashMap<AuthorId, u64>,
    forgets_above: usize,
}

impl SlowMode {
    /// Counts what this author says at this time.
    ///
    /// # Errors
    /// The milliseconds to wait.
    pub fn count(&mut self, author: AuthorId, interval_ms: u64, now_ms: u64) -> Result<(), u64> {
        let waits_ms = self.wait_ms(author, interval_ms, now_ms);
        if waits_ms > 0 {
            return Err(waits_ms);
        }
        if self.spoken_at_ms.len() >= self.forgets_above.max(FORGETS_ABOVE) {
            self.spoken_at_ms.retain(|_, spoken_at_ms| *spoken_at_ms + interval_ms > now_ms);
            self.forgets_above = 2 * self.spoken_at_ms.len();
        }
        self.spoken_at_ms.insert(author, now_ms);
        Ok(())
    }

    /// Milliseconds that this author has to wait; 0: none.
    pub fn wait_ms(&self, author: AuthorId, interval_ms: u64, now_ms: u64) -> u64 {
        let spoken_at_ms = self.spoken_at_ms.get(&author);
        spoken_at_ms.map_or(0, |spoken_at_ms| (spoken_at_ms + interval_ms).saturating_sub(now_ms))
    }

    /// There is no slow mode any more.
    pub fn clear(&mut self) {
        *self = SlowMode::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_member_says_one_thing_in_a_while() {
        let mut slow_mode = SlowMode::default();
        let (ana, ben) = (AuthorId(1), AuthorId(2));
        assert_eq!(slow_mode.count(ana, 10_000, 5), Ok(()));
        assert_eq!(slow_mode.count(ana, 10_000, 1_005), Err(9_000));
        assert_eq!(slow_mode.count(ben, 10_000, 1_005), Ok(()));
        assert_eq!(slow_mode.count(ana, 10_000, 10_005), Ok(()));
        slow_mode.clear();
        assert_eq!(slow_mode.count(ben, 10_000, 10_006), Ok(()));
    }

    #[test]
    fn those_whose_time_is_up_are_forgotten() {
        let mut slow_mode = SlowMode::default();
        for author in 0..10_000 {
            assert_eq!(slow_mode.count(AuthorId(author), 100, u64::from(author)), Ok(()));
        }
        assert!(slow_mode.spoken_at_ms.len() <= 300, "{}", slow_mode.spoken_at_ms.len());
    }
}
