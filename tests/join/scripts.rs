//! The client in pipes: lines, and JSON.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;

use serde_json::{Value, json};

use crate::support::server::command;
use crate::support::{DEADLINE, Server, WebSocketClient, eventually};

/// A client whose input and output are pipes.
pub struct Client {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    read: Vec<String>,
    errors: Option<JoinHandle<String>>,
}

/// Starts one with these arguments.
pub fn start(arguments: &[&str]) -> Client {
    let mut command = command();
    command.arg("join").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program can be started");
    let (output, mut errors) = (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    let errors = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = errors.read_to_string(&mut text);
        text
    });
    Client { input: child.stdin.take(), child, lines, read: Vec::new(), errors: Some(errors) }
}

impl Client {
    /// Writes to its input. It may have ended, which is seen elsewhere.
    pub fn write(&mut self, text: &str) {
        let _ = self.input.as_mut().expect("it was not ended").write_all(text.as_bytes());
    }

    /// Ends its input.
    pub fn end(&mut self) {
        self.input = None;
    }

    /// Waits for a line like this, and returns it.
    pub fn wait_for_line(&mut self, is_wanted: impl Fn(&str) -> bool) -> String {
        loop {
            let line = self.lines.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("waited in vain: {:?}", self.read));
            self.read.push(line.clone());
            if is_wanted(&line) {
                return line;
            }
        }
    }

    /// Waits for an object of this type.
    fn wait_for(&mut self, r#type: &str) -> Value {
        let start = format!("{{\"type\":\"{type}\"");
        serde_json::from_str(&self.wait_for_line(|line| line.starts_with(&start))).expect("JSON")
    }

    /// Waits until it has ended; returns its exit status, and all that it wrote.
    pub fn wait(mut self) -> (i32, Vec<String>, String) {
        let status = eventually("the client ends", || self.child.try_wait().expect("a child can be waited for"));
        self.read.extend(self.lines.iter());
        let errors = self.errors.take().expect("it was not read").join().expect("the reader does not panic");
        (status.code().expect("no signal"), std::mem::take(&mut self.read), errors)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn lines_go_in_and_come_out() {
    let server = Server::start();
    let room = server.create_room();
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    let mut client = start(&[&server.web.to_string(), &room, "--name", "bot"]);
    client.write("hello\r\n/me waves\n//slash\nlast");
    client.end();
    for text in ["hello", "waves", "/slash"] {
        assert_eq!(ben.expect("message")["text"], text);
    }
    // Its input has ended, and what was written is said all the same.
    assert_eq!(ben.expect("message")["text"], "last");
    assert_eq!(ben.expect("part")["name"], "bot");
    let (status, lines, errors) = client.wait();
    assert_eq!((status, errors.as_str()), (0, ""));
    let welcome = format!("* {room}. 1 here: ben (web). Invite: http://{}/{room}", server.web);
    assert_eq!(
        lines,
        [welcome.as_str(), "* ben came in (web)", "* -- now --"],
        "what it said itself is not told again"
    );
}

#[test]
fn what_is_said_comes_out_a_line_each() {
    let server = Server::start();
    let room = server.create_room();
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    let mut client = start(&[&server.web.to_string(), &room, "--name", "bot"]);
    client.wait_for_line(|line| line.starts_with("* "));
    ben.say("one\ntwo");
    let first = client.wait_for_line(|line| line.contains("<ben>"));
    assert!(first.ends_with(" <ben> one") && !first.contains('\x1b'), "{first:?}");
    assert_eq!(client.wait_for_line(|_| true), "          | two");
    let colourful = start(&[&server.web.to_string(), &room, "--name", "bot2", "--color", "always"])
        .wait_for_line(|line| line.contains("<ben>"));
    assert!(colourful.contains("\x1b["), "{colourful:?}");
}

#[test]
fn a_program_reads_json_and_writes_what_it_likes() {
    let server = Server::start();
    let room = server.create_room();
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    let mut client = start(&[&server.web.to_string(), &room, "--name", "bot", "--json"]);
    let joined = client.wait_for("joined");
    assert_eq!((&joined["room"], &joined["name"]), (&json!(room), &json!("bot")));
    client.write("plain\n{\"type\":\"message\",\"text\":\"object\",\"cid\":\"own\"}\n{\"type\":\"who\"}\n{\"type\":\"ping\"}\n{no json\n");
    assert_eq!(client.wait_for("message")["text"], "plain");
    let object = client.wait_for("message");
    assert_eq!((&object["text"], &object["cid"]), (&json!("object"), &json!("own")));
    client.wait_for("members");
    client.wait_for("pong");
    assert_eq!(client.wait_for("message")["text"], "{no json");
    ben.say("hi");
    assert_eq!(client.wait_for("message")["name"], "ben");
    client.write("/me nods\n");
    assert_eq!(client.wait_for("message")["kind"], "me");
    client.end();
    let (status, lines, errors) = client.wait();
    assert_eq!((status, errors.as_str()), (0, ""));
    assert!(lines.iter().all(|line| serde_json::from_str::<Value>(line).is_ok_and(|value| value.is_object())));
    assert_eq!(lines.iter().filter(|line| line.contains("\"pong\"")).count(), 1, "its own alone");
}

#[test]
fn more_lines_than_the_server_takes_at_once_are_all_said_in_order() {
    let server = Server::with(&["--rate", "20"]);
    let room = server.create_room();
    let lines: Vec<String> = (0..120).map(|number| number.to_string()).collect();
    let mut client = start(&[&server.web.to_string(), &room, "--name", "bot", "--json"]);
    client.write(&(lines.join("\n") + "\n"));
    client.end();
    let (status, out, errors) = client.wait();
    assert_eq!((status, errors.as_str()), (0, ""));
    let texts =
        out.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok()?["text"].as_str().map(str::to_owned));
    assert_eq!(texts.collect::<Vec<_>>(), lines);
    assert!(!out.iter().any(|line| line.contains("rate_limited")));
}

