//! The time, as everything below the reactor is told it: nobody else asks a clock.

/// A time as people read it, and type it: `45s`, `10m`, `23h 59m`, `29d 3h`.
///
/// Of more than a minute no seconds are told, and of more than a day no minutes; it is rounded up.
pub fn duration_words(seconds: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let unit = match seconds {
        0..MINUTE => 1,
        MINUTE..DAY => MINUTE,
        _ => HOUR,
    };
    let mut rest = seconds.div_ceil(unit).saturating_mul(unit);
    let mut words = Vec::new();
    for (unit, letter) in [(DAY, 'd'), (HOUR, 'h'), (MINUTE, 'm'), (1, 's')] {
        if rest >= unit {
            words.push(format!("{}{letter}", rest / unit));
            rest %= unit;
        }
    }
    if words.is_empty() { "0s".to_owned() } else { words.join(" ") }
}

/// The time, read once a turn and passed down.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Now {
    /// Milliseconds since the program started; never goes back. For deadlines and rates.
    pub steady_ms: u64,
    /// Milliseconds since 1970, UTC, as the system's clock tells them. For people.
    pub wall_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_two_units_at_the_most() {
        let told = [0, 45, 60, 61, 600, 5400, 86_399, 86_400, 86_401, 30 * 86_400].map(duration_words);
        assert_eq!(told, ["0s", "45s", "1m", "2m", "10m", "1h 30m", "1d", "1d", "1d 1h", "30d"]);
        assert_eq!(duration_words(400 * 86_400 + 1), "400d 1h", "months and years are as long as anybody likes");
        assert!(!duration_words(u64::MAX).is_empty());
    }
}
