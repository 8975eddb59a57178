//! AVIF and MP4 (ISO/IEC 14496-12): boxes, the first of which says what the file is made for.

use std::io::{self, BufRead, Read, Seek};

use super::pieces::{dimensions, malformed, read_array, read_vec, seek_over};
use crate::rooms::{Dimensions, FileType};

/// Boxes side by side that are looked at.
const MOST_BOXES: usize = 1000;

/// Of the first box: as many kinds as anybody names.
const LONGEST_FIRST_BYTES: u64 = 512;

/// The head of a box.
struct Head {
    name: [u8; 4],
    /// Bytes behind the head; `None`: all that are left.
    length_bytes: Option<u64>,
}

/// A film, or a picture with its size.
pub(super) fn recognize(input: &mut (impl BufRead + Seek)) -> io::Result<(FileType, Option<Dimensions>)> {
    let first = read_head(input)?;
    let length = first.length_bytes.filter(|length| (8..=LONGEST_FIRST_BYTES).contains(length) && length % 4 == 0);
    let brands = read_vec(input, length.and_then(|length| u16::try_from(length).ok()).ok_or_else(malformed)?)?;
    // The second of them is a version.
    let mut brands = brands.chunks_exact(4);
    let major = brands.next().unwrap_or_default();
    let has_brand = |is_wanted: fn(&[u8]) -> bool| is_wanted(major) || brands.clone().skip(1).any(is_wanted);
    let is_avif = |brand: &[u8]| matches!(brand, b"avif" | b"avis");
    match major {
        b"avif" | b"avis" | b"mif1" | b"miaf" | b"msf1" if has_brand(is_avif) => {
            Ok((FileType::Avif, Some(find_size(input)?)))
        }
        b"avif" | b"avis" | b"mif1" | b"miaf" | b"msf1" | b"heic" | b"heix" | b"qt  " => Err(malformed()),
        _ if has_brand(is_mp4) => {
            let second = read_head(input)?.name;
            let is_known = matches!(
                &second,
                b"moov"
                    | b"mdat"
                    | b"free"
                    | b"skip"
                    | b"wide"
                    | b"moof"
                    | b"sidx"
                    | b"styp"
                    | b"uuid"
                    | b"meta"
                    | b"pdin"
            );
            if is_known { Ok((FileType::Mp4, None)) } else { Err(malformed()) }
        }
        _ => Err(malformed()),
    }
}

/// Whether it is one of those that browsers play (mp4ra.org).
fn is_mp4(brand: &[u8]) -> bool {
    match brand {
        [b'i', b's', b'o', last] => last.is_ascii_alphanumeric(),
        _ => matches!(brand, b"mp41" | b"mp42" | b"mp71" | b"avc1" | b"M4V " | b"M4A " | b"M4B " | b"MSNV" | b"dash"),
    }
}

/// The size of an AVIF: the largest among its items' properties (ISO/IEC 23008-12, section 6.5.3), turned if one of
/// them says so (6.5.10).
fn find_size(input: &mut (impl BufRead + Seek)) -> io::Result<Dimensions> {
    let mut end = u64::MAX;
    for name in [b"meta", b"iprp", b"ipco"] {
        end = find_box(input, end, name)?;
        if name == b"meta" {
            // A version, and flags.
            read_array::<4>(input)?;
        }
    }
    let mut largest = (0, 0);
    let mut is_turned = false;
    for _ in 0..MOST_BOXES {
        if input.stream_position()? >= end {
            break;
        }
        let head = read_head(input)?;
        let length_bytes = head.length_bytes.ok_or_else(malformed)?;
        let taken_bytes = match &head.name {
            b"ispe" => {
                let [_, _, _, _, size @ ..] = read_array::<12>(input)?;
                let [w1, w2, w3, w4, h1, h2, h3, h4] = size;
                let size = (u32::from_be_bytes([w1, w2, w3, w4]), u32::from_be_bytes([h1, h2, h3, h4]));
                let pixels = |(width, height)| u64::from(width) * u64::from(height);
                largest = if pixels(size) > pixels(largest) { size } else { largest };
                12
            }
            b"irot" => {
                is_turned |= read_array::<1>(input)?[0] & 1 == 1;
                1
            }
            _ => 0,
        };
        seek_over(input, length_bytes.checked_sub(taken_bytes).ok_or_else(malformed)?)?;
    }
    let (width, height) = if is_turned { (largest.1, largest.0) } else { largest };
    dimensions(width, height)
}

/// Goes to what is in the next box of this name, and tells where that ends.
fn find_box(input: &mut (impl BufRead + Seek), end: u64, name: &[u8; 4]) -> io::Result<u64> {
    for _ in 0..MOST_BOXES {
        if input.stream_position()? >= end {
            break;
        }
        let head = read_head(input)?;
        if head.name == *name {
            let length_bytes = head.length_bytes.unwrap_or(u64::MAX);
            return Ok(input.stream_position()?.saturating_add(length_bytes).min(end));
        }
        seek_over(input, head.length_bytes.ok_or_else(malformed)?)?;
    }
    Err(malformed())
}

fn read_head(input: &mut impl Read) -> io::Result<Head> {
    let (length, name) = (u32::from_be_bytes(read_array(input)?), read_array(input)?);
    let length_bytes = match length {
        0 => None,
        1 => Some(u64::from_be_bytes(read_array(input)?).checked_sub(16).ok_or_else(malformed)?),
        length => Some(u64::from(length).checked_sub(8).ok_or_else(malformed)?),
    };
    Ok(Head { name, length_bytes })
}
