//! What Tab makes of the beginning of a word: a command at the beginning of a line, else a name.

/// What a beginning was completed to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Completion {
    /// Bytes before the cursor that are replaced.
    pub bytes: usize,
    /// By what.
    pub by: String,
    /// What else it could be, if there are several: all that have this beginning.
    pub choices: Vec<String>,
}

/// Completes what stands before the cursor. `commands` begin with a slash.
pub fn complete(before: &str, names: &[String], commands: &[String]) -> Option<Completion> {
    if before.starts_with('/') && !before.contains(char::is_whitespace) {
        return of(before, commands.iter(), " ");
    }
    // A name may have spaces in it: the longest beginning of one that stands here is taken.
    let starts =
        std::iter::once(0).chain(before.match_indices(char::is_whitespace).map(|(at, space)| at + space.len()));
    let mut found = starts.filter_map(|start| {
        let typed = &before[start..];
        let (at, name) = typed.strip_prefix('@').map_or((0, typed), |name| (1, name));
        if name.is_empty() && at == 0 {
            return None;
        }
        let behind = if start == 0 && at == 0 { ": " } else { " " };
        of(name, names.iter(), behind)
    });
    found.next()
}

fn of<'a>(typed: &str, known: impl Iterator<Item = &'a String>, behind: &str) -> Option<Completion> {
    let lower = typed.to_lowercase();
    let mut choices: Vec<String> = known.filter(|word| word.to_lowercase().starts_with(&lower)).cloned().collect();
    choices.sort_by_key(|word| word.to_lowercase());
    let first = choices.first()?;
    let by = match choices.as_slice() {
        [only] => format!("{only}{behind}"),
        several => {
            let common = several.iter().skip(1).fold(first.as_str(), |common, word| common_beginning(common, word));
            if common.to_lowercase().starts_with(&lower) { common.to_owned() } else { typed.to_owned() }
        }
    };
    if choices.len() == 1 {
        choices.clear();
    }
    Some(Completion { bytes: typed.len(), by, choices })
}

/// What two words begin with, in the letters of the first.
fn common_beginning<'a>(one: &'a str, other: &str) -> &'a str {
    let mut others = other.chars();
    let differs = |(_, letter): &(usize, char)| {
        !others.next().is_some_and(|other| letter.to_lowercase().eq(other.to_lowercase()))
    };
    let end = one.char_indices().find(differs).map_or(one.len(), |(at, _)| at);
    &one[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(before: &str) -> Option<(String, Vec<String>)> {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let names = words(&["Ana Maria", "anders", "Ben", "Émile"]);
        let commands = words(&["/help", "/history", "/me"]);
        let completion = complete(before, &names, &commands)?;
        Some((format!("{}{}", &before[..before.len() - completion.bytes], completion.by), completion.choices))
    }

    #[test]
    fn names_and_commands_are_completed() {
        let only = |text: &str| Some((text.to_owned(), Vec::new()));
        assert_eq!(completed("b"), only("Ben: "));
        assert_eq!(completed("hi b"), only("hi Ben "));
        assert_eq!(completed("hi @B"), only("hi @Ben "));
        assert_eq!(completed("hi ana m"), only("hi Ana Maria "));
        assert_eq!(completed("é"), only("Émile: "));
        assert_eq!(completed("/m"), only("/me "));
        assert_eq!(completed("/kick be"), only("/kick Ben "));
        assert_eq!(completed("x"), None);
        assert_eq!(completed("hi "), None);
        assert_eq!(completed(""), None);
        let (text, choices) = completed("a").expect("two");
        assert_eq!((text.as_str(), choices.len()), ("An", 2));
        let (text, choices) = completed("/h").expect("two");
        assert_eq!((text.as_str(), choices), ("/h", vec!["/help".to_owned(), "/history".to_owned()]));
    }
}
