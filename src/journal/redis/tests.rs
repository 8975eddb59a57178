use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use ::redis::{Cmd, Connection, Value, cmd};

use super::connecting::ask;
use super::faults::Fault;
use super::*;
use crate::journal::cluster::log::*;
use crate::rooms::*;

mod faults;
mod link;
mod many_rooms;
mod model;
mod node;
#[path = "../../../tests/support/ordered_log.rs"]
mod ordered_log;
#[cfg(feature = "sqlite")]
mod pages;

/// How long anything may take on a busy machine. Only a test that fails waits so long.
const DEADLINE: Duration = Duration::from_secs(20);

/// A Redis of a test's own, in a folder of its own, gone with it.
struct Server {
    folder: PathBuf,
    process: Option<Child>,
    /// The one whose replica it is, by its port.
    extra: Vec<String>,
}

impl Server {
    fn start() -> Server {
        Server::start_with(&[])
    }

    fn start_with(extra: &[&str]) -> Server {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("snugd-redis-{}-{number}", std::process::id()));
        fs::create_dir(&folder).expect("a folder for the test");
        let extra = extra.iter().map(|&word| word.to_owned()).collect();
        let mut server = Server { folder, process: None, extra };
        server.run();
        server
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("redis.sock")
    }

    fn run(&mut self) {
        let process = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "yes", "--appendfsync", "always"])
            .args(["--enable-debug-command", "yes", "--logfile", "redis.log"])
            .arg("--unixsocket")
            .arg(self.socket())
            .arg("--dir")
            .arg(&self.folder)
            .args(&self.extra)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        self.process = Some(process);
    }

    /// Ends it as a machine ends that loses its power.
    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("it runs");
            process.wait().expect("it has ended");
        }
    }

    fn address(&self) -> ClusterAddress {
        ClusterAddress::parse(&format!("unix://{}", self.socket().display())).expect("an address")
    }

    /// A connection, as soon as there can be one.
    fn connect(&self) -> Connection {
        wait_for("a Redis that answers", || Connector::new(self.address()).connect().ok()).connection
    }

    fn command(&self, words: &[&str]) -> Value {
        self.try_command(words).expect("an answer")
    }

    fn try_command(&self, words: &[&str]) -> Result<Value, Fault> {
        let mut command = cmd(words[0]);
        command.arg(&words[1..]);
        ask(&mut self.connect(), &command)
    }

    /// Has it listen at a port as well from here on, which is returned. One that was free a moment ago may be another
    /// server's.
    fn listen(&mut self) -> u16 {
        let port = wait_for("a port that is free", || {
            let port = free_port();
            self.try_command(&["CONFIG", "SET", "port", &port.to_string()]).is_ok().then_some(port)
        });
        self.extra.extend(["--port".to_owned(), port.to_string()]);
        port
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(started.elapsed() < DEADLINE, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A port at which nobody listens.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}
