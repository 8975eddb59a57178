//! Every option and every limit, each with its reason.
//!
//! What a person wrote, on the command line, in the environment or in a file, is read and checked once, here; the
//! other modules need not check it again. `arguments` holds the options themselves, `values` how a single value
//! is read, `settings` which value counts. What is done with the options is not decided here.

mod arguments;
mod change;
mod cidr;
mod command_line;
mod config_file;
mod data_place;
mod fault;
mod listener;
mod settings;
mod values;

use core::fmt;
use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use arguments::Arguments;
pub use arguments::{AccountSubcommand, ClusterArguments, JoinOptions, Subcommand};
pub use change::Changes;
pub use cidr::{Cidr, ProxyPeer};
pub use command_line::definition;
pub use data_place::DataPlace;
use fault::Fault;
use listener::OptionalListen;
pub use listener::{ListenAddress, Listener, ListenerPort};
pub use settings::{Setting, Source, nearest_variable};
use settings::{Settings, environment};
use values::MdnsName;
pub use values::{AccountPolicy, ColourChoice, ExportFormat, FilesPlace, LogFormat, Shell, WebAddress};

const WEB_PORT: u16 = 5000;
const LINE_PORT: u16 = 5001;
const MDNS_NAME: &str = "snugd";

/// All options of the program.
#[derive(Clone, Debug)]
pub struct Options {
    /// What each option is set to, and where.
    pub settings: Vec<Setting>,
    /// Where browsers, terminals and whoever watches the server connect; at least one for browsers.
    pub listeners: Vec<Listener>,
    /// By what the server shows who it is; `None`: nothing is encrypted.
    pub tls: Option<TlsFiles>,
    /// The name by which the network finds this machine, without `.local`; `None` if it is to have none.
    pub mdns: Option<String>,
    /// The file that keeps rooms when the program ends; `None`: they are kept in memory only.
    pub data: Option<PathBuf>,
    /// By what the rooms are shared with other nodes; `None`: they are not.
    pub cluster: Option<ClusterOption>,
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

/// By what rooms are shared with other nodes.
#[derive(Clone, PartialEq, Eq)]
pub struct ClusterOption {
    /// Where it is, as it was given. It may hold a password: it is shown to nobody.
    pub url: String,
    /// Replicas that have to have a change before anybody sees it.
    pub wait_replicas: u32,
}

impl fmt::Debug for ClusterOption {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ClusterOption").field("wait_replicas", &self.wait_replicas).finish_non_exhaustive()
    }
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
    /// Host names (lower case, no port) that are answered, the public URL's and the network's among them. Empty: any.
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
    /// The exit status: 0 where help or the version was asked for, 2 for bad usage, others as `docs/options.md` has them.
    pub status: u8,
    /// What was asked for, or one sentence that says what to do instead.
    pub text: String,
}

impl Exit {
    /// For bad usage: the sentence says what to do instead.
    pub fn misused(sentence: &str) -> Exit {
        Exit { status: 2, text: format!("snugd: {sentence} See snugd --help.") }
    }

