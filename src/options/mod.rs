//! Every option and every limit, each with its reason.
//!
//! What a person wrote, on the command line or in the environment, is read and checked once, here; the
//! other modules need not check it again. `arguments` holds the options themselves, `values` how a single value
//! is read. What is done with the options is not decided here.

mod arguments;
mod cidr;
mod listener;
mod values;

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use arguments::Arguments;
pub use arguments::{AccountSubcommand, Subcommand};
pub use cidr::{Cidr, ProxyPeer};
use listener::OptionalListen;
pub use listener::{ListenAddress, Listener, ListenerPort};
use values::MdnsName;
pub use values::{AccountPolicy, ExportFormat, FilesPlace, LogFormat};

const WEB_PORT: u16 = 5000;
const LINE_PORT: u16 = 5001;
const MDNS_NAME: &str = "snugd";

/// All options of the program.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where browsers, terminals and whoever watches the server connect; at least one for browsers.
    pub listeners: Vec<Listener>,
    /// By what the server shows who it is; `None`: nothing is encrypted.
    pub tls: Option<TlsFiles>,
    /// The name by which the network finds this machine, without `.local`; `None` if it is to have none.
    pub mdns: Option<String>,
    /// The file that keeps rooms when the program ends; `None`: they are kept in memory only.
    pub data: Option<PathBuf>,
    /// The files that are shared in rooms.
    pub files: FilesOption,
    /// What is to be done instead of serving, if anything is.
    pub subcommand: Option<Subcommand>,
    /// The limits of rooms.
    pub limits: Limits,
    /// Connections open at once, so that many clients cannot use up the memory; 0: as many as the system allows.
    pub max_connections: usize,
    /// Connections open at once from one address, so that one client cannot use all connections; 0: no limit.
    pub max_per_address: usize,
    /// Peers from which a header of the PROXY protocol is expected, on every listener.
    pub proxy_protocol: Vec<ProxyPeer>,
    /// Who may claim a name, and who has to have.
    pub accounts: AccountPolicy,
    /// The names of accounts that are operators in every room.
    pub admins: Vec<String>,
    /// How the pages are reached from outside.
    pub web: WebOptions,
    /// The form of the log on standard error.
    pub log: LogFormat,
    /// The least important records that are logged: `-q` shows less, `-v` more.
    pub log_level: log::LevelFilter,
}

/// The files by which the server shows who it is, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Its certificate, and those that lead from it to one that clients know.
    pub certificate: PathBuf,
    /// The certificate's key.
    pub key: PathBuf,
}

/// The limits of rooms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Events kept for each room: what a newcomer can read of what was said before, and what a dropped
    /// connection can catch up with. At least 1.
    pub history_events: usize,
    /// How long a room outlives its last member, so that people who all leave for an hour find it again.
    pub room_ttl_ms: u64,
    /// How long a connection that dropped keeps its place, so that reloading a page is not announced.
    /// 0: a drop counts as leaving.
    pub grace_ms: u64,
    /// Letters in a room's code: few, so that it can be said aloud, but enough that it cannot be guessed. 4 to 12.
    pub code_length: usize,
    /// Bytes of UTF-8 in one message, since the server and every other member have to store it.
    pub message_bytes: usize,
    /// Messages a second from one connection, with bursts of four times that, so that nobody can flood a
    /// room; 0: no limit.
    pub rate: u32,
    /// Unknown codes asked for in a minute by one address, so that codes cannot be found by trying;
    /// 0: no limit.
    pub join_rate: u32,
    /// Rooms created in a minute by one address, so that one address cannot use up memory and codes; 0: no limit.
    pub create_rate: u32,
    /// Members of one room, since every message is sent to each of them; 0: no limit.
    pub members: usize,
    /// Bytes of memory that the history of all rooms may take, so that nobody can fill it by talking.
    pub memory_bytes: usize,
    /// Bytes in one file that is shared; 0: none are.
    pub file_bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            history_events: 1000,
            room_ttl_ms: 60 * 60 * 1000,
            grace_ms: 15 * 1000,
            code_length: 4,
            message_bytes: 4096,
            rate: 5,
            join_rate: 10,
            create_rate: 10,
            members: 1000,
            memory_bytes: 256 << 20,
            file_bytes: FileLimits::default().file_bytes,
        }
    }
}

/// The files that are shared in rooms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilesOption {
    /// Where their bytes lie.
    pub place: FilesPlace,
    /// How large they may be.
    pub limits: FileLimits,
}

