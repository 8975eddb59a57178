//! Reads a `multipart/form-data` body as it arrives (RFC 7578, RFC 2046 section 5.1).
//!
//! The reader holds the head of one part and never any data: it says which part of its input is data, so a file of any
//! length can go through it. What looked like the beginning of a delimiter and is none is given back from the delimiter
//! itself.

/// Longest head of a part, in bytes: a name of 255 bytes, percent-encoded, and what browsers put beside it.
const MAX_HEAD_BYTES: usize = 4 * 1024;
/// Most parts.
const MAX_PARTS: usize = 16;
/// Most fields of a part's head.
const MAX_FIELDS: usize = 8;
/// Longest boundary, in bytes (RFC 2046 section 5.1.1).
const MAX_BOUNDARY_BYTES: usize = 70;
/// Longest delimiter, in bytes.
pub const MAX_DELIMITER_BYTES: usize = MAX_BOUNDARY_BYTES + 4;

/// Why a body cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MultipartFault {
    /// It is not built as it should be.
    Malformed,
    /// A part's head is too long, or there are too many parts.
    TooMuch,
}

/// What a part's head says about it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PartHead {
    /// The name of its field in the form; empty: it has none.
    pub name: String,
    /// What its file is called where it comes from.
    pub file_name: Option<String>,
}

/// What stands in a part of the input.
#[derive(PartialEq, Eq, Debug)]
pub enum Item<'b> {
    /// Nothing to be known of.
    Nothing,
    /// A part begins.
    Part(PartHead),
    /// Data of the part that began last.
    Data(&'b [u8]),
}

/// Reads one body.
#[derive(Debug)]
pub struct MultipartReader {
    /// What ends the data of a part: a line end, two dashes, and the boundary.
    delimiter: Box<[u8]>,
    /// How much of it was seen.
    matched: usize,
    expected: Expected,
    head: Vec<u8>,
    parts: usize,
}

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Expected {
    /// Anything before the first delimiter.
    Preamble,
    /// Data of a part.
    Data,
    /// After a delimiter: a dash, or the end of the line.
    Dash,
    /// The second dash, after which no part follows.
    SecondDash,
    /// White space behind a delimiter, or the end of the line.
    Padding,
    /// The line feed behind a delimiter.
    LineFeed,
    /// The head of a part.
    Head,
    /// Anything behind the last part.
    Epilogue,
}

impl MultipartReader {
    /// Reads a body whose parts are divided by this boundary.
    pub fn new(boundary: &str) -> MultipartReader {
        MultipartReader {
            delimiter: format!("\r\n--{boundary}").into_bytes().into(),
            // The first delimiter may stand at the very beginning: there is no line before it that ends.
            matched: 2,
            expected: Expected::Preamble,
            head: Vec::new(),
            parts: 0,
        }
    }

    /// Reads the next part of the body. Returns what stands there, and how much of the input that is; to be called with
    /// what follows until nothing is left.
    ///
    /// # Errors
    /// It cannot be read on.
    pub fn read<'b>(&'b mut self, bytes: &'b [u8]) -> Result<(Item<'b>, usize), MultipartFault> {
        match self.expected {
            Expected::Epilogue => return Ok((Item::Nothing, bytes.len())),
            Expected::Preamble | Expected::Data => return Ok(self.search_delimiter(bytes)),
            Expected::Head => return self.read_head(bytes),
            _ => (),
        }
        let Some(byte) = bytes.first() else { return Ok((Item::Nothing, 0)) };
        // RFC 2046 section 5.1.1: a line that begins with the boundary is a delimiter, whatever follows.
        self.expected = match (self.expected, byte) {
            (Expected::Dash, b'-') => Expected::SecondDash,
            (Expected::SecondDash, b'-') => Expected::Epilogue,
            (Expected::Dash | Expected::Padding, b' ' | b'\t') => Expected::Padding,
            (Expected::Dash | Expected::Padding, b'\r') => Expected::LineFeed,
            (Expected::LineFeed, b'\n') => Expected::Head,
            _ => return Err(MultipartFault::Malformed),
        };
        Ok((Item::Nothing, 1))
    }

    /// Whether the last delimiter was seen.
    pub fn is_complete(&self) -> bool {
        self.expected == Expected::Epilogue
    }

    /// Data up to the delimiter, or to what may be its beginning.
    fn search_delimiter<'b>(&'b mut self, bytes: &'b [u8]) -> (Item<'b>, usize) {
        let is_data = self.expected == Expected::Data;
        let data = |bytes| if is_data { Item::Data(bytes) } else { Item::Nothing };
        if self.matched == 0 {
            let end = self.candidate(bytes);
            if end > 0 {
                return (data(&bytes[..end]), end);
            }
        }
        let already = self.matched;
        let missing = self.delimiter[already..].iter().zip(bytes);
        let more = missing.take_while(|(expected, byte)| expected == byte).count();
        self.matched += more;
        if self.matched == self.delimiter.len() {
            self.matched = 0;
            self.expected = Expected::Dash;
        } else if more < bytes.len() {
            // It was none, and no other begins within it: its first byte occurs in it only once.
            let seen = std::mem::take(&mut self.matched);
            return (data(&self.delimiter[..seen]), more);
        }
        (Item::Nothing, more)
    }

    /// Where the delimiter stands, or as much of it as there is room for; the end, if nowhere.
    fn candidate(&self, bytes: &[u8]) -> usize {
        let mut start = 0;
        while let Some(length) = bytes[start..].iter().position(|&byte| byte == b'\r') {
            start += length;
            let compared = self.delimiter.len().min(bytes.len() - start);
            if bytes[start..start + compared] == self.delimiter[..compared] {
                return start;
            }
            start += 1;
        }
        bytes.len()
    }

    fn read_head<'b>(&mut self, bytes: &[u8]) -> Result<(Item<'b>, usize), MultipartFault> {
        for (index, &byte) in bytes.iter().enumerate() {
            self.head.push(byte);
            if self.head.len() > MAX_HEAD_BYTES {
                return Err(MultipartFault::TooMuch);
            }
            if self.head == b"\r\n" || self.head.ends_with(b"\r\n\r\n") {
                self.parts += 1;
                if self.parts > MAX_PARTS {
                    return Err(MultipartFault::TooMuch);
                }
                let part = PartHead::read(&self.head)?;
                self.head.clear();
                self.expected = Expected::Data;
                return Ok((Item::Part(part), index + 1));
            }
        }
        Ok((Item::Nothing, bytes.len()))
    }
}

