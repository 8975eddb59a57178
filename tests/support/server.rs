//! The real program, started for one test and stopped with it.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::http::{HttpClient, Response};
use super::{DEADLINE, eventually};

/// A running `snugd`. Dropping it asks it to stop, and checks that it did so in good order.
pub struct Server {
    child: Child,
    pub web: SocketAddr,
    line: Option<SocketAddr>,
    /// All that it listens at, as it says so: `web 127.0.0.1:5000`.
    pub listeners: Vec<String>,
    /// What it writes to standard output after the lines that tell where it listens.
    output: Receiver<String>,
    log: Arc<Mutex<String>>,
    log_reader: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts it with free ports and the usual limits.
    pub fn start() -> Server {
        Server::with(&[])
    }

    /// Starts it with free ports, where these options name none, and these options.
    pub fn with(options: &[&str]) -> Server {
        let mut command = command();
        for listen in ["--listen", "--line-listen"].into_iter().filter(|listen| !options.contains(listen)) {
            command.args([listen, "127.0.0.1:0"]);
        }
        command.args(options);
        Server::run(command)
    }

    /// Runs a command that becomes the program, and waits until it listens for browsers and terminals.
    pub fn run(command: Command) -> Server {
        Server::run_listening(command, &["web", "line"])
    }

    /// Runs a command that becomes the program without a port for terminals.
    pub fn run_without_line(command: Command) -> Server {
        Server::run_listening(command, &["web"])
    }

    /// Runs a command that becomes the program, and waits until it listens for each of these, in this order.
    pub fn run_listening(mut command: Command, kinds: &[&str]) -> Server {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program can be started");
        let output = lines_of(child.stdout.take().expect("it is piped"));
        let (log, log_reader) = text_of(child.stderr.take().expect("it is piped"));
        let listeners: Vec<String> = kinds.iter().map(|kind| next_listener(&output, kind, &log)).collect();
        // By a Unix socket nobody comes in this way.
        let first = |kind: &str| listeners.iter().find_map(|line| line.strip_prefix(kind)?.parse().ok());
        let web = first("web ").unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)));
        let line = first("line ");
        Server { child, web, line, listeners, output, log, log_reader: Some(log_reader) }
    }

    /// Where terminals connect.
    pub fn line(&self) -> SocketAddr {
        self.line.expect("it listens for terminals")
    }

    /// The address of the listener at this place in the order in which it says where it listens.
    pub fn listener(&self, place: usize) -> &str {
        self.listeners[place].split_once(' ').expect("a kind and an address").1
    }

    /// The home page's address as invitations show it.
    pub fn url(&self) -> String {
        format!("http://localhost:{}/", self.web.port())
    }

    /// What it wrote to standard output after the lines that tell where it listens. It has to have ended.
    pub fn rest_of_output(&mut self) -> Vec<String> {
        self.wait();
        self.output.iter().collect()
    }

    /// What it has written to standard error so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("the reader does not panic").clone()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, by the shell's own `kill`.
    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Waits until it has ended.
    pub fn wait(&mut self) -> ExitStatus {
        let child = &mut self.child;
        let status = eventually("the server ends", || child.try_wait().expect("a child can be waited for"));
        if let Some(reader) = self.log_reader.take() {
            reader.join().expect("the reader does not panic");
        }
        status
    }

    /// Ends it without any warning, as a crash would.
    pub fn crash(mut self) {
        self.child.kill().expect("it was running");
        self.wait();
    }

    fn check_end(&mut self) {
        let status = match self.child.try_wait() {
            Ok(Some(status)) => status,
            _ => {
                self.signal("TERM");
                self.wait()
            }
        };
        let log = self.log();
        // A crash on purpose has no exit code.
        assert!(matches!(status.code(), Some(0) | None), "the server ended with {status}; its log:\n{log}");
        assert!(!log.contains("panicked") && !log.contains(" ERROR "), "the server's log:\n{log}");
    }

    // ---- the shortest ways to ask it something

    /// A new connection for requests.
    pub fn http(&self) -> HttpClient {
        HttpClient::connect(self.web)
    }

    /// One `GET` over a connection of its own.
    pub fn get(&self, path: &str) -> Response {
        self.http().get(path)
    }

    /// One `GET` with these header lines.
    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        self.http().request("GET", path, headers, b"")
    }

    /// Posts the form of the home page.
    pub fn post_form(&self, fields: &[(&str, &str)]) -> Response {
        self.http().post_form("/", fields, &[])
    }

    /// Creates an empty room; returns its code.
    pub fn create_room(&self) -> String {
        let response = self.http().request("POST", "/api/v1/rooms", &[], b"");
        assert_eq!(response.status, 201, "{}", response.text());
        response.json()["room"].as_str().expect("a code").to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.child.kill();
            let _ = self.child.wait();
            eprintln!("the server's log:\n{}", self.log());
        } else {
            self.check_end();
        }
    }
}

/// The program, without any option, and with none of its variables in the environment but that it is not announced on
/// the network, nor what makes it a service.
pub fn command() -> Command {
    without_settings(Command::new(env!("CARGO_BIN_EXE_snugd")))
}

/// The same, with so few descriptors that a crowd uses them up.
pub fn command_with_few_descriptors() -> Command {
    let mut command = without_settings(Command::new("sh"));
    command.args(["-c", "ulimit -n 40; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_snugd")]);
    command
}

/// The same, with SIGINT as it is for a program in the foreground: where the tests run in the background of a shell it is
/// ignored, and is so by all that they start.
pub fn command_to_interrupt() -> Command {
    let mut command = without_settings(Command::new("env"));
    command.args(["--default-signal=INT", env!("CARGO_BIN_EXE_snugd")]);
    command
}

fn without_settings(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        let is_of_service = name.starts_with("LISTEN_") || name.starts_with("WATCHDOG_");
        if ["PORT", "INVOCATION_ID", "NOTIFY_SOCKET"].contains(&&*name) || name.starts_with("SNUGD_") || is_of_service {
            command.env_remove(&*name);
        }
    }
    // Tests are no affair of the network's.
    command.env("SNUGD_MDNS", "off");
    command
}

/// Sends a process a signal, by the shell's own `kill`.
pub fn signal(pid: u32, name: &str) {
    let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {pid}")).status();
    assert!(sent.expect("there is a shell").success(), "no process {pid} to send {name}");
}

/// What the line says that tells where it listens for this kind of peer.
fn next_listener(output: &Receiver<String>, kind: &str, log: &Mutex<String>) -> String {
    let Ok(line) = output.recv_timeout(DEADLINE) else {
        panic!("the server does not say where it listens; its log:\n{}", log.lock().expect("readable"));
    };
    let listener = line.strip_prefix("listening ").filter(|listener| listener.split(' ').next() == Some(kind));
    listener.unwrap_or_else(|| panic!("not the line of the {kind} listener: {line:?}")).to_owned()
}

/// The lines of a stream, read by a thread of their own.
fn lines_of(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            // Nobody wants to know any more: but the program must not block on a full pipe.
            let _ = sender.send(line);
        }
    });
    receiver
}

/// What a stream brings, gathered by a thread of its own.
fn text_of(stream: impl Read + Send + 'static) -> (Arc<Mutex<String>>, JoinHandle<()>) {
    let text = Arc::new(Mutex::new(String::new()));
    let gathered = Arc::clone(&text);
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut text = gathered.lock().expect("nobody panics with it");
            text.push_str(&line);
            text.push('\n');
        }
    });
    (text, reader)
}
