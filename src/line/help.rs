//! The commands, for a person who asks for them.

/// What a command does, in the order in which they are listed.
struct HelpLine {
    usage: &'static str,
    does: &'static str,
    is_for_operators: bool,
}

const fn all(usage: &'static str, does: &'static str) -> HelpLine {
    HelpLine { usage, does, is_for_operators: false }
}

const fn operators(usage: &'static str, does: &'static str) -> HelpLine {
    HelpLine { usage, does, is_for_operators: true }
}

const HELP: &[HelpLine] = &[
    all("/join CODE [NAME]", "enter a room"),
    all("/new [NAME]", "open a new room"),
    all("/who", "list who is here"),
    all("/me TEXT", "say it in the third person"),
    all("/reply TEXT", "answer what somebody else said last"),
    all("/react EMOJI", "react to what was said last"),
    all("/edit TEXT", "correct what you said last"),
    all("/delete", "take back what you said last"),
    all("/nick NAME", "take another name"),
    all("/history [N]", "show the last N events (20)"),
    all("/search WORDS", "find what was said"),
    all("/login NAME PASSWORD", "show that a name is yours"),
    all("/register PASSWORD", "claim the name you have"),
    all("/password OLD NEW", "change the password"),
    all("/unregister PASSWORD", "give up the name you have claimed"),
    all("/json", "one JSON object a line from here on, for programs"),
    all("/leave", "leave the room"),
    all("/quit", "close the connection"),
    all("/help [COMMAND]", "list the commands, or tell what one does"),
    all("//TEXT", "say something that begins with a slash"),
    operators("/op NAME", "make a member an operator"),
    operators("/deop NAME", "make an operator a member like the others"),
    operators("/kick NAME [WHY]", "throw a member out"),
    operators("/ban NAME [TIME] [WHY]", "keep somebody out, for a day or 10m, 2h, 30d"),
    operators("/unban NAME", "let somebody in again who is kept out"),
    operators("/bans", "list who is kept out"),
    operators("/mute NAME [TIME]", "let a member say nothing, for good or 10m, 2h, 30d"),
    operators("/unmute NAME", "let a member speak again"),
    operators("/lock", "let nobody new in"),
    operators("/unlock", "let everybody in again"),
    operators("/key [WORD]", "ask newcomers for this key, or for none"),
    operators("/topic [TEXT]", "say what the room is about, or nothing"),
    operators("/slow [TIME]", "let each say one thing in 10s, 1m, or as often as it likes"),
];

/// The commands that one may use, a line each.
pub fn list(is_operator: bool) -> impl Iterator<Item = String> {
    let is_listed = move |line: &&HelpLine| is_operator || !line.is_for_operators;
    let width = HELP.iter().filter(is_listed).map(|line| line.usage.len()).max().unwrap_or(0);
    HELP.iter().filter(is_listed).map(move |line| format!("{:width$}  {}", line.usage, line.does))
}

/// The words of all commands, each with its slash.
pub fn words() -> impl Iterator<Item = &'static str> {
    let words = HELP.iter().filter_map(|line| line.usage.split(' ').next());
    words.filter(|word| !word.starts_with("//"))
}

/// What one command does; `None`: there is no such command.
pub fn find(command: &str) -> Option<String> {
    let command = command.trim_start_matches('/');
    let goes_by = |line: &&HelpLine| {
        let (word, _) = line.usage.split_once(' ').unwrap_or((line.usage, ""));
        word.trim_start_matches('/').eq_ignore_ascii_case(command)
    };
    HELP.iter().find(goes_by).map(|line| format!("{}  {}", line.usage, line.does))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_are_told_of_more() {
        let everybody: Vec<String> = list(false).collect();
        assert!(
            everybody.iter().any(|line| line == "/me TEXT              say it in the third person"),
            "{everybody:?}"
        );
        assert!(!everybody.iter().any(|line| line.contains("/kick")));
        assert!(
            everybody.iter().any(|line| line == "/login NAME PASSWORD  show that a name is yours"),
            "{everybody:?}"
        );
        assert_eq!(list(true).count(), HELP.len());
    }

    #[test]
    fn one_command_is_found_with_its_slash_or_without() {
        for command in ["kick", "/kick", "/KICK"] {
            assert_eq!(find(command).as_deref(), Some("/kick NAME [WHY]  throw a member out"));
        }
        assert_eq!(find("dance"), None);
    }
}
