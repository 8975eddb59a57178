//! People who claim names, show passwords, change them and give names up again, in the rooms of everybody else.
//!
//! They say nothing: what is looked at is who bears which name. Passwords are compared at once, by nobody's thread.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rand::RngExt;
use rand::rngs::StdRng;
use snugd::accounts::{Done, Job, PasswordWorker, Task};
use snugd::rooms::{Name, Password, PasswordHash};

/// The names that they want, of which two look alike.
pub const NAMES: [&str; 3] = ["p", "P", "q"];
const PASSWORDS: [&str; 2] = ["password one", "password two"];

/// Compares and hashes at once.
#[derive(Default)]
pub struct InstantPasswords(VecDeque<Done>);

fn hash(password: &Password) -> PasswordHash {
    PasswordHash::new(&String::from_utf8_lossy(password.as_bytes()))
}

impl PasswordWorker for InstantPasswords {
    fn submit(&mut self, job: Box<Job>) -> Result<(), Box<Job>> {
        let is_right = |password: &Password, known: &Option<PasswordHash>| known.as_ref() == Some(&hash(password));
        let result = match &job.task {
            Task::Verify { password, hash: known } => is_right(password, known).then_some(None),
            Task::Hash { password } => Some(Some(hash(password))),
            Task::Change { password, hash: known, new } => is_right(password, known).then(|| Some(hash(new))),
        };
        self.0.push_back(Done { job, result });
        Ok(())
    }

    fn take_done(&mut self) -> Option<Done> {
        self.0.pop_front()
    }

    fn has_done(&self) -> bool {
        !self.0.is_empty()
    }
}

/// Which claims everybody knows of.
#[derive(Default)]
pub struct Claims {
    /// Names that were acknowledged to be claimed, as long as nobody has wanted to give one up.
    acknowledged: BTreeSet<char>,
    /// A name may have been given up, or all may be lost, before or after an acknowledgement that is read from here on.
    is_unsure: bool,
}

impl Claims {
    /// From here on it is not known for sure which claims there are.
    pub fn forget(&mut self) {
        self.acknowledged.clear();
        self.is_unsure = true;
    }

    fn note_acknowledged(&mut self, name: &str) {
        if !self.is_unsure {
            self.acknowledged.insert(name.chars().next().expect("a name").to_ascii_lowercase());
        }
    }

    /// What all nodes agree on has one owner of each name, who bears it by right.
    pub fn check(&self, state: &str) {
        let mut accounts: BTreeMap<&str, Name> = BTreeMap::new();
        let mut members: Vec<(&str, Name)> = Vec::new();
        let mut bearing: BTreeMap<&str, &str> = BTreeMap::new();
        let name = |quoted: &str| Name::parse(quoted.trim_matches('"')).expect("a name");
        // Each room is followed by what is in it.
        for line in state.lines().chain(["room"]) {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["account", id, named, ..] => {
                    let named = name(named);
                    assert!(accounts.values().all(|other| !other.is_same(&named)), "two own {named}: {state}");
                    accounts.insert(id, named);
                }
                ["member", author, _, named, ..] => members.push((author, name(named))),
                ["bears", author, account] => drop(bearing.insert(author, account)),
                ["room", ..] => {
                    for (author, named) in members.drain(..) {
                        let owner = accounts.iter().find(|(_, owned)| owned.is_same(&named)).map(|(id, _)| *id);
                        assert_eq!(bearing.get(author).copied(), owner, "{named} is borne without right: {state}");
                    }
                    bearing.clear();
                }
                _ => (),
            }
        }
        for initial in &self.acknowledged {
            let is_there = accounts.values().any(|named| named.as_str().eq_ignore_ascii_case(&initial.to_string()));
            assert!(is_there, "the claim of {initial} was acknowledged and is lost: {state}");
        }
    }
}

/// One of them, at a program's terminal.
#[derive(Default)]
pub struct Person {
    pub socket: Option<usize>,
    received: Vec<u8>,
    output: Vec<u8>,
    /// The name that it wants to claim, until that is answered.
    claiming: Option<char>,
    token: Option<String>,
}

impl Person {
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    pub fn connect(&mut self, socket: usize) {
        *self = Person { socket: Some(socket), token: self.token.take(), ..Person::default() };
        self.output.extend(b"/json\n");
    }

    pub fn lose(&mut self) {
        (self.socket, self.claiming) = (None, None);
    }

    /// Does one thing.
    pub fn act(&mut self, room: &str, random: &mut StdRng, claims: &mut Claims) {
        let mut pick = |of: &[&'static str]| of[random.random_range(0..of.len())];
        let (name, password, other) = (pick(&NAMES), pick(&PASSWORDS), pick(&PASSWORDS));
        let line = match random.random_range(0..9) {
            0 | 1 => {
                let token = self.token.as_deref().filter(|_| random.random_bool(0.7)).unwrap_or_default();
                format!("/join {room} {name} {token}").trim_end().to_owned()
            }
            2 | 3 if self.claiming.is_none() => {
                self.claiming = Some('?');
                format!("/register {password}")
            }
            4 | 5 => format!("/login {name} {password}"),
            6 => format!("/password \"{password}\" {other}"),
            7 if random.random_bool(0.1) => {
                // It may be any that it is known to own.
                claims.forget();
                format!("/unregister {password}")
            }
            _ => format!("/nick {name}"),
        };
        self.output.extend(format!("{line}\n").as_bytes());
    }

    pub fn receive(&mut self, bytes: &[u8], claims: &mut Claims) {
        self.received.extend(bytes);
        while let Some(end) = self.received.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.received.drain(..=end).collect();
            let Ok(object) = serde_json::from_slice::<serde_json::Value>(&line) else { continue };
            match (object["type"].as_str(), object["account"].as_str()) {
                (Some("joined"), _) => self.token = object["token"].as_str().map(str::to_owned),
                // A login says the same of a name that is claimed.
                (Some("ok"), Some(name)) => {
                    self.claiming = None;
                    claims.note_acknowledged(name);
                }
                (Some("error"), _) => self.claiming = None,
                _ => (),
            }
        }
    }
}
