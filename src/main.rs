//! Wiring: options in, reactor out, and the exit status.
#![forbid(unsafe_code)]

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;

#[cfg(unix)]
use sd_notify::NotifyState;
#[cfg(feature = "accounts")]
use snugd::accounts::{Authenticator, PasswordThread};
use snugd::greeting::{self, Facts, HistoryPlace};
use snugd::http::Site;
use snugd::interfaces::Network;
use snugd::invitation::Invitation;
use snugd::journal::Journal;
use snugd::line::{self, LocalClock};
#[cfg(feature = "mdns")]
use snugd::mdns;
#[cfg(feature = "tls")]
use snugd::options::TlsFiles;
use snugd::options::{AccountPolicy, Exit, Listener, ListenerPort, Options};
use snugd::reactor::{AdmissionLimits, BindError, HandedOver, MioNet, Net, Reactor, Shared, all_encoders};
use snugd::reloading::Reloader;
use snugd::rooms::Rooms;
#[cfg(unix)]
use snugd::service::ServiceManager;
use snugd::storage::{self, Storage};
#[cfg(feature = "tls")]
use snugd::tls::ServerKeys;
use snugd::{accounts, binding, leaving, log_output, subcommand, surroundings, ws};

const FAILED_WHILE_RUNNING: u8 = 1;
const MISUSED: u8 = 2;
const CANNOT_BIND: u8 = 3;
#[cfg(feature = "tls")]
const UNUSABLE_FILE: u8 = 4;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args_os()) {
        Ok(options) => options,
        Err(exit) => return exit.report(),
    };
    let result = match &options.subcommand {
        Some(wanted) => subcommand::run(wanted, std::env::args_os()),
        None => run(options),
    };
    result.map_or_else(|exit| exit.report(), |()| ExitCode::SUCCESS)
}

/// Serves until it is asked to stop.
fn run(mut options: Options) -> Result<(), Exit> {
    log_output::install(options.log, options.log_level, surroundings::logs_to_journal())
        .map_err(|error| failed_while_running(&io::Error::other(error)))?;
    // Each connection is a descriptor; most systems allow more than they give at first.
    let descriptors = rlimit::increase_nofile_limit(u64::MAX).unwrap_or_default();
    log::debug!("{descriptors} descriptors may be open");

    let mut place = Place::take(&mut options)?;
    let mut reloader = Reloader::new(std::env::args_os(), &options);
    let clock = LocalClock::system();
    let mut rooms = make_rooms(&options, &place.invitation, &clock)?;
    let wake: Arc<dyn Fn() + Send + Sync> = Arc::new(place.net.waker().map_err(|error| failed_while_running(&error))?);
    let Storage { journal, files } = Storage::open(&options, &mut rooms, place.net.now(), &wake)?;

    let shared = Shared {
        site: Site::new(&options.web, &options.limits, place.invitation.clone()),
        ws: ws::Context::new(&options.limits),
        line: line::Context {
            limits: options.limits.clone(),
            invitation: place.invitation.clone(),
            clock,
            refusals: Default::default(),
        },
        other: None,
        upgraded: None,
    };
    let admission = AdmissionLimits {
        connections: options.max_connections,
        per_address: options.max_per_address,
        trusted_proxies: options.web.trusted_proxies.clone(),
        proxy_protocol: options.proxy_protocol.clone(),
    };
    place.net.take_signals(surroundings::hang_up()).map_err(|error| failed_while_running(&error))?;
    let mut reactor = Reactor::new(place.net, rooms, journal, shared, admission);
    reactor.set_reload(Box::new(move || reloader.reload()));
    #[cfg(feature = "accounts")]
    {
        let passwords = Box::new(PasswordThread::new(wake));
        reactor.set_authenticator(Authenticator::new(options.accounts, options.limits.create_rate, passwords));
    }
    if let Some(files) = files {
        reactor.set_files(files);
    }
    greet(&Facts {
        listeners: &place.listeners,
        network: &place.network,
        invitation: &place.invitation,
        local_name: place.local_name.as_deref(),
        history: HistoryPlace::of(&options),
        is_container: surroundings::is_container(),
    });
    #[cfg(unix)]
    if let Some(manager) = ServiceManager::from_environment() {
        // Whom it is told does not make the program what it is.
        let _ = manager.tell(&[NotifyState::Ready]);
        reactor.set_observer(Box::new(manager));
    }
    note_start(&place.listeners, HistoryPlace::of(&options));

    let ended = reactor.run();
    #[cfg(feature = "mdns")]
    drop(place.announcement);
    note_end(&reactor);
    leaving::leave_in_time(FAILED_WHILE_RUNNING);
    // What is with the journal is written before the program ends.
    drop(reactor);
    log::logger().flush();
    ended.map_err(|error| match error.kind() {
        // The journal's own sentence.
        io::ErrorKind::Other => Exit::failed(FAILED_WHILE_RUNNING, &error.to_string()),
        _ => failed_while_running(&error),
    })
}

