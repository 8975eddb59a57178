//! What was typed and is not acknowledged yet, in order. One message is on its way at a time: so the order is kept
//! whatever is refused for a while, and after a lost connection it is known which one to say again.

use std::collections::VecDeque;

use crate::json::Object;
use crate::rooms::{Emoji, Kind};

/// What somebody wants done.
#[derive(Clone, PartialEq, Debug)]
pub enum Item {
    /// To be said.
    Say {
        /// Plainly or in the third person.
        kind: Kind,
        /// What.
        text: String,
        /// To the last message of somebody else.
        is_reply: bool,
    },
    /// In the place of one's last message.
    Edit(String),
    /// One's last message.
    Delete,
    /// To the last message.
    React(Emoji),
    /// Only an answer, once all before it is done.
    Ping,
    /// A message that is complete. `shown`: what was typed, if it may be shown.
    Ready {
        /// The JSON object.
        json: String,
        /// The client id in it, by which it is acknowledged.
        cid: Option<String>,
        /// What was typed.
        shown: Option<String>,
    },
}

impl Item {
    /// What is shown of it while it waits.
    pub fn shown(&self) -> Option<String> {
        Some(match self {
            Item::Say { kind: Kind::Say, text, .. } => text.clone(),
            Item::Say { kind: Kind::Me, text, .. } => format!("/me {text}"),
            Item::Edit(text) => format!("/edit {text}"),
            Item::Delete => "/delete".to_owned(),
            Item::Ping => return None,
            Item::React(emoji) => format!("/react {}", emoji.as_str()),
            Item::Ready { shown, .. } => return shown.clone(),
        })
    }
}

/// The messages that an item may be about, as far as they are known.
#[derive(Clone, Copy, Default, Debug)]
pub struct LastMessages {
    /// One's own last one.
    pub own: Option<u64>,
    /// The last one of somebody else.
    pub of_others: Option<u64>,
    /// The last one.
    pub last: Option<u64>,
}

/// The item that is on its way.
struct Sent {
    item: Item,
    json: String,
    cid: Option<String>,
    /// Over the connection that is there now.
    is_sent: bool,
}

/// All that waits.
pub struct Outbox {
    waiting: VecDeque<Item>,
    sent: Option<Sent>,
    /// Nothing is sent before that.
    held_until_ms: u64,
    prefix: String,
    count: u64,
}

/// What is to be sent.
#[derive(PartialEq, Debug)]
pub enum Sending {
    /// A message that is acknowledged by itself.
    Message(String),
    /// A message that is acknowledged by the answer to a ping behind it.
    MessageAndPing(String),
    /// A ping that somebody has asked for.
    Ping,
}

/// What becomes of an item that was refused.
#[derive(PartialEq, Debug)]
pub enum Refusal {
    /// It is none of ours.
    Unknown,
    /// It is sent again by itself.
    Later,
    /// It is not done: what was typed.
    Final(Option<String>),
}

/// An item that is refused for so long is sent again by itself; beyond that it is for the person to decide.
const PATIENCE_MS: u64 = 2 * 60 * 1000;

impl Outbox {
    /// An empty one. Client ids begin with `prefix`, which is no other client's.
    pub fn new(prefix: String) -> Outbox {
        Outbox { waiting: VecDeque::new(), sent: None, held_until_ms: 0, prefix, count: 0 }
    }

    /// Adds what is to be done.
    pub fn push(&mut self, item: Item) {
        self.waiting.push_back(item);
    }

    /// Whether all is done.
    pub fn is_empty(&self) -> bool {
        self.sent.is_none() && self.waiting.is_empty()
    }

    /// How many things wait.
    pub fn len(&self) -> usize {
        self.waiting.len() + usize::from(self.sent.is_some())
    }

    /// What waits, as far as it may be shown.
    pub fn shown(&self) -> impl Iterator<Item = String> {
        self.sent.iter().map(|sent| &sent.item).chain(&self.waiting).filter_map(Item::shown)
    }

    /// When something can be sent that cannot be now; `None`: nothing waits for a time.
    pub fn deadline_ms(&self) -> Option<u64> {
        let is_held = self.held_until_ms > 0 && !self.is_empty() && !self.is_under_way();
        is_held.then_some(self.held_until_ms)
    }

    fn is_under_way(&self) -> bool {
        self.sent.as_ref().is_some_and(|sent| sent.is_sent)
    }

