//! How often something may be done: one number a counter, no timers.

use std::collections::HashMap;
use std::hash::Hash;

/// A rate with bursts: at most `burst` at once, `per_period` in every `period_ms` in the long run.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    interval_us: u64,
    burst: u64,
}

impl Rate {
    /// `None` means no limit, as does a rate of 0.
    pub fn new(per_period: u32, period_ms: u64, burst: u32) -> Option<Rate> {
        (per_period > 0).then(|| Rate {
            interval_us: (period_ms * 1000 / u64::from(per_period)).max(1),
            burst: u64::from(burst.max(1)),
        })
    }
}

/// The state of one counter: the time at which it will be as good as new (the generic cell rate
/// algorithm of ITU-T I.371: a leaky bucket in one number).
#[derive(Clone, Copy, Default, Debug)]
pub struct Bucket {
    full_at_us: u64,
}

impl Bucket {
    /// Counts one, if there is room for it.
    ///
    /// # Errors
    /// The milliseconds to wait until there will be.
    pub fn take(&mut self, rate: Rate, now_ms: u64) -> Result<(), u64> {
        let wait_ms = self.wait_ms(rate, now_ms);
        if wait_ms > 0 {
            return Err(wait_ms);
        }
        self.full_at_us = self.full_at_us.max(now_ms * 1000) + rate.interval_us;
        Ok(())
    }

    /// Milliseconds until one more could be counted; 0: now.
    pub fn wait_ms(&self, rate: Rate, now_ms: u64) -> u64 {
        let after_us = self.full_at_us.max(now_ms * 1000) + rate.interval_us;
        after_us.saturating_sub(now_ms * 1000 + rate.burst * rate.interval_us).div_ceil(1000)
    }

    /// Takes one back that was counted.
    fn give_back(&mut self, rate: Rate) {
        self.full_at_us = self.full_at_us.saturating_sub(rate.interval_us);
    }

    fn is_as_new(&self, now_ms: u64) -> bool {
        self.full_at_us <= now_ms * 1000
    }
}

/// Where a request comes from, for counting: an IPv4 address, or the /64 network of an IPv6 one, since
/// whoever has one address there has them all.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Address(u64);

impl Address {
    /// The number as which it is stored.
    pub fn to_bits(self) -> u64 {
        self.0
    }

    /// An address that was stored.
    pub fn from_bits(bits: u64) -> Address {
        Address(bits)
    }

    /// Whether it is this machine's own (RFC 1122 section 3.2.1.3; RFC 4291 section 2.5.3): everybody's behind a proxy of
    /// which the program was not told.
    pub fn is_loopback(self) -> bool {
        self.0 >> 24 == 127 || self.0 == 0
    }
}

impl From<core::net::IpAddr> for Address {
    fn from(address: core::net::IpAddr) -> Address {
        match address.to_canonical() {
            // Nobody else has these numbers: no IPv6 network begins with 32 zeros (RFC 4291, 2.4).
            core::net::IpAddr::V4(address) => Address(u64::from(address.to_bits())),
            core::net::IpAddr::V6(address) => Address((address.to_bits() >> 64) as u64),
        }
    }
}

/// Addresses remembered at the most; beyond it, those that are as good as new are forgotten, and if all
/// are busy, everyone new shares one counter.
const MAX_ADDRESSES: usize = 65_536;

/// Time between two attempts to forget.
const FORGET_INTERVAL_MS: u64 = 10_000;

/// One counter for each address.
pub type AddressLimiter = KeyedLimiter<Address>;

/// One counter for each of many.
#[derive(Debug)]
pub struct KeyedLimiter<K> {
    rate: Option<Rate>,
    buckets: HashMap<K, Bucket>,
    overflow: Bucket,
    /// Forgetting looks at every address: not again before this time.
    forgets_at_ms: u64,
}

impl<K: Copy + Eq + Hash> KeyedLimiter<K> {
    /// Counts against `rate`; `None`: no limit.
    pub fn new(rate: Option<Rate>) -> KeyedLimiter<K> {
        KeyedLimiter { rate, buckets: HashMap::new(), overflow: Bucket::default(), forgets_at_ms: 0 }
    }

