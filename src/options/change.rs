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
    "proxy-protocol",
    "allowed-origin",
    "allowed-host",
    "verbose",
    "quiet",
];

/// Files that are read again, if there were some when the program was started, and still are.
const READ_AGAIN: &[&str] = &["tls-cert", "tls-key"];

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
        let is_reloaded = |(before, after): &(&Setting, &Setting)| {
            let name = after.name.as_str();
            let is_there = !before.values.is_empty() && !after.values.is_empty();
            RELOADED.contains(&name) || READ_AGAIN.contains(&name) && is_there
        };
        let (reloaded, at_restart): (Vec<_>, Vec<_>) = before.iter().zip(after).filter(is_other).partition(is_reloaded);
        let names = |pairs: Vec<(&Setting, &Setting)>| pairs.iter().map(|(_, after)| after.name.clone()).collect();
        Changes { reloaded: names(reloaded), at_restart: names(at_restart) }
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
        for name in RELOADED.iter().chain(READ_AGAIN) {
            assert!(command.get_arguments().any(|arg| arg.get_long() == Some(name)), "there is no option {name}");
        }
    }
}
