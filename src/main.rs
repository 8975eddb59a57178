//! Wiring: options in, reactor out, and the exit status.
#![forbid(unsafe_code)]

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use rand::SeedableRng;
use rand::rngs::{StdRng, SysRng};
#[cfg(unix)]
use sd_notify::NotifyState;
#[cfg(feature = "accounts")]
use snugd::accounts::{Authenticator, PasswordThread};
use snugd::files::{FolderStore, Quotas};
use snugd::greeting::{self, Facts};
use snugd::http::Site;
use snugd::interfaces::Network;
use snugd::invitation::Invitation;
#[cfg(feature = "sqlite")]
use snugd::journal::sqlite::SqliteJournal;
use snugd::journal::{Journal, MemoryJournal};
use snugd::line::{self, LocalClock};
#[cfg(feature = "mdns")]
use snugd::mdns;
#[cfg(feature = "tls")]
use snugd::options::TlsFiles;
use snugd::options::{AccountPolicy, Listener, ListenerPort, Options};
use snugd::reactor::{AdmissionLimits, BindError, Files, HandedOver, Net, Reactor, Shared, all_encoders};
use snugd::reloading::Reloader;
use snugd::rooms::{Rooms, StoredAccount, StoredRoom};
#[cfg(unix)]
use snugd::service::ServiceManager;
#[cfg(feature = "tls")]
use snugd::tls::ServerKeys;
use snugd::{accounts, binding, leaving, log_output, subcommand, surroundings, ws};

const FAILED_WHILE_RUNNING: u8 = 1;
const MISUSED: u8 = 2;
const CANNOT_BIND: u8 = 3;
const UNUSABLE_FILE: u8 = 4;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args_os()) {
        Ok(options) => options,
        Err(exit) => return exit.report(),
    };
    if let Some(wanted) = &options.subcommand {
        return subcommand::run(wanted, std::env::args_os()).map_or_else(|exit| exit.report(), |()| ExitCode::SUCCESS);
    }
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // The terminal may be closed.
            let _ = writeln!(io::stderr(), "snugd: {}", failure.sentence);
            ExitCode::from(failure.status)
        }
    }
}

/// Why the program ends otherwise than by being asked to.
struct Failure {
    status: u8,
    /// What to do about it.
    sentence: String,
}

