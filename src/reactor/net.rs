//! The only place that knows sockets and clocks: what the reactor asks of the system, and mio's answer.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::io::{self, Read, Write};
use std::time::{Duration, Instant, SystemTime};

use mio::event::Source;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_mio::v1_0::Signals;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use super::acknowledgements::Acknowledgements;
use crate::rooms::ConnectionId;
use crate::time::Now;

/// Connections that may wait to be accepted. mio's own listener asks for 128: a crowd that connects at
/// once then waits for seconds.
const BACKLOG: i32 = 4096;

/// Connections that are told at once that no descriptor is left for them.
const REFUSALS_AT_ONCE: u32 = 256;

/// A silent peer's system is asked whether it is there after this time, so that a terminal whose machine is gone is
/// noticed, after 90 s; WebSockets have their own pings, which come sooner.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_ATTEMPTS: u32 = 3;

/// What the kernel takes beyond what it can send at once: as little as keeps the line busy, so that what is taken of
/// what waits shows that the peer is there, however slow its line is.
#[cfg(any(target_vendor = "apple", target_os = "android", target_os = "linux"))]
const UNSENT_LIMIT_BYTES: u32 = 64 * 1024;

/// Which protocol is spoken first on a listener's connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Port {
    /// HTTP, and WebSockets by way of it.
    Web,
    /// The terminal protocol.
    Line,
    /// A protocol that is brought from outside; the real system has no listener for it.
    Other,
}

/// Something to be looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Readiness {
    /// There are connections to accept.
    Listener(Port),
    /// A connection can be read from or written to.
    Connection {
        /// Which one; it may have been closed meanwhile.
        connection: ConnectionId,
        /// There is something to read, or the end, or an error.
        readable: bool,
        /// There is room to write, or an error.
        writable: bool,
        /// The peer sends no more: reading goes on until the end is seen.
        ended: bool,
    },
    /// The program is asked to stop.
    Stop,
    /// The program is asked to read its configuration again.
    Reload,
}

/// What SIGHUP means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HangUp {
    /// Nothing: who started the program has it ignored, as `nohup` does.
    Ignore,
    /// The terminal is closed: the program stops.
    Stop,
    /// A service is told to read its configuration again.
    Reload,
}

/// A new connection.
#[derive(Debug)]
pub struct Accepted<S> {
    /// Its stream, not yet registered.
    pub stream: S,
    /// The peer's address.
    pub peer: IpAddr,
    /// The address under which the peer found this machine.
    pub local: IpAddr,
}

/// What came of accepting.
#[derive(Debug)]
pub enum Accept<S> {
    /// A connection.
    Connection(Accepted<S>),
    /// None waits.
    Nothing,
    /// There is no descriptor for one more. Those who waited have been told so; more may come, and nothing will
    /// announce them: they are to be asked for again.
    OutOfDescriptors {
        /// How many have been told.
        refused: u32,
    },
}

/// What the reactor needs of the system: sockets that do not block, readiness by edges, time.
pub trait Net {
    /// A connection's two-way stream.
    type Stream: Read + Write;

    /// The time.
    fn now(&mut self) -> Now;

    /// Waits until something is ready, at most `timeout_ms` (`None`: for ever); appends it to `ready`.
    ///
    /// # Errors
    /// The system cannot tell any more.
    fn wait(&mut self, timeout_ms: Option<u64>, ready: &mut Vec<Readiness>) -> io::Result<()>;

    /// Takes a connection that waits at a listener. `refusal` is said to those that there is no descriptor for.
    fn accept(&mut self, port: Port, refusal: &[u8]) -> Accept<Self::Stream>;

    /// Has the stream's readiness reported under this id, both ways, once for each change.
    ///
    /// # Errors
    /// The system has no room for it.
    fn register(&mut self, stream: &mut Self::Stream, connection: ConnectionId) -> io::Result<()>;

    /// Sends what of `words` fits into the send buffer, and closes.
    fn refuse(&mut self, stream: Self::Stream, words: &[u8]);