#[test]
fn what_is_refused_is_told_and_counts() {
    let server = Server::with(&["--max-message", "10"]);
    let room = server.create_room();
    for (arguments, start_of_line) in [(&[][..], "! "), (&["--json"], "{\"type\":\"error\"")] {
        let address = server.web.to_string();
        let mut client = start(&[&[&address, room.as_str(), "--name", "bot"], arguments].concat());
        client.write("much too long a line\n");
        client.wait_for_line(|line| line.starts_with(start_of_line));
        client.end();
        let (status, _, errors) = client.wait();
        assert_eq!((status, errors.as_str()), (1, "snugd: Something was refused.\n"));
    }
}

#[test]
fn what_is_called_wrongly_is_status_2() {
    for arguments in [
        &["localhost", "kitten", "--name", "a"][..],
        &["localhost", "--name", "a"],
        &["localhost", "KXQT"],
        &["localhost", "KXQT", "--name", "\u{202e}"],
        &["ftp://localhost/KXQT", "--name", "a"],
        &["localhost", "KXQT", "--name", "a", "--color", "blue"],
        &["localhost", "KXQT", "--nope"],
        &[],
    ] {
        let (status, lines, errors) = start(arguments).wait();
        assert_eq!((status, lines.len(), errors.lines().count()), (2, 0, 1), "{arguments:?}: {errors}");
    }
    let (status, _, errors) = start(&["localhost", "KXQT", "--name", "a", "--key-file", "/nonexistent"]).wait();
    assert_eq!(status, 4, "{errors}");
}

#[test]
fn secrets_come_from_files() {
    let server = Server::start();
    let room = server.create_room();
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    ben.send(json!({"type": "moderate", "action": "key", "value": "sesame"}));
    ben.expect("mode");
    let file = std::env::temp_dir().join(format!("snugd-key-{}", std::process::id()));
    std::fs::write(&file, "sesame\n").expect("a file");
    let (address, path) = (server.web.to_string(), file.to_str().expect("UTF-8").to_owned());
    let mut client = start(&[&address, &room, "--name", "bot", "--key-file", &path]);
    client.end();
    assert_eq!(client.wait().0, 0);
    let mut client = start(&[&address, &room, "--name", "bot2"]);
    client.end();
    let (status, _, errors) = client.wait();
    assert_eq!(status, 1);
    assert!(errors.contains("--key-file"), "{errors}");
    std::fs::remove_file(file).expect("the file goes");
}

#[test]
fn a_signal_leaves_in_good_order() {
    let server = Server::start();
    let room = server.create_room();
    let mut ben = WebSocketClient::join(&server, &room, "ben");
    let mut client = start(&[&server.web.to_string(), &room, "--name", "bot"]);
    client.wait_for_line(|line| line.starts_with("* "));
    crate::support::server::signal(client.child.id(), "TERM");
    assert_eq!(ben.expect("part")["name"], "bot");
    assert_eq!(client.wait().0, 0);
}
