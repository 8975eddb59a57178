//! Files with hostile names and hostile contents, with the real program over HTTP: nothing of them is ever rendered or run
//! under this server's origin, and no name breaks out of the field that tells it.

mod support;

use serde_json::Value;
use support::http::percent_encode;
use support::{Response, Server};

/// What browsers may show by themselves.
const SHOWN: [&str; 10] = [
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/avif",
    "audio/mpeg",
    "audio/ogg",
    "audio/wav",
    "video/mp4",
    "video/webm",
];

const BOUNDARY: &str = "b0undary";

/// A room, and somebody who shares files from as many addresses as it takes.
struct Sharer {
    server: Server,
    code: String,
    shared: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Query,
    Path,
    Form,
}

impl Sharer {
    fn new() -> Sharer {
        let server = Server::with(&["--trusted-proxy", "127.0.0.1", "--rate", "0", "--join-rate", "0"]);
        let code = server.create_room();
        Sharer { server, code, shared: 0 }
    }

    /// Shares a file. Returns its name and where it is found.
    fn share(&mut self, name: &str, content: &[u8], content_type: &str, way: Way) -> (String, String) {
        self.shared += 1;
        let address = format!("10.0.{}.1", self.shared % 250);
        let (code, encoded) = (&self.code, percent_encode(name).replace('+', "%20"));
        let form_type = format!("multipart/form-data; boundary={BOUNDARY}");
        let content_type = if way == Way::Form { &form_type } else { content_type };
        let fields = [("X-Forwarded-For", &*address), ("Content-Type", content_type), ("Expect", "")];
        let (method, path, body) = match way {
            Way::Query => ("POST", format!("/api/v1/rooms/{code}/files?as=eve&name={encoded}"), content.to_vec()),
            Way::Path => ("PUT", format!("/{code}/{encoded}"), content.to_vec()),
            Way::Form => {
                // As browsers write it.
                let name = name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
                let head = format!(
                    "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
                     Content-Type: text/html\r\n\r\n"
                );
                let body = [head.as_bytes(), content, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()].concat();
                ("POST", format!("/api/v1/rooms/{code}/files?as=eve"), body)
            }
        };
        let response = self.server.http().request(method, &path, &fields[..2], &body);
        assert_eq!(response.status, 201, "{name:?}: {}", response.text());
        let found = response.expect_header("Location").to_owned();
        let events = self.server.get(&format!("/api/v1/rooms/{code}/events?limit=1")).json();
        let told = events["events"][0]["file"].clone();
        assert_eq!(told["url"], found.as_str());
        (told["name"].as_str().expect("a name").to_owned(), found)
    }

    /// Looks at how a file is sent, in every way in which it can be asked for.
    fn check(&self, name: &str, path: &str, what: &str) -> Response {
        let (folder, _) = path.rsplit_once('/').expect("a path");
        for (method, path, fields) in [
            ("HEAD", path, &[][..]),
            ("GET", path, &[("Range", "bytes=0-0")]),
            ("GET", path, &[("Accept", "text/html")]),
            ("GET", &format!("{folder}/index.html"), &[]),
            ("GET", &format!("{path}?x=.html"), &[]),
        ] {
            let response = self.server.http().request(method, path, fields, b"");
            assert!(matches!(response.status, 200 | 206), "{what}: {}", response.status);
            check_fields(&response, name, what);
        }
        self.server.get(path)
    }
}

fn check_fields(response: &Response, name: &str, what: &str) {
    for (field, value) in [
        ("X-Content-Type-Options", "nosniff"),
        ("Content-Security-Policy", "sandbox; default-src 'none'"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
    ] {
        let values: Vec<_> = response.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(field)).collect();
        assert!(values.len() == 1 && values[0].1 == value, "{what}: {field} is {values:?}");
    }
    for (field, _) in &response.headers {
        const KNOWN: [&str; 13] = [
            "accept-ranges",
            "cache-control",
            "connection",
            "content-disposition",
            "content-length",
            "content-range",
            "content-security-policy",
            "content-type",
            "cross-origin-resource-policy",
            "date",
            "etag",
            "referrer-policy",
            "x-content-type-options",
        ];
        assert!(KNOWN.contains(&&*field.to_ascii_lowercase()), "{what}: what is {field:?}?");
    }
    let content_type = response.expect_header("Content-Type");
    let disposition = response.expect_header("Content-Disposition");
    let (kind, told) = read_disposition(disposition).unwrap_or_else(|| panic!("{what}: {disposition:?}"));
    assert_eq!(told, name, "{what}: {disposition}");
    match content_type {
        "application/octet-stream" => assert_eq!(kind, "attachment", "{what}"),
        shown => assert!(SHOWN.contains(&shown) && kind == "inline", "{what}: {kind} {shown}"),
    }
}

