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
    /// Names that were acknowledged to be claimed, since anybody last wanted to give one up.
    acknowledged: BTreeSet<char>,
    /// Wishes to give a name up of which it is not known what has become. It may be any name.
    open_wishes: u32,
    /// How often that, or what is claimed, has become another matter.
    changes: u32,
}

impl Claims {
    /// All are lost.
    pub fn forget(&mut self) {
        self.acknowledged.clear();
        self.changes += 1;
        self.note_restart();
    }

    /// Some may be lost, and what anybody wished for may happen yet.
    pub fn doubt(&mut self) {
        self.acknowledged.clear();
        self.changes += 1;
    }

    /// The program was started again: whatever anybody wished for has happened, or never will.
    pub fn note_restart(&mut self) {
        self.open_wishes = 0;
    }

    /// Somebody wants to give up a name, which may be any.
    fn begin_wish(&mut self) {
        self.acknowledged.clear();
        self.changes += 1;
        self.open_wishes += 1;
    }

    /// That was answered.
    fn end_wish(&mut self) {
        self.changes += 1;
        self.open_wishes = self.open_wishes.saturating_sub(1);
    }

    /// What is acknowledged over a connection that is made now is true as long as this does not change.
    fn as_of(&self) -> Option<u32> {
        (self.open_wishes == 0).then_some(self.changes)
    }

    fn note_acknowledged(&mut self, name: &str, as_of: Option<u32>) {
        if as_of.is_some() && as_of == self.as_of() {
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
    /// What was known of claims when its connection was made.
    as_of: Option<u32>,
    /// It wants to give up a name, and then to go.
    unregisters: bool,
}

impl Person {
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    pub fn connect(&mut self, socket: usize, claims: &Claims) {
        let (token, as_of) = (self.token.take(), claims.as_of());
        *self = Person { socket: Some(socket), token, as_of, ..Person::default() };
        self.output.extend(b"/json\n");
    }

    pub fn lose(&mut self) {
        (self.socket, self.claiming) = (None, None);
    }

    /// The program has ended its connection in good order, so all that it sent was answered.
    pub fn end(&mut self, claims: &mut Claims) {
        if std::mem::take(&mut self.unregisters) {
            claims.end_wish();
        }
    }

    /// Does one thing.
    pub fn act(&mut self, room: &str, random: &mut StdRng, claims: &mut Claims) {
        if self.unregisters {
            return;
        }
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
                claims.begin_wish();
                self.unregisters = true;
                format!("/unregister {password}\n/quit")
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
                    claims.note_acknowledged(name, self.as_of);
                }
                (Some("error"), _) => self.claiming = None,
                _ => (),
            }
        }
    }
}
