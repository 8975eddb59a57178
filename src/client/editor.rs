//! The line that is being typed: its text, where the cursor is, and what was typed before. It draws nothing.

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

use super::transcript::{TAB, shown_width};

/// Lines that are remembered. They are kept nowhere else: what people type is private.
const MAX_REMEMBERED: usize = 500;

/// A line under way.
#[derive(Default)]
pub struct Editor {
    text: String,
    /// In bytes; always between two grapheme clusters.
    cursor: usize,
    history: Vec<String>,
    /// Which line of the history is shown; `None`: the one that is new.
    place: Option<usize>,
    /// The new one, while another is shown.
    draft: String,
    /// What was cut off last.
    killed: String,
    /// Nothing of it is shown: a password.
    pub is_secret: bool,
}

/// The rows of a line, and where the cursor is in them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    /// What stands in each.
    pub rows: Vec<String>,
    /// The row and the column of the cursor.
    pub cursor: (usize, usize),
}

impl Editor {
    /// What was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What stands before the cursor.
    pub fn before_cursor(&self) -> &str {
        &self.text[..self.cursor]
    }

    /// Puts another text in the place of this one.
    pub fn set(&mut self, text: &str) {
        self.text.clear();
        self.cursor = 0;
        self.insert(text);
    }

    /// Inserts what was typed or pasted. Line breaks stay line breaks; other control characters have no place.
    pub fn insert(&mut self, typed: &str) {
        let typed = typed.replace("\r\n", "\n").replace('\r', "\n");
        let typed: String =
            typed.chars().filter(|character| !character.is_control() || matches!(character, '\n' | '\t')).collect();
        self.text.insert_str(self.cursor, &typed);
        self.cursor += typed.len();
        // What was inserted may be one character with what stands behind it.
        if !self.is_boundary(self.cursor) {
            self.cursor = self.next_boundary(self.cursor);
        }
    }

    /// Replaces the last bytes before the cursor.
    pub fn replace_before(&mut self, bytes: usize, by: &str) {
        let start = self.cursor.saturating_sub(bytes);
        if self.text.is_char_boundary(start) {
            self.text.replace_range(start..self.cursor, "");
            self.cursor = start;
            self.insert(by);
        }
    }

    /// Takes the whole line; it is remembered if `remembers`.
    pub fn take(&mut self, remembers: bool) -> String {
        let text = std::mem::take(&mut self.text);
        (self.cursor, self.place) = (0, None);
        self.draft.clear();
        if remembers && !self.is_secret && !text.trim().is_empty() && self.history.last() != Some(&text) {
            self.history.push(text.clone());
            if self.history.len() > MAX_REMEMBERED {
                self.history.remove(0);
            }
        }
        text
    }

    pub fn left(&mut self) {
        self.cursor = self.previous_boundary(self.cursor);
    }

    pub fn right(&mut self) {
        self.cursor = self.next_boundary(self.cursor);
    }

    pub fn word_left(&mut self) {
        self.cursor = self.word_start();
    }

    pub fn word_right(&mut self) {
        self.cursor = self.word_end();
    }

    /// To the beginning of the line that the cursor is in.
    pub fn home(&mut self) {
        self.cursor = self.line_start();
    }

    /// To its end.
    pub fn end(&mut self) {
        self.cursor = self.line_end();
    }

    pub fn backspace(&mut self) {
        let start = self.previous_boundary(self.cursor);
        self.cut(start, self.cursor, false);
    }

    pub fn delete(&mut self) {
        let end = self.next_boundary(self.cursor);
        self.cut(self.cursor, end, false);
    }

    /// Cuts off the word before the cursor: up to white space.
    pub fn kill_word(&mut self) {
        let before = self.text[..self.cursor].trim_end();
        let start = before
            .rfind(char::is_whitespace)
            .map_or(0, |at| at + before[at..].chars().next().map_or(0, char::len_utf8));
        self.cut(start, self.cursor, true);
    }

    /// Cuts off the word before the cursor, of letters and digits alone.
    pub fn kill_word_left(&mut self) {
        self.cut(self.word_start(), self.cursor, true);
    }

    pub fn kill_word_right(&mut self) {
        self.cut(self.cursor, self.word_end(), true);
    }

    pub fn kill_to_start(&mut self) {
        self.cut(self.line_start(), self.cursor, true);
    }

    pub fn kill_to_end(&mut self) {
        let end = match self.line_end() {
            // The line break itself, at the end of a line.
            end if end == self.cursor => self.next_boundary(end),
            end => end,
        };
        self.cut(self.cursor, end, true);
    }

    /// Inserts what was cut off last.
    pub fn yank(&mut self) {
        let killed = self.killed.clone();
        self.insert(&killed);
    }

