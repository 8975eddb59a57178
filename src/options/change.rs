//! What has changed in the options since the program was started, and which of that it takes on while it runs.

use super::settings::Setting;

/// The options that change while the program runs.
const RELOADED: &[&str] = &[
    "room-ttl",
    "grace",
    "code-length",
    "max-members",
    "memory",
    "max-message",
    "rate",
    "join-rate",
    "create-rate",
    "max-connections",
    "max-per-ip",
    "max-file",
    "max-files",
    "trusted-proxy",
    "allowed-origin",
    "allowed-host",
    "verbose",
    "quiet",
];

/// The names of options that are set to something else than before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Those that can be in force at once.
    pub reloaded: Vec<String>,
    /// Those that are with the next start.
    pub at_restart: Vec<String>,
}

impl Changes {
    /// What is other in the second than in the first.
    pub fn between(before: &[Setting], after: &[Setting]) -> Changes {
        let is_other = |(before, after): &(&Setting, &Setting)| {
            !before.values.iter().map(|(value, _)| value).eq(after.values.iter().map(|(value, _)| value))
        };
        let changed = before.iter().zip(after).filter(is_other).map(|(_, after)| after.name.clone());
        let (reloaded, at_restart) = changed.partition(|name| RELOADED.contains(&name.as_str()));
        Changes { reloaded, at_restart }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::super::arguments::Arguments;
    use super::*;

    #[test]
    fn what_can_change_is_an_option() {
        let command = Arguments::command();
        for name in RELOADED {
            assert!(command.get_arguments().any(|arg| arg.get_long() == Some(name)), "there is no option {name}");
        }
    }
}
