//! Blocks of addresses.

use core::net::IpAddr;
use core::str::FromStr;

use super::values::read_digits;

/// A block of addresses (RFC 4632 for IPv4, RFC 4291 for IPv6): those that share their first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    network: IpAddr,
    prefix_bits: u32,
}

impl Cidr {
    /// Reads `10.0.0.0/8` or `fd00::/8`; an address alone is a block of one.
    pub(super) fn read(value: &str) -> Result<Cidr, &'static str> {
        let wanted = "addresses like 10.0.0.0/8, fd00::/8 or 127.0.0.1";
        let value = value.trim();
        let (address, prefix_bits) = match value.split_once('/') {
            Some((address, bits)) => (address, Some(read_digits(bits).ok_or(wanted)?)),
            None => (value, None),
        };
        let network = IpAddr::from_str(address).map_err(|_| wanted)?;
        let width_bits = match network {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        };
        let prefix_bits: u32 = prefix_bits.unwrap_or(width_bits);
        if prefix_bits > width_bits {
            return Err(wanted);
        }
        // Addresses are looked at as IPv4 where they can be, so a block of such is kept as IPv4 too.
        let mapped_bits = width_bits - 32;
        let canonical = network.to_canonical();
        let is_mapped = canonical != network && prefix_bits >= mapped_bits;
        Ok(match is_mapped {
            true => Cidr { network: canonical, prefix_bits: prefix_bits - mapped_bits },
            false => Cidr { network, prefix_bits },
        })
    }

    /// Whether the address is of this block. An IPv4 address in IPv6's clothes (`::ffff:10.0.0.1`), as a
    /// socket for both shows it, counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let different = network.to_bits() ^ address.to_bits();
                different.leading_zeros() >= self.prefix_bits
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let different = network.to_bits() ^ address.to_bits();
                different.leading_zeros() >= self.prefix_bits
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(block: &str, address: &str) -> bool {
        let block = Cidr::read(block).expect("a block in a test");
        block.contains(address.parse().expect("an address in a test"))
    }

    #[test]
    fn a_block_holds_what_shares_its_first_bits() {
        assert!(holds("10.0.0.0/8", "10.255.255.255"));
        assert!(!holds("10.0.0.0/8", "11.0.0.0"));
        assert!(holds("10.1.2.3/8", "10.9.9.9"));
        assert!(holds("192.168.1.4/30", "192.168.1.7"));
        assert!(!holds("192.168.1.4/30", "192.168.1.8"));
        assert!(holds("127.0.0.1", "127.0.0.1"));
        assert!(!holds("127.0.0.1", "127.0.0.2"));
        assert!(holds("0.0.0.0/0", "255.1.2.3"));
        assert!(holds("fd00::/8", "fdff::1"));
        assert!(!holds("fd00::/8", "fe00::1"));
        assert!(holds("::/0", "2001:db8::1"));
        assert!(holds("::1", "::1"));
    }

    #[test]
    fn ipv4_within_ipv6_is_ipv4() {
        assert!(holds("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(holds("::ffff:10.0.0.0/104", "10.1.2.3"));
        assert!(!holds("::ffff:10.0.0.0/104", "11.1.2.3"));
        assert!(!holds("::/0", "10.1.2.3"));
        assert!(!holds("0.0.0.0/0", "2001:db8::1"));
    }

    #[test]
    fn a_block_that_cannot_be_is_refused() {
        for wrong in ["", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0/8", "a", "/8"] {
            assert!(Cidr::read(wrong).is_err(), "{wrong:?} was accepted");
        }
    }
}
