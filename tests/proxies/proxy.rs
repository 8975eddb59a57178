//! A proxy that runs for one test: as an ordinary user, in a folder of its own, on loopback.

use std::fs::{self, File, Permissions};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::RngExt;

use crate::HOST;
use crate::support::server::signal;
use crate::support::{DEADLINE, eventually, find_program};

/// Whom root becomes: `nobody`, who owns nothing.
pub const ORDINARY_USER: u32 = 65_534;

/// A running proxy. Dropping it stops it and removes its folder.
pub struct Proxy {
    pub address: SocketAddr,
    scheme: &'static str,
    folder: Folder,
    command: Box<dyn Fn(&Path) -> Command>,
    child: Child,
}

impl Proxy {
    /// Starts a proxy that speaks `http` or `https`: `configure` writes what it needs into a folder, for this address,
    /// and returns the command that runs it there in the foreground.
    pub fn start<C>(scheme: &'static str, configure: impl Fn(&Path, SocketAddr) -> C) -> Proxy
    where
        C: Fn(&Path) -> Command + 'static,
    {
        // Somebody else may have taken the port in between.
        for _ in 0..5 {
            let address = free_address();
            let folder = Folder::new();
            let command: Box<dyn Fn(&Path) -> Command> = Box::new(configure(&folder.path, address));
            let child = run(&folder, &*command);
            let mut proxy = Proxy { address, scheme, folder, command, child };
            if proxy.is_up() {
                return proxy;
            }
            eprintln!("the proxy does not start:\n{}", proxy.log());
        }
        panic!("the proxy does not start");
    }

    /// Where its configuration is.
    pub fn folder(&self) -> &Path {
        &self.folder.path
    }

    /// Stops it, and starts it again at the same address.
    pub fn restart(&mut self) {
        self.stop();
        self.child = run(&self.folder, &*self.command);
        assert!(self.is_up(), "the proxy does not start again:\n{}", self.log());
    }

    /// Waits until it answers; false if it ends instead.
    fn is_up(&mut self) -> bool {
        let (scheme, address, child) = (self.scheme, self.address, &mut self.child);
        eventually("the proxy answers", || match child.try_wait().expect("a child can be waited for") {
            Some(_) => Some(false),
            None => answers(scheme, address).then_some(true),
        })
    }

    fn stop(&mut self) {
        if self.child.try_wait().expect("a child can be waited for").is_none() {
            // Not killed, or those that it started would stay.
            signal(self.child.id(), "TERM");
        }
        let child = &mut self.child;
        eventually("the proxy ends", || child.try_wait().expect("a child can be waited for"));
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path.join("log")).unwrap_or_default()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the proxy's log:\n{}", self.log());
        }
        self.stop();
    }
}

/// Whether anything comes back. That a connection is accepted tells little: some fail after they began to listen.
fn answers(scheme: &str, address: SocketAddr) -> bool {
    let port = address.port();
    let mut curl = Command::new(find_program(&["curl"], "curl"));
    curl.args(["-q", "-s", "-k", "-o", "/dev/null", "--noproxy", "*"]);
    curl.args(["--resolve", &format!("{HOST}:{port}:{}", address.ip()), &format!("{scheme}://{HOST}:{port}/")]);
    curl.status().expect("curl can be started").success()
}

fn run(folder: &Folder, command: &dyn Fn(&Path) -> Command) -> Child {
    let log = File::options().append(true).open(folder.path.join("log")).expect("it was made with the folder");
    let mut command = command(&folder.path);
    command.current_dir(&folder.path).env("HOME", &folder.path);
    command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file")).stderr(log);
    if folder.is_roots {
        command.uid(ORDINARY_USER).gid(ORDINARY_USER);
    }
    command.spawn().expect("the proxy can be started")
}

/// A folder that goes with the test.
struct Folder {
    path: PathBuf,
    /// Root made it, and gave it away.
    is_roots: bool,
}

impl Folder {
    fn new() -> Folder {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("snugd-proxy-{}-{number}", std::process::id()));
        fs::create_dir(&path).expect("the system has a folder for temporary ones");
        fs::set_permissions(&path, Permissions::from_mode(0o700)).expect("it is ours");
        let is_roots = fs::metadata(&path).expect("it is there").uid() == 0;
        let log = path.join("log");
        File::create_new(&log).expect("a folder of our own");
        if is_roots {
            for path in [&path, &log] {
                chown(path, Some(ORDINARY_USER), Some(ORDINARY_USER)).expect("root may give it away");
            }
        }
        Folder { path, is_roots }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// An address that nobody listens on. Proxies cannot be given port 0, as nobody would learn which one they took. The
/// system gives away none of these ports by itself, as they are below those that it chooses from.
pub fn free_address() -> SocketAddr {
    eventually("there is a free port", || {
        let address = SocketAddr::from(([127, 0, 0, 1], rand::rng().random_range(20_000..32_000)));
        TcpListener::bind(address).is_ok().then_some(address)
    })
}

/// A connection from this address of the machine's own, as from another machine.
pub fn connect_from(source: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("there are sockets");
    socket.bind(&SocketAddr::from((source, 0)).into()).expect("all of 127.0.0.0/8 is this machine");
    socket.connect_timeout(&to.into(), DEADLINE).expect("the proxy accepts connections");
    socket.into()
}
