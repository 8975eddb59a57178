//! Which form should a log of 10,000 rooms have: one stream, 16, or a stream a room? Asks a Redis of its own:
//! `cargo run --release --manifest-path benches/load/Cargo.toml --bin log_form [SECONDS]` prints the table.
//!
//! One connection appends at a pace (open loop: a batch is one call of a script, and is due at a time, whatever Redis
//! does), and each reader reads everything, as each node has to. Redis is on CPU 0, all of this on CPU 1.

#![forbid(unsafe_code)]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use hdrhistogram::Histogram;
use redis::Redis;
#[allow(dead_code)] // The load generator uses the rest.
#[path = "../process.rs"]
mod process;
#[allow(dead_code)]
#[path = "../redis.rs"]
mod redis;

const ROOMS: usize = 10_000;
/// Of an entry: what a message with its envelope takes.
const ENTRY_BYTES: usize = 250;
/// Appends to stream KEYS[i], and counts in the room's own hash, as any form has to, to give the message its number.
const APPEND: &str = "for i = 1, #ARGV, 2 do redis.call('HINCRBY', ARGV[i], 'last', 1) \
                      redis.call('XADD', KEYS[(i + 1) / 2], '*', 'd', ARGV[i + 1]) end";
const WARM_UP: Duration = Duration::from_millis(700);

/// One line of the table.
#[derive(Clone, Copy)]
struct Case {
    streams: usize,
    per_second: usize,
    batch: usize,
    readers: usize,
}

/// What readers have seen in the window.
struct Seen {
    entries: u64,
    latency_ns: Histogram<u64>,
    cpu_ns: u64,
}

fn main() -> io::Result<()> {
    let seconds: f64 = std::env::args().nth(1).and_then(|seconds| seconds.parse().ok()).unwrap_or(1.5);
    process::pin(process::LOAD_CPU)?;
    println!("{}; {ROOMS} rooms, entries of {ENTRY_BYTES} bytes, windows of {seconds} s\n", process::machine());
    println!(
        "| appends/s | a batch | readers | streams | Redis's CPU | µs of it an append | a reader's CPU | µs of it an entry | seen of it | p50, ms | p99, ms |"
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    for per_second in [2_000, 20_000] {
        for batch in [1, 16, 256] {
            for readers in [2, 4] {
                for streams in [1, 16, ROOMS] {
                    let case = Case { streams, per_second, batch, readers };
                    println!("{}", measure(case, Duration::from_secs_f64(seconds))?);
                }
            }
        }
    }
    Ok(())
}

/// Measures one line of the table, with a Redis of its own.
fn measure(case: Case, window: Duration) -> io::Result<String> {
    let redis = Redis::start(process::SERVER_CPU)?;
    let mut connection = connect(&redis)?;
    for stream in 0..case.streams {
        command(&mut connection, &["XADD".into(), key(stream), "*".into(), "d".into(), "-".into()])?;
        skip(&mut connection)?;
    }
    let clock = Instant::now();
    let (opens, closes) = (clock + WARM_UP, clock + WARM_UP + window);
    let is_over = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..case.readers)
        .map(|_| {
            let (connection, is_over) = (connect(&redis)?, is_over.clone());
            Ok(thread::spawn(move || read_all(connection, case.streams, clock, (opens, closes), &is_over)))
        })
        .collect::<io::Result<_>>()?;
    let writer = {
        let (connection, is_over) = (connect(&redis)?, is_over.clone());
        thread::spawn(move || append_all(connection, case, clock, &is_over))
    };
    let cpu = || redis.cpu_ns();
    thread::sleep(opens - Instant::now());
    let before = cpu()?;
    thread::sleep(closes.saturating_duration_since(Instant::now()));
    let redis_ns = (cpu()? - before) as f64;
    is_over.store(true, Ordering::Relaxed);
    writer.join().expect("the writer ends")?;
    let mut seen = Vec::new();
    for reader in readers {
        seen.push(reader.join().expect("a reader ends")?);
    }
    drop(redis);
    let (entries, reader_ns) =
        (seen.iter().map(|seen| seen.entries).sum::<u64>() as f64, seen.iter().map(|seen| seen.cpu_ns).sum::<u64>());
    let window_ns = window.as_nanos() as f64;
    let readers = case.readers as f64;
    let mut latency_ns = seen[0].latency_ns.clone();
    seen[1..].iter().for_each(|seen| latency_ns.add(&seen.latency_ns).expect("the same bounds"));
    let ms_at = |quantile| latency_ns.value_at_quantile(quantile) as f64 / 1e6;
    Ok(format!(
        "| {} | {} | {} | {} | {:.0} % | {:.1} | {:.0} % | {:.1} | {:.0} % | {:.2} | {:.2} |",
        case.per_second,
        case.batch,
        case.readers,
        case.streams,
        100.0 * redis_ns / window_ns,
        redis_ns / 1e3 / (entries / readers),
        100.0 * reader_ns as f64 / readers / window_ns,
        reader_ns as f64 / 1e3 / entries,
        100.0 * entries / readers / (case.per_second as f64 * window.as_secs_f64()),
        ms_at(0.50),
        ms_at(0.99),
    ))
}

