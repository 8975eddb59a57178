//! The promise "never lose a line", as a check: what clients have seen and were told, and whether it can be true.
//!
//! Every client logs what it sends, what is acknowledged or refused, and everything it receives. The place of an
//! entry in the log is its time. [`History::check`] knows nothing of sockets, servers or crashes: the simulation
//! and the tests of the real program use it alike.

// Each file of tests is a program of its own and uses only part of this.
#![allow(dead_code)]

mod amendments;
pub mod client;
mod kept;
mod presence;
mod searches;
mod shown;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use serde_json::Value;

use kept::{Answer, Kept};
pub use searches::Searched;

/// One life of a room: its code and its epoch, as the server tells them.
pub type Life = (String, String);

/// Events that a server sends to those who do not say what they have.
const EVENTS_ON_JOIN: u64 = 50;

/// No answer has more events than this.
const MAX_PAGE_EVENTS: usize = 500;

/// What the server under test promises.
#[derive(Clone, Copy, Debug)]
pub struct Promises {
    /// Events that it keeps a room (`--history`).
    pub history_events: u64,
    /// Events that it holds in memory, of those.
    pub memory_events: u64,
    /// Its rooms outlive it, so each has a single life.
    pub is_durable: bool,
    /// Several nodes share it by a log: that may go on with what they refused since it took too long. Where it is not
    /// durable either, the log may lose what it told of: then each room goes on in another life.
    pub is_shared: bool,
}

/// What a client said that it has, when it asked to be let in.
#[derive(Clone, Debug)]
pub struct Has {
    pub life: Life,
    /// The last event that it has.
    pub id: u64,
    /// The last event that anybody had been told of at that time.
    pub known: u64,
}

/// A client wants older events.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Older than this one.
    pub before: Option<u64>,
    /// The last event that it knew of when it asked.
    pub known: u64,
}

/// Something that a client did, or saw. There are millions of these: what is large and seldom is kept elsewhere.
#[derive(Clone, Debug)]
enum Entry {
    /// It handed a text to the network; perhaps again, if it may send it again.
    Sent { text: Rc<str> },
    /// It was told that the text is said, as this event.
    Acknowledged { life: Rc<Life>, id: u64, text: Rc<str> },
    /// It was told that the text is not said, and why.
    Refused { text: Rc<str>, code: Rc<str> },
    /// It was shown in, over this connection.
    Joined { connection: usize, life: Rc<Life>, joined: Box<Answer>, has: Option<Box<Has>> },
    /// It was sent an event, over this connection.
    Received { connection: usize, event: Rc<Value> },
    /// It asked for older events, and was sent these, over this connection.
    Recalled { connection: usize, life: Rc<Life>, asked: Box<Asked>, answer: Box<Answer> },
    /// It searched, and was sent these, over this connection.
    Found { connection: usize, life: Rc<Life>, searched: Box<Searched>, answer: Box<Answer> },
    /// At a terminal it was shown something, over one connection.
    Shown { connection: usize, shown: Box<Shown> },
}

/// What a terminal was shown.
#[derive(Clone, Debug)]
struct Shown {
    room: String,
    /// What the texts of this client begin with, which it is not shown.
    own: String,
    /// As they were said.
    texts: Vec<Rc<str>>,
}

/// Everything that all clients did and saw, in one order.
#[derive(Default, Debug)]
pub struct History {
    entries: Vec<Entry>,
    /// What they are about.
    kept: Kept,
    /// Texts that are acknowledged.
    acknowledged: HashSet<Rc<str>>,
    /// How often everything was lost so far.
    losses: u32,
    /// The same, when each connection was made.
    losses_before: HashMap<usize, u32>,
    /// The last event of each life that anybody was told of.
    last_ids: HashMap<Life, u64>,
    /// Which life of a room each connection is in.
    lives: HashMap<usize, Rc<Life>>,
}

