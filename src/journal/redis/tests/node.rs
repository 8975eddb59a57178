//! A node that appends what it is told, without looking at it first.

use std::collections::HashMap;

use super::*;
use crate::journal::cluster::Effects;

pub(super) const HISTORY_EVENTS: u64 = 10_000;

/// So many changes go into one request.
const MOST_CHANGES: usize = 500;

pub(super) struct Node {
    pub link: RedisLink,
    pub id: NodeId,
    pub generation: Generation,
    pub number: u64,
    pub versions: HashMap<Epoch, ProposalId>,
}

impl Node {
    pub fn start(server: &Server, id: u64) -> (Node, Loaded) {
        server.connect();
        let id = NodeId(id);
        let started = RedisLink::start(&server.address(), 0, id, HISTORY_EVENTS, || (), Arc::default());
        let (link, loaded) = started.expect("a log that can be used");
        let versions = loaded.rooms.iter().map(|room| (room.room.snapshot.epoch, room.version)).collect();
        (Node { link, id, generation: loaded.generation, number: 0, versions }, *loaded)
    }

    pub fn wait(&mut self) -> Response {
        self.link.wait(DEADLINE).expect("an answer")
    }

    /// Appends all of these, each at the version that those before it make.
    pub fn append(&mut self, changes: impl IntoIterator<Item = (RoomCode, Epoch, Change)>) {
        let mut appends = Vec::new();
        for (code, epoch, change) in changes {
            self.number += 1;
            let (number, version) = (self.number, self.versions.get(&epoch).copied());
            if Effects::of(&change).is_versioned {
                self.versions.insert(epoch, ProposalId { node: self.id, number });
            }
            appends.push(Append { number, code, epoch, version, accounts_version: None, change });
        }
        for changes in appends.chunks(MOST_CHANGES) {
            let (node, generation, changes) = (self.id, self.generation, changes.to_vec());
            let verdicts = changes.iter().map(|change| (change.number, Verdict::Appended)).collect();
            self.link.send(Request::Append { node, generation, changes });
            assert_eq!(self.wait(), Response::Appended(Ok(verdicts)));
        }
    }

    pub fn read(&mut self, request: &ReadRequest) -> Page {
        self.link.send(Request::Read(request.clone()));
        match self.wait() {
            Response::Read { request: answered, page: Some(page) } if answered == *request => page,
            response => panic!("not read: {response:?}"),
        }
    }
}

pub(super) fn name(author: u32) -> Name {
    Name::parse(&format!("member {author}")).expect("a name")
}

pub(super) fn event(author: u32, time_ms: u64, body: Body) -> Event {
    Event { id: 0, time_ms, name: name(author), via: Via::Web, author: AuthorId(author), body }
}

pub(super) fn enter(author: u32, time_ms: u64, opens: bool) -> Change {
    let mut token = [0; 32];
    token[..4].copy_from_slice(&author.to_be_bytes());
    let (takes_place, event) = (Some(TokenHash::from_bytes(token)), event(author, time_ms, Body::Enter));
    Change::Enter { opens, takes_place, account: None, returns: false, becomes_operator: false, event }
}

pub(super) fn say(author: u32, time_ms: u64, words: &str, cid: &str) -> Change {
    let (text, cid) = (Text::clean(words, 4096).expect("a text"), MessageKey::parse(cid));
    let body = Body::Message { kind: Kind::Say, text, cid, annotations: None };
    Change::Publish { event: event(author, time_ms, body) }
}
