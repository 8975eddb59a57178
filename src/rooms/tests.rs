//! The rules of the chat, told by commands and replies.

use rand::SeedableRng;

use super::*;

/// Encodes an event as one short word and a space.
struct Words {
    echoes: bool,
}

impl Wire for Words {
    fn encode_event(&self, event: &Event, out: &mut Vec<u8>) {
        let word = match &event.body {
            Body::Message { text, .. } => format!("{}:{}", event.name, text.as_str()),
            Body::Enter => format!("+{}", event.name),
            Body::Part => format!("-{}", event.name),
            Body::Nick { to } => format!("{}={to}", event.name),
        };
        out.extend_from_slice(format!("{}{word} ", event.id).as_bytes());
    }

    fn encode_typing(&self, name: &Name, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("{name}… ").as_bytes());
    }

    fn echoes(&self) -> bool {
        self.echoes
    }
}

const ECHOING: WireId = WireId(0);
const SILENT: WireId = WireId(1);

/// Connections, what each was answered, and what each was sent from the log.
struct House {
    rooms: Rooms,
    now: Now,
    memberships: Vec<Option<Membership>>,
    replies: Vec<Vec<Reply>>,
    sent: Vec<String>,
}

impl House {
    fn new(limits: Limits) -> House {
        let wires: Vec<Box<dyn Wire>> = vec![Box::new(Words { echoes: true }), Box::new(Words { echoes: false })];
        let random = StdRng::seed_from_u64(7);
        let now = Now { steady_ms: 1_000_000, wall_ms: 1_700_000_000_000 };
        let rooms = Rooms::new(limits, wires, random);
        House { rooms, now, memberships: Vec::new(), replies: Vec::new(), sent: Vec::new() }
    }

    fn connect(&mut self) -> usize {
        self.memberships.push(None);
        self.replies.push(Vec::new());
        self.sent.push(String::new());
        self.memberships.len() - 1
    }

    fn apply_on(&mut self, connection: usize, wire: WireId, command: Command) {
        let caller = Caller {
            connection: ConnectionId(connection as u64),
            address: Address::from(core::net::IpAddr::from([127, 0, 0, 1])),
            via: Via::Web,
            wire,
        };
        let membership = &mut self.memberships[connection];
        self.rooms.apply(&caller, membership, command, self.now);
        self.settle();
    }

    fn apply(&mut self, connection: usize, command: Command) {
        self.apply_on(connection, ECHOING, command);
    }

    fn settle(&mut self) {
        loop {
            while let Some(record) = self.rooms.take_record() {
                self.rooms.publish(record, self.now);
            }
            let Some((connection, reply)) = self.rooms.take_reply() else { break };
            let connection = connection.0 as usize;
            match reply {
                Reply::Unsent(bytes) => self.sent[connection].push_str(&String::from_utf8_lossy(&bytes)),
                Reply::TakenOver => {
                    self.memberships[connection] = None;
                    self.replies[connection].push(Reply::TakenOver);
                }
                reply => self.replies[connection].push(reply),
            }
        }
    }

