//! The rules of the chat, told by commands and replies.

mod accounts;
mod amending;
mod moderation;
mod shared;
mod sharing;

use rand::SeedableRng;

use super::*;

mod searching;

/// Encodes an event as one short word and a space.
struct Words {
    echoes: bool,
}

impl Encoder for Words {
    fn encode_event(&self, _room: &RoomCode, event: &Event, out: &mut Vec<u8>) {
        let word = match &event.body {
            Body::Message { text, .. } => format!("{}:{}", event.name, text.as_str()),
            Body::Enter => format!("+{}", event.name),
            Body::Part => format!("-{}", event.name),
            Body::Nick { to } => format!("{}={to}", event.name),
            Body::Deleted { .. } => format!("{}:", event.name),
            Body::Edit { of, text, .. } => format!("{}~{of}:{}", event.name, text.as_ref().map_or("", Text::as_str)),
            Body::Delete { of, .. } => format!("{}x{of}", event.name),
            Body::Reaction { of, emoji, on, .. } => {
                format!("{}{}{}{of}", event.name, if *on { "!" } else { "?" }, emoji.as_str())
            }
            Body::Topic { text } => format!("{}#{}", event.name, text.as_ref().map_or("", Text::as_str)),
            Body::Mode { change } => format!("{}!{}", event.name, change.to_text()),
            Body::Kick { name, .. } => format!("{}>{name}", event.name),
        };
        out.extend_from_slice(format!("{}{word} ", event.id).as_bytes());
    }

    fn encode_typing(&self, _room: &RoomCode, name: &Name, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("{name}… ").as_bytes());
    }

    fn echoes(&self) -> bool {
        self.echoes
    }
}

/// Where everything that is sent goes, one string a connection.
#[derive(Default)]
struct Sent {
    sent: Vec<String>,
    /// Where connections come from, of some.
    addresses: HashMap<u64, Address>,
}

impl Delivery for Sent {
    fn write(&mut self, connection: ConnectionId, parts: &[&[u8]]) -> usize {
        parts.iter().for_each(|part| self.queue(connection, part));
        parts.iter().map(|part| part.len()).sum()
    }

    fn queue(&mut self, connection: ConnectionId, entry: &[u8]) {
        self.sent[connection.0 as usize].push_str(&String::from_utf8_lossy(entry));
    }

    fn address_of(&self, connection: ConnectionId) -> Option<Address> {
        self.addresses.get(&connection.0).copied()
    }
}

const ECHOING: EncoderId = EncoderId(0);
const SILENT: EncoderId = EncoderId(1);

/// Connections, what each was answered, and what each was sent from the log.
struct House {
    rooms: Rooms,
    now: Now,
    /// From where whoever asks next comes.
    address: [u8; 4],
    memberships: Vec<Vec<Membership>>,
    /// The secret that each was last told.
    tokens: Vec<Option<Token>>,
    replies: Vec<Vec<Reply>>,
    sent: Sent,
}

impl House {
    fn new(limits: Limits) -> House {
        let encoders: Vec<Box<dyn Encoder>> = vec![Box::new(Words { echoes: true }), Box::new(Words { echoes: false })];
        let random = StdRng::seed_from_u64(7);
        let now = Now { steady_ms: 1_000_000, wall_ms: 1_700_000_000_000 };
        let rooms = Rooms::new(limits, encoders, random);
        let (address, memberships, tokens, replies) = ([127, 0, 0, 1], Vec::new(), Vec::new(), Vec::new());
        House { rooms, now, address, memberships, tokens, replies, sent: Sent::default() }
    }

    fn connect(&mut self) -> usize {
        self.memberships.push(Vec::new());
        self.tokens.push(None);
        self.replies.push(Vec::new());
        self.sent.sent.push(String::new());
        self.memberships.len() - 1
    }

    fn execute_on(&mut self, connection: usize, encoder: EncoderId, command: Command) {
        self.propose_on(connection, encoder, command);
        self.settle();
    }

    /// Executes a command; what it proposes is not committed yet.
    fn propose_on(&mut self, connection: usize, encoder: EncoderId, command: Command) {
        let caller = Caller {
            connection: ConnectionId(connection as u64),
            address: Address::from(core::net::IpAddr::from(self.address)),
            via: Via::Web,
            encoder,
        };
        let memberships = self.memberships[connection].clone();
        let execution = self.rooms.execute(&caller, &memberships, command, self.now, &mut self.sent);
        assert_eq!(execution, Execution::Done, "memory holds everything");
    }

    /// The journal numbers events, as the one in a file does, before it hands them back.
    fn commit_numbered(&mut self, proposals: Vec<Proposal>, mut last_id: u64) {
        for mut proposal in proposals {
            if let Some(event) = proposal.change.event_mut() {
                last_id += 1;
                event.id = last_id;
            }
            self.rooms.commit(proposal, self.now, &mut self.sent);
        }
        self.settle();
    }

    fn take_proposals(&mut self) -> Vec<Proposal> {
        std::iter::from_fn(|| self.rooms.take_proposal()).collect()
    }

    fn execute(&mut self, connection: usize, command: Command) {
        self.execute_on(connection, ECHOING, command);
    }

    fn execute_in(&mut self, connection: usize, command: RoomCommand) {
        self.execute(connection, Command::In(RoomRef::Only, command));
    }

    /// The journal commits everything that is proposed.
    fn settle(&mut self) {
        self.settle_noting(&mut Vec::new());
    }

    /// The same, and notes what was committed.
    fn settle_noting(&mut self, committed: &mut Vec<(RoomCode, Epoch, Change)>) {
        loop {
            while let Some(proposal) = self.rooms.take_proposal() {
                committed.push((proposal.code, proposal.epoch, proposal.change.clone()));
                self.rooms.commit(proposal, self.now, &mut self.sent);
            }
            while self.rooms.is_searching() {
                self.rooms.continue_search();
            }
            let Some((connection, reply)) = self.rooms.take_reply() else { break };
            let connection = connection.0 as usize;
            let memberships = &mut self.memberships[connection];
            match reply {
                Reply::Joined { membership, stays_elsewhere, token, .. } => {
                    memberships.retain(|_| stays_elsewhere);
                    memberships.push(membership);
                    self.tokens[connection] = Some(token);
                }
                Reply::TakenOver { membership }
                | Reply::PlaceLost { membership }
                | Reply::SessionEnded { membership }
                | Reply::Left { membership, .. }
                | Reply::Kicked { membership, .. } => {
                    memberships.retain(|other| *other != membership);
                }
                _ => (),
            }
            self.replies[connection].push(reply);
        }
    }

    /// Flushes everything; returns what each connection was sent since the last time.
    fn flush(&mut self) -> Vec<String> {
        let (mut dirty, mut slow) = (Vec::new(), Vec::new());
        self.rooms.take_dirty(&mut dirty);
        for room in dirty {
            self.rooms.flush(room, usize::MAX, usize::MAX, &mut self.sent, &mut slow);
        }
        self.sent.sent.iter_mut().map(std::mem::take).collect()
    }