    /// Exchanges the two characters around the cursor, or the last two.
    pub fn transpose(&mut self) {
        let end = if self.cursor == self.text.len() { self.cursor } else { self.next_boundary(self.cursor) };
        let middle = self.previous_boundary(end);
        let start = self.previous_boundary(middle);
        if start < middle {
            let exchanged = format!("{}{}", &self.text[middle..end], &self.text[start..middle]);
            self.text.replace_range(start..end, &exchanged);
            self.cursor = if self.is_boundary(end) { end } else { self.next_boundary(end) };
        }
    }

    /// To the line above in a text of several, else to the one typed before.
    pub fn up(&mut self) {
        if self.line_start() > 0 {
            let column = self.text[self.line_start()..self.cursor].graphemes(true).count();
            self.cursor = self.line_start() - 1;
            self.go_to_column(column);
            return;
        }
        let place = self.place.unwrap_or(self.history.len());
        if place > 0 {
            if self.place.is_none() {
                self.draft.clone_from(&self.text);
            }
            self.recall(place - 1);
        }
    }

    /// To the line below, else to the one typed after.
    pub fn down(&mut self) {
        if self.line_end() < self.text.len() {
            let column = self.text[self.line_start()..self.cursor].graphemes(true).count();
            self.cursor = self.line_end() + 1;
            self.go_to_column(column);
            return;
        }
        match self.place {
            Some(place) if place + 1 < self.history.len() => self.recall(place + 1),
            Some(_) => {
                self.place = None;
                let draft = std::mem::take(&mut self.draft);
                self.set(&draft);
            }
            None => (),
        }
    }

    /// The rows of the text behind a prompt of so many columns.
    pub fn layout(&self, prompt_width: usize, width: usize) -> Layout {
        let width = width.max(2);
        let indent = if prompt_width * 2 < width { prompt_width } else { 0 };
        let mut rows = vec![String::new()];
        let mut column = prompt_width.min(width - 1);
        let mut cursor = (0, column);
        let begin_row = |rows: &mut Vec<String>| {
            rows.push(" ".repeat(indent));
            indent
        };
        for (at, cluster) in self.text.grapheme_indices(true) {
            if at == self.cursor {
                cursor = (rows.len() - 1, column);
            }
            let shown = match cluster {
                "\n" => {
                    column = begin_row(&mut rows);
                    continue;
                }
                "\t" => TAB,
                _ if self.is_secret => "*",
                cluster => cluster,
            };
            let shown_width = shown_width(shown);
            // A column is left for the cursor behind the last character.
            if column + shown_width > width - 1 {
                column = begin_row(&mut rows);
                if at == self.cursor {
                    cursor = (rows.len() - 1, column);
                }
            }
            rows.last_mut().expect("there is one").push_str(shown);
            column += shown_width;
        }
        if self.cursor == self.text.len() {
            cursor = (rows.len() - 1, column);
        }
        Layout { rows, cursor }
    }

    fn recall(&mut self, place: usize) {
        let text = self.history[place].clone();
        self.set(&text);
        self.place = Some(place);
    }

    fn go_to_column(&mut self, column: usize) {
        let (start, end) = (self.line_start(), self.line_end());
        let found = self.text[start..end].grapheme_indices(true).nth(column);
        self.cursor = found.map_or(end, |(at, _)| start + at);
    }

    fn cut(&mut self, start: usize, end: usize, keeps: bool) {
        if start < end {
            let cut: String = self.text.drain(start..end).collect();
            if keeps && !self.is_secret {
                self.killed = cut;
            }
            self.cursor = start;
            if !self.is_boundary(start) {
                self.cursor = self.next_boundary(start);
            }
        }
    }

    fn line_start(&self) -> usize {
        self.text[..self.cursor].rfind('\n').map_or(0, |at| at + 1)
    }

    fn line_end(&self) -> usize {
        self.text[self.cursor..].find('\n').map_or(self.text.len(), |at| self.cursor + at)
    }

    fn word_start(&self) -> usize {
        let mut words = self.text[..self.cursor].unicode_word_indices();
        words.next_back().map_or(0, |(at, _)| at)
    }

    fn word_end(&self) -> usize {
        let mut words = self.text[self.cursor..].unicode_word_indices();
        words.next().map_or(self.text.len(), |(at, word)| self.cursor + at + word.len())
    }

    fn is_boundary(&self, at: usize) -> bool {
        GraphemeCursor::new(at, self.text.len(), true).is_boundary(&self.text, 0).unwrap_or(true)
    }

    fn previous_boundary(&self, at: usize) -> usize {
        let mut cursor = GraphemeCursor::new(at, self.text.len(), true);
        cursor.prev_boundary(&self.text, 0).ok().flatten().unwrap_or(0)
    }