    /// For several things that are wrong with how it is used, of which this is the first.
    fn misused_among(sentence: &str, others: usize) -> Exit {
        let things = if others == 1 { "1 more thing is" } else { &format!("{others} more things are") };
        Exit { status: 2, text: format!("snugd: {sentence} And {things} wrong: see snugd check.") }
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

/// What the options are found to be, right or wrong.
#[derive(Debug)]
pub struct Findings {
    /// Every option, what it is set to, and where.
    pub settings: Vec<Setting>,
    /// What is wrong with them, all of it, in a sentence each.
    pub faults: Vec<String>,
    /// The options that follow; where something is wrong, not those that are meant.
    pub options: Option<Options>,
}

impl Options {
    /// Reads the options from the command line, whose first item is the program's own name, from the environment, and
    /// from the configuration file that is named in one of these. What is named first here wins; an empty variable
    /// counts as unset. With a subcommand, the environment is left alone, and the options are those by default: what a
    /// subcommand wants to know of it, it looks for itself.
    ///
    /// # Errors
    ///
    /// [`Exit`] for `--help` and `--version`, and for everything that cannot be understood.
    pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Options, Exit> {
        let command_line = command_line::read(&Vec::from_iter(args))?;
        let findings = match command_line.subcommand {
            None => Findings::of(Settings::gather(&[&command_line.given], Some(&environment))),
            Some(_) => Findings::of(Settings::gather(&[], None)),
        };
        Ok(Options { subcommand: command_line.subcommand, ..findings.into_options()? })
    }

    /// What is to be said of files, where several nodes share rooms and nobody has said anything of files.
    pub fn files_note(&self) -> Option<&'static str> {
        let is_given = |setting: &Setting| setting.name == "files" && *setting.source() != Source::Default;
        let is_missing = self.cluster.is_some() && !self.settings.iter().any(is_given);
        is_missing.then_some(
            "no files are shared, since no node has those of another: name a folder of all nodes with --files",
        )
    }

    /// Reads the options from the command line alone, whatever the environment has.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_command_line(args: impl IntoIterator<Item = OsString>) -> Result<Options, Exit> {
        let command_line = command_line::read(&Vec::from_iter(args))?;
        let findings = Findings::of(Settings::gather(&[&command_line.given], None));
        Ok(Options { subcommand: command_line.subcommand, ..findings.into_options()? })
    }
}

impl Findings {
    /// What a server that is started like this would find; a subcommand that takes the server's options may stand among
    /// them.
    ///
    /// # Errors
    ///
    /// [`Exit`] where the command line holds something else than options.
    pub fn look(args: impl IntoIterator<Item = OsString>) -> Result<Findings, Exit> {
        let command_line = command_line::read(&Vec::from_iter(args))?;
        let inner = command_line.given.subcommand().map(|(_, given)| given);
        let given: Vec<_> = inner.into_iter().chain([&command_line.given]).collect();
        Ok(Findings::of(Settings::gather(&given, Some(&environment))))
    }

    fn of(mut settings: Settings) -> Findings {
        let arguments = settings.read();
        let mut together = Vec::new();
        let options = arguments.map(|arguments| resolve(arguments, &mut together));
        // What is wrong with one option may be why it does not go with another.
        let wrong: Vec<&String> = settings.faults.iter().flat_map(|fault| &fault.options).collect();
        together.retain(|fault| !fault.options.iter().any(|option| wrong.contains(&option)));
        let place_of = |option: &str| match settings.all.iter().find(|setting| setting.name == option)?.source() {
            Source::CommandLine | Source::Default => None,
            source => Some(source.to_string()),
        };
        let together: Vec<String> = together.into_iter().map(|fault| fault.with_places(place_of)).collect();
        let faults = settings.faults.into_iter().map(|fault| fault.sentence).chain(together).collect();
        let options = options.map(|options| Options { settings: settings.all.clone(), ..options });
        Findings { settings: settings.all, faults, options }
    }

    /// The options, if nothing is wrong.
    ///
    /// # Errors
    ///
    /// [`Exit`] for what is wrong first.
    pub fn into_options(self) -> Result<Options, Exit> {
        match (self.faults.as_slice(), self.options) {
            ([], Some(options)) => Ok(options),
            ([only], _) => Err(Exit::misused(only)),
            ([first, others @ ..], _) => Err(Exit::misused_among(first, others.len())),
            ([], None) => Err(Exit::misused("The options cannot be read.")),
        }
    }
}

