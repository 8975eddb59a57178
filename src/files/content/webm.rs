//! WebM (RFC 8794): a head that says so, and the segment behind it.

use std::io::{self, BufRead};

use super::pieces::{malformed, read_array, read_vec};
use crate::rooms::FileType;

const DOC_TYPE: u64 = 0x4282;
const SEGMENT: [u8; 4] = [0x18, 0x53, 0x80, 0x67];

/// Of the head: it has a few numbers and a word.
const LONGEST_HEAD_BYTES: u64 = 255;

/// Only what is made for browsers, and no other Matroska.
pub(super) fn recognize(input: &mut impl BufRead) -> io::Result<FileType> {
    read_array::<4>(input)?;
    let [first] = read_array(input)?;
    let more = u16::try_from(first.leading_zeros()).unwrap_or(8);
    let length = [vec![first], read_vec(input, more)?].concat();
    let length = take_number(&mut &length[..], false).filter(|length| *length <= LONGEST_HEAD_BYTES);
    let head = read_vec(input, length.and_then(|length| u16::try_from(length).ok()).ok_or_else(malformed)?)?;
    let is_webm = find_doc_type(&head).is_some_and(|doc_type| doc_type == b"webm");
    if is_webm && read_array(input)? == SEGMENT { Ok(FileType::Webm) } else { Err(malformed()) }
}

fn find_doc_type(mut head: &[u8]) -> Option<&[u8]> {
    loop {
        let id = take_number(&mut head, true)?;
        let length = usize::try_from(take_number(&mut head, false)?).ok()?;
        let (value, rest) = head.split_at_checked(length)?;
        if id == DOC_TYPE {
            return Some(value);
        }
        head = rest;
    }
}

/// A number in as many bytes as the zeros at its beginning tell. In an identifier, the one behind them counts as well.
fn take_number(bytes: &mut &[u8], is_id: bool) -> Option<u64> {
    let zeros = bytes.first()?.leading_zeros();
    let (number, rest) = bytes.split_at_checked(usize::try_from(zeros).ok()? + 1).filter(|_| zeros < 8)?;
    *bytes = rest;
    let value = number.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
    let length_bits = 7 * (zeros + 1);
    Some(if is_id { value } else { value & ((1 << length_bits) - 1) })
}