    fn pass(&mut self, time_ms: u64) {
        self.now.steady_ms += time_ms;
        self.now.wall_ms += time_ms;
        self.rooms.expire(self.now);
        self.settle();
    }

    fn last_reply(&self, connection: usize) -> &Reply {
        self.replies[connection].last().expect("an answer")
    }

    fn refusal(&self, connection: usize) -> &Refusal {
        match self.last_reply(connection) {
            Reply::Refused { refusal, .. } => refusal,
            other => panic!("not a refusal: {other:?}"),
        }
    }

    fn membership(&self, connection: usize) -> Membership {
        *self.memberships[connection].last().expect("a member")
    }

    fn code(&self, connection: usize) -> RoomCode {
        self.rooms.room(self.membership(connection).room).code()
    }

    fn token(&self, connection: usize) -> Token {
        self.tokens[connection].expect("a member")
    }

    /// A new connection that has joined.
    fn join(&mut self, target: JoinTarget, name: &str) -> usize {
        let connection = self.connect();
        self.execute(connection, join(target, Some(name), None));
        connection
    }

    fn drop_connection(&mut self, connection: usize) {
        let membership = self.memberships[connection].pop().expect("a member");
        self.rooms.disconnect(ConnectionId(connection as u64), membership, self.now);
        self.settle();
    }
}

fn join(target: JoinTarget, name: Option<&str>, token: Option<Token>) -> Command {
    let name = name.map(|name| Name::parse(name).expect("a name"));
    let (stays_elsewhere, keeps_name, since, epoch) = (false, false, None, None);
    Command::Join(Box::new(Join { target, stays_elsewhere, name, keeps_name, token, since, epoch, key: None }))
}

fn say(text: &str, cid: Option<&str>) -> Command {
    let text = Text::clean(text, 4096).expect("text");
    Command::In(
        RoomRef::Only,
        RoomCommand::Say { kind: Kind::Say, text, cid: cid.and_then(MessageKey::parse), reply_to: None },
    )
}

fn house() -> House {
    House::new(Limits { create_rate: 0, join_rate: 0, ..Limits::default() })
}

#[test]
fn everybody_is_sent_everything_once_in_one_order() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let code = house.code(ana);
    let ben = house.join(JoinTarget::Code(code), "ben");
    house.execute(ana, say("hi", None));
    house.execute(ben, say("ho", None));
    let sent = house.flush();
    assert_eq!(sent[ana], "2+ben 3ana:hi 4ben:ho ");
    assert_eq!(sent[ben], "3ana:hi 4ben:ho ");
    assert_eq!(house.flush(), ["", ""]);
}

#[test]
fn a_crowd_is_told_together_of_many_who_come() {
    let mut house = house();
    house.rooms.set_crowd(3);
    let ana = house.join(JoinTarget::New, "ana");
    let code = house.code(ana);
    house.join(JoinTarget::Code(code), "ben");
    assert_eq!(house.flush()[ana], "2+ben ");
    for name in ["cat", "dan", "eve"] {
        house.join(JoinTarget::Code(code), name);
        assert_eq!(house.flush()[ana], "");
    }
    house.pass(house.rooms.next_deadline_ms().expect("somebody to be told of") - house.now.steady_ms);
    assert_eq!(house.flush()[ana], "3+cat 4+dan 5+eve ");

    let fay = house.join(JoinTarget::Code(code), "fay");
    house.execute(fay, say("hi", None));
    assert_eq!(house.flush()[ana], "6+fay 7fay:hi ", "a message waits for nothing");
    house.pass(50);
    house.pass(60_000);
    assert_eq!(house.flush()[ana], "");
    house.join(JoinTarget::Code(code), "gus");
    assert_eq!(house.flush()[ana], "8+gus ", "nor does who comes to a quiet room");
}

#[test]
fn crowds_of_all_rooms_together_cost_a_part_of_the_time() {
    let mut house = House::new(Limits { create_rate: 0, join_rate: 0, members: 0, ..Limits::default() });
    // A batch of each is worth 47 ms and a half.
    let hosts = ["ana", "ben"].map(|host| {
        let host = house.join(JoinTarget::New, host);
        let code = JoinTarget::Code(house.code(host));
        for number in 0..1500 {
            house.join(code, &format!("m{number}"));
        }
        (host, code)
    });
    house.flush();
    house.pass(10_000);
    house.flush();
    house.pass(10_000);
    let come = |house: &mut House, name: &str| hosts.map(|(_, code)| house.join(code, name));
    let told = |house: &mut House| {
        let sent = house.flush();
        hosts.map(|(host, _)| !sent[host].is_empty())
    };
    come(&mut house, "cat");
    assert_eq!(told(&mut house), [true, true], "both were quiet");
    come(&mut house, "dan");
    house.pass(60);
    assert_eq!(told(&mut house), [true, false], "the first one's batch is paid for, the second one's is not");
    house.pass(40);
    assert_eq!(told(&mut house), [false, true]);
}

#[test]
fn a_silent_encoder_leaves_out_what_its_member_said_and_nothing_else() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let ben = house.connect();
    house.execute_on(ben, SILENT, join(JoinTarget::Code(house.code(ana)), Some("ben"), None));
    house.execute(ana, say("one", None));
    house.execute_on(ben, SILENT, say("two", None));
    house.execute(ana, say("three", None));
    house.execute_on(ben, SILENT, say("four", None));
    let sent = house.flush();
    assert_eq!(sent[ben], "3ana:one 5ana:three ");
    assert_eq!(sent[ana], "2+ben 3ana:one 4ben:two 5ana:three 6ben:four ");
}

#[test]
fn joining_tells_what_was_said_before_and_no_more_twice() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    for number in 0..60 {
        house.execute(ana, say(&number.to_string(), None));
    }
    house.flush();
    let ben = house.join(JoinTarget::Code(house.code(ana)), "ben");
    match house.last_reply(ben) {
        Reply::Joined { last, events, gap, created, .. } => {
            assert_eq!((*last, events.len(), *gap, *created), (62, EVENTS_ON_JOIN, false, false));
            assert_eq!(events.last().map(|event| event.id), Some(62));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(house.flush()[ben], "");
}

#[test]
fn names_are_unique_in_their_room_only() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let twin = house.join(JoinTarget::Code(house.code(ana)), "аNA");
    assert!(matches!(house.refusal(twin), Refusal::NameTaken { .. }));
    assert_eq!(house.memberships[twin], []);
    let elsewhere = house.join(JoinTarget::New, "ana");
    assert!(matches!(house.last_reply(elsewhere), Reply::Joined { .. }));
}

#[test]
fn a_drop_within_the_grace_makes_no_noise() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let code = house.code(ana);
    let ben = house.join(JoinTarget::Code(code), "ben");
    let token = house.token(ben);
    house.flush();
    house.drop_connection(ben);
    house.pass(14_999);
    let again = house.connect();
    house.execute(again, join(JoinTarget::Code(code), None, Some(token)));
    house.pass(60_000);
    house.execute(ana, say("hi", None));
    let sent = house.flush();
    assert_eq!(sent[ana], "3ana:hi ");
    assert_eq!(sent[again], "3ana:hi ");
}