/// Reads the field as strictly as RFC 6266 and RFC 8187 let it be written: how the file is shown, and what it is called.
fn read_disposition(value: &str) -> Option<(&str, String)> {
    let (kind, rest) = value.split_once("; filename=\"")?;
    let (plain, rest) = rest.split_once('"')?;
    if !plain.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'\\' && byte != b'%') {
        return None;
    }
    if rest.is_empty() {
        return Some((kind, plain.to_owned()));
    }
    let mut encoded = rest.strip_prefix("; filename*=UTF-8''")?.bytes();
    let mut name = Vec::new();
    while let Some(byte) = encoded.next() {
        match byte {
            b'%' => {
                let digits = [encoded.next()?, encoded.next()?];
                name.push(u8::from_str_radix(str::from_utf8(&digits).ok()?, 16).ok()?);
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => name.push(byte),
            b'!' | b'#' | b'$' | b'&' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~' => name.push(byte),
            _ => return None,
        }
    }
    Some((kind, String::from_utf8(name).ok()?))
}

/// Characters that no name has: they end lines, hide, turn others around, or lead elsewhere.
fn is_hostile(character: char) -> bool {
    character.is_control()
        || matches!(character, '/' | '\\' | '"' | '<' | '>' | ':' | '|' | '?' | '*')
        || matches!(character, '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
        || matches!(character, '\u{061C}' | '\u{2028}' | '\u{2029}' | '\u{FEFF}' | '\u{FFFD}' | '\u{AD}')
        || matches!(character, '\u{E000}'..='\u{F8FF}' | '\u{E0001}'..='\u{E007F}')
}

fn hostile_names() -> Vec<String> {
    let mut names: Vec<String> = [
        "",
        " ",
        ".",
        "..",
        "...",
        ". .",
        "/",
        "\\",
        "//",
        "../../../etc/passwd",
        "..\\..\\boot.ini",
        "/etc/shadow",
        "C:\\Windows\\win.ini",
        "C:evil.exe",
        "\\\\server\\share\\a",
        "file:///etc/passwd",
        "a/../../b",
        "a/./b",
        "~root",
        "-rf",
        "--help",
        "$(reboot)",
        "`reboot`",
        "a;reboot",
        "a|reboot",
        "a&&reboot",
        "%PATH%",
        "$HOME",
        "{a,b}",
        "*",
        "?",
        "a\"; filename=\"evil.html",
        "a\"; filename*=UTF-8''evil.html",
        "\"",
        "\"\"",
        "\\\"",
        "a\\",
        "a\\\";x=\"",
        "a'; drop table files; --",
        "'",
        "''evil",
        "UTF-8''evil.html",
        "=?utf-8?B?ZXZpbC5odG1s?=",
        "a; type=text/html",
        "a, b",
        "a;b",
        "a=b",
        "a%0d%0aSet-Cookie: x=1",
        "%0d%0aX-Evil: 1",
        "a%00.html",
        "%2e%2e%2f%2e%2e%2fa",
        "%252e%252e",
        "a\r\nX-Evil: 1",
        "a\r\n\r\n<html>",
        "a\nb",
        "a\rb",
        "a\0.html",
        "evil.html\0.png",
        "a\tb",
        "a\u{B}b",
        "\u{7F}",
        "<script>alert(1)</script>.txt",
        "<img src=x onerror=alert(1)>.png",
        "\"><svg onload=alert(1)>",
        "javascript:alert(1)",
        "a.html",
        "a.HTML",
        "a.htm",
        "a.xhtml",
        "a.svg",
        "a.svgz",
        "a.xml",
        "a.xsl",
        "a.mht",
        "a.swf",
        "a.hta",
        "a.js",
        "a.mjs",
        "a.css",
        "a.wasm",
        "a.pdf",
        "a.html.",
        "a.html ",
        "a.html::$DATA",
        "a.png.html",
        "a.html;.png",
        "index.html",
        "room.js",
        ".htaccess",
        ".git",
        "web.config",
        "desktop.ini",
        "Thumbs.db",
        "autorun.inf",
        "CON",
        "con.txt",
        "PRN",
        "AUX.h",
        "NUL",
        "nul.tar.gz",
        "COM1",
        "com9.txt",
        "LPT1",
        "lpt9",
        "CLOCK$",
        "CONIN$",
        "CONOUT$",
        "COM\u{B9}",
        "COM1 .txt",
        "con ",
        "invoice\u{202E}fdp.exe",
        "a\u{202D}b",
        "\u{2066}a\u{2069}",
        "a\u{200E}b",
        "\u{61C}a",
        "zero\u{200B}width",
        "\u{FEFF}a",
        "a\u{AD}b",
        "a\u{2028}b",
        "a\u{2029}b",
        "a\u{85}b",
        "\u{E000}",
        "a\u{E0041}b",
        "\u{FFFD}",
        "\u{FFFE}",
        "\u{10FFFF}",
        "\u{301}\u{301}\u{301}",
        "Z\u{351}\u{36B}\u{343}a",
        "\u{FF0F}etc\u{FF0F}passwd",
        "\u{2215}etc",
        "\u{29F8}",
        "a\u{FF0E}\u{FF0E}b",
        "\u{201C}a\u{201D}",
        "\u{FF02}a\u{FF02}",
        "\u{2044}",
        "\u{29F5}",
        "e\u{301}.txt",
        "\u{212B}.txt",
        "\u{1F469}\u{200D}\u{1F4BB}.png",
        "\u{5E9}\u{5DC}\u{5D5}\u{5DD}.txt",
        "\u{627}\u{644}.pdf",
        "\u{3164}",
        "\u{2800}",
        "\u{115F}a",
        "\u{200D}",
        "\u{FE0F}",
        "\u{1F1E6}",
        "\u{202E}",
        "  a  b  ",
        "a\u{A0}b",
        "\u{3000}",
        "plan.pdf",
        "100%.txt",
        "a#b",
        "a?b=c",
        "a&b",
        "a+b",
        "(a)[b]",
    ]
    .map(str::to_owned)
    .to_vec();
    names.extend((1..32).map(|code| format!("a{}b.txt", char::from(code))));
    names.extend((0x80..0xA0).map(|code| format!("a{}b.txt", char::from(code))));
    names.extend([
        "a".repeat(5_000),
        "\u{FC}".repeat(300),
        format!("{}.pdf", "\u{1F4C4}".repeat(100)),
        ".".repeat(400),
    ]);
    names
}

#[test]
fn no_name_breaks_out_of_its_field_or_leads_elsewhere() {
    let mut sharer = Sharer::new();
    let names = hostile_names();
    assert!(names.len() >= 200, "{}", names.len());
    for (number, typed) in names.iter().enumerate() {
        let way = match number % 3 {
            // What a path cannot hold leads to another room, or to none.
            0 if !typed.contains('/') && !typed.is_empty() => Way::Path,
            // A head with control characters is refused.
            1 if !typed.contains(|character: char| character.is_ascii_control()) => Way::Form,
            _ => Way::Query,
        };
        let (name, path) = sharer.share(typed, b"harmless", "text/html", way);
        let what = format!("{typed:?} by {way:?} as {name:?}");
        assert!((1..=255).contains(&name.len()) && !name.contains(is_hostile), "{what}");
        assert!(!name.starts_with(['.', ' ']) && !name.ends_with(['.', ' ']), "{what}");
        let stem = name.split('.').next().expect("a first part").trim_end().to_ascii_uppercase();
        let is_device = ["CON", "PRN", "AUX", "NUL", "CLOCK$", "CONIN$", "CONOUT$"].contains(&&*stem)
            || ["COM", "LPT"].iter().any(|kind| stem.strip_prefix(kind).is_some_and(|rest| rest.chars().count() == 1));
        assert!(!is_device, "{what}");
        let (_, last) = path.rsplit_once('/').expect("a path");
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
        assert!(path.matches('/').count() == 4 && last.bytes().all(is_plain), "{what}: {path}");
        let got = sharer.check(&name, &path, &what);
        assert_eq!(got.body, b"harmless", "{what}");
    }
}

/// The smallest picture, with what stands behind it.
fn png(behind: &[u8]) -> Vec<u8> {
    let chunk = |name: &[u8], data: &[u8]| {
        let mut crc = !0_u32;
        for byte in name.iter().chain(data) {
            crc ^= u32::from(*byte);
            (0..8).for_each(|_| crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 });
        }
        [&(data.len() as u32).to_be_bytes()[..], name, data, &(!crc).to_be_bytes()].concat()
    };
    let pixels = [0x78, 0x01, 0x63, 0x60, 0x00, 0x00, 0x00, 0x02, 0x00, 0x01];
    [
        &b"\x89PNG\r\n\x1A\n"[..],
        &chunk(b"IHDR", &[0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]),
        &chunk(b"tEXt", b"Comment\0<script>alert(1)</script>"),
        &chunk(b"IDAT", &pixels),
        &chunk(b"IEND", b""),
        behind,
    ]
    .concat()
}

