//! What shared files cost, beside nginx (`dav_methods PUT`, `sendfile`) on one worker.
//!
//! `cargo bench --bench files [FOLDER]`; the folder (default: the system's for temporary files) tells which disk is
//! measured: on one in memory (`/dev/shm`) nothing waits for a sync, which nginx leaves out. Wanted are nginx with its
//! WebDAV module and curl.

#[path = "support/mod.rs"]
mod support;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::{Server, Terminal, connect, p99, told};

const FILE_BYTES: u64 = 1 << 30;
const ROUNDS: usize = 5;
const ROOMS: usize = 10;
const MEMBERS: usize = 10;
const MESSAGE_INTERVAL: Duration = Duration::from_millis(50);
const UPLOADS: u32 = 200;
const DOWNLOADS: u32 = 1000;

fn main() {
    // Cargo's own arguments begin with dashes.
    let folder = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let folder =
        folder.map_or_else(std::env::temp_dir, PathBuf::from).join(format!("snugd-bench-{}", std::process::id()));
    fs::create_dir(&folder).expect("a folder to measure in");
    let file = folder.join("big.bin");
    make_file(&file);
    throughput(&folder, &file);
    fs::remove_file(&file).expect("it is ours");
    memory(&folder);
    fs::remove_dir_all(&folder).expect("it is ours");
}

fn make_file(path: &Path) {
    let block: Vec<u8> = (0..1 << 20).map(|number: u32| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut file = File::create(path).expect("a file");
    (0..FILE_BYTES >> 20).for_each(|_| file.write_all(&block).expect("there is space"));
    file.sync_all().expect("it can be synced");
}

fn start_snugd(folder: &Path) -> Server {
    let files = folder.join("files");
    let files = files.to_str().expect("a path that is text");
    Server::start(&["--files", files, "--max-file", "2G", "--max-files", "200G", "--max-per-ip", "0"])
}

// ---- how fast, and what those beside it notice

fn throughput(folder: &Path, file: &Path) {
    let server = start_snugd(folder);
    let nginx = Nginx::start(folder);
    let mut rooms: Vec<(Terminal, Vec<Terminal>)> = (0..ROOMS).map(|number| talkers(&server, number)).collect();
    let code = rooms[0].0.code.clone();
    println!("messages in peace: {}", told(&talk(&mut rooms, &mut || thread::sleep(Duration::from_secs(3)))));

    let mut ratios = [Vec::new(), Vec::new()];
    let mut delays = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        let theirs = format!("http://{}/{round}.bin", nginx.address);
        let their_upload = timed(|| drop(upload(file, &theirs)));
        let (mut our_upload, mut ours) = (Duration::ZERO, String::new());
        delays[0].extend(talk(&mut rooms, &mut || {
            let to = format!("http://{}/{code}/{round}.bin", server.web);
            our_upload = timed(|| ours = upload(file, &to));
        }));
        let their_download = timed(|| download(&theirs));
        let mut our_download = Duration::ZERO;
        delays[1].extend(talk(&mut rooms, &mut || our_download = timed(|| download(ours.trim()))));
        let ratio = |theirs: Duration, ours: Duration| theirs.as_secs_f64() / ours.as_secs_f64();
        println!(
            "  upload: nginx {their_upload:.2?}, snugd {our_upload:.2?}; download: nginx {their_download:.2?}, snugd {our_download:.2?}"
        );
        ratios[0].push(ratio(their_upload, our_upload));
        ratios[1].push(ratio(their_download, our_download));
        fs::remove_file(folder.join(format!("www/{round}.bin"))).expect("nginx has stored it");
    }
    for ((what, mut ratios), mut delays) in ["upload", "download"].into_iter().zip(ratios).zip(delays) {
        ratios.sort_by(f64::total_cmp);
        delays.sort();
        println!(
            "{what} of 1 GiB: {:.2} x the throughput of nginx; messages meanwhile: {}",
            ratios[ROUNDS / 2],
            told(&delays)
        );
        assert!(p99(&delays) < Duration::from_secs(1), "nobody waits for a file");
    }
}