fn run(mut options: Options) -> Result<(), Failure> {
    let while_running = |error: io::Error| Failure {
        status: FAILED_WHILE_RUNNING,
        sentence: format!("The system does not let this program go on ({error}); start it again."),
    };
    log_output::install(options.log, options.log_level, surroundings::logs_to_journal())
        .map_err(|error| while_running(io::Error::other(error)))?;
    // Each connection is a descriptor; most systems allow more than they give at first.
    let descriptors = rlimit::increase_nofile_limit(u64::MAX).unwrap_or_default();
    log::debug!("{descriptors} descriptors may be open");

    #[cfg(feature = "tls")]
    let keys = options.tls.as_ref().map(load_keys).transpose()?;
    let mut handed_over = take_handed_over(&mut options)?;
    let mut net = binding::bind(&options.listeners, &mut handed_over).map_err(|error| cannot_bind(&error))?;
    let listeners = net.bound_listeners().map_err(while_running)?;
    let (web, line) = (first_tcp(&listeners, ListenerPort::Web), first_tcp(&listeners, ListenerPort::Line));
    binding::warn_of_one_address(&listeners, &options.proxy_protocol);
    let network = Network::of_this_machine();
    let host = network.best_host(web.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |address| address.ip()));
    #[cfg(feature = "tls")]
    let (host, is_certified_host) = match keys.as_ref().and_then(|keys| keys.host_for(&host)) {
        Some(certified) => (certified, true),
        None => (host, false),
    };
    #[cfg(not(feature = "tls"))]
    let is_certified_host = false;
    #[cfg(feature = "tls")]
    if let Some(keys) = keys {
        net.set_tls(keys);
    }
    #[cfg(feature = "mdns")]
    let (local_name, announcement) = announce(&options, &listeners);
    #[cfg(not(feature = "mdns"))]
    let local_name: Option<String> = None;
    let invitation = Invitation {
        public_url: options.web.public_url.clone(),
        base_path: options.web.base_path.clone(),
        // Behind a Unix socket is a proxy, most likely at the usual port.
        web_port: web.map_or(80, |address| address.port()),
        line_port: line.map(|address| address.port()),
        is_secure: options.tls.is_some() && web.is_some(),
        is_certified_host,
        host,
    };

    let mut reloader = Reloader::new(std::env::args_os(), &options);
    let limits = options.limits;
    let clock = LocalClock::system();
    let random = StdRng::try_from_rng(&mut SysRng).map_err(|error| while_running(io::Error::other(error)))?;
    // One encoding for all: what is found by one is found by the others.
    let home_url = invitation.home_url(Ipv4Addr::LOCALHOST.into());
    let mut rooms = Rooms::new(limits.clone(), all_encoders(clock.clone(), home_url), random);
    if options.accounts == AccountPolicy::Required {
        rooms.require_accounts();
    }
    let misused = |sentence| Failure { status: MISUSED, sentence };
    rooms.set_admins(&accounts::parse_admins(&options.admins).map_err(misused)?);
    let wake: Arc<dyn Fn() + Send + Sync> = Arc::new(net.waker().map_err(while_running)?);
    let mut journal: Box<dyn Journal> = Box::new(MemoryJournal::default());
    if let Some(file) = &options.data {
        let wake = Arc::clone(&wake);
        let (accounts, stored);
        (journal, accounts, stored) = open_journal(file, limits.history_events, move || wake())?;
        rooms.rely_on_journal();
        rooms.restore_accounts(accounts);
        rooms.restore(stored, net.now());
    }
    #[cfg(feature = "accounts")]
    let authenticator = {
        let passwords = Box::new(PasswordThread::new(Arc::clone(&wake)));
        Authenticator::new(options.accounts, limits.create_rate, passwords)
    };
    let kept: Vec<_> = rooms.files().map(|file| (file.id, file.size_bytes)).collect();
    let ids = kept.iter().map(|(id, _)| *id);
    let store = FolderStore::open(&options.files.place, options.data.as_deref(), ids, Arc::clone(&wake))
        .map_err(|unusable| Failure { status: UNUSABLE_FILE, sentence: unusable.to_string() })?;
    let site = Site::new(&options.web, &limits, invitation.clone());
    let shared = Shared {
        site,
        ws: ws::Context::new(&limits),
        line: line::Context { limits, invitation: invitation.clone(), clock, refusals: Default::default() },
        other: None,
        upgraded: None,
    };
    let admission = AdmissionLimits {
        connections: options.max_connections,
        per_address: options.max_per_address,
        trusted_proxies: options.web.trusted_proxies,
        proxy_protocol: options.proxy_protocol,
    };
    net.take_signals(surroundings::hang_up()).map_err(while_running)?;
    let mut reactor = Reactor::new(net, rooms, journal, shared, admission);
    reactor.set_reload(Box::new(move || reloader.reload()));
    #[cfg(feature = "accounts")]
    reactor.set_authenticator(authenticator);
    if let Some(store) = store {
        let random = StdRng::try_from_rng(&mut SysRng).map_err(|error| while_running(io::Error::other(error)))?;
        let quotas = Quotas::new(options.files.limits, kept.into_iter());
        reactor.set_files(Files::new(Box::new(store), quotas, random));
    }

    greet(&Facts {
        listeners: &listeners,
        network: &network,
        invitation: &invitation,
        local_name: local_name.as_deref(),
        data: options.data.as_deref(),
        is_container: surroundings::is_container(),
    });
    #[cfg(unix)]
    if let Some(manager) = ServiceManager::from_environment() {
        // Whom it is told does not make the program what it is.
        let _ = manager.tell(&[NotifyState::Ready]);
        reactor.set_observer(Box::new(manager));
    }

    note_start(&listeners, options.data.as_deref());

    let ended = reactor.run();
    #[cfg(feature = "mdns")]
    drop(announcement);
    note_end(&reactor);
    leaving::leave_in_time(FAILED_WHILE_RUNNING);
    // What is with the journal is written before the program ends.
    drop(reactor);
    log::logger().flush();
    ended.map_err(|error| match error.kind() {
        // The journal's own sentence.
        io::ErrorKind::Other => Failure { status: FAILED_WHILE_RUNNING, sentence: error.to_string() },
        _ => while_running(error),
    })
}

/// Takes the sockets that a service manager listens at already. What listens already need not be told where.
fn take_handed_over(options: &mut Options) -> Result<HandedOver, Failure> {
    let misused = |sentence| Failure { status: MISUSED, sentence };
    let handed_over = HandedOver::take().map_err(|error| misused(error.to_string()))?;
    if handed_over.has(ListenerPort::LineTls) && options.tls.is_none() {
        let sentence = if cfg!(feature = "tls") {
            "The socket line-tls needs a certificate: name it and its key with --tls-cert and --tls-key."
        } else {
            "This snugd was built without TLS: remove the socket line-tls from its units, or use another build."
        };
        return Err(misused(sentence.to_owned()));
    }
    options.listeners.retain(|listener| !handed_over.has(listener.port));
    options.web.has_metrics_listener |= handed_over.has(ListenerPort::Metrics);
    Ok(handed_over)
}

