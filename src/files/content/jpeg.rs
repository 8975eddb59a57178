//! JPEG (ITU-T T.81, annex B): segments and scans. What is no part of the picture itself is left out, and so is
//! everything behind its end; the orientation stays, as the only note of the camera.

use std::io::{self, BufRead, ErrorKind, Write};

use super::orientation::Orientation;
use super::pieces::{dimensions, malformed, read_array, read_vec};
use crate::rooms::Dimensions;

const START_OF_IMAGE: u8 = 0xD8;
const END_OF_IMAGE: u8 = 0xD9;
const START_OF_SCAN: u8 = 0xDA;

/// Writes the picture anew.
pub(super) fn rewrite(input: &mut impl BufRead, output: &mut impl Write) -> io::Result<Dimensions> {
    let mut frame = None;
    let mut orientation = None;
    let mut has_scan = false;
    if read_array(input)? != [0xFF, START_OF_IMAGE] {
        return Err(malformed());
    }
    output.write_all(&[0xFF, START_OF_IMAGE])?;
    let mut marker = read_marker(input)?;
    loop {
        let after_scan = match marker {
            END_OF_IMAGE => break,
            // Frames that browsers show: baseline, extended and progressive.
            0xC0..=0xC2 if frame.is_none() => {
                let segment = read_segment(input)?;
                let [_, h1, h2, w1, w2, ..] = segment[..] else { return Err(malformed()) };
                frame = Some(dimensions(u16::from_be_bytes([w1, w2]).into(), u16::from_be_bytes([h1, h2]).into())?);
                write_segment(output, marker, &segment)?;
                None
            }
            START_OF_SCAN if frame.is_some() => {
                write_segment(output, marker, &read_segment(input)?)?;
                has_scan = true;
                Some(copy_scan(input, output)?)
            }
            // Tables of Huffman codes and of quantization, the restart interval, the number of lines.
            0xC4 | 0xDB | 0xDD | 0xDC => {
                write_segment(output, marker, &read_segment(input)?)?;
                None
            }
            0xE1 => {
                let segment = read_segment(input)?;
                let tiff = segment.strip_prefix(b"Exif\0\0").filter(|_| orientation.is_none());
                if let Some(found) = tiff.and_then(Orientation::parse) {
                    orientation = Some(found);
                    write_segment(output, marker, &[&b"Exif\0\0"[..], &found.to_tiff()].concat())?;
                }
                None
            }
            0xE0..=0xEF => {
                let mut segment = read_segment(input)?;
                if is_about_pixels(marker, &mut segment) {
                    write_segment(output, marker, &segment)?;
                }
                None
            }
            // A comment; what is reserved for extensions.
            0xF0..=0xFE => {
                read_segment(input)?;
                None
            }
            _ => return Err(malformed()),
        };
        marker = match after_scan {
            Some(marker) => marker,
            None => read_marker(input)?,
        };
    }
    output.write_all(&[0xFF, END_OF_IMAGE])?;
    let frame = frame.filter(|_| has_scan).ok_or_else(malformed)?;
    Ok(orientation.map_or(frame, |orientation| orientation.turn(frame)))
}

/// Whether a segment of an application says how pixels are to be shown. Small pictures in it are taken out.
fn is_about_pixels(marker: u8, segment: &mut Vec<u8>) -> bool {
    match marker {
        // Resolution, then a small picture: its width, height and pixels (JFIF 1.02).
        0xE0 if segment.starts_with(b"JFIF\0") && segment.len() >= 14 => {
            segment.truncate(14);
            segment[12..].fill(0);
            true
        }
        0xE2 => segment.starts_with(b"ICC_PROFILE\0"),
        // How colours are written.
        0xEE if segment.starts_with(b"Adobe") && segment.len() >= 12 => {
            segment.truncate(12);
            true
        }
        _ => false,
    }
}

/// A marker, before which there may be fill bytes.
fn read_marker(input: &mut impl BufRead) -> io::Result<u8> {
    let [first, mut code] = read_array(input)?;
    if first != 0xFF {
        return Err(malformed());
    }
    while code == 0xFF {
        [code] = read_array(input)?;
    }
    Ok(code)
}

/// What is in a segment, without its length.
fn read_segment(input: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let length = u16::from_be_bytes(read_array(input)?).checked_sub(2).ok_or_else(malformed)?;
    read_vec(input, length)
}

fn write_segment(output: &mut impl Write, marker: u8, segment: &[u8]) -> io::Result<()> {
    let length = u16::try_from(segment.len() + 2).map_err(|_| malformed())?;
    output.write_all(&[0xFF, marker])?;
    output.write_all(&length.to_be_bytes())?;
    output.write_all(segment)
}

/// Passes on what is between the head of a scan and the next marker, which it gives: a `0xFF` before a zero is data, and
/// before the number of a restart a place in it.
fn copy_scan(input: &mut impl BufRead, output: &mut impl Write) -> io::Result<u8> {
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let length = buffer.iter().position(|byte| *byte == 0xFF).unwrap_or(buffer.len());
        output.write_all(&buffer[..length])?;
        let is_marked = length < buffer.len();
        input.consume(length);
        if is_marked {
            match read_marker(input)? {
                code @ (0x00 | 0xD0..=0xD7) => output.write_all(&[0xFF, code])?,
                marker => return Ok(marker),
            }
        }
    }
}
