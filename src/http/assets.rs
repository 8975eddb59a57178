//! The files of `assets/`, compressed and embedded by `build/assets.rs` when the program is built.
//!
//! All their addresses contain one hash, which changes with any of them, so browsers may keep them forever. Hardly any
//! client wants them otherwise than compressed, so nothing else is embedded, and a response is prepared when it is asked
//! for the first time.

use std::borrow::Cow;
use std::cell::OnceCell;

use http::StatusCode;
use miniz_oxide::inflate::decompress_to_vec;

use super::request::Head;
use super::response::Prepared;

/// One embedded file.
pub struct Asset {
    /// Its path below `assets/`.
    pub name: &'static str,
    content_type: &'static str,
    hash: &'static str,
    /// Compressed, unless that would make it longer.
    stored: &'static [u8],
    is_compressed: bool,
}

/// The script that keeps pages for when there is no network. It lies in a folder, and is about all pages.
const SERVICE_WORKER: &str = "service_worker.js";

/// Of a gzip file without a name, the header and what stands behind the data (RFC 1952 section 2.3).
const GZIP_HEADER_BYTES: usize = 10;
const GZIP_TRAILER_BYTES: usize = 8;

impl Asset {
    /// The file as it is in `assets/`.
    fn bytes(&self) -> Cow<'static, [u8]> {
        if !self.is_compressed {
            return self.stored.into();
        }
        let deflated = &self.stored[GZIP_HEADER_BYTES..self.stored.len() - GZIP_TRAILER_BYTES];
        decompress_to_vec(deflated).expect("build/assets.rs has compressed it").into()
    }
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// One form of a file, with its responses.
#[derive(Debug)]
struct Representation {
    entity_tag: String,
    complete: Prepared,
    not_modified: Prepared,
}

impl Representation {
    fn new(asset: &Asset, coding: Option<&str>, base_path: &str) -> Representation {
        let bytes = if coding.is_some() { asset.stored.into() } else { asset.bytes() };
        // Two forms of one file are told apart by their tags (RFC 9110 section 8.8.3.3).
        let entity_tag = match coding {
            Some(coding) => format!("\"{}-{coding}\"", asset.hash),
            None => format!("\"{}\"", asset.hash),
        };
        let mut fields = vec![
            ("Cache-Control", "public, max-age=31536000, immutable"),
            ("ETag", entity_tag.as_str()),
            ("Vary", "Accept-Encoding"),
        ];
        // Otherwise it might be about its own folder alone (Service Workers, section 6.5).
        fields.extend((asset.name == SERVICE_WORKER).then_some(("Service-Worker-Allowed", base_path)));
        let not_modified = Prepared::new(StatusCode::NOT_MODIFIED, &fields, None);
        fields.extend(coding.map(|coding| ("Content-Encoding", coding)));
        let complete = Prepared::new(StatusCode::OK, &fields, Some((asset.content_type, bytes)));
        Representation { entity_tag, complete, not_modified }
    }
}

/// The responses for one file, as it is and compressed.
#[derive(Debug, Default)]
struct Representations {
    identity: OnceCell<Representation>,
    gzip: OnceCell<Representation>,
}

/// The responses for every file, in the order of [`ASSETS`], which is that of their names.
#[derive(Debug)]
pub struct Assets {
    representations: Vec<Representations>,
    /// The path below which the pages are.
    base_path: String,
}

impl Assets {
    /// None is prepared yet.
    pub fn new(base_path: &str) -> Assets {
        let representations = ASSETS.iter().map(|_| Representations::default()).collect();
        Assets { representations, base_path: base_path.to_owned() }
    }

    /// What to answer to a request for `HASH/NAME`; `None` if there is no such file in this version.
    pub fn find(&self, hash_and_name: &str, head: &Head<'_, '_>) -> Option<&Prepared> {
        let name = hash_and_name.strip_prefix(ASSETS_HASH)?.strip_prefix('/')?;
        let number = ASSETS.binary_search_by(|asset| asset.name.cmp(name)).ok()?;
        let (asset, Representations { identity, gzip }) = (&ASSETS[number], &self.representations[number]);
        let representation = if asset.is_compressed && accepts_gzip(head) {
            gzip.get_or_init(|| Representation::new(asset, Some("gzip"), &self.base_path))
        } else {
            identity.get_or_init(|| Representation::new(asset, None, &self.base_path))
        };
        let is_known = head.items("if-none-match").any(|tag| matches_tag(tag, &representation.entity_tag));
        Some(if is_known { &representation.not_modified } else { &representation.complete })
    }
}