/// How large shared files may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileLimits {
    /// Bytes in one file, since somebody has to download it. Never more than in all.
    pub file_bytes: u64,
    /// Bytes in all of them, so that nobody can fill the disk.
    pub all_bytes: u64,
}

impl Default for FileLimits {
    fn default() -> FileLimits {
        FileLimits { file_bytes: 25 << 20, all_bytes: 1 << 30 }
    }
}

/// How the pages are reached from outside: directly, or behind a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebOptions {
    /// The home page's complete address without the `/` at its end: an invitation is this, `/` and a
    /// room's code. It has a path of its own if one was given, else the base path. `None`: to be guessed.
    pub public_url: Option<String>,
    /// The path under which everything is served; begins and ends with `/`.
    pub base_path: String,
    /// Peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Cidr>,
    /// The header field, in lower case, by which a trusted proxy tells whom it has authenticated.
    pub auth_header: Option<String>,
    /// Origins (RFC 6454: scheme, host and port unless it is the scheme's own, in lower case) that may
    /// open WebSockets and post forms. Empty: only the request's own Host.
    pub allowed_origins: Vec<String>,
    /// Host names (lower case, no port) that are answered, the public URL's among them. Empty: any.
    pub allowed_hosts: Vec<String>,
    /// `/metrics` has a listener of its own, and is not among the pages.
    pub has_metrics_listener: bool,
}

impl Default for WebOptions {
    fn default() -> WebOptions {
        WebOptions {
            public_url: None,
            base_path: "/".to_owned(),
            trusted_proxies: Vec::new(),
            auth_header: None,
            allowed_origins: Vec::new(),
            allowed_hosts: Vec::new(),
            has_metrics_listener: false,
        }
    }
}

/// Why the program ends without serving, and what it prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The exit status: 0 where help or the version was asked for, 2 for bad usage, others as README has them.
    pub status: u8,
    /// What was asked for, or one sentence that says what to do instead.
    pub text: String,
}

impl Exit {
    /// For bad usage: the sentence says what to do instead.
    pub fn misused(sentence: &str) -> Exit {
        Exit { status: 2, text: format!("snugd: {sentence} See snugd --help.") }
    }

    /// For anything else that cannot be done.
    pub fn failed(status: u8, sentence: &str) -> Exit {
        Exit { status, text: format!("snugd: {sentence}") }
    }

    /// Prints the text where it belongs, and tells the exit status.
    pub fn report(&self) -> ExitCode {
        use std::io::Write;
        let text = self.text.trim_end();
        // If nobody reads the output to its end (`snugd --help | head -1`), that is no failure.
        let _ = match self.status {
            0 => writeln!(std::io::stdout(), "{text}"),
            _ => writeln!(std::io::stderr(), "{text}"),
        };
        ExitCode::from(self.status)
    }
}

impl Options {
    /// Reads the options from the command line, whose first item is the program's own name, and from the
    /// environment. An option wins over its variable; an empty variable counts as unset.
    ///
    /// # Errors
    ///
    /// [`Exit`] for `--help` and `--version`, and for everything that cannot be understood.
    pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Options, Exit> {
        let arguments = arguments::read(&Vec::from_iter(args))?;
        let port = std::env::var_os("PORT").filter(|value| !value.is_empty());
        resolve(arguments, port.map(read_port).transpose()?)
    }

    /// Reads the options from the command line alone, whatever the environment has.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_command_line(args: impl IntoIterator<Item = OsString>) -> Result<Options, Exit> {
        resolve(arguments::read_command_line(&Vec::from_iter(args))?, None)
    }
}

/// Reads `PORT`, with which cloud platforms tell the port for browsers.
fn read_port(value: OsString) -> Result<u16, Exit> {
    let value = value.to_string_lossy();
    let wrong = || Exit::misused(&format!("PORT wants a port number from 0 to 65535, not {value:?}."));
    values::read_digits(&value).ok_or_else(wrong)
}