fn hostile_contents() -> Vec<(&'static str, Vec<u8>)> {
    const SCRIPT: &str = "<script>document.title='owned';alert(1)</script>";
    let html = format!("<!DOCTYPE html><html>{SCRIPT}</html>");
    let svg = "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>";
    let gif = |behind: &str| {
        [b"GIF89a/*\x01\0\x80\0\0\0\0\0\xFF\xFF\xFF,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;", behind.as_bytes()].concat()
    };
    let jpeg = |behind: &str| {
        [b"\xFF\xD8\xFF\xE0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0", behind.as_bytes(), b"\xFF\xD9"].concat()
    };
    let text = |text: &str| text.as_bytes().to_vec();
    let utf_16 = |order: fn(u16) -> [u8; 2]| html.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    let mut zip_bomb = b"PK\x03\x04\x14\0\0\0\x08\0".to_vec();
    zip_bomb.extend([0xFF; 4_000]);
    let jar = [b"PK\x03\x04\x0A\0\0\0\0\0META-INF/MANIFEST.MF", &[0; 40][..], b"PK\x05\x06"].concat();
    vec![
        ("a.html", text(&html)),
        ("a.png", text(&html)),
        ("a.txt", text(&html)),
        ("a", text(&html)),
        ("a.html", text(SCRIPT)),
        ("a.html", text(&format!("\n\n  \t{html}"))),
        ("a.html", text(&format!("\u{FEFF}{html}"))),
        ("a.html", [b"\xFF\xFE".to_vec(), utf_16(u16::to_le_bytes)].concat()),
        ("a.html", [b"\xFE\xFF".to_vec(), utf_16(u16::to_be_bytes)].concat()),
        ("a.html", text("+ADw-script+AD4-alert(1)+ADw-/script+AD4-")),
        ("a.html", text("<!--><script>alert(1)</script>")),
        ("a.html", text("<meta http-equiv=refresh content='0;url=javascript:alert(1)'>")),
        ("a.html", text("<base href='https://example.org/'><iframe srcdoc='<script>alert(1)</script>'>")),
        ("a.html", text("<object data='data:text/html,<script>alert(1)</script>'>")),
        ("a.html", text("<body onload=alert(1)>")),
        ("a.html", text("<a href=\"javascript:alert(1)\" ping=/x>a</a>")),
        ("a.xhtml", text("<html xmlns='http://www.w3.org/1999/xhtml'><script>alert(1)</script></html>")),
        ("a.svg", text(svg)),
        ("a.svg", text(&format!("<?xml version='1.0'?><!DOCTYPE svg>{svg}"))),
        ("a.svg", text("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")),
        (
            "a.svg",
            text(
                "<svg xmlns='http://www.w3.org/2000/svg'><foreignObject><body xmlns='http://www.w3.org/1999/xhtml' onload='alert(1)'/></foreignObject></svg>",
            ),
        ),
        ("a.png", text(svg)),
        ("a.svgz", [b"\x1F\x8B\x08\0\0\0\0\0\0\x03".to_vec(), vec![0; 30]].concat()),
        ("a.xml", text("<?xml version='1.0'?><?xml-stylesheet type='text/xsl' href='#x'?><x/>")),
        ("a.xml", text("<?xml version='1.0'?><!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>")),
        ("a.xml", text("<!DOCTYPE l [<!ENTITY a 'aa'><!ENTITY b '&a;&a;&a;'>]><l>&b;</l>")),
        ("a.rss", text("<rss><channel><item><description>&lt;script></description></item></channel></rss>")),
        (
            "a.mml",
            text("<math xmlns='http://www.w3.org/1998/Math/MathML'><mi xlink:href='javascript:alert(1)'/></math>"),
        ),
        ("a.pdf", text("%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\n%%EOF")),
        ("a.pdf", text(&format!("%PDF-1.4\n{html}"))),
        ("a.png", png(html.as_bytes())),
        ("a.html", png(html.as_bytes())),
        ("a.svg", png(b"")),
        ("a.png", [b"\x89PNG\r\n\x1A\n".to_vec(), text(&html)].concat()),
        ("a.png", [text(&html), png(b"")].concat()),
        ("a.gif", gif(&html)),
        ("a.js", gif("*/=1;alert(1)//")),
        ("a.jar", gif(&String::from_utf8_lossy(&jar))),
        ("a.gif", [gif(""), jar.clone()].concat()),
        ("a.gif", text(&format!("GIF89a{html}"))),
        ("a.gif", text("GIF87a=1;alert(1)")),
        ("a.jpg", jpeg(&html)),
        ("a.html", jpeg(SCRIPT)),
        ("a.jpg", [b"\xFF\xD8\xFF\xFE\0\x30".to_vec(), text(&html)].concat()),
        ("a.jar", jar),
        ("a.zip", zip_bomb),
        ("a.swf", text("CWS\x0Aalert")),
        ("a.swf", text("FWS\x0Aalert")),
        ("a.webp", [b"RIFF\xFF\xFF\xFF\xFFWEBP".to_vec(), text(&html)].concat()),
        ("a.wav", [b"RIFF\x10\0\0\0WAVE".to_vec(), text(&html)].concat()),
        ("a.mp4", [b"\0\0\0\x18ftypisom\0\0\0\0".to_vec(), text(&html)].concat()),
        ("a.avif", [b"\0\0\0\x18ftypavif\0\0\0\0".to_vec(), text(&html)].concat()),
        ("a.webm", [b"\x1A\x45\xDF\xA3\x84webm".to_vec(), text(&html)].concat()),
        ("a.mp3", [b"ID3\x04\0\0\0\0\0\0".to_vec(), text(&html)].concat()),
        ("a.ogg", [b"OggS\0\x02".to_vec(), text(&html)].concat()),
        ("a.ico", [b"\0\0\x01\0\x01\0".to_vec(), text(&html)].concat()),
        ("a.bmp", [b"BM\x3C\0\0\0".to_vec(), text(svg)].concat()),
        ("a.mht", text("From: <x>\r\nMIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n<script>alert(1)</script>")),
        ("a.hta", text("<hta:application/><script>new ActiveXObject('WScript.Shell')</script>")),
        ("a.wasm", b"\0asm\x01\0\0\0".to_vec()),
        ("a.css", text("body{background:url('javascript:alert(1)')}")),
        ("a.js", text("self.addEventListener('fetch', () => 0)")),
        ("manifest.json", text("{\"start_url\":\"javascript:alert(1)\"}")),
        ("a.eml", text("Content-Type: text/html\n\n<script>alert(1)</script>")),
        ("empty.html", Vec::new()),
    ]
}