/// An event that was deleted.
#[derive(Default, Debug)]
pub struct Deleted {
    /// The client's own id that it had.
    pub cid: Option<String>,
    /// Somebody was told what it was before.
    pub is_known: bool,
}

impl History {
    /// A new connection is made. Its number is no other's.
    pub fn note_connected(&mut self, connection: usize) {
        self.losses_before.insert(connection, self.losses);
    }

    /// The server, which keeps nothing, has been restarted: rooms of the same code are others from here on.
    pub fn note_loss(&mut self) {
        self.losses += 1;
    }

    pub fn note_sent(&mut self, text: &str) {
        let text = self.kept.text(text);
        self.entries.push(Entry::Sent { text });
    }

    pub fn note_acknowledged(&mut self, life: &Life, id: u64, text: &str) {
        let (life, text) = (self.kept.life(life), self.kept.text(text));
        self.acknowledged.insert(text.clone());
        self.entries.push(Entry::Acknowledged { life, id, text });
    }

    pub fn note_refused(&mut self, text: &str, code: &str) {
        let (text, code) = (self.kept.text(text), self.kept.text(code));
        self.entries.push(Entry::Refused { text, code });
    }

    /// What a client says that has the events up to this one.
    pub fn has(&self, life: &Life, id: u64) -> Has {
        Has { life: life.clone(), id, known: self.last_id(life) }
    }

    /// `has`: what the client said that it has.
    pub fn note_joined(&mut self, connection: usize, life: &Life, joined: &Value, has: Option<Has>) {
        self.raise_last_id(life, number(joined, "last"));
        let (life, joined) = (self.kept.life(life), self.kept.answer(joined));
        self.lives.insert(connection, life.clone());
        let (joined, has) = (Box::new(joined), has.map(Box::new));
        self.entries.push(Entry::Joined { connection, life, joined, has });
    }

    pub fn note_received(&mut self, connection: usize, event: &Value) {
        if let Some(life) = self.lives.get(&connection).cloned() {
            self.raise_last_id(&life, number(event, "id"));
        }
        let event = self.kept.event(event);
        self.entries.push(Entry::Received { connection, event });
    }

    pub fn note_recalled(&mut self, connection: usize, life: &Life, asked: Asked, answer: &Value) {
        let (life, answer) = (self.kept.life(life), self.kept.answer(answer));
        let (asked, answer) = (Box::new(asked), Box::new(answer));
        self.entries.push(Entry::Recalled { connection, life, asked, answer });
    }

    pub fn note_found(&mut self, connection: usize, life: &Life, searched: Searched, answer: &Value) {
        let (life, answer) = (self.kept.life(life), self.kept.answer(answer));
        let (searched, answer) = (Box::new(searched), Box::new(answer));
        self.entries.push(Entry::Found { connection, life, searched, answer });
    }

    /// `own`: what the texts of this client begin with, which it is not shown.
    pub fn note_shown(&mut self, connection: usize, room: &str, own: &str, texts: Vec<String>) {
        let texts = texts.iter().map(|text| self.kept.text(text)).collect();
        let shown = Box::new(Shown { room: room.to_owned(), own: own.to_owned(), texts });
        self.entries.push(Entry::Shown { connection, shown });
    }

    /// The last id that anybody was told of.
    pub fn last_id(&self, life: &Life) -> u64 {
        self.last_ids.get(life).copied().unwrap_or(0)
    }

    /// Every event by which anybody was told of a file, and in which life of which room.
    pub fn files(&self) -> Vec<(&Life, &Value)> {
        self.told().into_iter().filter(|(_, event)| event["file"].is_object()).collect()
    }