/// Determines what depends on more than one option. What does not go together is among the faults.
fn resolve(arguments: Arguments, faults: &mut Vec<Fault>) -> Options {
    let listeners = resolve_listeners(&arguments, faults);
    let mdns = resolve_mdns(&arguments, faults);
    let cluster = resolve_cluster(&arguments, faults);

    if arguments.data.is_some() && !cfg!(feature = "sqlite") {
        let sentence = "This snugd was built without SQLite, so it has no --data; use another build.";
        faults.push(Fault::new(&["data"], sentence));
    }

    let asks_for_accounts =
        arguments.accounts == AccountPolicy::Required || !arguments.admin.is_empty() || arguments.auth_header.is_some();
    if asks_for_accounts && !cfg!(feature = "accounts") {
        let sentence =
            "This snugd was built without accounts, so it asks for none and knows no admins; use another build.";
        faults.push(Fault::new(&["accounts", "admin", "auth-header"], sentence));
    }

    if arguments.auth_header.is_some() && arguments.trusted_proxy.is_empty() {
        let sentence = "--auth-header is believed from trusted proxies only: name yours with --trusted-proxy.";
        faults.push(Fault::new(&["auth-header", "trusted-proxy"], sentence));
    }

    // Else whoever comes first would claim the name.
    let keeps_accounts = arguments.data.is_some() || cluster.is_some();
    if !arguments.admin.is_empty() && !keeps_accounts && arguments.auth_header.is_none() {
        let sentence = "--admin names accounts that snugd account makes: have them kept by --data or --cluster.";
        faults.push(Fault::new(&["admin", "data", "auth-header"], sentence));
    }

    let tls = match (arguments.tls_cert, arguments.tls_key) {
        (None, None) => None,
        (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
        (Some(_), None) => {
            let sentence = "--tls-cert needs the certificate's key: name it with --tls-key.";
            faults.push(Fault::new(&["tls-cert", "tls-key"], sentence));
            None
        }
        (None, Some(_)) => {
            let sentence = "--tls-key needs its certificate: name it with --tls-cert.";
            faults.push(Fault::new(&["tls-cert", "tls-key"], sentence));
            None
        }
    };

    let mut allowed_hosts = arguments.allowed_host;
    let public_url = arguments.public_url.map(|url| {
        if !allowed_hosts.contains(&url.host) {
            allowed_hosts.push(url.host);
        }
        let path = if url.path == "/" { &arguments.base_path } else { &url.path };
        format!("{}{}", url.origin, path.trim_end_matches('/'))
    });
    // No page from elsewhere can have it: DNS answers for no name in .local (RFC 6762, section 3).
    if let Some(name) = mdns.as_ref().filter(|_| !allowed_hosts.is_empty()) {
        allowed_hosts.push(format!("{name}.local"));
    }

    let files = FilesOption {
        place: arguments.files.unwrap_or(match (&cluster, &arguments.data) {
            // A folder of this node's own would have what others cannot find.
            (Some(_), _) => FilesPlace::Off,
            (None, Some(_)) => FilesPlace::BesideData,
            (None, None) => FilesPlace::Temporary,
        }),
        limits: FileLimits { file_bytes: arguments.max_file.min(arguments.max_files), all_bytes: arguments.max_files },
    };
    let told_file_bytes = if files.place == FilesPlace::Off { 0 } else { files.limits.file_bytes };
    let has_metrics_listener = listeners.iter().any(|listener| listener.port == ListenerPort::Metrics);
    Options {
        settings: Vec::new(),
        listeners,
        tls,
        mdns,
        files,
        data: arguments.data,
        cluster,
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
    }
}

/// Determines the name on the network.
fn resolve_mdns(arguments: &Arguments, faults: &mut Vec<Fault>) -> Option<String> {
    let is_built_in = cfg!(feature = "mdns");
    match &arguments.mdns {
        Some(MdnsName::Off) => None,
        Some(MdnsName::Name(name)) => {
            if !is_built_in {
                let sentence =
                    "This snugd was built without mDNS, so it has no name on the network; use another build.";
                faults.push(Fault::new(&["mdns"], sentence));
            }
            Some(name.clone())
        }
        None => is_built_in.then(|| MDNS_NAME.to_owned()),
    }
}

/// Determines by what the rooms are shared.
fn resolve_cluster(arguments: &Arguments, faults: &mut Vec<Fault>) -> Option<ClusterOption> {
    let mut refuse = |options: &[&str], sentence: &str| faults.push(Fault::new(options, sentence));
    let Some(url) = &arguments.cluster else {
        if arguments.cluster_wait > 0 {
            let sentence = "--cluster-wait is about the replicas of a Redis: name that with --cluster.";
            refuse(&["cluster-wait", "cluster"], sentence);
        }
        return None;
    };
    if arguments.data.is_some() {
        let sentence = "--cluster keeps the rooms in Redis, --data in a file: leave one of them out.";
        refuse(&["cluster", "data"], sentence);
    }
    if !cfg!(feature = "cluster") {
        refuse(&["cluster"], "This snugd was built without cluster, so it shares no rooms; use another build.");
    }
    Some(ClusterOption { url: url.clone(), wait_replicas: arguments.cluster_wait })
}

/// Determines where connections are accepted.
fn resolve_listeners(arguments: &Arguments, faults: &mut Vec<Fault>) -> Vec<Listener> {
    let everywhere = |port| ListenAddress::Tcp(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port));
    let mut listeners = Vec::new();
    let mut add = |port, addresses: &[ListenAddress]| {
        listeners.extend(addresses.iter().map(|address| Listener { port, address: address.clone() }));
    };
    match &arguments.listen[..] {
        [] => add(ListenerPort::Web, &[everywhere(WEB_PORT)]),
        addresses => add(ListenerPort::Web, addresses),
    }
    match &arguments.line_listen[..] {
        [] => add(ListenerPort::Line, &[everywhere(LINE_PORT)]),
        wanted => add(ListenerPort::Line, &addresses_of(ListenerPort::Line, wanted, faults)),
    }
    add(ListenerPort::LineTls, &addresses_of(ListenerPort::LineTls, &arguments.line_tls_listen, faults));
    add(ListenerPort::Metrics, &arguments.metrics_listen);
    let has_line_tls = listeners.iter().any(|listener| listener.port == ListenerPort::LineTls);
    if has_line_tls && arguments.tls_cert.is_none() && cfg!(feature = "tls") {
        let sentence = "--line-tls-listen needs a certificate: name it and its key with --tls-cert and --tls-key.";
        faults.push(Fault::new(&["line-tls-listen", "tls-cert"], sentence));
    }
    if (has_line_tls || arguments.tls_cert.is_some()) && !cfg!(feature = "tls") {
        let sentence =
            "This snugd was built without TLS, so it has no --tls-cert and no --line-tls-listen; use another build.";
        faults.push(Fault::new(&["line-tls-listen", "tls-cert"], sentence));
    }
    for (index, one) in listeners.iter().enumerate() {
        if let Some(other) = listeners[index + 1..].iter().find(|other| collide(&one.address, &other.address)) {
            let options = [one, other].map(|listener| listener.port.option().trim_start_matches('-'));
            let options = if options[0] == options[1] { &options[..1] } else { &options };
            faults.push(Fault::new(options, refuse_collision(one, other)));
        }
    }
    listeners
}

/// The addresses of listeners that can be turned off.
fn addresses_of(port: ListenerPort, wanted: &[OptionalListen], faults: &mut Vec<Fault>) -> Vec<ListenAddress> {
    let at = |wanted: &OptionalListen| match wanted {
        OptionalListen::Off => None,
        OptionalListen::At(address) => Some(address.clone()),
    };
    if wanted.len() > 1 && wanted.contains(&OptionalListen::Off) {
        let option = port.option();
        let sentence = format!("{option} cannot be off and somewhere at once.");
        faults.push(Fault::new(&[option.trim_start_matches('-')], sentence));
    }
    wanted.iter().filter_map(at).collect()
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
