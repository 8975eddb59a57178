//! The target of a request line, and the authority (host and port) in it or in the field `Host`.

/// The request's target (RFC 9112 section 3.2): usually a path; a whole URL if it was sent to a proxy; `*` if it is
/// meant for the server as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target<'b> {
    /// Host and port, if it is a whole URL.
    pub authority: Option<&'b str>,
    /// The path, which begins with a slash, or `*`.
    pub path: &'b str,
    /// What follows the question mark; empty if nothing does.
    pub query: &'b str,
}

impl<'b> Target<'b> {
    /// The path `/`.
    pub const ROOT: Target<'static> = Target { authority: None, path: "/", query: "" };

    /// The whole server, which only OPTIONS asks for.
    pub const SERVER: Target<'static> = Target { authority: None, path: "*", query: "" };

    /// Reads a path or a URL; `None` if it is neither. It has no fragment, and nothing but ASCII (RFC 3986 section 2);
    /// of the characters that are to be encoded, browsers leave some as they are, so they are let through.
    pub fn read(target: &'b str) -> Option<Target<'b>> {
        if !target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
            return None;
        }
        let (authority, path) = if target.starts_with('/') {
            (None, target)
        } else {
            let rest = strip_scheme(target)?;
            let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
            (Some(is_authority(authority).then_some(authority)?), path)
        };
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        // Some take it for a slash, browsers among them, which therefore never send it.
        if path.contains('\\') {
            return None;
        }
        Some(Target { authority, path: if path.is_empty() { "/" } else { path }, query })
    }
}

fn strip_scheme(target: &str) -> Option<&str> {
    ["http://", "https://"].into_iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}

/// Whether this is a host with or without a port (RFC 3986 section 3.2, without user information, which is
/// refused as RFC 9110 section 4.2.4 recommends).
pub fn is_authority(text: &str) -> bool {
    let (host, port) = split_port(text);
    let is_host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|address| address.parse::<core::net::Ipv6Addr>().is_ok()),
        None => !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)),
    };
    is_host && port.is_none_or(|port| port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Splits an authority into host, with its brackets if it has some, and port.
pub fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}