    fn next_boundary(&self, at: usize) -> usize {
        let mut cursor = GraphemeCursor::new(at, self.text.len(), true);
        cursor.next_boundary(&self.text, 0).ok().flatten().unwrap_or(self.text.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn editor(text: &str) -> Editor {
        let mut editor = Editor::default();
        editor.insert(text);
        editor
    }

    #[test]
    fn a_character_is_a_grapheme_cluster() {
        let mut editor = editor("e\u{301}👩‍👩‍👧🇩🇪");
        editor.left();
        editor.backspace();
        assert_eq!(editor.text(), "e\u{301}🇩🇪");
        editor.backspace();
        assert_eq!(editor.text(), "🇩🇪");
        editor.delete();
        assert_eq!(editor.text(), "");
        // A flag that comes in two halves.
        editor.insert("🇪");
        editor.home();
        editor.insert("🇩");
        editor.backspace();
        assert_eq!(editor.text(), "", "the cursor is never within a character");
    }

    #[test]
    fn words_are_cut_off_and_put_back() {
        let mut editor = editor("one two-three");
        editor.kill_word();
        assert_eq!(editor.text(), "one ");
        editor.yank();
        editor.kill_word_left();
        assert_eq!(editor.text(), "one two-");
        editor.home();
        editor.kill_word_right();
        assert_eq!(editor.text(), " two-");
        editor.end();
        editor.kill_to_start();
        assert_eq!(editor.text(), "");
        editor.yank();
        editor.home();
        editor.right();
        editor.kill_to_end();
        assert_eq!(editor.text(), " ");
        let mut editor = self::editor("ab");
        editor.transpose();
        assert_eq!(editor.text(), "ba");
    }

    #[test]
    fn what_was_typed_comes_back_with_up() {
        let mut editor = Editor::default();
        for line in ["one", "two", "two"] {
            editor.insert(line);
            assert_eq!(editor.take(true), line);
        }
        editor.insert("half");
        editor.up();
        assert_eq!(editor.text(), "two");
        editor.up();
        editor.up();
        assert_eq!(editor.text(), "one", "the same line twice is remembered once, and the first stays");
        editor.down();
        editor.down();
        assert_eq!(editor.text(), "half", "the half-typed line was not lost");
        editor.set("");
        editor.insert("secret");
        editor.take(false);
        editor.up();
        assert_eq!(editor.text(), "two");
    }

    #[test]
    fn a_pasted_text_keeps_its_lines_and_loses_its_control_characters() {
        let mut editor = editor("a\r\nb\u{1b}[31m\u{7}\tc");
        assert_eq!(editor.text(), "a\nb[31m\tc");
        editor.up();
        editor.end();
        editor.insert("!");
        assert_eq!(editor.text(), "a!\nb[31m\tc", "up goes to the line above first");
    }

    #[test]
    fn rows_are_counted_in_columns() {
        let layout = |text: &str, width| editor(text).layout(2, width);
        assert_eq!(layout("", 10), Layout { rows: vec![String::new()], cursor: (0, 2) });
        assert_eq!(layout("日本", 10), Layout { rows: vec!["日本".into()], cursor: (0, 6) });
        // A wide character that does not fit goes to the next row whole.
        assert_eq!(layout("日本語字", 10), Layout { rows: vec!["日本語".into(), "  字".into()], cursor: (1, 4) });
        assert_eq!(layout("abcdefg", 10), Layout { rows: vec!["abcdefg".into()], cursor: (0, 9) });
        assert_eq!(layout("abcdefgh", 10), Layout { rows: vec!["abcdefg".into(), "  h".into()], cursor: (1, 3) });
        assert_eq!(layout("a\nb", 10), Layout { rows: vec!["a".into(), "  b".into()], cursor: (1, 3) });
        let mut secret = editor("pässword");
        secret.is_secret = true;
        assert_eq!(secret.layout(2, 80).rows, ["********"]);
    }

    proptest! {
        #[test]
        fn the_cursor_is_always_in_its_place(
            typed in "[a-z \n日👍é🇩🇪\u{301}]{0,40}", keys in proptest::collection::vec(0..14_u8, 0..30), width in 4..40_usize,
        ) {
            let mut editor = editor(&typed);
            for key in keys {
                match key {
                    0 => editor.left(),
                    1 => editor.right(),
                    2 => editor.word_left(),
                    3 => editor.word_right(),
                    4 => editor.home(),
                    5 => editor.end(),
                    6 => editor.backspace(),
                    7 => editor.delete(),
                    8 => editor.kill_word(),
                    9 => editor.kill_word_right(),
                    10 => editor.yank(),
                    11 => editor.transpose(),
                    12 => editor.up(),
                    _ => editor.down(),
                }
                prop_assert!(editor.is_boundary(editor.cursor));
                let layout = editor.layout(2, width);
                prop_assert!(layout.rows.iter().all(|row| shown_width(row) < width.max(5)));
                prop_assert!(layout.cursor.0 < layout.rows.len() && layout.cursor.1 < width);
            }
        }
    }
}