    /// What is to be sent now, if anything. `Err`: what cannot be done, since there is no such message.
    pub fn next(&mut self, last: LastMessages, now_ms: u64) -> Option<Result<Sending, &'static str>> {
        if self.is_under_way() || now_ms < self.held_until_ms {
            return None;
        }
        if self.sent.is_none() {
            let item = self.waiting.pop_front()?;
            match self.write(&item, last) {
                Ok((json, cid)) => self.sent = Some(Sent { item, json, cid, is_sent: false }),
                Err(why) => return Some(Err(why)),
            }
        }
        let sent = self.sent.as_mut()?;
        sent.is_sent = true;
        Some(Ok(match (&sent.item, &sent.cid) {
            (Item::Ping, _) => Sending::Ping,
            (_, Some(_)) => Sending::Message(sent.json.clone()),
            (_, None) => Sending::MessageAndPing(sent.json.clone()),
        }))
    }

    /// A new connection: what was on its way may be lost, and is sent again under the same client id.
    pub fn reset(&mut self) {
        if let Some(sent) = &mut self.sent {
            sent.is_sent = false;
        }
    }

    /// What has this client id is acknowledged.
    pub fn acknowledge(&mut self, cid: &str) {
        self.sent.take_if(|sent| sent.cid.as_deref() == Some(cid));
    }

    /// The server has seen all that was sent.
    pub fn pass_barrier(&mut self) {
        self.sent.take_if(|sent| sent.cid.is_none() && sent.is_sent);
    }

    /// Something was refused.
    pub fn refuse(&mut self, cid: Option<&str>, retry_ms: Option<u64>, now_ms: u64) -> Refusal {
        let Some(sent) = self.sent.as_mut().filter(|sent| sent.cid.as_deref() == cid) else { return Refusal::Unknown };
        match retry_ms.filter(|wait_ms| *wait_ms <= PATIENCE_MS) {
            Some(wait_ms) => {
                sent.is_sent = false;
                self.held_until_ms = now_ms + wait_ms;
                Refusal::Later
            }
            None if cid.is_none() => Refusal::Unknown,
            None => Refusal::Final(self.sent.take().and_then(|sent| sent.item.shown())),
        }
    }

    fn write(&mut self, item: &Item, last: LastMessages) -> Result<(String, Option<String>), &'static str> {
        let mut out = Vec::new();
        let mut object = Object::begin(&mut out);
        self.count += 1;
        let cid = format!("{}{}", self.prefix, self.count);
        let mut own_cid = Some(cid.clone());
        match item {
            Item::Say { kind, text, is_reply } => {
                object.word("type", "message").text("text", text).word("kind", kind.as_str()).text("cid", &cid);
                if *is_reply {
                    object.number("reply_to", last.of_others.ok_or("Nobody else has said anything yet.")?);
                }
            }
            Item::Edit(text) => {
                let of = last.own.ok_or("You have said nothing yet.")?;
                object.word("type", "edit").number("of", of).text("text", text).text("cid", &cid);
            }
            Item::Delete => {
                object.word("type", "delete").number("of", last.own.ok_or("You have said nothing yet.")?);
                own_cid = None;
            }
            Item::React(emoji) => {
                let of = last.last.ok_or("Nothing was said yet.")?;
                object.word("type", "react").number("of", of).text("emoji", emoji.as_str()).flag("on", true);
                own_cid = None;
            }
            Item::Ping => return Ok((String::new(), None)),
            Item::Ready { json, cid, .. } => return Ok((json.clone(), cid.clone())),
        }
        object.end();
        Ok((String::from_utf8(out).expect("JSON is UTF-8"), own_cid))
    }

    /// A client id for a message that is complete but for that.
    pub fn new_cid(&mut self) -> String {
        self.count += 1;
        format!("{}{}", self.prefix, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(text: &str) -> Item {
        Item::Say { kind: Kind::Say, text: text.to_owned(), is_reply: false }
    }

    fn next(outbox: &mut Outbox, now_ms: u64) -> Option<String> {
        let next = outbox.next(LastMessages::default(), now_ms)?;
        match next.expect("it can be said") {
            Sending::Message(json) | Sending::MessageAndPing(json) => Some(json),
            Sending::Ping => panic!("nobody has asked for it"),
        }
    }

    #[test]
    fn one_is_on_its_way_until_it_is_acknowledged() {
        let mut outbox = Outbox::new("c-".to_owned());
        outbox.push(say("one"));
        outbox.push(say("two"));
        let one = r#"{"type":"message","text":"one","kind":"say","cid":"c-1"}"#;
        assert_eq!(next(&mut outbox, 0).as_deref(), Some(one));
        assert_eq!(next(&mut outbox, 0), None);
        // The connection is lost.
        outbox.reset();
        assert_eq!(next(&mut outbox, 0).as_deref(), Some(one), "the same again, under the same id");
        outbox.acknowledge("another");
        assert_eq!(next(&mut outbox, 0), None);
        outbox.acknowledge("c-1");
        assert!(next(&mut outbox, 0).is_some_and(|json| json.contains("two")));
        outbox.acknowledge("c-2");
        assert!(outbox.is_empty());
    }

    #[test]
    fn what_comes_too_soon_waits_in_its_place() {
        let mut outbox = Outbox::new("c-".to_owned());
        outbox.push(say("one"));
        outbox.push(say("two"));
        next(&mut outbox, 0);
        assert_eq!(outbox.refuse(Some("c-1"), Some(200), 1000), Refusal::Later);
        assert_eq!(outbox.deadline_ms(), Some(1200));
        assert_eq!(next(&mut outbox, 1199), None);
        assert!(next(&mut outbox, 1200).is_some_and(|json| json.contains("one")));
        assert_eq!(outbox.refuse(Some("x"), None, 1200), Refusal::Unknown);
        assert_eq!(outbox.refuse(Some("c-1"), Some(PATIENCE_MS + 1), 1200), Refusal::Final(Some("one".to_owned())));
        assert!(next(&mut outbox, 1200).is_some_and(|json| json.contains("two")));
    }

    #[test]
    fn what_has_no_id_is_acknowledged_by_the_ping_behind_it() {
        let mut outbox = Outbox::new("c-".to_owned());
        outbox.push(Item::Delete);
        assert!(outbox.next(LastMessages::default(), 0).is_some_and(|next| next.is_err()));
        outbox.push(Item::Delete);
        let last = LastMessages { own: Some(7), ..LastMessages::default() };
        assert_eq!(outbox.next(last, 0), Some(Ok(Sending::MessageAndPing(r#"{"type":"delete","of":7}"#.to_owned()))));
        outbox.pass_barrier();
        assert!(outbox.is_empty());
    }
}
