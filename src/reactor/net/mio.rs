//! The real system, by mio.

use std::io::{self, Read, Write};
#[cfg(feature = "tls")]
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use mio::{Events, Interest, Poll, Token, Waker};
use socket2::{Domain, Socket, Type};

use super::super::acknowledgements::Acknowledgements;
use super::handed_over::HandedOver;
use super::listeners::{BindError, OpenListener};
use super::signals::TakenSignals;
use super::stream::MioStream;
#[cfg(feature = "tls")]
use super::tls::TlsStream;
use super::{Accept, HangUp, ListenerId, Net, Readiness};
#[cfg(feature = "tls")]
use super::{Accepted, Port};
use crate::options::Listener;
use crate::rooms::ConnectionId;
use crate::time::Now;
#[cfg(feature = "tls")]
use crate::tls::ServerKeys;

/// Connections that are told at once that no descriptor is left for them.
const REFUSALS_AT_ONCE: u32 = 256;

/// Connections that one wait tells of: all that most servers have. Where it told of fewer, members of one room would
/// be read from in different turns, and what they say be written one by one: with 4,000 members in rooms of two, a
/// delivery costs 40 % less so than with 1,024.
const READY_AT_ONCE: usize = 16 * 1024;

const SIGNALS: Token = Token(usize::MAX);
const WAKER: Token = Token(usize::MAX - 1);
/// Of the first listener; those of the others are below it.
const LISTENER: usize = usize::MAX - 2;

/// The real system, by mio.
pub struct MioNet {
    poll: Poll,
    events: Events,
    listeners: Vec<OpenListener>,
    /// Once they are taken.
    signals: Option<TakenSignals>,
    acknowledgements: Option<Acknowledgements>,
    started: Instant,
    /// Given up for a moment when no descriptor is left, to take a connection and tell it.
    spare: Option<Socket>,
    /// By what this server shows who it is; `None`: nothing is encrypted.
    #[cfg(feature = "tls")]
    keys: Option<ServerKeys>,
}

impl MioNet {
    /// Listens where it is told, and accepts what comes to sockets that are handed over: those are taken once nothing can
    /// fail any more but the system.
    ///
    /// # Errors
    /// An address cannot be bound: which one, and why.
    pub fn bind(wanted: &[Listener], handed_over: &mut HandedOver) -> Result<MioNet, BindError> {
        let system = |error| BindError { wanted: None, error };
        let poll = Poll::new().map_err(system)?;
        let mut listeners = Vec::new();
        for wanted in wanted {
            listeners.push(OpenListener::open(wanted)?);
        }
        listeners.append(&mut handed_over.listeners);
        for (index, listener) in listeners.iter_mut().enumerate() {
            let token = Token(LISTENER - index);
            poll.registry().register(listener.source(), token, Interest::READABLE).map_err(system)?;
        }
        Ok(MioNet {
            listeners,
            poll,
            events: Events::with_capacity(READY_AT_ONCE),
            signals: None,
            acknowledgements: Acknowledgements::open(),
            started: Instant::now(),
            spare: spare_descriptor(),
            #[cfg(feature = "tls")]
            keys: None,
        })
    }

    /// Has what is spoken on TCP at the web port, and at terminals' own encrypted one, encrypted with these keys: on
    /// connections that are accepted from now on.
    #[cfg(feature = "tls")]
    pub fn set_tls(&mut self, keys: ServerKeys) {
        self.keys = Some(keys);
    }

