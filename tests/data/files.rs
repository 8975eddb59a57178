//! Files that are shared while the disk is full or fails: who shares is told, nothing is left of them, and the room goes
//! on.

use std::collections::BTreeSet;
use std::fs;

use serde_json::json;

use super::support::{HttpClient, Server, WebSocketClient, eventually};
use super::{Folder, join, say};

impl Folder {
    /// The names of the files beside the data file.
    fn shared(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(self.path("snugd.db.files")).into_iter().flatten();
        let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"));
        names.filter(|name| name != "snugd-lock").collect()
    }

    /// How many bytes there are of files that arrive.
    fn arriving_bytes(&self) -> u64 {
        let parts = self.shared().into_iter().filter(|name| name.ends_with(".part"));
        parts.map(|name| fs::metadata(self.path(&format!("snugd.db.files/{name}"))).map_or(0, |part| part.len())).sum()
    }
}

/// Begins to share a file of this size, and sends half of it.
fn begin(server: &Server, room: &str, name: &str, bytes: usize) -> HttpClient {
    let mut client = server.http();
    client.send(format!("PUT /{room}/{name} HTTP/1.1\r\nHost: h\r\nContent-Length: {bytes}\r\n\r\n"));
    client.send(vec![b'x'; bytes / 2]);
    client
}

/// Shares a file and sees it.
fn share(server: &Server, room: &str, name: &str, member: &mut WebSocketClient) {
    let response = server.http().request("PUT", &format!("/{room}/{name}"), &[], b"content");
    assert_eq!(response.status, 201, "{}", response.text());
    assert_eq!(member.expect("file")["file"]["name"], name);
    assert_eq!(server.get(response.expect_header("Location")).body, b"content");
}

fn file_bytes(server: &Server) -> String {
    let metrics = server.get("/metrics").text();
    metrics.lines().find_map(|line| line.strip_prefix("snugd_file_bytes ")).expect("it is measured").to_owned()
}

#[test]
#[cfg(target_os = "linux")]
fn on_a_full_disk_who_shares_is_told_and_nothing_is_left() {
    const BYTES: usize = 400_000;
    let folder = Folder::new();
    let server = folder.serve_on_faulty_disk();
    let room = server.create_room();
    let (mut ana, _) = join(&server, &room, "ana");
    share(&server, &room, "before", &mut ana);
    let kept = folder.shared();

    let mut client = begin(&server, &room, "plan", BYTES);
    // All but what waits to become a chunk.
    eventually("it is being stored", || (folder.arriving_bytes() > 100_000).then_some(()));
    folder.fail("full");
    client.send(vec![b'x'; BYTES / 2]);
    let response = client.response_to("PUT");
    assert_eq!((response.status, response.text().as_str()), (507, "The disk is full, so nobody has seen that file.\n"));
    eventually("nothing is left of it", || (folder.shared() == kept).then_some(()));
    assert_eq!(file_bytes(&server), "4096", "what is counted is what is kept");

    folder.heal("full");
    // The room was not harmed, and nobody has seen anything of it.
    say(&mut ana, "all is well", "c1");
    share(&server, &room, "after", &mut ana);
    assert_eq!(folder.shared().len(), 2);
    let events = server.get(&format!("/api/v1/rooms/{room}/events")).json();
    let names = events["events"].as_array().expect("a list").iter().map(|event| event["file"]["name"].clone());
    assert_eq!(names.filter(|name| !name.is_null()).collect::<Vec<_>>(), [json!("before"), json!("after")]);
}

#[test]
#[cfg(target_os = "linux")]
fn what_cannot_be_synced_is_not_shared() {
    let folder = Folder::new();
    let server = folder.serve_on_faulty_disk();
    let room = server.create_room();
    let (mut ana, _) = join(&server, &room, "ana");
    folder.fail("fsync");
    let response = server.http().request("PUT", &format!("/{room}/plan"), &[], b"content");
    assert_eq!(response.status, 503, "{}", response.text());
    assert_eq!(response.text(), "That could not be stored, so nobody has seen it. Try again.\n");
    eventually("nothing is left of it", || folder.shared().is_empty().then_some(()));
    assert_eq!(file_bytes(&server), "0");
    folder.heal("fsync");
    share(&server, &room, "plan", &mut ana);
}
