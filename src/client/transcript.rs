//! What is shown of a room: lines of text in tones, cut into the rows of a terminal.
//!
//! The words are those of terminals in `line/encoder`; which of them stand out is decided here. Which colours that are is
//! decided in `palette`.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::line::encoder::{Place, write_event};
use crate::rooms::{AuthorId, Body, Event, Kind, Name};

/// What a piece of text is, and so how it looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tone {
    /// What somebody says.
    Plain,
    /// Times, marks, comings and goings.
    Quiet,
    /// Whose it is.
    Author(AuthorId),
    /// One's own name, said by somebody else.
    Mention,
    /// What was refused, and what is wrong.
    Warning,
    /// What was said and is not acknowledged yet.
    Pending,
}

/// A piece of a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Span {
    /// How it looks.
    pub tone: Tone,
    /// What it says: no control character.
    pub text: String,
}

impl Span {
    /// A piece of text.
    pub fn new(tone: Tone, text: impl Into<String>) -> Span {
        Span { tone, text: text.into() }
    }
}

/// A line: as many rows as it takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// What stands in it.
    pub spans: Vec<Span>,
    /// Columns by which all rows but the first are indented: nothing that somebody said is at the left edge, where notices
    /// are.
    pub indent: usize,
}

impl Line {
    /// A line in one tone.
    pub fn new(tone: Tone, text: impl Into<String>) -> Line {
        Line { spans: vec![Span::new(tone, text)], indent: 2 }
    }

    /// How things are.
    pub fn notice(text: impl std::fmt::Display) -> Line {
        Line::new(Tone::Quiet, format!("* {text}"))
    }

    /// What does not work.
    pub fn warning(text: impl std::fmt::Display) -> Line {
        Line::new(Tone::Warning, format!("! {text}"))
    }

    /// All that stands in it.
    pub fn text(&self) -> String {
        self.spans.iter().map(|span| span.text.as_str()).collect()
    }

    /// The rows that it takes.
    pub fn rows(&self, width: usize) -> Vec<Vec<Span>> {
        let indent = if self.indent * 2 < width { self.indent } else { 0 };
        let mut rows = Rows { width, indent, done: Vec::new(), row: Vec::new(), column: 0 };
        for span in &self.spans {
            words(&span.text).into_iter().for_each(|word| rows.add(span.tone, word));
        }
        rows.done.push(rows.row);
        rows.done
    }
}

/// A text in pieces, between which a row may end: behind white space, and behind every wide character, since scripts that
/// have those put no spaces between words.
fn words(text: &str) -> Vec<&str> {
    let (mut words, mut start) = (Vec::new(), 0);
    for (at, cluster) in text.grapheme_indices(true) {
        let end = at + cluster.len();
        let is_blank = cluster.chars().all(char::is_whitespace);
        if is_blank && start < at {
            words.push(&text[start..at]);
            start = at;
        }
        if is_blank || !cluster.is_ascii() && shown_width(cluster) > 1 {
            words.push(&text[start..end]);
            start = end;
        }
    }
    words.extend(Some(&text[start..]).filter(|rest| !rest.is_empty()));
    words
}

/// Rows under way.
struct Rows {
    width: usize,
    indent: usize,
    done: Vec<Vec<Span>>,
    row: Vec<Span>,
    column: usize,
}

impl Rows {
    fn add(&mut self, tone: Tone, word: &str) {
        let word_width = shown_width(word);
        if self.column + word_width <= self.width {
            return self.append(tone, word, word_width);
        }
        let is_blank = word.chars().all(char::is_whitespace);
        if is_blank {
            return self.break_row();
        }
        if word_width + self.indent <= self.width && self.column > self.indent {
            self.break_row();
            return self.append(tone, word, word_width);
        }
        for cluster in word.graphemes(true) {
            let cluster_width = shown_width(cluster);
            if self.column + cluster_width > self.width && self.column > self.indent {
                self.break_row();
            }
            self.append(tone, cluster, cluster_width);
        }
    }

    fn append(&mut self, tone: Tone, text: &str, text_width: usize) {
        self.column += text_width;
        match self.row.last_mut() {
            Some(last) if last.tone == tone => last.text.push_str(text),
            _ => self.row.push(Span::new(tone, text)),
        }
    }

    fn break_row(&mut self) {
        self.done.push(std::mem::take(&mut self.row));
        if self.indent > 0 {
            self.row.push(Span::new(Tone::Plain, " ".repeat(self.indent)));
        }
        self.column = self.indent;
    }
}

/// Columns that a text takes in a terminal. A tab is shown as spaces.
pub fn shown_width(text: &str) -> usize {
    text.width()
}

/// Columns that a tab takes.
pub const TAB: &str = "    ";

