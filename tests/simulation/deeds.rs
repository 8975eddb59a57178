//! What clients do, drawn by chance.

use rand::RngExt;
use rand::rngs::StdRng;

use crate::history::History;
use crate::history::client::Client;
use crate::people;

/// What operators do. Others try to.
const MODERATION: [&str; 8] = ["op", "op", "deop", "kick", "ban", "unban", "mute", "topic"];

/// Names that several clients want to have.
const WANTED_NAMES: [&str; 3] = ["x", "y", "z"];

/// What is left to whoever carries a client's bytes.
pub enum Deed {
    Nothing,
    /// Over a new connection it comes again.
    Connect,
    /// Its connection breaks.
    Break,
    /// It sends no more.
    End,
    /// It leaves the room.
    Leave,
    /// It reads some of what has come.
    Read,
}

/// One client does one thing.
pub fn act(clients: &mut [Client], number: usize, random: &mut StdRng, history: &mut History) -> Deed {
    let count = clients.len();
    let client = &mut clients[number];
    match random.random_range(0..100) {
        0..8 if !client.is_joined() => return Deed::Connect,
        _ if client.link().is_none() => return Deed::Connect,
        0..32 => {
            let bytes = random.random_range(0..300);
            client.say(bytes, history);
        }
        32..40 => client.amend(random.random_range(0..4), random.random_range(0..100_000), history),
        40..44 => client.type_something(),
        44..47 => return Deed::Break,
        47..49 => return Deed::End,
        49..51 if client.can_take_over() => return Deed::Connect,
        51..56 if client.was_refused() => client.join(history),
        56..59 if client.has_refused() => match random.random_bool(0.5) {
            true => client.retry(history),
            false => client.discard(),
        },
        59..62 => {
            client.rename(WANTED_NAMES[random.random_range(0..WANTED_NAMES.len())]);
            match random.random_range(0..10) {
                0..5 => client.say(20, history),
                5..7 => return Deed::Leave,
                _ => (),
            }
        }
        62..66 => {
            let before = random.random_range(0..client.last_id() + 2);
            client.ask((before > 0).then_some(before), random.random_range(1..30));
        }
        66..68 => return Deed::Leave,
        72..74 => {
            // What was said last, rather than something else.
            let speaker = random.random_range(0..count);
            let said = clients[speaker].said();
            let back = random.random_range(0..5);
            let words = format!("c{speaker}-{}", said.saturating_sub(back * back).max(1));
            let client = &mut clients[number];
            let before = random.random_range(0..3 * (client.last_id() + 2));
            let before = (1..=client.last_id()).contains(&before).then_some(before);
            client.search(words, before, random.random_range(1..30));
        }
        68..72 => {
            let action = MODERATION[random.random_range(0..MODERATION.len())];
            let name = match random.random_range(0..10) {
                0..6 => format!("c{}", random.random_range(0..count)),
                6..8 => WANTED_NAMES[random.random_range(0..WANTED_NAMES.len())].to_owned(),
                // Those who want names of their own.
                _ => people::NAMES[random.random_range(0..people::NAMES.len())].to_owned(),
            };
            client.moderate(action, &name, random.random_range(1..20));
        }
        _ => return Deed::Read,
    }
    Deed::Nothing
}
