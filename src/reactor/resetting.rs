//! How everything is taken in anew, where memory may not be what other nodes have: whoever is in a room comes again.

use super::Reactor;
use super::connection::Phase;
use super::net::Net;
use super::session::Session;
use super::stopping::Spread;
use crate::http::metrics::CloseReason;
use crate::journal::Journal;
use crate::rooms::{ConnectionId, LoadedRoom, NodeId, Refusal, Reply, StoredAccount};

impl<N: Net, J: Journal> Reactor<N, J> {
    /// Has everybody come again, and takes these rooms and accounts in the place of all there are.
    pub(super) fn reset(
        &mut self,
        node: NodeId,
        accounts: Vec<StoredAccount>,
        rooms: Vec<LoadedRoom>,
        nodes: &[NodeId],
    ) {
        let open = self.connections.slab.iter().filter(|(_, connection)| connection.phase == Phase::Open);
        let concerned =
            open.filter(|(_, connection)| connection.awaits_reply || !connection.memberships.as_slice().is_empty());
        let concerned: Vec<ConnectionId> = concerned.map(|(slot, _)| self.connections.id_of(slot)).collect();
        log::warn!(event = "reset", connections = concerned.len(); "all rooms are taken in anew: everybody comes again");
        let mut spread = Spread::over(concerned.len());
        for id in concerned {
            let retry_ms = spread.next_ms();
            self.give_back_request(id);
            if let Some(slot) = self.connections.find(id) {
                self.send_away(slot, retry_ms, CloseReason::Stopping);
            }
        }
        self.rooms.reset(node, accounts, rooms, nodes, self.now);
    }

    /// Nobody knows what becomes of what a request has asked for: it is refused, and can be sent again.
    fn give_back_request(&mut self, id: ConnectionId) {
        let Some(slot) = self.connections.find(id) else { return };
        let connection = &self.connections.slab[slot];
        if connection.awaits_reply && matches!(connection.session, Session::Http(_)) {
            self.deliver(id, Reply::Refused { refusal: Refusal::StorageFailed, cid: None, is_answer: true });
        }
    }
}
