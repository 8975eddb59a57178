//! The session by itself: bytes in, commands and bytes out.

use super::*;

/// A client's text frame.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first, 0x80 | 126, (payload.len() >> 8) as u8, payload.len() as u8, 0, 0, 0, 0];
    bytes.extend(payload);
    bytes
}

fn text(json: &str) -> Vec<u8> {
    frame(0x81, json.as_bytes())
}

struct Client {
    ws: Ws,
    context: Context,
    now: Now,
    outbox: Vec<u8>,
}

impl Client {
    fn new(limits: &Limits) -> Client {
        let now = Now { steady_ms: 1_000, wall_ms: 0 };
        Client { ws: Ws::new(Upgrade::default(), now), context: Context::new(limits), now, outbox: Vec::new() }
    }

    fn send(&mut self, mut bytes: Vec<u8>) -> Step {
        let mut input = Input::new(&mut bytes, false);
        self.ws.receive(&mut input, &self.context, self.now, &mut self.outbox)
    }

    fn told(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.outbox)).into_owned()
    }
}

fn client() -> Client {
    Client::new(&Limits::default())
}

#[test]
fn what_is_no_message_is_refused_and_the_next_one_heard() {
    let mut client = client();
    let bytes = [frame(0x82, b"binary"), text("nonsense"), text(r#"{"type":"dance"}"#), text(r#"{"type":"leave"}"#)];
    assert!(matches!(client.send(bytes.concat()), Step::Command(Command::In(_, RoomCommand::Leave))));
    assert_eq!(client.told().matches("bad_request").count(), 3);
}

#[test]
fn faults_close_with_the_rfcs_codes() {
    for (bytes, code) in [
        (frame(0x81, &[0xFF]), 1007u16),
        (vec![0x81, 0x00], 1002),
        (vec![0x81, 0xFF, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0], 1009),
    ] {
        let mut client = client();
        assert!(matches!(client.send(bytes), Step::Fault));
        assert_eq!(client.outbox[..4], [&[0x88, 0x02][..], &code.to_be_bytes()].concat()[..]);
    }
}

#[test]
fn a_ping_is_answered_and_a_close_is_returned() {
    let mut client = client();
    assert!(matches!(client.send(vec![0x89, 0x82, 0, 0, 0, 0, b'h', b'i']), Step::NeedInput));
    assert_eq!(client.outbox.split_off(0), b"\x8A\x02hi");
    assert!(matches!(client.send(vec![0x88, 0x82, 0, 0, 0, 0, 3, 232]), Step::Close));
    assert_eq!(client.outbox, [0x88, 0x02, 3, 232]);
}

#[test]
fn haste_is_refused_then_closed() {
    let mut client = client();
    let message = text(r#"{"type":"message","text":"x","cid":"c7"}"#);
    for _ in 0..20 {
        assert!(matches!(client.send(message.clone()), Step::Command(Command::In(_, RoomCommand::Say { .. }))));
    }
    for _ in 0..MAX_HASTY_MESSAGES {
        assert!(matches!(client.send(message.clone()), Step::NeedInput));
    }
    let told = client.told();
    assert!(told.contains(r#""code":"rate_limited""#) && told.contains(r#""cid":"c7","retry_ms":200"#), "{told}");
    assert!(matches!(client.send(message), Step::Fault));
    assert!(client.told().contains("Too many messages."));
}

#[test]
fn a_pause_is_forgiven() {
    let mut client = client();
    let message = text(r#"{"type":"message","text":"x"}"#);
    for _ in 0..25 {
        let _ = client.send(message.clone());
    }
    client.now.steady_ms += 200;
    assert!(matches!(client.send(message), Step::Command(_)));
}

#[test]
fn typing_is_never_too_fast() {
    let mut client = client();
    for _ in 0..100 {
        assert!(matches!(
            client.send(text(r#"{"type":"typing"}"#)),
            Step::Command(Command::In(_, RoomCommand::Typing))
        ));
    }
}

#[test]
fn pings_are_answered_however_many() {
    let mut client = client();
    for _ in 0..1000 {
        assert!(matches!(client.send(text(r#"{"type":"ping"}"#)), Step::NeedInput));
        assert_eq!(client.told(), "\u{FFFD}\u{F}{\"type\":\"pong\"}");
    }
}

#[test]
fn typing_in_between_forgives_no_haste() {
    let mut client = client();
    let message = text(r#"{"type":"message","text":"hi"}"#);
    for _ in 0..20 {
        client.send(message.clone());
    }
    let is_closed = (0..=MAX_HASTY_MESSAGES).any(|_| {
        client.send(text(r#"{"type":"typing"}"#));
        matches!(client.send(message.clone()), Step::Fault)
    });
    assert!(is_closed, "whoever types in between is too fast all the same");
}

#[test]
fn a_peer_that_takes_what_it_is_sent_is_there() {
    let mut client = client();
    for _ in 0..20 {
        client.now.steady_ms += GONE_AFTER_MS - 1;
        client.ws.note_progress(client.now);
        assert!(client.ws.deadline_ms() > client.now.steady_ms);
    }
    client.now.steady_ms += PING_AFTER_MS;
    assert_eq!(client.ws.expire(client.now, &mut client.outbox), Flow::Continue);
}

#[test]
fn a_silent_peer_is_asked_and_then_given_up() {
    let mut client = client();
    let mut pings = 0;
    loop {
        client.now.steady_ms = client.ws.deadline_ms();
        if client.ws.expire(client.now, &mut client.outbox) == Flow::Close {
            break;
        }
        pings += 1;
        assert_eq!(client.outbox.split_off(0), [0x89, 0]);
    }
    assert_eq!((pings, client.now.steady_ms), (2, 1_000 + GONE_AFTER_MS));
}

#[test]
fn a_pong_is_a_sign_of_life() {
    let mut client = client();
    client.now.steady_ms = client.ws.deadline_ms();
    assert_eq!(client.ws.expire(client.now, &mut client.outbox), Flow::Continue);
    client.now.steady_ms += 10;
    assert!(matches!(client.send(vec![0x8A, 0x80, 0, 0, 0, 0]), Step::NeedInput));
    assert_eq!(client.ws.deadline_ms(), client.now.steady_ms + PING_AFTER_MS);
}

#[test]
fn an_idle_session_is_small() {
    assert!(size_of::<Ws>() <= 56, "{}", size_of::<Ws>());
}
