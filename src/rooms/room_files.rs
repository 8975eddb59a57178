//! The files of a room whose events are kept, wherever those are.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::{Body, Event, FileId, SharedFile};

/// What a file takes in the tables beside its name.
const FILE_BYTES: usize = 2 * size_of::<SharedFile>() + size_of::<(FileId, u64)>();

/// A room's files, by the events by which they were shared. A null pointer where none ever was.
#[derive(Default)]
pub(super) struct RoomFiles(Option<Box<Tables>>);

#[derive(Default)]
struct Tables {
    files: BTreeMap<u64, SharedFile>,
    events: HashMap<FileId, u64>,
    name_bytes: usize,
    released: Vec<FileId>,
}

impl RoomFiles {
    /// Takes in an event: a file comes with it, or goes.
    pub fn record(&mut self, event: &Event) {
        match &event.body {
            Body::Delete { of, .. } => {
                if let Some(tables) = &mut self.0 {
                    tables.release(*of);
                }
            }
            body => {
                if let Some(file) = body.file() {
                    self.add(event.id, file.clone());
                }
            }
        }
    }

    /// A file was shared by the event with this id.
    pub fn add(&mut self, id: u64, file: SharedFile) {
        let tables = self.0.get_or_insert_default();
        tables.events.insert(file.id, id);
        tables.name_bytes += file.name.as_str().len();
        tables.files.insert(id, file);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|tables| tables.files.is_empty())
    }

    /// Events before this one are kept no more.
    pub fn release_before(&mut self, id: u64) {
        let Some(tables) = &mut self.0 else { return };
        while let Some((&first, _)) = tables.files.first_key_value()
            && first < id
        {
            tables.release(first);
        }
    }

    /// The files that were released since this was last asked.
    pub fn take_released(&mut self) -> Vec<FileId> {
        self.0.as_mut().map(|tables| std::mem::take(&mut tables.released)).unwrap_or_default()
    }

    /// The file with this id.
    pub fn find(&self, id: FileId) -> Option<&SharedFile> {
        let tables = self.0.as_ref()?;
        tables.files.get(tables.events.get(&id)?)
    }

    /// The file that the event with this id shares.
    pub fn shared_by(&self, id: u64) -> Option<&SharedFile> {
        self.0.as_ref()?.files.get(&id)
    }

    /// All of them, in the order of their events.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &SharedFile)> {
        self.0.iter().flat_map(|tables| &tables.files).map(|(id, file)| (*id, file))
    }

    /// Bytes of memory that they take.
    pub fn memory_bytes(&self) -> usize {
        let tables_bytes = |tables: &Tables| tables.files.len() * FILE_BYTES + tables.name_bytes;
        self.0.as_ref().map_or(0, |tables| tables_bytes(tables))
    }
}

impl Tables {
    fn release(&mut self, id: u64) {
        let Some(file) = self.files.remove(&id) else { return };
        self.name_bytes -= file.name.as_str().len();
        self.events.remove(&file.id);
        self.released.push(file.id);
    }
}
