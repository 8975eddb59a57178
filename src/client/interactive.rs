//! The client at a terminal: what is said goes by above, and the line being typed stays below it.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc::Sender;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::terminal;

use super::commands::is_secret;
use super::completion::complete;
use super::conversation::{Action, Ending, Question};
use super::driver::{Driver, Happening, watch_signals};
use super::editor::Editor;
use super::palette::Colours;
use super::screen::{Live, Screen, fitting_prompt};
use super::transcript::{Line, Span, Tone, shown_width};
use crate::line::help;

/// What is acknowledged sooner is not shown as waiting.
const UNNOTICED_MS: u64 = 150;
/// How often the seconds that are shown change.
const TICK_MS: u64 = 1000;
/// Lines that wait and are shown; the others are counted.
const MAX_PENDING_SHOWN: usize = 3;
/// Things that have happened already are all taken in before the screen is drawn, but not for ever.
const MAX_BATCH: usize = 1000;

const ENTER: &str = "\x1b[?2004h";
const LEAVE: &str = "\x1b[?2004l\x1b[?7h\x1b[?25h";

/// The terminal in raw mode, until it is dropped.
struct RawTerminal;

impl RawTerminal {
    fn enter() -> io::Result<RawTerminal> {
        terminal::enable_raw_mode()?;
        let raw = RawTerminal;
        write(ENTER)?;
        Ok(raw)
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        let _ = write(LEAVE);
        let _ = terminal::disable_raw_mode();
    }
}

/// What somebody at the terminal sees and types.
struct Interface {
    screen: Screen,
    editor: Editor,
    /// The answer to the first question.
    answer: Editor,
    questions: VecDeque<Question>,
    /// What Tab has found, or what a key does: until the next key.
    hint: Option<String>,
    /// Ctrl-C was the last key.
    is_interrupted: bool,
    /// Since when something waits to be acknowledged.
    pending_from_ms: Option<u64>,
    rings: bool,
    /// What a name is likely to be, until it was asked for.
    login: String,
}

/// Goes on until it ends.
pub fn run(mut driver: Driver, colours: Colours, rings: bool, login: &str) -> io::Result<Ending> {
    let (width, height) = terminal::size()?;
    let mut raw = Some(RawTerminal::enter()?);
    let mut interface = Interface {
        screen: Screen::new(width.into(), height.into(), colours),
        editor: Editor::default(),
        answer: Editor::default(),
        questions: VecDeque::new(),
        hint: None,
        is_interrupted: false,
        pending_from_ms: None,
        rings,
        login: login.to_owned(),
    };
    watch_signals(driver.sender())?;
    let sender = driver.sender();
    std::thread::Builder::new().name("keys".into()).spawn(move || read_terminal(&sender))?;
    driver.conversation.start();
    loop {
        if let Some(ending) = interface.show(&mut driver)? {
            return Ok(ending);
        }
        let mut happening = driver.wait(interface.deadline_ms(&driver));
        if happening.is_none() {
            let now = driver.now();
            driver.conversation.on_deadline(now);
        }
        for _ in 0..MAX_BATCH {
            let now = driver.now();
            match happening {
                Some(Happening::Link(number, event)) => driver.on_link(number, event),
                Some(Happening::Terminal(event)) => {
                    if interface.take_in(event, &mut driver) == Next::Suspend {
                        write(&interface.screen.clear_live())?;
                        drop(raw.take());
                        suspend();
                        raw = Some(RawTerminal::enter()?);
                        let (width, height) = terminal::size()?;
                        interface.screen.resize(width.into(), height.into());
                    }
                }
                Some(Happening::Stop) => driver.conversation.leave(now),
                Some(Happening::EndOfInput) => return Ok(Ending { status: 1, sentence: None }),
                Some(Happening::Line(_)) => (),
                None => break,
            }
            happening = driver.next();
        }
    }
}

/// What is to be done after a key.
#[derive(PartialEq, Eq)]
enum Next {
    GoOn,
    Suspend,
}

impl Interface {
    /// Does what is to be done, and draws what is to be seen.
    fn show(&mut self, driver: &mut Driver) -> io::Result<Option<Ending>> {
        let (mut lines, mut ending, mut rings) = (Vec::new(), None, false);
        let mut actions = VecDeque::from(driver.conversation.take_actions());
        while let Some(action) = actions.pop_front() {
            match driver.perform(action) {
                Some(Action::Show(shown)) => lines.extend(shown),
                Some(Action::Remark(sentence)) => lines.push(Line::notice(sentence)),
                Some(Action::Ask(question)) => self.ask(question),
                Some(Action::Ring) => rings = self.rings,
                Some(Action::End(told)) => ending = Some(told),
                _ => (),
            }
            actions.extend(driver.conversation.take_actions());
        }
        let live = self.live(driver);
        let mut out = self.screen.draw(lines, live);
        if rings {
            out.push('\x07');
        }
        if ending.is_some() {
            out.push_str(&self.screen.clear_live());
        }
        write(&out)?;
        Ok(ending)
    }

