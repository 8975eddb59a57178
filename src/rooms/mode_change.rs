//! What an operator changes of a room or of a member in it, and the one line of text as which that is remembered.

use super::Name;

/// What an operator has changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ModeChange {
    /// A member is an operator from here on.
    Op(Name),
    /// Somebody is none any more.
    Deop(Name),
    /// Somebody is kept out.
    Ban {
        /// The name it is known by.
        name: Name,
        /// For so long.
        seconds: u64,
    },
    /// Who goes by this name is kept out no more.
    Unban(Name),
    /// A member may read, and say nothing.
    Mute {
        /// Its name.
        name: Name,
        /// For so long; `None`: until it is unmuted.
        seconds: Option<u64>,
    },
    /// A member may speak again.
    Unmute(Name),
    /// Nobody comes in who is not known in the room.
    Lock,
    /// Everybody may come in again.
    Unlock,
    /// Who is not known in the room has to give a key. Which one is told to nobody.
    Key,
    /// No key is asked for any more.
    Unkey,
    /// Each member that is no operator may say one thing in this time.
    Slow {
        /// 0: as often as it likes.
        seconds: u32,
    },
}

impl ModeChange {
    /// The contract's word for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            ModeChange::Op(_) => "op",
            ModeChange::Deop(_) => "deop",
            ModeChange::Ban { .. } => "ban",
            ModeChange::Unban(_) => "unban",
            ModeChange::Mute { .. } => "mute",
            ModeChange::Unmute(_) => "unmute",
            ModeChange::Lock => "lock",
            ModeChange::Unlock => "unlock",
            ModeChange::Key => "key",
            ModeChange::Unkey => "unkey",
            ModeChange::Slow { .. } => "slow",
        }
    }

    /// Whom it concerns, if it is not the room.
    pub fn name(&self) -> Option<&Name> {
        match self {
            ModeChange::Op(name)
            | ModeChange::Deop(name)
            | ModeChange::Ban { name, .. }
            | ModeChange::Unban(name)
            | ModeChange::Mute { name, .. }
            | ModeChange::Unmute(name) => Some(name),
            _ => None,
        }
    }

    /// The time for which it holds, or that it sets.
    pub fn seconds(&self) -> Option<u64> {
        match self {
            ModeChange::Ban { seconds, .. } => Some(*seconds),
            ModeChange::Mute { seconds, .. } => *seconds,
            ModeChange::Slow { seconds } => Some((*seconds).into()),
            _ => None,
        }
    }

    /// One line: the contract's word, the seconds, or `-` for none, and the name.
    pub fn to_text(&self) -> String {
        let seconds = self.seconds().map_or("-".to_owned(), |seconds| seconds.to_string());
        format!("{} {seconds} {}", self.as_str(), self.name().map_or("", Name::as_str))
    }

    /// Reads what [`to_text`](Self::to_text) gives.
    pub fn parse(text: &str) -> Option<ModeChange> {
        let mut parts = text.splitn(3, ' ');
        let (word, seconds, name) = (parts.next()?, parts.next()?, parts.next()?);
        let seconds = if seconds == "-" { None } else { Some(seconds.parse::<u64>().ok()?) };
        // What is remembered has been a name before.
        ModeChange::from_parts(word, seconds, || (!name.is_empty()).then(|| Name::known(name)))
    }

    /// The change that the contract calls so. `None`: there is none, or it wants seconds or a name that are not there.
    pub fn from_parts(word: &str, seconds: Option<u64>, name: impl FnOnce() -> Option<Name>) -> Option<ModeChange> {
        Some(match word {
            "op" => ModeChange::Op(name()?),
            "deop" => ModeChange::Deop(name()?),
            "ban" => ModeChange::Ban { name: name()?, seconds: seconds? },
            "unban" => ModeChange::Unban(name()?),
            "mute" => ModeChange::Mute { name: name()?, seconds },
            "unmute" => ModeChange::Unmute(name()?),
            "lock" => ModeChange::Lock,
            "unlock" => ModeChange::Unlock,
            "key" => ModeChange::Key,
            "unkey" => ModeChange::Unkey,
            "slow" => ModeChange::Slow { seconds: seconds?.try_into().ok()? },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_wrote() {
        let name = || Name::parse("Ana  Maria -").expect("a name");
        for change in [
            ModeChange::Op(name()),
            ModeChange::Deop(name()),
            ModeChange::Ban { name: name(), seconds: 0 },
            ModeChange::Ban { name: name(), seconds: u64::MAX },
            ModeChange::Unban(name()),
            ModeChange::Mute { name: name(), seconds: None },
            ModeChange::Mute { name: name(), seconds: Some(60) },
            ModeChange::Unmute(name()),
            ModeChange::Lock,
            ModeChange::Unlock,
            ModeChange::Key,
            ModeChange::Unkey,
            ModeChange::Slow { seconds: 10 },
        ] {
            assert_eq!(ModeChange::parse(&change.to_text()), Some(change));
        }
        for text in ["", "op", "op - ", "ban - ana", "slow - ", "slow 99999999999 ", "dance - ana", "ban x ana"] {
            assert_eq!(ModeChange::parse(text), None, "{text:?}");
        }
    }
}