/// Determines what depends on more than one option.
fn resolve(arguments: Arguments, port: Option<u16>) -> Result<Options, Exit> {
    let listeners = resolve_listeners(&arguments, port)?;
    let mdns = resolve_mdns(arguments.mdns, port)?;

    if arguments.data.is_some() && !cfg!(feature = "sqlite") {
        return Err(Exit::misused("This snugd was built without SQLite, so it has no --data; use another build."));
    }

    let asks_for_accounts =
        arguments.accounts == AccountPolicy::Required || !arguments.admin.is_empty() || arguments.auth_header.is_some();
    if asks_for_accounts && !cfg!(feature = "accounts") {
        let sentence =
            "This snugd was built without accounts, so it asks for none and knows no admins; use another build.";
        return Err(Exit::misused(sentence));
    }

    if arguments.auth_header.is_some() && arguments.trusted_proxy.is_empty() {
        return Err(Exit::misused(
            "--auth-header is believed from trusted proxies only: name yours with --trusted-proxy.",
        ));
    }

    // Else whoever comes first would claim the name.
    if !arguments.admin.is_empty() && arguments.data.is_none() && arguments.auth_header.is_none() {
        let sentence = "--admin names accounts that snugd account makes in a data file: name that with --data.";
        return Err(Exit::misused(sentence));
    }

    let tls = match (arguments.tls_cert, arguments.tls_key) {
        (None, None) => None,
        (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
        (Some(_), None) => {
            return Err(Exit::misused("--tls-cert needs the certificate's key: name it with --tls-key."));
        }
        (None, Some(_)) => return Err(Exit::misused("--tls-key needs its certificate: name it with --tls-cert.")),
    };

    let mut allowed_hosts = arguments.allowed_host;
    let public_url = arguments.public_url.map(|url| {
        if !allowed_hosts.contains(&url.host) {
            allowed_hosts.push(url.host);
        }
        let path = if url.path == "/" { &arguments.base_path } else { &url.path };
        format!("{}{}", url.origin, path.trim_end_matches('/'))
    });

    let files = FilesOption {
        place: arguments.files.unwrap_or(match arguments.data {
            Some(_) => FilesPlace::BesideData,
            None => FilesPlace::Temporary,
        }),
        limits: FileLimits { file_bytes: arguments.max_file.min(arguments.max_files), all_bytes: arguments.max_files },
    };
    let told_file_bytes = if files.place == FilesPlace::Off { 0 } else { files.limits.file_bytes };
    let has_metrics_listener = listeners.iter().any(|listener| listener.port == ListenerPort::Metrics);
    Ok(Options {
        listeners,
        tls,
        mdns,
        files,
        data: arguments.data,
        subcommand: arguments.subcommand,
        limits: Limits {
            history_events: arguments.history,
            room_ttl_ms: arguments.room_ttl,
            grace_ms: arguments.grace,
            code_length: arguments.code_length,
            message_bytes: arguments.max_message,
            rate: arguments.rate,
            join_rate: arguments.join_rate,
            create_rate: arguments.create_rate,
            members: arguments.max_members,
            memory_bytes: arguments.memory,
            file_bytes: told_file_bytes,
        },
        max_connections: arguments.max_connections,
        max_per_address: arguments.max_per_ip,
        proxy_protocol: arguments.proxy_protocol,
        accounts: arguments.accounts,
        admins: arguments.admin,
        web: WebOptions {
            public_url,
            base_path: arguments.base_path,
            trusted_proxies: arguments.trusted_proxy,
            auth_header: arguments.auth_header,
            allowed_origins: arguments.allowed_origin,
            allowed_hosts,
            has_metrics_listener,
        },
        log: arguments.log,
        log_level: match (arguments.quiet, arguments.verbose) {
            (true, _) => log::LevelFilter::Error,
            (false, 0) => log::LevelFilter::Info,
            (false, 1) => log::LevelFilter::Debug,
            (false, _) => log::LevelFilter::Trace,
        },
    })
}

/// Determines the name on the network. Where a platform sets `PORT` there is nobody beside the machine.
fn resolve_mdns(wanted: Option<MdnsName>, port: Option<u16>) -> Result<Option<String>, Exit> {
    match wanted {
        Some(MdnsName::Off) => Ok(None),
        Some(MdnsName::Name(_)) if !cfg!(feature = "mdns") => {
            let sentence = "This snugd was built without mDNS, so it has no name on the network; use another build.";
            Err(Exit::misused(sentence))
        }
        Some(MdnsName::Name(name)) => Ok(Some(name)),
        None if port.is_some() || !cfg!(feature = "mdns") => Ok(None),
        None => Ok(Some(MDNS_NAME.to_owned())),
    }
}

/// Determines where connections are accepted.
fn resolve_listeners(arguments: &Arguments, port: Option<u16>) -> Result<Vec<Listener>, Exit> {
    let everywhere = |port| ListenAddress::Tcp(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port));
    let mut listeners = Vec::new();
    let mut add = |port, addresses: &[ListenAddress]| {
        listeners.extend(addresses.iter().map(|address| Listener { port, address: address.clone() }));
    };
    match (&arguments.listen[..], port) {
        // As the platforms that set it have it: some of their machines have no IPv6.
        ([], Some(port)) => {
            let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
            add(ListenerPort::Web, &[ListenAddress::Tcp(address)]);
        }
        ([], None) => add(ListenerPort::Web, &[everywhere(WEB_PORT)]),
        (addresses, _) => add(ListenerPort::Web, addresses),
    }
    match (&arguments.line_listen[..], port) {
        ([], Some(_)) => {}
        ([], None) => add(ListenerPort::Line, &[everywhere(LINE_PORT)]),
        (wanted, _) => add(ListenerPort::Line, &addresses_of(ListenerPort::Line, wanted)?),
    }
    add(ListenerPort::LineTls, &addresses_of(ListenerPort::LineTls, &arguments.line_tls_listen)?);
    add(ListenerPort::Metrics, &arguments.metrics_listen);
    let has_line_tls = listeners.iter().any(|listener| listener.port == ListenerPort::LineTls);
    if has_line_tls && arguments.tls_cert.is_none() && cfg!(feature = "tls") {
        let sentence = "--line-tls-listen needs a certificate: name it and its key with --tls-cert and --tls-key.";
        return Err(Exit::misused(sentence));
    }
    if (has_line_tls || arguments.tls_cert.is_some()) && !cfg!(feature = "tls") {
        let sentence =
            "This snugd was built without TLS, so it has no --tls-cert and no --line-tls-listen; use another build.";
        return Err(Exit::misused(sentence));
    }
    for (index, one) in listeners.iter().enumerate() {
        if let Some(other) = listeners[index + 1..].iter().find(|other| collide(&one.address, &other.address)) {
            return Err(Exit::misused(&refuse_collision(one, other)));
        }
    }
    Ok(listeners)
}

