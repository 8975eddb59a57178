//! Which colours tones have: legible on a dark background and on a light one.

use super::transcript::Tone;

/// What a terminal can show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Colours {
    /// No colours, but bold and faint.
    None,
    /// The eight of old.
    Eight,
    /// 256.
    Many,
}

impl Colours {
    /// What the environment says of a terminal: `NO_COLOR` (no-color.org), `TERM`, `COLORTERM`.
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Colours {
        let is_set = |name| variable(name).is_some_and(|value| !value.is_empty());
        if is_set("NO_COLOR") { Colours::None } else { Colours::of_terminal(variable) }
    }

    /// The same where colours are wanted anyway.
    pub fn of_terminal(variable: impl Fn(&str) -> Option<String>) -> Colours {
        let term = variable("TERM").unwrap_or_default();
        let has_many = term.contains("256color")
            || ["kitty", "ghostty", "alacritty", "foot"].iter().any(|known| term.contains(known));
        if has_many || variable("COLORTERM").is_some_and(|value| !value.is_empty()) || cfg!(windows) {
            Colours::Many
        } else {
            Colours::Eight
        }
    }
}

/// Numbers in the palette of 256 (xterm's cube): each has a contrast of 3.6 at least with white, and with `#1e1e1e`.
const MANY: [u8; 12] = [31, 166, 29, 133, 100, 63, 197, 30, 98, 64, 167, 165];

/// Those of the eight that are neither the background nor hard to read on white.
const EIGHT: [u8; 5] = [34, 35, 31, 36, 32];

/// What begins this tone; [`RESET`] ends it.
pub fn begin(tone: Tone, colours: Colours) -> String {
    match (tone, colours) {
        (Tone::Plain, _) => String::new(),
        (Tone::Quiet, _) => "\x1b[2m".to_owned(),
        (Tone::Mention, Colours::None) => "\x1b[1;4m".to_owned(),
        (Tone::Mention, _) => "\x1b[1m".to_owned(),
        (Tone::Pending, _) => "\x1b[2;3m".to_owned(),
        (Tone::Warning, Colours::None) => "\x1b[1m".to_owned(),
        (Tone::Warning, Colours::Eight) => "\x1b[31m".to_owned(),
        (Tone::Warning, Colours::Many) => "\x1b[38;5;196m".to_owned(),
        (Tone::Author(_), Colours::None) => String::new(),
        (Tone::Author(author), Colours::Eight) => format!("\x1b[{}m", EIGHT[author.0 as usize % EIGHT.len()]),
        (Tone::Author(author), Colours::Many) => format!("\x1b[38;5;{}m", MANY[author.0 as usize % MANY.len()]),
    }
}

/// Ends every tone.
pub const RESET: &str = "\x1b[0m";

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance (WCAG 2.2) of a colour of xterm's cube.
    fn luminance([red, green, blue]: [u8; 3]) -> f64 {
        let linear = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.03928 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    }

    #[test]
    fn names_are_legible_on_light_and_dark() {
        const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
        for number in MANY.into_iter().chain([196]) {
            let cube = usize::from(number - 16);
            let colour = luminance([STEPS[cube / 36], STEPS[cube / 6 % 6], STEPS[cube % 6]]);
            for background in [luminance([255; 3]), luminance([0x1e; 3]), luminance([0; 3])] {
                let (lighter, darker) = (colour.max(background), colour.min(background));
                let contrast = (lighter + 0.05) / (darker + 0.05);
                assert!(contrast >= 3.6, "{number}: {contrast}");
            }
        }
    }

    #[test]
    fn the_environment_is_asked() {
        let colours = |set: &[(&str, &str)]| {
            let set: Vec<(String, String)> =
                set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            Colours::of(move |name| set.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()))
        };
        assert_eq!(colours(&[("TERM", "xterm-256color")]), Colours::Many);
        assert_eq!(colours(&[("TERM", "linux"), ("COLORTERM", "truecolor")]), Colours::Many);
        assert_eq!(colours(&[("TERM", "xterm-256color"), ("NO_COLOR", "1")]), Colours::None);
        assert_eq!(colours(&[("TERM", "xterm-256color"), ("NO_COLOR", "")]), Colours::Many);
        if !cfg!(windows) {
            assert_eq!(colours(&[("TERM", "linux")]), Colours::Eight);
        }
    }
}