    /// Counts against this rate from now on; what was counted before is as long ago as it is.
    pub fn set_rate(&mut self, rate: Option<Rate>) {
        self.rate = rate;
    }

    /// Counts one for this address, if there is room for it.
    ///
    /// # Errors
    /// The milliseconds to wait.
    pub fn take(&mut self, address: K, now_ms: u64) -> Result<(), u64> {
        let Some(rate) = self.rate else { return Ok(()) };
        if self.buckets.len() >= MAX_ADDRESSES && !self.buckets.contains_key(&address) {
            if self.forgets_at_ms <= now_ms {
                self.forgets_at_ms = now_ms + FORGET_INTERVAL_MS;
                self.buckets.retain(|_, bucket| !bucket.is_as_new(now_ms));
            }
            if self.buckets.len() >= MAX_ADDRESSES {
                return self.overflow.take(rate, now_ms);
            }
        }
        self.buckets.entry(address).or_default().take(rate, now_ms)
    }

    /// Takes one back that was counted for this address.
    pub fn give_back(&mut self, address: K) {
        if let Some(rate) = self.rate
            && let Some(bucket) = self.buckets.get_mut(&address)
        {
            bucket.give_back(rate);
        }
    }

    /// Whether [`take`](Self::take) would have room, without counting.
    ///
    /// # Errors
    /// The milliseconds to wait.
    pub fn check(&self, address: K, now_ms: u64) -> Result<(), u64> {
        let Some(rate) = self.rate else { return Ok(()) };
        let is_shared = self.buckets.len() >= MAX_ADDRESSES;
        let other = if is_shared { self.overflow } else { Bucket::default() };
        let bucket = self.buckets.get(&address).copied().unwrap_or(other);
        match bucket.wait_ms(rate, now_ms) {
            0 => Ok(()),
            wait_ms => Err(wait_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_rate() {
        let rate = Rate::new(5, 1000, 20).expect("a limit");
        let mut bucket = Bucket::default();
        let taken = (0..30).filter(|_| bucket.take(rate, 1_000_000).is_ok()).count();
        assert_eq!(taken, 20);
        assert_eq!(bucket.take(rate, 1_000_000), Err(200));
        assert_eq!(bucket.take(rate, 1_000_199), Err(1));
        assert_eq!(bucket.take(rate, 1_000_200), Ok(()));
        assert!(bucket.take(rate, 1_000_200).is_err());
    }

    #[test]
    fn no_rate_is_no_limit() {
        assert!(Rate::new(0, 1000, 20).is_none());
        let mut limiter = AddressLimiter::new(None);
        let address = Address::from(core::net::IpAddr::from([127, 0, 0, 1]));
        assert!((0..1000).all(|_| limiter.take(address, 0).is_ok()));
    }

    #[test]
    fn addresses_are_counted_apart_and_ipv6_by_network() {
        let mut limiter = AddressLimiter::new(Rate::new(1, 60_000, 1));
        let one = Address::from(core::net::IpAddr::from([127, 0, 0, 1]));
        let mapped: core::net::IpAddr = "::ffff:127.0.0.1".parse().expect("an address");
        let six: core::net::IpAddr = "2001:db8::1".parse().expect("an address");
        let neighbour: core::net::IpAddr = "2001:db8::2".parse().expect("an address");
        assert!(limiter.take(one, 0).is_ok());
        assert!(limiter.take(Address::from(mapped), 0).is_err());
        assert!(limiter.take(Address::from(six), 0).is_ok());
        assert!(limiter.check(Address::from(neighbour), 0).is_err());
        assert!(limiter.check(Address::from(neighbour), 60_000).is_ok());
    }

    #[test]
    fn a_flood_of_addresses_is_bounded() {
        let mut limiter = AddressLimiter::new(Rate::new(1, 60_000, 1));
        for number in 0..200_000u32 {
            let _ = limiter.take(Address::from(core::net::IpAddr::from(number.to_be_bytes())), 0);
        }
        assert!(limiter.buckets.len() <= MAX_ADDRESSES);
        let one_more = Address::from(core::net::IpAddr::from([200, 200, 200, 200]));
        assert_eq!(limiter.check(one_more, 0), limiter.take(one_more, 0), "what is asked is what is counted");
        assert!(limiter.check(one_more, 0).is_err());
    }
}