    /// When the screen changes by itself.
    fn deadline_ms(&self, driver: &Driver) -> Option<u64> {
        let now_ms = driver.now().steady_ms;
        let of_status = driver.conversation.status(now_ms).map(|_| now_ms + TICK_MS);
        let of_pending = self.pending_from_ms.map(|from_ms| from_ms + UNNOTICED_MS).filter(|at_ms| *at_ms > now_ms);
        of_status.into_iter().chain(of_pending).min()
    }

    fn ask(&mut self, question: Question) {
        self.answer.is_secret = question.is_secret();
        let likely = if question == Question::Name { std::mem::take(&mut self.login) } else { String::new() };
        self.answer.set(&likely);
        self.questions.push_back(question);
    }

    fn live(&mut self, driver: &Driver) -> Live {
        let conversation = &driver.conversation;
        let now_ms = driver.now().steady_ms;
        let width = self.screen.width();
        let mut above = Vec::new();
        if conversation.pending_count() == 0 {
            self.pending_from_ms = None;
        } else {
            let from_ms = *self.pending_from_ms.get_or_insert(now_ms);
            if now_ms >= from_ms + UNNOTICED_MS {
                let pending: Vec<String> = conversation.pending().collect();
                above.extend(pending.iter().take(MAX_PENDING_SHOWN).map(|text| pending_line(text)));
                if pending.len() > MAX_PENDING_SHOWN {
                    let more = pending.len() - MAX_PENDING_SHOWN;
                    above.push(Line::new(Tone::Pending, format!("    … and {more} more that wait")));
                }
            }
        }
        above.extend(conversation.status(now_ms).map(|status| Line::new(Tone::Warning, format!("* {status}"))));
        above.extend(self.hint.iter().map(|hint| Line::new(Tone::Quiet, hint.clone())));
        let (prompt, editor) = match self.questions.front() {
            Some(question) => (Span::new(Tone::Plain, question.words()), &self.answer),
            None => {
                let name = conversation.name().filter(|_| conversation.was_in());
                let name = name.map_or(String::new(), |name| format!("<{name}> "));
                let tone = conversation.author().map_or(Tone::Plain, Tone::Author);
                (Span::new(tone, name), &self.editor)
            }
        };
        let prompt = fitting_prompt(prompt, width);
        let typed = editor.layout(shown_width(&prompt.text), width);
        Live { above, prompt, typed }
    }

    fn take_in(&mut self, event: Event, driver: &mut Driver) -> Next {
        match event {
            Event::Resize(width, height) => self.screen.resize(width.into(), height.into()),
            // What is typed ahead may be the answer to what is about to be asked: a password is no message.
            Event::Paste(_) if self.is_deaf(driver) => (),
            Event::Paste(text) => {
                self.forget_key();
                let text = text.trim_end_matches(['\r', '\n']);
                let one_line = || text.replace(['\r', '\n'], " ");
                if self.questions.is_empty() { self.editor.insert(text) } else { self.answer.insert(&one_line()) }
            }
            Event::Key(key) if key.kind != KeyEventKind::Release => return self.press(key, driver),
            _ => (),
        }
        Next::GoOn
    }

    fn forget_key(&mut self) -> bool {
        self.hint = None;
        std::mem::take(&mut self.is_interrupted)
    }

    fn press(&mut self, key: KeyEvent, driver: &mut Driver) -> Next {
        let was_interrupted = self.forget_key();
        let has = |modifier| key.modifiers.contains(modifier);
        let (control, alt) = (has(KeyModifiers::CONTROL), has(KeyModifiers::ALT));
        let is_asked = !self.questions.is_empty();
        match key.code {
            KeyCode::Char('c') if control => self.interrupt(was_interrupted, driver),
            KeyCode::Char('d') if control && self.current().text().is_empty() => self.leave(driver),
            KeyCode::Char('l') if control => self.screen.redraw(),
            KeyCode::Char('z') if control => return Next::Suspend,
            _ if self.is_deaf(driver) => (),
            KeyCode::Enter if !alt => self.submit(driver),
            KeyCode::Enter if !is_asked => self.editor.insert("\n"),
            KeyCode::Char('j') if control && !is_asked => self.editor.insert("\n"),
            KeyCode::Tab if !is_asked => self.complete(driver),
            _ => edit(self.current(), key.code, control, alt),
        }
        Next::GoOn
    }

    /// Whether nothing can be typed: it is not in the room yet, and nothing is asked.
    fn is_deaf(&self, driver: &Driver) -> bool {
        self.questions.is_empty() && !driver.conversation.was_in()
    }

