//! Pages, messages that are looked for, and searches are what the journal in a file gives for the same changes.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use super::node::{Node, enter, event, say};
use super::*;
use crate::journal::sqlite::SqliteJournal;
use crate::journal::{Journal, Outcome};
use crate::time::Now;

const HISTORIES: u64 = 6;
const CHANGES: u64 = 400;
const QUESTIONS: usize = 150;

fn code() -> RoomCode {
    RoomCode::parse("KXQT").expect("a code")
}

fn epoch() -> Epoch {
    Epoch::parse("00000000000000ab").expect("an epoch")
}

/// What a room of members may do, one thing after another.
struct History {
    random: StdRng,
    /// Messages that are there.
    messages: Vec<u64>,
    last_id: u64,
}

impl History {
    fn text(&mut self) -> String {
        let words = ["tree", "treetop", "Bäume", "木", "木の", "a\nb", "%20 x=y", "👍"];
        let count = self.random.random_range(1..4);
        (0..count).map(|_| *words.choose(&mut self.random).expect("words")).collect::<Vec<_>>().join(" ")
    }

    fn next(&mut self) -> Change {
        let (id, author) = (self.last_id + 1, self.random.random_range(1..4));
        self.last_id = id;
        let of = self.messages.choose(&mut self.random).copied();
        let kind = self.random.random_range(0..100);
        let body = match (kind, of) {
            (0..30, Some(of)) => {
                let emoji = *["❤", "👍", "🇩🇪"].choose(&mut self.random).expect("emojis");
                let (emoji, on) = (Emoji::parse(emoji).expect("an emoji"), self.random.random_ratio(2, 3));
                Body::Reaction { of, emoji, on, quote: None }
            }
            (30..50, Some(of)) => {
                let (text, cid) = (self.text(), self.random.random_ratio(1, 2).then(|| format!("e {id}")));
                let text = Text::clean(&text, 4096).ok();
                Body::Edit { of, text, cid: cid.as_deref().and_then(MessageKey::parse) }
            }
            (50..55, Some(of)) => {
                self.messages.retain(|other| *other != of);
                Body::Delete { of, of_whom: None }
            }
            (55, _) => Body::Nick { to: Name::parse(&format!("other {id}")).expect("a name") },
            (56, _) => Body::Topic { text: Text::clean_line("what it is about").ok() },
            (57..65, of) => {
                self.messages.push(id);
                let file = format!("{id:032x} 5 image/png 3x4 tree {id}.png");
                let annotations =
                    Annotations { reply_to: of, file: SharedFile::parse(&file), ..Annotations::default() }.boxed();
                let text = if id % 2 == 0 { Text::none() } else { Text::clean("see", 9).expect("a text") };
                Body::Message { kind: Kind::Me, text, cid: MessageKey::parse(&format!("f{id}")), annotations }
            }
            _ => {
                self.messages.push(id);
                let (words, cid) = (self.text(), if id % 3 == 0 { String::new() } else { format!("c {id}") });
                return say(author, id, &words, &cid);
            }
        };
        let event = event(author, id, body);
        match event.body {
            Body::Topic { .. } => {
                let (target, ban, key, as_admin) = (None, None, None, None);
                Change::Moderate(Box::new(Measure { event, target, ban, key, as_admin }))
            }
            _ => Change::Publish { event },
        }
    }

    fn wanted(&mut self) -> Wanted {
        let end = self.last_id + 20;
        let first_id = self.random.random_range(1..end);
        let last_id = first_id + self.random.random_range(0..120);
        let mut message = || {
            let kind = *["c ", "e ", "f"].choose(&mut self.random).expect("kinds");
            let key = MessageKey::parse(&format!("{kind}{}", self.random.random_range(1..end))).expect("a key");
            (AuthorId(self.random.random_range(1..4)), key)
        };
        let messages: Vec<_> = (0..40).map(|_| message()).collect();
        match self.random.random_range(0..4) {
            0 => Wanted::Events { first_id, last_id },
            1 => Wanted::Messages(messages),
            2 => Wanted::EventsAndMessage { first_id, last_id, message: messages[0].clone() },
            _ => {
                let typed =
                    *["tre", "tree top", "baume", "木", "x y", "png", "👍"].choose(&mut self.random).expect("words");
                let query = SearchQuery::parse(typed).expect("a query");
                let limit = self.random.random_range(1..60);
                Wanted::Search { query, first_id: 1, before: self.last_id + 1 - first_id.min(self.last_id) / 2, limit }
            }
        }
    }
}

/// The next outcome of the journal in a file.
fn next_outcome(journal: &mut SqliteJournal) -> Outcome {
    wait_for("an outcome", || {
        journal.dispatch(Now::default());
        journal.take_outcome()
    })
}

/// In which order messages are found is nobody's concern.
fn in_order(mut page: Page) -> Page {
    page.messages.sort_by(|one, other| (one.2, one.1.as_str()).cmp(&(other.2, other.1.as_str())));
    page
}

#[test]
fn pages_are_what_a_file_would_give() {
    let server = Server::start();
    let (mut node, _) = Node::start(&server, 1);
    for seed in 0..HISTORIES {
        server.command(&["FLUSHALL"]);
        drop(node);
        (node, _) = Node::start(&server, seed + 2);
        let file = server.folder.join(format!("{seed}.db"));
        let (mut journal, _) = SqliteJournal::open(&file, node::HISTORY_EVENTS as usize, || ()).expect("a usable file");
        let mut history = History { random: StdRng::seed_from_u64(seed), messages: Vec::new(), last_id: 3 };
        let coming = (1..4).map(|author| enter(author, author.into(), author == 1)).collect::<Vec<_>>();
        let changes: Vec<_> = coming.into_iter().chain((0..CHANGES).map(|_| history.next())).collect();
        for change in &changes {
            journal.submit(Proposal::new(code(), epoch(), change.clone()));
        }
        for change in &changes {
            let outcome = next_outcome(&mut journal);
            assert!(matches!(outcome, Outcome::Committed(_)), "{change:?}: {outcome:?}");
        }
        node.append(changes.into_iter().map(|change| (code(), epoch(), change)));
        let mut told = [0; 3];
        for _ in 0..QUESTIONS {
            let request = ReadRequest { code: code(), epoch: epoch(), wanted: history.wanted() };
            let page = in_order(node.read(&request));
            journal.read(request.clone());
            let Outcome::Read { page: Some(expected), .. } = next_outcome(&mut journal) else { panic!("not read") };
            assert_eq!(page, in_order(expected), "seed {seed}: {:?}", request.wanted);
            told[0] += page.events.len();
            told[1] += page.messages.len();
            told[2] += usize::from(page.before.is_some());
        }
        assert!(told.iter().all(|count| *count > 0), "seed {seed} has found something of everything: {told:?}");
    }
}
