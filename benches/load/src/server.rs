//! A server that runs: started on its own CPU, asked for what it costs, stopped when dropped.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::process;
use crate::redis::Redis;
use crate::roster::{Kind, Places, Ports, SMALLCHAT_PORT};
use crate::secure::{self, Certificate};

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// CPU time that a process has used so far, in nanoseconds, with that of child processes that still run.
fn cpu_ns(process: u32) -> io::Result<u64> {
    let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    let mut total = process::cpu_ns(process)?;
    for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
        total += process::cpu_ns(child).unwrap_or(0);
    }
    Ok(total)
}

/// Starts a program on the CPU for servers.
fn spawn(command: &mut Command) -> io::Result<Child> {
    process::pin(process::SERVER_CPU)?;
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    process::pin(process::LOAD_CPU)?;
    child
}

/// One process of a server; dropped, it is stopped.
#[derive(Debug)]
struct Node {
    child: Child,
    ports: Ports,
}

/// A running server; dropped, it is stopped.
#[derive(Debug)]
pub struct Server {
    kind: Option<&'static Kind>,
    is_secure: bool,
    nodes: Vec<Node>,
    /// Which the nodes share, where they are several. It is stopped after them.
    redis: Option<Redis>,
}

impl Server {
    /// Starts a server of the roster on the CPU for servers and waits until it accepts connections. The Redis of several
    /// nodes is where the load is, for they have that CPU to themselves, as a node alone has.
    pub fn start(kind: &'static Kind, places: &Places, is_secure: bool) -> io::Result<Server> {
        let redis = kind.nodes.map(|_| Redis::start(process::LOAD_CPU)).transpose()?;
        let mut server = Server { kind: Some(kind), is_secure, nodes: Vec::new(), redis };
        for _ in 0..kind.nodes.unwrap_or(1) {
            server.start_node(kind, places)?;
        }
        Ok(server)
    }

    fn start_node(&mut self, kind: &'static Kind, places: &Places) -> io::Result<()> {
        let mut ports = Server::free_ports()?;
        ports.redis = self.redis.as_ref().map(|redis| redis.port);
        if kind.name == "smallchat" {
            ports.line = SMALLCHAT_PORT;
        }
        std::fs::create_dir_all(ports.folder())?;
        let (program, arguments) = match self.is_secure {
            true => {
                let made = Certificate::make(&ports.folder())?;
                kind.secure(places, &ports, &made).ok_or_else(|| io::Error::other("it speaks no TLS"))?
            }
            false => (kind.program(places), kind.arguments(places, &ports)),
        };
        let mut command = Command::new(program);
        command.args(arguments);
        let mut node = Node { child: spawn(&mut command)?, ports };
        node.wait_for(if kind.web.is_some() { ports.web } else { ports.line })?;
        self.nodes.push(node);
        Ok(())
    }

    /// Starts a program that is not a chat: it listens on `web` once it runs.
    pub fn start_pages(command: &mut Command, ports: Ports) -> io::Result<Server> {
        let mut node = Node { child: spawn(command)?, ports };
        node.wait_for(ports.web)?;
        Ok(Server { kind: None, is_secure: false, nodes: vec![node], redis: None })
    }

    pub fn free_ports() -> io::Result<Ports> {
        Ok(Ports { web: free_port()?, line: free_port()?, redis: None })
    }

    /// How many processes it is.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// CPU time of all nodes used so far, in nanoseconds.
    pub fn cpu_ns(&self) -> io::Result<u64> {
        Ok(self.cpu_ns_of_each()?.iter().sum())
    }

    /// The same, of each node.
    pub fn cpu_ns_of_each(&self) -> io::Result<Vec<u64>> {
        self.nodes.iter().map(|node| cpu_ns(node.child.id())).collect()
    }

    /// Whether its nodes share one.
    pub fn has_redis(&self) -> bool {
        self.redis.is_some()
    }

    /// CPU time of the Redis that the nodes share; 0 if there is none.
    pub fn redis_cpu_ns(&self) -> io::Result<u64> {
        self.redis.as_ref().map_or(Ok(0), Redis::cpu_ns)
    }

    pub fn resident_bytes(&self) -> io::Result<u64> {
        self.nodes.iter().map(|node| process::resident_bytes(node.child.id())).sum()
    }

    /// Whether it speaks TLS.
    pub fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// Where this node listens for browsers.
    pub fn web_address(&self, node: usize) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.nodes[node].ports.web).into()
    }

    /// Where this node listens for terminals.
    pub fn line_address(&self, node: usize) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.nodes[node].ports.line).into()
    }

    /// Codes of so many rooms: snugd is asked to create them, the others make a room of any code.
    pub fn create_rooms(&self, count: usize) -> io::Result<Vec<String>> {
        if !self.kind.is_some_and(Kind::is_snugd) {
            return Ok((0..count).map(room_code).collect());
        }
        let stream = TcpStream::connect(self.web_address(0))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        match self.is_secure {
            true => create_rooms_over(&mut secure::connect(stream)?, count),
            false => create_rooms_over(&mut &stream, count),
        }
    }
}

impl Node {
    fn wait_for(&mut self, port: u16) -> io::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("did not start: {status}")));
            }
            if Instant::now() > deadline {
                return Err(io::Error::other("did not listen within 20 s"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let process = Pid::from_raw(self.child.id() as i32);
        let _ = kill(process, Signal::SIGTERM);
        let deadline = Instant::now() + Duration::from_secs(2);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(self.ports.folder());
    }
}

fn create_rooms_over(stream: &mut (impl Read + Write), count: usize) -> io::Result<Vec<String>> {
    (0..count).map(|_| create_room(stream)).collect()
}

/// `POST /api/v1/rooms`; the answer is `201 {"room":"KXQT"}`.
fn create_room(stream: &mut (impl Read + Write)) -> io::Result<String> {
    stream.write_all(b"POST /api/v1/rooms HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")?;
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    while !answer.ends_with(b"}") && !answer.ends_with(b"}\n") {
        match stream.read(&mut chunk)? {
            0 => return Err(io::Error::other("closed while a room was created")),
            read => answer.extend_from_slice(&chunk[..read]),
        }
    }
    let answer = String::from_utf8_lossy(&answer);
    let code = answer.split_once("\"room\":\"").and_then(|(_, rest)| rest.split_once('"'));
    code.map(|(code, _)| code.to_owned()).ok_or_else(|| io::Error::other(format!("no room was created: {answer}")))
}

/// The `index`-th code of four consonants.
fn room_code(index: usize) -> String {
    const LETTERS: &[u8; 21] = b"BCDFGHJKLMNPQRSTVWXYZ";
    (0..4).rev().map(|place| char::from(LETTERS[index / 21usize.pow(place) % 21])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_codes_are_four_consonants_and_differ() {
        let codes: std::collections::HashSet<_> = (0..5_000).map(room_code).collect();
        assert_eq!(codes.len(), 5_000);
        assert!(codes.contains("BBBB") && codes.iter().all(|code| code.len() == 4));
    }
}
