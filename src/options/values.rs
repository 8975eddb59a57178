//! How a single value is read. Each `read_…` fails with a text that says what it wants, to be put between
//! "wants" and "not".

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::str::FromStr;
use std::path::PathBuf;

/// A hundred years: long enough, and its sum with a clock does not overflow.
const MAX_TIME_MS: u64 = 36_500 * 24 * 60 * 60 * 1000;

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// Names and values, for people and machines.
    Logfmt,
    /// A JSON object a line, for machines.
    Json,
}

/// Who may claim a name, and who has to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum AccountPolicy {
    /// Anybody may.
    Open,
    /// Whoever runs the server does, by `snugd account`.
    Closed,
    /// The same, and nobody comes in without an account.
    Required,
}

/// The name by which the network finds this machine, if it is to have one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MdnsName {
    Off,
    /// One label of a host name, in lower case.
    Name(String),
}

impl MdnsName {
    /// Reads a host name of one label (RFC 1123, section 2.1). A `.local` behind it is what it gets anyway.
    pub(super) fn read(value: &str) -> Result<MdnsName, &'static str> {
        let name = value.to_ascii_lowercase();
        let name = name.strip_suffix(".local").unwrap_or(&name);
        let is_inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let is_label = matches!(name.len(), 1..=63) && name.bytes().all(is_inside);
        match name {
            "off" => Ok(MdnsName::Off),
            _ if is_label && !name.starts_with('-') && !name.ends_with('-') => Ok(MdnsName::Name(name.to_owned())),
            _ => Err("a name like snugd, of letters, digits and hyphens, or off"),
        }
    }
}

/// Where the bytes of shared files lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilesPlace {
    /// In this folder.
    Folder(PathBuf),
    /// In the folder that belongs to the data file.
    BesideData,
    /// In a folder that goes with the program.
    Temporary,
    /// Nowhere: no files are shared.
    Off,
}

impl FilesPlace {
    pub(super) fn read(value: &str) -> Result<FilesPlace, &'static str> {
        match value {
            "" => Err("a folder, or off"),
            "off" => Ok(FilesPlace::Off),
            folder => Ok(FilesPlace::Folder(folder.into())),
        }
    }
}

/// Reads the name of a header field (RFC 9110, section 5.1).
pub(super) fn read_field_name(value: &str) -> Result<String, &'static str> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    match !value.is_empty() && value.bytes().all(is_token) {
        true => Ok(value.to_ascii_lowercase()),
        false => Err("the name of a header field like Remote-User"),
    }
}

/// A shell whose completions there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Shell {
    /// GNU's.
    Bash,
    /// The Z shell.
    Zsh,
    /// The friendly one.
    Fish,
}

/// The form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ExportFormat {
    /// As terminals show it.
    Text,
    /// A JSON object a line, as WebSockets are sent them.
    Json,
}

/// Whether colours are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ColourChoice {
    /// At a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Also in a pipe.
    Always,
    /// Nowhere.
    Never,
}

/// Reads `HOST:PORT`, `[HOST]:PORT`, `:PORT` or `PORT`; without a host, every address is meant, IPv4 and IPv6.
pub(super) fn read_address(value: &str) -> Result<SocketAddr, &'static str> {
    let wanted = "an address like [::]:5000, 127.0.0.1:5000 or :5000";
    if let Ok(address) = SocketAddr::from_str(value) {
        return Ok(address);
    }
    let (host, port) = value.rsplit_once(':').unwrap_or(("", value));
    let host = match host {
        "" => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        _ => return Err(wanted),
    };
    let port = read_digits(port).ok_or(wanted)?;
    Ok(SocketAddr::new(host, port))
}

/// Reads a number that has digits only: no sign, no spaces.
pub(super) fn read_digits<T: FromStr>(value: &str) -> Option<T> {
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| value.parse().ok()).flatten()
}

/// Reads the variable of an option without a value: whether it is given.
pub(super) fn read_switch(value: &str) -> Result<bool, &'static str> {
    read_count(value).map(|count| count > 0)
}

/// Reads the variable of an option without a value: how often it is given.
pub(super) fn read_count(value: &str) -> Result<u8, &'static str> {
    match value {
        "false" | "no" | "off" => Ok(0),
        "true" | "yes" | "on" => Ok(1),
        _ => read_digits(value).ok_or("0 or 1"),
    }
}

/// A reader of whole numbers from `min` to `max`, both included.
pub(super) fn number<T>(min: T, max: T) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static
where
    T: FromStr + PartialOrd + Copy + core::fmt::Display + Send + Sync + 'static,
{
    move |value| {
        read_digits(value)
            .filter(|number| (min..=max).contains(number))
            .ok_or_else(|| format!("a whole number from {min} to {max}"))
    }
}

/// Reads `15s`, `10m`, `1h30m` or `30d` into milliseconds. Zero needs no unit.
pub(super) fn read_time_ms(value: &str) -> Result<u64, &'static str> {
    if value == "0" {
        return Ok(0);
    }
    let too_long = "a time of at most 36500d";
    let time = humantime::parse_duration(value).map_err(|error| match error {
        humantime::DurationError::NumberOverflow => too_long,
        _ => "a time like 15s, 10m, 1h or 30d",
    })?;
    u64::try_from(time.as_millis()).ok().filter(|&time_ms| time_ms <= MAX_TIME_MS).ok_or(too_long)
}

