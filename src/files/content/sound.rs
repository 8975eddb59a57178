//! Sound: MP3 (ISO/IEC 11172-3), Ogg (RFC 3533) and WAV.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use super::pieces::{malformed, read_array, seek_over};
use crate::rooms::FileType;

/// Chunks of a WAV before its format.
const MOST_CHUNKS: usize = 16;

/// What it is, if it is one of them.
pub(super) fn recognize(input: &mut (impl BufRead + Seek)) -> io::Result<FileType> {
    let beginning = read_array::<12>(input)?;
    match beginning {
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E'] => recognize_wav(input),
        // The first page of a stream.
        [b'O', b'g', b'g', b'S', 0, 2, ..] => recognize_ogg(input),
        // A tag before the sound (ID3v2.4, section 3.1), as long as four times seven bits tell.
        [b'I', b'D', b'3', 2..=4, _, flags, l1 @ 0..0x80, l2 @ 0..0x80, l3 @ 0..0x80, l4 @ 0..0x80, ..] => {
            let length = [l1, l2, l3, l4].into_iter().fold(0, |length, bits| length << 7 | u64::from(bits));
            let footer_bytes = if flags & 0x10 == 0 { 0 } else { 10 };
            recognize_mp3(input, 10 + length + footer_bytes)
        }
        [0xFF, ..] => recognize_mp3(input, 0),
        _ => Err(malformed()),
    }
}

fn recognize_wav(input: &mut (impl Read + Seek)) -> io::Result<FileType> {
    for _ in 0..MOST_CHUNKS {
        let (name, length) = (read_array(input)?, u32::from_le_bytes(read_array(input)?));
        match &name {
            b"fmt " if length >= 16 => return Ok(FileType::Wav),
            b"JUNK" | b"bext" | b"LIST" | b"iXML" | b"PAD " => {
                seek_over(input, u64::from(length) + u64::from(length % 2))?
            }
            _ => break,
        }
    }
    Err(malformed())
}

/// Sound alone: what begins the first packet tells how it is coded.
fn recognize_ogg(input: &mut impl Read) -> io::Result<FileType> {
    // The rest of the page's head, up to the number of its segments.
    let head = read_array::<15>(input)?;
    for _ in 0..head[14] {
        read_array::<1>(input)?;
    }
    let packet = read_array::<8>(input)?;
    let is_sound = packet == *b"OpusHead"
        || packet == *b"Speex   "
        || packet.starts_with(b"\x01vorbis")
        || packet.starts_with(b"\x7FFLAC");
    if is_sound { Ok(FileType::Ogg) } else { Err(malformed()) }
}

/// Two frames in a row: two bytes alone could be anything.
fn recognize_mp3(input: &mut (impl Read + Seek), position: u64) -> io::Result<FileType> {
    input.seek(SeekFrom::Start(position))?;
    let first = read_array(input)?;
    seek_over(input, frame_bytes(first)? - 4)?;
    let second = read_array(input)?;
    frame_bytes(second)?;
    // Version, layer and rate of sampling stay.
    let is_same = first[1] & 0xFE == second[1] & 0xFE && first[2] & 0x0C == second[2] & 0x0C;
    if is_same { Ok(FileType::Mp3) } else { Err(malformed()) }
}

/// The length of a frame of layer III, by its head.
fn frame_bytes([sync, kind, rates, _]: [u8; 4]) -> io::Result<u64> {
    const KILOBITS_1: [u64; 14] = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
    const KILOBITS_2: [u64; 14] = [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
    const HERTZ: [u64; 3] = [44_100, 48_000, 32_000];
    let is_layer_3 = kind & 0xE6 == 0xE2;
    // How often the rate of sampling is halved, and samples for a bit of the rate.
    let (kilobits, halvings, factor) = match kind >> 3 & 3 {
        3 => (KILOBITS_1, 0, 144),
        2 => (KILOBITS_2, 1, 72),
        0 => (KILOBITS_2, 2, 72),
        _ => return Err(malformed()),
    };
    let rate = usize::from(rates >> 4).checked_sub(1).and_then(|index| kilobits.get(index));
    let hertz = HERTZ.get(usize::from(rates >> 2 & 3));
    let padding_bytes = u64::from(rates >> 1 & 1);
    match (rate, hertz) {
        (Some(rate), Some(hertz)) if sync == 0xFF && is_layer_3 => {
            Ok(factor * rate * 1000 / (hertz >> halvings) + padding_bytes)
        }
        _ => Err(malformed()),
    }
}
