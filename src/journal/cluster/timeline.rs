//! When things were asked for, without a clock at hand: what is asked for in a turn has been by its end.

use std::collections::VecDeque;

/// Marks of less than this time are one.
const GRANULARITY_MS: u64 = 100;

/// Orders what was asked for, and tells what of it was asked for so long ago.
#[derive(Default)]
pub(super) struct Timeline {
    serial: u64,
    /// Up to this number it is known when things were asked for.
    marked: u64,
    /// Up to which serial number things had been asked for, and when.
    marks: VecDeque<(u64, u64)>,
}

impl Timeline {
    /// The number of something that is asked for.
    pub fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// It is this late.
    pub fn mark(&mut self, now_ms: u64) {
        if self.serial == self.marked {
            return;
        }
        self.marked = self.serial;
        match self.marks.back_mut() {
            Some((serial, at_ms)) if now_ms < *at_ms + GRANULARITY_MS => *serial = self.serial,
            _ => self.marks.push_back((self.serial, now_ms)),
        }
    }

    /// The number up to which everything has been asked for at this time, if there is any of which that was not told yet.
    pub fn take_older_than(&mut self, at_ms: u64) -> Option<u64> {
        let mut last = None;
        while let Some(&(serial, marked_ms)) = self.marks.front()
            && marked_ms <= at_ms
        {
            last = Some(serial);
            self.marks.pop_front();
        }
        last
    }

    /// When the next of them was asked for.
    pub fn first_ms(&self) -> Option<u64> {
        self.marks.front().map(|(_, marked_ms)| *marked_ms)
    }

    /// Nothing of what was asked for so far is waited for any more.
    pub fn clear(&mut self) {
        self.marks.clear();
    }
}

/// Something that is to be done after a time, by whoever has no clock when that becomes known.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) enum Timer {
    #[default]
    Off,
    /// After this time, from the next look at the clock on.
    In(u64),
    At(u64),
}

impl Timer {
    /// Whether it is time; it is off from then on.
    pub fn take_due(&mut self, now_ms: u64) -> bool {
        if let Timer::In(delay_ms) = *self {
            *self = Timer::At(now_ms + delay_ms);
        }
        let is_due = matches!(*self, Timer::At(at_ms) if at_ms <= now_ms);
        if is_due {
            *self = Timer::Off;
        }
        is_due
    }

    pub fn due_ms(self) -> Option<u64> {
        match self {
            Timer::At(at_ms) => Some(at_ms),
            Timer::Off | Timer::In(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_between_two_looks_was_at_the_second() {
        let mut timeline = Timeline::default();
        assert_eq!(timeline.first_ms(), None);
        timeline.next_serial();
        timeline.mark(1_000);
        timeline.next_serial();
        timeline.mark(1_050);
        timeline.next_serial();
        timeline.mark(1_200);
        assert_eq!((timeline.first_ms(), timeline.take_older_than(999)), (Some(1_000), None));
        assert_eq!(timeline.take_older_than(1_000), Some(2));
        assert_eq!(timeline.take_older_than(5_000), Some(3));
        timeline.mark(9_000);
        assert_eq!(timeline.take_older_than(9_000), None, "nothing more was asked for");
    }

    #[test]
    fn a_timer_begins_at_the_next_look() {
        let mut timer = Timer::In(200);
        assert_eq!(timer.due_ms(), None);
        assert!(!timer.take_due(1_000));
        assert_eq!(timer.due_ms(), Some(1_200));
        assert!(!timer.take_due(1_199) && timer.take_due(1_200) && !timer.take_due(1_300));
    }
}
