//! TEMPORARY
use super::faults::Answer;
use crate::rooms::{Page, ReadRequest};
pub(super) fn read(_connection: &mut redis::Connection, _request: &ReadRequest) -> Answer<Page> {
    Ok(Page::default())
}
