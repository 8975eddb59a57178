//! What many clients are told many times is kept once: a history of hundreds of thousands of events would need gigabytes
//! otherwise.

use std::collections::HashSet;
use std::hash::Hash;
use std::rc::Rc;

use serde_json::Value;

use super::Life;

/// Whatever was told so far. What is equal is the same here.
#[derive(Default, Debug)]
pub struct Kept {
    lives: HashSet<Rc<Life>>,
    texts: HashSet<Rc<str>>,
    events: HashSet<Rc<Value>>,
}

impl Kept {
    pub fn life(&mut self, life: &Life) -> Rc<Life> {
        once(&mut self.lives, life, |life| Rc::new(life.clone()))
    }

    pub fn text(&mut self, text: &str) -> Rc<str> {
        once(&mut self.texts, text, |text| Rc::from(text))
    }

    pub fn event(&mut self, event: &Value) -> Rc<Value> {
        once(&mut self.events, event, |event| Rc::new(event.clone()))
    }

    pub fn answer(&mut self, answer: &Value) -> Answer {
        let events = answer["events"].as_array().expect("a list of events");
        let fields = answer.as_object().expect("an object").iter().filter(|(_, value)| !value.is_array());
        Answer {
            fields: fields.map(|(name, value)| (name.clone(), value.clone())).collect(),
            events: events.iter().map(|event| self.event(event)).collect(),
        }
    }
}

fn once<T: Eq + Hash + ?Sized>(known: &mut HashSet<Rc<T>>, told: &T, keep: impl FnOnce(&T) -> Rc<T>) -> Rc<T> {
    if let Some(kept) = known.get(told) {
        return kept.clone();
    }
    let kept = keep(told);
    known.insert(kept.clone());
    kept
}

/// What the server answers with events.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Whatever else it says, but for other lists: of who is there, nothing is judged.
    pub fields: Value,
    pub events: Vec<Rc<Value>>,
}
