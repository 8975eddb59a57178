//! Events in their last state, told from what is kept of them.

use std::collections::{BTreeMap, BTreeSet};

use super::{CodecFault, ReadChange, damaged, read_payload};
use crate::rooms::{Body, Change, Event, Text, amend};

/// An event as the log keeps it: its number, and its payload as it is now.
pub type KeptEvent<'p> = (u64, &'p [u8]);

/// The messages whose amendments have to be known to tell these events: those among them, and those of which there are
/// corrections among them.
///
/// # Errors
/// They are not as this program writes them.
pub fn messages_of_page(kept: &[KeptEvent<'_>]) -> Result<BTreeSet<u64>, CodecFault> {
    let mut messages = BTreeSet::new();
    for &row in kept {
        let (event, _) = read_kept(row)?;
        match event.body {
            Body::Message { .. } => drop(messages.insert(event.id)),
            Body::Edit { of, .. } => drop(messages.insert(of)),
            _ => (),
        }
    }
    Ok(messages)
}

/// Events in their last state. `amendments`: at least all that amends the [messages](messages_of_page) of the page, read
/// with the page or later. Both are in the order of their numbers.
///
/// # Errors
/// They are not as this program writes them.
pub fn events_of_page(kept: &[KeptEvent<'_>], amendments: &[KeptEvent<'_>]) -> Result<Vec<Event>, CodecFault> {
    let page = kept.iter().map(|&row| read_kept(row)).collect::<Result<Vec<_>, _>>()?;
    let amendments = amendments.iter().map(|&row| read_kept(row)).collect::<Result<Vec<_>, _>>()?;
    let mut by_message: BTreeMap<u64, BTreeMap<u64, &Event>> = BTreeMap::new();
    // Those of the page itself are known in any case; read later they are the newer ones.
    for (event, _) in page.iter().chain(&amendments) {
        if let Some(of) = event.body.amends() {
            by_message.entry(of).or_default().insert(event.id, event);
        }
    }
    let last_state = |(event, is_cut): &(Event, bool)| {
        let mut last = event.clone();
        let message = if let Body::Edit { of, .. } = event.body { of } else { event.id };
        let amended_by = by_message.get(&message).into_iter().flat_map(BTreeMap::values);
        match &mut last.body {
            Body::Message { .. } => {
                let mut has_text = !is_cut;
                for amendment in amended_by {
                    has_text |= matches!(amendment.body, Body::Edit { text: Some(_), .. });
                    amend(std::slice::from_mut(&mut last), amendment);
                }
                if !has_text {
                    delete(&mut last.body);
                }
            }
            Body::Edit { text, .. } => *text = newest_text(amended_by),
            _ => (),
        }
        last
    };
    Ok(page.iter().map(last_state).collect())
}

/// What a message says after all that amends it; `None`: it was deleted.
fn newest_text<'e>(amended_by: impl Iterator<Item = &'e &'e Event>) -> Option<Text> {
    let mut newest = None;
    for amendment in amended_by {
        match &amendment.body {
            Body::Edit { text: Some(text), .. } => newest = Some(text),
            Body::Delete { .. } => return None,
            _ => (),
        }
    }
    newest.cloned()
}

/// Makes of a message what it is once it is deleted.
pub(super) fn delete(body: &mut Body) {
    if let Body::Message { kind, cid, .. } = body {
        *body = Body::Deleted { kind: *kind, cid: cid.take() };
    }
}

/// An event as it was written, but for what was emptied; and whether it is a message of which that is all there was.
fn read_kept((id, payload): KeptEvent<'_>) -> Result<(Event, bool), CodecFault> {
    let ReadChange { change, is_cut } = read_payload(payload, id)?;
    let event = match change {
        Change::Enter { event, .. } | Change::Publish { event } | Change::PublishOfGuest { event } => Some(event),
        Change::Vacate { event, .. } => event,
        Change::Moderate(measure) => Some(measure.event),
        _ => None,
    };
    event.map(|event| (event, is_cut)).ok_or(damaged("an event"))
}
