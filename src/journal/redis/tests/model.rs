//! The scripts and a model of the log in plain words are asked the same, and answer the same.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use super::ordered_log::{self, OrderedLog};
use super::*;
use crate::journal::redis::answers::Standing;
use crate::journal::redis::asking::{self, Asker};
use crate::journal::redis::loading::Loading;
use crate::journal::redis::managing::{self, Tried};
use crate::journal::redis::{entries, loading, reading};

/// By seeds, as many as the environment says.
const HISTORIES: u64 = 24;
const STEPS: usize = 250;

const HISTORY_EVENTS: u64 = 20;

/// The id of no event.
const NEVER: u64 = 1_000_000;

/// All keys and their values.
type Copy = BTreeMap<Vec<u8>, Vec<u8>>;

/// A node, as it knows itself.
#[derive(Clone, Debug)]
struct Node {
    id: NodeId,
    session: u64,
    /// The server to which it is attached, as each of the two names it.
    server: (String, u64),
    generation: Generation,
    number: u64,
    last: Option<(Position, ProposalId)>,
}

struct Comparison {
    connection: Connection,
    scripts: Scripts,
    model: OrderedLog,
    server: u64,
    nodes: Vec<Node>,
    next_node: u64,
    random: StdRng,
    /// What there was once: a replica that becomes the master has it.
    replica: Option<(OrderedLog, Copy)>,
    /// Rooms are being loaded.
    is_loading: bool,
    told: Vec<String>,
    counts: BTreeMap<&'static str, usize>,
}

fn name(author: u32) -> Name {
    Name::parse(&format!("m{author}")).expect("a name")
}

impl Comparison {
    fn new(connection: Connection, seed: u64) -> Comparison {
        let (scripts, random) = (Scripts::by_clock_of_test(), StdRng::seed_from_u64(seed));
        let model = OrderedLog::new(1_700_000_000_000);
        let (replica, told, counts) = (None, Vec::new(), BTreeMap::new());
        let (nodes, next_node, server) = (Vec::new(), 1, 1);
        let is_loading = false;
        let mut comparison = Comparison {
            connection,
            scripts,
            model,
            server,
            nodes,
            next_node,
            random,
            replica,
            is_loading,
            told,
            counts,
        };
        comparison.scripts.clone().load_into(&mut comparison.connection).expect("scripts that are understood");
        comparison.ask(&cmd("FLUSHALL"));
        comparison.set_clock();
        comparison
    }

    fn ask(&mut self, command: &Cmd) -> Value {
        ask(&mut self.connection, command).expect("an answer")
    }

    fn set_clock(&mut self) {
        let (seconds, micros) = (self.model.now_ms / 1000, self.model.now_ms % 1000 * 1000);
        self.ask(cmd("DEL").arg("{snugd}:clock"));
        self.ask(cmd("RPUSH").arg("{snugd}:clock").arg(seconds).arg(micros));
    }