#[test]
fn a_place_is_not_given_up_while_its_member_comes_back() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let (code, token, here) = (house.code(ana), house.token(ana), house.membership(ana));
    house.drop_connection(ana);
    house.pass(14_000);
    let again = house.connect();
    let caller = Caller {
        connection: ConnectionId(again as u64),
        address: Address::from(core::net::IpAddr::from([127, 0, 0, 1])),
        via: Via::Line,
        encoder: ECHOING,
    };
    let command = join(JoinTarget::Code(code), None, Some(token));
    let execution = house.rooms.execute(&caller, &[], command, house.now, &mut house.sent);
    assert_eq!(execution, Execution::Done);
    // The journal is at work on it for longer than the grace lasts.
    house.now.steady_ms += 60_000;
    house.rooms.expire(house.now);
    house.settle();
    assert!(matches!(house.last_reply(again), Reply::Joined { .. }), "{:?}", house.last_reply(again));
    assert!(house.rooms.room(here.room).member(here.author).is_some(), "it has its place");
}

#[test]
fn a_place_is_kept_while_its_member_waits_behind_another_change() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let (code, token, here) = (house.code(ana), house.token(ana), house.membership(ana));
    let nick = RoomCommand::Nick(Name::parse("ann").expect("a name"));
    house.propose_on(ana, ECHOING, Command::In(RoomRef::Only, nick));
    house.rooms.disconnect(ConnectionId(ana as u64), here, house.now);
    let again = house.connect();
    house.propose_on(again, ECHOING, join(JoinTarget::Code(code), None, Some(token)));
    let [renaming, coming] = <[Proposal; 2]>::try_from(house.take_proposals()).expect("two changes");
    house.rooms.commit(renaming, house.now, &mut house.sent);
    house.now.steady_ms += 60_000;
    house.rooms.expire(house.now);
    house.rooms.commit(coming, house.now, &mut house.sent);
    house.settle();
    assert!(matches!(house.last_reply(again), Reply::Joined { .. }), "{:?}", house.last_reply(again));
    assert!(house.rooms.room(here.room).member(here.author).is_some(), "it has its place");
}

#[test]
fn nobody_is_let_into_a_place_that_is_about_to_be_given_up() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let (code, token, here) = (house.code(ana), house.token(ana), house.membership(ana));
    house.rooms.disconnect(ConnectionId(ana as u64), here, house.now);
    house.now.steady_ms += 60_000;
    house.rooms.expire(house.now);
    let [first, second] = [house.connect(), house.connect()];
    for connection in [first, second] {
        house.propose_on(connection, ECHOING, join(JoinTarget::Code(code), None, Some(token)));
    }
    let [parting, coming, mut behind] =
        <[Proposal; 3]>::try_from(house.take_proposals()).expect("she parts, comes back, and once more");
    house.rooms.refuse(coming, house.now);
    let early = behind.take_early().expect("somebody waits for it");
    house.rooms.commit(early, house.now, &mut house.sent);
    house.rooms.commit(parting, house.now, &mut house.sent);
    house.settle();
    for connection in [first, second] {
        let reply = house.last_reply(connection);
        assert!(matches!(reply, Reply::Refused { refusal: Refusal::StorageFailed, .. }), "{reply:?}");
    }
}

#[test]
fn after_the_grace_the_member_parts_and_its_token_still_brings_it_back() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let code = house.code(ana);
    let ben = house.join(JoinTarget::Code(code), "ben");
    let token = house.token(ben);
    house.flush();
    house.drop_connection(ben);
    let early = house.join(JoinTarget::Code(code), "ben");
    assert!(matches!(house.refusal(early), Refusal::NameTaken { .. }));
    house.pass(15_000);
    assert_eq!(house.flush()[ana], "3-ben ");
    let again = house.connect();
    house.execute(again, join(JoinTarget::Code(code), None, Some(token)));
    assert_eq!(house.flush()[ana], "4+ben ");
    assert_eq!(house.token(again), token);
}

#[test]
fn the_token_takes_over_a_connection_that_is_not_known_dead() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let code = house.code(ana);
    let token = house.token(ana);
    house.flush();
    let again = house.connect();
    house.execute(again, join(JoinTarget::Code(code), Some("somebody else"), Some(token)));
    assert!(matches!(house.last_reply(ana), Reply::TakenOver { .. }));
    house.execute(again, say("still me", None));
    let sent = house.flush();
    assert_eq!((sent[ana].as_str(), sent[again].as_str()), ("", "2ana:still me "));
}

#[test]
fn who_left_by_word_has_to_come_anew() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let code = house.code(ana);
    let token = house.token(ana);
    let (membership, name) = (house.membership(ana), Name::parse("ana").expect("a name"));
    house.execute_in(ana, RoomCommand::Leave);
    assert_eq!(house.last_reply(ana), &Reply::Left { membership, code, name });
    house.execute(ana, join(JoinTarget::Code(code), None, Some(token)));
    assert_eq!(house.refusal(ana), &Refusal::NameRequired);
}

#[test]
fn what_is_not_yet_sent_comes_before_the_goodbye() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    house.flush();
    house.execute(ana, say("last words", None));
    house.execute_in(ana, RoomCommand::Leave);
    assert_eq!(house.flush()[ana], "2ana:last words ");
}

#[test]
fn joining_another_room_leaves_the_first() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let first = house.code(ana);
    let ben = house.join(JoinTarget::Code(first), "ben");
    house.flush();
    house.execute(ben, join(JoinTarget::New, Some("ben"), None));
    assert_eq!(house.flush()[ana], "3-ben ");
    assert_ne!(house.code(ben), first);
}

#[test]
fn joining_the_same_room_again_changes_nothing() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let ben = house.join(JoinTarget::Code(house.code(ana)), "ben");
    house.flush();
    house.execute(ben, join(JoinTarget::Code(house.code(ana)), Some("Ben"), None));
    assert!(matches!(house.last_reply(ben), Reply::Joined { .. }));
    house.execute(ana, say("hi", None));
    let sent = house.flush();
    assert_eq!((sent[ana].as_str(), sent[ben].as_str()), ("3ana:hi ", "3ana:hi "));
}

#[test]
fn an_empty_room_lives_its_time_and_ends() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let code = house.code(ana);
    house.execute_in(ana, RoomCommand::Leave);
    house.pass(3_599_999);
    let ben = house.join(JoinTarget::Code(code), "ben");
    assert!(matches!(house.last_reply(ben), Reply::Joined { .. }));
    house.pass(10_000_000);
    assert_eq!(house.rooms.counts().rooms, 1);
    house.drop_connection(ben);
    house.pass(15_000);
    house.pass(3_600_000);
    assert_eq!(house.rooms.counts().rooms, 0);
    let late = house.join(JoinTarget::Code(code), "cat");
    assert_eq!(house.refusal(late), &Refusal::NoSuchRoom { code });
}

