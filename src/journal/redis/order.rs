//! The thread that asks the log in order: whatever has to be done before or after something else.
//!
//! What has come up while an answer was waited for goes out together, in one write. Changes are one command, however many
//! there are. The core has one such command unanswered at a time: so what the server refuses is overtaken by nothing.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rand::rngs::{StdRng, SysRng};
use rand::{RngExt, SeedableRng};
use redis::{Connection, Value, cmd};

use super::answers::{Answers, Origin, Over};
use super::asking::{self, Asker};
use super::connecting::{Connected, Connector, ask};
use super::faults::{Answer, Fault, number};
use super::scripts::Scripts;
use crate::journal::cluster::log::{AppendFault, Attached, Request, Response, Verdict};
use crate::rooms::NodeId;

/// The next attempt to connect comes after a part of this, chosen at random; then of twice as much, up to the latter.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A connection that does not last for so long was of no use: a server that lets in whom it then refuses everything is
/// not asked more and more often.
const USEFUL: Duration = Duration::from_millis(500);

/// So long a new node waits for the replicas to know it too: else one of them might become the master, and would wait for
/// this node to tell what it has seen no more than for one that never was.
const REPLICATION_LIMIT_MS: u64 = 1000;

/// What the thread is told.
pub(super) enum Order {
    /// The log is to be asked; as long as the connection is the one that was there when this was said.
    Ask { session: u64, request: Request },
    /// What follows the log over this connection's time has found that it cannot go on.
    Fail { session: u64, reason: String },
    /// What was said before is the last.
    End,
}

/// The thread's own.
pub(super) struct Orderer {
    pub connector: Connector,
    pub scripts: Scripts,
    pub answers: Answers,
    pub orders: Receiver<Order>,
    waiting: VecDeque<Request>,
    /// A node that could not renew its lease, since nothing can be written, and is to be told how it stands.
    look: Option<NodeId>,
    session: u64,
    is_refusing: bool,
    is_ending: bool,
    /// The next pause before it is connected again is a part of this.
    pause: Duration,
    /// Why the log was out of reach when that was last told.
    told: Option<String>,
    server: String,
    random: StdRng,
}

/// What was sent together, for the answers in their order.
#[derive(Default)]
struct Round {
    packed: Vec<u8>,
    steps: Vec<Step>,
}

enum Step {
    Sent(Request),
    /// Changes with these numbers.
    Append(Vec<u64>),
    /// How a node stands that could not say that it is there.
    Look,
}

/// Why a connection is not used any more.
enum End {
    Over,
    Fault(Fault),
}

impl From<Over> for End {
    fn from(_: Over) -> End {
        End::Over
    }
}

impl<F: Into<Fault>> From<F> for End {
    fn from(fault: F) -> End {
        End::Fault(fault.into())
    }
}

impl Orderer {
    pub fn new(connector: Connector, scripts: Scripts, answers: Answers, orders: Receiver<Order>) -> Orderer {
        let random = StdRng::try_from_rng(&mut SysRng).unwrap_or_else(|_| StdRng::seed_from_u64(0));
        Orderer {
            connector,
            scripts,
            answers,
            orders,
            waiting: VecDeque::new(),
            look: None,
            session: 0,
            is_refusing: false,
            is_ending: false,
            pause: FIRST_PAUSE,
            told: None,
            server: String::new(),
            random,
        }
    }

    /// The thread: from one connection to the next, until nobody takes the answers.
    pub fn run(mut self, first: Connected) {
        let mut connected = first;
        loop {
            self.session += 1;
            (self.look, self.is_refusing) = (None, false);
            self.waiting.clear();
            self.answers.meters.is_up.store(true, Ordering::Relaxed);
            log::info!(event = "cluster_reached"; "the cluster's log is kept by {}", connected.place);
            self.told = None;
            self.server = connected.server;
            let since = Instant::now();
            let Err(End::Fault(fault)) = self.serve(&mut connected.connection) else { return };
            if since.elapsed() >= USEFUL {
                self.pause = FIRST_PAUSE;
            }
            self.answers.meters.is_up.store(false, Ordering::Relaxed);
            self.tell(&fault);
            if self.give(Response::Down { reason: fault.to_string() }).is_err() {
                return;
            }
            self.answers.wake();
            // Closed before another is made.
            drop(connected.connection);
            let Ok(next) = self.connect() else { return };
            connected = next;
        }
    }

