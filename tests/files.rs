//! Files that are shared, with the real program and real curl.

mod support;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;
use support::{Server, WebSocketClient, eventually, find_program};

/// A folder of one test, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("snugd-test-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }

    /// A file of so many bytes that are no two chunks alike.
    fn file(&self, name: &str, length: usize) -> (String, Vec<u8>) {
        let bytes: Vec<u8> = (0..length).map(|position| (position % 251 + position / 65_536) as u8).collect();
        let path = self.0.join(name);
        std::fs::write(&path, &bytes).expect("it is written");
        (path.to_str().expect("UTF-8").to_owned(), bytes)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What curl says, and its exit status.
fn curl(arguments: &[&str]) -> (Vec<u8>, i32) {
    let program = find_program(&["curl"], "curl");
    let output = Command::new(program).args(["-sS", "--max-time", "60"]).args(arguments).output().expect("curl runs");
    (output.stdout, output.status.code().unwrap_or(-1))
}

/// The same, with this to read.
fn curl_with_input(arguments: &[&str], input: &[u8]) -> (Vec<u8>, i32) {
    let program = find_program(&["curl"], "curl");
    let mut command = Command::new(program);
    command
        .args(["-sS", "--max-time", "60"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().expect("curl runs");
    let mut stdin = child.stdin.take().expect("it is piped");
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input));
        let output = child.wait_with_output().expect("it ends");
        (output.stdout, output.status.code().unwrap_or(-1))
    })
}

/// Shares bytes, and returns the path at which they are found.
fn share(server: &Server, code: &str, bytes: &[u8]) -> String {
    let path = format!("/api/v1/rooms/{code}/files?as=eve&name=plan.bin");
    let response = server.http().request("POST", &path, &[], bytes);
    assert_eq!(response.status, 201, "{}", response.text());
    response.expect_header("Location").to_owned()
}

