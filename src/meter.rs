//! What is counted while the program runs: counters, and histograms of durations. Their names are the metrics' affair.
//!
//! Each is written by one thread and may be read by others: so counting costs no locked instruction.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts one.
    pub fn inc(&self) {
        self.inc_by(1);
    }

    /// Counts so many.
    pub fn inc_by(&self, count: u64) {
        self.0.store(self.get().wrapping_add(count), Ordering::Relaxed);
    }

    /// How many were counted.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The upper bounds of a histogram's buckets, in microseconds: from what a turn with little to do takes to what
/// everybody notices. Behind the last there is one more bucket.
pub const BOUNDS_US: [u64; 14] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000];

/// How long something took, how often.
#[derive(Debug, Default)]
pub struct Histogram {
    /// How often it took no longer than each bound, and longer than the one before.
    buckets: [Counter; BOUNDS_US.len() + 1],
    sum_us: Counter,
}

impl Histogram {
    /// It took so long.
    pub fn observe_us(&self, duration_us: u64) {
        self.buckets[BOUNDS_US.partition_point(|&bound_us| bound_us < duration_us)].inc();
        self.sum_us.inc_by(duration_us);
    }

    /// How often it took no longer than each bound; the last number is how often it happened at all.
    pub fn cumulative(&self) -> [u64; BOUNDS_US.len() + 1] {
        let mut count = 0;
        self.buckets.each_ref().map(|bucket| {
            count += bucket.get();
            count
        })
    }

    /// How long it took altogether.
    pub fn sum_us(&self) -> u64 {
        self.sum_us.get()
    }
}

/// What a journal that stores changes tells of itself. Its own thread counts.
#[derive(Debug, Default)]
pub struct JournalMeters {
    /// Transactions that were committed, and how long each took.
    pub transactions: Histogram,
    /// Transactions that failed since another program held the file: they are tried again.
    pub locked: Counter,
    /// Transactions that failed otherwise.
    pub failed: Counter,
    /// Changes that were stored.
    pub stored_changes: Counter,
    /// Changes that were refused, since they could not be stored.
    pub refused_changes: Counter,
    /// The last transaction has failed, and not merely since another program held the file.
    pub is_failing: AtomicBool,
}

impl JournalMeters {
    /// Whether the last transaction has failed, and not merely since another program held the file.
    pub fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }
}

/// What a log that several nodes share tells of itself. Each is written by one thread.
#[derive(Debug, Default)]
pub struct ClusterMeters {
    /// Commands that were answered, and how long each took.
    pub commands: Histogram,
    /// Commands that failed.
    pub failed_commands: Counter,
    /// Connections that were made anew after one was lost.
    pub reconnects: Counter,
    /// Proposals that others' changes came before, so that they were checked again.
    pub outdated_proposals: Counter,
    /// How often everything was loaded anew.
    pub resets: Counter,
    /// How old the entries were that were last taken in. Milliseconds.
    pub lag_ms: AtomicU64,
    /// How many nodes there are.
    pub nodes: AtomicU64,
    /// It can be asked at this time.
    pub is_up: AtomicBool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_every_bucket_that_is_not_below_it() {
        let histogram = Histogram::default();
        for duration_us in [0, 100, 101, 250, 4_999_999, 5_000_000, 5_000_001] {
            histogram.observe_us(duration_us);
        }
        let cumulative = histogram.cumulative();
        assert_eq!(cumulative[..3], [2, 4, 4]);
        assert_eq!(cumulative[BOUNDS_US.len() - 2..], [4, 6, 7]);
        assert_eq!(histogram.sum_us(), 15_000_451);
    }
}
