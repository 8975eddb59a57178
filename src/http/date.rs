//! The field `Date`, which every response has.

use core::cell::Cell;

/// A time as RFC 9110 section 5.6.7 writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HttpDate([u8; 29]);

impl HttpDate {
    /// The date of a time in seconds since 1970, UTC. After the year 9999 it stays at that year's end.
    pub fn new(unix_seconds: u64) -> HttpDate {
        const END_OF_9999: u64 = 253_402_300_799;
        const DAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];
        const MONTHS: [&[u8; 3]; 12] =
            [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
        let seconds = unix_seconds.min(END_OF_9999);
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil_date(days);
        let mut text = *b"Day, 00 Mon 0000 00:00:00 GMT";
        text[0..3].copy_from_slice(DAYS[(days % 7) as usize]);
        write_digits(&mut text[5..7], day);
        text[8..11].copy_from_slice(MONTHS[month as usize - 1]);
        write_digits(&mut text[12..16], year);
        write_digits(&mut text[17..19], second / 3600);
        write_digits(&mut text[20..22], second / 60 % 60);
        write_digits(&mut text[23..25], second % 60);
        HttpDate(text)
    }

    /// The header field, with its line end.
    pub fn field(self) -> [u8; 37] {
        let mut field = *b"Date: Day, 00 Mon 0000 00:00:00 GMT\r\n";
        field[6..35].copy_from_slice(&self.0);
        field
    }
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar. Years are counted from
/// March, so that the leap day is a year's last (Howard Hinnant, "chrono-compatible low-level date
/// algorithms").
fn civil_date(days: u64) -> (u64, u64, u64) {
    const DAYS_FROM_0000_03_01: u64 = 719_468;
    const DAYS_IN_400_YEARS: u64 = 146_097;
    let days = days + DAYS_FROM_0000_03_01;
    let (era, day_of_era) = (days / DAYS_IN_400_YEARS, days % DAYS_IN_400_YEARS);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

fn write_digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// The date of the current second, so that it is put into words once a second only.
#[derive(Debug)]
pub struct DateClock(Cell<(u64, HttpDate)>);

impl DateClock {
    /// Starts in 1970.
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
        assert_eq!(date(u64::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
    }

    #[test]
    fn the_clock_follows_the_time() {
        let clock = DateClock::new();
        for wall_ms in [0, 999, 1000, 784_111_777_123, 784_111_777_999, 1500] {
            assert_eq!(clock.at(wall_ms), HttpDate::new(wall_ms / 1000));
        }
    }
}