/// The only file that is stored in a folder.
fn only_file(folder: &Path) -> PathBuf {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let files: Vec<PathBuf> = entries.filter(|path| !path.ends_with("snugd-lock")).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn a_browser_behind_a_proxy_with_a_password_shares_as_the_member_it_is() {
    let server = Server::start();
    let (code, folder) = (server.create_room(), Folder::new("proxy"));
    let (path, _) = folder.file("plan.bin", 10);
    let cookie = server.post_form(&[("name", "ana"), ("code", &code), ("join", "1")]).cookie();
    let mut ana = WebSocketClient::connect(&server);
    ana.send(json!({"type": "join", "room": code, "token": &cookie[cookie.len() - 32..]}));
    ana.expect("joined");
    let api = format!("http://127.0.0.1:{}/api/v1/rooms/{code}/files?name=plan.bin", server.web.port());
    let data = format!("@{path}");
    let (answer, status) = curl(&["-f", "-u", "proxy:secret", "-b", &cookie, "--data-binary", &data, &api]);
    assert_eq!(status, 0, "{}", text(answer));
    assert_eq!(ana.expect("file")["name"], "ana");
}

#[test]
fn curl_puts_and_gets_a_file_in_every_way() {
    let server = Server::start();
    let (code, folder) = (server.create_room(), Folder::new("ways"));
    let (path, bytes) = folder.file("plan 1.bin", 3_000_001);
    let room = format!("http://127.0.0.1:{}/{code}/", server.web.port());
    let api = format!("http://127.0.0.1:{}/api/v1/rooms/{code}/files?as=ana&name=plan.bin", server.web.port());
    let form = format!("file=@{path}");
    let data = format!("@{path}");
    for arguments in [
        &["-T", &path, &room][..],
        &["-0", "-T", &path, &room],
        &["-H", "Expect: 100-continue", "-T", &path, &room],
        &["-H", "Transfer-Encoding: chunked", "-T", &path, &room],
        &["-F", &form, "-F", "text=look", &api],
        &["-H", "Transfer-Encoding: chunked", "-F", &form, &api],
        &["--data-binary", &data, &api],
        &["-u", "ben:", "-T", &path, &room],
    ] {
        let (answer, status) = curl(arguments);
        let answer = text(answer);
        assert_eq!(status, 0, "{arguments:?}: {answer}");
        let address = match answer.strip_prefix('{') {
            None => answer.trim().to_owned(),
            Some(_) => {
                let url = serde_json::from_str::<serde_json::Value>(&answer).expect("JSON")["file"]["url"].clone();
                format!("http://127.0.0.1:{}{}", server.web.port(), url.as_str().expect("an address"))
            }
        };
        let port = server.web.port();
        let (_, below) = address.split_once(&format!("{port}/")).expect("the address of this server");
        let address = format!("http://127.0.0.1:{port}/{below}");
        for fetching in [&[&*address][..], &["-0", &address], &["--limit-rate", "4M", &address]] {
            let (got, status) = curl(fetching);
            assert!(status == 0 && got == bytes, "{fetching:?}: {} bytes, {status}", got.len());
        }
        let (got, _) = curl(&["-r", "1000000-2000009", &address]);
        assert!(got == bytes[1_000_000..2_000_010], "a range: {} bytes", got.len());
    }
}

#[test]
fn what_a_program_writes_is_shared_as_it_comes() {
    let server = Server::start();
    let code = server.create_room();
    let room = format!("http://127.0.0.1:{}/{code}/", server.web.port());
    let bytes: Vec<u8> = (0..1_000_001).map(|position| (position % 251) as u8).collect();
    for (arguments, input, name) in [
        (&["-T", "-", &format!("{room}log.txt")][..], &bytes[..], "log.txt"),
        // Without a name it has one all the same.
        (&["-T", "-", &room], &bytes, "file"),
        (&["--limit-rate", "400K", "-T", "-", &format!("{room}slow.txt")], &bytes[..600_000], "slow.txt"),
        (&["-T", "-", &format!("{room}empty.txt")], &[], "empty.txt"),
        (&["-T", ".", &format!("{room}now.txt")], &bytes, "now.txt"),
    ] {
        let (answer, status) = curl_with_input(arguments, input);
        let answer = text(answer);
        assert!(status == 0 && answer.trim().ends_with(&format!("/{name}")), "{arguments:?}: {status}: {answer}");
        let (_, below) = answer.trim().split_once(&format!("/{code}/")).expect("the file's address");
        assert!(server.get(&format!("/{code}/{below}")).body == input, "{arguments:?}");
    }
}

#[test]
fn part_of_a_file_is_not_taken_for_all_of_it() {
    let server = Server::start();
    let (code, folder) = (server.create_room(), Folder::new("part"));
    let (path, _) = folder.file("plan.bin", 100_000);
    let room = format!("http://127.0.0.1:{}/{code}/", server.web.port());
    let (answer, status) = curl(&["-w", " %{http_code}", "-C", "50000", "-T", &path, &room]);
    let answer = text(answer);
    assert!(status == 0 && answer.ends_with(" 400") && answer.contains("whole"), "{status}: {answer}");
    let events = server.get(&format!("/api/v1/rooms/{code}/events")).json();
    assert_eq!(events["events"], json!([]), "nobody has seen it");
}

#[test]
fn a_file_that_vanishes_or_is_cut_short_ends_its_download_and_nothing_else() {
    let folder = Folder::new("vanished");
    let files = folder.0.join("files");
    let server = Server::with(&["--files", files.to_str().expect("UTF-8")]);
    let code = server.create_room();
    let mut ana = WebSocketClient::connect(&server);
    ana.send(json!({"type": "join", "room": code, "name": "ana"}));
    ana.expect("joined");
    // More than what the system takes of it while nobody reads.
    let bytes = vec![7; 20_000_000];
    let path = share(&server, &code, &bytes);
    let address = format!("http://127.0.0.1:{}{path}", server.web.port());
    let stored = only_file(&files);

    let mut client = server.http();
    client.send_request("GET", &path, &[], b"");
    let mut stream = client.into_stream();
    stream.set_read_timeout(None).expect("a socket has timeouts");
    stream.read_exact(&mut [0; 1_000_000]).expect("the beginning");
    std::fs::OpenOptions::new().write(true).open(&stored).and_then(|file| file.set_len(15_000_000)).expect("it is cut");
    let mut rest = Vec::new();
    // It may end by a reset: it is not whole.
    let _ = stream.read_to_end(&mut rest);
    assert!(rest.len() < 15_000_000, "{}", rest.len());

    const CURLE_PARTIAL_FILE: i32 = 18;
    let (got, status) = curl(&[&address]);
    assert!(status == CURLE_PARTIAL_FILE && got.len() <= 15_000_000, "{status}: {} bytes", got.len());
    std::fs::remove_file(&stored).expect("it was there");
    let (got, status) = curl(&[&address]);
    assert_eq!((got.len(), status), (0, CURLE_PARTIAL_FILE));
    // Everything else goes on, and so does the connection of who only asked what there is.
    let head = server.http().request("HEAD", &path, &[], b"");
    assert_eq!(head.status, 200);
    assert!(server.get(&share(&server, &code, b"another")).body == b"another");
    ana.send(json!({"type": "message", "text": "all is well", "cid": "1"}));
    assert_eq!(ana.expect("message")["text"], "all is well");
}

#[test]
fn what_is_too_large_is_told_before_it_is_sent() {
    let server = Server::with(&["--max-file", "100K"]);
    let (code, folder) = (server.create_room(), Folder::new("large"));
    let (path, _) = folder.file("large.bin", 5_000_000);
    let room = format!("http://127.0.0.1:{}/{code}/", server.web.port());
    for more in [&[][..], &["-H", "Expect: 100-continue"], &["-H", "Transfer-Encoding: chunked"]] {
        let arguments = [&["-w", " %{http_code}", "-T", &path, &room][..], more].concat();
        let (answer, status) = curl(&arguments);
        let answer = text(answer);
        assert!(status == 0 && answer.ends_with(" 413") && answer.contains(" 102 kB "), "{more:?}: {status}: {answer}");
    }
}

#[test]
fn half_a_file_leaves_nothing() {
    let folder = Folder::new("half");
    let files = folder.0.join("files");
    let server = Server::with(&["--files", files.to_str().expect("UTF-8")]);
    let code = server.create_room();
    let mut client = std::net::TcpStream::connect(server.web).expect("it listens");
    let head = format!("PUT /{code}/a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
    std::io::Write::write_all(&mut client, &[head.as_bytes(), &[b'x'; 300_000]].concat()).expect("it is read");
    let entries = || {
        std::fs::read_dir(&files).map_or(0, |entries| {
            entries
                .filter_map(Result::ok)
                .filter(|entry| entry.metadata().is_ok_and(|metadata| metadata.len() > 1000))
                .count()
        })
    };
    eventually("it has begun to be stored", || (entries() > 0).then_some(()));
    drop(client);
    eventually("what there was of it is removed", || (entries() == 0).then_some(()));
    let metrics = server.get("/metrics").text();
    assert!(metrics.contains("\nsnugd_file_bytes 0\n"), "{metrics}");
}

#[test]
fn a_download_goes_on_where_it_was_cut() {
    let server = Server::start();
    let (code, folder) = (server.create_room(), Folder::new("resume"));
    let (path, bytes) = folder.file("film.bin", 1_500_000);
    let (answer, _) = curl(&["-T", &path, &format!("http://127.0.0.1:{}/{code}/", server.web.port())]);
    let answer = text(answer);
    let (_, below) = answer.trim().split_once(&format!("/{code}/")).expect("the file's address");
    let address = format!("http://127.0.0.1:{}/{code}/{below}", server.web.port());
    let half = folder.0.join("half.bin");
    std::fs::write(&half, &bytes[..700_000]).expect("it is written");
    let (_, status) = curl(&["-C", "-", "-o", half.to_str().expect("UTF-8"), &address]);
    assert_eq!(status, 0);
    assert!(std::fs::read(&half).expect("it is there") == bytes);
}

#[test]
fn what_is_hostile_is_saved_and_never_shown() {
    let server = Server::start();
    let (code, folder) = (server.create_room(), Folder::new("hostile"));
    let path = folder.0.join("x");
    for (name, content) in [
        ("a.html", "<script>alert(1)</script>"),
        ("a.svg", "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
        ("a.png", "<html>\u{89}PNG"),
        ("a.pdf", "%PDF-1.7 <script>"),
        ("a.xml", "<?xml version='1.0'?><x/>"),
    ] {
        std::fs::write(&path, content).expect("it is written");
        let room = format!("http://127.0.0.1:{}/{code}/{name}", server.web.port());
        let (answer, status) = curl(&["-H", "Content-Type: text/html", "-T", path.to_str().expect("UTF-8"), &room]);
        assert_eq!(status, 0, "{name}");
        let answer = text(answer);
        let (_, below) = answer.trim().split_once(&format!("/{code}/")).expect("the file's address");
        let got = server.get(&format!("/{code}/{below}"));
        assert_eq!((got.status, got.text().as_str()), (200, content), "{name}");
        assert_eq!(got.expect_header("Content-Type"), "application/octet-stream", "{name}");
        assert!(got.expect_header("Content-Disposition").starts_with("attachment;"), "{name}");
        assert_eq!(got.expect_header("X-Content-Type-Options"), "nosniff", "{name}");
        assert!(got.expect_header("Content-Security-Policy").starts_with("sandbox"), "{name}");
    }
}

#[test]
fn an_upload_is_told_that_the_server_stops() {
    let server = Server::start();
    let code = server.create_room();
    let mut client = server.http();
    let head = format!("PUT /{code}/a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n");
    client.send(head.as_bytes());
    assert_eq!(client.response_to("PUT").status, 100);
    client.send(b"half");
    server.signal("TERM");
    assert_eq!(client.response_to("PUT").status, 503);
}
