//! As much of RFC 6455 as a client needs that trusts its server: handshake, masked frames out, frame
//! lengths in.

/// The request that opens a WebSocket at this path (RFC 6455, section 4.1).
pub fn handshake(host: &str, path: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    .into_bytes()
}

/// Opcodes (section 5.2).
pub const TEXT: u8 = 0x1;
pub const CLOSE: u8 = 0x8;
pub const PING: u8 = 0x9;
pub const PONG: u8 = 0xA;

/// Appends one final masked frame of at most 65,535 bytes (section 5.3).
pub fn write_masked_frame(opcode: u8, payload: &[u8], key: [u8; 4], out: &mut Vec<u8>) {
    out.push(0x80 | opcode);
    match payload.len() {
        length @ 0..=125 => out.push(0x80 | length as u8),
        length => {
            let length = u16::try_from(length).expect("the load sends short frames");
            out.push(0x80 | 126);
            out.extend_from_slice(&length.to_be_bytes());
        }
    }
    out.extend_from_slice(&key);
    out.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
}

/// One whole frame at the start of `bytes`, unmasked as servers send them.
pub struct Frame<'a> {
    pub opcode: u8,
    pub payload: &'a [u8],
    /// Length of header and payload.
    pub length: usize,
}

/// The frame at the start of `bytes`, or `None` while it is incomplete.
#[inline]
pub fn read_frame(bytes: &[u8]) -> Option<Frame<'_>> {
    let (header, length): (usize, usize) = match *bytes.get(1)? & 0x7F {
        126 => (4, usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]))),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize),
        short => (2, usize::from(short)),
    };
    let payload = bytes.get(header..header.checked_add(length)?)?;
    Some(Frame { opcode: bytes[0] & 0x0F, payload, length: header + length })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_whole_or_not_at_all() {
        for length in [0, 5, 125, 126, 300, 65_536] {
            let mut bytes = vec![0x81];
            match length {
                0..=125 => bytes.push(length as u8),
                126..=65_535 => bytes.extend([126, (length >> 8) as u8, length as u8]),
                _ => bytes.extend([127, 0, 0, 0, 0, 0, 1, 0, 0]),
            }
            bytes.extend(std::iter::repeat_n(b'x', length));
            assert!((0..bytes.len()).all(|cut| read_frame(&bytes[..cut]).is_none()), "torn at {length}");
            bytes.push(0x81);
            let frame = read_frame(&bytes).expect("a whole frame");
            assert_eq!((frame.opcode, frame.payload.len(), frame.length), (TEXT, length, bytes.len() - 1));
        }
    }

    #[test]
    fn a_masked_frame_is_that_of_rfc_6455_section_5_7() {
        let mut out = Vec::new();
        write_masked_frame(TEXT, b"Hello", [0x37, 0xfa, 0x21, 0x3d], &mut out);
        assert_eq!(out, [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    }
}
