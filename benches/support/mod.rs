//! A server, and terminals on it, for benches that need no crowd.
#![allow(dead_code, reason = "not every bench needs all of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

/// Of sorted times.
pub fn p99(times: &[Duration]) -> Duration {
    times[times.len() * 99 / 100]
}

/// What sorted times are like.
pub fn told(times: &[Duration]) -> String {
    format!("median {:.2?}, p99 {:.2?}, longest {:.2?}", times[times.len() / 2], p99(times), times[times.len() - 1])
}

/// The program, on ports that were free.
pub struct Server {
    process: Child,
    /// Where browsers connect.
    pub web: SocketAddr,
    /// Where terminals connect.
    pub line: SocketAddr,
    _output: BufReader<ChildStdout>,
}

impl Server {
    /// Starts it with these options as well.
    pub fn start(options: &[&str]) -> Server {
        let mut process = Command::new(env!("CARGO_BIN_EXE_snugd"))
            .args(["--listen", "127.0.0.1:0", "--line-listen", "127.0.0.1:0", "--rate", "0", "-q"])
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut output = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut listening = |port: &str| {
            let mut line = String::new();
            assert_ne!(output.read_line(&mut line).expect("it tells where it is"), 0, "the program has ended");
            let address = line.trim_end().strip_prefix(&format!("listening {port} "));
            address.and_then(|address| address.parse().ok()).unwrap_or_else(|| panic!("not what was expected: {line}"))
        };
        let (web, line) = (listening("web"), listening("line"));
        Server { process, web, line, _output: output }
    }

    /// Its resident memory.
    pub fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has memory");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }

    /// A terminal that connects from this address.
    pub fn connect(&self, from: Ipv4Addr) -> Terminal {
        Terminal { stream: connect(self.line, from), unread: Vec::new(), code: String::new() }
    }

    /// A terminal that comes into a room by this command.
    pub fn enter(&self, command: &str, from: Ipv4Addr) -> Terminal {
        let mut terminal = self.connect(from);
        terminal.say(command);
        terminal.wait_for("Name: * ");
        terminal.code = terminal.wait_for(". ")[..4].to_owned();
        terminal
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has nothing to lose.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A connection from this address to that one.
pub fn connect(to: SocketAddr, from: Ipv4Addr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((from, 0)).into()).expect("a loopback address");
    socket.connect(&to.into()).expect("the program accepts");
    socket.set_tcp_nodelay(true).expect("an option");
    TcpStream::from(socket)
}

/// Somebody at a terminal.
pub struct Terminal {
    stream: TcpStream,
    unread: Vec<u8>,
    /// Of the room that it is in.
    pub code: String,
}

impl Terminal {
    /// Types a line.
    pub fn say(&mut self, line: &str) {
        self.stream.write_all(format!("{line}\n").as_bytes()).expect("the program reads");
    }

    /// Reads up to this text, and gives what came with it and before.
    pub fn wait_for(&mut self, text: &str) -> String {
        loop {
            let found = self.unread.windows(text.len()).position(|window| window == text.as_bytes());
            if let Some(start) = found {
                let read = self.unread.drain(..start + text.len()).collect();
                return String::from_utf8(read).expect("UTF-8");
            }
            let mut bytes = [0; 4096];
            let count = self.stream.read(&mut bytes).expect("the program writes");
            assert_ne!(count, 0, "closed before {text:?}");
            self.unread.extend_from_slice(&bytes[..count]);
        }
    }
}
