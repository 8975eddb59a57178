//! What both kinds of input share: one channel on which everything arrives, the connection, and the time.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::conversation::{Action, Conversation};
use super::link::{Clock, Link, LinkEvent, Place};
use crate::time::Now;

/// Something that arrives.
pub enum Happening {
    /// From the connection with this number.
    Link(u64, LinkEvent),
    /// From the terminal: a key, a paste, another size.
    Terminal(crossterm::event::Event),
    /// A line of standard input.
    Line(String),
    /// Standard input has ended.
    EndOfInput,
    /// The system asks the program to end.
    Stop,
}

/// The client's loop, but for what it shows.
pub struct Driver {
    /// What is said.
    pub conversation: Conversation,
    place: Place,
    clock: Clock,
    link: Option<Link>,
    /// Of the connection that is there now: what comes from others is of no interest any more.
    link_number: u64,
    happenings: Receiver<Happening>,
    sender: Sender<Happening>,
}

impl Driver {
    /// A driver of this conversation, at this place.
    pub fn new(conversation: Conversation, place: Place) -> Driver {
        let (sender, happenings) = channel();
        Driver { conversation, place, clock: Clock::start(), link: None, link_number: 0, happenings, sender }
    }

    /// Where everything arrives.
    pub fn sender(&self) -> Sender<Happening> {
        self.sender.clone()
    }

    /// The time.
    pub fn now(&self) -> Now {
        let wall_ms = jiff::Timestamp::now().as_millisecond().max(0) as u64;
        Now { steady_ms: self.clock.now_ms(), wall_ms }
    }

    /// Waits for the next thing to happen, until a deadline at the most.
    pub fn wait(&mut self, deadline_ms: Option<u64>) -> Option<Happening> {
        let deadlines = self.conversation.deadline_ms().into_iter().chain(deadline_ms);
        let wait_ms = deadlines.min().map_or(u64::MAX, |at_ms| at_ms.saturating_sub(self.clock.now_ms()));
        // Some systems wait for no longer than they can count.
        let wait = Duration::from_millis(wait_ms.min(24 * 3600 * 1000));
        self.happenings.recv_timeout(wait).ok()
    }

    /// The next thing that has happened already.
    pub fn next(&mut self) -> Option<Happening> {
        self.happenings.try_recv().ok()
    }

    /// Something has become of a connection.
    pub fn on_link(&mut self, number: u64, event: LinkEvent) {
        if number == self.link_number {
            let now = self.now();
            self.conversation.on_link(event, now);
        }
    }

    /// Does what concerns the connection; hands back what does not.
    pub fn perform(&mut self, action: Action) -> Option<Action> {
        match action {
            Action::Open { creates } => {
                self.link = None;
                self.link_number += 1;
                let (number, sender) = (self.link_number, self.sender.clone());
                let emit = move |event| {
                    // Nobody waits for it when the program ends.
                    let _ = sender.send(Happening::Link(number, event));
                };
                match Link::open(self.place.clone(), creates, emit) {
                    Ok(link) => self.link = Some(link),
                    Err(error) => {
                        let sentence = format!("The system gives no connection ({error}).");
                        self.on_link(self.link_number, LinkEvent::Closed(None, sentence));
                    }
                }
                None
            }
            Action::Send(json) => {
                if let Some(link) = &self.link {
                    link.send(json);
                }
                None
            }
            other => Some(other),
        }
    }
}

/// Tells when the system asks the program to end.
#[cfg(unix)]
pub fn watch_signals(sender: Sender<Happening>) -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let mut signals = signal_hook_mio::v1_0::Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let mut poll = mio::Poll::new()?;
    poll.registry().register(&mut signals, mio::Token(0), mio::Interest::READABLE)?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        let mut events = mio::Events::with_capacity(4);
        loop {
            if poll.poll(&mut events, None).is_err_and(|error| error.kind() != std::io::ErrorKind::Interrupted) {
                return;
            }
            for _ in signals.pending() {
                if sender.send(Happening::Stop).is_err() {
                    return;
                }
            }
        }
    })?;
    Ok(())
}

/// There are no such signals.
#[cfg(not(unix))]
pub fn watch_signals(_sender: Sender<Happening>) -> std::io::Result<()> {
    Ok(())
}