/// The addresses of listeners that can be turned off.
fn addresses_of(port: ListenerPort, wanted: &[OptionalListen]) -> Result<Vec<ListenAddress>, Exit> {
    let at = |wanted: &OptionalListen| match wanted {
        OptionalListen::Off => None,
        OptionalListen::At(address) => Some(address.clone()),
    };
    match wanted {
        [OptionalListen::Off] => Ok(Vec::new()),
        _ if wanted.contains(&OptionalListen::Off) => {
            Err(Exit::misused(&format!("{} cannot be off and somewhere at once.", port.option())))
        }
        _ => Ok(wanted.iter().filter_map(at).collect()),
    }
}

/// The sentence for two listeners that want the same connections.
fn refuse_collision(one: &Listener, other: &Listener) -> String {
    match (one.port, other.port) {
        (ListenerPort::Web, ListenerPort::Line) => {
            let line = &other.address;
            format!("Browsers and terminals cannot share {line}; give --line-listen another port, or off.")
        }
        (one_port, other_port) if one_port == other_port => {
            format!("{} is given {} and {}, which are the same.", one_port.option(), one.address, other.address)
        }
        (one_port, other_port) => format!(
            "{} and {} cannot share {}; give one of them another address.",
            one_port.option(),
            other_port.option(),
            other.address
        ),
    }
}

/// Whether two listeners would want the same connections.
fn collide(one: &ListenAddress, other: &ListenAddress) -> bool {
    match (one, other) {
        (ListenAddress::Tcp(one), ListenAddress::Tcp(other)) => collide_at(*one, *other),
        _ => one == other,
    }
}

fn collide_at(one: SocketAddr, other: SocketAddr) -> bool {
    let (one_ip, other_ip) = (one.ip().to_canonical(), other.ip().to_canonical());
    // `[::]` is every address, `0.0.0.0` every IPv4 address.
    let covers = |all: IpAddr, ip: IpAddr| all.is_unspecified() && (all.is_ipv6() || ip.is_ipv4());
    let is_same_host = one_ip == other_ip || covers(one_ip, other_ip) || covers(other_ip, one_ip);
    one.port() == other.port() && one.port() != 0 && is_same_host
}

#[cfg(test)]
mod tests;
