//! What is written to a terminal: what was said goes up and away as it does on any terminal, and below it stands what is
//! under way, drawn anew whenever something changes.
//!
//! Nothing here writes to a terminal itself: it makes the bytes.

use std::collections::VecDeque;

use super::editor::Layout;
use super::palette::{self, Colours, RESET};
use super::transcript::{Line, Span, shown_width};

/// Lines that are kept to draw the screen anew.
const MAX_KEPT_LINES: usize = 500;
/// Rows that the line being typed takes at the most; it is scrolled beyond that.
const MAX_TYPED_ROWS: usize = 10;

/// Terminals that know it show nothing half-drawn (mode 2026).
const BEGIN_UPDATE: &str = "\x1b[?2026h\x1b[?25l";
const END_UPDATE: &str = "\x1b[?25h\x1b[?2026l";
const CLEAR_BELOW: &str = "\x1b[J";
const CLEAR_SCREEN: &str = "\x1b[H\x1b[J";
/// No row that is drawn here is continued in the next one by the terminal, however wide it takes a character for.
const NO_WRAP: &str = "\x1b[?7l";
const WRAP: &str = "\x1b[?7h";

/// What stands below what was said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Live {
    /// A row each: what is not acknowledged yet, and how the connection is.
    pub above: Vec<Line>,
    /// What stands before the line being typed.
    pub prompt: Span,
    /// The line being typed.
    pub typed: Layout,
}

/// A terminal's screen.
pub struct Screen {
    width: usize,
    height: usize,
    colours: Colours,
    kept: VecDeque<Line>,
    drawn: Option<Live>,
    /// Rows above the cursor that belong to what is under way.
    rows_above_cursor: usize,
    out: String,
}

