//! Decodes a chunked body as it arrives (RFC 9112 section 7.1).
//!
//! The decoder holds a few numbers and no bytes: it says which part of its input is data, so a body of any length can
//! go through it. The grammar is taken literally, extensions and trailers included, since whoever reads it otherwise
//! finds another end of the request. What extensions and trailers say is ignored, as the RFC wants it of those that
//! are not known.

/// So many bytes may be sent for chunks, extensions and trailers beyond what the data is worth
/// ([`WORTH_OF_A_CHUNK_BYTES`], [`WORTH_OF_A_BYTE_BYTES`]): otherwise a long extension for each byte of data would make
/// a short body endless.
const MAX_OVERHEAD_BYTES: u64 = 16 * 1024;
/// What a chunk may cost besides its data, without counting as overhead.
const WORTH_OF_A_CHUNK_BYTES: u64 = 16;
/// What each byte of data adds to that.
const WORTH_OF_A_BYTE_BYTES: u64 = 2;

/// Why a body cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChunkedFault {
    /// It is no chunked body.
    Malformed,
    /// It has too much beside its data.
    TooMuchOverhead,
    /// Its data is longer than allowed.
    TooLong,
}

/// A part of the input, decoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decoded<'b> {
    /// Data of the body. Empty: there is none in this part.
    pub data: &'b [u8],
    /// How much of the input this part is.
    pub consumed_bytes: usize,
    /// The body ends with this part.
    pub is_complete: bool,
}

/// Decodes one body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChunkedDecoder {
    expected: Expected,
    /// Of the current chunk: its size as far as it is read, then how much of its data is missing.
    chunk_bytes: u64,
    /// How much more data may come.
    limit_bytes: u64,
    overhead_bytes: u64,
}

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Expected {
    /// The first digit of a chunk's size.
    Size,
    /// More of its digits, an extension, or the end of the line.
    MoreSize,
    /// Whitespace before an extension, then its semicolon.
    Semicolon,
    /// After the semicolon: the name of an extension.
    Name,
    /// More of the name, an equals sign, another extension, or the end of the line.
    MoreName,
    /// After whitespace behind a name: an equals sign or another extension.
    Equals,
    /// After the equals sign: a token or a quoted string.
    Value,
    /// More of a token, another extension, or the end of the line.
    MoreValue,
    /// More of a quoted string, or its end.
    Quoted,
    /// What a backslash stands before.
    QuotedPair,
    /// After a quoted string: another extension, or the end of the line.
    AfterQuoted,
    /// The line feed behind a size.
    SizeLineFeed,
    /// Data.
    Data,
    /// The line end behind data: its carriage return.
    DataReturn,
    /// The line end behind data: its line feed.
    DataLineFeed,
    /// A trailer field, or the empty line at the end.
    Trailer,
    /// More of a trailer field's name, or its colon.
    TrailerName,
    /// More of its value, or the end of the line.
    TrailerValue,
    /// The line feed behind a trailer field.
    TrailerLineFeed,
    /// The line feed of the empty line.
    LastLineFeed,
    /// Nothing: the body is complete.
    Nothing,
}

impl ChunkedDecoder {
    /// Decodes a body whose data is at most so long.
    pub fn new(limit_bytes: u64) -> ChunkedDecoder {
        ChunkedDecoder { expected: Expected::Size, chunk_bytes: 0, limit_bytes, overhead_bytes: 0 }
    }