/// Reads a size of memory in bytes.
pub(super) fn read_size_bytes(value: &str) -> Result<usize, &'static str> {
    let bytes = parse_size_bytes(value).and_then(|bytes| usize::try_from(bytes).ok());
    bytes.filter(|bytes| *bytes >= 1 << 20).ok_or("a size like 64K, 25M or 1G, at least 1M")
}

/// Reads a size of files in bytes.
pub(super) fn read_file_size_bytes(value: &str) -> Result<u64, &'static str> {
    parse_size_bytes(value).filter(|bytes| *bytes > 0).ok_or("a size like 64K, 25M or 1G, at least 1K")
}

/// Reads a number with K, M or G behind it (powers of 1024).
fn parse_size_bytes(value: &str) -> Option<u64> {
    let unit_bytes: u64 = match value.bytes().last()? {
        b'K' | b'k' => 1 << 10,
        b'M' | b'm' => 1 << 20,
        b'G' | b'g' => 1 << 30,
        _ => return None,
    };
    read_digits::<u64>(&value[..value.len() - 1])?.checked_mul(unit_bytes)
}

/// Reads a path, with or without its outer slashes.
pub(super) fn read_base_path(value: &str) -> Result<String, &'static str> {
    let segments = value.strip_prefix('/').unwrap_or(value);
    let segments = segments.strip_suffix('/').unwrap_or(segments);
    if segments.is_empty() {
        return Ok("/".to_owned());
    }
    // Unreserved characters (RFC 3986, section 2.3): they are never percent-encoded.
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let plain = |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(unreserved);
    match segments.split('/').all(plain) {
        true => Ok(format!("/{segments}/")),
        false => Err("a path like /chat/, of letters, digits and - . _ ~"),
    }
}

/// The parts of the public URL that are used by themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PublicUrl {
    /// Scheme, host and port unless it is the scheme's own, in lower case (RFC 6454).
    pub origin: String,
    /// The host alone, in lower case.
    pub host: String,
    /// Begins and ends with `/`.
    pub path: String,
}

pub(super) fn read_public_url(value: &str) -> Result<PublicUrl, &'static str> {
    let wanted = "a URL like https://chat.example.org";
    let (scheme, rest) = value.split_once("://").ok_or(wanted)?;
    let scheme = scheme.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "http" => 80,
        "https" => 443,
        _ => return Err("a URL that begins with http:// or https://"),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let authority = authority.to_ascii_lowercase();
    let (host, port) = match authority.rsplit_once(':') {
        // The last colon inside an IPv6 address does not begin a port.
        Some((host, port)) if !port.ends_with(']') => {
            let port: u16 = read_digits(port).ok_or(wanted)?;
            (host, Some(port).filter(|&port| port != default_port))
        }
        _ => (authority.as_str(), None),
    };
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => Ipv6Addr::from_str(address).map(|address| format!("[{address}]")).map_err(|_| wanted)?,
        None => read_host(host).map_err(|_| wanted)?,
    };
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    Ok(PublicUrl { origin: format!("{scheme}://{host}{port}"), path: read_base_path(path).map_err(|_| wanted)?, host })
}

/// Where a server is to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebAddress {
    /// The host, in brackets if it is an IPv6 address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The path of the home page; begins and ends with `/`.
    pub path: String,
}

pub(super) fn read_web_address(value: &str) -> Result<WebAddress, &'static str> {
    let wanted = "a URL that begins with http:// (a server with TLS answers there as well)";
    let PublicUrl { origin, host, path } = read_public_url(value).map_err(|_| wanted)?;
    let authority = origin.strip_prefix("http://").ok_or(wanted)?;
    let port = match authority[host.len()..].strip_prefix(':') {
        Some(port) => read_digits(port).ok_or("a URL with a port")?,
        None => 80,
    };
    Ok(WebAddress { host, port, path })
}

/// Reads an origin as browsers send it (RFC 6454, section 7): scheme, host and perhaps a port, no path.
pub(super) fn read_origin(value: &str) -> Result<String, &'static str> {
    read_public_url(value.trim())
        .ok()
        .filter(|url| url.path == "/")
        .map(|url| url.origin)
        .ok_or("an origin like https://chat.example.org, without a path")
}

