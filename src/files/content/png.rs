//! PNG (third edition, W3C 2025): chunks. Those that change how the picture looks are kept, and of the camera's notes
//! the orientation; whatever is behind the last one is not.

use std::io::{self, BufRead, Write};

use super::orientation::Orientation;
use super::pieces::{copy, dimensions, malformed, read_array, read_vec, skip};
use crate::rooms::Dimensions;

const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1A\n";

/// Behind the bytes of a chunk.
const CHECKSUM_BYTES: u64 = 4;

/// Writes the picture anew.
pub(super) fn rewrite(input: &mut impl BufRead, output: &mut impl Write) -> io::Result<Dimensions> {
    let head = read_array::<16>(input)?;
    if head[..8] != SIGNATURE || head[8..] != *b"\0\0\0\x0DIHDR" {
        return Err(malformed());
    }
    let (width, height) = (read_array(input)?, read_array(input)?);
    let size = dimensions(u32::from_be_bytes(width), u32::from_be_bytes(height))?;
    output.write_all(&head)?;
    output.write_all(&[width, height].concat())?;
    copy(input, output, 5 + CHECKSUM_BYTES)?;
    let mut has_pixels = false;
    let mut orientation = None;
    loop {
        let (length, name) = (read_array(input)?, read_array(input)?);
        let length_bytes = u64::from(u32::from_be_bytes(length));
        match (&name, u16::try_from(length_bytes)) {
            (b"IEND", _) if length_bytes == 0 && has_pixels => {
                output.write_all(b"\0\0\0\0IEND\xAE\x42\x60\x82")?;
                return Ok(orientation.map_or(size, |orientation: Orientation| orientation.turn(size)));
            }
            (b"eXIf", Ok(length)) if orientation.is_none() => {
                let tiff = read_vec(input, length)?;
                skip(input, CHECKSUM_BYTES)?;
                orientation = Orientation::parse(&tiff);
                if let Some(orientation) = orientation {
                    write_chunk(output, *b"eXIf", &orientation.to_tiff())?;
                }
            }
            (
                b"IDAT" | b"PLTE" | b"gAMA" | b"cHRM" | b"sRGB" | b"iCCP" | b"sBIT" | b"tRNS" | b"bKGD" | b"pHYs"
                | b"cICP" | b"mDCV" | b"cLLI" | b"acTL" | b"fcTL" | b"fdAT",
                _,
            ) => {
                has_pixels |= name == *b"IDAT";
                output.write_all(&[length, name].concat())?;
                copy(input, output, length_bytes + CHECKSUM_BYTES)?;
            }
            // Nobody could show it without knowing this one: its name begins with a capital.
            ([b'A'..=b'Z', ..], _) => return Err(malformed()),
            ([b'a'..=b'z', rest @ ..], _) if rest.iter().all(u8::is_ascii_alphabetic) => {
                skip(input, length_bytes + CHECKSUM_BYTES)?;
            }
            _ => return Err(malformed()),
        }
    }
}

fn write_chunk(output: &mut impl Write, name: [u8; 4], bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(|_| malformed())?;
    let chunk = [&name, bytes].concat();
    output.write_all(&length.to_be_bytes())?;
    output.write_all(&chunk)?;
    output.write_all(&checksum(&chunk).to_be_bytes())
}

/// CRC-32, as PNG has it in annex D: of so few bytes that no table is worth it.
fn checksum(bytes: &[u8]) -> u32 {
    let mut register = u32::MAX;
    for byte in bytes {
        register ^= u32::from(*byte);
        for _ in 0..8 {
            register = if register & 1 == 1 { register >> 1 ^ 0xEDB8_8320 } else { register >> 1 };
        }
    }
    !register
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_png() {
        assert_eq!(checksum(b"IEND"), 0xAE42_6082);
        assert_eq!(checksum(b"123456789"), 0xCBF4_3926);
    }
}
