//! Whether a search finds what was said in its room, and nothing else: nothing of another room, nothing that was corrected
//! or deleted before.

use std::collections::{HashMap, HashSet};

use super::{Entry, History, Life, Promises, Record, ids};

/// A client wants to be told what begins with these words.
#[derive(Clone, Debug)]
pub struct Searched {
    pub words: String,
    /// Older than this one.
    pub before: Option<u64>,
    /// The last event that it knew of when it asked.
    pub known: u64,
}

pub fn check(history: &History, record: &Record, promises: Promises) {
    if !history.entries.iter().any(|entry| matches!(entry, Entry::Found { .. })) {
        return;
    }
    let mut rooms_of: HashMap<&str, HashSet<&str>> = HashMap::new();
    let mut amended: HashMap<&Life, HashSet<u64>> = HashMap::new();
    for (life, events) in &record.lives {
        let amended = amended.entry(life).or_default();
        for seen in events.values() {
            if let Some(text) = &seen.text {
                rooms_of.entry(text).or_default().insert(&life.0);
            }
            amended.extend(seen.event["of"].as_u64());
        }
    }
    for entry in &history.entries {
        let Entry::Found { life, searched, answer, .. } = entry else { continue };
        let Searched { words, before, known } = &**searched;
        for event in &answer.events {
            let text = event["text"].as_str().expect("a text");
            assert!(event["type"] == "message" && text.starts_with(words), "found for {words:?} in {life:?}: {event}");
            let is_elsewhere = rooms_of.get(text).is_some_and(|rooms| !rooms.contains(life.0.as_str()));
            assert!(!is_elsewhere, "found in {life:?}, and said elsewhere: {event}");
        }
        let found = ids(&answer.events);
        assert!(found.is_sorted_by(|one, next| one < next), "found in {life:?}: {found:?}");
        // Older ones are not told of this time.
        let first = answer.fields["before"].as_u64().unwrap_or(0);
        let end = before.unwrap_or(u64::MAX).min(known + 1);
        let Some(events) = record.lives.get(&**life).filter(|_| first < end) else { continue };
        for (id, seen) in events.range(first..end) {
            let is_said =
                seen.event["type"] == "message" && seen.text.as_ref().is_some_and(|text| text.starts_with(words));
            let is_as_it_was = !amended[&**life].contains(id);
            let is_gone = id + promises.history_events <= record.last_id(life);
            assert!(
                !is_said || !is_as_it_was || is_gone || found.contains(id),
                "not found for {words:?} in {life:?}, of which {known} were known: {} in {found:?}, {}",
                seen.event,
                answer.fields
            );
        }
    }
}
