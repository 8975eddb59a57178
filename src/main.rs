//! Wiring: options in, reactor out, and the exit status.
#![forbid(unsafe_code)]

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use rand::SeedableRng;
use rand::rngs::{StdRng, SysRng};
use snugd::greeting::{self, Interface};
use snugd::http::Site;
use snugd::invitation::Invitation;
use snugd::journal::MemoryJournal;
use snugd::line::{self, LocalClock};
use snugd::options::Options;
use snugd::reactor::{AdmissionLimits, BindError, MioNet, Port, Reactor, Shared, all_wires};
use snugd::rooms::Rooms;
use snugd::{log_output, ws};

const FAILED_WHILE_RUNNING: u8 = 1;
const CANNOT_BIND: u8 = 3;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args_os(), |name| std::env::var_os(name)) {
        Ok(options) => options,
        Err(exit) => return exit.report(),
    };
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("snugd: {}", failure.sentence);
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

fn run(options: Options) -> Result<(), Failure> {
    let while_running = |error: io::Error| Failure {
        status: FAILED_WHILE_RUNNING,
        sentence: format!("The system does not let this program go on ({error}); start it again."),
    };
    log_output::install(options.log, options.log_level).map_err(|error| while_running(io::Error::other(error)))?;
    // Each connection is a descriptor; most systems allow more than they give at first.
    let descriptors = rlimit::increase_nofile_limit(u64::MAX).unwrap_or_default();
    log::debug!("{descriptors} descriptors may be open");

    let net = MioNet::bind(options.listen, options.line_listen).map_err(|error| cannot_bind(&error, &options))?;
    let web = net.bound_address(Port::Web).map_err(while_running)?.unwrap_or(options.listen);
    let line = net.bound_address(Port::Line).map_err(while_running)?;
    let interfaces = interfaces();
    let invitation = Invitation {
        public_url: options.web.public_url.clone(),
        base_path: options.web.base_path.clone(),
        web_port: web.port(),
        line_port: line.map(|address| address.port()),
        host: greeting::best_host(web.ip(), &interfaces),
    };

    let limits = options.limits;
    let clock = LocalClock::system();
    let random = StdRng::try_from_rng(&mut SysRng).map_err(|error| while_running(io::Error::other(error)))?;
    let rooms = Rooms::new(limits.clone(), all_wires(clock.clone()), random);
    let shared = Shared {
        site: Site::new(&options.web, &limits, invitation.clone()),
        ws: ws::Context::new(&limits),
        line: line::Context { limits, invitation: invitation.clone(), clock },
    };
    let admission = AdmissionLimits {
        connections: options.max_connections,
        per_address: options.max_per_address,
        trusted_proxies: options.web.trusted_proxies,
    };
    let mut reactor = Reactor::new(net, rooms, MemoryJournal::default(), shared, admission);

    let mut stdout = io::stdout();
    let mut words = greeting::listening_lines(web, line);
    if stdout.is_terminal() {
        let columns = terminal_size::terminal_size().map_or(0, |(width, _)| usize::from(width.0));
        words += &greeting::greeting(web, line, &interfaces, &invitation, columns);
    }
    // Who started this may have closed our output; the rooms are open all the same.
    let _ = stdout.write_all(words.as_bytes()).and_then(|()| stdout.flush());
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);

    reactor.run().map_err(while_running)
}

fn interfaces() -> Vec<Interface> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    interfaces.into_iter().map(|found| Interface { address: found.ip(), name: found.name }).collect()
}

/// The sentence for a listener that cannot be opened: it names the likely culprit.
fn cannot_bind(error: &BindError, options: &Options) -> Failure {
    let BindError { port, ref error } = *error;
    let (address, option) = match (port, options.line_listen) {
        (Some(Port::Line), Some(address)) => (address, "--line-listen"),
        _ => (options.listen, "--listen"),
    };
    let other_port = address.port().checked_add(1000).unwrap_or(address.port() - 1000);
    let elsewhere = format!("choose another with {option} {}:{other_port}", address.ip());
    let sentence = match error.kind() {
        io::ErrorKind::AddrInUse if cfg!(target_os = "macos") && address.port() == 5000 => format!(
            "Port 5000 is in use, most likely by macOS's AirPlay Receiver: turn that off in System Settings, or \
             {elsewhere}."
        ),
        io::ErrorKind::AddrInUse => format!(
            "Port {} is in use, most likely by a snugd that is already running: stop that one, or {elsewhere}.",
            address.port()
        ),
        io::ErrorKind::PermissionDenied => {
            format!("Port {} is only for administrators here; {elsewhere}.", address.port())
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("{} is no address of this machine; use one that is, or 0.0.0.0, with {option}.", address.ip())
        }
        _ => format!("Cannot listen on {address} ({error}); {elsewhere}."),
    };
    Failure { status: CANNOT_BIND, sentence }
}