    /// Asks both, over this connection of a node.
    fn compare(&mut self, request: &Request, node: &Node) -> Option<Response> {
        self.told.push(format!("{} {request:?} by {node:?}", self.model.now_ms));
        let server = match request {
            Request::Attach { .. } => self.server,
            _ => node.server.1,
        };
        let asker = ordered_log::Asker { server, connection: node.session };
        let wanted = self.model.answer(request, asker);
        let asker = Asker { session: node.session, server: node.server.0.clone() };
        let command = asking::command(&self.scripts, &asker, request).expect("a command");
        let answer = ask(&mut self.connection, &command);
        let told = match answer {
            Err(Fault::Away(reason)) if reason.contains("newer connection") => None,
            Err(fault) => panic!("{fault:?}\n{}", self.told.join("\n")),
            Ok(value) => match request {
                Request::Attach { .. } => {
                    let (attached, attachment) = asking::read_attached(value).expect("an attachment");
                    if let (Some(attachment), Some(known)) =
                        (attachment, self.nodes.iter_mut().find(|known| known.id == node.id))
                    {
                        known.server = (attachment.server, self.server);
                    }
                    Some(Response::Attached(attached))
                }
                Request::Append { changes, .. } => {
                    let verdicts = asking::read_verdicts(value, changes.len()).expect("verdicts");
                    let numbers = changes.iter().map(|change| change.number);
                    Some(Response::Appended(verdicts.map(|verdicts| numbers.zip(verdicts).collect())))
                }
                request => asking::read_other(request, value).expect("an answer"),
            },
        };
        assert_eq!(told, wanted, "{}", self.told.join("\n"));
        wanted
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    // ---- what is asked

    fn step(&mut self) {
        match self.random.random_ratio(1, 30) {
            true => self.load_meanwhile(),
            false => self.step_but_loading(),
        }
    }

    fn step_but_loading(&mut self) {
        let passing_ms = match self.random.random_range(0..40) {
            0 => self.random.random_range(2_000..12_000),
            1..10 => self.random.random_range(0..1_500),
            _ => self.random.random_range(0..3),
        };
        self.model.now_ms += passing_ms;
        self.set_clock();
        if self.nodes.is_empty() && self.random.random_ratio(1, 8) {
            return self.change_account();
        }
        if self.nodes.is_empty() || (self.nodes.len() < 3 && self.random.random_ratio(1, 20)) {
            self.add_node();
        }
        let place = self.random.random_range(0..self.nodes.len());
        match self.random.random_range(0..100) {
            0..60 => self.append(place),
            60..66 => self.attach(place),
            66..76 => self.renew(place),
            76..80 => self.tell(place),
            80..86 if !self.is_loading => self.keep_snapshot(place),
            86..88 => self.find_end(place),
            88 => self.leave(place),
            89 => self.copy(),
            90 => self.fail_over(),
            91..94 => self.follow(place),
            94..96 => self.change_account(),
            _ => self.read(),
        }
    }

    fn add_node(&mut self) {
        let id = NodeId(self.next_node);
        self.next_node += 1;
        let (server, generation) = ((String::new(), 0), Generation(0));
        self.nodes.push(Node { id, session: 0, server, generation, number: 0, last: None });
        self.attach(self.nodes.len() - 1);
    }

    fn attach(&mut self, place: usize) {
        self.nodes[place].session += u64::from(self.random.random_ratio(4, 5));
        let node = self.nodes[place].clone();
        let is_other = !self.is_loading && self.random.random_ratio(1, 30);
        let history_events = if is_other { HISTORY_EVENTS + 1 } else { HISTORY_EVENTS };
        let request = Request::Attach { node: node.id, last: node.last, history_events };
        match self.compare(&request, &node) {
            Some(Response::Attached(Attached::Yes { generation, last_number, .. })) => {
                self.count("attached");
                let known = &mut self.nodes[place];
                if generation != known.generation {
                    known.last = None;
                }
                known.generation = generation;
                known.number = known.number.max(last_number);
            }
            Some(Response::Attached(Attached::GivenUp)) => {
                self.count("given up");
                self.nodes[place].id = NodeId(self.next_node);
                self.next_node += 1;
            }
            Some(Response::Attached(Attached::NotYet)) => self.count("not yet"),
            Some(Response::Attached(_)) => self.count("other history"),
            _ => self.count("replaced"),
        }
    }

    fn renew(&mut self, place: usize) {
        let node = self.nodes[place].clone();
        // The model looks at connections where something is changed for others only.
        if node.session > 0 && !self.is_replaced(&node) {
            let told = self.compare(&Request::Renew { node: node.id }, &node);
            self.count(if told == Some(Response::Renewed(None)) { "renewed in vain" } else { "renewed" });
        }
    }

    fn is_replaced(&mut self, node: &Node) -> bool {
        let known = self.ask(cmd("HGET").arg("{snugd}:nodes").arg(node.id.0));
        let Value::BulkString(known) = known else { return false };
        String::from_utf8(known).expect("text").rsplit(' ').next() != Some(&*node.session.to_string())
    }

    fn tell(&mut self, place: usize) {
        let node = self.nodes[place].clone();
        let notices = vec![Notice::Typing { epoch: Epoch::NONE, author: AuthorId(1) }];
        let _ = self.model.answer(
            &Request::Tell { node: node.id, notices: notices.clone() },
            ordered_log::Asker { server: node.server.1, connection: node.session },
        );
        let asker = Asker { session: node.session, server: node.server.0.clone() };
        let command = asking::command(&self.scripts, &asker, &Request::Tell { node: node.id, notices });
        self.ask(&command.expect("a command"));
    }

    fn find_end(&mut self, place: usize) {
        let node = self.nodes[place].clone();
        self.compare(&Request::FindEnd { question: 7 }, &node);
    }

    fn leave(&mut self, place: usize) {
        let node = self.nodes[place].clone();
        let request = Request::Leave { node: node.id };
        self.told.push(format!("{request:?}"));
        let asker = ordered_log::Asker { server: node.server.1, connection: node.session };
        assert_eq!(self.model.answer(&request, asker), None);
        let asker = Asker { session: node.session, server: node.server.0.clone() };
        self.ask(&asking::command(&self.scripts, &asker, &request).expect("a command"));
        self.nodes.remove(place);
    }

    fn keep_snapshot(&mut self, place: usize) {
        let codes = self.model.codes();
        let Some(loaded) = codes.choose(&mut self.random).and_then(|code| self.model.load_room(*code)) else { return };
        let mut room = loaded.room.snapshot;
        room.last_author = AuthorId(self.random.random_range(1..100));
        // What is folded later is none of what is kept beside it.
        let version = match self.random.random_ratio(1, 5) {
            true => ProposalId { node: NodeId(1), number: self.random.random_range(1..50) },
            false => loaded.version,
        };
        let node = self.nodes[place].clone();
        self.compare(&Request::KeepSnapshot { version, room: Box::new(room) }, &node);
        self.count("snapshots");
    }

    fn append(&mut self, place: usize) {
        let node = self.nodes[place].clone();
        let count = self.random.random_range(1..6);
        let mut changes: Vec<Append> = Vec::new();
        let mut number = node.number;
        for _ in 0..count {
            number += u64::from(self.random.random_ratio(19, 20));
            let mut append = self.change(number.max(1));
            // What relies on what was proposed just before names the version that this will make.
            if let Some(before) = changes.iter().rfind(|before| before.code == append.code)
                && self.random.random_bool(0.8)
                && append.version.is_some()
                && crate::journal::cluster::Effects::of(&before.change).is_versioned
            {
                append.version = Some(ProposalId { node: node.id, number: before.number });
            }
            changes.push(append);
        }
        self.nodes[place].number = number;
        let request = Request::Append { node: node.id, generation: node.generation, changes };
        match self.compare(&request, &node) {
            Some(Response::Appended(Ok(verdicts))) => {
                for (_, verdict) in verdicts {
                    self.count(match verdict {
                        Verdict::Appended => "appended",
                        Verdict::Outdated => "outdated",
                        Verdict::Duplicate(_) => "duplicate",
                        Verdict::NoSuchEvent => "no such event",
                    });
                }
            }
            Some(_) => self.count("refused"),
            None => self.count("replaced"),
        }
        self.follow(place);
    }

    /// Somebody who is no node, and may come before any is there.
    fn change_account(&mut self) {
        let by = NodeId(self.next_node);
        self.next_node += 1;
        let loaded = self.model.load_but_rooms();
        let change = self.account_change(None, AuthorId(1));
        let is_right = self.random.random_ratio(4, 5);
        let accounts_version = loaded.accounts_version.filter(|_| is_right);
        let (code, epoch, version) = (RoomCode::NONE, Epoch::NONE, None);
        let append = Append { number: 1, code, epoch, version, accounts_version, change };
        self.told.push(format!("{} {append:?} by {by:?}, who is no node", self.model.now_ms));
        let asker = ordered_log::Asker { server: self.server, connection: 0 };
        let wanted = self.model.change_account(by, &append, asker);
        let tried = managing::read_tried(self.ask(&managing::change_command(&self.scripts.clone(), by, &append)));
        let (told, what) = match tried.expect("an answer") {
            Tried::Done => (Some(Verdict::Appended), "accounts"),
            Tried::Outdated => (Some(Verdict::Outdated), "outdated accounts"),
            Tried::NotYet => (None, "accounts not yet"),
        };
        assert_eq!(told, wanted, "{}", self.told.join("\n"));
        self.count(what);
    }

    fn change(&mut self, number: u64) -> Append {
        let letter = self.random.random_range(0..4usize);
        let code = RoomCode::parse(["BBBB", "CCCC", "DDDD", "FFFF"][letter]).expect("a code");
        let loaded = self.model.load_room(code);
        let is_right = self.random.random_ratio(9, 10);
        let change = self.what(loaded.as_ref(), letter);
        let effects = crate::journal::cluster::Effects::of(&change);
        let epoch = match &loaded {
            Some(loaded) if is_right && !effects.opens => loaded.room.snapshot.epoch,
            _ => Epoch::random(&mut self.random),
        };
        let version = match loaded {
            _ if effects.opens => None,
            Some(loaded) if is_right => Some(loaded.version),
            _ => Some(ProposalId { node: NodeId(1), number: 1 }),
        };
        let accounts_version = match self.random.random_ratio(9, 10) {
            true => self.model.load_but_rooms().accounts_version,
            false => None,
        };
        match effects.is_of_account {
            true => {
                let (code, epoch, version) = (RoomCode::NONE, Epoch::NONE, None);
                Append { number, code, epoch, version, accounts_version, change }
            }
            false => Append { number, code, epoch, version, accounts_version, change },
        }
    }

    fn what(&mut self, loaded: Option<&VersionedRoom>, letter: usize) -> Change {
        let time_ms = self.model.now_ms;
        let author = self.random.random_range(1..4);
        let event = |body| Event { id: 0, time_ms, name: name(author), via: Via::Web, author: AuthorId(author), body };
        let newcomer = |account| Newcomer {
            author: AuthorId(author),
            token: TokenHash::from_bytes([author as u8; 32]),
            name: name(author),
            via: Via::Line,
            account,
            becomes_operator: false,
        };
        let random = &mut self.random;
        let cid =
            random.random_ratio(1, 3).then(|| MessageKey::parse(&format!("c{}", random.random_range(0..6)))).flatten();
        let text =
            Text::clean(["hello there", "how are you?\nfine", "{}"][random.random_range(0..3)], 100).expect("a text");
        if loaded.is_none() && random.random_ratio(5, 6) {
            return match random.random_range(0..3) {
                0 => Change::Open { time_ms },
                1 => Change::Place { opens: true, newcomer: newcomer(None), returns: false, time_ms },
                _ => Change::Enter {
                    opens: true,
                    takes_place: Some(TokenHash::from_bytes([7; 32])),
                    account: None,
                    returns: false,
                    becomes_operator: true,
                    event: event(Body::Enter),
                },
            };
        }
        // Of a message, most of the time one that is kept; what is no message is amended by nobody.
        let kept = loaded.map_or(Vec::new(), |loaded| self.kept_events(&loaded.room.snapshot));
        let messages: Vec<u64> = kept.iter().filter(|(_, is_message)| *is_message).map(|(id, _)| *id).collect();
        let random = &mut self.random;
        let any = random.random_range(1..60);
        let of = match random.random_ratio(1, 10) {
            true if kept.contains(&(any, false)) => NEVER,
            true => any,
            false => messages.choose(random).copied().unwrap_or(NEVER),
        };
        let publish = |body| Change::Publish { event: event(body) };
        match random.random_range(0..40) {
            0..14 => publish(Body::Message { kind: Kind::Say, text, cid, annotations: None }),
            14..18 => publish(Body::Edit { of, text: Some(text), cid }),
            18..22 => {
                let emoji = Emoji::parse(["👍", "🎉"][random.random_range(0..2)]).expect("an emoji");
                publish(Body::Reaction { of, emoji, on: random.random_ratio(2, 3), quote: None })
            }
            22..24 => publish(Body::Delete { of, of_whom: None }),
            24 => {
                let file = SharedFile {
                    id: FileId::random(random),
                    name: FileName::clean("a picture.png"),
                    size_bytes: 5,
                    file_type: FileType::Png,
                    dimensions: None,
                };
                let annotations = Annotations { file: Some(file), ..Annotations::default() }.boxed();
                publish(Body::Message { kind: Kind::Me, text, cid, annotations })
            }
            25 => publish(Body::Nick { to: name(author + 10) }),
            26..28 => Change::Reconnect { author: AuthorId(author), via: Via::Web },
            28 => {
                Change::Vacate { author: AuthorId(author), event: Some(event(Body::Part)), may_return: true, time_ms }
            }
            29 => Change::Vacate { author: AuthorId(author), event: None, may_return: false, time_ms },
            30 => Change::Place { opens: letter == 3, newcomer: newcomer(Some(AccountId(3))), returns: true, time_ms },
            31 => Change::Moderate(Box::new(Measure {
                event: event(Body::Topic { text: Some(text) }),
                target: None,
                ban: None,
                key: None,
                as_admin: None,
            })),
            32 => Change::Moderate(Box::new(Measure {
                event: event(Body::Delete { of, of_whom: Some(name(9)) }),
                target: Some(AuthorId(9)),
                ban: None,
                key: None,
                as_admin: Some(AccountId(3)),
            })),
            33 => Change::Identify { author: AuthorId(author), account: AccountId(3), token: None },
            34 if random.random_ratio(1, 2) => Change::End,
            _ => self.account_change(loaded, AuthorId(author)),
        }
    }

    fn account_change(&mut self, loaded: Option<&VersionedRoom>, bearer: AuthorId) -> Change {
        let random = &mut self.random;
        let account = AccountId(random.random_range(1..4));
        let action = match random.random_range(0..5) {
            0..2 => AccountAction::Add {
                name: name(account.0 as u32 + 20),
                hash: random.random_ratio(1, 2).then(|| PasswordHash::new("$argon2id$x")),
            },
            2 => AccountAction::SetPassword(PasswordHash::new("$argon2id$y")),
            3 => AccountAction::Remove,
            _ => AccountAction::Nothing,
        };
        let bearers = loaded.map(|loaded| (loaded.room.snapshot.epoch, bearer)).into_iter().collect();
        // The model lists a name twice that is claimed twice.
        let is_known = self.model.load_but_rooms().accounts.iter().any(|known| known.account == account);
        let action = match action {
            AccountAction::Add { .. } if is_known => AccountAction::Remove,
            action => action,
        };
        Change::Account(Box::new(AccountChange { account, action, bearers, request: None }))
    }

    /// The ids of events that are kept, and whether each is a message, a deleted one included.
    fn kept_events(&mut self, room: &StoredRoom) -> Vec<(u64, bool)> {
        let wanted = Wanted::Events { first_id: 1, last_id: 10_000 };
        let page = self.model_page(&ReadRequest { code: room.code, epoch: room.epoch, wanted }).expect("it is there");
        let is_message = |event: &Event| matches!(event.body, Body::Message { .. } | Body::Deleted { .. });
        page.events.iter().map(|event| (event.id, is_message(event))).collect()
    }

    fn model_page(&mut self, request: &ReadRequest) -> Option<Page> {
        let asker = ordered_log::Asker { server: self.server, connection: 0 };
        match self.model.answer(&Request::Read(request.clone()), asker) {
            Some(Response::Read { page, .. }) => page,
            other => panic!("{other:?}"),
        }
    }

    // ---- what is read

    fn follow(&mut self, place: usize) {
        let after = self.nodes[place].last.map_or(Position::default(), |(position, _)| position);
        let mut command = cmd("XREAD");
        command.arg("STREAMS").arg("{snugd}:log").arg(after.to_string());
        let value = self.ask(&command);
        let (told, _) = entries::read_entries(value, NodeId(0)).expect("entries");
        if let Some(wanted) = self.model.entries_after(after, usize::MAX) {
            assert_eq!(told, wanted, "{}", self.told.join("\n"));
            if let Some(last) = wanted.last() {
                self.nodes[place].last = Some((last.position, last.by));
            }
        }
    }

    fn read(&mut self) {
        self.compare_loaded();
        let codes = self.model.codes();
        let Some(room) = codes.choose(&mut self.random).and_then(|code| self.model.load_room(*code)) else { return };
        let StoredRoom { code, epoch, last_id, .. } = room.room.snapshot;
        let first_id = self.random.random_range(1..=last_id.max(1));
        let last_id = self.random.random_range(first_id..=last_id.max(first_id) + 2);
        let key = MessageKey::parse(&format!("c{}", self.random.random_range(0..6))).expect("a key");
        let message = (AuthorId(self.random.random_range(1..4)), key);
        let wanted = match self.random.random_range(0..5) {
            0..2 => Wanted::Events { first_id, last_id },
            2 => Wanted::Messages(vec![message, (AuthorId(1), MessageKey::parse("other").expect("a key"))]),
            3 => Wanted::EventsAndMessage { first_id, last_id, message },
            _ => {
                let query = SearchQuery::parse(["hello", "fine", "picture"][self.random.random_range(0..3)]);
                let limit = self.random.random_range(1..10);
                Wanted::Search { query: query.expect("a query"), first_id, before: last_id, limit }
            }
        };
        // Some have not heard that the room goes on under another.
        let is_former = self.random.random_ratio(1, 10);
        let epoch = if is_former { ordered_log::epoch_in(Generation(u64::MAX), epoch) } else { epoch };
        let request = ReadRequest { code, epoch, wanted };
        let wanted = self.model_page(&request);
        let told = reading::read(&mut self.connection, &request).expect("it can be asked");
        assert_eq!(told.is_none(), is_former);
        assert_eq!(told, wanted, "{request:?}\n{}", self.told.join("\n"));
        self.count(if is_former { "former epochs" } else { "pages" });
    }

    /// The server that keeps the log, as whoever loads knows it.
    fn standing(&mut self) -> Option<Standing> {
        let server = self.ask(cmd("HGET").arg("{snugd}:meta").arg("server"));
        let Value::BulkString(server) = server else { return None };
        let server = String::from_utf8(server).expect("text");
        Some(Standing { server, ..Standing::default() })
    }

    fn compare_loaded(&mut self) {
        let Some(standing) = self.standing() else { return };
        let told = loading::load(&mut self.connection, &self.scripts, &standing).expect("everything");
        self.compare_with(told, self.model.load());
        self.count("loaded");
    }

    /// Everything goes on while rooms are loaded.
    fn load_meanwhile(&mut self) {
        let Some(standing) = self.standing() else { return };
        let (scripts, server) = (self.scripts.clone(), self.server);
        let mut loading = Loading::begin(&mut self.connection, &scripts, &standing).expect("a beginning");
        self.go_on();
        loading.load_rooms(&mut self.connection, &scripts).expect("rooms");
        self.go_on();
        // Over this connection it goes on with another server.
        if self.server != server {
            return;
        }
        match loading.end(&mut self.connection, &scripts).expect("an end") {
            Some(mut told) => {
                let mut wanted = self.model.load();
                [&mut told, &mut wanted].into_iter().for_each(forget_what_was_said);
                self.compare_with(told, wanted);
                self.count("loaded meanwhile");
            }
            None => self.count("loaded in vain"),
        }
    }

    /// Without snapshots: what was loaded behind an older one is the same room in other words. And everybody keeps as many
    /// events.
    fn go_on(&mut self) {
        self.is_loading = true;
        for _ in 0..self.random.random_range(0..12) {
            self.step_but_loading();
        }
        self.is_loading = false;
    }

    fn compare_with(&mut self, mut told: Loaded, mut wanted: Loaded) {
        told.rooms.sort_by_key(|room| room.room.snapshot.code);
        told.nodes.sort();
        told.accounts.sort_by_key(|account| account.account);
        wanted.accounts.sort_by_key(|account| account.account);
        [&mut told, &mut wanted].into_iter().for_each(forget_former_rooms);
        let (told_rooms, wanted_rooms) = (std::mem::take(&mut told.rooms), std::mem::take(&mut wanted.rooms));
        assert_eq!(told, wanted, "{}", self.told.join("\n"));
        assert_eq!(told_rooms.len(), wanted_rooms.len(), "{}", self.told.join("\n"));
        for (told, wanted) in told_rooms.iter().zip(&wanted_rooms) {
            assert_eq!(told, wanted, "{}", self.told.join("\n"));
        }
    }

    // ---- servers

    fn keys(&mut self) -> Vec<Vec<u8>> {
        let keys = self.ask(cmd("KEYS").arg("{snugd}:*"));
        let Value::Array(keys) = keys else { panic!("{keys:?}") };
        keys.into_iter().map(|key| super::super::faults::bytes(key).expect("a key")).collect()
    }

    /// A replica has all there is.
    fn copy(&mut self) {
        let mut copy = Copy::new();
        for key in self.keys() {
            let value = self.ask(cmd("DUMP").arg(&key));
            copy.insert(key, super::super::faults::bytes(value).expect("a value"));
        }
        self.replica = Some((self.model.clone(), copy));
    }

    /// Another server keeps the log, as it is or as it was.
    fn fail_over(&mut self) {
        let replica = self.replica.take_if(|_| self.random.random_ratio(1, 2));
        self.fail_over_to(replica);
    }

    fn fail_over_to(&mut self, replica: Option<(OrderedLog, Copy)>) {
        self.told.push("fail over".to_owned());
        self.server += 1;
        self.ask(cmd("DEBUG").arg("CHANGE-REPL-ID"));
        let now_ms = self.model.now_ms;
        let Some((model, copy)) = replica else { return };
        self.told.push("what came last is lost".to_owned());
        self.model = model;
        self.model.now_ms = now_ms;
        self.ask(&cmd("FLUSHALL"));
        for (key, value) in copy {
            self.ask(cmd("RESTORE").arg(key).arg(0).arg(value));
        }
        self.set_clock();
        self.count("losses");
    }
}

/// Who bore an account's name in a room that is over concerns nobody.
fn forget_former_rooms(loaded: &mut Loaded) {
    let known: Vec<Epoch> = loaded.rooms.iter().map(|room| room.room.snapshot.epoch).collect();
    for (_, change) in loaded.rooms.iter_mut().flat_map(|room| &mut room.room.changes) {
        if let Change::Account(account) = change {
            account.bearers.retain(|(epoch, _)| known.contains(epoch));
        }
    }
}

/// What came in while it was loaded has its texts and files still, which change no room.
fn forget_what_was_said(loaded: &mut Loaded) {
    let changes = loaded.rooms.iter_mut().flat_map(|room| &mut room.room.changes);
    for event in changes.filter_map(|(_, change)| change.event_mut()) {
        if let Body::Message { kind, cid, .. } = &mut event.body {
            event.body = Body::Deleted { kind: *kind, cid: cid.take() };
        }
    }
}

#[test]
fn what_one_server_has_begun_anew_no_other_begins_again() {
    let server = Server::start_with(&["--appendonly", "no"]);
    let mut comparison = Comparison::new(server.connect(), 0);
    comparison.add_node();
    comparison.tell(0);
    comparison.copy();
    let replica = comparison.replica.clone();
    let mut generations = vec![comparison.nodes[0].generation];
    for _ in 0..3 {
        comparison.model.now_ms += 1000;
        comparison.set_clock();
        comparison.tell(0);
        comparison.follow(0);
        comparison.fail_over_to(replica.clone());
        comparison.attach(0);
        generations.push(comparison.nodes[0].generation);
    }
    assert!(generations.windows(2).all(|pair| pair[0].0 < pair[1].0), "{generations:?}");
}

#[test]
fn the_scripts_answer_as_the_model_does() {
    let histories = std::env::var("SNUGD_LOG_HISTORIES").ok().and_then(|count| count.parse().ok());
    let server = Server::start_with(&["--appendonly", "no"]);
    let mut counts = BTreeMap::new();
    for seed in 0..histories.unwrap_or(HISTORIES) {
        let mut comparison = Comparison::new(server.connect(), seed);
        comparison.told.push(format!("seed {seed}"));
        for _ in 0..STEPS {
            comparison.step();
        }
        comparison.compare_loaded();
        for (what, count) in comparison.counts {
            *counts.entry(what).or_default() += count;
        }
    }
    println!("{counts:?}");
    let mut often = |what: &str, least: usize| {
        let count = counts.remove(what).unwrap_or(0);
        assert!(count >= least, "{what}: {count}");
    };
    for what in ["appended", "outdated", "duplicate", "no such event", "refused", "replaced", "not yet"] {
        often(what, 10);
    }
    often("given up", 1);
    for what in
        ["snapshots", "pages", "loaded", "loaded meanwhile", "losses", "other history", "renewed", "renewed in vain"]
    {
        often(what, 3);
    }
    for what in ["accounts", "outdated accounts", "accounts not yet"] {
        often(what, 3);
    }
}
