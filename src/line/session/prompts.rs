//! In no room: what is asked at the prompts, and what the answers make of it.

use super::{Line, Stage};
use crate::line::command::{self, CommandFault, TypedCommand};
use crate::line::output_format::OutputFormat;
use crate::rooms::{Command, Join, JoinTarget, Name, Password, Refusal, RoomKey, Token};
use crate::session_api::Step;
use crate::time::Now;

/// A terminal that is in no room is closed after this time without input.
pub(super) const PROMPT_TIMEOUT_MS: u64 = 120_000;

/// What is told of a line that is no command, where nothing was asked.
const NOT_ASKED: &str = "You are in no room: nobody has seen that. An empty line asks for what is missing.";

/// Someone in no room.
#[derive(Default)]
pub(super) struct Unjoined {
    /// The name given so far.
    pub(super) name: Option<Name>,
    /// The room asked for.
    target: Option<JoinTarget>,
    /// That room has a key, which is asked for next.
    wants_key: bool,
    /// The key that was given for it, while the rest is asked for.
    key: Option<RoomKey>,
    /// When its time is up.
    pub(super) deadline_ms: u64,
    /// Something has been typed: this is no HTTP client.
    pub(super) has_typed: bool,
    /// The name needs a password, which is asked for.
    pub(super) asks_password: bool,
    /// It has told in one command all that is asked for, as scripts do: what it sends next answers no question.
    asks_nothing: bool,
    /// It has shown whose name it is, and now goes where it wanted to.
    pub(super) goes_on: bool,
}

/// What is asked for, a password apart.
enum Question {
    Name,
    Key,
    Room,
}

impl Unjoined {
    /// Somebody new, who has as long as anybody to say something.
    pub(super) fn new(now: Now) -> Unjoined {
        Unjoined { deadline_ms: now.steady_ms + PROMPT_TIMEOUT_MS, ..Unjoined::default() }
    }

    /// Whether it is known as whom and where it wants to go in.
    pub(super) fn is_complete(&self) -> bool {
        self.name.is_some() && self.target.is_some()
    }

    /// What is asked for next.
    fn question(&self) -> Option<Question> {
        match self {
            Unjoined { name: Some(_), wants_key: true, .. } => Some(Question::Key),
            Unjoined { asks_nothing: true, .. } => None,
            Unjoined { name: None, .. } => Some(Question::Name),
            _ => Some(Question::Room),
        }
    }

    /// Whoever does not know the password takes another name, and whoever does not know the key another room.
    pub(super) fn give_up_answer(&mut self, asks_password: bool) {
        self.asks_nothing = false;
        if asks_password {
            self.name = None;
        } else if self.name.is_some() && self.wants_key {
            (self.target, self.wants_key) = (None, false);
        }
    }
}

impl Line {
    /// The line that comes next is no password any more; what is typed shows again.
    pub(super) fn stop_asking_password(&mut self, outbox: &mut Vec<u8>) -> bool {
        let Stage::Unjoined(unjoined) = &mut self.stage else { return false };
        let asks_password = std::mem::take(&mut unjoined.asks_password);
        if asks_password && self.editor.show_echo(outbox) {
            // The end of the line that did not show.
            self.format.end_prompt(outbox);
        }
        asks_password
    }

    /// Takes a line as the password that was asked for.
    pub(super) fn take_password(&mut self, typed: &str, outbox: &mut Vec<u8>) -> Option<Step> {
        let Stage::Unjoined(unjoined) = &mut self.stage else { return None };
        match Password::parse(typed) {
            Ok(password) => match self.enter_or_ask(None, outbox) {
                Some(Step::Command(join)) => Some(Step::Command(Command::WithPassword(Box::new(join), password))),
                step => step,
            },
            Err(fault) => {
                unjoined.asks_password = true;
                self.format.refuse("bad_request", fault, outbox);
                self.prompt(outbox);
                None
            }
        }
    }

    pub(super) fn join(
        &mut self,
        target: JoinTarget,
        name: Option<Name>,
        token: Option<Token>,
        outbox: &mut Vec<u8>,
    ) -> Option<Step> {
        match &mut self.stage {
            Stage::Unjoined(unjoined) => {
                unjoined.target = Some(target);
                (unjoined.wants_key, unjoined.key) = (false, None);
                unjoined.name = name.or_else(|| unjoined.name.take());
                unjoined.asks_nothing = unjoined.is_complete();
                self.enter_or_ask(token, outbox)
            }
            Stage::Joined(..) => Some(join_command(target, name, true, token, None)),
        }
    }