    fn is_web_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.keys.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }

    /// A connection to a listener whose connections are encrypted.
    #[cfg(feature = "tls")]
    fn encrypted(&self, id: ListenerId, accepted: Accepted<MioStream>) -> Accepted<MioStream> {
        let Accepted { stream, peer, local } = accepted;
        let stream = match (stream, &self.keys) {
            (MioStream::Tcp(stream), Some(keys)) => {
                let config = if id.port == Port::Web { keys.web() } else { keys.line() };
                MioStream::Tls(Box::new(TlsStream::new(stream, Arc::clone(config))))
            }
            (stream, _) => stream,
        };
        Accepted { stream, peer, local }
    }

    /// Takes the signals by which the program is told to stop, or to read its configuration again; until then each ends
    /// it at once. To be asked for when the loop is about to begin: whatever is waited for before could not be
    /// interrupted otherwise.
    ///
    /// # Errors
    /// The system has no room for it.
    pub fn take_signals(&mut self, hang_up: HangUp) -> io::Result<()> {
        self.signals = Some(TakenSignals::take(self.poll.registry(), SIGNALS, hang_up)?);
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

    /// Where it really listens, those for browsers first: with the ports that were taken where any was good.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn bound_listeners(&self) -> io::Result<Vec<Listener>> {
        let mut bound = self.listeners.iter().map(OpenListener::bound).collect::<io::Result<Vec<_>>>()?;
        bound.sort_by_key(|listener| listener.port);
        Ok(bound)
    }

    fn listener(&self, id: ListenerId) -> Option<&OpenListener> {
        self.listeners.get(usize::from(id.index))
    }

    /// No descriptor is left: gives up the spare one to take those who wait, one after the other, and tells them.
    /// Returns how many they were.
    fn refuse_waiting(&mut self, listener: ListenerId, refusal: &[u8]) -> u32 {
        let mut refused = 0;
        while refused < REFUSALS_AT_ONCE {
            self.spare = None;
            let accepted = self.listener(listener).map(OpenListener::accept);
            let Some(Ok(accepted)) = accepted else { break };
            self.refuse(accepted.stream, refusal);
            self.spare = spare_descriptor();
            refused += 1;
        }
        self.spare = self.spare.take().or_else(spare_descriptor);
        refused
    }
}

fn spare_descriptor() -> Option<Socket> {
    Socket::new(Domain::IPV4, Type::STREAM, None).ok()
}

impl Net for MioNet {
    type Stream = MioStream;

    fn now(&mut self) -> Now {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Now { steady_ms: self.started.elapsed().as_millis() as u64, wall_ms: wall.as_millis() as u64 }
    }

    fn elapsed_us(&mut self) -> u64 {
        self.started.elapsed().as_micros() as u64
    }

    fn wait(&mut self, timeout_ms: Option<u64>, ready: &mut Vec<Readiness>) -> io::Result<()> {
        match self.poll.poll(&mut self.events, timeout_ms.map(Duration::from_millis)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        let is_web_tls = self.is_web_tls();
        for event in &self.events {
            ready.push(match event.token() {
                SIGNALS => {
                    if let Some(signals) = &mut self.signals {
                        ready.extend(signals.pending());
                    }
                    continue;
                }
                WAKER => continue,
                Token(id) => match self.listeners.get(LISTENER - id) {
                    Some(listener) => Readiness::Listener(listener.id(LISTENER - id, is_web_tls)),
                    None => Readiness::Connection {
                        connection: ConnectionId(id as u64),
                        readable: event.is_readable() || event.is_read_closed() || event.is_error(),
                        writable: event.is_writable() || event.is_write_closed() || event.is_error(),
                        ended: event.is_read_closed() || event.is_error(),
                    },
                },
            });
        }
        Ok(())
    }

    fn accept(&mut self, id: ListenerId, refusal: &[u8]) -> Accept<MioStream> {
        loop {
            let Some(listener) = self.listener(id) else { return Accept::Nothing };
            match listener.accept() {
                #[cfg(feature = "tls")]
                Ok(accepted) if id.is_tls => return Accept::Connection(self.encrypted(id, accepted)),
                Ok(accepted) => return Accept::Connection(accepted),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Accept::Nothing,
                Err(error) if is_out_of_descriptors(&error) => {
                    // Linux says so even if nobody waits.
                    return Accept::OutOfDescriptors { refused: self.refuse_waiting(id, refusal) };
                }
                // The peer gave up while it waited: the next one may be fine.
                Err(_) => continue,
            }
        }
    }

    fn register(&mut self, stream: &mut MioStream, connection: ConnectionId) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(stream.source(), Token(connection.0 as usize), both)
    }