#[test]
fn no_content_is_shown_as_a_page_whatever_it_looks_like() {
    let mut sharer = Sharer::new();
    let contents = hostile_contents();
    assert!(contents.len() >= 50, "{}", contents.len());
    let mut shown = 0;
    for (number, (called, content)) in contents.iter().enumerate() {
        let claimed =
            ["text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "application/pdf"][number % 5];
        let way = if content.is_empty() { Way::Query } else { [Way::Query, Way::Path, Way::Form][number % 3] };
        let what = format!("{number} {called} {:?}", String::from_utf8_lossy(&content[..content.len().min(60)]));
        let (name, path) = sharer.share(called, content, claimed, way);
        if content.is_empty() {
            let response = sharer.server.get(&path);
            check_fields(&response, &name, &what);
            continue;
        }
        let response = sharer.check(&name, &path, &what);
        let content_type = response.expect_header("Content-Type");
        if content_type == "application/octet-stream" {
            assert_eq!(&response.body, content, "{what}: nothing is changed");
        } else {
            shown += 1;
            // It begins as what it is shown as.
            let begins = |start: &[u8]| response.body.starts_with(start);
            let is_it = match content_type {
                "image/png" => begins(b"\x89PNG\r\n\x1A\n"),
                "image/jpeg" => begins(b"\xFF\xD8\xFF"),
                "image/gif" => begins(b"GIF8"),
                "image/webp" | "audio/wav" => begins(b"RIFF"),
                "image/avif" | "video/mp4" => response.body.get(4..8) == Some(b"ftyp"),
                "video/webm" => begins(b"\x1A\x45\xDF\xA3"),
                "audio/ogg" => begins(b"OggS"),
                _ => begins(b"ID3") || begins(b"\xFF"),
            };
            assert!(is_it, "{what}: {content_type}");
        }
    }
    assert!(shown > 2, "some of them are pictures as well: {shown}");
    // What the API tells of them is JSON, and nothing else.
    let events = sharer.server.get(&format!("/api/v1/rooms/{}/events", sharer.code));
    assert_eq!(events.expect_header("X-Content-Type-Options"), "nosniff");
    assert!(
        matches!(events.json(), Value::Object(_))
            && events.expect_header("Content-Type").starts_with("application/json")
    );
}
