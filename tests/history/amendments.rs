//! Whether what is told of the past is what became of it: no text comes back that was corrected or deleted before, and
//! whoever knows everything is told the last state.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde_json::Value;

use super::{Entry, History, Life, Record, Seen, is_said, number};

/// What a message is by type, and the corrections of it.
fn has_state(event: &Value) -> bool {
    is_said(event) || event["type"] == "edit"
}

/// What of an event stays as it is, whatever becomes of it.
pub fn lasting(event: &Value) -> Value {
    let mut event = event.clone();
    let passing: &[&str] = match event["type"].as_str() {
        _ if has_state(&event) => &["text", "edited", "deleted", "reactions", "reply_to", "file"],
        // Marks are those of the moment at which somebody came: who reads of it later sees them in the list of members.
        Some("enter") => &["op", "account"],
        _ => &[],
    };
    if let Some(fields) = event.as_object_mut() {
        passing.iter().for_each(|field| drop(fields.remove(*field)));
        // Once it is deleted, nobody is told that it was one.
        if fields["type"] == "file" {
            fields["type"] = "message".into();
        }
    }
    event
}

/// What was said with an event at first, as far as it tells: of a correction that was read later, nobody knows whether
/// there was another one since.
pub fn first_text(event: &Value, is_live: bool) -> Option<String> {
    let is_as_it_was = is_live || is_said(event) && event["edited"] != true;
    // With a file, nothing needs to be said.
    if event["type"] == "file" && is_as_it_was && event["text"].is_null() {
        return Some(String::new());
    }
    let text = event["text"].as_str().filter(|_| is_as_it_was && event["deleted"] != true);
    text.map(str::to_owned)
}

/// A life, as anybody saw it.
struct Whole<'a> {
    life: &'a Life,
    seen: &'a BTreeMap<u64, Seen>,
    /// What was done with each message, in order.
    done: BTreeMap<u64, Vec<(u64, &'a Seen)>>,
    /// The last event that anybody was told of.
    last: u64,
    /// From this event to the last one, somebody saw each.
    unbroken_from: u64,
}

impl<'a> Whole<'a> {
    fn new(life: &'a Life, seen: &'a BTreeMap<u64, Seen>, last: u64) -> Whole<'a> {
        let mut done: BTreeMap<u64, Vec<(u64, &Seen)>> = BTreeMap::new();
        for (id, seen) in seen {
            if let Some(of) = seen.event["of"].as_u64() {
                done.entry(of).or_default().push((*id, seen));
            }
        }
        let mut unbroken_from = last + 1;
        for (id, _) in seen.range(..=last).rev() {
            if id + 1 != unbroken_from {
                break;
            }
            unbroken_from = *id;
        }
        Whole { life, seen, done, last, unbroken_from }
    }
}

pub fn check(history: &History, record: &Record) {
    let lives = record.lives.iter().map(|(life, seen)| (life, Whole::new(life, seen, record.last_id(life))));
    let lives: BTreeMap<&Life, Whole> = lives.collect();
    let check_all = |life: &Life, position: u64, events: &[Rc<Value>]| {
        if let Some(whole) = lives.get(life) {
            events.iter().filter(|event| has_state(event)).for_each(|event| check_told(whole, position, event));
        }
    };
    let mut positions: BTreeMap<usize, u64> = BTreeMap::new();
    for entry in &history.entries {
        match entry {
            Entry::Joined { connection, life, joined, .. } => {
                let last = number(&joined.fields, "last");
                positions.insert(*connection, last);
                check_all(life, last, &joined.events);
            }
            Entry::Received { connection, event } => {
                if let Some(position) = positions.get_mut(connection) {
                    *position = number(event, "id");
                }
            }
            Entry::Recalled { connection, life, answer, .. } | Entry::Found { connection, life, answer, .. } => {
                check_all(life, positions[connection], &answer.events);
            }
            _ => (),
        }
    }
}

/// What is told when a life had come to `position` is at least as new as that.
fn check_told(whole: &Whole, position: u64, event: &Value) {
    let Whole { life, seen, done, last, unbroken_from } = whole;
    let id = if event["type"] == "edit" { number(event, "of") } else { number(event, "id") };
    let words = || format!("{life:?} at {position}: {event}");
    let so_far = done.get(&id).into_iter().flatten().filter(|(at, _)| *at <= position).copied();
    let so_far: Vec<(u64, &Seen)> = so_far.collect();
    let of_it = |kind: &str| -> Vec<(u64, &Seen)> {
        so_far.iter().filter(|(_, seen)| seen.event["type"] == kind).copied().collect()
    };
    if !of_it("delete").is_empty() {
        assert!(event["deleted"] == true && event["text"] == "", "it was deleted; {}", words());
        assert_eq!(event["reactions"], Value::Null, "nobody reacts to what is deleted; {}", words());
        return;
    }
    let edits = of_it("edit");
    let is_newest = position == *last;
    if let Some((last, edit)) = edits.last() {
        assert!(event["type"] == "edit" || event["edited"] == true || event["deleted"] == true, "{}", words());
        let older = seen.get(&id).into_iter().chain(edits.iter().filter(|(at, _)| at < last).map(|(_, seen)| *seen));
        let older: BTreeSet<&str> = older.filter_map(|seen| seen.text.as_deref()).collect();
        let shown = event["text"].as_str().expect("a text");
        assert!(!older.contains(shown), "it was corrected to {:?} as {last}; {}", edit.text, words());
        if let Some(text) = edit.text.as_ref().filter(|_| is_newest) {
            assert_eq!(shown, text, "the last state; {}", words());
        }
    }
    if is_newest && is_said(event) {
        assert!(id <= position, "nobody was told that there is so much; {}", words());
        // Not all that happened since may be known: a life may be over before anybody asks for all of it.
        if id >= *unbroken_from {
            assert_ne!(event["deleted"], true, "nobody deleted it; {}", words());
            assert_eq!(event["edited"] == true, !edits.is_empty(), "{}", words());
            check_reactions(&of_it("reaction"), event, words);
        }
    }
}

fn check_reactions(done: &[(u64, &Seen)], event: &Value, words: impl Fn() -> String) {
    let mut expected: BTreeMap<(String, u64), String> = BTreeMap::new();
    for (_, Seen { event, .. }) in done {
        let text = |field: &str| event[field].as_str().expect("a text").to_owned();
        let (reaction, name) = ((text("emoji"), number(event, "author")), text("name"));
        match event["on"] == true {
            true => assert_eq!(expected.insert(reaction, name), None, "it changes nothing: {event}"),
            false => assert!(expected.remove(&reaction).is_some(), "it changes nothing: {event}"),
        }
    }
    let mut names: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    expected.iter().for_each(|((emoji, _), name)| names.entry(emoji).or_default().push(name));
    let mut told: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for reactions in event["reactions"].as_array().into_iter().flatten() {
        let names = reactions["names"].as_array().expect("a list of names");
        assert_eq!(number(reactions, "count"), names.len() as u64, "few react here; {}", words());
        let names = names.iter().map(|name| name.as_str().expect("a name"));
        told.insert(reactions["emoji"].as_str().expect("an emoji"), names.collect());
    }
    names.values_mut().chain(told.values_mut()).for_each(|names| names.sort_unstable());
    assert_eq!(told, names, "who reacts; {}", words());
}