    /// Takes a line as the answer to the prompt that waits for one.
    pub(super) fn answer_prompt(&mut self, typed: &str, outbox: &mut Vec<u8>) -> Option<Step> {
        let Stage::Unjoined(unjoined) = &mut self.stage else { return None };
        let understood = match unjoined.question() {
            Some(Question::Name) => command::parse_name(typed).map(|name| unjoined.name = Some(name)),
            Some(Question::Key) => command::parse_key(typed).map(|key| unjoined.key = Some(key)),
            Some(Question::Room) => command::parse_target(typed).map(|target| unjoined.target = Some(target)),
            None => {
                self.format.refuse("not_joined", NOT_ASKED, outbox);
                return None;
            }
        };
        match understood {
            Ok(()) => self.enter_or_ask(None, outbox),
            Err(fault) => self.refuse(fault, outbox),
        }
    }

    /// Goes in, if it is known as whom and where; else asks for what is missing.
    pub(super) fn enter_or_ask(&mut self, token: Option<Token>, outbox: &mut Vec<u8>) -> Option<Step> {
        if let Stage::Unjoined(unjoined) = &self.stage
            && let Unjoined { name: name @ Some(_), target: Some(target), key, .. } = &**unjoined
        {
            return Some(join_command(*target, name.clone(), false, token, key.clone()));
        }
        self.prompt(outbox);
        None
    }

    /// Asks for what is missing, if anything is.
    pub(super) fn prompt(&mut self, outbox: &mut Vec<u8>) {
        if let Stage::Unjoined(unjoined) = &self.stage {
            if unjoined.asks_password {
                if !self.editor.hide_echo(outbox) {
                    self.format.notice("What you type now shows on your screen.", outbox);
                }
                return self.format.prompt("Password: ", outbox);
            }
            let question = match unjoined.question() {
                Some(Question::Name) => "Name: ",
                Some(Question::Key) => "Key: ",
                Some(Question::Room) => "Room code, or \"new\": ",
                None => return,
            };
            self.format.prompt(question, outbox);
        }
    }

    /// Ends the line of the prompt that nobody answers, if there is one.
    pub(super) fn end_prompt(&self, outbox: &mut Vec<u8>) {
        if matches!(self.stage, Stage::Unjoined(_)) {
            self.format.end_prompt(outbox);
        }
    }

    /// Passes on a refusal, and asks again for what it concerns.
    pub(super) fn pass_on(&mut self, refusal: &Refusal, outbox: &mut Vec<u8>) {
        let mut advice = "";
        let wants_key = matches!(refusal, Refusal::KeyRequired { .. });
        if let Stage::Unjoined(unjoined) = &mut self.stage {
            match refusal {
                Refusal::NameTaken { .. } => {
                    unjoined.name = None;
                    advice = if unjoined.asks_nothing { " /nick NAME takes another." } else { " Another name?" };
                }
                // A program does not know that the next line would be a password.
                Refusal::PasswordRequired { .. } | Refusal::PasswordWrong
                    if self.format == OutputFormat::Person && unjoined.is_complete() =>
                {
                    unjoined.asks_password = true;
                }
                Refusal::AccountRequired | Refusal::NameClaimed { .. } | Refusal::PasswordRequired { .. } => {
                    unjoined.name = None;
                }
                Refusal::PasswordWrong
                | Refusal::RegistrationClosed
                | Refusal::NotLoggedIn
                | Refusal::NameLost { .. } => (),
                Refusal::NameRequired => unjoined.name = None,
                Refusal::KeyRequired { .. } => (unjoined.wants_key, unjoined.key) = (true, None),
                Refusal::NotJoined => (),
                _ => {
                    (unjoined.target, unjoined.wants_key, unjoined.key) = (None, false, None);
                    advice = if unjoined.asks_nothing { " An empty line asks for a room." } else { "" };
                }
            }
        } else if matches!(refusal, Refusal::PasswordRequired { .. }) {
            advice = " /login NAME PASSWORD";
        } else if wants_key {
            advice = " Leave this room first; then you are asked for it.";
        }
        self.format.pass_on(refusal, advice, outbox);
        self.prompt(outbox);
    }

    /// Is in no room any more; the name is kept for the next.
    pub(super) fn become_unjoined(&mut self, name: Name, now: Now) {
        let unjoined = Unjoined { name: Some(name), has_typed: true, ..Unjoined::new(now) };
        self.stage = Stage::Unjoined(Box::new(unjoined));
    }
}

/// Whether a line that is typed where a password is asked for is one, or another way to go on.
pub(super) fn ends_asking(line: &str) -> bool {
    use TypedCommand::{Account, Join, Json, Nick, Quit, Text};
    let parsed = command::parse(line);
    matches!(
        parsed,
        Ok(Text(_) | Join { .. } | Nick(_) | Account(_) | Json | Quit) | Err(CommandFault::UnknownCommand(_))
    )
}

/// A terminal is in one room.
fn join_command(
    target: JoinTarget,
    name: Option<Name>,
    keeps_name: bool,
    token: Option<Token>,
    key: Option<RoomKey>,
) -> Step {
    let (stays_elsewhere, since, epoch) = (false, None, None);
    let join = Join { target, stays_elsewhere, name, keeps_name, token, since, epoch, key };
    Step::Command(Command::Join(Box::new(join)))
}
