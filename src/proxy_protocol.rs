//! The PROXY protocol, versions 1 and 2: how a proxy that passes bytes on says from whom they come (HAProxy's
//! `proxy-protocol.txt`).
//!
//! A header is read from the bytes that stand at the beginning of a connection, again from their first one each time
//! that there are more. Who may send one is not decided here.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bytes of a header of version 1, with its CRLF (section 2.1).
const MOST_V1_BYTES: usize = 107;

/// `PROXY UNKNOWN` and CRLF.
const LEAST_V1_BYTES: usize = 15;

const V1_SIGNATURE: &[u8] = b"PROXY ";
const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Signature, version and command, family and transport, and the length of what follows (section 2.2).
const V2_FIXED_BYTES: usize = 16;

/// Bytes of a header of version 2. Its length allows 64 KiB; all that proxies put behind the addresses (names of
/// certificates, ids) stays far below this, which is what nginx allows.
const MOST_V2_BYTES: usize = 4096;

/// Who is behind a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// The client at this address.
    Client(IpAddr),
    /// The proxy itself, which asks whether this server is there; or it does not know.
    Peer,
}

/// What stands where a header was expected is none, or is more than is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeaderFault;

/// Reads the header with which the bytes begin, and how long it is. `None`: more has to arrive first.
///
/// # Errors
/// They begin with no header.
pub fn parse(received: &[u8]) -> Result<Option<(Source, usize)>, HeaderFault> {
    let begins = |signature: &[u8]| {
        let length = received.len().min(signature.len());
        received[..length] == signature[..length]
    };
    match received.len() {
        _ if begins(V1_SIGNATURE) => parse_v1(received),
        _ if begins(V2_SIGNATURE) => parse_v2(received),
        _ => Err(HeaderFault),
    }
}

/// How many more bytes belong at least to a header that begins with these, and is not whole: so many can be read without
/// taking anything of what follows it.
pub fn missing_bytes(received: &[u8]) -> usize {
    if !received.is_empty() && V2_SIGNATURE.starts_with(&received[..received.len().min(V2_SIGNATURE.len())]) {
        let body_bytes = match received.get(..V2_FIXED_BYTES) {
            Some([.., high, low]) => usize::from(u16::from_be_bytes([*high, *low])),
            _ => 0,
        };
        return (V2_FIXED_BYTES + body_bytes).saturating_sub(received.len()).max(1);
    }
    let line_end = if received.ends_with(b"\r") { 1 } else { 2 };
    LEAST_V1_BYTES.saturating_sub(received.len()).max(line_end)
}

/// `PROXY TCP4 192.0.2.7 192.0.2.1 56324 443` CRLF.
fn parse_v1(received: &[u8]) -> Result<Option<(Source, usize)>, HeaderFault> {
    let seen = &received[..received.len().min(MOST_V1_BYTES)];
    let Some(end) = seen.windows(2).position(|pair| pair == b"\r\n") else {
        return if received.len() < MOST_V1_BYTES { Ok(None) } else { Err(HeaderFault) };
    };
    let line = str::from_utf8(&seen[V1_SIGNATURE.len()..end]).map_err(|_| HeaderFault)?;
    let mut words = line.split(' ');
    let source = match words.next() {
        // Whatever follows it is to be ignored.
        Some("UNKNOWN") => Source::Peer,
        Some("TCP4") => Source::Client(parse_addresses::<Ipv4Addr>(words)?.into()),
        Some("TCP6") => Source::Client(IpAddr::from(parse_addresses::<Ipv6Addr>(words)?).to_canonical()),
        _ => return Err(HeaderFault),
    };
    Ok(Some((source, end + 2)))
}

/// The client's address, of those of both ends and their ports: each of them has to be one.
fn parse_addresses<'w, A: core::str::FromStr>(words: impl Iterator<Item = &'w str>) -> Result<A, HeaderFault> {
    let mut words = words.fuse();
    let [source, destination, ports @ ..] = [(); 4].map(|()| words.next().unwrap_or_default());
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|number| number.to_string() == port);
    let source = source.parse().map_err(|_| HeaderFault)?;
    let is_whole = destination.parse::<A>().is_ok() && ports.into_iter().all(is_port) && words.next().is_none();
    if is_whole { Ok(source) } else { Err(HeaderFault) }
}

fn parse_v2(received: &[u8]) -> Result<Option<(Source, usize)>, HeaderFault> {
    let Some((fixed, rest)) = received.split_first_chunk::<V2_FIXED_BYTES>() else { return Ok(None) };
    let [.., version_and_command, family_and_transport, high, low] = *fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if V2_FIXED_BYTES + length > MOST_V2_BYTES {
        return Err(HeaderFault);
    }
    let Some(body) = rest.get(..length) else { return Ok(None) };
    // Behind the addresses there may be more, which says nothing that is needed here.
    let source = match (version_and_command, family_and_transport) {
        // LOCAL: the addresses, if there are any, are to be ignored.
        (0x20, _) => Source::Peer,
        // PROXY: of TCP over IPv4, over IPv6.
        (0x21, 0x11) => Source::Client(IpAddr::from(first_address::<4>(body)?)),
        (0x21, 0x21) => Source::Client(IpAddr::from(first_address::<16>(body)?).to_canonical()),
        // Of something else, or of a Unix socket of the proxy's.
        (0x21, 0x00 | 0x31) => Source::Peer,
        _ => return Err(HeaderFault),
    };
    Ok(Some((source, V2_FIXED_BYTES + length)))
}

/// The first of two addresses that have two ports behind them.
fn first_address<const BYTES: usize>(body: &[u8]) -> Result<[u8; BYTES], HeaderFault> {
    body.get(..2 * (BYTES + 2)).and_then(|addresses| addresses.first_chunk()).copied().ok_or(HeaderFault)
}

#[cfg(test)]
mod tests;
