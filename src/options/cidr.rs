//! Blocks of addresses.

use core::fmt;
use core::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

/// A block of addresses (RFC 4632 for IPv4, RFC 4291 for IPv6): those that share their first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr(IpNet);

impl Cidr {
    /// Reads `10.0.0.0/8` or `fd00::/8`; an address alone is a block of one.
    pub(super) fn read(value: &str) -> Result<Cidr, &'static str> {
        let value = value.trim();
        let block = match value.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address),
            Err(_) => value.parse().map_err(|_| "addresses like 10.0.0.0/8, fd00::/8 or 127.0.0.1")?,
        };
        Ok(Cidr(mapped_ipv4(block).map_or(block, IpNet::V4)))
    }

    /// Whether the address is of this block. An IPv4 address that is written as an IPv6 address
    /// (`::ffff:10.0.0.1`), as a socket for both kinds shows it, counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// Whether it is larger than a network that is somebody's own: RFC 1918 knows none larger than 10.0.0.0/8, RFC 4193
    /// none larger than fc00::/7.
    pub fn is_wide(&self) -> bool {
        self.0.prefix_len() < if self.0.addr().is_ipv4() { 8 } else { 7 }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Proxies from which a header of the PROXY protocol is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyPeer {
    /// Those at these addresses.
    Block(Cidr),
    /// Those that come by a Unix socket.
    Unix,
}

impl ProxyPeer {
    /// Reads `unix`, or addresses as [`Cidr::read`] does.
    pub(super) fn read(value: &str) -> Result<ProxyPeer, &'static str> {
        match value.trim() {
            "unix" => Ok(ProxyPeer::Unix),
            block => Cidr::read(block)
                .map(ProxyPeer::Block)
                .map_err(|_| "addresses like 10.0.0.0/8, fd00::/8 or 127.0.0.1, or unix"),
        }
    }

    /// Whether this peer is one of them; one without an address has come by a Unix socket.
    pub fn contains(&self, peer: Option<IpAddr>) -> bool {
        match (self, peer) {
            (ProxyPeer::Block(block), Some(peer)) => block.contains(peer),
            (ProxyPeer::Unix, None) => true,
            _ => false,
        }
    }
}

/// The IPv4 block that is written as an IPv6 block, if it is one. Addresses are compared as IPv4 where they
/// can be, so such a block is kept as IPv4 too.
fn mapped_ipv4(block: IpNet) -> Option<Ipv4Net> {
    const MAPPED_PREFIX_BITS: u8 = 96;
    let IpNet::V6(block) = block else { return None };
    let prefix_bits = block.prefix_len().checked_sub(MAPPED_PREFIX_BITS)?;
    Ipv4Net::new(block.addr().to_ipv4_mapped()?, prefix_bits).ok()
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
