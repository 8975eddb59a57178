//! GIF (version 89a): blocks. Comments and what applications have put there are left out, but for how often a film is
//! repeated; and so is everything behind the trailer.

use std::io::{self, BufRead, Write};

use super::pieces::{copy, dimensions, malformed, read_array};
use crate::rooms::Dimensions;

const EXTENSION: u8 = 0x21;
const IMAGE: u8 = 0x2C;
const TRAILER: u8 = 0x3B;

/// Writes the picture anew.
pub(super) fn rewrite(input: &mut impl BufRead, output: &mut impl Write) -> io::Result<Dimensions> {
    let head = read_array::<13>(input)?;
    let [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', w1, w2, h1, h2, flags, ..] = head else { return Err(malformed()) };
    let size = dimensions(u16::from_le_bytes([w1, w2]).into(), u16::from_le_bytes([h1, h2]).into())?;
    output.write_all(&head)?;
    copy(input, output, color_table_bytes(flags))?;
    let mut has_image = false;
    loop {
        // Some end without a trailer, and are shown.
        let is_at_end = has_image && input.fill_buf()?.is_empty();
        let block = if is_at_end { TRAILER } else { read_array::<1>(input)?[0] };
        match block {
            TRAILER if has_image => {
                output.write_all(&[TRAILER])?;
                return Ok(size);
            }
            IMAGE => {
                let head = read_array::<9>(input)?;
                output.write_all(&[IMAGE])?;
                output.write_all(&head)?;
                // And the size of the first codes.
                copy(input, output, color_table_bytes(head[8]) + 1)?;
                copy_blocks(input, output)?;
                has_image = true;
            }
            EXTENSION => copy_extension(input, output)?,
            _ => return Err(malformed()),
        }
    }
}

/// Bytes of the table of colours that these flags tell of.
fn color_table_bytes(flags: u8) -> u64 {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

fn copy_extension(input: &mut impl BufRead, output: &mut impl Write) -> io::Result<()> {
    const GRAPHIC_CONTROL: u8 = 0xF9;
    const APPLICATION: u8 = 0xFF;
    let [label] = read_array(input)?;
    if label == GRAPHIC_CONTROL {
        output.write_all(&[EXTENSION, label])?;
        return copy_blocks(input, output);
    }
    if label == APPLICATION {
        let [length] = read_array(input)?;
        let mut name = Vec::with_capacity(length.into());
        copy(input, &mut name, length.into())?;
        if matches!(&name[..], b"NETSCAPE2.0" | b"ANIMEXTS1.0") {
            output.write_all(&[EXTENSION, label, length])?;
            output.write_all(&name)?;
            return copy_blocks(input, output);
        }
    }
    copy_blocks(input, &mut io::sink())
}

/// Passes on blocks, each with its length before it, up to an empty one.
fn copy_blocks(input: &mut impl BufRead, output: &mut impl Write) -> io::Result<()> {
    loop {
        let [length] = read_array(input)?;
        output.write_all(&[length])?;
        if length == 0 {
            return Ok(());
        }
        copy(input, output, length.into())?;
    }
}
