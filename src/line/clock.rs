//! The time of day and the date where the server stands.

use std::cell::Cell;
use std::path::Path;
use std::{env, fs};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};

/// Offsets from UTC change at full quarters of an hour, if at all.
const QUARTER_S: i64 = 15 * 60;

/// Where the files of the time zones are on one system or another, unless `TZDIR` names their folder (`tzset(3)`).
const ZONES_FOLDERS: [&str; 3] = ["/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo"];

/// Tells local times.
#[derive(Clone)]
pub struct LocalClock {
    zone: TimeZone,
    /// The last quarter of an hour that was asked for: looking an offset up costs more than all the rest.
    latest: Cell<Option<Quarter>>,
}

#[derive(Clone, Copy)]
struct Quarter {
    number: i64,
    offset_s: i64,
}

impl LocalClock {
    /// In the time zone of the system (`TZ`, `/etc/localtime`); UTC where there is none.
    pub fn system() -> LocalClock {
        let folders = env::var_os("TZDIR").into_iter().chain(ZONES_FOLDERS.map(Into::into));
        let named =
            env::var("TZ").ok().and_then(|name| folders.into_iter().find_map(|at| read_zone(at.as_ref(), &name)));
        LocalClock::new(named.unwrap_or_else(TimeZone::system))
    }

    /// Without any offset.
    pub fn utc() -> LocalClock {
        LocalClock::new(TimeZone::UTC)
    }

    fn new(zone: TimeZone) -> LocalClock {
        LocalClock { zone, latest: Cell::new(None) }
    }

    /// The hour and the minute at `time_ms` (milliseconds since 1970, UTC).
    pub fn hour_and_minute(&self, time_ms: u64) -> (u8, u8) {
        let minutes = self.local_seconds(time_ms).div_euclid(60);
        (minutes.div_euclid(60).rem_euclid(24) as u8, minutes.rem_euclid(60) as u8)
    }

    /// The date at `time_ms` (milliseconds since 1970, UTC).
    pub fn date(&self, time_ms: u64) -> Date {
        // As if the local time were UTC; beyond the year 9999, the first of 1970.
        let local = Timestamp::from_second(self.local_seconds(time_ms)).unwrap_or_default();
        Offset::UTC.to_datetime(local).date()
    }

    /// Whether two times are of one date.
    pub fn is_same_day(&self, one_ms: u64, other_ms: u64) -> bool {
        // Days begin with a quarter, so within one there is nothing to look up.
        let quarter = |time_ms: u64| (time_ms / 1000) as i64 / QUARTER_S;
        quarter(one_ms) == quarter(other_ms) || self.date(one_ms) == self.date(other_ms)
    }

    fn local_seconds(&self, time_ms: u64) -> i64 {
        let seconds = (time_ms / 1000) as i64;
        let number = seconds.div_euclid(QUARTER_S);
        let quarter = self.latest.get().filter(|quarter| quarter.number == number).unwrap_or_else(|| {
            let offset = Timestamp::from_second(seconds).map(|time| self.zone.to_offset(time)).unwrap_or(Offset::UTC);
            Quarter { number, offset_s: i64::from(offset.seconds()) }
        });
        self.latest.set(Some(quarter));
        seconds + quarter.offset_s
    }
}