/// Says where the server is: in words for whoever is at a terminal, else in lines for programs.
fn greet(facts: &Facts<'_>) {
    let mut words = greeting::listening_lines(facts.listeners);
    if let Some(screen) = surroundings::screen() {
        words += &greeting::greeting(facts, screen);
    }
    let mut stdout = io::stdout();
    // Who started this may have closed our output; the rooms are open all the same.
    let _ = stdout.write_all(words.as_bytes()).and_then(|()| stdout.flush());
}

/// Announces the server on the network, if that is wanted and of use: by which name, and for how long.
#[cfg(feature = "mdns")]
fn announce(options: &Options, listeners: &[Listener]) -> (Option<String>, Option<mdns::Announcement>) {
    let Some(name) = &options.mdns else { return (None, None) };
    let web = listeners.iter().filter(|listener| listener.port == ListenerPort::Web);
    let announced = mdns::Announced {
        name: name.clone(),
        web: web.filter_map(|listener| listener.address.tcp()).collect(),
        path: options.web.base_path.clone(),
        is_encrypted: options.tls.is_some(),
    };
    let announcement = mdns::Announcement::begin(&announced);
    (announcement.is_some().then(|| mdns::local_name(name)), announcement)
}

/// Notes what was started, unless somebody at a terminal is told in other words.
fn note_start(listeners: &[Listener], data: Option<&Path>) {
    if io::stderr().is_terminal() {
        return;
    }
    let version = env!("CARGO_PKG_VERSION");
    let listeners = listeners.iter().map(Listener::to_string).collect::<Vec<_>>().join(", ");
    let rooms = if data.is_some() { "in the data file" } else { "in memory" };
    log::info!(event = "started", version, listeners; "snugd {version} is up, with its rooms {rooms}");
}

/// Notes what was done until the end.
fn note_end<N: Net, J: Journal>(reactor: &Reactor<N, J>) {
    let connections = reactor.meters().all_accepted();
    let messages = reactor.rooms().counts().messages();
    log::info!(event = "stopped", connections, messages; "stopped");
}

/// The first of the listeners of this kind that is at a TCP port.
fn first_tcp(listeners: &[Listener], port: ListenerPort) -> Option<SocketAddr> {
    listeners.iter().filter(|listener| listener.port == port).find_map(|listener| listener.address.tcp())
}

/// Reads the certificate and its key.
#[cfg(feature = "tls")]
fn load_keys(files: &TlsFiles) -> Result<ServerKeys, Failure> {
    let keys = ServerKeys::load(&files.certificate, &files.key)
        .map_err(|sentence| Failure { status: UNUSABLE_FILE, sentence })?;
    if let Some(warning) = keys.warning() {
        log::warn!("{warning}");
    }
    Ok(keys)
}

/// A journal, and the accounts and rooms that it remembers.
type OpenedJournal = (Box<dyn Journal>, Vec<StoredAccount>, Vec<StoredRoom>);

/// The journal in this file.
#[cfg(feature = "sqlite")]
fn open_journal(
    file: &Path,
    history_events: usize,
    wake: impl Fn() + Send + Sync + 'static,
) -> Result<OpenedJournal, Failure> {
    match SqliteJournal::open(file, history_events, wake) {
        Ok((mut journal, rooms)) => {
            let accounts = journal.take_stored_accounts();
            Ok((Box::new(journal), accounts, rooms))
        }
        Err(unusable) => Err(Failure { status: UNUSABLE_FILE, sentence: unusable.to_string() }),
    }
}

/// There are no files without SQLite, and the options name none.
#[cfg(not(feature = "sqlite"))]
fn open_journal(
    _file: &Path,
    _history_events: usize,
    _wake: impl Fn() + Send + Sync + 'static,
) -> Result<OpenedJournal, Failure> {
    unreachable!("the options have refused it")
}

/// Why the program cannot begin to listen.
fn cannot_bind(BindError { wanted, error }: &BindError) -> Failure {
    match wanted {
        Some(wanted) => Failure { status: CANNOT_BIND, sentence: binding::explain(wanted, error) },
        None => Failure {
            status: FAILED_WHILE_RUNNING,
            sentence: format!("The system does not let this program begin ({error}); start it again."),
        },
    }
}