    fn current(&mut self) -> &mut Editor {
        if self.questions.is_empty() { &mut self.editor } else { &mut self.answer }
    }

    fn submit(&mut self, driver: &mut Driver) {
        let now = driver.now();
        if let Some(question) = self.questions.pop_front() {
            let answer = self.answer.take(false);
            return driver.conversation.on_answer(&question, &answer, now);
        }
        let limit_bytes = driver.conversation.message_bytes();
        let length = self.editor.text().len();
        if length > limit_bytes && !self.editor.text().starts_with('/') {
            self.hint = Some(format!("! That is {length} bytes; a message has at most {limit_bytes}."));
            return;
        }
        let remembers = !is_secret(self.editor.text());
        let line = self.editor.take(remembers);
        driver.conversation.on_line(&line, now);
    }

    /// Ctrl-C: drops the line, or what is asked; twice in a row it leaves.
    fn interrupt(&mut self, again: bool, driver: &mut Driver) {
        if again {
            return self.leave(driver);
        }
        self.current().set("");
        self.is_interrupted = true;
        self.hint = Some("Ctrl-C once more leaves.".to_owned());
    }

    fn leave(&mut self, driver: &mut Driver) {
        let now = driver.now();
        match self.questions.front() {
            // Only what was to be done with it is given up.
            Some(Question::PasswordFor(_) | Question::PasswordAgain(_)) => {
                self.questions.pop_front();
            }
            _ => driver.conversation.leave(now),
        }
    }

    fn complete(&mut self, driver: &Driver) {
        let own = driver.conversation.name();
        let people = driver.conversation.people().iter().filter(|person| Some(&person.name) != own);
        let names: Vec<String> = people.map(|person| person.name.as_str().to_owned()).collect();
        let commands: Vec<String> = help::words().map(str::to_owned).collect();
        let Some(completion) = complete(self.editor.before_cursor(), &names, &commands) else { return };
        self.editor.replace_before(completion.bytes, &completion.by);
        if !completion.choices.is_empty() {
            self.hint = Some(completion.choices.join("  "));
        }
    }
}

/// The keys of Emacs, as shells have them.
fn edit(editor: &mut Editor, code: KeyCode, control: bool, alt: bool) {
    match code {
        KeyCode::Char('a') if control => editor.home(),
        KeyCode::Char('e') if control => editor.end(),
        KeyCode::Char('b') if control => editor.left(),
        KeyCode::Char('f') if control => editor.right(),
        KeyCode::Char('d') if control => editor.delete(),
        KeyCode::Char('h') if control => editor.backspace(),
        KeyCode::Char('k') if control => editor.kill_to_end(),
        KeyCode::Char('u') if control => editor.kill_to_start(),
        KeyCode::Char('w') if control => editor.kill_word(),
        KeyCode::Char('y') if control => editor.yank(),
        KeyCode::Char('t') if control => editor.transpose(),
        KeyCode::Char('p') if control => editor.up(),
        KeyCode::Char('n') if control => editor.down(),
        KeyCode::Char('b') if alt => editor.word_left(),
        KeyCode::Char('f') if alt => editor.word_right(),
        KeyCode::Char('d') if alt => editor.kill_word_right(),
        // With both, it is a letter that the keyboard has no key for.
        KeyCode::Char(letter) if control == alt => editor.insert(letter.encode_utf8(&mut [0; 4])),
        KeyCode::Backspace if alt || control => editor.kill_word_left(),
        KeyCode::Backspace => editor.backspace(),
        KeyCode::Delete if alt || control => editor.kill_word_right(),
        KeyCode::Delete => editor.delete(),
        KeyCode::Left if alt || control => editor.word_left(),
        KeyCode::Right if alt || control => editor.word_right(),
        KeyCode::Left => editor.left(),
        KeyCode::Right => editor.right(),
        KeyCode::Home => editor.home(),
        KeyCode::End => editor.end(),
        KeyCode::Up => editor.up(),
        KeyCode::Down => editor.down(),
        _ => (),
    }
}

/// What waits, in one row.
fn pending_line(text: &str) -> Line {
    let first = text.lines().next().unwrap_or_default();
    let more = if text.lines().nth(1).is_some() { " …" } else { "" };
    let shown: String = first.chars().filter(|character| !character.is_control()).collect();
    Line::new(Tone::Pending, format!("    … {shown}{more}"))
}

fn read_terminal(sender: &Sender<Happening>) {
    while let Ok(event) = crossterm::event::read() {
        if sender.send(Happening::Terminal(event)).is_err() {
            return;
        }
    }
    let _ = sender.send(Happening::EndOfInput);
}

/// Stops until the shell lets it go on (`fg`).
fn suspend() {
    #[cfg(unix)]
    let _ = signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP);
}

fn write(out: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(out.as_bytes())?;
    stdout.flush()
}