#[test]
fn a_room_is_made_under_its_old_code_when_asked_for() {
    let mut house = house();
    let code = RoomCode::parse("KXQT").expect("a code");
    let token = Token::parse(&"7".repeat(32)).expect("a token");
    let ana = house.connect();
    house.execute(ana, join(JoinTarget::CodeOrNew(code), None, Some(token)));
    assert_eq!(house.refusal(ana), &Refusal::NameRequired);
    assert_eq!(house.rooms.counts().rooms, 0);
    house.execute(ana, join(JoinTarget::CodeOrNew(code), Some("ana"), Some(token)));
    assert!(matches!(house.last_reply(ana), Reply::Joined { created: true, .. }));
    assert_eq!((house.code(ana), house.token(ana)), (code, token));
    let ben = house.join(JoinTarget::CodeOrNew(code), "ben");
    assert!(matches!(house.last_reply(ben), Reply::Joined { created: false, .. }));
}

#[test]
fn a_repeated_cid_is_said_once_even_after_coming_back() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let (code, token) = (house.code(ana), house.token(ana));
    house.execute(ana, say("hi", Some("c1")));
    house.drop_connection(ana);
    house.pass(20_000);
    let again = house.connect();
    house.execute(again, join(JoinTarget::Code(code), None, Some(token)));
    house.execute(again, say("hi", Some("c1")));
    let cid = MessageKey::parse("c1").expect("an id");
    assert_eq!(house.last_reply(again), &Reply::AlreadySaid { cid, id: 2 });
    let ben = house.join(JoinTarget::Code(code), "ben");
    house.execute(ben, say("mine", Some("c1")));
    assert!(house.flush()[again].ends_with("6ben:mine "), "another member's id is its own");
}

#[test]
fn a_member_that_comes_back_says_nothing_twice_however_much_others_have_said() {
    let mut house = House::new(Limits { history_events: 10, create_rate: 0, ..Limits::default() });
    let ana = house.join(JoinTarget::New, "ana");
    let (code, token) = (house.code(ana), house.token(ana));
    let ben = house.join(JoinTarget::Code(code), "ben");
    house.execute(ana, say("hi", Some("c1")));
    house.drop_connection(ana);
    house.pass(Limits::default().grace_ms);
    // Each time another part of what was said is on its way out of memory.
    for number in 0..200 {
        house.execute(ben, say(&number.to_string(), Some(&number.to_string())));
        let again = house.connect();
        house.execute(again, join(JoinTarget::Code(code), None, Some(token)));
        house.execute(again, say("hi", Some("c1")));
        let cid = MessageKey::parse("c1").expect("an id");
        assert_eq!(house.last_reply(again), &Reply::AlreadySaid { cid, id: 3 }, "{number}");
    }
    assert_eq!(house.rooms.counts().messages(), 201);
    // Who was never away has nothing to say again, and what is too old is new.
    house.execute(ben, say("0", Some("0")));
    assert_eq!(house.rooms.counts().messages(), 202);
}

#[test]
fn who_comes_back_by_the_form_says_nothing_twice_either() {
    let mut house = House::new(Limits { history_events: 10, create_rate: 0, ..Limits::default() });
    let ana = house.join(JoinTarget::New, "ana");
    let (code, token) = (house.code(ana), house.token(ana));
    let ben = house.join(JoinTarget::Code(code), "ben");
    house.execute(ana, say("hi", Some("c1")));
    house.drop_connection(ana);
    house.pass(Limits::default().grace_ms);
    for _ in 0..200 {
        house.execute(ben, say("hello", None));
    }
    let form = house.connect();
    let (target, name) = (JoinTarget::Code(code), Name::parse("ana").expect("a name"));
    house.execute(form, Command::Reserve { target, name, token: Some(token), key: None });
    assert_eq!(house.last_reply(form), &Reply::Reserved { code, token });
    let page = house.connect();
    house.execute(page, join(target, None, Some(token)));
    house.execute(page, say("hi", Some("c1")));
    let cid = MessageKey::parse("c1").expect("an id");
    assert_eq!(house.last_reply(page), &Reply::AlreadySaid { cid, id: 3 });
}

#[test]
fn who_writes_its_name_another_way_in_the_form_is_still_the_same() {
    for pause_ms in [0, Limits::default().grace_ms] {
        let mut house = house();
        let ana = house.join(JoinTarget::New, "ana");
        let (code, token, here) = (house.code(ana), house.token(ana), house.membership(ana));
        house.join(JoinTarget::Code(code), "ben");
        house.drop_connection(ana);
        house.pass(pause_ms);
        let form = house.connect();
        let (target, name) = (JoinTarget::Code(code), Name::parse("Ana").expect("a name"));
        house.execute(form, Command::Reserve { target, name, token: Some(token), key: None });
        assert_eq!(house.last_reply(form), &Reply::Reserved { code, token }, "after {pause_ms} ms");
        let page = house.connect();
        house.execute(page, join(target, None, Some(token)));
        assert_eq!(house.membership(page), here);
    }
}

#[test]
fn what_is_remembered_of_members_is_bounded_and_goes_with_them() {
    let limits = Limits { history_events: 10, create_rate: 0, grace_ms: 0, ..Limits::default() };
    let mut house = House::new(limits.clone());
    let first = house.join(JoinTarget::New, "ana");
    let (code, room) = (house.code(first), house.membership(first).room);
    let bytes = |house: &House| house.rooms.room(room).state.history.memory_bytes();
    let talk = |house: &mut House, connection, count| {
        for number in 0..count {
            house.execute(connection, say("hello", Some(&number.to_string())));
        }
    };
    let ben = house.join(JoinTarget::Code(code), "ben");
    talk(&mut house, ben, 1000);
    let one_bytes = bytes(&house);
    talk(&mut house, ben, 1000);
    assert_eq!(bytes(&house), one_bytes, "no member takes more, however much it says");
    let silent: Vec<_> = (0..100).map(|number| house.join(JoinTarget::Code(code), &format!("eve {number}"))).collect();
    talk(&mut house, ben, 200);
    assert!(bytes(&house) <= one_bytes, "nobody who says nothing takes anything");
    for &connection in &silent {
        house.execute_in(connection, RoomCommand::Leave);
    }
    assert!(bytes(&house) <= one_bytes, "wherever it goes");
    // Those who are forgotten behind others leave nothing.
    let come_and_go = |house: &mut House, gone, go: &dyn Fn(&mut House, usize)| {
        for number in 0..gone {
            let gone = house.join(JoinTarget::Code(code), &format!("ida {number}"));
            talk(house, gone, 2);
            go(house, gone);
        }
        talk(house, ben, 200);
    };
    come_and_go(&mut house, 2 * MAX_LEFT, &|house, gone| house.execute_in(gone, RoomCommand::Leave));
    let most_bytes = one_bytes + MAX_LEFT * 200;
    assert!(bytes(&house) <= most_bytes, "{} of {most_bytes}", bytes(&house));
    come_and_go(&mut house, 2 * MAX_DEPARTED, &House::drop_connection);
    let most_bytes = most_bytes + MAX_DEPARTED * 200;
    assert!(bytes(&house) <= most_bytes, "{} of {most_bytes}", bytes(&house));
}

