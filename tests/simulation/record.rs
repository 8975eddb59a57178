//! The oracle: what all clients together have seen must be one gapless order, each thing once.

use std::collections::{BTreeMap, HashMap, HashSet};

/// One life of a room: its epoch, as the server tells it.
pub type Life = String;

#[derive(Default)]
pub struct Record {
    /// What any client saw under an id.
    events: HashMap<Life, BTreeMap<u64, String>>,
    /// Texts whose sender was told that they are said, with the id.
    acknowledged: Vec<(Life, u64, String)>,
}

impl Record {
    /// A client saw this under this id; everybody else must have seen the same.
    pub fn see(&mut self, life: &str, id: u64, event: &str) {
        let events = self.events.entry(life.to_owned()).or_default();
        let known = events.entry(id).or_insert_with(|| event.to_owned());
        assert_eq!(known, event, "two clients saw different events under id {id}");
    }

    pub fn acknowledge(&mut self, life: &str, id: u64, text: &str) {
        self.acknowledged.push((life.to_owned(), id, text.to_owned()));
    }

    /// What a terminal was shown must be an unbroken part of what was said, its own lines left out.
    pub fn check_shown(&self, name: &str, shown: &[String]) {
        let own = format!("{name}-");
        let is_part = self.events.values().any(|events| {
            // What was said before any browser looked is on no record.
            let begins_late = events.first_key_value().is_some_and(|(&id, _)| id > 1);
            let texts: Vec<&str> = events.values().filter_map(|event| text_of(event)).collect();
            let is_recorded = |text: &String| !begins_late || texts.contains(&text.as_str());
            let recorded = &shown[shown.iter().position(is_recorded).unwrap_or(shown.len())..];
            let others: Vec<&str> = texts.iter().copied().filter(|text| !text.starts_with(&own)).collect();
            recorded.is_empty() || others.windows(recorded.len()).any(|part| part == recorded)
        });
        assert!(is_part || shown.is_empty(), "{name} was shown {shown:?}");
    }

    /// The last id that anybody saw.
    pub fn last_id(&self, life: &str) -> u64 {
        self.events.get(life).and_then(|events| events.last_key_value()).map_or(0, |(&id, _)| id)
    }

    /// No gap, nothing twice, and everything that was acknowledged is there.
    pub fn check(&self) {
        for events in self.events.values() {
            let first = events.first_key_value().map_or(1, |(&id, _)| id);
            assert!(
                events.keys().copied().eq(first..first + events.len() as u64),
                "ids have gaps: {:?}",
                events.keys()
            );
            let mut said = HashSet::new();
            let twice = events.values().filter_map(|event| text_of(event)).find(|text| !said.insert(*text));
            assert_eq!(twice, None, "something was said twice");
        }
        for (life, id, text) in &self.acknowledged {
            let seen = self.events.get(life).and_then(|events| events.get(id)).and_then(|event| text_of(event));
            assert!(
                seen.is_some_and(|seen| seen.starts_with(text)),
                "acknowledged as {id}, but there is {seen:?}: {text}"
            );
        }
    }
}

/// Events are noted as `message NAME TEXT` or `enter NAME`; texts have no spaces.
fn text_of(event: &str) -> Option<&str> {
    event.strip_prefix("message ")?.split(' ').nth(1)
}
