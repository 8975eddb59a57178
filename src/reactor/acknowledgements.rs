//! Whether a peer's system acknowledges what it is sent, as Linux tells about its sockets (sock_diag(7)).
//!
//! The kernel is asked over a netlink socket, since `TCP_INFO` of a socket cannot be read without unsafe code.

use core::net::{IpAddr, SocketAddr};
use std::io::Read;

use socket2::{Domain, Protocol, Socket, Type};

// From Linux's <linux/netlink.h>, <linux/sock_diag.h>, <linux/inet_diag.h> and <linux/tcp.h>.
const AF_NETLINK: i32 = 16;
const NETLINK_SOCK_DIAG: i32 = 4;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 1;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
const INET_DIAG_INFO: u16 = 2;
const ALL_STATES: u32 = u32::MAX;
const ANY_COOKIE: [u8; 8] = [0xff; 8];
/// `struct nlmsghdr`, and `struct inet_diag_msg` behind it.
const ANSWER_BYTES: usize = 16 + 72;
/// A header and a `struct tcp_info` are far smaller.
const MOST_ANSWER_BYTES: usize = 2048;

/// Probes of a shut window without an answer: one or two may be lost on the way.
const UNANSWERED_PROBES: u8 = 3;

/// The kernel, to be asked about connections of this process.
pub struct Acknowledgements {
    kernel: Socket,
}

impl Acknowledgements {
    /// `None` where the system tells nothing of the kind.
    pub fn open() -> Option<Acknowledgements> {
        if !cfg!(target_os = "linux") {
            return None;
        }
        let kernel = Socket::new(Domain::from(AF_NETLINK), Type::DGRAM, Some(Protocol::from(NETLINK_SOCK_DIAG)));
        let kernel = kernel.ok().filter(|kernel| kernel.set_nonblocking(true).is_ok())?;
        Some(Acknowledgements { kernel })
    }

    /// For how long the peer's system has acknowledged nothing, although it was sent the same again and again. `None`:
    /// nothing is overdue, or the kernel does not say. A peer that reads nothing acknowledges that its window is shut,
    /// so nothing is overdue for it.
    pub fn overdue_ms(&mut self, local: SocketAddr, peer: SocketAddr) -> Option<u64> {
        self.kernel.send(&request(local, peer)).ok()?;
        // The kernel has answered by then.
        let mut answer = [0; MOST_ANSWER_BYTES];
        let count = self.kernel.read(&mut answer).ok()?;
        overdue_ms(tcp_info(&answer[..count])?)
    }
}

/// `struct nlmsghdr` and `struct inet_diag_req_v2`: one socket, with its `struct tcp_info`.
fn request(local: SocketAddr, peer: SocketAddr) -> Vec<u8> {
    let family = if local.is_ipv6() { AF_INET6 } else { AF_INET };
    let interface = match peer {
        SocketAddr::V6(peer) => peer.scope_id(),
        SocketAddr::V4(_) => 0,
    };
    let mut body = vec![family, IPPROTO_TCP, 1 << (INET_DIAG_INFO - 1), 0];
    body.extend(ALL_STATES.to_ne_bytes());
    body.extend(local.port().to_be_bytes());
    body.extend(peer.port().to_be_bytes());
    body.extend(padded(local.ip()));
    body.extend(padded(peer.ip()));
    body.extend(interface.to_ne_bytes());
    body.extend(ANY_COOKIE);

    let mut request = Vec::with_capacity(16 + body.len());
    request.extend((16 + body.len() as u32).to_ne_bytes());
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend(NLM_F_REQUEST.to_ne_bytes());
    request.extend([0; 8]);
    request.extend(body);
    request
}

fn padded(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&address.octets());
            bytes
        }
        IpAddr::V6(address) => address.octets(),
    }
}

/// The `struct tcp_info` in an answer.
fn tcp_info(answer: &[u8]) -> Option<&[u8]> {
    if u16_at(answer, 4)? != SOCK_DIAG_BY_FAMILY {
        return None;
    }
    // Attributes: length, type, value, each begun at a multiple of four bytes.
    let mut attributes = answer.get(ANSWER_BYTES..)?;
    loop {
        let length = usize::from(u16_at(attributes, 0)?);
        if u16_at(attributes, 2)? == INET_DIAG_INFO {
            return attributes.get(4..length);
        }
        attributes = attributes.get(length.max(4).next_multiple_of(4)..)?;
    }
}

