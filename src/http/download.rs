//! A shared file as it is sent: whole, or the part that was asked for (RFC 9110 sections 13 and 14).
//!
//! Its bytes are not here: the head is written, and the rest is the reactor's affair. What a file may do in a browser is
//! said here: nothing. Only pictures, sound and films are shown where they are linked, by their content and not by what
//! their sender says they are; all else is saved.

use http::StatusCode;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::request::{Head, Method};
use super::response::Response;
use crate::rooms::{FileId, SharedFile};
use crate::session_api::FilePart;

/// What every file is sent with: it is what its id says and never changes, and it is no page.
const FILE_FIELDS: [(&str, &str); 4] = [
    ("Cache-Control", "private, max-age=31536000, immutable"),
    ("Content-Security-Policy", "sandbox; default-src 'none'"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Accept-Ranges", "bytes"),
];

/// RFC 8187 section 3.2.1: what stands for itself in a parameter.
const ATTRIBUTE_CHARACTERS: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// What was asked for of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Download {
    /// Which part; `None`: all of it.
    range: Option<ByteRange>,
    /// The client has it already.
    is_known: bool,
}

/// One range of bytes (RFC 9110 section 14.1.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum ByteRange {
    /// From the first on, to the last if that is given.
    From(u64, Option<u64>),
    /// So many at the end.
    Last(u64),
}

impl Download {
    /// Reads what is asked for of the file with this id.
    pub fn read(head: &Head<'_, '_>, id: FileId) -> Download {
        let tag = tag(id);
        let is_tag = |item: &str| item == "*" || item.strip_prefix("W/").unwrap_or(item) == tag;
        // RFC 9110 section 13.1.5: a date, or the tag of another file, means that all of it is wanted.
        let is_same = head.value("if-range").is_none_or(|value| value.trim() == tag);
        let mut ranges = head.values("range");
        let range = match (ranges.next(), ranges.next()) {
            (Some(value), None) if head.method == Method::Get && is_same => str::from_utf8(value).ok(),
            _ => None,
        };
        Download { range: range.and_then(ByteRange::read), is_known: head.items("if-none-match").any(is_tag) }
    }

    /// Writes the head of the response, and says what is to be sent behind it. `None`: nothing.
    pub fn answer<'o>(self, file: &SharedFile, respond: impl FnOnce(StatusCode) -> Response<'o>) -> Option<FilePart> {
        let size_bytes = file.size_bytes;
        let tag = tag(file.id);
        if self.is_known {
            respond(StatusCode::NOT_MODIFIED).field("ETag", &tag).fields(&FILE_FIELDS[..1]).end();
            return None;
        }
        let Some((first, length_bytes)) = self.range.map_or(Some((0, size_bytes)), |range| range.within(size_bytes))
        else {
            let response = respond(StatusCode::RANGE_NOT_SATISFIABLE);
            response.field("Content-Range", &format!("bytes */{size_bytes}")).text("The file ends before that.\n");
            return None;
        };
        let response = match self.range {
            None => respond(StatusCode::OK),
            Some(_) => {
                let last = first + length_bytes - 1;
                let range = format!("bytes {first}-{last}/{size_bytes}");
                respond(StatusCode::PARTIAL_CONTENT).field("Content-Range", &range)
            }
        };
        let fields = [
            ("ETag", &*tag),
            ("Content-Type", file.file_type.as_str()),
            ("Content-Length", &length_bytes.to_string()),
            ("Content-Disposition", &disposition(file)),
        ];
        response.fields(&FILE_FIELDS).fields(&fields).end();
        Some(FilePart { id: file.id, position: first, length_bytes })
    }
}

