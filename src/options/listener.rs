//! Where connections are accepted, and which protocol is spoken there.

use core::fmt::{self, Display, Formatter};
use core::net::SocketAddr;
use std::path::PathBuf;

use super::values::read_address;

/// One place where connections are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// What is spoken there.
    pub port: ListenerPort,
    /// Where it is.
    pub address: ListenAddress,
}

impl Display for Listener {
    /// As in `listening web 127.0.0.1:5000`.
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.port.word(), self.address)
    }
}

/// What is spoken on a listener's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ListenerPort {
    /// HTTP, and WebSockets by way of it.
    Web,
    /// The terminal protocol.
    Line,
    /// The terminal protocol over TLS.
    LineTls,
    /// What tells how the server is, over HTTP.
    Metrics,
}

impl ListenerPort {
    /// One word for it.
    pub fn word(self) -> &'static str {
        match self {
            ListenerPort::Web => "web",
            ListenerPort::Line => "line",
            ListenerPort::LineTls => "line-tls",
            ListenerPort::Metrics => "metrics",
        }
    }

    /// The option that asks for it.
    pub fn option(self) -> &'static str {
        match self {
            ListenerPort::Web => "--listen",
            ListenerPort::Line => "--line-listen",
            ListenerPort::LineTls => "--line-tls-listen",
            ListenerPort::Metrics => "--metrics-listen",
        }
    }
}

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// With port 0 the system chooses a free one. `[::]` stands for IPv4 as well, and for it alone on a system without
    /// IPv6.
    Tcp(SocketAddr),
    /// A Unix socket of this path.
    Unix(PathBuf),
}

/// What a Unix socket's path is written behind.
const UNIX: &str = "unix:";

/// Bytes of a Unix socket's path (unix(7): `sun_path`, with a null byte at its end).
const MOST_PATH_BYTES: usize = if cfg!(any(target_os = "linux", target_os = "android")) { 107 } else { 103 };

impl ListenAddress {
    /// Reads an address as [`read_address`] does, or `unix:PATH`.
    pub(super) fn read(value: &str) -> Result<ListenAddress, String> {
        let Some(path) = value.strip_prefix(UNIX) else {
            return Ok(ListenAddress::Tcp(read_address(value)?));
        };
        if !cfg!(unix) {
            return Err("an address with a port, as this system's Unix sockets are not supported".to_owned());
        }
        match path.len() {
            0 => Err("a path after unix:, as in unix:/run/snugd.sock".to_owned()),
            1..=MOST_PATH_BYTES => Ok(ListenAddress::Unix(path.into())),
            _ => Err(format!("a path of at most {MOST_PATH_BYTES} bytes after unix:")),
        }
    }

    /// The address of a TCP listener.
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            ListenAddress::Tcp(address) => Some(*address),
            ListenAddress::Unix(_) => None,
        }
    }
}

impl Display for ListenAddress {
    /// As it is written with an option.
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            ListenAddress::Tcp(address) => write!(formatter, "{address}"),
            ListenAddress::Unix(path) => write!(formatter, "{UNIX}{}", path.display()),
        }
    }
}

/// Where a listener is wanted that can be turned off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OptionalListen {
    /// Nowhere.
    Off,
    /// Here.
    At(ListenAddress),
}

impl OptionalListen {
    pub(super) fn read(value: &str) -> Result<OptionalListen, String> {
        match value {
            "off" => Ok(OptionalListen::Off),
            _ => ListenAddress::read(value).map(OptionalListen::At).map_err(|wanted| format!("{wanted}, or off")),
        }
    }
}
