//! How fast lines are passed on: `--rate` a second, in bursts of four times that.

use crate::options::Limits;
use crate::rooms::{Bucket, Rate};
use crate::time::Now;

const PERIOD_MS: u64 = 1_000;

/// Milliseconds until one more line may be passed on; 0: now.
pub fn wait_ms(bucket: Bucket, limits: &Limits, now: Now) -> u64 {
    rate(limits).map_or(0, |rate| bucket.wait_ms(rate, now.steady_ms))
}

/// Counts a line, for which there is room.
pub fn count(bucket: &mut Bucket, limits: &Limits, now: Now) {
    if let Some(rate) = rate(limits) {
        let counted = bucket.take(rate, now.steady_ms);
        debug_assert!(counted.is_ok(), "a line is held back until there is room for it");
    }
}

/// Whether all lines that were counted are paid for.
pub fn is_burst_over(bucket: Bucket, limits: &Limits, now: Now) -> bool {
    // With bursts of one, there is room for one only then.
    Rate::new(limits.rate, PERIOD_MS, 1).is_none_or(|rate| bucket.wait_ms(rate, now.steady_ms) == 0)
}

fn rate(limits: &Limits) -> Option<Rate> {
    Rate::new(limits.rate, PERIOD_MS, limits.rate.saturating_mul(4))
}