    /// Decodes the next part of the body: up to the end of the data that comes first in `bytes`, or all of them. To be
    /// called with what follows until nothing is left or the body is complete.
    ///
    /// # Errors
    /// The body is malformed or too long. Where the next request begins is not known then.
    pub fn decode<'b>(&mut self, bytes: &'b [u8]) -> Result<Decoded<'b>, ChunkedFault> {
        let mut position = 0;
        while let Some(&byte) = bytes.get(position) {
            match self.expected {
                Expected::Nothing => break,
                Expected::Data => return Ok(self.take_data(bytes, position)),
                _ => self.expected = self.after(byte)?,
            }
            position += 1;
        }
        let is_complete = self.expected == Expected::Nothing;
        Ok(Decoded { data: &[], consumed_bytes: position, is_complete })
    }

    fn take_data<'b>(&mut self, bytes: &'b [u8], start: usize) -> Decoded<'b> {
        let available_bytes = bytes.len() - start;
        let length = usize::try_from(self.chunk_bytes).map_or(available_bytes, |bytes| bytes.min(available_bytes));
        self.chunk_bytes -= length as u64;
        if self.chunk_bytes == 0 {
            self.expected = Expected::DataReturn;
        }
        let end = start + length;
        Decoded { data: &bytes[start..end], consumed_bytes: end, is_complete: false }
    }

    /// What is expected after this byte, which is no data.
    fn after(&mut self, byte: u8) -> Result<Expected, ChunkedFault> {
        self.overhead_bytes += 1;
        if self.overhead_bytes > MAX_OVERHEAD_BYTES {
            return Err(ChunkedFault::TooMuchOverhead);
        }
        if matches!(self.expected, Expected::Size | Expected::MoreSize)
            && let Some(digit) = char::from(byte).to_digit(16)
        {
            let size = self.chunk_bytes.checked_mul(16).ok_or(ChunkedFault::Malformed)?;
            self.chunk_bytes = size + u64::from(digit);
            return Ok(Expected::MoreSize);
        }
        Ok(match (self.expected, byte) {
            // The end of the line goes before an extension: whitespace is allowed only before a semicolon.
            (Expected::MoreSize | Expected::MoreName | Expected::MoreValue | Expected::AfterQuoted, b'\r') => {
                Expected::SizeLineFeed
            }
            (Expected::SizeLineFeed, b'\n') => self.begin_chunk()?,
            (
                Expected::MoreSize
                | Expected::Semicolon
                | Expected::MoreName
                | Expected::Equals
                | Expected::MoreValue
                | Expected::AfterQuoted,
                b';',
            ) => Expected::Name,
            (Expected::MoreSize | Expected::Semicolon | Expected::MoreValue | Expected::AfterQuoted, b' ' | b'\t') => {
                Expected::Semicolon
            }
            (Expected::Name, b' ' | b'\t') => Expected::Name,
            (Expected::Name | Expected::MoreName, _) if is_token_character(byte) => Expected::MoreName,
            (Expected::MoreName | Expected::Equals, b' ' | b'\t') => Expected::Equals,
            (Expected::MoreName | Expected::Equals, b'=') => Expected::Value,
            (Expected::Value, b' ' | b'\t') => Expected::Value,
            (Expected::Value, b'"') => Expected::Quoted,
            (Expected::Value | Expected::MoreValue, _) if is_token_character(byte) => Expected::MoreValue,
            (Expected::Quoted, b'"') => Expected::AfterQuoted,
            (Expected::Quoted, b'\\') => Expected::QuotedPair,
            (Expected::Quoted | Expected::QuotedPair, _) if is_field_character(byte) => Expected::Quoted,
            (Expected::DataReturn, b'\r') => Expected::DataLineFeed,
            (Expected::DataLineFeed, b'\n') => Expected::Size,
            (Expected::Trailer, b'\r') => Expected::LastLineFeed,
            (Expected::Trailer | Expected::TrailerName, _) if is_token_character(byte) => Expected::TrailerName,
            (Expected::TrailerName, b':') => Expected::TrailerValue,
            (Expected::TrailerValue, b'\r') => Expected::TrailerLineFeed,
            (Expected::TrailerValue, _) if is_field_character(byte) => Expected::TrailerValue,
            (Expected::TrailerLineFeed, b'\n') => Expected::Trailer,
            (Expected::LastLineFeed, b'\n') => Expected::Nothing,
            _ => return Err(ChunkedFault::Malformed),
        })
    }

    /// The size of a chunk is read: 0 for the last one.
    fn begin_chunk(&mut self) -> Result<Expected, ChunkedFault> {
        if self.chunk_bytes == 0 {
            return Ok(Expected::Trailer);
        }
        self.limit_bytes = self.limit_bytes.checked_sub(self.chunk_bytes).ok_or(ChunkedFault::TooLong)?;
        let worth_bytes = WORTH_OF_A_CHUNK_BYTES.saturating_add(self.chunk_bytes.saturating_mul(WORTH_OF_A_BYTE_BYTES));
        self.overhead_bytes = self.overhead_bytes.saturating_sub(worth_bytes);
        Ok(Expected::Data)
    }
}

/// RFC 9110 section 5.6.2: a character of a token.
fn is_token_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// RFC 9110 section 5.5: a character of a field's value, or whitespace in it.
fn is_field_character(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

#[cfg(test)]
mod tests;