    /// Ends the sending side: the peer reads the end after what was sent.
    fn end_sending(&mut self, stream: &mut Self::Stream);

    /// Closes the stream.
    fn close(&mut self, stream: Self::Stream);

    /// For how long the peer's system has acknowledged nothing of what it was sent, although that was sent again and
    /// again; 0: nothing is overdue, or the system does not tell.
    fn overdue_ms(&mut self, stream: &Self::Stream) -> u64;

    /// Accepts no more.
    fn close_listeners(&mut self);
}

/// Connections that one wait tells of: all that most servers have. Where it told of fewer, members of one room would
/// be read from in different turns, and what they say be written one by one: with 4,000 members in rooms of two, a
/// delivery costs 40 % less so than with 1,024.
const READY_AT_ONCE: usize = 16 * 1024;

const WEB: Token = Token(usize::MAX);
const LINE: Token = Token(usize::MAX - 1);
const SIGNALS: Token = Token(usize::MAX - 2);
const WAKER: Token = Token(usize::MAX - 3);

/// The real system, by mio.
pub struct MioNet {
    poll: Poll,
    events: Events,
    web: Option<TcpListener>,
    line: Option<TcpListener>,
    /// Once they are taken; what each of them did before is not brought back.
    signals: Option<(Signals, HangUp)>,
    acknowledgements: Option<Acknowledgements>,
    started: Instant,
    /// Given up for a moment when no descriptor is left, to take a connection and tell it.
    spare: Option<Socket>,
}

impl MioNet {
    /// Listens where it is told.
    ///
    /// # Errors
    /// An address cannot be bound: which one, and why.
    pub fn bind(web: SocketAddr, line: Option<SocketAddr>) -> Result<MioNet, BindError> {
        let system = |error| BindError { wanted: None, error };
        let poll = Poll::new().map_err(system)?;
        let listen = |port, address, token| -> Result<TcpListener, BindError> {
            let bound = listen(address).and_then(|mut listener| {
                poll.registry().register(&mut listener, token, Interest::READABLE)?;
                Ok(listener)
            });
            bound.map_err(|error| BindError { wanted: Some((port, address)), error })
        };
        let web = Some(listen(Port::Web, web, WEB)?);
        let line = line.map(|address| listen(Port::Line, address, LINE)).transpose()?;
        Ok(MioNet {
            web,
            line,
            poll,
            events: Events::with_capacity(READY_AT_ONCE),
            signals: None,
            acknowledgements: Acknowledgements::open(),
            started: Instant::now(),
            spare: spare_descriptor(),
        })
    }

    /// Takes the signals by which the program is told to stop, or to read its configuration again; until then each ends
    /// it at once. To be asked for when the loop is about to begin: whatever is waited for before could not be
    /// interrupted otherwise.
    ///
    /// # Errors
    /// The system has no room for it.
    pub fn take_signals(&mut self, hang_up: HangUp) -> io::Result<()> {
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        if hang_up != HangUp::Ignore {
            signals.add_signal(SIGHUP)?;
        }
        self.poll.registry().register(&mut signals, SIGNALS, Interest::READABLE)?;
        self.signals = Some((signals, hang_up));
        Ok(())
    }

    /// What another thread calls to have [`wait`](Net::wait) end, since there is something for the loop to take.
    /// To be asked for once.
    ///
    /// # Errors
    /// The system has no room for it.
    pub fn waker(&self) -> io::Result<impl Fn() + Send + Sync + 'static> {
        let waker = Waker::new(self.poll.registry(), WAKER)?;
        // It fails when the loop is gone, and then nobody needs it.
        Ok(move || waker.wake().unwrap_or(()))
    }

    /// The address that a listener is bound to, with the port that was taken if any was good.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn bound_address(&self, port: Port) -> io::Result<Option<SocketAddr>> {
        self.listener(port).map(TcpListener::local_addr).transpose()
    }

    fn listener(&self, port: Port) -> Option<&TcpListener> {
        match port {
            Port::Web => self.web.as_ref(),
            Port::Line => self.line.as_ref(),
            Port::Other => None,
        }
    }

    /// No descriptor is left: gives up the spare one to take those who wait, one after the other, and tells them.
    /// Returns how many they were.
    fn refuse_waiting(&mut self, port: Port, refusal: &[u8]) -> u32 {
        let mut refused = 0;
        while refused < REFUSALS_AT_ONCE {
            self.spare = None;
            let accepted = self.listener(port).map(TcpListener::accept);
            let Some(Ok((stream, _))) = accepted else { break };
            self.refuse(stream, refusal);
            self.spare = spare_descriptor();
            refused += 1;
        }
        self.spare = self.spare.take().or_else(spare_descriptor);
        refused
    }
}