    /// The ids of files whose messages were deleted, as far as anybody was told of both.
    pub fn gone_files(&self) -> HashSet<String> {
        let told = self.told();
        let deleted: HashSet<(&Life, u64)> = told
            .iter()
            .filter(|(_, event)| event["type"] == "delete" || event["deleted"] == true)
            .map(|&(life, event)| (life, event["of"].as_u64().unwrap_or_else(|| number(event, "id"))))
            .collect();
        let files = told.iter().filter(|(_, event)| event["file"].is_object());
        let gone = files.filter(|(life, event)| deleted.contains(&(*life, number(event, "id"))));
        gone.map(|(_, event)| event["file"]["id"].as_str().expect("an id").to_owned()).collect()
    }

    /// What was deleted in a room, of whatever life, as far as anybody was told: of each event its id, the client's own id
    /// if it had one, and whether anybody was told what it was before.
    pub fn deleted_in(&self, room: &str) -> BTreeMap<u64, Deleted> {
        let mut deleted: BTreeMap<u64, Deleted> = BTreeMap::new();
        let told: Vec<&Value> = self.told().into_iter().filter(|(life, _)| life.0 == room).map(|told| told.1).collect();
        for event in &told {
            let is_of_another = event["type"] == "edit" && event["deleted"] == true;
            if event["type"] == "delete" || is_of_another {
                deleted.entry(number(event, "of")).or_default();
            } else if event["deleted"] == true {
                deleted.entry(number(event, "id")).or_default().cid = event["cid"].as_str().map(str::to_owned);
            }
        }
        for event in told.iter().filter(|event| event["deleted"] != true) {
            let known = event["id"].as_u64().and_then(|id| deleted.get_mut(&id));
            known.into_iter().for_each(|known| known.is_known = true);
        }
        deleted
    }

    /// How many lives of a room anybody was told of.
    pub fn lives_of(&self, room: &str) -> usize {
        self.last_ids.keys().filter(|(code, _)| code == room).count()
    }

    /// The last id that anybody was told of in any life of a room.
    pub fn last_id_in(&self, room: &str) -> u64 {
        let ids = self.last_ids.iter().filter(|((code, _), _)| code == room).map(|(_, id)| *id);
        ids.max().unwrap_or(0)
    }

    /// Every event that anybody was told of.
    fn told(&self) -> Vec<(&Life, &Value)> {
        let mut lives: HashMap<usize, &Life> = HashMap::new();
        let mut told = Vec::new();
        for entry in &self.entries {
            let (life, events): (&Life, &[Rc<Value>]) = match entry {
                Entry::Joined { connection, life, joined, .. } => {
                    lives.insert(*connection, life);
                    (life, &joined.events)
                }
                Entry::Received { connection, event } => (lives[connection], std::slice::from_ref(event)),
                Entry::Recalled { life, answer, .. } | Entry::Found { life, answer, .. } => (life, &answer.events),
                _ => continue,
            };
            told.extend(events.iter().map(|event| (life, &**event)));
        }
        told
    }

