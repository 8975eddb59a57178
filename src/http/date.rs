//! The field `Date`, which every response has.

use core::cell::Cell;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

/// Length of a date in bytes.
const DATE_BYTES: usize = 29;

/// A time as RFC 9110 section 5.6.7 writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HttpDate([u8; DATE_BYTES]);

impl HttpDate {
    /// The date of a time in seconds since 1970, UTC. A time that is too late for the library, which is one
    /// after the year 9999, becomes the latest one that it can represent.
    pub fn new(unix_seconds: u64) -> HttpDate {
        let seconds = i64::try_from(unix_seconds).unwrap_or(i64::MAX);
        let timestamp = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
        let mut text = Vec::with_capacity(DATE_BYTES);
        DateTimePrinter::new()
            .print_timestamp_rfc9110(&timestamp, &mut text)
            .expect("writing to a vector does not fail, and the year is not negative");
        HttpDate(text.try_into().expect("every date has the same length"))
    }

    /// The header field, with its line end.
    pub fn field(self) -> [u8; 37] {
        let mut field = *b"Date: Day, 00 Mon 0000 00:00:00 GMT\r\n";
        field[6..35].copy_from_slice(&self.0);
        field
    }
}

/// The date of the current second, so that it is written once a second only.
#[derive(Debug)]
pub struct DateClock(Cell<(u64, HttpDate)>);

impl DateClock {
    /// A clock that shows the first second of 1970.
    pub fn new() -> DateClock {
        DateClock(Cell::new((0, HttpDate::new(0))))
    }

    /// The date at a time in milliseconds since 1970, UTC.
    pub fn at(&self, wall_ms: u64) -> HttpDate {
        let second = wall_ms / 1000;
        let (known_second, known) = self.0.get();
        if second == known_second {
            return known;
        }
        let date = HttpDate::new(second);
        self.0.set((second, date));
        date
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(unix_seconds: u64) -> String {
        String::from_utf8(HttpDate::new(unix_seconds).0.to_vec()).expect("ASCII")
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(date(951_782_400), "Tue, 29 Feb 2000 00:00:00 GMT");
        assert_eq!(date(4_107_542_399), "Sun, 28 Feb 2100 23:59:59 GMT");
        assert_eq!(date(4_107_542_400), "Mon, 01 Mar 2100 00:00:00 GMT");
        assert_eq!(date(u64::MAX), "Thu, 30 Dec 9999 22:00:00 GMT");
    }

    #[test]
    fn the_clock_follows_the_time() {
        let clock = DateClock::new();
        for wall_ms in [0, 999, 1000, 784_111_777_123, 784_111_777_999, 1500] {
            assert_eq!(clock.at(wall_ms), HttpDate::new(wall_ms / 1000));
        }
    }
}
