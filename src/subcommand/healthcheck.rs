//! `snugd healthcheck`: asks a server whether it is well, for containers and whoever else watches it without tools of
//! their own. It is found by the options with which it was started.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use super::FAILED;
use crate::options::{Exit, Findings, ListenAddress, ListenerPort, Options, WebAddress};

/// A server that takes longer than this to answer is not well.
const DEADLINE: Duration = Duration::from_secs(5);

/// So much of an answer is read.
const MAX_ANSWER_BYTES: u64 = 16 << 10;

/// Asks the server, and says on standard output that it is well.
///
/// # Errors
/// It is not, or nobody knows where it is.
pub(super) fn run(args: impl Iterator<Item = OsString>, url: Option<&WebAddress>, is_ready: bool) -> Result<(), Exit> {
    let page = if is_ready { "readyz" } else { "healthz" };
    let place = match url {
        Some(url) => {
            let peers = vec![Peer::Named(url.host.clone(), url.port)];
            Place { peers, path: format!("{}{page}", url.path), wants_header: false }
        }
        None => Place::of(&Findings::look(args)?.into_options()?, page)?,
    };
    let failed = |sentence: String| Exit::failed(FAILED, &sentence);
    let (sender, receiver) = channel();
    let asked = place.clone();
    // Whatever takes long, a name that is looked up or an answer, is waited for once.
    std::thread::Builder::new()
        .spawn(move || sender.send(asked.ask()))
        .map_err(|error| failed(format!("No thread can be started to ask ({error}).")))?;
    let shown = place.shown();
    let answer = receiver.recv_timeout(DEADLINE).map_err(|error| match error {
        RecvTimeoutError::Timeout => failed(format!("{shown} does not answer within {} s.", DEADLINE.as_secs())),
        RecvTimeoutError::Disconnected => failed(format!("{shown} cannot be asked.")),
    })?;
    let answer = answer.map_err(|error| failed(format!("{shown} cannot be asked ({error}).")))?;
    match (status_of(&answer), is_ready) {
        (Some(200), _) => say(&format!("{shown} is well.")),
        // Whoever is refused so has been heard: the server is alive, and to start it again would drop who is in.
        (Some(429 | 503), false) => say(&format!("{shown} is alive, but takes nobody in now.")),
        (Some(status), _) => return Err(failed(format!("{shown} answers {status} to /{page}."))),
        (None, _) => return Err(failed(format!("What {shown} answers is no HTTP; is it another program?"))),
    }
    Ok(())
}

fn say(sentence: &str) {
    // Nobody need read it.
    let _ = writeln!(io::stdout(), "{sentence}");
}

/// Where a server is asked.
#[derive(Clone, Debug)]
struct Place {
    /// Where it may be, in the order in which that is tried.
    peers: Vec<Peer>,
    path: String,
    /// A header of the PROXY protocol is expected from whoever connects from here.
    wants_header: bool,
}

#[derive(Clone, Debug)]
enum Peer {
    At(SocketAddr),
    Named(String, u16),
    Unix(PathBuf),
}

impl Place {
    /// Where the server with these options is: at the listener for whoever watches it, if there is one.
    fn of(options: &Options, page: &str) -> Result<Place, Exit> {
        let at = |port| options.listeners.iter().find(|listener| listener.port == port);
        // What is asked for needs no TLS, and is under no base path for whoever watches.
        let (listener, base_path) = match at(ListenerPort::Metrics) {
            Some(listener) => (Some(listener), "/"),
            None => (at(ListenerPort::Web), options.web.base_path.as_str()),
        };
        let peers = match listener.map(|listener| &listener.address) {
            Some(ListenAddress::Tcp(address)) if address.port() == 0 => Vec::new(),
            Some(ListenAddress::Tcp(address)) => peers_of(*address),
            Some(ListenAddress::Unix(path)) => vec![Peer::Unix(path.clone())],
            None => Vec::new(),
        };
        if peers.is_empty() {
            return Err(Exit::misused("Nobody knows which port the server has taken; name it with --url."));
        }
        // A machine that connects to an address of its own does so from that address.
        let from = match peers.first() {
            Some(Peer::At(address)) => Some(address.ip()),
            _ => None,
        };
        let wants_header = options.proxy_protocol.iter().any(|proxy| proxy.contains(from));
        Ok(Place { peers, path: format!("{base_path}{page}"), wants_header })
    }

    fn shown(&self) -> String {
        match self.peers.first() {
            Some(Peer::At(address)) => address.to_string(),
            Some(Peer::Named(host, port)) => format!("{host}:{port}"),
            Some(Peer::Unix(path)) => format!("unix:{}", path.display()),
            None => String::new(),
        }
    }

    /// The answer of the first that is there.
    fn ask(&self) -> io::Result<Vec<u8>> {
        let mut result = Err(io::ErrorKind::NotFound.into());
        for peer in &self.peers {
            result = match peer {
                Peer::At(address) => TcpStream::connect(address).and_then(|stream| self.ask_over(stream)),
                Peer::Named(host, port) => {
                    let host = host.trim_start_matches('[').trim_end_matches(']');
                    TcpStream::connect((host, *port)).and_then(|stream| self.ask_over(stream))
                }
                #[cfg(unix)]
                Peer::Unix(path) => {
                    std::os::unix::net::UnixStream::connect(path).and_then(|stream| self.ask_over(stream))
                }
                #[cfg(not(unix))]
                Peer::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
            };
            if result.is_ok() {
                break;
            }
        }
        result
    }

    fn ask_over(&self, mut stream: impl Read + Write) -> io::Result<Vec<u8>> {
        // Of whom the header says nothing, that is who connects (PROXY protocol, 2.1).
        let header = if self.wants_header { "PROXY UNKNOWN\r\n" } else { "" };
        let request = format!(
            "{header}GET {} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: snugd healthcheck\r\nConnection: close\r\n\r\n",
            self.path
        );
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        match stream.take(MAX_ANSWER_BYTES).read_to_end(&mut answer) {
            Err(error) if answer.is_empty() => Err(error),
            _ => Ok(answer),
        }
    }
}

/// Where one connects to that listens there: every address is also this machine's own.
fn peers_of(address: SocketAddr) -> Vec<Peer> {
    let (v4, v6) = (IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST));
    let hosts = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => vec![v4],
        IpAddr::V6(ip) if ip.is_unspecified() => vec![v4, v6],
        ip => vec![ip],
    };
    hosts.into_iter().map(|ip| Peer::At(SocketAddr::new(ip, address.port()))).collect()
}

fn status_of(answer: &[u8]) -> Option<u16> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    response.parse(answer).ok()?;
    response.code
}
