//! Where the real system accepts connections: how TCP ports and Unix sockets are listened on.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::io;
#[cfg(unix)]
use std::path::{Path, PathBuf};
use std::time::Duration;

use mio::event::Source;
use mio::net::TcpListener;
#[cfg(unix)]
use mio::net::UnixListener;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use super::stream::MioStream;
use super::{Accepted, ListenerId, Port};
use crate::options::{ListenAddress, Listener, ListenerPort};

/// Connections that may wait to be accepted. mio's own listener asks for 128: a crowd that connects at
/// once then waits for seconds.
const BACKLOG: i32 = 4096;

/// A silent peer's system is asked whether it is there after this time, so that a terminal whose machine is gone is
/// noticed, after 90 s; WebSockets have their own pings, which come sooner.
pub(super) const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
pub(super) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
pub(super) const KEEPALIVE_ATTEMPTS: u32 = 3;

/// What the kernel takes beyond what it can send at once: as little as keeps the line busy, so that what is taken of
/// what waits shows that the peer is there, however slow its line is.
#[cfg(any(target_vendor = "apple", target_os = "android", target_os = "linux"))]
pub(super) const UNSENT_LIMIT_BYTES: u32 = 64 * 1024;

/// Whether connections have the options of the listener that they came by. They need not be set for each one then,
/// which takes five system calls.
const OPTIONS_ARE_INHERITED: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Who may connect to a Unix socket: its owner and its group, as to anything that is shared with some. Whoever may is
/// believed as a proxy.
#[cfg(unix)]
const SOCKET_MODE: u32 = 0o660;

/// Why the server cannot listen.
#[derive(Debug)]
pub struct BindError {
    /// Which listener; `None`: none got that far.
    pub wanted: Option<Listener>,
    /// What the system says. [`AlreadyExists`](io::ErrorKind::AlreadyExists): what is there is no socket.
    pub error: io::Error,
}

/// One that accepts connections.
pub struct OpenListener {
    port: ListenerPort,
    socket: ListeningSocket,
    /// Who came before it was ours has none of our options.
    sets_options: bool,
}

enum ListeningSocket {
    Tcp(TcpListener),
    /// The file goes first: as long as the socket is open, nothing else can have its number.
    #[cfg(unix)]
    Unix(SocketFile, UnixListener),
}

impl OpenListener {
    /// Listens where it is told.
    pub fn open(wanted: &Listener) -> Result<OpenListener, BindError> {
        let socket = match &wanted.address {
            ListenAddress::Tcp(address) => listen(*address).map(ListeningSocket::Tcp),
            #[cfg(unix)]
            ListenAddress::Unix(path) => {
                listen_unix(path).map(|(file, listener)| ListeningSocket::Unix(file, listener))
            }
            #[cfg(not(unix))]
            ListenAddress::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        };
        match socket {
            Ok(socket) => Ok(OpenListener { port: wanted.port, socket, sets_options: !OPTIONS_ARE_INHERITED }),
            Err(error) => Err(BindError { wanted: Some(wanted.clone()), error }),
        }
    }

    /// One that listens already.
    #[cfg(unix)]
    pub fn handed_over_tcp(port: ListenerPort, listener: std::net::TcpListener) -> OpenListener {
        let socket = ListeningSocket::Tcp(TcpListener::from_std(listener));
        OpenListener { port, socket, sets_options: true }
    }

    /// One that listens already, at a path that is not ours to remove.
    #[cfg(unix)]
    pub fn handed_over_unix(
        port: ListenerPort,
        path: PathBuf,
        listener: std::os::unix::net::UnixListener,
    ) -> OpenListener {
        let file = SocketFile { path, identity: None };
        OpenListener {
            port,
            socket: ListeningSocket::Unix(file, UnixListener::from_std(listener)),
            sets_options: false,
        }
    }

    /// What is spoken there.
    pub fn port(&self) -> ListenerPort {
        self.port
    }

    /// As it is known outside of the system, where the web port is over TLS or not. Whoever comes by a Unix socket is on
    /// this machine, and needs none.
    pub fn id(&self, index: usize, is_web_tls: bool) -> ListenerId {
        let is_tcp = matches!(self.socket, ListeningSocket::Tcp(_));
        let (port, is_tls) = match self.port {
            ListenerPort::Web => (Port::Web, is_tcp && is_web_tls),
            ListenerPort::Line => (Port::Line, false),
            ListenerPort::LineTls => (Port::Line, is_tcp),
            ListenerPort::Metrics => (Port::Metrics, false),
        };
        ListenerId { index: index as u16, port, is_tls }
    }

    /// Where it really listens: with the port that was taken if any was good.
    pub fn bound(&self) -> io::Result<Listener> {
        let address = match &self.socket {
            ListeningSocket::Tcp(listener) => ListenAddress::Tcp(listener.local_addr()?),
            #[cfg(unix)]
            ListeningSocket::Unix(file, _) => ListenAddress::Unix(file.path.clone()),
        };
        Ok(Listener { port: self.port, address })
    }

    /// Takes a connection that waits.
    pub fn accept(&self) -> io::Result<Accepted<MioStream>> {
        match &self.socket {
            ListeningSocket::Tcp(listener) => {
                let (stream, peer) = listener.accept()?;
                if self.sets_options {
                    set_options(&SockRef::from(&stream));
                }
                let peer = peer.ip().to_canonical();
                let local = stream.local_addr().map_or(peer, |address| address.ip().to_canonical());
                Ok(Accepted { stream: MioStream::Tcp(stream), peer: Some(peer), local })
            }
            #[cfg(unix)]
            ListeningSocket::Unix(_, listener) => {
                let (stream, _) = listener.accept()?;
                let local = Ipv4Addr::LOCALHOST.into();
                Ok(Accepted { stream: MioStream::Unix(stream), peer: None, local })
            }
        }
    }

