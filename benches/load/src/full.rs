//! More connections than the server has descriptors for: the ones it can hold, it holds, and whoever comes
//! beyond them is told so.
//!
//! This process has no more descriptors than the server. So two more processes, this program again, hold half of the
//! connections each, until their standard input ends.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::dialect::{self, Identity};
use crate::server::Server;
use crate::{process, websocket};

/// One address has about 28,000 ports for all its connections to another one.
const MAX_LIMIT: u64 = 20_000;
/// Connections beyond the limit.
const SPARE: u64 = 500;
const HOLDERS: u64 = 2;
/// Members of each room.
const ROOM_MEMBERS: u64 = 100;
/// Patience with one answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How it ended.
#[derive(Clone, Copy, Debug)]
pub struct Full {
    /// Descriptors that the server may have.
    pub limit: u64,
    pub counts: Counts,
    /// Whether a newcomer is served again once the others have gone.
    pub serves_afterwards: bool,
}

/// What became of so many connections.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// In a room, and still open when all that one process holds had come.
    pub held: u64,
    /// Answered with 503.
    pub refused: u64,
    /// Anything else: closed without a word, or later on.
    pub failed: u64,
}

/// Fills the server up.
pub fn run(server: &Server) -> io::Result<Full> {
    let limit = process::raise_descriptor_limit()?;
    if limit > MAX_LIMIT {
        return Err(io::Error::other(format!(
            "{limit} descriptors are more than there are ports; start this with `ulimit -n {MAX_LIMIT}`"
        )));
    }
    let each = (limit + SPARE) / HOLDERS;
    let mut holders = Vec::new();
    for _ in 0..HOLDERS {
        let rooms = server.create_rooms(each.div_ceil(ROOM_MEMBERS) as usize)?;
        holders.push(start(server.web_address(0), each, &rooms)?);
    }
    let mut counts = Counts::default();
    for holder in &mut holders {
        let theirs = read_counts(holder)?;
        counts.held += theirs.held;
        counts.refused += theirs.refused;
        counts.failed += theirs.failed;
    }
    for mut holder in holders {
        drop(holder.stdin.take());
        holder.wait()?;
    }
    let serves_afterwards = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        server.create_rooms(1).is_ok()
    });
    Ok(Full { limit, counts, serves_afterwards })
}

fn start(address: SocketAddr, count: u64, rooms: &[String]) -> io::Result<Child> {
    Command::new(std::env::current_exe()?)
        .args(["--hold".to_owned(), address.to_string(), count.to_string()])
        .args(rooms)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
}

fn read_counts(holder: &mut Child) -> io::Result<Counts> {
    let mut line = String::new();
    BufReader::new(holder.stdout.take().expect("piped")).read_line(&mut line)?;
    let counts: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    match counts[..] {
        [held, refused, failed] => Ok(Counts { held, refused, failed }),
        _ => Err(io::Error::other("a process that holds connections has failed")),
    }
}

/// What such a process is to do: hold so many connections to this address, in these rooms.
#[derive(Debug)]
pub struct Holding {
    pub address: SocketAddr,
    pub count: u64,
    pub rooms: Vec<String>,
}

/// Does it, and says in one line what became of them.
pub fn hold(holding: &Holding) -> io::Result<()> {
    process::raise_descriptor_limit()?;
    let mut counts = Counts::default();
    let mut held = Vec::new();
    for number in 0..holding.count {
        let room = holding.rooms.get((number / ROOM_MEMBERS) as usize).cloned().unwrap_or_default();
        match come_in(holding.address, Identity { name: format!("m{number}"), room }) {
            Ok((stream, true)) => held.push(stream),
            Ok((_, false)) => counts.refused += 1,
            Err(_) => counts.failed += 1,
        }
    }
    for stream in &mut held {
        if is_open(stream)? {
            counts.held += 1;
        } else {
            counts.failed += 1;
        }
    }
    println!("{} {} {}", counts.held, counts.refused, counts.failed);
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Connects and joins: whether the member is in, or was refused with 503.
fn come_in(address: SocketAddr, identity: Identity) -> io::Result<(TcpStream, bool)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&websocket::handshake(&address.to_string(), "/ws"))?;
    let head = read_until(&mut stream, b"\r\n\r\n")?;
    if head.starts_with(b"HTTP/1.1 503 ") {
        return Ok((stream, false));
    }
    let mut frame = Vec::new();
    let join = dialect::WEB.greeting(&identity).unwrap_or_default();
    websocket::write_masked_frame(websocket::TEXT, &join, [1, 2, 3, 4], &mut frame);
    stream.write_all(&frame)?;
    read_until(&mut stream, br#""type":"joined""#)?;
    Ok((stream, true))
}

/// Reads until this has come.
fn read_until(stream: &mut TcpStream, wanted: &[u8]) -> io::Result<Vec<u8>> {
    let mut received = Vec::new();
    let mut chunk = [0; 16 << 10];
    while memchr::memmem::find(&received, wanted).is_none() {
        match stream.read(&mut chunk)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            read => received.extend_from_slice(&chunk[..read]),
        }
    }
    Ok(received)
}

/// Reads all that has come meanwhile: who else is in the room, and perhaps the end.
fn is_open(stream: &mut TcpStream) -> io::Result<bool> {
    stream.set_nonblocking(true)?;
    let mut chunk = [0; 16 << 10];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return Ok(false),
            Ok(_) => {}
            Err(error) => return Ok(error.kind() == ErrorKind::WouldBlock),
        }
    }
}