#[test]
fn who_left_for_good_has_nothing_but_its_number_and_says_nothing_twice() {
    let mut house = House::new(Limits { history_events: 10, create_rate: 0, ..Limits::default() });
    let ana = house.join(JoinTarget::New, "ana");
    let target = JoinTarget::Code(house.code(ana));
    let ben = house.join(target, "ben");
    let token = house.token(ana);
    house.execute(ana, say("hello", Some("a")));
    let said = house.rooms.room(house.membership(ana).room).last_id();
    house.execute_in(ana, RoomCommand::Leave);
    // However much is said meanwhile.
    for _ in 0..100 {
        house.execute(ben, say("so", None));
    }
    let again = house.connect();
    house.execute(again, join(target, None, Some(token)));
    assert_eq!(*house.refusal(again), Refusal::NameRequired);
    house.execute(again, join(target, Some("anna"), Some(token)));
    assert_eq!(house.membership(again).author, AuthorId(1));
    assert_eq!(house.operators(ben), ["ben"], "what it was is gone");
    house.flush();
    house.execute(again, say("hello", Some("a")));
    assert!(
        matches!(house.last_reply(again), Reply::AlreadySaid { id, .. } if *id == said),
        "{:?}",
        house.last_reply(again)
    );
    assert_eq!(house.flush()[ben], "");
    house.execute(again, say("hello", Some("b")));
    assert!(house.flush()[ben].ends_with("anna:hello "));
}

/// Two who come by the same secret before anything is committed are one.
#[test]
fn who_leaves_and_comes_again_before_that_is_committed_keeps_its_number() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let target = JoinTarget::Code(house.code(ana));
    house.join(target, "ben");
    let token = house.token(ana);
    house.propose_on(ana, ECHOING, Command::In(RoomRef::Only, RoomCommand::Leave));
    let again = house.connect();
    house.propose_on(again, ECHOING, join(target, Some("ana"), Some(token)));
    house.settle();
    assert_eq!(house.membership(again).author, AuthorId(1));
    assert_eq!(house.rooms.room(house.membership(again).room).member_count(), 2);
}

#[test]
fn since_tells_what_was_missed_and_what_is_gone() {
    let mut house = House::new(Limits { history_events: 10, create_rate: 0, ..Limits::default() });
    let ana = house.join(JoinTarget::New, "ana");
    let (code, token) = (house.code(ana), house.token(ana));
    let epoch = house.rooms.room(house.membership(ana).room).epoch();
    for number in 0..20 {
        house.execute(ana, say(&number.to_string(), None));
    }
    let mut missed = |since, epoch| {
        let again = house.connect();
        let (target, name, token) = (JoinTarget::Code(code), None, Some(token));
        let join = Join { target, stays_elsewhere: false, name, keeps_name: false, token, since, epoch, key: None };
        house.execute(again, Command::Join(Box::new(join)));
        match house.last_reply(again) {
            Reply::Joined { events, gap, .. } => (events.first().map_or(0, |event| event.id), events.len(), *gap),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(missed(Some(21), Some(epoch)), (0, 0, false));
    assert_eq!(missed(Some(15), Some(epoch)), (16, 6, false));
    assert_eq!(missed(Some(11), None), (12, 10, false));
    assert_eq!(missed(Some(10), Some(epoch)), (12, 10, true));
    assert_eq!(missed(Some(15), Epoch::parse("0123456789abcdef")), (12, 10, true));
    assert_eq!(missed(Some(22), Some(epoch)), (12, 10, true));
    assert_eq!(missed(None, None), (12, 10, false));
}

#[test]
fn history_is_given_in_pieces() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    for number in 0..9 {
        house.execute(ana, say(&number.to_string(), None));
    }
    let mut select = |since, before, limit| {
        house.execute_in(ana, RoomCommand::History(Span { since, before, limit }));
        match house.last_reply(ana) {
            Reply::History { events, more, .. } => (events.iter().map(|event| event.id).collect::<Vec<_>>(), *more),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(select(None, None, 3), (vec![8, 9, 10], true));
    assert_eq!(select(None, Some(4), 2), (vec![2, 3], true));
    assert_eq!(select(None, Some(3), 50), (vec![1, 2], false));
    assert_eq!(select(Some(2), None, 3), (vec![3, 4, 5], true));
    assert_eq!(select(Some(8), None, 3), (vec![9, 10], false));
    assert_eq!(select(Some(99), Some(1), 3), (vec![], false));
}

#[test]
fn nicks_are_events_and_free_the_old_name() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let ben = house.join(JoinTarget::Code(house.code(ana)), "ben");
    let name = |name| Name::parse(name).expect("a name");
    house.execute_in(ben, RoomCommand::Nick(name("Ana")));
    assert!(matches!(house.refusal(ben), Refusal::NameTaken { .. }));
    house.execute_in(ben, RoomCommand::Nick(name("BEN")));
    house.execute_in(ben, RoomCommand::Nick(name("BEN")));
    assert!(matches!(house.refusal(ben), Refusal::NameIsOwn { .. }));
    house.execute_in(ben, RoomCommand::Nick(name("cat")));
    assert_eq!(house.flush()[ana], "2+ben 3ben=BEN 4BEN=cat ");
    let other = house.join(JoinTarget::Code(house.code(ana)), "ben");
    assert!(matches!(house.last_reply(other), Reply::Joined { .. }));
}

#[test]
fn typing_is_passed_on_to_the_others_now_and_then() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let ben = house.join(JoinTarget::Code(house.code(ana)), "ben");
    house.flush();
    house.execute_in(ben, RoomCommand::Typing);
    house.execute_in(ben, RoomCommand::Typing);
    house.pass(2_999);
    house.execute_in(ben, RoomCommand::Typing);
    let sent = house.flush();
    assert_eq!((sent[ana].as_str(), sent[ben].as_str()), ("ben… ", ""));
    house.pass(1);
    house.execute_in(ben, RoomCommand::Typing);
    assert_eq!(house.flush()[ana], "ben… ");
}

#[test]
fn a_room_holds_so_many_members() {
    let mut house = House::new(Limits { members: 2, create_rate: 0, ..Limits::default() });
    let ana = house.join(JoinTarget::New, "ana");
    let code = house.code(ana);
    house.join(JoinTarget::Code(code), "ben");
    let cat = house.join(JoinTarget::Code(code), "cat");
    assert_eq!(house.refusal(cat), &Refusal::RoomFull { code });
}

#[test]
fn guessing_codes_is_slow_and_tells_nothing() {
    let mut house = House::new(Limits { join_rate: 3, create_rate: 0, ..Limits::default() });
    let ana = house.join(JoinTarget::New, "ana");
    let (code, token) = (house.code(ana), house.token(ana));
    let unknown = RoomCode::parse("ZZZZZ").expect("a code");
    house.address = [10, 0, 0, 1];
    let guesser = house.connect();
    for _ in 0..3 {
        house.execute(guesser, join(JoinTarget::Code(unknown), Some("eve"), None));
        assert!(matches!(house.refusal(guesser), Refusal::NoSuchRoom { .. }));
    }
    // Somebody else comes in from there, but into another room; and however often the guesser asks, it is told the same.
    house.join(JoinTarget::New, "ben");
    for known in [unknown, code].repeat(50) {
        house.execute(guesser, join(JoinTarget::Code(known), Some("eve"), None));
        assert_eq!(house.refusal(guesser), &Refusal::TooManyCodes { retry_ms: 20_000 });
    }
    house.execute(guesser, join(JoinTarget::Code(code), None, Some(token)));
    assert!(matches!(house.last_reply(guesser), Reply::Joined { .. }), "a member may always come back");
    house.pass(20_000);
    house.execute(guesser, join(JoinTarget::Code(unknown), Some("eve"), None));
    assert!(matches!(house.refusal(guesser), Refusal::NoSuchRoom { .. }));
}

#[test]
fn who_would_make_a_room_under_a_code_asks_for_it_as_well() {
    let mut house = House::new(Limits { join_rate: 3, create_rate: 0, ..Limits::default() });
    let ana = house.join(JoinTarget::New, "ana");
    let living = JoinTarget::CodeOrNew(house.code(ana));
    let unknown = |letter: &str| JoinTarget::CodeOrNew(RoomCode::parse(&letter.repeat(5)).expect("a code"));
    house.address = [10, 0, 0, 1];
    for letter in ["B", "C", "D"] {
        let eve = house.join(unknown(letter), "eve");
        assert!(matches!(house.last_reply(eve), Reply::Joined { created: true, .. }));
    }
    for target in [unknown("F"), living] {
        let eve = house.join(target, "eve");
        assert_eq!(house.refusal(eve), &Refusal::TooManyCodes { retry_ms: 20_000 });
    }
    assert_eq!(house.rooms.counts().rooms, 4);
    let again = house.join(unknown("B"), "ida");
    assert!(matches!(house.last_reply(again), Reply::Joined { created: false, .. }), "rooms of its own are familiar");
}

#[test]
fn wrong_codes_of_a_network_keep_nobody_out_of_a_room_where_some_of_it_are() {
    let mut house = House::new(Limits { join_rate: 3, ..Limits::default() });
    let ana = house.join(JoinTarget::New, "ana");
    let (code, unknown) = (house.code(ana), RoomCode::parse("ZZZZZ").expect("a code"));
    let pupil = house.connect();
    let wrong_codes = 3 + 3 * UNFAMILIAR_CODES;
    for number in 0..wrong_codes {
        house.join(JoinTarget::Code(code), &format!("ben {number}"));
        house.execute(pupil, join(JoinTarget::Code(unknown), Some("eve"), None));
        assert!(matches!(house.refusal(pupil), Refusal::NoSuchRoom { .. } | Refusal::TooManyCodes { .. }));
    }
    house.execute(pupil, join(JoinTarget::Code(code), Some("eve"), None));
    let words = "Too many wrong codes came from your network. Try again in 20 s.";
    assert_eq!(house.refusal(pupil).to_string(), words, "a flood is told nothing");
    // The second budget is a rate as well.
    house.pass(60_000 / u64::from(3 * UNFAMILIAR_CODES));
    house.execute(pupil, join(JoinTarget::Code(code), Some("eve"), None));
    assert!(matches!(house.last_reply(pupil), Reply::Joined { .. }));
}

#[test]
fn creating_rooms_is_limited() {
    let mut house = House::new(Limits { create_rate: 2, ..Limits::default() });
    house.join(JoinTarget::New, "ana");
    house.join(JoinTarget::New, "ana");
    let third = house.join(JoinTarget::New, "ana");
    assert!(matches!(house.refusal(third), Refusal::RateLimited { .. }));
}

#[test]
fn a_form_keeps_a_place_and_nobody_hears_of_it_until_the_page_connects() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let code = house.code(ana);
    house.flush();
    let form = house.connect();
    let name = Name::parse("ben").expect("a name");
    house
        .execute(form, Command::Reserve { target: JoinTarget::Code(code), name: name.clone(), token: None, key: None });
    let token = match house.last_reply(form) {
        Reply::Reserved { code: reserved, token } if *reserved == code => *token,
        other => panic!("{other:?}"),
    };
    let other = house.join(JoinTarget::Code(code), "ben");
    assert!(matches!(house.refusal(other), Refusal::NameTaken { .. }));
    assert_eq!(house.flush()[ana], "");
    house.execute(form, Command::Visit { code, token: Some(token) });
    assert_eq!(house.last_reply(form), &Reply::Visited { code, name: Some(name), wants_key: false });
    let page = house.connect();
    house.execute(page, join(JoinTarget::Code(code), None, Some(token)));
    assert_eq!(house.flush()[ana], "2+ben ");
}