    /// What the system registers.
    pub fn source(&mut self) -> &mut dyn Source {
        match &mut self.socket {
            ListeningSocket::Tcp(listener) => listener,
            #[cfg(unix)]
            ListeningSocket::Unix(_, listener) => listener,
        }
    }
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

/// The file of a Unix socket. It goes with this, unless it was or has become another's.
#[cfg(unix)]
struct SocketFile {
    path: PathBuf,
    /// Device and number, by which it is told from others of its name.
    identity: Option<(u64, u64)>,
}

#[cfg(unix)]
impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.identity.is_some() && identity_of(&self.path).ok() == self.identity {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(unix)]
fn identity_of(path: &Path) -> io::Result<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}

/// Listens at a path. A socket that nobody listens at any more, as a crash leaves one, is replaced.
#[cfg(unix)]
fn listen_unix(path: &Path) -> io::Result<(SocketFile, UnixListener)> {
    use std::os::unix::fs::PermissionsExt;
    // Two that find the same dead socket at once would else replace each other's. Where it cannot be had, the rest does.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let _alone = std::fs::File::open(folder).and_then(|folder| folder.lock().map(|()| folder));
    remove_dead_socket(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&socket2::SockAddr::unix(path)?)?;
    let file = SocketFile { path: path.to_owned(), identity: Some(identity_of(path)?) };
    // Nobody can connect before it listens, whatever its permissions are until here.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE))?;
    socket.listen(BACKLOG)?;
    Ok((file, UnixListener::from_std(socket.into())))
}

/// Makes room for a socket at this path, if what is there is one that nobody listens at.
#[cfg(unix)]
fn remove_dead_socket(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt;
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(found) if !found.file_type().is_socket() => return Err(io::ErrorKind::AlreadyExists.into()),
        Ok(_) => {}
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    probe.set_nonblocking(true)?;
    match probe.connect(&socket2::SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path),
        // It has been removed meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        // Somebody listens, or too many wait for that already, or it is a socket of another kind.
        _ => Err(io::ErrorKind::AddrInUse.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[cfg(unix)]
    mod unix {
        use std::os::unix::fs::{FileTypeExt, PermissionsExt};
        use std::os::unix::net::{UnixListener, UnixStream};

        use super::*;

        /// A folder of its own, that goes with this.
        struct Folder(PathBuf);

        impl Folder {
            fn new(name: &str) -> Folder {
                let path = std::env::temp_dir().join(format!("snugd-listeners-{name}-{}", std::process::id()));
                std::fs::create_dir(&path).expect("a new folder");
                Folder(path)
            }

            fn path(&self) -> PathBuf {
                self.0.join("socket")
            }
        }

        impl Drop for Folder {
            fn drop(&mut self) {
                let _ = std::fs::remove_dir_all(&self.0);
            }
        }

        fn refusal(path: &Path) -> io::ErrorKind {
            listen_unix(path).map(|_| ()).expect_err("it is not to be listened at").kind()
        }

        #[test]
        fn a_socket_is_its_owners_and_its_groups_and_goes_at_the_end() {
            let folder = Folder::new("mode");
            let listening = listen_unix(&folder.path()).expect("it can be listened at");
            let found = std::fs::symlink_metadata(folder.path()).expect("it is there");
            assert!(found.file_type().is_socket());
            assert_eq!(found.permissions().mode() & 0o777, 0o660);
            UnixStream::connect(folder.path()).expect("somebody listens");
            drop(listening);
            assert!(!folder.path().exists());
        }

        #[test]
        fn a_dead_socket_is_replaced_and_a_living_one_is_not() {
            let folder = Folder::new("dead");
            // The file outlives its listener, as after a crash.
            drop(UnixListener::bind(folder.path()).expect("it can be bound"));
            let first = listen_unix(&folder.path()).expect("nobody listens");
            assert_eq!(refusal(&folder.path()), io::ErrorKind::AddrInUse);
            UnixStream::connect(folder.path()).expect("the first one still listens");
            drop(first);
            listen_unix(&folder.path()).expect("nobody listens any more");
        }

        #[test]
        fn what_is_no_socket_is_left_alone() {
            let folder = Folder::new("file");
            std::fs::write(folder.path(), "precious").expect("a file");
            assert_eq!(refusal(&folder.path()), io::ErrorKind::AlreadyExists);
            assert_eq!(std::fs::read(folder.path()).expect("it is there"), b"precious");
            let link = folder.0.join("link");
            drop(UnixListener::bind(folder.0.join("other")).expect("it can be bound"));
            std::os::unix::fs::symlink(folder.0.join("other"), &link).expect("a link");
            assert_eq!(refusal(&link), io::ErrorKind::AlreadyExists, "nor is a link followed");
            assert_eq!(refusal(&folder.0), io::ErrorKind::AlreadyExists);
            assert_eq!(refusal(&folder.0.join("nowhere").join("socket")), io::ErrorKind::NotFound);
        }

        #[test]
        fn a_socket_that_has_become_anothers_stays() {
            let folder = Folder::new("other");
            let first = listen_unix(&folder.path()).expect("it can be listened at");
            std::fs::remove_file(folder.path()).expect("it is there");
            let _second = UnixListener::bind(folder.path()).expect("it is free");
            drop(first);
            UnixStream::connect(folder.path()).expect("the second one still listens");
        }
    }
}