/// The text of an embedded file.
pub fn text_of(name: &str) -> String {
    let asset = ASSETS.iter().find(|asset| asset.name == name);
    asset.and_then(|asset| String::from_utf8(asset.bytes().into_owned()).ok()).unwrap_or_default()
}

/// Weak comparison (RFC 9110 section 8.8.3.2), as `If-None-Match` wants it.
fn matches_tag(candidate: &str, entity_tag: &str) -> bool {
    candidate == "*" || candidate.strip_prefix("W/").unwrap_or(candidate) == entity_tag
}

/// Whether the client takes gzip (RFC 9110 section 12.5.3). A coding's own weight goes before that of `*`.
pub fn accepts_gzip(head: &Head<'_, '_>) -> bool {
    let (mut gzip, mut any) = (None, None);
    for item in head.items("accept-encoding") {
        let (coding, parameters) = item.split_once(';').unwrap_or((item, ""));
        let coding = coding.trim_end();
        if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") {
            gzip = Some(has_weight(parameters));
        } else if coding == "*" {
            any = Some(has_weight(parameters));
        }
    }
    gzip.or(any).unwrap_or(false)
}

/// Whether the weight is above 0; without one it is 1. An invalid weight counts as 0: then the client gets the
/// uncompressed form, which every client can read.
fn has_weight(parameters: &str) -> bool {
    let parameters = parameters.trim();
    if parameters.is_empty() {
        return true;
    }
    let weight = parameters.strip_prefix(['q', 'Q']).and_then(|rest| rest.trim_start().strip_prefix('='));
    weight.and_then(|weight| weight.trim().parse::<f32>().ok()).is_some_and(|weight| weight > 0.0)
}

#[cfg(test)]
mod tests {
    use super::super::request::header_space;
    use super::*;

    fn accepts(field: &str) -> bool {
        let bytes = format!("GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n");
        accepts_gzip(&Head::parse(bytes.as_bytes(), &mut header_space()).expect("a request"))
    }

    #[test]
    fn gzip_is_for_those_who_take_it() {
        for value in ["gzip", "deflate, GZIP;q=0.5", "br;q=1.0, gzip; q=0.001", "*", "x-gzip", "*;q=0, gzip"] {
            assert!(accepts(&format!("Accept-Encoding: {value}")), "{value}");
        }
        for value in ["", "br", "gzip;q=0", "gzip; q=0.000", "*;q=0", "*, gzip;q=0", "gzip;q=x", "gzipped"] {
            assert!(!accepts(&format!("Accept-Encoding: {value}")), "{value}");
        }
        assert!(!accepts("Accept: gzip"));
        assert!(accepts("Accept-Encoding: br\r\nAccept-Encoding: gzip"));
    }

    #[test]
    fn tags_are_compared_weakly() {
        assert!(matches_tag("\"ab\"", "\"ab\"") && matches_tag("W/\"ab\"", "\"ab\"") && matches_tag("*", "\"ab\""));
        assert!(!matches_tag("\"abc\"", "\"ab\"") && !matches_tag("", "\"ab\""));
    }

    #[test]
    fn the_table_is_sorted_and_compression_pays() {
        assert!(ASSETS.is_sorted_by(|one, other| one.name < other.name));
        assert!(ASSETS.iter().all(|asset| !asset.is_compressed || asset.stored.len() < asset.bytes().len()));
        assert!(ASSETS.iter().any(|asset| asset.is_compressed));
    }

    #[test]
    fn a_file_comes_out_of_its_compressed_form_as_it_is_but_for_comments() {
        assert_eq!(text_of("icon.svg"), include_str!("../../assets/icon.svg"));
        for (name, source) in [
            ("base.css", include_str!("../../assets/base.css")),
            ("room.js", include_str!("../../assets/room.js")),
            ("markup.js", include_str!("../../assets/markup.js")),
        ] {
            let served = text_of(name);
            let mut kept = served.lines().peekable();
            for line in source
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty())
                .filter(|line| kept.next_if_eq(line).is_none())
            {
                let begins = ["//", "/*", "*"].iter().any(|start| line.trim().starts_with(start));
                assert!(begins || line.trim().ends_with("*/"), "{name} has lost {line:?}");
            }
            assert_eq!(kept.next(), None, "{name}");
        }
    }

    #[test]
    fn every_file_that_a_page_names_is_there() {
        for page in [include_str!("../../assets/home.html"), include_str!("../../assets/room.html")] {
            for rest in page.split("{{ assets }}").skip(1) {
                let name = rest.split('"').next().expect("an attribute");
                assert!(ASSETS.iter().any(|asset| asset.name == name), "assets/{name}");
            }
        }
    }
}