#[test]
fn a_place_that_is_never_taken_is_given_up_in_silence() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let code = house.code(ana);
    house.flush();
    let form = house.connect();
    let name = Name::parse("ben").expect("a name");
    house.execute(form, Command::Reserve { target: JoinTarget::Code(code), name, token: None, key: None });
    house.pass(60_000);
    let other = house.join(JoinTarget::Code(code), "ben");
    assert!(matches!(house.last_reply(other), Reply::Joined { .. }));
    assert_eq!(house.flush()[ana], "2+ben ");
}

#[test]
fn switching_the_encoder_loses_and_repeats_nothing() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let ben = house.connect();
    house.execute_on(ben, SILENT, join(JoinTarget::Code(house.code(ana)), Some("ben"), None));
    house.execute(ana, say("one", None));
    house.execute_on(ben, SILENT, Command::SwitchEncoder(ECHOING));
    house.execute(ana, say("two", None));
    house.execute(ben, say("three", None));
    assert_eq!(house.flush()[ben], "3ana:one 4ana:two 5ben:three ");
}

#[test]
fn outside_a_room_there_is_nothing_to_say() {
    let mut house = house();
    let nobody = house.connect();
    let commands = [RoomCommand::Typing, RoomCommand::Who { after: None }, RoomCommand::Leave];
    let commands = commands.map(|command| Command::In(RoomRef::Only, command));
    for command in commands.into_iter().chain([say("hi", None)]) {
        house.execute(nobody, command);
        assert_eq!(house.refusal(nobody), &Refusal::NotJoined);
    }
}