fn timed(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

fn curl(arguments: &[&str]) -> String {
    let output = Command::new("curl").args(["-sSf"]).args(arguments).output().expect("curl is installed");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn upload(file: &Path, to: &str) -> String {
    curl(&["-T", file.to_str().expect("a path that is text"), to])
}

fn download(from: &str) {
    let size = curl(&["-o", "/dev/null", "-w", "%{size_download}", from]);
    assert_eq!(size, FILE_BYTES.to_string());
}

/// A room: one who talks, the others read.
fn talkers(server: &Server, number: usize) -> (Terminal, Vec<Terminal>) {
    let address = Ipv4Addr::new(127, 9, 0, number as u8 + 1);
    let talker = server.enter("/new t0", address);
    let code = talker.code.clone();
    let readers = (1..MEMBERS).map(|reader| server.enter(&format!("/join {code} t{reader}"), address)).collect();
    (talker, readers)
}

/// How long messages take in all rooms while something is done, sorted.
fn talk(rooms: &mut [(Terminal, Vec<Terminal>)], work: &mut dyn FnMut()) -> Vec<Duration> {
    let is_over = AtomicBool::new(false);
    let mut times = thread::scope(|scope| {
        let is_over = &is_over;
        let threads: Vec<_> =
            rooms.iter_mut().map(|(talker, readers)| scope.spawn(move || talk_in(talker, readers, is_over))).collect();
        work();
        is_over.store(true, Ordering::Relaxed);
        threads.into_iter().flat_map(|thread| thread.join().expect("it talks")).collect::<Vec<_>>()
    });
    times.sort();
    times
}

fn talk_in(talker: &mut Terminal, readers: &mut [Terminal], is_over: &AtomicBool) -> Vec<Duration> {
    let mut times = Vec::new();
    let mut due = Instant::now();
    while !is_over.load(Ordering::Relaxed) {
        talker.say("a word");
        for reader in &mut *readers {
            reader.wait_for("a word\r\n");
            times.push(due.elapsed());
        }
        due += MESSAGE_INTERVAL;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    times
}

struct Nginx {
    process: Child,
    address: SocketAddr,
}

impl Nginx {
    fn start(folder: &Path) -> Nginx {
        // Free a moment ago; nginx says so if it is not any more.
        let address = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
        let folder = folder.to_str().expect("a path that is text");
        fs::create_dir(format!("{folder}/www")).expect("a folder of ours");
        let configuration = format!(
            "worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log; user root;
             events {{ }}
             http {{ access_log off; sendfile on; tcp_nopush on; client_max_body_size 0;
             client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
             uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
             server {{ listen {address}; root {folder}/www; location / {{ dav_methods PUT; }} }} }}"
        );
        let file = format!("{folder}/nginx.conf");
        fs::write(&file, configuration).expect("a file of ours");
        let process = Command::new("nginx").args(["-c", &file]).spawn().expect("nginx is installed");
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(started.elapsed() < Duration::from_secs(10), "nginx starts");
            thread::sleep(Duration::from_millis(10));
        }
        Nginx { process, address }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // SIGTERM, so that the worker goes with it.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

// ---- memory

fn memory(folder: &Path) {
    let server = start_snugd(folder);
    let ana = server.enter("/new ana", Ipv4Addr::LOCALHOST);
    let code = &ana.code;
    let small = folder.join("small.bin");
    fs::write(&small, vec![7; 10 << 20]).expect("a file of ours");
    let address = upload(&small, &format!("http://{}/{code}/small.bin", server.web));
    let path = address.trim().split_once("//").and_then(|(_, rest)| rest.split_once('/')).expect("an address").1;
    let idle = server.resident_bytes();
    let megabytes = |bytes: u64| bytes.saturating_sub(idle) as f64 / 1e6;

    let uploads: Vec<TcpStream> = (0..UPLOADS)
        .map(|number| {
            let mut stream = connect(server.web, from(4, number));
            let head = format!("PUT /{code}/{number}.bin HTTP/1.1\r\nHost: x\r\nContent-Length: 2097152\r\n\r\n");
            stream.write_all(head.as_bytes()).expect("it reads");
            stream
        })
        .collect();
    let mut most = 0;
    let half = [0; 32 * 1024];
    for _ in 0..32 {
        uploads.iter().for_each(|mut stream| stream.write_all(&half).expect("it reads"));
        most = most.max(server.resident_bytes());
    }
    println!("{UPLOADS} uploads at once: {:.1} MB more than idle", megabytes(most));
    drop(uploads);

    let mut downloads: Vec<TcpStream> = (0..DOWNLOADS)
        .map(|number| {
            let mut stream = connect(server.web, from(5, number));
            let socket = socket2::SockRef::from(&stream);
            socket.set_recv_buffer_size(4096).expect("an option");
            stream.write_all(format!("GET /{path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).expect("it reads");
            stream
        })
        .collect();
    let mut most = 0;
    let mut bytes = [0; 512];
    let started = Instant::now();
    for turn in 1..=50 {
        for stream in &mut downloads {
            stream.read_exact(&mut bytes).expect("it writes");
        }
        most = most.max(server.resident_bytes());
        thread::sleep((started + Duration::from_millis(100) * turn).saturating_duration_since(Instant::now()));
    }
    println!("{DOWNLOADS} downloads at 5 KB/s: {:.1} MB more than idle", megabytes(most));
}

fn from(net: u8, number: u32) -> Ipv4Addr {
    Ipv4Addr::from(Ipv4Addr::new(127, net, 0, 1).to_bits() + number)
}
