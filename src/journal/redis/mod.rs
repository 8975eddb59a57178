//! The ordered log in a Redis, or whatever speaks like one.
//!
//! ```text
//!  core ── ask ────► orderer: pipeline ─► scripts ─► answers ─► wake ──► core
//!       ── follow ─► follower: read, block ────────► entries ─► wake ──►
//!       ── read ───► reader: rooms, pages ─────────► answers ─► wake ──►
//! ```
//!
//! Each thread has a connection of its own. What the connections of one time have in common is the orderer's: where it is
//! lost, or any of the others finds that the log is another's, all of them are made anew, and what was asked before is
//! answered no more.

mod access;
mod address;
mod advancing;
mod answers;
mod asking;
mod connecting;
mod entries;
mod exporting;
mod faults;
mod following;
mod loading;
mod managing;
mod opening;
mod order;
mod reader;
mod reading;
mod scripts;
mod tailed;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

pub use address::ClusterAddress;
use answers::{Answers, Hurry, Origin, Standing, WAITING_ANSWERS};
use connecting::Connector;
pub use exporting::{ExportError, visit_events};
use following::{FollowOrder, Follower};
pub use managing::{AccountError, account_names, change_account};
use order::{Order, Orderer};
use reader::{ReadOrder, Reader};
use scripts::Scripts;

use crate::journal::cluster::Link;
use crate::journal::cluster::log::{Request, Response};
use crate::meter::ClusterMeters;
use crate::rooms::NodeId;

/// So long it is waited at the end for what was asked last.
const END_LIMIT: Duration = Duration::from_secs(1);

/// Reaches the log over connections that threads of its own keep.
pub struct RedisLink {
    orders: Sender<Order>,
    follows: Sender<FollowOrder>,
    reads: Sender<ReadOrder>,
    responses: Receiver<(Origin, Response)>,
    /// Nothing comes; it is closed when everything was asked that is asked in order.
    ended: Receiver<Infallible>,
    standing: Arc<Mutex<Standing>>,
    hurry: Arc<Hurry>,
    wake: Arc<dyn Fn() + Send + Sync>,
    /// The connection that is there, as far as answers were taken.
    session: Option<u64>,
    /// What is followed.
    follow: u64,
    /// Under which number this node has attached last.
    node: NodeId,
}

impl RedisLink {
    /// Connects to the log at this address. `wait_replicas`: so many replicas have to have what any node is handed over.
    /// `wake` is called, on other threads, when there are answers to be taken.
    ///
    /// # Errors
    /// One sentence that says why the log cannot be reached, and what to do.
    pub fn open(
        address: &ClusterAddress,
        wait_replicas: u32,
        wake: impl Fn() + Send + Sync + 'static,
        meters: Arc<ClusterMeters>,
    ) -> Result<RedisLink, String> {
        let scripts = Scripts::new();
        let mut connector = Connector::new(address.clone());
        let connected = opening::connect(&mut connector, &scripts, address)?;
        let (response_sender, responses) = mpsc::sync_channel(WAITING_ANSWERS);
        let (orders, order_receiver) = mpsc::channel();
        let (follows, follow_receiver) = mpsc::channel();
        let (reads, read_receiver) = mpsc::channel();
        let standing = Arc::new(Mutex::new(Standing::default()));
        let (hurry, wake) = (Arc::<Hurry>::default(), Arc::new(wake) as Arc<dyn Fn() + Send + Sync>);
        let answers = Answers {
            responses: response_sender,
            wake: Arc::clone(&wake),
            meters,
            standing: Arc::clone(&standing),
            hurry: Arc::clone(&hurry),
        };
        let follower = Follower {
            connector: connector.clone(),
            answers: answers.clone(),
            orders: orders.clone(),
            follows: follow_receiver,
            wait_replicas,
        };
        let reader = Reader {
            connector: connector.clone(),
            scripts: scripts.clone(),
            answers: answers.clone(),
            orders: read_receiver,
            wait_replicas,
            connection: None,
        };
        let orderer = Orderer::new(connector, scripts, answers, order_receiver);
        let (end_sender, ended) = mpsc::channel();
        start_thread("cluster", move || {
            orderer.run(connected);
            drop::<Sender<Infallible>>(end_sender);
        })?;
        start_thread("cluster-follow", move || follower.run())?;
        start_thread("cluster-read", move || reader.run())?;
        let (session, follow, node) = (None, 0, NodeId::ALONE);
        Ok(RedisLink { orders, follows, reads, responses, ended, standing, hurry, wake, session, follow, node })
    }

    /// The next thing that comes within this time.
    fn wait(&mut self, limit: Duration) -> Option<Response> {
        let until = Instant::now() + limit;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let response = match self.responses.recv_timeout(left) {
                Ok((origin, response)) => self.accept(origin, response),
                Err(_) => return None,
            };
            if response.is_some() {
                return response;
            }
        }
    }

    /// What has come, unless it is the answer to what was asked over a connection that is lost.
    fn accept(&mut self, origin: Origin, response: Response) -> Option<Response> {
        let is_wanted = match (origin, &response) {
            (Origin::Session(session), Response::Up) => {
                self.session = Some(session);
                true
            }
            (Origin::Session(session), Response::Down { .. }) => {
                self.session.take_if(|current| *current == session).is_some()
            }
            (Origin::Session(session), _) => self.session == Some(session),
            (Origin::Follow(follow), _) => self.session.is_some() && self.follow == follow,
        };
        if let Response::Up | Response::Down { .. } = response {
            self.follow += 1;
            self.follow_as(self.follow);
            self.standing.lock().unwrap_or_else(PoisonError::into_inner).session = self.session;
        }
        is_wanted.then_some(response)
    }

    fn follow_as(&self, follow: u64) {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).follow = follow;
    }
}

impl Link for RedisLink {
    fn send(&mut self, request: Request) {
        let Some(session) = self.session else { return };
        // The threads live as long as this.
        match request {
            Request::Follow { after } => {
                self.follow += 1;
                self.follow_as(self.follow);
                let (follow, node) = (self.follow, self.node);
                let _ = self.follows.send(FollowOrder { follow, session, node, after });
            }
            Request::Load => drop(self.reads.send(ReadOrder::Load { session })),
            Request::Read(request) => drop(self.reads.send(ReadOrder::Read { session, request })),
            request => {
                if let Request::Attach { node, .. } = request {
                    self.node = node;
                }
                if let Request::Append { .. } = request {
                    self.hurry.begin();
                }
                let _ = self.orders.send(Order::Ask { session, request });
            }
        }
    }

    fn hurry(&mut self) {
        if self.hurry.note_awaited() {
            (self.wake)();
        }
    }

    fn take(&mut self) -> Option<Response> {
        loop {
            let (origin, response) = self.responses.try_recv().ok()?;
            let response = self.accept(origin, response);
            if response.is_some() {
                return response;
            }
        }
    }
}

impl Drop for RedisLink {
    fn drop(&mut self) {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).is_over = true;
        let _ = self.orders.send(Order::End);
        // That the node leaves is said last, and the others should hear of it.
        let _ = self.ended.recv_timeout(END_LIMIT);
    }
}

fn start_thread(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), String> {
    let started = thread::Builder::new().name(name.to_owned()).spawn(run);
    started.map(drop).map_err(|error| format!("No thread can be started here ({error})."))
}
