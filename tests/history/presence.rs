//! Whether a room's record makes sense to somebody who reads it: nobody speaks, leaves or is renamed who has not
//! come, and no name is two people's. And nobody keeps order who never was an operator.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Life, number};

/// Reads a record from its first event on, as far as it is unbroken.
pub fn check<'a>(life: &Life, events: impl Iterator<Item = &'a Value>) {
    let mut present: BTreeSet<&str> = BTreeSet::new();
    // By their names, past ones included.
    let mut operators: BTreeSet<&str> = BTreeSet::new();
    for (event, expected) in events.zip(1..) {
        let id = number(event, "id");
        if id != expected {
            return;
        }
        let name = event["name"].as_str().expect("a name");
        let is_new = |is_new: bool, name: &str| assert!(is_new, "{life:?}: {name} is two people's name: {event}");
        let is_here = |is_here: bool| assert!(is_here, "{life:?}: {name} is not there: {event}");
        match event["type"].as_str().expect("a type") {
            "enter" => {
                // Where no operator is, there may be none at all, and then it becomes one.
                if !present.iter().any(|name| operators.contains(name)) {
                    operators.insert(name);
                }
                is_new(present.insert(name), name);
            }
            "part" => is_here(present.remove(name)),
            "nick" => {
                is_here(present.remove(name));
                let to = event["to"].as_str().expect("a name");
                if operators.contains(name) {
                    operators.insert(to);
                }
                is_new(present.insert(to), to);
            }
            "kick" => {
                is_here(present.remove(name));
                check_operator(life, event, &present, &mut operators);
            }
            // Whose message it was may be gone.
            "delete" if event["by"].is_string() => check_operator(life, event, &present, &mut operators),
            "topic" | "mode" => check_operator(life, event, &present, &mut operators),
            // Those who share files without coming in.
            _ if name.starts_with("guest") => (),
            _ => is_here(present.contains(name)),
        }
    }
}

/// Who does what operators do is there, and has been one: whoever came first, and whom one of them has made one. Of the
/// last one who parts nobody but the server knows; whoever takes its place says so itself.
fn check_operator<'a>(life: &Life, event: &'a Value, present: &BTreeSet<&'a str>, operators: &mut BTreeSet<&'a str>) {
    let (by, name) = (event["by"].as_str().expect("a name"), event["name"].as_str().expect("a name"));
    assert!(present.contains(by), "{life:?}: {by} is not there: {event}");
    let is_succession = event["change"] == "op" && by == name;
    assert!(is_succession || operators.contains(by), "{life:?}: {by} has never been an operator: {event}");
    if event["change"] == "op" {
        assert!(present.contains(name), "{life:?}: {name} is not there: {event}");
        operators.insert(name);
    }
}