    /// Messages acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        self.acknowledged.len()
    }

    fn raise_last_id(&mut self, life: &Life, id: u64) {
        match self.last_ids.get_mut(life) {
            Some(last_id) => *last_id = id.max(*last_id),
            None => drop(self.last_ids.insert(life.clone(), id)),
        }
    }

    /// Panics with the promise that was broken, in words.
    ///
    /// Rooms that have to be checked to their last event have been recalled down to their first one before.
    pub fn check(&self, promises: Promises) {
        let record = Record::of(self);
        record.check_single_lives(promises);
        record.check_gapless(promises, |life| self.is_over(life, &record, promises));
        self.check_connections(promises);
        self.check_recalls(&record, promises);
        self.check_said(&record, promises);
        for (life, events) in &record.lives {
            check_real_time(life, events, &record);
            presence::check(life, events.values().map(|seen| &*seen.event));
        }
        shown::check(self, &record, promises);
        amendments::check(self, &record);
        searches::check(self, &record, promises);
    }

    /// Whether a life was lost before the end.
    fn is_over(&self, life: &Life, record: &Record, promises: Promises) -> bool {
        if promises.is_shared {
            // Nodes do not learn of it at the same time: the last life is whichever began last.
            return record.last_lives.get(life.0.as_str()).is_some_and(|last| *last != life);
        }
        record.losses_before.get(life).is_some_and(|&before| before < self.losses)
    }

    /// Over each connection: first what was missed, or the news that it is gone; then each event, in order, once. And
    /// no answer overtakes an event. Who is thrown out receives nothing more.
    fn check_connections(&self, promises: Promises) {
        let mut names: HashMap<usize, Option<String>> = HashMap::new();
        let mut positions: HashMap<usize, (&Life, u64)> = HashMap::new();
        for entry in &self.entries {
            match entry {
                Entry::Joined { connection, life, joined, has } => {
                    check_joined(life, joined, has.as_deref(), promises);
                    names.insert(*connection, joined.fields["name"].as_str().map(str::to_owned));
                    positions.insert(*connection, (life, number(&joined.fields, "last")));
                }
                Entry::Received { connection, event } => {
                    let (life, position) = positions
                        .get_mut(connection)
                        .unwrap_or_else(|| panic!("an event before the room was joined: {event}"));
                    let id = number(event, "id");
                    assert_eq!(id, *position + 1, "connection {connection} to {life:?}: each event in order, once");
                    *position = id;
                    let name = names.get_mut(connection).expect("it has joined");
                    let own = name.as_deref().unwrap_or_else(|| {
                        panic!("connection {connection} to {life:?} was thrown out, and receives {event}")
                    });
                    if event["name"] == own {
                        match event["type"].as_str() {
                            Some("nick") => *name = event["to"].as_str().map(str::to_owned),
                            Some("kick") => *name = None,
                            _ => (),
                        }
                    }
                }
                Entry::Recalled { connection, life, asked, answer } => {
                    let Some(&last) = ids(&answer.events).last() else { continue };
                    let (_, position) = positions[connection];
                    let is_in_order = if asked.before.is_none() { last == position } else { last <= position };
                    assert!(
                        is_in_order,
                        "connection {connection} to {life:?}: recalled up to {last} after the event {position}"
                    );
                }
                _ => (),
            }
        }
    }

    fn check_recalls(&self, record: &Record, promises: Promises) {
        for entry in &self.entries {
            let Entry::Recalled { life, asked, answer, .. } = entry else { continue };
            let Asked { before, known } = &**asked;
            let ids = ids(&answer.events);
            assert!(ids.windows(2).all(|pair| pair[0] + 1 == pair[1]), "recalled with gaps, {life:?}: {ids:?}");
            let (Some(&first), Some(&last)) = (ids.first(), ids.last()) else {
                // Right only where there is nothing yet, or all that is asked for is older than what is kept.
                let newest = record.last_id(life);
                let is_gone = |before: u64| before <= 1 || before + promises.history_events <= newest + 1;
                let is_nothing = *known == 0 || before.is_some_and(is_gone);
                assert!(is_nothing, "nothing recalled before {before:?} of {life:?}, of which {known} were known");
                continue;
            };
            if let Some(before) = before {
                assert_eq!(last + 1, *before, "recalled before {before} of {life:?}: {ids:?}");
            }
            let ends = first == 1 || first + promises.history_events <= record.last_id(life) + 1;
            assert!(answer.fields["more"] == true || ends, "no more before {first} of {life:?}, it is said");
        }
    }

    /// Acknowledged: there, once. Not acknowledged: at most once. Refused: never. And nothing that nobody said.
    fn check_said(&self, record: &Record, promises: Promises) {
        let mut refused = HashMap::<&str, u32>::new();
        for entry in &self.entries {
            match entry {
                // Whoever waited for it was told, and it may come all the same.
                Entry::Refused { code, .. } if promises.is_shared && &**code == "storage_failed" => (),
                Entry::Refused { text, .. } => *refused.entry(text).or_default() += 1,
                Entry::Acknowledged { life, id, text } => {
                    let seen = record.lives.get(life).and_then(|events| events.get(id));
                    // What was acknowledged when nobody else was there may be too old to be kept by the time when
                    // anybody looks.
                    let is_gone = seen.is_none() && id + promises.history_events <= record.last_id(life);
                    // Who said it again where it was not known yet may be the only one who was told of it in a life that
                    // the log has lost since.
                    let may_be_lost = seen.is_none() && promises.is_shared && !promises.is_durable;
                    let is_lost = may_be_lost && self.is_over(life, record, promises);
                    assert!(
                        is_gone
                            || is_lost
                            || seen.is_some_and(|seen| seen.text.as_deref().is_none_or(|said| *said == **text)),
                        "acknowledged as {id} of {life:?}: {text:?}; but that is {:?}",
                        seen.map(|seen| (&seen.event, &seen.text))
                    );
                }
                _ => (),
            }
        }
        for (life, events) in &record.lives {
            let mut said: HashMap<&str, u64> = HashMap::new();
            for (&id, seen) in events {
                let said_text = seen.text.as_deref().filter(|text| seen.event["type"] == "message" && !text.is_empty());
                let Some(text) = said_text else { continue };
                if let Some(before) = said.insert(text, id) {
                    // Only a member that has come back says anything again, and no history lasts a day: what it said
                    // last is remembered, however many events are kept.
                    let earlier = &*events[&before].event;
                    // Whoever said it was perhaps taken for somebody else in between.
                    let comes_and_goes = |event: &&Value| {
                        event["name"] == earlier["name"] && (event["type"] == "enter" || event["type"] == "part")
                    };
                    let between: Vec<&Value> =
                        events.range(before..id).map(|(_, seen)| &*seen.event).filter(comes_and_goes).collect();
                    panic!(
                        "said twice in {life:?}, {before} and {id}: {text:?}: {earlier} {}; in between {between:?}",
                        seen.event
                    );
                }
                let times = record.sent.get(text).map_or(0, |&(_, times)| times);
                assert!(times > 0, "nobody said what is {id} of {life:?}: {text:?}");
                assert!(
                    refused.get(text).is_none_or(|&refused| refused < times),
                    "refused each time it was sent, yet it is {id} of {life:?}: {text:?}"
                );
            }
        }
    }
}