/// Why the server cannot listen.
#[derive(Debug)]
pub struct BindError {
    /// Which listener, and the address that it wanted; `None`: none got that far.
    pub wanted: Option<(Port, SocketAddr)>,
    /// What the system says.
    pub error: io::Error,
}

/// Listens at an address. Where that is `[::]` and the system has no IPv6, IPv4 alone has to do.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    or_ipv4_alone(address, listen_at)
}

fn or_ipv4_alone<L>(address: SocketAddr, listen_at: impl Fn(SocketAddr) -> io::Result<L>) -> io::Result<L> {
    match listen_at(address) {
        Err(error) if address.ip() == Ipv6Addr::UNSPECIFIED && is_without_ipv6(&error) => {
            listen_at(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), address.port()))
        }
        result => result,
    }
}

/// Whether it is for want of IPv6 that `[::]` cannot be bound: the kernel does not know it (EAFNOSUPPORT), or may use
/// none of its addresses.
fn is_without_ipv6(error: &io::Error) -> bool {
    const EAFNOSUPPORT: [i32; 3] = [47, 97, 10047];
    error.kind() == io::ErrorKind::AddrNotAvailable
        || error.raw_os_error().is_some_and(|code| EAFNOSUPPORT.contains(&code))
}

fn listen_at(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A server that is started again at once finds its port still held by the kernel otherwise.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // `[::]` takes IPv4 as well, whatever the system's own setting is.
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    if OPTIONS_ARE_INHERITED {
        set_options(&socket);
    }
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// Whether connections have the options of the listener that they came by. They need not be set for each one then,
/// which takes five system calls.
const OPTIONS_ARE_INHERITED: bool = cfg!(any(target_os = "linux", target_os = "android"));

fn spare_descriptor() -> Option<Socket> {
    Socket::new(Domain::IPV4, Type::STREAM, None).ok()
}

/// Options for less delay, and for noticing that a peer is gone. No connection is closed for want of them, so errors
/// are ignored.
fn set_options(socket: &Socket) {
    let _ = socket.set_tcp_nodelay(true);
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_ATTEMPTS);
    let _ = socket.set_tcp_keepalive(&keepalive);
    #[cfg(any(target_vendor = "apple", target_os = "android", target_os = "linux"))]
    let _ = socket.set_tcp_notsent_lowat(UNSENT_LIMIT_BYTES);
}

impl Net for MioNet {
    type Stream = TcpStream;

    fn now(&mut self) -> Now {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Now { steady_ms: self.started.elapsed().as_millis() as u64, wall_ms: wall.as_millis() as u64 }
    }