/// The zone with a name such as `Europe/Berlin` (or a path), if there is a file of it. The library could find it too,
/// but to be ready for every name it would read all six hundred files at start, and keep what it found.
fn read_zone(folder: &Path, name: &str) -> Option<TimeZone> {
    let bytes = fs::read(folder.join(name.strip_prefix(':').unwrap_or(name))).ok()?;
    TimeZone::tzif(name, &bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_MS: u64 = 60_000;
    /// 2026-03-29 00:59 UTC: a minute before summer time begins in Europe.
    const BEFORE_SUMMER_TIME_MS: u64 = 1_774_745_940_000;

    #[test]
    fn utc_has_no_offset() {
        let clock = LocalClock::utc();
        assert_eq!(clock.hour_and_minute(0), (0, 0));
        assert_eq!(clock.hour_and_minute(14 * 60 * MINUTE_MS + 3 * MINUTE_MS + 59_999), (14, 3));
        assert_eq!(clock.date(86_400_000 - 1), jiff::civil::date(1970, 1, 1));
        assert_eq!(clock.date(86_400_000), jiff::civil::date(1970, 1, 2));
    }

    #[test]
    fn a_zone_has_its_summer_time() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a time zone");
        let clock = LocalClock::new(zone);
        assert_eq!(clock.hour_and_minute(BEFORE_SUMMER_TIME_MS), (1, 59));
        assert_eq!(clock.hour_and_minute(BEFORE_SUMMER_TIME_MS + MINUTE_MS), (3, 0));
        assert_eq!(clock.hour_and_minute(BEFORE_SUMMER_TIME_MS), (1, 59));
    }

    #[test]
    fn a_zone_is_found_by_its_name() {
        // Twice the same, in the old and in the new width of times, of which there are none (RFC 9636 section 3).
        let mut half = b"TZif2".to_vec();
        half.resize(20, 0);
        for count in [0, 0, 0, 0, 1, 4_u32] {
            half.extend(count.to_be_bytes());
        }
        half.extend(3600_i32.to_be_bytes());
        half.extend(b"\0\0CET\0");
        let bytes = [half.as_slice(), &half, b"\nCET-1CEST,M3.5.0,M10.5.0/3\n"].concat();
        let folder = env::temp_dir().join(format!("snugd-zones-{}", std::process::id()));
        fs::create_dir_all(folder.join("Europe")).expect("a folder");
        fs::write(folder.join("Europe/Berlin"), bytes).expect("a file");
        fs::write(folder.join("no-zone"), "TZif").expect("a file");

        let path = folder.join("Europe/Berlin");
        for name in ["Europe/Berlin", ":Europe/Berlin", path.to_str().expect("a path in UTF-8")] {
            let clock = LocalClock::new(read_zone(&folder, name).expect("a time zone"));
            assert_eq!(clock.hour_and_minute(BEFORE_SUMMER_TIME_MS + MINUTE_MS), (3, 0), "{name}");
        }
        for name in ["", "no-zone", "Europe", "Mars/Base", "CET-1CEST,M3.5.0,M10.5.0/3"] {
            assert!(read_zone(&folder, name).is_none(), "{name}");
        }
        fs::remove_dir_all(&folder).expect("the folder goes");
    }

    #[test]
    fn the_date_is_the_local_one() {
        let clock = LocalClock::new(TimeZone::fixed(jiff::tz::offset(-5)));
        assert_eq!(clock.date(86_400_000), jiff::civil::date(1970, 1, 1));
        assert_eq!(clock.hour_and_minute(0), (19, 0));
    }

    #[test]
    fn days_change_at_local_midnight() {
        let clock =
            LocalClock::new(TimeZone::fixed(jiff::tz::Offset::from_seconds(5 * 3600 + 45 * 60).expect("Nepal's")));
        let midnight_ms = 86_400_000 - (5 * 60 + 45) * MINUTE_MS;
        for (one_ms, other_ms, is_same) in [
            (midnight_ms, midnight_ms + 1, true),
            (midnight_ms, midnight_ms + 86_399_999, true),
            (midnight_ms - 1, midnight_ms, false),
            (midnight_ms - 60 * MINUTE_MS, midnight_ms - 1, true),
            (midnight_ms, midnight_ms + 86_400_000, false),
        ] {
            assert_eq!(clock.is_same_day(one_ms, other_ms), is_same, "{one_ms} {other_ms}");
            assert_eq!(clock.is_same_day(other_ms, one_ms), is_same, "{one_ms} {other_ms}");
        }
    }

    #[test]
    fn no_time_is_too_far() {
        let clock = LocalClock::system();
        for time_ms in [u64::MAX, u64::MAX / 2, i64::MAX as u64] {
            let (hour, minute) = clock.hour_and_minute(time_ms);
            assert!(hour < 24 && minute < 60);
            let _ = clock.date(time_ms);
        }
    }
}