fn check_joined(life: &Life, joined: &Answer, has: Option<&Has>, promises: Promises) {
    let (joined, ids) = (&joined.fields, ids(&joined.events));
    let last = number(joined, "last");
    assert!(ids.len() <= MAX_PAGE_EVENTS, "too many events in {joined}: {ids:?}");
    let words = || format!("joined {life:?} with {has:?}: last {last}, gap {}, events {ids:?}", joined["gap"]);
    assert!(ids.windows(2).all(|pair| pair[0] + 1 == pair[1]), "gaps in what was missed; {}", words());
    assert!(ids.last().is_none_or(|&id| id == last), "events do not lead up to the last one; {}", words());
    let first = ids.first().copied().unwrap_or(last + 1);
    match has {
        Some(Has { life: known_life, id: since, known }) if known_life == life => {
            let has_gap = *since + 1 < first;
            if promises.is_shared && *since > last && joined["gap"] == true {
                // A node that is cut off tells what it knows, and that it cannot go on from there.
                return;
            }
            assert!(*since <= last, "what the client has is gone; {}", words());
            assert_eq!(joined["gap"], has_gap, "a gap is told if, and only if, there is one; {}", words());
            assert!(*since < first, "what the client has is sent again; {}", words());
            // What happened meanwhile may have taken the place of what was read for this client; of several nodes this one
            // may not have known of it yet.
            let is_at_rest = last == *known && !promises.is_shared;
            let is_gone = first + promises.history_events <= last + 1;
            let is_needless = has_gap && is_at_rest && !is_gone && ids.len() < MAX_PAGE_EVENTS;
            assert!(!is_needless, "a gap where everything is there; {}", words());
        }
        Some(_) => assert_eq!(joined["gap"], true, "another life can not be continued; {}", words()),
        None => assert_eq!(joined["gap"], false, "nothing to miss; {}", words()),
    }
    if has.is_none_or(|has| has.life != *life) {
        let wanted = EVENTS_ON_JOIN.min(promises.memory_events).min(promises.history_events).min(last);
        assert!((wanted..=EVENTS_ON_JOIN).contains(&(ids.len() as u64)), "not the last events; {}", words());
    }
}