fn overdue_ms(tcp_info: &[u8]) -> Option<u64> {
    let retransmits = u32::from(*tcp_info.get(2)?);
    let probes = *tcp_info.get(3)?;
    let timeout_ms = u32_at(tcp_info, 8)? / 1000;
    let unacknowledged = u32_at(tcp_info, 24)?;
    let sent_ms_ago = u32_at(tcp_info, 44)?;
    let acknowledged_ms_ago = u64::from(u32_at(tcp_info, 56)?);
    if unacknowledged == 0 {
        // At most its window is shut. Each answer to a probe sets their number back.
        return (probes >= UNANSWERED_PROBES).then_some(acknowledged_ms_ago);
    }
    if retransmits == 0 {
        return None;
    }
    // The timeout doubles each time (RFC 6298, section 5.5): what it has grown by is the time from the first time of
    // sending to the last.
    let first_timeout_ms = timeout_ms.checked_shr(retransmits).unwrap_or(0);
    let overdue_ms = u64::from(timeout_ms - first_timeout_ms) + u64::from(sent_ms_ago);
    // What was acknowledged in between shows that somebody is there.
    Some(overdue_ms.min(acknowledged_ms_ago))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A `struct tcp_info` with what is read of it.
    fn info(
        retransmits: u8,
        timeout_ms: u32,
        unacknowledged: u32,
        sent_ms_ago: u32,
        acknowledged_ms_ago: u32,
    ) -> Vec<u8> {
        let mut info = vec![0; 104];
        info[2] = retransmits;
        for (at, value) in [(8, timeout_ms * 1000), (24, unacknowledged), (44, sent_ms_ago), (56, acknowledged_ms_ago)]
        {
            info[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        }
        info
    }

    #[test]
    fn what_is_sent_again_in_vain_is_overdue_since_it_was_sent_first() {
        // As seen of a peer that was cut off a minute before.
        assert_eq!(overdue_ms(&info(8, 52_224, 1, 8_000, 60_100)), Some(52_224 - 204 + 8_000));
        // A long silence before the first time of sending does not count, nor what was acknowledged after it.
        assert_eq!(overdue_ms(&info(1, 408, 1, 100, 600_000)), Some(304));
        assert_eq!(overdue_ms(&info(8, 52_224, 1, 8_000, 500)), Some(500));
    }

    #[test]
    fn nothing_is_overdue_that_was_not_sent_again() {
        assert_eq!(overdue_ms(&info(0, 204, 0, 600_000, 600_000)), None, "all is acknowledged");
        assert_eq!(overdue_ms(&info(0, 204, 3, 10, 600_000)), None, "it has just been sent");
        let mut shut = info(0, 204, 0, 90_000, 80_000);
        for (probes, expected) in [(0, None), (2, None), (3, Some(80_000))] {
            shut[3] = probes;
            assert_eq!(overdue_ms(&shut), expected, "the window is shut, and {probes} probes are not answered");
        }
    }

    #[test]
    fn an_answer_that_is_none_says_nothing() {
        let mut answer = vec![0; ANSWER_BYTES];
        answer[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        assert_eq!(tcp_info(&answer), None);
        for attributes in [&[0, 0, 9, 0][..], &[255, 255, 2, 0], &[8, 0, 9, 0, 1, 2, 3, 4]] {
            assert_eq!(tcp_info(&[&answer, attributes].concat()), None, "{attributes:?}");
        }
        let [low, high] = INET_DIAG_INFO.to_ne_bytes();
        let [length, more] = 6_u16.to_ne_bytes();
        let found = [&answer[..], &[length, more, low, high, 7, 7, 0, 0]].concat();
        assert_eq!(tcp_info(&found), Some(&[7, 7][..]));
        assert_eq!(tcp_info(&[0; 40]), None, "an error of the kernel's");
        assert_eq!(overdue_ms(&[7, 7]), None);
    }
}