impl ByteRange {
    /// Reads a range. `None`: there are several, or it is none; then all of it is sent, as RFC 9110 section 14.2 allows.
    fn read(value: &str) -> Option<ByteRange> {
        let (unit, range) = value.trim().split_once('=')?;
        let (first, last) = range.trim().split_once('-')?;
        let number = |text: &str| -> Option<u64> {
            (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
        };
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        match (first, last) {
            ("", count) => Some(ByteRange::Last(number(count)?)),
            (first, "") => Some(ByteRange::From(number(first)?, None)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(ByteRange::From(first, Some(last)))
            }
        }
    }

    /// The first byte of it, and how many there are. `None`: the file has none of them.
    fn within(self, size_bytes: u64) -> Option<(u64, u64)> {
        let (first, end) = match self {
            ByteRange::From(first, last) => {
                (first, last.map_or(size_bytes, |last| last.saturating_add(1).min(size_bytes)))
            }
            ByteRange::Last(count) => (size_bytes.saturating_sub(count), size_bytes),
        };
        (first < end).then(|| (first, end - first))
    }
}

fn tag(id: FileId) -> String {
    format!("\"{id}\"")
}

/// Whether a browser shows it or saves it, and under which name (RFC 6266, RFC 8187).
fn disposition(file: &SharedFile) -> String {
    let name = file.name.as_str();
    let kind = if file.file_type.is_shown_inline() { "inline" } else { "attachment" };
    let is_plain = |character: char| matches!(character, ' '..='~') && !matches!(character, '"' | '\\' | '%');
    let plain: String = name.chars().map(|character| if is_plain(character) { character } else { '_' }).collect();
    if plain == name {
        return format!("{kind}; filename=\"{plain}\"");
    }
    let encoded = utf8_percent_encode(name, ATTRIBUTE_CHARACTERS);
    format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

#[cfg(test)]
mod tests {
    use super::super::date::HttpDate;
    use super::super::request::header_space;
    use super::super::response::ResponseOptions;
    use super::*;
    use crate::rooms::{FileName, FileType};

    const ID: &str = "0123456789abcdef0123456789abcdef";

    fn file(name: &str, file_type: FileType) -> SharedFile {
        let id = FileId::parse(ID).expect("an id");
        SharedFile { id, name: FileName::clean(name), size_bytes: 1000, file_type, dimensions: None }
    }

    /// The head of the answer to a request with these fields, and what is sent behind it.
    fn ask(method: &str, fields: &str) -> (String, Option<(u64, u64)>) {
        let file = file("plan.pdf", FileType::Other);
        let bytes = format!("{method} / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let mut space = header_space();
        let download = Download::read(&Head::parse(bytes.as_bytes(), &mut space).expect("a request"), file.id);
        let mut out = Vec::new();
        let part = download
            .answer(&file, |status| Response::new(status, HttpDate::new(0), ResponseOptions::LAST, &mut out))
            .map(|part| (part.position, part.length_bytes));
        (String::from_utf8(out).expect("ASCII"), part)
    }

    #[test]
    fn a_range_is_sent_alone() {
        for (range, part, content_range) in [
            ("bytes=0-9", (0, 10), "bytes 0-9/1000"),
            ("bytes=990-", (990, 10), "bytes 990-999/1000"),
            ("bytes=990-5000", (990, 10), "bytes 990-999/1000"),
            ("bytes=0-18446744073709551615", (0, 1000), "bytes 0-999/1000"),
            ("bytes=-10", (990, 10), "bytes 990-999/1000"),
            ("Bytes=-5000", (0, 1000), "bytes 0-999/1000"),
        ] {
            let (head, found) = ask("GET", &format!("Range: {range}\r\nIf-Range: \"{ID}\"\r\n"));
            assert!(head.starts_with("HTTP/1.1 206 "), "{range}: {head}");
            assert!(head.contains(&format!("Content-Range: {content_range}\r\n")), "{range}: {head}");
            assert!(head.contains(&format!("Content-Length: {}\r\n", part.1)), "{range}: {head}");
            assert_eq!(found, Some(part), "{range}");
        }
        for range in ["bytes=1000-", "bytes=-0", "bytes=5000-6000"] {
            let (head, part) = ask("GET", &format!("Range: {range}\r\n"));
            assert!(head.starts_with("HTTP/1.1 416 ") && head.contains("Content-Range: bytes */1000\r\n"), "{head}");
            assert_eq!(part, None);
        }
    }

    #[test]
    fn otherwise_all_of_it_is_sent() {
        for fields in [
            "",
            "Range: bytes=0-1,5-6\r\n",
            "Range: bytes=5-1\r\n",
            "Range: bytes=+1-2\r\n",
            "Range: lines=1-2\r\n",
            "Range: bytes=0-1\r\nRange: bytes=0-1\r\n",
            "Range: bytes=0-1\r\nIf-Range: \"another\"\r\n",
            "Range: bytes=0-1\r\nIf-Range: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
            "If-None-Match: \"another\"\r\n",
        ] {
            let (head, part) = ask("GET", fields);
            assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("Content-Length: 1000\r\n"), "{fields}: {head}");
            assert_eq!(part, Some((0, 1000)), "{fields}");
        }
        assert!(ask("HEAD", "Range: bytes=0-1\r\n").0.starts_with("HTTP/1.1 200 "), "a range is of GET alone");
    }

    #[test]
    fn who_has_it_is_told_so() {
        for tag in [format!("\"{ID}\""), format!("W/\"{ID}\""), format!("\"x\", \"{ID}\""), "*".into()] {
            let (head, part) = ask("GET", &format!("If-None-Match: {tag}\r\nRange: bytes=0-1\r\n"));
            assert!(head.starts_with("HTTP/1.1 304 ") && part.is_none(), "{tag}: {head}");
            assert!(head.contains(&format!("ETag: \"{ID}\"\r\n")) && head.contains("immutable\r\n"), "{head}");
        }
    }

    #[test]
    fn only_what_is_safe_is_shown_and_all_have_their_names() {
        for (name, file_type, expected) in [
            ("plan.pdf", FileType::Other, "attachment; filename=\"plan.pdf\""),
            ("a.html", FileType::Png, "inline; filename=\"a.html\""),
            ("50%.txt", FileType::Other, "attachment; filename=\"50_.txt\"; filename*=UTF-8''50%25.txt"),
            (
                "Pläne (1).pdf",
                FileType::Other,
                "attachment; filename=\"Pl_ne (1).pdf\"; filename*=UTF-8''Pl%C3%A4ne%20%281%29.pdf",
            ),
        ] {
            assert_eq!(disposition(&file(name, file_type)), expected);
        }
        let (head, _) = ask("GET", "");
        for field in [
            "X-Content-Type-Options: nosniff",
            "Content-Security-Policy: sandbox; default-src 'none'",
            "Cross-Origin-Resource-Policy: same-origin",
            "Content-Type: application/octet-stream",
        ] {
            assert!(head.contains(&format!("{field}\r\n")), "{field} in {head}");
        }
    }
}