/// Whatever anybody has seen of an event before another text is sent comes before that text.
fn check_real_time(life: &Life, events: &BTreeMap<u64, Seen>, record: &Record) {
    let mut earliest_of_later = usize::MAX;
    for (&id, seen) in events.iter().rev() {
        if let Some(&(sent_at, _)) = seen.text.as_deref().and_then(|text| record.sent.get(text)) {
            assert!(
                earliest_of_later > sent_at,
                "{life:?}: {id} was first sent (entry {sent_at}) after somebody had seen a later one (entry \
                 {earliest_of_later}): {}",
                seen.event
            );
        }
        earliest_of_later = earliest_of_later.min(seen.first_at);
    }
}

/// An event as everybody saw it, and when anybody saw it first.
struct Seen {
    /// Nothing is judged by what may become of it since. A file is a message here.
    event: Rc<Value>,
    /// What was said with it, if anybody was told before that was changed.
    text: Option<String>,
    first_at: usize,
}

impl Seen {
    /// What a terminal was shown of it as it was said, as far as anybody was told.
    fn shown_text(&self) -> Option<&str> {
        self.text.as_deref().filter(|text| self.event["type"] == "message" && !text.is_empty())
    }
}

/// What anybody saw.
struct Record<'a> {
    lives: BTreeMap<Life, BTreeMap<u64, Seen>>,
    /// When a text was first sent, and how often.
    sent: HashMap<&'a str, (usize, u32)>,
    /// The last events that the server told of.
    last_ids: &'a HashMap<Life, u64>,
    /// How often everything had been lost before.
    losses_before: HashMap<&'a Life, u32>,
    /// The life of each room that somebody was told of for the first time last.
    last_lives: HashMap<&'a str, &'a Life>,
    /// What was looked at before, as it was told of in a life, and whether when it happened: nothing comes of it again.
    looked_at: HashSet<(*const Life, *const Value, bool)>,
}