impl PartHead {
    /// Reads a head, its empty line included.
    fn read(head: &[u8]) -> Result<PartHead, MultipartFault> {
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let (_, fields) = match httparse::parse_headers(head, &mut fields) {
            Ok(httparse::Status::Complete(parsed)) => parsed,
            Err(httparse::Error::TooManyHeaders) => return Err(MultipartFault::TooMuch),
            _ => return Err(MultipartFault::Malformed),
        };
        let disposition = fields.iter().find(|field| field.name.eq_ignore_ascii_case("content-disposition"));
        let disposition = disposition.map_or_else(Default::default, |field| String::from_utf8_lossy(field.value));
        let (name, file_name) = (parameter(&disposition, "name"), parameter(&disposition, "filename"));
        Ok(PartHead { name: name.map(unescaped).unwrap_or_default(), file_name: file_name.map(unescaped) })
    }
}

/// The boundary that the value of a field `Content-Type` names. `None`: none that can be one.
pub fn read_boundary(content_type: &str) -> Option<String> {
    let boundary = parameter(content_type, "boundary")?;
    let is_allowed = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    let is_boundary = (1..=MAX_BOUNDARY_BYTES).contains(&boundary.len())
        && boundary.bytes().all(is_allowed)
        && !boundary.ends_with(' ');
    is_boundary.then_some(boundary)
}

/// A parameter of a field's value (RFC 9110 section 5.6.6).
///
/// In a quoted string a backslash stands before a quotation mark, and otherwise for itself: some send whole paths.
fn parameter(value: &str, name: &str) -> Option<String> {
    let (_, mut rest) = value.split_once(';')?;
    loop {
        let (found, after) = rest.split_once('=')?;
        // What has no equals sign is no parameter.
        let found = found.rsplit(';').next().unwrap_or_default().trim();
        let mut text = String::new();
        if let Some(quoted) = after.strip_prefix('"') {
            let mut end = None;
            let mut is_escaped = false;
            for (index, character) in quoted.char_indices() {
                match character {
                    '"' if is_escaped => {
                        text.pop();
                        text.push('"');
                    }
                    '"' => {
                        end = Some(index + 1);
                        break;
                    }
                    other => text.push(other),
                }
                is_escaped = character == '\\';
            }
            rest = &quoted[end?..];
        } else {
            let end = after.find(';').unwrap_or(after.len());
            text.push_str(after[..end].trim());
            rest = &after[end..];
        }
        if found.eq_ignore_ascii_case(name) {
            return Some(text);
        }
    }
}

/// What browsers encode in names (HTML standard, "multipart/form-data encoding algorithm"), and nothing else.
fn unescaped(name: String) -> String {
    if !name.contains('%') {
        return name;
    }
    ["%22", "%0D", "%0A"].iter().zip(["\"", "\r", "\n"]).fold(name, |name, (code, text)| name.replace(code, text))
}

#[cfg(test)]
mod tests;