/// An event, as a person reads it. `own`: who reads it.
pub fn event_lines(event: &Event, place: &Place<'_>, own: Option<&Name>) -> Vec<Line> {
    let mut out = Vec::new();
    write_event(event, place, &mut out);
    let mentioned = own.filter(|own| **own != event.name);
    let shown = String::from_utf8_lossy(&out).replace('\t', TAB);
    let rows = shown.trim_end_matches("\r\n").split("\r\n").enumerate();
    rows.map(|(number, row)| if number == 0 { first_line(event, row, mentioned) } else { behind(row, mentioned) })
        .collect()
}

/// Something else that terminals are shown: each line a notice or a warning.
pub fn plain_lines(out: &[u8]) -> Vec<Line> {
    let shown = String::from_utf8_lossy(out).replace('\t', TAB);
    let tone = |row: &str| if row.starts_with('!') { Tone::Warning } else { Tone::Quiet };
    shown.trim_end_matches("\r\n").split("\r\n").map(|row| Line::new(tone(row), row)).collect()
}

/// Of what is said, the time is quiet, the name has its colour, and the rest is for reading.
fn first_line(event: &Event, row: &str, mentioned: Option<&Name>) -> Line {
    const TIME_BYTES: usize = "14:03 ".len();
    let Body::Message { kind, .. } = &event.body else {
        return Line::new(Tone::Quiet, row);
    };
    let (before, after) = match kind {
        Kind::Say if event.body.file().is_none() => ("<", "> "),
        _ => ("* ", " "),
    };
    let head = row.get(..TIME_BYTES).zip(row.get(TIME_BYTES..));
    // Angle brackets in a name are shown as others, which are no longer than they are.
    let Some((time, rest)) = head else { return Line::new(Tone::Quiet, row) };
    let name_end = before.len() + shown_name(&event.name).len();
    let Some((who, said)) = rest.get(..name_end + after.len()).zip(rest.get(name_end + after.len()..)) else {
        return Line::new(Tone::Quiet, row);
    };
    let mut spans = vec![Span::new(Tone::Quiet, time), Span::new(Tone::Author(event.author), who)];
    spans.extend(marked(said, mentioned));
    Line { spans, indent: TIME_BYTES }
}

/// A second line of a message, or what it replies to: marked at its left.
fn behind(row: &str, mentioned: Option<&Name>) -> Line {
    let mark_end = row.find(['|', '^']).map_or(0, |at| row.len().min(at + 2));
    let (mark, said) = row.split_at(mark_end);
    let mut spans = vec![Span::new(Tone::Quiet, mark)];
    if mark.contains('^') {
        spans.push(Span::new(Tone::Quiet, said));
    } else {
        spans.extend(marked(said, mentioned));
    }
    Line { spans, indent: mark_end }
}

fn shown_name(name: &Name) -> String {
    name.as_str().replace('<', "‹").replace('>', "›")
}

/// Whether somebody else has said this name in this event.
pub fn mentions(event: &Event, own: &Name) -> bool {
    let Body::Message { text, .. } = &event.body else { return false };
    event.name != *own && find_mention(text.as_str(), own).is_some()
}

/// What is said, the reader's own name marked in it.
fn marked(said: &str, own: Option<&Name>) -> Vec<Span> {
    let (mut spans, mut rest) = (Vec::new(), said);
    while let Some((start, end)) = own.and_then(|own| find_mention(rest, own)) {
        spans.push(Span::new(Tone::Plain, &rest[..start]));
        spans.push(Span::new(Tone::Mention, &rest[start..end]));
        rest = &rest[end..];
    }
    spans.push(Span::new(Tone::Plain, rest));
    spans.retain(|span| !span.text.is_empty());
    spans
}

/// A shorter name may be a word of the language: it needs the @.
const UNMISTAKABLE_CHARACTERS: usize = 3;

/// Where the name is in a text, in any case, with an @ or without: as a word of its own.
fn find_mention(text: &str, own: &Name) -> Option<(usize, usize)> {
    let wanted: Vec<char> = own.as_str().chars().flat_map(char::to_lowercase).collect();
    let needs_at = own.as_str().chars().count() < UNMISTAKABLE_CHARACTERS;
    let is_of_word = |character: char| character.is_alphanumeric();
    let mut before = None;
    for (start, character) in text.char_indices() {
        let begins_word = !before.is_some_and(|before| is_of_word(before) || before == '@');
        before = Some(character);
        let name_start = start + if character == '@' { 1 } else { 0 };
        if !begins_word || needs_at && character != '@' {
            continue;
        }
        if let Some(length) = begins_with(&text[name_start..], &wanted)
            && !text[name_start + length..].starts_with(is_of_word)
        {
            return Some((start, name_start + length));
        }
    }
    None
}

