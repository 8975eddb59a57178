//! A QR code as characters of a terminal.

use fast_qr::{ECL, QRBuilder};

/// What a terminal makes of colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// The 256 of xterm, by their numbers: black and white are what they say, whatever the theme is.
    Indexed,
    /// The eight of ECMA-48, of which themes make what they like, though black stays darker than white.
    Named,
    /// None: it is taken to show light on dark, as most do.
    None,
}

/// A code, drawn.
pub struct Drawn {
    /// From top to bottom, each with what sets its colours and takes them back.
    pub lines: Vec<String>,
    /// The width of each.
    pub columns: usize,
}

/// The light border around the code (ISO/IEC 18004, section 6.3.8).
pub(super) const QUIET_MODULES: usize = 4;

impl Colours {
    /// Black on white whatever the terminal's own colours are: many scanners do not read a code the other way round.
    pub(super) fn black_on_white(self) -> (&'static str, &'static str) {
        match self {
            Colours::Indexed => ("\u{1b}[38;5;16;48;5;231m", "\u{1b}[0m"),
            Colours::Named => ("\u{1b}[30;47m", "\u{1b}[0m"),
            Colours::None => ("", ""),
        }
    }
}

/// The text as a code of half blocks, two rows of modules in a line.
pub fn draw(text: &str, colours: Colours) -> Option<Drawn> {
    let code = QRBuilder::new(text).ecl(ECL::L).build().ok()?;
    let columns = code.size + 2 * QUIET_MODULES;
    let is_dark = |row: usize, column: usize| {
        let inside = |at: usize| at.checked_sub(QUIET_MODULES).filter(|&at| at < code.size);
        match (inside(row), inside(column)) {
            (Some(row), Some(column)) => code[row][column].value(),
            _ => false,
        }
    };
    // Where nothing sets the colours, what is drawn is what is light.
    let is_drawn = |row: usize, column: usize| is_dark(row, column) != (colours == Colours::None);
    let (begin, end) = colours.black_on_white();
    let line = |row: usize| {
        let cells = (0..columns).map(|column| match (is_drawn(row, column), is_drawn(row + 1, column)) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        });
        format!("{begin}{}{end}", cells.collect::<String>())
    };
    Some(Drawn { lines: (0..columns).step_by(2).map(line).collect(), columns })
}
