//! Events: what a room's history consists of, in order.

use std::borrow::Cow;

use super::{Annotations, Emoji, MessageKey, ModeChange, Name, Quote, Text};

/// How a member is connected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Via {
    /// A browser or another WebSocket client.
    Web,
    /// A terminal: `nc`, telnet, a script.
    Line,
}

impl Via {
    /// Reads the word that [`as_str`](Self::as_str) gives.
    pub fn parse(word: &str) -> Option<Via> {
        [Via::Web, Via::Line].into_iter().find(|via| via.as_str() == word)
    }

    /// The word shown to people and sent to clients.
    pub fn as_str(self) -> &'static str {
        match self {
            Via::Web => "web",
            Via::Line => "line",
        }
    }
}

/// Said plainly, or in the third person (`/me`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Kind {
    /// `ana: hello`
    #[default]
    Say,
    /// `ana waves`
    Me,
}

impl Kind {
    /// The word sent to clients.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Say => "say",
            Kind::Me => "me",
        }
    }
}

/// Distinguishes the members a room has had; a member who comes back by token keeps it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct AuthorId(pub u32);

/// One event of a room's history.
#[derive(Clone, PartialEq, Debug)]
pub struct Event {
    /// The room's next number: 1, 2, 3 … without gaps. It has none (0) until the journal gives it one or the change is
    /// committed: one that is never stored leaves no gap.
    pub id: u64,
    /// When it was proposed, by the server's clock: milliseconds since 1970, UTC. The order is the ids' alone.
    pub time_ms: u64,
    /// Whose event it is, by the name at that time.
    pub name: Name,
    /// How that member was connected.
    pub via: Via,
    /// Whose event it is, for the room itself.
    pub author: AuthorId,
    /// Which kind of event it is, and what it says.
    pub body: Body,
}

impl Event {
    /// Bytes of its texts.
    pub(super) fn text_bytes(&self) -> usize {
        let own = match &self.body {
            Body::Message { text, annotations, .. } => {
                text.as_str().len() + annotations.as_ref().map_or(0, |annotations| annotations.text_bytes())
            }
            Body::Edit { text, .. } => text.as_ref().map_or(0, |text| text.as_str().len()),
            Body::Nick { to } => to.as_str().len(),
            Body::Reaction { emoji, .. } => emoji.as_str().len(),
            Body::Deleted { .. } | Body::Delete { .. } | Body::Enter | Body::Part => 0,
            Body::Topic { text } => text.as_ref().map_or(0, |text| text.as_str().len()),
            Body::Mode { change } => change.name().map_or(0, |name| name.as_str().len()),
            Body::Kick { name, reason } => {
                name.as_str().len() + reason.as_ref().map_or(0, |reason| reason.as_str().len())
            }
        };
        self.name.as_str().len() + own
    }

    /// Who said it and under which client id, if it is a message, or a correction of one, that has one.
    pub fn message_key(&self) -> Option<(AuthorId, &MessageKey)> {
        match &self.body {
            Body::Message { cid: Some(key), .. }
            | Body::Deleted { cid: Some(key), .. }
            | Body::Edit { cid: Some(key), .. } => Some((self.author, key)),
            _ => None,
        }
    }
}

/// Which kind of event it is, and what it says.
#[derive(Clone, PartialEq, Debug)]
pub enum Body {
    /// Something was said.
    Message {
        /// Plainly or in the third person.
        kind: Kind,
        /// What was said.
        text: Text,
        /// The sender's own id for it.
        cid: Option<MessageKey>,
        /// What else there is to it, if there is anything.
        annotations: Option<Box<Annotations>>,
    },
    /// A message in its last state: its text was deleted. Only histories have it.
    Deleted {
        /// How it was said.
        kind: Kind,
        /// The sender's own id for it.
        cid: Option<MessageKey>,
    },
    /// A message was corrected by its author.
    Edit {
        /// Which message.
        of: u64,
        /// What it says now, after all corrections; `None`, if it was deleted since.
        text: Option<Text>,
        /// The sender's own id for the correction.
        cid: Option<MessageKey>,
    },
    /// The text of a message was deleted.
    Delete {
        /// Which message.
        of: u64,
        /// Whose, by the name at that time, if it was somebody else's.
        of_whom: Option<Name>,
    },
    /// The member reacted to a message.
    Reaction {
        /// To which message.
        of: u64,
        /// With what.
        emoji: Emoji,
        /// `false`: takes it back.
        on: bool,
        /// What the message says, for those who are shown it. Never stored.
        quote: Option<Box<Quote>>,
    },
    /// The member came into the room.
    Enter,
    /// The member is gone.
    Part,
    /// The member took another name.
    Nick {
        /// The name from here on.
        to: Name,
    },
    /// An operator has said what the room is about.
    Topic {
        /// `None`: nothing any more.
        text: Option<Text>,
    },
    /// An operator has changed something of the room or of a member.
    Mode {
        /// What.
        change: ModeChange,
    },
    /// An operator has thrown a member out.
    Kick {
        /// The member's name.
        name: Name,
        /// Why, in the operator's words.
        reason: Option<Text>,
    },
}

impl Body {
    /// Whether an operator has done it as one.
    pub fn is_moderation(&self) -> bool {
        matches!(self, Body::Topic { .. } | Body::Mode { .. } | Body::Kick { .. })
    }

    /// What a search of this looks at: the text of a message, and the name of its file.
    pub fn searched_text(&self) -> Option<Cow<'_, str>> {
        let Body::Message { text, .. } = self else { return None };
        Some(match self.file() {
            None => text.as_str().into(),
            Some(file) => format!("{}\n{}", file.name, text.as_str()).into(),
        })
    }

    /// Whether who is muted may not do it. Another name is refused to it where it asks for one, but it loses one that is
    /// claimed.
    pub(super) fn needs_voice(&self) -> bool {
        matches!(self, Body::Message { .. } | Body::Edit { .. } | Body::Reaction { .. })
    }

    /// The text as which a kick is remembered: the name and, behind a line break, the reason.
    pub fn kick_text(name: &Name, reason: Option<&Text>) -> String {
        let reason = reason.map_or(String::new(), |reason| format!("\n{}", reason.as_str()));
        format!("{name}{reason}")
    }

    /// Reads what [`kick_text`](Self::kick_text) gives.
    pub fn parse_kick(text: &str) -> Option<Body> {
        let (name, reason) = text.split_once('\n').map_or((text, None), |(name, reason)| (name, Some(reason)));
        (!name.is_empty()).then(|| Body::Kick { name: Name::known(name), reason: reason.map(Text::known) })
    }
}