/// Reads a host name, or an IPv4 address, without a port.
pub(super) fn read_host(value: &str) -> Result<String, &'static str> {
    let host = value.trim().to_ascii_lowercase();
    let host = host.strip_suffix('.').unwrap_or(&host);
    let name = |label: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        !label.is_empty() && label.len() <= 63 && label.bytes().all(known)
    };
    match host.len() <= 253 && host.split('.').all(name) {
        true => Ok(host.to_owned()),
        false => Err("a host name like chat.example.org, without a port"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        assert_eq!(read_time_ms("15s"), Ok(15_000));
        assert_eq!(read_time_ms("10m"), Ok(600_000));
        assert_eq!(read_time_ms("1h"), Ok(3_600_000));
        assert_eq!(read_time_ms("30d"), Ok(2_592_000_000));
        assert_eq!(read_time_ms("0s"), Ok(0));
        assert_eq!(read_time_ms("0"), Ok(0));
        assert_eq!(read_time_ms("36500d"), Ok(MAX_TIME_MS));
        assert_eq!(read_time_ms("1h30m"), Ok(5_400_000));
        assert_eq!(read_time_ms("1h 30m"), Ok(5_400_000));
        assert_eq!(read_time_ms("1500ms"), Ok(1500));
        for wrong in ["", "s", "15", "1h30", "-1s", "+1s", "1S", "1x", "36501d", "1é", "٣s"] {
            assert!(read_time_ms(wrong).is_err(), "{wrong:?} was accepted");
        }
        assert!(read_time_ms("99999999999999999999s").is_err());
        assert!(read_time_ms("18446744073709551615d").is_err());
    }

    #[test]
    fn a_size_has_a_unit() {
        for (value, bytes) in [("1M", 1 << 20), ("2048K", 2 << 20), ("256m", 256 << 20), ("3G", 3 << 30)] {
            assert_eq!(read_size_bytes(value), Ok(bytes));
        }
        for wrong in
            ["", "M", "1", "1000", "512K", "+1M", "-1M", "1.5M", "1MB", "1T", "99999999999999999999G", "é", "1é"]
        {
            assert!(read_size_bytes(wrong).is_err(), "{wrong:?} was accepted");
        }
    }

    #[test]
    fn a_switch_is_on_or_off() {
        for (value, count) in [("0", 0), ("off", 0), ("false", 0), ("1", 1), ("yes", 1), ("true", 1), ("2", 2)] {
            assert_eq!(read_count(value), Ok(count));
            assert_eq!(read_switch(value), Ok(count > 0));
        }
        for wrong in ["", "very", "-1", "256"] {
            assert_eq!(read_switch(wrong), Err("0 or 1"));
        }
    }

    #[test]
    fn a_name_on_the_network_is_one_label() {
        let name = |name: &str| Ok(MdnsName::Name(name.to_owned()));
        assert_eq!(MdnsName::read("off"), Ok(MdnsName::Off));
        for (value, expected) in [("snugd", "snugd"), ("Room-7", "room-7"), ("class.local", "class"), ("7", "7")] {
            assert_eq!(MdnsName::read(value), name(expected));
        }
        for wrong in ["", ".local", "-a", "a-", "a.b", "a b", "a_b", "ä", &"a".repeat(64)] {
            assert!(MdnsName::read(wrong).is_err(), "{wrong:?} was accepted");
        }
    }

    #[test]
    fn a_base_path_has_both_its_slashes() {
        for (value, expected) in
            [("", "/"), ("/", "/"), ("chat", "/chat/"), ("/chat", "/chat/"), ("/a/b-c_d~e.f/", "/a/b-c_d~e.f/")]
        {
            assert_eq!(read_base_path(value).as_deref(), Ok(expected));
        }
        for wrong in ["///", "/a//b", "/a/../b", ".", "/a?b", "/a#b", "/%41", "/a b", "/ä"] {
            assert!(read_base_path(wrong).is_err(), "{wrong:?} was accepted");
        }
    }

    #[test]
    fn a_public_url_is_taken_apart() {
        let url = read_public_url("HTTPS://Chat.Example.org:8443/a").expect("a URL");
        assert_eq!(url.origin, "https://chat.example.org:8443");
        assert_eq!((url.host.as_str(), url.path.as_str()), ("chat.example.org", "/a/"));
        let url = read_public_url("http://[2001:DB8::1]:80").expect("a URL");
        assert_eq!((url.origin.as_str(), url.host.as_str()), ("http://[2001:db8::1]", "[2001:db8::1]"));
        for wrong in [
            "",
            "chat.example.org",
            "ftp://chat.example.org",
            "http://",
            "http:///a",
            "http://user@chat.example.org",
            "http://chat.example.org:x",
            "http://chat.example.org:",
            "http://chat.example.org?a",
            "http://chat.example.org/?a#b",
            "http://2001:db8::1",
            "http://[chat]",
            "http://a b",
        ] {
            assert!(read_public_url(wrong).is_err(), "{wrong:?} was accepted");
        }
    }

    #[test]
    fn an_origin_has_no_path() {
        assert_eq!(read_origin("http://A.example:80/").as_deref(), Ok("http://a.example"));
        assert_eq!(read_origin("https://a.example:80").as_deref(), Ok("https://a.example:80"));
        assert!(read_origin("http://a.example/b").is_err());
        assert!(read_origin("null").is_err());
        assert!(read_origin("*").is_err());
    }

    #[test]
    fn a_host_is_a_name_alone() {
        assert_eq!(read_host("Chat.Example.org.").as_deref(), Ok("chat.example.org"));
        for wrong in ["", ".", "a..b", "a:80", "http://a", "*.example.org", "ä.example"] {
            assert!(read_host(wrong).is_err(), "{wrong:?} was accepted");
        }
    }
}