impl<'a> Record<'a> {
    fn of(history: &'a History) -> Record<'a> {
        let mut record = Record {
            lives: BTreeMap::new(),
            sent: HashMap::new(),
            last_ids: &history.last_ids,
            losses_before: HashMap::new(),
            last_lives: HashMap::new(),
            looked_at: HashSet::new(),
        };
        let mut lives: HashMap<usize, &Rc<Life>> = HashMap::new();
        for (at, entry) in history.entries.iter().enumerate() {
            match entry {
                Entry::Sent { text } => record.sent.entry(text).or_insert((at, 0)).1 += 1,
                Entry::Joined { connection, life, joined, .. } => {
                    lives.insert(*connection, life);
                    let losses = history.losses_before[connection];
                    if record.losses_before.insert(life, losses).is_none() {
                        record.last_lives.insert(&life.0, life);
                    }
                    record.see_all(life, &joined.events, at);
                }
                Entry::Received { connection, event } => {
                    let life = lives.get(connection).unwrap_or_else(|| panic!("an event before any room: {event}"));
                    record.see(life, event, true, at);
                }
                Entry::Recalled { life, answer, .. } | Entry::Found { life, answer, .. } => {
                    record.see_all(life, &answer.events, at);
                }
                Entry::Acknowledged { .. } | Entry::Refused { .. } | Entry::Shown { .. } => (),
            }
        }
        for (at, entry) in history.entries.iter().enumerate() {
            if let Entry::Acknowledged { life, id, .. } = entry
                && let Some(seen) = record.lives.get_mut(&**life).and_then(|events| events.get_mut(id))
            {
                seen.first_at = seen.first_at.min(at);
            }
        }
        record
    }

    fn see_all(&mut self, life: &Rc<Life>, events: &[Rc<Value>], at: usize) {
        events.iter().for_each(|event| self.see(life, event, false, at));
    }

    /// An id means one event for ever, whoever looks and whatever crashed.
    fn see(&mut self, life: &Rc<Life>, event: &Rc<Value>, is_live: bool, at: usize) {
        // What is equal is kept once. Looked at again, it says the same, and comes later.
        if !self.looked_at.insert((Rc::as_ptr(life), Rc::as_ptr(event), is_live)) {
            return;
        }
        let events = self.lives.entry(Life::clone(life)).or_default();
        let (id, text) = (number(event, "id"), amendments::first_text(event, is_live));
        let known = events.entry(id).or_insert_with(|| {
            let event = if event["type"] == "file" { Rc::new(amendments::lasting(event)) } else { event.clone() };
            Seen { event, text: None, first_at: at }
        });
        let is_same_event =
            Rc::ptr_eq(&known.event, event) || amendments::lasting(&known.event) == amendments::lasting(event);
        let is_same_text = known.text.is_none() || text.is_none() || known.text == text;
        assert!(
            is_same_event && is_same_text,
            "two events under the id {id} of {life:?}: {:?} {:?}, {event} {text:?}",
            known.event,
            known.text
        );
        known.text = known.text.take().or(text);
    }

    fn last_id(&self, life: &Life) -> u64 {
        self.last_ids.get(life).copied().unwrap_or(0)
    }

    fn check_single_lives(&self, promises: Promises) {
        let rooms: BTreeSet<&String> = self.lives.keys().map(|(room, _)| room).collect();
        if promises.is_durable {
            let lives: Vec<&Life> = self.lives.keys().collect();
            assert_eq!(lives.len(), rooms.len(), "a room with events was lost: {lives:?}");
        }
    }

    /// Whether everything that was ever said is known, for sure.
    fn is_complete(&self, promises: Promises) -> bool {
        let is_told = |seen: &Seen| seen.text.is_some() || seen.event["type"] != "message";
        let is_all_told = || self.lives.values().flat_map(BTreeMap::values).all(is_told);
        promises.is_durable && self.last_ids.values().all(|&last| last <= promises.history_events) && is_all_told()
    }

    fn was_sent_once(&self, text: &str) -> bool {
        self.sent.get(text).is_some_and(|&(_, times)| times == 1)
    }

    /// Where nothing is too old to be kept, everything is known, from the first event to the last. Of a life that was
    /// lost before the end, nobody could ask for what came while only terminals looked.
    fn check_gapless(&self, promises: Promises, is_over: impl Fn(&Life) -> bool) {
        for (life, events) in self.lives.iter().filter(|(life, _)| !is_over(life)) {
            let last = self.last_id(life);
            let first = events.keys().next().copied().unwrap_or(1);
            if last <= promises.history_events {
                let ids: Vec<u64> = events.keys().copied().collect();
                assert!(ids.iter().copied().eq(first..=last), "{life:?} has gaps: {ids:?}");
            }
        }
    }
}

/// Whether it is something that was said: a text, or a file.
fn is_said(event: &Value) -> bool {
    event["type"] == "message" || event["type"] == "file"
}

fn ids(events: &[Rc<Value>]) -> Vec<u64> {
    events.iter().map(|event| number(event, "id")).collect()
}

fn number(value: &Value, field: &str) -> u64 {
    value[field].as_u64().unwrap_or_else(|| panic!("{field} is no number: {value}"))
}