#[test]
fn a_clock_that_was_put_right_shows_at_once() {
    let mut house = house();
    house.now.wall_ms += 86_400_000;
    let ana = house.join(JoinTarget::New, "ana");
    house.now.wall_ms -= 86_400_000;
    house.execute(ana, say("hi", None));
    house.execute_in(ana, RoomCommand::History(Span { limit: 10, ..Span::default() }));
    match house.last_reply(ana) {
        Reply::History { events, .. } => {
            assert_eq!(events[1].time_ms, house.now.wall_ms);
            assert_eq!((events[0].id, events[1].id), (1, 2), "the order is the ids' alone");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_connection_may_be_in_several_rooms() {
    let mut house = house();
    let ana = house.connect();
    for _ in 0..3 {
        let name = Name::parse("ana");
        let (target, stays_elsewhere, keeps_name) = (JoinTarget::New, true, false);
        let join = Join { target, stays_elsewhere, name, keeps_name, token: None, since: None, epoch: None, key: None };
        house.execute(ana, Command::Join(Box::new(join)));
    }
    let codes: Vec<RoomCode> =
        house.memberships[ana].iter().map(|membership| house.rooms.room(membership.room).code()).collect();
    assert_eq!(codes.len(), 3);
    house.execute(ana, say("where?", None));
    assert_eq!(house.refusal(ana), &Refusal::NotJoined, "it has to be said in which");
    for (number, &code) in codes.iter().enumerate() {
        let text = Text::clean(&format!("text {number}"), 100).expect("a text");
        let command = RoomCommand::Say { kind: Kind::Say, text, cid: None, reply_to: None };
        house.execute(ana, Command::In(RoomRef::Code(code), command));
    }
    assert_eq!(house.flush()[ana], "2ana:text 0 2ana:text 1 2ana:text 2 ");
    house.execute(ana, Command::In(RoomRef::Code(codes[1]), RoomCommand::Leave));
    assert!(matches!(house.last_reply(ana), Reply::Left { code, .. } if *code == codes[1]));
    assert_eq!(house.memberships[ana].len(), 2);
    house.execute(ana, Command::In(RoomRef::Code(codes[1]), RoomCommand::Typing));
    assert_eq!(house.refusal(ana), &Refusal::NotJoined);
}

#[test]
fn nothing_reads_more_than_a_page() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let (code, token) = (house.code(ana), house.token(ana));
    for number in 0..700 {
        house.execute(ana, say(&number.to_string(), None));
    }
    let again = house.connect();
    let (target, name, token) = (JoinTarget::Code(code), None, Some(token));
    let join =
        Join { target, stays_elsewhere: false, name, keeps_name: false, token, since: Some(1), epoch: None, key: None };
    house.execute(again, Command::Join(Box::new(join)));
    match house.last_reply(again) {
        Reply::Joined { events, gap, last, .. } => {
            assert_eq!((events.len(), events[0].id, *gap, *last), (MAX_PAGE_EVENTS, 202, true, 701));
        }
        other => panic!("{other:?}"),
    }
    house.execute_in(again, RoomCommand::History(Span { limit: 10_000, ..Span::default() }));
    assert!(matches!(house.last_reply(again), Reply::History { events, more: true, .. } if events.len() == 500));
}

#[test]
fn who_is_refused_anyway_causes_no_read() {
    let mut house = House::new(Limits { create_rate: 0, ..Limits::default() });
    house.rooms.rely_on_journal();
    let (code, epoch) = (RoomCode::parse("KXQT").expect("a code"), Epoch::random(&mut StdRng::seed_from_u64(1)));
    let member = StoredMember {
        author: AuthorId(1),
        seniority: AuthorId(1),
        token: Token::random(&mut StdRng::seed_from_u64(2)).hash(),
        name: Name::parse("ana").expect("a name"),
        via: Via::Web,
        is_placed: true,
        has_entered: true,
        account: None,
        node: NodeId::ALONE,
    };
    let (last_time_ms, last_author, members) = (house.now.wall_ms, member.author, vec![member]);
    let room = StoredRoom {
        code,
        epoch,
        first_id: 1,
        last_id: 100,
        last_time_ms,
        last_author,
        files: Vec::new(),
        members,
        left: Vec::new(),
        rules: Default::default(),
    };
    house.rooms.restore(vec![room], house.now);
    let unknown = Token::parse(&"7".repeat(32)).expect("a token");
    let eve = house.connect();
    house.execute(eve, join(JoinTarget::Code(code), Some("Ana"), Some(unknown)));
    assert!(matches!(house.refusal(eve), Refusal::NameTaken { .. }));
    house.execute(eve, join(JoinTarget::Code(code), None, Some(unknown)));
    assert_eq!(house.refusal(eve), &Refusal::NameRequired);
    assert_eq!(house.rooms.take_read_request(), None);
}

#[test]
fn pages_are_bounded_in_bytes_too() {
    let mut house = House::new(Limits { message_bytes: 1 << 20, create_rate: 0, ..Limits::default() });
    let ana = house.join(JoinTarget::New, "ana");
    for _ in 0..8 {
        let text = Text::clean(&"x".repeat(300_000), 1 << 20).expect("a text");
        house.execute_in(ana, RoomCommand::Say { kind: Kind::Say, text, cid: None, reply_to: None });
    }
    let select = |house: &mut House, since, before| {
        house.execute_in(ana, RoomCommand::History(Span { since, before, limit: 50 }));
        match house.last_reply(ana) {
            Reply::History { events, more, .. } => (events.iter().map(|event| event.id).collect::<Vec<_>>(), *more),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(select(&mut house, None, None), (vec![7, 8, 9], true));
    assert_eq!(select(&mut house, Some(1), None), (vec![2, 3, 4], true));
    assert_eq!(select(&mut house, Some(7), None), (vec![8, 9], false));
}

#[test]
fn memory_has_a_bound_and_the_least_recently_read_rooms_give_back_first() {
    let mut house = House::new(Limits { memory_bytes: 1 << 20, create_rate: 0, ..Limits::default() });
    let members: Vec<usize> = (0..10).map(|_| house.join(JoinTarget::New, "ana")).collect();
    for _ in 0..200 {
        for &member in &members {
            house.execute(member, say(&"x".repeat(1000), None));
        }
        // Somebody reads the first room now and then.
        house.execute_in(members[0], RoomCommand::History(Span { limit: 1, ..Span::default() }));
        assert!(house.rooms.counts().history_bytes <= 1 << 20);
    }
    let kept = |house: &mut House, member| {
        house.execute_in(member, RoomCommand::History(Span { limit: 500, ..Span::default() }));
        match house.last_reply(member) {
            Reply::History { events, .. } => events.len(),
            other => panic!("{other:?}"),
        }
    };
    let kept: Vec<usize> = members.iter().map(|&member| kept(&mut house, member)).collect();
    let (most, least) = (kept.iter().max(), kept.iter().min());
    assert!(most == Some(&kept[0]) && least < most && least >= Some(&16), "{kept:?}");
}

#[test]
fn what_members_said_last_is_part_of_the_memory_that_has_a_bound() {
    let memory_bytes = 1 << 20;
    let mut house = House::new(Limits { history_events: 10, create_rate: 0, memory_bytes, ..Limits::default() });
    for number in 0..30 {
        let ana = house.join(JoinTarget::New, "ana");
        let code = house.code(ana);
        let others: Vec<_> = (0..16).map(|other| house.join(JoinTarget::Code(code), &format!("ben {other}"))).collect();
        for said in 0..300 {
            others.iter().for_each(|&other| house.execute(other, say("hello", Some(&format!("{number}-{said}")))));
            let used_bytes = house.rooms.counts().history_bytes;
            assert!(used_bytes <= memory_bytes, "{used_bytes}");
        }
    }
    let used_bytes = house.rooms.counts().history_bytes;
    assert!(used_bytes > memory_bytes / 2, "{used_bytes}: it is made use of");
}

#[test]
fn more_members_are_listed_page_by_page() {
    let mut house = House::new(Limits { create_rate: 0, join_rate: 0, ..Limits::default() });
    let ana = house.join(JoinTarget::New, "ana");
    let code = house.code(ana);
    for number in 0..10 {
        house.join(JoinTarget::Code(code), &format!("m{number}"));
    }
    house.execute_in(ana, RoomCommand::Who { after: Name::parse("m6") });
    let Reply::Members { room, after: Some(after) } = *house.last_reply(ana) else { panic!("members") };
    let names: Vec<&str> = house.rooms.room(room).members_after(after).map(|member| member.name().as_str()).collect();
    assert_eq!(names, ["m7", "m8", "m9"]);
    assert_eq!(house.rooms.room(room).member_count(), 11);
}

#[test]
fn who_returns_while_it_is_forgotten_behind_many_others_comes_in() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let code = house.code(ana);
    let mut tokens = Vec::new();
    for number in 0..=MAX_DEPARTED {
        let member = house.join(JoinTarget::Code(code), &format!("m{number}"));
        tokens.push(house.token(member));
        house.drop_connection(member);
        if number < MAX_DEPARTED {
            house.pass(15_000);
        }
    }
    let last_id = house.rooms.room(house.membership(ana).room).last_id();
    // The last one's grace ends, and the first one comes back, before anything of it is committed.
    house.now.steady_ms += 15_000;
    house.rooms.expire(house.now);
    let again = house.connect();
    house.propose_on(again, ECHOING, join(JoinTarget::Code(code), None, Some(tokens[0])));
    let proposals = house.take_proposals();
    assert_eq!(proposals.len(), 2);
    house.commit_numbered(proposals, last_id);
    assert!(matches!(house.last_reply(again), Reply::Joined { .. }));
    house.execute(again, say("back", None));
    assert!(house.flush()[ana].ends_with(":back "));
}

#[test]
fn who_left_for_good_comes_in_while_it_is_forgotten_behind_many_others() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let code = house.code(ana);
    let members: Vec<_> =
        (0..=MAX_LEFT).map(|number| house.join(JoinTarget::Code(code), &format!("m{number}"))).collect();
    let token = house.token(members[0]);
    for &member in &members[..MAX_LEFT] {
        house.execute_in(member, RoomCommand::Leave);
    }
    let last_id = house.rooms.room(house.membership(ana).room).last_id();
    // The last one leaves, and the first one comes again, before anything of it is committed.
    let leave = Command::In(RoomRef::Only, RoomCommand::Leave);
    house.propose_on(members[MAX_LEFT], ECHOING, leave);
    let again = house.connect();
    house.propose_on(again, ECHOING, join(JoinTarget::Code(code), Some("m0"), Some(token)));
    let proposals = house.take_proposals();
    assert_eq!(proposals.len(), 2);
    house.commit_numbered(proposals, last_id);
    assert!(matches!(house.last_reply(again), Reply::Joined { .. }));
    assert_eq!(house.membership(again).author, AuthorId(2));
    house.execute(again, say("back", None));
    assert!(house.flush()[ana].ends_with(":back "));
}

#[test]
fn a_join_that_is_refused_changes_nothing() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let (before, code) = (house.membership(ana), house.code(ana));
    house.propose_on(ana, ECHOING, join(JoinTarget::New, Some("ana"), None));
    for proposal in house.take_proposals() {
        assert!(proposal.is_refusable(), "it does not leave before it has come in");
        house.rooms.refuse(proposal, house.now);
    }
    house.settle();
    assert_eq!(house.refusal(ana), &Refusal::StorageFailed);
    assert_eq!((house.memberships[ana].as_slice(), house.rooms.counts().rooms), (&[before][..], 1));
    house.execute(ana, say("still here", None));
    assert_eq!(house.flush()[ana], "2ana:still here ");
    assert_eq!(house.code(ana), code);
}

#[test]
fn a_name_that_is_taken_and_given_up_while_nothing_can_be_kept_is_no_early_place() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let code = house.code(ana);
    let ben = house.join(JoinTarget::Code(code), "ben");
    let nick = RoomCommand::Nick(Name::parse("eve").expect("a name"));
    house.propose_on(ben, ECHOING, Command::In(RoomRef::Only, nick));
    house.propose_on(ben, ECHOING, Command::In(RoomRef::Only, RoomCommand::Leave));
    let eve = house.connect();
    house.propose_on(eve, ECHOING, join(JoinTarget::Code(code), Some("eve"), None));
    let dan = house.connect();
    house.propose_on(dan, ECHOING, join(JoinTarget::Code(code), Some("dan"), None));
    let proposals = house.take_proposals();
    let refusable: Vec<bool> = proposals.iter().map(Proposal::is_refusable).collect();
    assert_eq!(refusable, [false, false, true, false], "who relies on what waits is refused, the other may come early");
}

