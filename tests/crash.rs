//! The real program under `kill -9`, again and again, with real clients of all kinds: what was acknowledged is
//! there, once, in the same order for everybody. So are the files that are shared meanwhile, and nothing is left of those
//! that were not.
//!
//! `CRASH_CYCLES=1000 cargo test --release --test crash` kills it more often.

mod history;
#[path = "history/party.rs"]
mod party;
#[path = "history/sharers.rs"]
mod sharers;
mod support;

use std::ops::Range;
use std::path::Path;

use history::Promises;
use history::client::Kind;
use party::{Doors, Party};
use sharers::Sharers;
use support::Server;
use support::server::command;

const CYCLES: usize = 30;

/// Files that are acknowledged altogether, at least.
const SHARED: usize = 5;

/// Messages acknowledged between two crashes.
const ACKNOWLEDGEMENTS: Range<usize> = 1..60;

const KINDS: [Kind; 5] = [Kind::Web, Kind::Web, Kind::JsonLine, Kind::JsonLine, Kind::Line];

fn cycles() -> usize {
    std::env::var("CRASH_CYCLES").map_or(CYCLES, |cycles| cycles.parse().expect("a number"))
}

/// Starts the program where it was before, if it was somewhere.
fn start(doors: Option<Doors>, data: Option<&Path>) -> Server {
    let mut command = command();
    let address = |door: fn(Doors) -> std::net::SocketAddr| {
        doors.map_or_else(|| "127.0.0.1:0".to_owned(), |doors| door(doors).to_string())
    };
    command.args(["--listen", &address(|doors| doors.web), "--line-listen", &address(|doors| doors.line)]);
    command.args(["--rate", "0", "--join-rate", "0", "--create-rate", "0", "--grace", "1s"]);
    command.args(["--history", "1000000"]);
    if let Some(data) = data {
        command.arg("--data").arg(data);
    }
    Server::run(command)
}

/// Talks and crashes, again and again.
fn crash_again_and_again(data: Option<&Path>, cycles: usize) {
    let mut server = start(None, data);
    let doors = Doors { web: server.web, line: server.line() };
    let room = server.create_room();
    let mut party = Party::new(doors, &room, &KINDS, 1);
    for client in &mut party.clients {
        // Without a file, whoever was in the room brings it back.
        client.creates = data.is_none();
    }
    let mut sharers = Sharers::new(&room);
    for _ in 0..cycles {
        let at_work = data.map(|_| sharers.begin(doors.web));
        party.talk(ACKNOWLEDGEMENTS);
        server.crash();
        at_work.into_iter().for_each(|at_work| sharers.end(at_work));
        if data.is_none() {
            party.history.note_loss();
        }
        server = start(Some(doors), data);
        if let Some(data) = data {
            sharers.check(&server, &data.with_extension("files"));
        }
    }
    party.settle();
    let promises =
        Promises { history_events: 1_000_000, memory_events: 1000, is_durable: data.is_some(), is_shared: false };
    party.history.check(promises);
    if data.is_some() {
        // What everybody has by now is found again.
        server.crash();
        server = start(Some(doors), data);
        party.settle();
        party.history.check(promises);
    }
    drop(server);
    assert!(data.is_none() || sharers.count() >= SHARED, "files are shared: {}", sharers.count());
}

#[test]
fn without_a_file_everybody_comes_back_together() {
    crash_again_and_again(None, 10);
}

#[test]
fn what_was_acknowledged_outlives_every_crash() {
    let folder = std::env::temp_dir().join(format!("snugd-crash-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the data");
    crash_again_and_again(Some(&folder.join("data")), cycles());
    std::fs::remove_dir_all(&folder).expect("the folder is ours");
}