    /// Flushes everything; returns what each connection was sent since the last time.
    fn flush(&mut self) -> Vec<String> {
        let (mut dirty, mut laggards) = (Vec::new(), Vec::new());
        self.rooms.take_dirty(&mut dirty);
        for room in dirty {
            let sent = &mut self.sent;
            let mut write = |connection: ConnectionId, bytes: &[u8]| {
                sent[connection.0 as usize].push_str(&String::from_utf8_lossy(bytes));
                bytes.len()
            };
            self.rooms.flush(room, &mut write, &mut laggards);
        }
        self.sent.iter_mut().map(std::mem::take).collect()
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

    fn code(&self, connection: usize) -> RoomCode {
        self.rooms.room(self.memberships[connection].expect("a member").room).code()
    }

    fn token(&self, connection: usize) -> Token {
        let Membership { room, member } = self.memberships[connection].expect("a member");
        self.rooms.room(room).member(member).token()
    }

    /// A new connection that has joined.
    fn join(&mut self, door: Door, name: &str) -> usize {
        let connection = self.connect();
        self.apply(connection, join(door, Some(name), None));
        connection
    }

    fn drop_connection(&mut self, connection: usize) {
        let membership = self.memberships[connection].take().expect("a member");
        self.rooms.disconnect(membership, true, self.now);
        self.settle();
    }
}

fn join(door: Door, name: Option<&str>, token: Option<Token>) -> Command {
    let name = name.map(|name| Name::parse(name).expect("a name"));
    Command::Join(Box::new(Join { door, name, keeps_name: false, token, since: None, epoch: None }))
}

fn say(text: &str, cid: Option<&str>) -> Command {
    let text = Text::clean(text, 4096).expect("text");
    Command::Say { kind: Kind::Say, text, cid: cid.and_then(ClientId::parse) }
}

fn house() -> House {
    House::new(Limits { create_rate: 0, join_rate: 0, ..Limits::default() })
}

#[test]
fn everybody_is_sent_everything_once_in_one_order() {
    let mut house = house();
    let ana = house.join(Door::New, "ana");
    let code = house.code(ana);
    let ben = house.join(Door::Code(code), "ben");
    house.apply(ana, say("hi", None));
    house.apply(ben, say("ho", None));
    let sent = house.flush();
    assert_eq!(sent[ana], "2+ben 3ana:hi 4ben:ho ");
    assert_eq!(sent[ben], "3ana:hi 4ben:ho ");
    assert_eq!(house.flush(), ["", ""]);
}

#[test]
fn a_crowd_is_told_together_of_many_who_come() {
    let mut house = house();
    house.rooms.set_crowd(3);
    let ana = house.join(Door::New, "ana");
    let code = house.code(ana);
    house.join(Door::Code(code), "ben");
    assert_eq!(house.flush()[ana], "2+ben ");
    for name in ["cat", "dan", "eve"] {
        house.join(Door::Code(code), name);
        assert_eq!(house.flush()[ana], "");
    }
    house.pass(house.rooms.next_deadline_ms().expect("news to be told") - house.now.steady_ms);
    assert_eq!(house.flush()[ana], "3+cat 4+dan 5+eve ");

    let fay = house.join(Door::Code(code), "fay");
    house.apply(fay, say("hi", None));
    assert_eq!(house.flush()[ana], "6+fay 7fay:hi ", "a message waits for nothing");
    house.pass(50);
    house.pass(60_000);
    assert_eq!(house.flush()[ana], "");
    house.join(Door::Code(code), "gus");
    assert_eq!(house.flush()[ana], "8+gus ", "nor does who comes to a quiet room");
}

#[test]
fn a_silent_wire_leaves_out_what_its_member_said_and_nothing_else() {
    let mut house = house();
    let ana = house.join(Door::New, "ana");
    let ben = house.connect();
    house.apply_on(ben, SILENT, join(Door::Code(house.code(ana)), Some("ben"), None));
    house.apply(ana, say("one", None));
    house.apply_on(ben, SILENT, say("two", None));
    house.apply(ana, say("three", None));
    house.apply_on(ben, SILENT, say("four", None));
    let sent = house.flush();
    assert_eq!(sent[ben], "3ana:one 5ana:three ");
    assert_eq!(sent[ana], "2+ben 3ana:one 4ben:two 5ana:three 6ben:four ");
}

#[test]
fn joining_tells_what_was_said_before_and_no_more_twice() {
    let mut house = house();
    let ana = house.join(Door::New, "ana");
    for number in 0..60 {
        house.apply(ana, say(&number.to_string(), None));
    }
    house.flush();
    let ben = house.join(Door::Code(house.code(ana)), "ben");
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
    let ana = house.join(Door::New, "ana");
    let twin = house.join(Door::Code(house.code(ana)), "аNA");
    assert!(matches!(house.refusal(twin), Refusal::NameTaken { .. }));
    assert_eq!(house.memberships[twin], None);
    let elsewhere = house.join(Door::New, "ana");
    assert!(matches!(house.last_reply(elsewhere), Reply::Joined { .. }));
}

#[test]
fn a_drop_within_the_grace_makes_no_noise() {
    let mut house = house();
    let ana = house.join(Door::New, "ana");
    let code = house.code(ana);
    let ben = house.join(Door::Code(code), "ben");
    let token = house.token(ben);
    house.flush();
    house.drop_connection(ben);
    house.pass(14_999);
    let again = house.connect();
    house.apply(again, join(Door::Code(code), None, Some(token)));
    house.pass(60_000);
    house.apply(ana, say("hi", None));
    let sent = house.flush();
    assert_eq!(sent[ana], "3ana:hi ");
    assert_eq!(sent[again], "3ana:hi ");
}

#[test]
fn after_the_grace_the_member_parts_and_its_token_still_brings_it_back() {
    let mut house = house();
    let ana = house.join(Door::New, "ana");
    let code = house.code(ana);
    let ben = house.join(Door::Code(code), "ben");
    let token = house.token(ben);
    house.flush();
    house.drop_connection(ben);
    let early = house.join(Door::Code(code), "ben");
    assert!(matches!(house.refusal(early), Refusal::NameTaken { .. }));
    house.pass(15_000);
    assert_eq!(house.flush()[ana], "3-ben ");
    let again = house.connect();
    house.apply(again, join(Door::Code(code), None, Some(token)));
    assert_eq!(house.flush()[ana], "4+ben ");
    assert_eq!(house.token(again), token);
}

#[test]
fn the_token_takes_over_a_connection_that_is_not_known_dead() {
    let mut house = house();
    let ana = house.join(Door::New, "ana");
    let code = house.code(ana);
    let token = house.token(ana);
    house.flush();
    let again = house.connect();
    house.apply(again, join(Door::Code(code), Some("somebody else"), Some(token)));
    assert_eq!(house.last_reply(ana), &Reply::TakenOver);
    house.apply(again, say("still me", None));
    let sent = house.flush();
    assert_eq!((sent[ana].as_str(), sent[again].as_str()), ("", "2ana:still me "));
}

#[test]
fn who_left_by_word_has_to_come_anew() {
    let mut house = house();
    let ana = house.join(Door::New, "ana");
    let code = house.code(ana);
    let token = house.token(ana);
    house.apply(ana, Command::Leave);
    assert_eq!(house.last_reply(ana), &Reply::Left { code, name: Name::parse("ana").expect("a name") });
    house.apply(ana, join(Door::Code(code), None, Some(token)));
    assert_eq!(house.refusal(ana), &Refusal::NameRequired);
}

#[test]
fn what_is_not_yet_sent_comes_before_the_goodbye() {
    let mut house = house();
    let ana = house.join(Door::New, "ana");
    house.flush();
    house.apply(ana, say("last words", None));
    house.apply(ana, Command::Leave);
    assert_eq!(house.flush()[ana], "2ana:last words ");
}

#[test]
fn joining_another_room_leaves_the_first() {
    let mut house = house();
    let ana = house.join(Door::New, "ana");
    let first = house.code(ana);
    let ben = house.join(Door::Code(first), "ben");
    house.flush();
    house.apply(ben, join(Door::New, Some("ben"), None));
    assert_eq!(house.flush()[ana], "3-ben ");
    assert_ne!(house.code(ben), first);
}

#[test]
fn joining_the_same_room_again_changes_nothing() {
    let mut house = house();
    let ana = house.join(Door::New, "ana");
    let ben = house.join(Door::Code(house.code(ana)), "ben");
    house.flush();
    house.apply(ben, join(Door::Code(house.code(ana)), Some("Ben"), None));
    assert!(matches!(house.last_reply(ben), Reply::Joined { .. }));
    house.apply(ana, say("hi", None));
    let sent = house.flush();
    assert_eq!((sent[ana].as_str(), sent[ben].as_str()), ("3ana:hi ", "3ana:hi "));
}

#[test]
fn an_empty_room_lives_its_time_and_ends() {
    let mut house = house();
    let ana = house.join(Door::New, "ana");
    let code = house.code(ana);
    house.apply(ana, Command::Leave);
    house.pass(3_599_999);
    let ben = house.join(Door::Code(code), "ben");
    assert!(matches!(house.last_reply(ben), Reply::Joined { .. }));
    house.pass(10_000_000);
    assert_eq!(house.rooms.counts().rooms, 1);
    house.drop_connection(ben);
    house.pass(15_000);
    house.pass(3_600_000);
    assert_eq!(house.rooms.counts().rooms, 0);
    let late = house.join(Door::Code(code), "cat");
    assert_eq!(house.refusal(late), &Refusal::NoSuchRoom { code });
}

#[test]
fn a_room_is_made_under_its_old_code_when_asked_for() {
    let mut house = house();
    let code = RoomCode::parse("KXQT").expect("a code");
    let token = Token::parse(&"7".repeat(32)).expect("a token");
    let ana = house.connect();
    house.apply(ana, join(Door::CodeOrNew(code), None, Some(token)));
    assert_eq!(house.refusal(ana), &Refusal::NameRequired);
    assert_eq!(house.rooms.counts().rooms, 0);
    house.apply(ana, join(Door::CodeOrNew(code), Some("ana"), Some(token)));
    assert!(matches!(house.last_reply(ana), Reply::Joined { created: true, .. }));
    assert_eq!((house.code(ana), house.token(ana)), (code, token));
    let ben = house.join(Door::CodeOrNew(code), "ben");
    assert!(matches!(house.last_reply(ben), Reply::Joined { created: false, .. }));
}

#[test]
fn a_repeated_cid_is_said_once_even_after_coming_back() {
    let mut house = house();
    let ana = house.join(Door::New, "ana");
    let (code, token) = (house.code(ana), house.token(ana));
    house.apply(ana, say("hi", Some("c1")));
    house.drop_connection(ana);
    house.pass(20_000);
    let again = house.connect();
    house.apply(again, join(Door::Code(code), None, Some(token)));
    house.apply(again, say("hi", Some("c1")));
    let cid = ClientId::parse("c1").expect("an id");
    assert_eq!(house.last_reply(again), &Reply::AlreadySaid { cid, id: 2 });
    let ben = house.join(Door::Code(code), "ben");
    house.apply(ben, say("mine", Some("c1")));
    assert!(house.flush()[again].ends_with("6ben:mine "), "another member's id is its own");
}

#[test]
fn since_tells_what_was_missed_and_what_is_gone() {
    let mut house = House::new(Limits { history_events: 10, create_rate: 0, ..Limits::default() });
    let ana = house.join(Door::New, "ana");
    let (code, token) = (house.code(ana), house.token(ana));
    let epoch = house.rooms.room(house.memberships[ana].expect("a member").room).epoch();
    for number in 0..20 {
        house.apply(ana, say(&number.to_string(), None));
    }
    let mut missed = |since, epoch| {
        let again = house.connect();
        let door = Door::Code(code);
        house.apply(
            again,
            Command::Join(Box::new(Join { door, name: None, keeps_name: false, token: Some(token), since, epoch })),
        );
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
    let ana = house.join(Door::New, "ana");
    for number in 0..9 {
        house.apply(ana, say(&number.to_string(), None));
    }
    let mut select = |since, before, limit| {
        house.apply(ana, Command::History(Span { since, before, limit }));
        match house.last_reply(ana) {
            Reply::History { events, more } => (events.iter().map(|event| event.id).collect::<Vec<_>>(), *more),
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
    let ana = house.join(Door::New, "ana");
    let ben = house.join(Door::Code(house.code(ana)), "ben");
    let name = |name| Name::parse(name).expect("a name");
    house.apply(ben, Command::Nick(name("Ana")));
    assert!(matches!(house.refusal(ben), Refusal::NameTaken { .. }));
    house.apply(ben, Command::Nick(name("BEN")));
    house.apply(ben, Command::Nick(name("cat")));
    assert_eq!(house.flush()[ana], "2+ben 3ben=BEN 4BEN=cat ");
    let other = house.join(Door::Code(house.code(ana)), "ben");
    assert!(matches!(house.last_reply(other), Reply::Joined { .. }));
}

#[test]
fn typing_is_passed_on_to_the_others_now_and_then() {
    let mut house = house();
    let ana = house.join(Door::New, "ana");
    let ben = house.join(Door::Code(house.code(ana)), "ben");
    house.flush();
    house.apply(ben, Command::Typing);
    house.apply(ben, Command::Typing);
    house.pass(2_999);
    house.apply(ben, Command::Typing);
    let sent = house.flush();
    assert_eq!((sent[ana].as_str(), sent[ben].as_str()), ("ben… ", ""));
    house.pass(1);
    house.apply(ben, Command::Typing);
    assert_eq!(house.flush()[ana], "ben… ");
}

#[test]
fn a_room_holds_so_many_members() {
    let mut house = House::new(Limits { members: 2, create_rate: 0, ..Limits::default() });
    let ana = house.join(Door::New, "ana");
    let code = house.code(ana);
    house.join(Door::Code(code), "ben");
    let cat = house.join(Door::Code(code), "cat");
    assert_eq!(house.refusal(cat), &Refusal::RoomFull { code });
}

#[test]
fn guessing_codes_is_slow_and_tells_nothing() {
    let mut house = House::new(Limits { join_rate: 3, create_rate: 0, ..Limits::default() });
    let ana = house.join(Door::New, "ana");
    let (code, token) = (house.code(ana), house.token(ana));
    let unknown = RoomCode::parse("ZZZZZ").expect("a code");
    let guesser = house.connect();
    for _ in 0..3 {
        house.apply(guesser, join(Door::Code(unknown), Some("eve"), None));
        assert!(matches!(house.refusal(guesser), Refusal::NoSuchRoom { .. }));
    }
    for door in [unknown, code] {
        house.apply(guesser, join(Door::Code(door), Some("eve"), None));
        assert!(matches!(house.refusal(guesser), Refusal::RateLimited { retry_ms: 1.. }));
    }
    house.apply(guesser, join(Door::Code(code), None, Some(token)));
    assert!(matches!(house.last_reply(guesser), Reply::Joined { .. }), "a member may always come back");
    house.pass(20_000);
    house.apply(guesser, join(Door::Code(unknown), Some("eve"), None));
    assert!(matches!(house.refusal(guesser), Refusal::NoSuchRoom { .. }));
}

#[test]
fn creating_rooms_is_limited() {
    let mut house = House::new(Limits { create_rate: 2, ..Limits::default() });
    house.join(Door::New, "ana");
    house.join(Door::New, "ana");
    let third = house.join(Door::New, "ana");
    assert!(matches!(house.refusal(third), Refusal::RateLimited { .. }));
}

#[test]
fn a_form_keeps_a_place_and_nobody_hears_of_it_until_the_page_connects() {
    let mut house = house();
    let ana = house.join(Door::New, "ana");
    let code = house.code(ana);
    house.flush();
    let form = house.connect();
    let name = Name::parse("ben").expect("a name");
    house.apply(form, Command::Admit { door: Door::Code(code), name: name.clone(), token: None });
    let token = match house.last_reply(form) {
        Reply::Admitted { code: admitted, token } if *admitted == code => *token,
        other => panic!("{other:?}"),
    };
    let other = house.join(Door::Code(code), "ben");
    assert!(matches!(house.refusal(other), Refusal::NameTaken { .. }));
    assert_eq!(house.flush()[ana], "");
    house.apply(form, Command::Visit { code, token: Some(token) });
    assert_eq!(house.last_reply(form), &Reply::Visited { code, name: Some(name) });
    let page = house.connect();
    house.apply(page, join(Door::Code(code), None, Some(token)));
    assert_eq!(house.flush()[ana], "2+ben ");
}

#[test]
fn a_place_that_is_never_taken_is_given_up_in_silence() {
    let mut house = house();
    let ana = house.join(Door::New, "ana");
    let code = house.code(ana);
    house.flush();
    let form = house.connect();
    let name = Name::parse("ben").expect("a name");
    house.apply(form, Command::Admit { door: Door::Code(code), name, token: None });
    house.pass(60_000);
    let other = house.join(Door::Code(code), "ben");
    assert!(matches!(house.last_reply(other), Reply::Joined { .. }));
    assert_eq!(house.flush()[ana], "2+ben ");
}

#[test]
fn switching_the_wire_loses_and_repeats_nothing() {
    let mut house = house();
    let ana = house.join(Door::New, "ana");
    let ben = house.connect();
    house.apply_on(ben, SILENT, join(Door::Code(house.code(ana)), Some("ben"), None));
    house.apply(ana, say("one", None));
    house.apply_on(ben, SILENT, Command::SwitchWire(ECHOING));
    house.apply(ana, say("two", None));
    house.apply(ben, say("three", None));
    assert_eq!(house.flush()[ben], "3ana:one 4ana:two 5ben:three ");
}

#[test]
fn outside_a_room_there_is_nothing_to_say() {
    let mut house = house();
    let nobody = house.connect();
    for command in [say("hi", None), Command::Typing, Command::Who, Command::Leave] {
        house.apply(nobody, command);
        assert_eq!(house.refusal(nobody), &Refusal::NotJoined);
    }
}

#[test]
fn time_never_goes_back_in_a_room() {
    let mut house = house();
    let ana = house.join(Door::New, "ana");
    house.now.wall_ms -= 3_600_000;
    house.apply(ana, say("hi", None));
    house.apply(ana, Command::History(Span { limit: 10, ..Span::default() }));
    match house.last_reply(ana) {
        Reply::History { events, .. } => assert!(events[0].time_ms <= events[1].time_ms),
        other => panic!("{other:?}"),
    }
}