fn failed_while_running(error: &io::Error) -> Exit {
    let sentence = format!("The system does not let this program go on ({error}); start it again.");
    Exit::failed(FAILED_WHILE_RUNNING, &sentence)
}

/// Where the program is found.
struct Place {
    net: MioNet,
    /// Where it really listens.
    listeners: Vec<Listener>,
    network: Network,
    /// What invitations say.
    invitation: Invitation,
    /// The name by which the network finds this machine.
    local_name: Option<String>,
    /// It is found as long as this lives.
    #[cfg(feature = "mdns")]
    announcement: Option<mdns::Announcement>,
}

impl Place {
    /// Listens where the options say.
    fn take(options: &mut Options) -> Result<Place, Exit> {
        #[cfg(feature = "tls")]
        let keys = options.tls.as_ref().map(load_keys).transpose()?;
        let mut handed_over = take_handed_over(options)?;
        let net = binding::bind(&options.listeners, &mut handed_over).map_err(|error| cannot_bind(&error))?;
        let listeners = net.bound_listeners().map_err(|error| failed_while_running(&error))?;
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
        let net = with_tls(net, keys);
        #[cfg(feature = "mdns")]
        let (local_name, announcement) = announce(options, &listeners);
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
        Ok(Place {
            net,
            listeners,
            network,
            invitation,
            local_name,
            #[cfg(feature = "mdns")]
            announcement,
        })
    }
}

/// Rooms of which there are none yet.
fn make_rooms(options: &Options, invitation: &Invitation, clock: &LocalClock) -> Result<Rooms, Exit> {
    // One encoding for all: what is found by one is found by the others.
    let home_url = invitation.home_url(Ipv4Addr::LOCALHOST.into());
    let encoders = all_encoders(clock.clone(), home_url);
    let mut rooms = Rooms::new(options.limits.clone(), encoders, storage::system_random()?);
    if options.accounts == AccountPolicy::Required {
        rooms.require_accounts();
    }
    let admins = accounts::parse_admins(&options.admins).map_err(|sentence| Exit::failed(MISUSED, &sentence))?;
    rooms.set_admins(&admins);
    Ok(rooms)
}

/// Takes the sockets that a service manager listens at already. What listens already need not be told where.
fn take_handed_over(options: &mut Options) -> Result<HandedOver, Exit> {
    let handed_over = HandedOver::take().map_err(|error| Exit::failed(MISUSED, &error.to_string()))?;
    if handed_over.has(ListenerPort::LineTls) && options.tls.is_none() {
        let sentence = if cfg!(feature = "tls") {
            "The socket line-tls needs a certificate: name it and its key with --tls-cert and --tls-key."
        } else {
            "This snugd was built without TLS: remove the socket line-tls from its units, or use another build."
        };
        return Err(Exit::failed(MISUSED, sentence));
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
fn note_start(listeners: &[Listener], history: HistoryPlace<'_>) {
    if io::stderr().is_terminal() {
        return;
    }
    let version = env!("CARGO_PKG_VERSION");
    let listeners = listeners.iter().map(Listener::to_string).collect::<Vec<_>>().join(", ");
    let rooms = match history {
        HistoryPlace::Memory => "in memory",
        HistoryPlace::File(_) => "in the data file",
        HistoryPlace::Nodes => "shared with other nodes",
    };
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

/// Encrypts, if there are keys to do it with.
#[cfg(feature = "tls")]
fn with_tls(mut net: MioNet, keys: Option<ServerKeys>) -> MioNet {
    if let Some(keys) = keys {
        net.set_tls(keys);
    }
    net
}

/// Reads the certificate and its key.
#[cfg(feature = "tls")]
fn load_keys(files: &TlsFiles) -> Result<ServerKeys, Exit> {
    let keys =
        ServerKeys::load(&files.certificate, &files.key).map_err(|sentence| Exit::failed(UNUSABLE_FILE, &sentence))?;
    if let Some(warning) = keys.warning() {
        log::warn!("{warning}");
    }
    Ok(keys)
}

/// Why the program cannot begin to listen.
fn cannot_bind(BindError { wanted, error }: &BindError) -> Exit {
    match wanted {
        Some(wanted) => Exit::failed(CANNOT_BIND, &binding::explain(wanted, error)),
        None => {
            let sentence = format!("The system does not let this program begin ({error}); start it again.");
            Exit::failed(FAILED_WHILE_RUNNING, &sentence)
        }
    }
}
