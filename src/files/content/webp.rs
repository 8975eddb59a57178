//! WebP (RFC 9649): chunks of a RIFF file. Exif and XMP are left out, and so is what nobody knows.
//!
//! The orientation goes as well: Chromium does not look at it in a WebP, and so nobody sees the picture otherwise.

use std::io::{self, BufRead, Seek, SeekFrom, Write};

use super::pieces::{copy, dimensions, malformed, read_array, skip};
use crate::rooms::Dimensions;

/// In the flags of `VP8X`: that there are such chunks.
const EXIF_AND_XMP: u8 = 0x0C;

/// Bytes of the first chunk in which its size stands.
const SIZE_BYTES: usize = 10;

/// Writes the picture anew.
pub(super) fn rewrite(input: &mut impl BufRead, output: &mut (impl Write + Seek)) -> io::Result<Dimensions> {
    let head = read_array::<12>(input)?;
    let [b'R', b'I', b'F', b'F', l1, l2, l3, l4, b'W', b'E', b'B', b'P'] = head else { return Err(malformed()) };
    let mut left_bytes = u64::from(u32::from_le_bytes([l1, l2, l3, l4])).checked_sub(4).ok_or_else(malformed)?;
    output.write_all(&head)?;
    let mut size = None;
    let mut has_pixels = false;
    let mut written_bytes: u32 = 4;
    while left_bytes > 0 {
        let (name, length) = (read_array(input)?, read_array(input)?);
        let length_bytes = u32::from_le_bytes(length);
        let padded_bytes = length_bytes.checked_add(length_bytes % 2).ok_or_else(malformed)?;
        left_bytes = left_bytes.checked_sub(8 + u64::from(padded_bytes)).ok_or_else(malformed)?;
        if size.is_none() {
            let mut beginning = read_array::<SIZE_BYTES>(input)?;
            size = Some(read_size(name, &beginning)?);
            has_pixels = name != *b"VP8X";
            if name == *b"VP8X" {
                beginning[0] &= !EXIF_AND_XMP;
            }
            output.write_all(&[name, length].concat())?;
            output.write_all(&beginning)?;
            copy(input, output, u64::from(padded_bytes).checked_sub(SIZE_BYTES as u64).ok_or_else(malformed)?)?;
        } else if let b"VP8 " | b"VP8L" | b"ANMF" | b"ANIM" | b"ALPH" | b"ICCP" = &name {
            has_pixels |= !matches!(&name, b"ANIM" | b"ALPH" | b"ICCP");
            output.write_all(&[name, length].concat())?;
            copy(input, output, padded_bytes.into())?;
        } else {
            skip(input, padded_bytes.into())?;
            continue;
        }
        // No more than was read, whose length was a number of these.
        written_bytes = written_bytes.saturating_add(8).saturating_add(padded_bytes);
    }
    output.seek(SeekFrom::Start(4))?;
    output.write_all(&written_bytes.to_le_bytes())?;
    output.seek(SeekFrom::End(0))?;
    size.filter(|_| has_pixels).ok_or_else(malformed)
}

/// The size, which stands in the first chunk.
fn read_size(name: [u8; 4], bytes: &[u8; SIZE_BYTES]) -> io::Result<Dimensions> {
    let (width, height) = match (&name, *bytes) {
        // 24 bits each, less one.
        (b"VP8X", [_, _, _, _, w1, w2, w3, h1, h2, h3]) => {
            (u32::from_le_bytes([w1, w2, w3, 0]) + 1, u32::from_le_bytes([h1, h2, h3, 0]) + 1)
        }
        // 14 bits each, behind those of a key frame (RFC 6386, section 9.1).
        (b"VP8 ", [tag, _, _, 0x9D, 0x01, 0x2A, w1, w2, h1, h2]) if tag & 1 == 0 => {
            (u32::from(u16::from_le_bytes([w1, w2]) & 0x3FFF), u32::from(u16::from_le_bytes([h1, h2]) & 0x3FFF))
        }
        // 14 bits each, less one.
        (b"VP8L", [0x2F, b1, b2, b3, b4, ..]) => {
            let bits = u32::from_le_bytes([b1, b2, b3, b4]);
            ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        }
        _ => return Err(malformed()),
    };
    dimensions(width, height)
}