/// Appends at the case's pace. Answers are read by a thread of their own.
fn append_all(
    mut connection: BufReader<TcpStream>,
    case: Case,
    clock: Instant,
    is_over: &AtomicBool,
) -> io::Result<()> {
    command(&mut connection, &["SCRIPT".into(), "LOAD".into(), APPEND.into()])?;
    let script = bulk(&mut connection)?;
    let mut answers = BufReader::new(connection.get_ref().try_clone()?);
    let answering = thread::spawn(move || while skip(&mut answers).is_ok() {});
    let mut room = 1;
    let mut due = clock;
    while !is_over.load(Ordering::Relaxed) {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let payload = format!("{:012x}{:.>2$}", (due - clock).as_nanos(), "", ENTRY_BYTES - 12);
        let (mut keys, mut arguments) = (Vec::with_capacity(case.batch), Vec::with_capacity(2 * case.batch));
        for _ in 0..case.batch {
            room = (room * 48_271) % 0x7FFF_FFFF;
            keys.push(key(room % ROOMS % case.streams));
            arguments.extend([format!("{{log}}:room:{}", room % ROOMS), payload.clone()]);
        }
        let mut call = vec!["EVALSHA".into(), String::from_utf8_lossy(&script).into_owned(), case.batch.to_string()];
        call.append(&mut keys);
        call.append(&mut arguments);
        // Cut off where Redis is behind when all is over.
        if command(&mut connection, &call).is_err() {
            break;
        }
        due += Duration::from_secs_f64(case.batch as f64 / case.per_second as f64);
    }
    connection.get_ref().shutdown(std::net::Shutdown::Both)?;
    answering.join().expect("answers end");
    Ok(())
}

/// Reads all streams until all is over, and counts what comes in the window.
fn read_all(
    mut connection: BufReader<TcpStream>,
    streams: usize,
    clock: Instant,
    (opens, closes): (Instant, Instant),
    is_over: &AtomicBool,
) -> io::Result<Seen> {
    // What comes before the keys, and the keys, stay the same.
    let words = ["XREAD", "BLOCK", "100", "COUNT", "1000", "STREAMS"].map(String::from);
    let opening = [&b"*"[..], (words.len() + 2 * streams).to_string().as_bytes(), b"\r\n", &encode(&words)].concat();
    let opening = [opening, encode(&(0..streams).map(key).collect::<Vec<_>>())].concat();
    let mut last: Vec<String> = vec!["0".into(); streams];
    let mut latency_ns = Histogram::new_with_bounds(1_000, 120_000_000_000, 3).expect("constant bounds");
    let (mut entries, mut cpu_before, mut cpu_after) = (0, 0, 0);
    while !is_over.load(Ordering::Relaxed) {
        let call = [opening.clone(), encode(&last)].concat();
        connection.get_mut().write_all(&call)?;
        let read = header(&mut connection)?.max(0);
        for _ in 0..read {
            header(&mut connection)?;
            let name = bulk(&mut connection)?;
            let stream = usize::from_str_radix(&String::from_utf8_lossy(&name[6..]), 16).unwrap_or(0);
            for _ in 0..header(&mut connection)? {
                header(&mut connection)?;
                last[stream] = String::from_utf8_lossy(&bulk(&mut connection)?).into_owned();
                header(&mut connection)?;
                bulk(&mut connection)?;
                let payload = bulk(&mut connection)?;
                let now = Instant::now();
                let due_ns =
                    payload.get(..12).and_then(|due| u64::from_str_radix(std::str::from_utf8(due).ok()?, 16).ok());
                if let Some(due_ns) = due_ns.filter(|_| (opens..closes).contains(&now)) {
                    entries += 1;
                    latency_ns.saturating_record(((now - clock).as_nanos() as u64).saturating_sub(due_ns));
                }
            }
        }
        match Instant::now() {
            now if now < opens => cpu_before = own_cpu_ns(),
            now if now < closes => cpu_after = own_cpu_ns(),
            _ => {}
        }
    }
    Ok(Seen { entries, latency_ns, cpu_ns: cpu_after.saturating_sub(cpu_before) })
}

/// The key of a stream. All have one hash tag, so that one script may append to several of them.
fn key(stream: usize) -> String {
    format!("{{log}}:{stream:x}")
}

fn connect(redis: &Redis) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(redis.address())?;
    stream.set_nodelay(true)?;
    Ok(BufReader::with_capacity(1 << 20, stream))
}

fn own_cpu_ns() -> u64 {
    let schedstat = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    schedstat.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0)
}

fn command(connection: &mut BufReader<TcpStream>, words: &[String]) -> io::Result<()> {
    let bytes = [format!("*{}\r\n", words.len()).into_bytes(), encode(words)].concat();
    connection.get_mut().write_all(&bytes)
}

fn encode(words: &[String]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(words.len() * 32);
    for word in words {
        for part in ["$", &word.len().to_string(), "\r\n", word, "\r\n"] {
            bytes.extend_from_slice(part.as_bytes());
        }
    }
    bytes
}

/// The number that begins an answer: of elements, of bytes, or itself.
fn header(connection: &mut BufReader<TcpStream>) -> io::Result<i64> {
    let mut line = String::new();
    if connection.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if line.starts_with('-') {
        return Err(io::Error::other(line));
    }
    Ok(line[1..].trim_end().parse().unwrap_or(0))
}

fn bulk(connection: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let length = header(connection)?.max(0) as usize;
    let mut bytes = vec![0; length + 2];
    connection.read_exact(&mut bytes)?;
    bytes.truncate(length);
    Ok(bytes)
}

/// Reads an answer that is a string, a number or nothing.
fn skip(connection: &mut BufReader<TcpStream>) -> io::Result<()> {
    let mut line = String::new();
    if connection.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if line.starts_with('-') {
        eprint!("{line}");
    }
    if let Some(length) = line.strip_prefix('$').and_then(|length| length.trim_end().parse::<usize>().ok()) {
        connection.read_exact(&mut vec![0; length + 2])?;
    }
    Ok(())
}