/// Bytes of the beginning of a text that are these characters in some case.
fn begins_with(text: &str, wanted: &[char]) -> Option<usize> {
    let mut wanted = wanted.iter();
    for (at, character) in text.char_indices() {
        if wanted.len() == 0 {
            return Some(at);
        }
        for lower in character.to_lowercase() {
            if wanted.next() != Some(&lower) {
                return None;
            }
        }
    }
    (wanted.len() == 0).then_some(text.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::line::LocalClock;
    use crate::rooms::{RoomCode, Text, Via};

    fn name(name: &str) -> Name {
        Name::parse(name).expect("a name")
    }

    fn event(by: &str, body: Body) -> Event {
        Event { id: 7, time_ms: 0, name: name(by), via: Via::Line, author: AuthorId(3), body }
    }

    fn said(text: &str) -> Body {
        let text = Text::clean(text, 10_000).expect("a text");
        Body::Message { kind: Kind::Say, text, cid: None, annotations: None }
    }

    fn lines(event: &Event) -> Vec<Line> {
        let clock = LocalClock::utc();
        let code = RoomCode::parse("KXQT").expect("a code");
        event_lines(event, &Place { clock: &clock, home_url: "http://h/", code }, Some(&name("cleo")))
    }

    fn tones(line: &Line) -> Vec<(Tone, &str)> {
        line.spans.iter().map(|span| (span.tone, span.text.as_str())).collect()
    }

    #[test]
    fn what_is_said_has_its_authors_colour_and_ones_own_name_stands_out() {
        let shown = lines(&event("a<na", said("hi @Cleo, cleopatra\n\tand cleo")));
        let author = Tone::Author(AuthorId(3));
        assert_eq!(
            tones(&shown[0]),
            [
                (Tone::Quiet, "00:00 "),
                (author, "<a‹na> "),
                (Tone::Plain, "hi "),
                (Tone::Mention, "@Cleo"),
                (Tone::Plain, ", cleopatra")
            ]
        );
        assert_eq!(
            tones(&shown[1]),
            [(Tone::Quiet, "          | "), (Tone::Plain, "    and "), (Tone::Mention, "cleo")]
        );
        assert_eq!(tones(&lines(&event("ana", Body::Enter))[0]), [(Tone::Quiet, "* ana came in (line)")]);
        let own = lines(&event("cleo", said("cleo")));
        assert_eq!(tones(&own[0])[2], (Tone::Plain, "cleo"));
        assert!(mentions(&event("ana", said("CLEO!")), &name("cleo")));
        assert!(!mentions(&event("cleo", said("cleo")), &name("cleo")));
        assert!(!mentions(&event("ana", said("me too")), &name("me")), "a short name needs the @");
        assert!(mentions(&event("ana", said("@me too")), &name("me")));
    }

    fn rows(line: &Line, width: usize) -> Vec<String> {
        line.rows(width).into_iter().map(|row| row.into_iter().map(|span| span.text).collect()).collect()
    }

    #[test]
    fn a_long_line_is_broken_between_words_and_never_at_the_left_edge() {
        let line = &lines(&event("ana", said("one two, three * ben left abcdefghijklmnopqrstuvwxyz")))[0];
        assert_eq!(
            rows(line, 20),
            ["00:00 <ana> one two,", "      three * ben ", "      left abcdefghi", "      jklmnopqrstuvw", "      xyz"]
        );
    }

    #[test]
    fn wide_characters_are_counted() {
        let line = &lines(&event("ana", said("日本語日本語 👩‍👩‍👧‍👦👩‍👩‍👧‍👦")))[0];
        for row in rows(line, 18) {
            assert!(shown_width(&row) <= 18, "{row}");
        }
        assert_eq!(rows(line, 18), ["00:00 <ana> 日本語", "      日本語 👩‍👩‍👧‍👦👩‍👩‍👧‍👦"]);
    }

    proptest! {
        #[test]
        fn no_row_is_too_wide_and_nothing_is_lost(text in "[a-z 日👍é*|]{1,200}", width in 20..60_usize) {
            let Ok(text) = Text::clean(&text, 10_000) else { return Ok(()) };
            let line = &lines(&event("ana", said(text.as_str())))[0];
            let rows = rows(line, width);
            prop_assert!(rows.iter().all(|row| shown_width(row) <= width));
            prop_assert!(rows.iter().skip(1).all(|row| row.starts_with("      ")));
            let letters = |text: &str| text.chars().filter(|letter| !letter.is_whitespace()).collect::<String>();
            prop_assert_eq!(letters(&rows.concat()), letters(&line.text()));
        }

        #[test]
        fn nothing_that_a_terminal_obeys_gets_through(text in any::<String>()) {
            let Ok(text) = Text::clean(&text, 10_000) else { return Ok(()) };
            for line in lines(&event("ana", said(text.as_str()))) {
                prop_assert!(!line.text().chars().any(char::is_control));
            }
        }
    }
}