#[test]
fn what_could_not_be_stored_is_no_message_that_was_said() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    house.execute(ana, say("hi", None));
    house.propose_on(ana, ECHOING, say("ho", None));
    for proposal in house.take_proposals() {
        house.rooms.refuse(proposal, house.now);
    }
    house.settle();
    assert_eq!(house.refusal(ana), &Refusal::StorageFailed);
    let counts = house.rooms.counts();
    assert_eq!((counts.all_events(), counts.messages()), (2, 1));
}

#[test]
fn an_early_place_is_counted_once() {
    let mut house = House::new(Limits { members: 3, create_rate: 0, ..Limits::default() });
    let ana = house.join(JoinTarget::New, "ana");
    let code = house.code(ana);
    let mut waiting = Vec::new();
    for name in ["ben", "eve"] {
        let newcomer = house.connect();
        house.propose_on(newcomer, ECHOING, join(JoinTarget::Code(code), Some(name), None));
        for mut proposal in house.take_proposals() {
            let early = proposal.take_early().expect("a place");
            house.rooms.commit(early, house.now, &mut house.sent);
            waiting.push(proposal);
        }
        house.settle();
        assert!(matches!(house.last_reply(newcomer), Reply::Joined { .. }), "{name}");
    }
    let dan = house.join(JoinTarget::Code(code), "dan");
    assert_eq!(house.refusal(dan), &Refusal::RoomFull { code });
    house.commit_numbered(waiting, 1);
    assert!(house.flush()[ana].ends_with("2+ben 3+eve "));
    assert_eq!(house.rooms.counts().members, 3);
}

#[test]
fn what_the_journal_has_numbered_is_said_whatever_memory_has_learnt_meanwhile() {
    let mut house = house();
    let ana = house.join(JoinTarget::New, "ana");
    let room = house.membership(ana).room;
    let (code, epoch) = (house.code(ana), house.rooms.room(room).epoch());
    house.propose_on(ana, ECHOING, say("hi", Some("c1")));
    let proposals = house.take_proposals();
    let mut again = proposals[0].change.clone();
    house.commit_numbered(proposals, 1);
    again.event_mut().expect("a message").id = 3;
    house.rooms.commit(Proposal::new(code, epoch, again), house.now, &mut house.sent);
    assert_eq!(house.rooms.room(room).last_id(), 3, "the file and memory count alike");
    house.execute(ana, say("after", None));
    assert!(house.flush()[ana].ends_with("3ana:hi 4ana:after "));
}
