//! Embeds the files of `assets/`, each compressed where that makes it shorter, under one name that changes with any of
//! them. What it writes is included by `src/http/assets.rs`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::{fs, io};

use flate2::{Compression, GzBuilder};
use sha1::{Digest, Sha1};

/// The pages: filled in for each request by `src/http/pages.rs`, so they are no static files.
const TEMPLATES: [&str; 3] = ["head_too_long.html", "home.html", "room.html"];

/// A static file of `assets/`.
struct Asset {
    /// Its path below `assets/`, with slashes.
    name: String,
    bytes: Vec<u8>,
}

/// Writes `assets.rs` and the compressed files into the folder `out`.
pub fn embed(root: &Path, out: &Path) -> io::Result<()> {
    let mut assets = Vec::new();
    collect(root, "", &mut assets)?;
    assets.sort_by(|one, other| one.name.cmp(&other.name));

    let mut code = String::new();
    writeln!(code, "pub const ASSETS_HASH: &str = {:?};", hash_all(&assets)).expect("a string");
    writeln!(code, "pub static ASSETS: &[Asset] = &[").expect("a string");
    for (number, asset) in assets.iter().enumerate() {
        let compressed = compress(&asset.bytes)?;
        let stored = out.join(format!("{number}.asset"));
        fs::write(&stored, compressed.as_ref().unwrap_or(&asset.bytes))?;
        writeln!(
            code,
            "    Asset {{ name: {:?}, content_type: {:?}, hash: {:?}, stored: include_bytes!({stored:?}), is_compressed: {} }},",
            asset.name,
            content_type(&asset.name),
            short_hex(&Sha1::digest(&asset.bytes)),
            compressed.is_some(),
        )
        .expect("a string");
    }
    writeln!(code, "];").expect("a string");
    fs::write(out.join("assets.rs"), code)
}

/// Finds every static file below `folder`. Hidden files are left out.
fn collect(folder: &Path, prefix: &str, assets: &mut Vec<Asset>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_str().expect("names of assets are ASCII"));
        if TEMPLATES.contains(&name.as_str()) || entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            collect(&path, &format!("{name}/"), assets)?;
        } else {
            let bytes = fs::read(&path)?;
            let is_code = [".js", ".css"].iter().any(|extension| name.ends_with(extension));
            let bytes = if is_code { without_comments(bytes) } else { bytes };
            assets.push(Asset { name, bytes });
        }
    }
    Ok(())
}

/// Code without indentation and without the lines that are empty, or comments and nothing else: a quarter of what browsers
/// would have to fetch. Comments begin with `//`, or with `/*` and end at the end of a line. A text in the code that goes
/// over several lines may have no such lines, and no space before them.
fn without_comments(code: Vec<u8>) -> Vec<u8> {
    let code = String::from_utf8(code).expect("code is UTF-8");
    let mut is_within = false;
    let lines = code.lines().map(str::trim).filter(|line| {
        let begins = !is_within && line.starts_with("/*");
        let is_comment = is_within || begins || line.starts_with("//");
        is_within = (is_within || begins) && !line.ends_with("*/");
        !is_comment && !line.is_empty()
    });
    lines.flat_map(|line| [line, "\n"]).collect::<String>().into_bytes()
}

/// One name for all files together: since modules import each other by relative paths, a new version of one
/// is a new address for all.
fn hash_all(assets: &[Asset]) -> String {
    let mut hash = Sha1::new();
    for asset in assets {
        for part in [asset.name.as_bytes(), &asset.bytes] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    }
    short_hex(&hash.finalize())
}

fn short_hex(digest: &[u8]) -> String {
    digest[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes compressed, if that makes them fewer. The same bytes give the same result in every build.
fn compress(bytes: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    let compressed = encoder.finish()?;
    Ok((compressed.len() < bytes.len()).then_some(compressed))
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        "webmanifest" => "application/manifest+json",
        "woff2" => "font/woff2",
        _ => panic!("assets/{name}: build/assets.rs does not know the media type of such files yet"),
    }
}