    fn refuse(&mut self, stream: MioStream, words: &[u8]) {
        let mut stream = stream.into_socket();
        let _ = stream.write(words);
        stream.end_sending();
        // What has arrived must be read, or closing would take back what was just said (RFC 9112, 9.6).
        let _ = stream.read(&mut [0; 4096]);
    }

    fn end_sending(&mut self, stream: &mut MioStream) {
        stream.end_sending();
    }

    fn close(&mut self, mut stream: MioStream) {
        let _ = self.poll.registry().deregister(stream.source());
    }

    fn overdue_ms(&mut self, stream: &MioStream) -> u64 {
        let Some(acknowledgements) = &mut self.acknowledgements else { return 0 };
        let Some((local, peer)) = stream.addresses() else { return 0 };
        acknowledgements.overdue_ms(local, peer).unwrap_or(0)
    }

    #[cfg(feature = "tls")]
    fn renew_keys(&mut self, keys: ServerKeys) {
        self.set_tls(keys);
    }

    fn close_listeners(&mut self) {
        for mut listener in self.listeners.drain(..) {
            let _ = self.poll.registry().deregister(listener.source());
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
    use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

    use socket2::SockRef;

    #[cfg(any(target_vendor = "apple", target_os = "android", target_os = "linux"))]
    use super::super::listeners::UNSENT_LIMIT_BYTES;
    use super::super::listeners::{KEEPALIVE_AFTER, KEEPALIVE_ATTEMPTS, KEEPALIVE_INTERVAL};
    use super::super::{Accepted, Port};
    use super::*;
    use crate::options::{ListenAddress, ListenerPort};

    const WEB: ListenerId = ListenerId { index: 0, port: Port::Web, is_tls: false };

    fn listening(address: SocketAddr) -> MioNet {
        let wanted = Listener { port: ListenerPort::Web, address: ListenAddress::Tcp(address) };
        MioNet::bind(&[wanted], &mut HandedOver::default()).expect("a free port")
    }

    /// Somebody who connects to this host, at both ends.
    fn connect(net: &mut MioNet, host: IpAddr) -> (std::net::TcpStream, Accepted<MioStream>) {
        let bound = net.bound_listeners().expect("it is bound")[0].address.tcp().expect("a port");
        let client = std::net::TcpStream::connect((host, bound.port())).expect("it listens");
        loop {
            if let Accept::Connection(accepted) = net.accept(WEB, b"") {
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
            assert_eq!((accepted.peer, accepted.local), (Some(host), host), "as it is usually written");
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
        assert_has_options(&accepted);
        assert!(matches!(net.accept(WEB, b""), Accept::Nothing), "it does not block");
    }

    #[cfg(unix)]
    #[test]
    fn who_waited_at_a_socket_that_is_handed_over_has_them_as_well() {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a socket can");
        let _client = std::net::TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
        let handed_over = OpenListener::handed_over_tcp(ListenerPort::Web, listener);
        let mut net = MioNet::bind(&[], &mut HandedOver { listeners: vec![handed_over] }).expect("nothing is bound");
        let mut ready = Vec::new();
        net.wait(None, &mut ready).expect("it can wait");
        assert_eq!(ready, [Readiness::Listener(WEB)]);
        let Accept::Connection(accepted) = net.accept(WEB, b"") else { panic!("somebody waits") };
        assert_has_options(&accepted);
    }

    fn assert_has_options(accepted: &Accepted<MioStream>) {
        let MioStream::Tcp(stream) = &accepted.stream else { panic!("it is one of TCP") };
        let socket = SockRef::from(stream);
        assert!(socket.tcp_nodelay().expect("an option") && socket.keepalive().expect("an option"));
        assert_eq!(socket.tcp_keepalive_time().expect("an option"), KEEPALIVE_AFTER);
        assert_eq!(socket.tcp_keepalive_interval().expect("an option"), KEEPALIVE_INTERVAL);
        assert_eq!(socket.tcp_keepalive_retries().expect("an option"), KEEPALIVE_ATTEMPTS);
        #[cfg(any(target_vendor = "apple", target_os = "android", target_os = "linux"))]
        assert_eq!(socket.tcp_notsent_lowat().expect("an option"), UNSENT_LIMIT_BYTES);
    }
}