impl Screen {
    /// A screen of this size, with the cursor at the beginning of a row.
    pub fn new(width: usize, height: usize, colours: Colours) -> Screen {
        let kept = VecDeque::new();
        let (width, height) = (width.max(2), height.max(2));
        Screen { width, height, colours, kept, drawn: None, rows_above_cursor: 0, out: String::new() }
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Another size: terminals differ in what they make of rows that do not fit any more, so all is drawn anew.
    pub fn resize(&mut self, width: usize, height: usize) {
        (self.width, self.height) = (width.max(2), height.max(2));
        self.redraw();
    }

    /// Draws all that is known anew.
    pub fn redraw(&mut self) {
        let room = self.height.saturating_sub(1);
        let mut rows = VecDeque::new();
        for line in self.kept.iter().rev() {
            if rows.len() >= room {
                break;
            }
            line.rows(self.width).into_iter().rev().for_each(|row| rows.push_front(row));
        }
        let first = rows.len().saturating_sub(room);
        self.out.push_str(CLEAR_SCREEN);
        for row in rows.iter().skip(first) {
            push_row(&mut self.out, row, self.colours);
            self.out.push_str("\r\n");
        }
        (self.drawn, self.rows_above_cursor) = (None, 0);
    }

    /// Shows lines, and below them what is under way; returns the bytes for that.
    pub fn draw(&mut self, lines: Vec<Line>, live: Live) -> String {
        let is_same = self.drawn.as_ref() == Some(&live);
        if lines.is_empty() && is_same && self.out.is_empty() {
            return String::new();
        }
        let redrawn = std::mem::take(&mut self.out);
        let mut out = BEGIN_UPDATE.to_owned();
        if redrawn.is_empty() {
            push_up(&mut out, self.rows_above_cursor);
            out.push('\r');
            out.push_str(CLEAR_BELOW);
        } else {
            out.push_str(&redrawn);
        }
        for line in lines {
            for row in line.rows(self.width) {
                push_row(&mut out, &row, self.colours);
                out.push_str("\r\n");
            }
            self.kept.push_back(line);
        }
        while self.kept.len() > MAX_KEPT_LINES {
            self.kept.pop_front();
        }
        self.push_live(&mut out, &live);
        out.push_str(END_UPDATE);
        self.drawn = Some(live);
        out
    }

    /// Takes away what is under way, so that the shell goes on below what was said; returns the bytes for that.
    pub fn clear_live(&mut self) -> String {
        let mut out = std::mem::take(&mut self.out);
        push_up(&mut out, self.rows_above_cursor);
        out.push('\r');
        out.push_str(CLEAR_BELOW);
        (self.drawn, self.rows_above_cursor) = (None, 0);
        out
    }

    fn push_live(&mut self, out: &mut String, live: &Live) {
        out.push_str(NO_WRAP);
        let above = live.above.iter().rev().take(self.height.saturating_sub(2)).rev();
        let mut rows = 0;
        for line in above {
            if let Some(row) = line.rows(self.width).first() {
                push_row(out, row, self.colours);
            }
            out.push_str("\r\n");
            rows += 1;
        }
        let Layout { rows: typed, cursor: (row, column) } = &live.typed;
        let shown = typed.len().min(MAX_TYPED_ROWS).min(self.height.saturating_sub(1 + rows)).max(1);
        // The rows around the cursor, as far down as there are any.
        let first = row.saturating_sub(shown - 1).max((typed.len() - shown).min(*row));
        for (number, text) in typed.iter().enumerate().skip(first).take(shown) {
            if number > first {
                out.push_str("\r\n");
            }
            if number == 0 {
                push_row(out, std::slice::from_ref(&live.prompt), self.colours);
            }
            out.push_str(text);
        }
        out.push_str(WRAP);
        push_up(out, first + shown - 1 - row);
        out.push('\r');
        if *column > 0 {
            out.push_str(&format!("\x1b[{column}C"));
        }
        self.rows_above_cursor = rows + row - first;
    }
}

/// A prompt of at most a third of the screen.
pub fn fitting_prompt(prompt: Span, width: usize) -> Span {
    if shown_width(&prompt.text) * 3 <= width { prompt } else { Span::new(prompt.tone, "> ") }
}

fn push_up(out: &mut String, rows: usize) {
    if rows > 0 {
        out.push_str(&format!("\x1b[{rows}A"));
    }
}

fn push_row(out: &mut String, row: &[Span], colours: Colours) {
    for span in row {
        let begin = palette::begin(span.tone, colours);
        out.push_str(&begin);
        out.push_str(&span.text);
        if !begin.is_empty() {
            out.push_str(RESET);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use super::*;
    use crate::client::editor::Editor;
    use crate::client::transcript::Tone;

    fn size(cells: u16) -> NonZeroU16 {
        NonZeroU16::new(cells).expect("some")
    }

    struct Terminal {
        parser: vt100::Parser,
        screen: Screen,
        editor: Editor,
    }

    impl Terminal {
        fn new(width: u16, height: u16) -> Terminal {
            let parser = vt100::Parser::new(size(height), size(width), 100);
            let screen = Screen::new(width.into(), height.into(), Colours::Many);
            Terminal { parser, screen, editor: Editor::default() }
        }

        fn draw(&mut self, lines: &[&str]) {
            let lines = lines.iter().map(|line| Line { spans: vec![Span::new(Tone::Plain, *line)], indent: 6 });
            let prompt = Span::new(Tone::Plain, "> ");
            let live = Live { above: Vec::new(), prompt, typed: self.editor.layout(2, self.screen.width()) };
            let out = self.screen.draw(lines.collect(), live);
            self.parser.process(out.as_bytes());
        }

        fn rows(&self) -> Vec<String> {
            let (_, width) = self.parser.screen().size();
            let rows: Vec<String> =
                self.parser.screen().rows(0, width.get()).map(|row| row.trim_end().to_owned()).collect();
            let used = rows.iter().rposition(|row| !row.is_empty()).map_or(0, |last| last + 1);
            rows[..used].to_vec()
        }
    }

    #[test]
    fn what_is_typed_stays_below_what_comes() {
        let mut terminal = Terminal::new(20, 6);
        terminal.editor.insert("half a line that is long");
        terminal.editor.left();
        terminal.draw(&[]);
        for number in 0..50 {
            terminal.draw(&[&format!("{number} is said")]);
        }
        assert_eq!(
            terminal.rows(),
            ["46 is said", "47 is said", "48 is said", "49 is said", "> half a line that", "  is long"]
        );
    }

    #[test]
    fn a_line_as_wide_as_the_screen_takes_one_row() {
        let mut terminal = Terminal::new(10, 5);
        terminal.draw(&["0123456789"]);
        terminal.draw(&["next"]);
        assert_eq!(terminal.rows(), ["0123456789", "next", ">"]);
    }

    #[test]
    fn another_size_shows_the_same() {
        let mut terminal = Terminal::new(30, 6);
        terminal.draw(&["one two three four five six", "short"]);
        terminal.editor.insert("typing");
        terminal.draw(&[]);
        terminal.parser.screen_mut().set_size(size(6), size(14));
        terminal.screen.resize(14, 6);
        terminal.draw(&[]);
        assert_eq!(terminal.rows(), ["one two three", "      four", "      five six", "short", "> typing"]);
        assert_eq!(terminal.parser.screen().cursor_position(), (4, 8));
    }

    #[test]
    fn a_text_taller_than_the_screen_is_scrolled() {
        let mut terminal = Terminal::new(20, 4);
        terminal.draw(&["said"]);
        terminal.editor.insert(&(0..30).map(|number| format!("{number}\n")).collect::<String>());
        terminal.draw(&[]);
        assert_eq!(terminal.rows(), ["said", "  28", "  29"]);
        assert_eq!(terminal.parser.screen().cursor_position(), (3, 2));
        for _ in 0..30 {
            terminal.editor.up();
        }
        terminal.draw(&["more"]);
        assert_eq!(terminal.rows(), ["more", "> 0", "  1", "  2"]);
        assert_eq!(terminal.parser.screen().cursor_position(), (1, 2));
    }
}
