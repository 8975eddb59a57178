//! Those who share files over real sockets, until the server is gone, and what has to be found when it is back.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::thread::JoinHandle;

use serde_json::Value;

use crate::support::{HttpClient, Server};

/// They share at the same time: one whole files, one in chunks, one half a file.
const WAYS: [Way; 3] = [Way::Whole, Way::Chunked, Way::Half];

#[derive(Clone, Copy)]
enum Way {
    Whole,
    Chunked,
    Half,
}

/// A file that is said to be shared.
struct Shared {
    event: u64,
    path: String,
    bytes: Vec<u8>,
}

/// Files that were acknowledged, over the life of a data file.
pub struct Sharers {
    room: String,
    shared: Vec<Shared>,
    begun: usize,
}

/// Sharers at work.
pub struct AtWork(Vec<JoinHandle<Vec<Shared>>>);

impl Sharers {
    pub fn new(room: &str) -> Sharers {
        Sharers { room: room.to_owned(), shared: Vec::new(), begun: 0 }
    }

    /// They share files until the server is gone.
    pub fn begin(&mut self, web: SocketAddr) -> AtWork {
        AtWork(
            WAYS.iter()
                .map(|&way| {
                    self.begun += 1;
                    let (room, mark) = (self.room.clone(), self.begun);
                    std::thread::spawn(move || share_until_it_is_gone(web, &room, way, mark))
                })
                .collect(),
        )
    }

    /// Waits until they have seen that the server is gone.
    pub fn end(&mut self, at_work: AtWork) {
        for sharer in at_work.0 {
            self.shared.extend(sharer.join().expect("no sharer panics"));
        }
    }

    /// Files that were acknowledged.
    pub fn count(&self) -> usize {
        self.shared.len()
    }

    /// Every file that an event names is there; so is what was acknowledged, as it was sent; and nothing else is.
    pub fn check(&self, server: &Server, folder: &Path) {
        let events = self.events(server);
        let mut named = BTreeSet::new();
        for file in events.values().map(|event| &event["file"]).filter(|file| file.is_object()) {
            let response = server.http().request("HEAD", file["url"].as_str().expect("an address"), &[], b"");
            let size = response.header("Content-Length").map(str::to_owned);
            assert_eq!((response.status, size), (200, Some(file["size"].to_string())), "{file}");
            named.insert(file["id"].as_str().expect("an id").to_owned());
        }
        for Shared { event, path, bytes } in &self.shared {
            let told = &events[event];
            if told["deleted"] == true {
                continue;
            }
            let id = told["file"]["id"].as_str().unwrap_or_else(|| panic!("{path} was acknowledged: {told}"));
            assert!(path.contains(id), "{path} was acknowledged: {told}");
            let response = server.get(path);
            assert!(response.status == 200 && response.body == *bytes, "{path}: {}", response.status);
        }
        let found = std::fs::read_dir(folder).into_iter().flatten().map(|entry| {
            let name = entry.expect("an entry").file_name();
            name.into_string().expect("UTF-8")
        });
        let found: BTreeSet<String> = found.filter(|name| name != "snugd-lock").collect();
        assert_eq!(found, named, "in the folder are the files that events name, and nothing else");
    }

    fn events(&self, server: &Server) -> BTreeMap<u64, Value> {
        let (mut events, mut since) = (BTreeMap::new(), 0);
        loop {
            let path = format!("/api/v1/rooms/{}/events?since={since}&limit=500", self.room);
            let answer = server.get(&path).json();
            for event in answer["events"].as_array().expect("a list of events") {
                since = event["id"].as_u64().expect("an id");
                events.insert(since, event.clone());
            }
            if answer["more"] == false {
                return events;
            }
        }
    }
}

fn share_until_it_is_gone(web: SocketAddr, room: &str, way: Way, mark: usize) -> Vec<Shared> {
    let mut shared = Vec::new();
    for number in 0.. {
        // It may be gone already.
        let Ok(stream) = TcpStream::connect(web) else { break };
        let mut client = HttpClient::over(stream);
        // From a page or two to more than is held at once.
        let length = [100, 70_000, 300_000][number % 3];
        let bytes: Vec<u8> = format!("{mark} {number} ").bytes().cycle().take(length).collect();
        let head = format!("POST /api/v1/rooms/{room}/files?name=plan&as=guest-{mark} HTTP/1.1\r\nHost: h\r\n");
        match way {
            Way::Chunked => {
                client.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n"));
                for chunk in bytes.chunks(9_000) {
                    client.send([format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
                }
                client.send("0\r\n\r\n");
            }
            Way::Whole | Way::Half => {
                client.send(format!("{head}Content-Length: {length}\r\n\r\n"));
                client.send(if let Way::Half = way { &bytes[..length / 2] } else { &bytes });
            }
        }
        if let Way::Half = way {
            let mut stream = client.into_stream();
            let _ = stream.set_read_timeout(None).and_then(|()| std::io::copy(&mut stream, &mut std::io::sink()));
            break;
        }
        let Ok(response) = client.try_response_to("POST") else { break };
        match response.status {
            201 => {
                let event = response.json()["id"].as_u64().expect("an id");
                let path = response.expect_header("Location").to_owned();
                shared.push(Shared { event, path, bytes });
            }
            // No address shares more in a minute.
            429 => break,
            _ => panic!("{}: {}", response.status, response.text()),
        }
    }
    shared
}