    fn give(&self, response: Response) -> Result<(), Over> {
        self.answers.give(Origin::Session(self.session), response)
    }

    /// Whoever runs the program is told once.
    fn tell(&mut self, fault: &Fault) {
        let reason = fault.to_string();
        if self.told.as_ref() != Some(&reason) {
            log::warn!(event = "cluster_away"; "the cluster's log cannot be reached ({reason}): messages wait, and are refused, until it can");
            self.told = Some(reason);
        }
    }

    /// Makes another connection, sooner or later.
    fn connect(&mut self) -> Result<Connected, Over> {
        loop {
            let part = self.random.random_range(0.5..1.0);
            self.wait(self.pause.mul_f64(part))?;
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            match self.connector.connect().and_then(|mut connected| {
                self.scripts.load_into(&mut connected.connection)?;
                Ok(connected)
            }) {
                Ok(connected) => {
                    self.answers.meters.reconnects.inc();
                    return Ok(connected);
                }
                Err(fault) => self.tell(&fault),
            }
        }
    }

    /// Waits; what is asked meanwhile is dropped.
    fn wait(&self, pause: Duration) -> Result<(), Over> {
        let until = Instant::now() + pause;
        loop {
            match self.orders.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Order::End) | Err(RecvTimeoutError::Disconnected) => return Err(Over),
                Ok(Order::Ask { .. } | Order::Fail { .. }) => (),
                Err(RecvTimeoutError::Timeout) => return Ok(()),
            }
        }
    }

    // ---- asking

    fn serve(&mut self, connection: &mut Connection) -> Result<Infallible, End> {
        self.give(Response::Up)?;
        self.answers.wake();
        loop {
            self.gather()?;
            let round = self.make_round();
            if !round.packed.is_empty() {
                connection.send_packed_command(&round.packed)?;
            }
            let sent = Instant::now();
            let mut is_urgent = false;
            for step in round.steps {
                is_urgent |= self.finish(connection, step, sent)?;
            }
            if is_urgent {
                self.answers.wake();
            }
        }
    }

    /// Waits until there is something to be asked.
    fn gather(&mut self) -> Result<(), End> {
        let mut is_idle = self.waiting.is_empty() && self.look.is_none();
        loop {
            let order = match is_idle {
                _ if self.is_ending => None,
                true => Some(self.orders.recv().map_err(|_| End::Over)?),
                false => self.orders.try_recv().ok(),
            };
            match order {
                Some(Order::Ask { session, request }) if session == self.session => {
                    self.waiting.push_back(request);
                    is_idle = false;
                }
                Some(Order::Fail { session, reason }) if session == self.session => {
                    return Err(End::Fault(Fault::Away(reason)));
                }
                Some(Order::Ask { .. } | Order::Fail { .. }) => (),
                Some(Order::End) => self.is_ending = true,
                None if is_idle => return Err(End::Over),
                None => return Ok(()),
            }
        }
    }

    /// As much as can go out together.
    fn make_round(&mut self) -> Round {
        let mut round = Round::default();
        let asker = Asker { session: self.session, server: self.server.clone() };
        if let Some(node) = self.look.take() {
            self.scripts.look.command().arg(node.0).write_packed_command(&mut round.packed);
            round.steps.push(Step::Look);
        }
        while let Some(request) = self.waiting.pop_front() {
            let Some(command) = asking::command(&self.scripts, &asker, &request) else { continue };
            command.write_packed_command(&mut round.packed);
            round.steps.push(match request {
                Request::Append { changes, .. } => {
                    Step::Append(changes.into_iter().map(|change| change.number).collect())
                }
                request => Step::Sent(request),
            });
            // What follows depends on the answer.
            if let Some(Step::Sent(Request::Attach { .. })) = round.steps.last() {
                break;
            }
        }
        round
    }

    // ---- answers

    /// Hands over the answer. Returns whether the reactor has to know of it at once.
    fn finish(&mut self, connection: &mut Connection, step: Step, sent: Instant) -> Result<bool, End> {
        match step {
            Step::Append(numbers) => {
                let value = self.receive(connection, sent)?;
                let appended = self.finish_append(value, numbers)?;
                let are_all_appended = appended
                    .as_ref()
                    .is_ok_and(|verdicts| verdicts.iter().all(|(_, verdict)| *verdict == Verdict::Appended));
                self.give(Response::Appended(appended))?;
                return Ok(self.answers.hurry.note_answered() || !are_all_appended);
            }
            Step::Look => {
                let value = self.receive(connection, sent)?;
                self.give(Response::Renewed(asking::read_renewed(value)?))?;
            }
            Step::Sent(Request::Attach { .. }) => {
                let value = self.receive(connection, sent)?;
                let attached = self.finish_attaching(connection, value)?;
                self.give(Response::Attached(attached))?;
            }
            Step::Sent(request) => {
                let value = self.receive(connection, sent)?;
                let response = match asking::read_other(&request, value) {
                    Err(Fault::Refusing(reason)) => self.finish_refused(request, &reason),
                    response => response?,
                };
                let Some(response) = response else { return Ok(false) };
                self.give(response)?;
            }
        }
        Ok(true)
    }

    fn receive(&self, connection: &mut Connection, sent: Instant) -> Answer<Value> {
        let meters = &self.answers.meters;
        let value = connection.recv_response().inspect_err(|_| meters.failed_commands.inc())?;
        match value {
            Value::ServerError(_) => meters.failed_commands.inc(),
            _ => meters.commands.observe_us(u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX)),
        }
        Ok(value)
    }

    fn finish_append(&mut self, value: Value, numbers: Vec<u64>) -> Answer<Result<Vec<(u64, Verdict)>, AppendFault>> {
        let verdicts = match asking::read_verdicts(value, numbers.len()) {
            Err(Fault::Refusing(reason)) => {
                self.note_refusing(&reason);
                return Ok(Err(AppendFault::Refusing(reason)));
            }
            verdicts => verdicts?,
        };
        if verdicts.is_ok() && std::mem::take(&mut self.is_refusing) {
            log::info!(event = "cluster_recovered"; "the cluster's log takes messages again");
        }
        Ok(verdicts.map(|verdicts| numbers.into_iter().zip(verdicts).collect()))
    }

    fn note_refusing(&mut self, reason: &str) {
        if !std::mem::replace(&mut self.is_refusing, true) {
            log::warn!(event = "cluster_failing"; "the cluster's log takes no message ({reason}): they are refused until it does");
        }
    }

    fn finish_attaching(&mut self, connection: &mut Connection, value: Value) -> Answer<Attached> {
        let (attached, attachment) = match asking::read_attached(value) {
            Err(Fault::Refusing(reason)) => return Err(Fault::Away(reason)),
            attached => attached?,
        };
        if let (Attached::Yes { generation, .. }, Some(attachment)) = (&attached, attachment) {
            if attachment.is_new && attachment.replicas > 0 {
                ask(connection, cmd("WAIT").arg(attachment.replicas).arg(REPLICATION_LIMIT_MS)).and_then(number)?;
            }
            self.server.clone_from(&attachment.server);
            self.answers.stand(|standing| {
                standing.server = attachment.server;
                standing.generation = *generation;
            });
        }
        Ok(attached)
    }

    /// What is answered where nothing can be written.
    fn finish_refused(&mut self, request: Request, reason: &str) -> Option<Response> {
        self.note_refusing(reason);
        match request {
            // It lives on: the others cannot give it up either.
            Request::Renew { node } => {
                self.look = Some(node);
                None
            }
            Request::KeepSnapshot { room, .. } => Some(Response::SnapshotRefused { epoch: room.epoch }),
            _ => None,
        }
    }
}
