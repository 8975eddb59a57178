//! `snugd join`: a client for terminals and scripts.
//!
//! It speaks the contract's WebSocket messages, like a page. `conversation` is what is said and what becomes of it,
//! with `outbox` for what is not acknowledged, `room` for what is known of the room and `commands` for what is typed;
//! `transcript` is what is shown, in the words of [`mod@crate::line`]. None of them knows a socket or a terminal. `link` is the
//! connection, `driver` the loop; `interactive` with `editor`, `screen` and `palette` is for people, `plain` for
//! pipes. Nothing of the server is used but its words and types.

mod address;
mod commands;
mod completion;
mod conversation;
mod driver;
mod editor;
mod handshake;
mod incoming;
mod interactive;
mod link;
mod outbox;
mod palette;
mod plain;
mod program;
mod room;
mod screen;
#[cfg(feature = "tls")]
mod tls;
mod transcript;

use std::io::IsTerminal;
use std::path::Path;

use address::Address;
use conversation::{Conversation, Reader, Settings};
use driver::Driver;
use link::Place;
use palette::Colours;

use crate::line::LocalClock;
use crate::options::{ColourChoice, Exit, JoinOptions};
use crate::rooms::Name;

const FAILED: u8 = 1;
const UNUSABLE_FILE: u8 = 4;

/// How long a script tries to come back, unless told otherwise.
const GIVE_UP_MS: u64 = 10 * 60 * 1000;

/// Enters a room, and stays in it until somebody leaves.
///
/// # Errors
/// The exit status, and the sentence to print.
pub fn run(options: &JoinOptions) -> Result<(), Exit> {
    let (address, room) =
        Address::read(&options.address, options.code.as_deref()).map_err(|why| Exit::misused(&why))?;
    let is_person = !options.json && plain::has_terminal();
    let reader = match (options.json, is_person) {
        (true, _) => Reader::Program,
        (false, true) => Reader::Person,
        (false, false) => Reader::Lines,
    };
    let name = match &options.name {
        Some(typed) => {
            let no_name = || Exit::misused(&format!("{typed:?} is no name: 1 to 32 visible characters."));
            Some(Name::parse(typed).ok_or_else(no_name)?)
        }
        None if is_person => None,
        None => {
            return Err(Exit::misused("Without a terminal there is nobody to ask for a name: give it with --name."));
        }
    };
    let settings = Settings {
        home_url: address.home_url(),
        room,
        name,
        password: options.password_file.as_deref().map(read_secret).transpose()?,
        key: options.key_file.as_deref().map(read_secret).transpose()?,
        reader,
        give_up_ms: options.give_up.or_else(|| (!is_person).then_some(GIVE_UP_MS)),
    };
    let place = Place {
        address,
        #[cfg(feature = "tls")]
        trust: tls::Trust::read(options.ca.as_deref()).map_err(|why| Exit::failed(UNUSABLE_FILE, &why))?,
    };
    let driver = Driver::new(Conversation::new(settings, LocalClock::system()), place);
    let variable = |name: &str| std::env::var(name).ok();
    let ended = if is_person {
        let colours = match options.color {
            ColourChoice::Auto => Colours::of(variable),
            ColourChoice::Always => Colours::of_terminal(variable),
            ColourChoice::Never => Colours::None,
        };
        let login = variable("USER").or_else(|| variable("USERNAME")).unwrap_or_default();
        interactive::run(driver, colours, options.bell, &login)
    } else {
        let colours = match options.color {
            ColourChoice::Auto if std::io::stdout().is_terminal() => Some(Colours::of(variable)),
            ColourChoice::Always => Some(Colours::of_terminal(variable)),
            ColourChoice::Auto | ColourChoice::Never => None,
        };
        plain::run(driver, colours)
    };
    let ending = ended.map_err(|error| Exit::failed(FAILED, &format!("The terminal cannot be used ({error}).")))?;
    match (ending.status, ending.sentence) {
        (0, _) => Ok(()),
        (status, Some(sentence)) => Err(Exit::failed(status, &sentence)),
        (status, None) => Err(Exit::failed(status, "Something was refused.")),
    }
}

/// The first line of a file.
fn read_secret(file: &Path) -> Result<String, Exit> {
    let unusable = |why: &str| {
        let sentence =
            format!("{} cannot be read ({why}); name a file whose first line is the secret.", file.display());
        Exit::failed(UNUSABLE_FILE, &sentence)
    };
    let text = std::fs::read_to_string(file).map_err(|error| unusable(&error.to_string()))?;
    match text.lines().next().map(str::trim_end).filter(|line| !line.is_empty()) {
        Some(line) => Ok(line.to_owned()),
        None => Err(unusable("it is empty")),
    }
}
