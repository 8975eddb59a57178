//! Telnet commands in the input (RFC 854): taken out, and answered where an answer is due.
//!
//! Nothing is ever agreed to, and nothing asked for but that a password does not show (ECHO, RFC 857): both sides stay
//! plain network virtual terminals.

/// Interpret As Command: begins every telnet command.
pub(super) const IAC: u8 = 255;
const DONT: u8 = 254;
const DO: u8 = 253;
const WONT: u8 = 252;
const WILL: u8 = 251;
const SB: u8 = 250;
const EL: u8 = 248;
const EC: u8 = 247;
const AYT: u8 = 246;
const IP: u8 = 244;
const BRK: u8 = 243;
const SE: u8 = 240;
const ABORT: u8 = 238;
/// End of file (RFC 1184, 2.5).
const EOF: u8 = 236;
/// The lowest byte that is a command; those not named here need no attention.
const FIRST_COMMAND: u8 = EOF;

/// The option TIMING-MARK (RFC 860): a telnet shows nothing more until its DO is answered.
const TIMING_MARK: u8 = 6;

/// The option ECHO (RFC 857): who echoes is not echoed by the other side, and we never do.
const ECHO: u8 = 1;

/// A subnegotiation is skipped up to this length: we agree to no option, so there should be none at all.
const MAX_SUBNEGOTIATION_BYTES: u16 = 1024;

/// What a received byte turned out to be.
pub(super) enum Fed {
    /// Part of a command, or a command that is done with.
    Nothing,
    /// Data.
    Data(u8),
    /// A byte after IAC that is no command: both are data, from a peer that does not speak telnet.
    NoCommand(u8),
    /// Interrupt process or break.
    Interrupt,
    /// Abort.
    Abort,
    /// End of file.
    EndOfFile,
    /// Erase character.
    EraseCharacter,
    /// Erase line.
    EraseLine,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Position {
    #[default]
    Data,
    /// After IAC.
    Command,
    /// After IAC and WILL, WONT, DO or DONT.
    Negotiation { verb: u8 },
    /// Within IAC SB …
    Subnegotiation { left: u16 },
    /// After an IAC within it.
    SubnegotiationCommand { left: u16 },
}

/// Where in a telnet command the input is, and what has been refused.
#[derive(Default, PartialEq)]
pub(super) struct Telnet {
    place: Position,
    /// Present once something has been.
    refused: Option<Box<Refused>>,
    /// The peer has negotiated: it speaks telnet.
    has_negotiated: bool,
    /// What is typed does not show.
    hides_echo: bool,
}

/// The options refused so far, a bit each: a refusal is said once, so that two sides that refuse each
/// other's refusals do not do so for ever.
#[derive(Default, PartialEq)]
struct Refused {
    offers: [u64; 4],
    requests: [u64; 4],
}

impl Telnet {
    pub(super) fn is_idle(&self) -> bool {
        self.place == Position::Data
    }

    /// Takes the next byte; appends the answer, if one is due.
    pub(super) fn feed(&mut self, byte: u8, answers: &mut Vec<u8>) -> Fed {
        let (place, heard) = match (self.place, byte) {
            (Position::Data, IAC) => (Position::Command, Fed::Nothing),
            (Position::Data, _) => (Position::Data, Fed::Data(byte)),
            (Position::Command, WILL..=DONT) => (Position::Negotiation { verb: byte }, Fed::Nothing),
            (Position::Command, SB) => (Position::Subnegotiation { left: MAX_SUBNEGOTIATION_BYTES }, Fed::Nothing),
            (Position::Command, _) => (Position::Data, execute(byte, answers)),
            (Position::Negotiation { verb }, option) => {
                self.has_negotiated = true;
                self.refuse(verb, option, answers);
                (Position::Data, Fed::Nothing)
            }
            (Position::Subnegotiation { left: 0 }, _) => (Position::Data, Fed::Nothing),
            (Position::Subnegotiation { left }, IAC) => (Position::SubnegotiationCommand { left }, Fed::Nothing),
            (Position::SubnegotiationCommand { .. }, SE) => (Position::Data, Fed::Nothing),
            (Position::Subnegotiation { left } | Position::SubnegotiationCommand { left }, _) => {
                (Position::Subnegotiation { left: left.saturating_sub(1) }, Fed::Nothing)
            }
        };
        self.place = place;
        heard
    }

    /// Answers WILL with DONT and DO with WONT; WONT and DONT tell us what is so already.
    fn refuse(&mut self, verb: u8, option: u8, answers: &mut Vec<u8>) {
        if (verb, option) == (DO, TIMING_MARK) {
            answers.extend([IAC, WONT, TIMING_MARK]);
            return;
        }
        if verb == WONT || verb == DONT {
            return;
        }
        if (verb, option) == (DO, ECHO) && self.hides_echo {
            // The answer to ours.
            return;
        }
        let refused = self.refused.get_or_insert_default();
        let (options, answer) = if verb == WILL { (&mut refused.offers, DONT) } else { (&mut refused.requests, WONT) };
        let bit = 1 << (option % 64);
        let word = &mut options[usize::from(option / 64)];
        if *word & bit == 0 {
            *word |= bit;
            answers.extend([IAC, answer, option]);
        }
    }

    /// Has a peer that speaks telnet show nothing of what is typed. Returns whether it is one.
    pub(super) fn hide_echo(&mut self, answers: &mut Vec<u8>) -> bool {
        if self.has_negotiated && !std::mem::replace(&mut self.hides_echo, true) {
            answers.extend([IAC, WILL, ECHO]);
        }
        self.hides_echo
    }

    /// Has it show again what is typed. Returns whether it did not.
    pub(super) fn show_echo(&mut self, answers: &mut Vec<u8>) -> bool {
        let was_hidden = std::mem::take(&mut self.hides_echo);
        if was_hidden {
            answers.extend([IAC, WONT, ECHO]);
        }
        was_hidden
    }

    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        self.refused.as_ref().map_or(0, |_| size_of::<Refused>())
    }
}

/// Whether there may be a command in `bytes` by which the input ends; they may begin within one.
pub(super) fn may_end_input(is_within_command: bool, bytes: &[u8]) -> bool {
    let ends = |byte: u8| matches!(byte, EOF | ABORT);
    is_within_command && bytes.first().is_some_and(|&byte| ends(byte))
        || bytes.windows(2).any(|pair| pair[0] == IAC && ends(pair[1]))
}

fn execute(command: u8, answers: &mut Vec<u8>) -> Fed {
    match command {
        IAC => Fed::Data(IAC),
        AYT => {
            answers.extend(b"[yes]\r\n");
            Fed::Nothing
        }
        IP | BRK => Fed::Interrupt,
        ABORT => Fed::Abort,
        EOF => Fed::EndOfFile,
        EC => Fed::EraseCharacter,
        EL => Fed::EraseLine,
        0..FIRST_COMMAND => Fed::NoCommand(command),
        _ => Fed::Nothing,
    }
}
