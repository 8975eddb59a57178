//! Whether a room's record makes sense to somebody who reads it: nobody speaks, leaves or is renamed who has not
//! come, and no name is two people's.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Life, number};

/// Reads a record from its first event on, as far as it is unbroken.
pub fn check<'a>(life: &Life, events: impl Iterator<Item = &'a Value>) {
    let mut present: BTreeSet<&str> = BTreeSet::new();
    for (event, expected) in events.zip(1..) {
        let id = number(event, "id");
        if id != expected {
            return;
        }
        let name = event["name"].as_str().expect("a name");
        let is_new = |is_new: bool, name: &str| assert!(is_new, "{life:?}: {name} is two people's name: {event}");
        let is_here = |is_here: bool| assert!(is_here, "{life:?}: {name} is not there: {event}");
        match event["type"].as_str().expect("a type") {
            "enter" => is_new(present.insert(name), name),
            "part" => is_here(present.remove(name)),
            "nick" => {
                is_here(present.remove(name));
                let to = event["to"].as_str().expect("a name");
                is_new(present.insert(to), to);
            }
            _ => is_here(present.contains(name)),
        }
    }
}
