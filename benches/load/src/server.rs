//! A server that runs: started on its own CPU, asked for what it costs, stopped when dropped.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::process;
use crate::roster::{Kind, Places, Ports, SMALLCHAT_PORT};
use crate::secure::{self, Certificate};

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Starts a program on the CPU for servers.
fn spawn(command: &mut Command) -> io::Result<Child> {
    process::pin(process::SERVER_CPU)?;
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    process::pin(process::LOAD_CPU)?;
    child
}

/// A running server; dropped, it is stopped.
#[derive(Debug)]
pub struct Server {
    kind: Option<&'static Kind>,
    is_secure: bool,
    child: Child,
    pub ports: Ports,
}

impl Server {
    /// Starts a server of the roster on the CPU for servers and waits until it accepts connections.
    pub fn start(kind: &'static Kind, places: &Places, is_secure: bool) -> io::Result<Server> {
        let mut ports = Ports { web: free_port()?, line: free_port()? };
        if kind.name == "smallchat" {
            ports.line = SMALLCHAT_PORT;
        }
        std::fs::create_dir_all(ports.folder())?;
        let (program, arguments) = match is_secure {
            true => {
                let made = Certificate::make(&ports.folder())?;
                kind.secure(places, &ports, &made).ok_or_else(|| io::Error::other("it speaks no TLS"))?
            }
            false => (kind.program(places), kind.arguments(places, &ports)),
        };
        let mut command = Command::new(program);
        command.args(arguments);
        let mut server = Server { kind: Some(kind), is_secure, child: spawn(&mut command)?, ports };
        let port = if kind.web.is_some() { ports.web } else { ports.line };
        server.wait_for(port)?;
        Ok(server)
    }

    /// Starts a program that is not a chat: it listens on `web` once it runs.
    pub fn start_pages(command: &mut Command, ports: Ports) -> io::Result<Server> {
        let mut server = Server { kind: None, is_secure: false, child: spawn(command)?, ports };
        server.wait_for(ports.web)?;
        Ok(server)
    }

    pub fn free_ports() -> io::Result<Ports> {
        Ok(Ports { web: free_port()?, line: free_port()? })
    }

    /// CPU time used so far, in nanoseconds, with that of child processes that still run.
    pub fn cpu_ns(&self) -> io::Result<u64> {
        let process = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
        let mut total = process::cpu_ns(process)?;
        for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
            total += process::cpu_ns(child).unwrap_or(0);
        }
        Ok(total)
    }

    pub fn resident_bytes(&self) -> io::Result<u64> {
        process::resident_bytes(self.child.id())
    }

    /// Whether it speaks TLS.
    pub fn is_secure(&self) -> bool {
        self.is_secure
    }

    pub fn web_address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.web).into()
    }

    pub fn line_address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.line).into()
    }

    /// Codes of so many rooms: snugd is asked to create them, the others make a room of any code.
    pub fn create_rooms(&self, count: usize) -> io::Result<Vec<String>> {
        if !self.kind.is_some_and(Kind::is_snugd) {
            return Ok((0..count).map(room_code).collect());
        }
        let stream = TcpStream::connect(self.web_address())?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        match self.is_secure {
            true => create_rooms_over(&mut secure::connect(stream)?, count),
            false => create_rooms_over(&mut &stream, count),
        }
    }

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

impl Drop for Server {
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