    fn wait(&mut self, timeout_ms: Option<u64>, ready: &mut Vec<Readiness>) -> io::Result<()> {
        match self.poll.poll(&mut self.events, timeout_ms.map(Duration::from_millis)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        for event in &self.events {
            ready.push(match event.token() {
                WEB => Readiness::Listener(Port::Web),
                LINE => Readiness::Listener(Port::Line),
                SIGNALS => {
                    if let Some((signals, hang_up)) = &mut self.signals {
                        ready.extend(signals.pending().map(|signal| match (signal, *hang_up) {
                            (SIGHUP, HangUp::Reload) => Readiness::Reload,
                            _ => Readiness::Stop,
                        }));
                    }
                    continue;
                }
                WAKER => continue,
                Token(id) => Readiness::Connection {
                    connection: ConnectionId(id as u64),
                    readable: event.is_readable() || event.is_read_closed() || event.is_error(),
                    writable: event.is_writable() || event.is_write_closed() || event.is_error(),
                    ended: event.is_read_closed() || event.is_error(),
                },
            });
        }
        Ok(())
    }

    fn accept(&mut self, port: Port, refusal: &[u8]) -> Accept<TcpStream> {
        loop {
            let Some(listener) = self.listener(port) else { return Accept::Nothing };
            match listener.accept() {
                Ok((stream, peer)) => {
                    if !OPTIONS_ARE_INHERITED {
                        set_options(&SockRef::from(&stream));
                    }
                    let peer = peer.ip().to_canonical();
                    let local = stream.local_addr().map_or(peer, |address| address.ip().to_canonical());
                    return Accept::Connection(Accepted { stream, peer, local });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Accept::Nothing,
                Err(error) if is_out_of_descriptors(&error) => {
                    // Linux says so even if nobody waits.
                    return Accept::OutOfDescriptors { refused: self.refuse_waiting(port, refusal) };
                }
                // The peer gave up while it waited: the next one may be fine.
                Err(_) => continue,
            }
        }
    }

    fn register(&mut self, stream: &mut TcpStream, connection: ConnectionId) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(stream, Token(connection.0 as usize), both)
    }

    fn refuse(&mut self, mut stream: TcpStream, words: &[u8]) {
        let _ = stream.write(words);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        // What has arrived must be read, or closing would take back what was just said (RFC 9112, 9.6).
        let _ = stream.read(&mut [0; 4096]);
    }

    fn end_sending(&mut self, stream: &mut TcpStream) {
        let _ = stream.shutdown(std::net::Shutdown::Write);
    }

    fn close(&mut self, mut stream: TcpStream) {
        let _ = stream.deregister(self.poll.registry());
    }

    fn overdue_ms(&mut self, stream: &TcpStream) -> u64 {
        let Some(acknowledgements) = &mut self.acknowledgements else { return 0 };
        let (Ok(local), Ok(peer)) = (stream.local_addr(), stream.peer_addr()) else { return 0 };
        acknowledgements.overdue_ms(local, peer).unwrap_or(0)
    }

    fn close_listeners(&mut self) {
        for mut listener in self.web.take().into_iter().chain(self.line.take()) {
            let _ = self.poll.registry().deregister(&mut listener);
        }
    }
}

/// EMFILE or ENFILE: this process, or the system, has as many open files as it may have. The kernel's
/// lack of memory for one more socket is treated alike.
fn is_out_of_descriptors(error: &io::Error) -> bool {
    const ENOMEM: i32 = 12;
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    const ENOBUFS: [i32; 2] = [55, 105];
    matches!(error.raw_os_error(), Some(ENOMEM | ENFILE | EMFILE))
        || error.raw_os_error().is_some_and(|code| ENOBUFS.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listening(address: SocketAddr) -> MioNet {
        MioNet::bind(address, None).expect("a free port")
    }

    /// Somebody who connects to this host, at both ends.
    fn connect(net: &mut MioNet, host: IpAddr) -> (std::net::TcpStream, Accepted<TcpStream>) {
        let bound = net.bound_address(Port::Web).expect("it is bound").expect("there is one");
        let client = std::net::TcpStream::connect((host, bound.port())).expect("it listens");
        loop {
            if let Accept::Connection(accepted) = net.accept(Port::Web, b"") {
                return (client, accepted);
            }
            net.wait(None, &mut Vec::new()).expect("it can wait");
        }
    }

    #[test]
    fn every_address_is_one_of_both_kinds() {
        let mut net = listening((Ipv6Addr::UNSPECIFIED, 0).into());
        for host in [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)] {
            let (_client, accepted) = connect(&mut net, host);
            assert_eq!((accepted.peer, accepted.local), (host, host), "as it is usually written");
        }
    }

    #[test]
    fn without_ipv6_every_address_is_one_of_ipv4() {
        let without_ipv6 = |code: i32| {
            move |address: SocketAddr| match address.is_ipv4() {
                true => Ok(address.to_string()),
                false => Err(io::Error::from_raw_os_error(code)),
            }
        };
        const EADDRNOTAVAIL: i32 = 99;
        const EADDRINUSE: i32 = 98;
        let everywhere = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 80));
        let one = SocketAddr::from((Ipv6Addr::LOCALHOST, 80));
        assert_eq!(or_ipv4_alone(everywhere, without_ipv6(97)).expect("IPv4"), "0.0.0.0:80");
        if cfg!(target_os = "linux") {
            assert_eq!(or_ipv4_alone(everywhere, without_ipv6(EADDRNOTAVAIL)).expect("IPv4"), "0.0.0.0:80");
            or_ipv4_alone(one, without_ipv6(EADDRNOTAVAIL)).expect_err("another address is not what was asked for");
            or_ipv4_alone(everywhere, without_ipv6(EADDRINUSE)).expect_err("there is IPv6");
        }
    }

    /// What the peer's machine does when its cable is pulled: nothing arrives there any more.
    #[cfg(target_os = "linux")]
    fn pull_cable(client: &std::net::TcpStream) {
        // "Keep no byte of any packet" in the language of packet filters (BPF_RET).
        let nothing = socket2::SockFilter::new(6, 0, 0, 0);
        SockRef::from(client).attach_filter(&[nothing]).expect("a filter of one instruction");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn who_is_gone_is_told_from_who_reads_nothing() {
        let started = Instant::now();
        for (bound, host) in [
            (IpAddr::from(Ipv6Addr::UNSPECIFIED), IpAddr::from(Ipv4Addr::LOCALHOST)),
            (Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::LOCALHOST.into()),
            (Ipv4Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()),
        ] {
            let mut net = listening((bound, 0).into());
            let (gone, mut to_gone) = connect(&mut net, host);
            let (_idle, mut to_idle) = connect(&mut net, host);
            let (shut, mut to_shut) = connect(&mut net, host);
            let (_reader, mut to_reader) = connect(&mut net, host);
            to_reader.stream.write_all(b"hello!").expect("there is room");
            // Until the windows of those who read nothing are shut.
            while to_idle.stream.write(&[b'x'; 4096]).is_ok() {}
            while to_shut.stream.write(&[b'x'; 4096]).is_ok() {}
            pull_cable(&gone);
            pull_cable(&shut);
            to_gone.stream.write_all(b"hello?").expect("there is room");
            while net.overdue_ms(&to_gone.stream) < 1_000 || net.overdue_ms(&to_shut.stream) < 1_000 {
                assert_eq!(net.overdue_ms(&to_idle.stream), 0, "it is there");
                assert_eq!(net.overdue_ms(&to_reader.stream), 0, "it has all");
                assert!(started.elapsed() < Duration::from_secs(60), "the kernel never says that one is gone");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    #[test]
    fn a_connection_has_the_options_that_it_needs() {
        let mut net = listening(([127, 0, 0, 1], 0).into());
        let (_client, accepted) = connect(&mut net, Ipv4Addr::LOCALHOST.into());
        let socket = SockRef::from(&accepted.stream);
        assert!(socket.tcp_nodelay().expect("an option") && socket.keepalive().expect("an option"));
        assert_eq!(socket.tcp_keepalive_time().expect("an option"), KEEPALIVE_AFTER);
        assert_eq!(socket.tcp_keepalive_interval().expect("an option"), KEEPALIVE_INTERVAL);
        assert_eq!(socket.tcp_keepalive_retries().expect("an option"), KEEPALIVE_ATTEMPTS);
        #[cfg(any(target_vendor = "apple", target_os = "android", target_os = "linux"))]
        assert_eq!(socket.tcp_notsent_lowat().expect("an option"), UNSENT_LIMIT_BYTES);
        assert!(matches!(net.accept(Port::Web, b""), Accept::Nothing), "it does not block");
    }
}
