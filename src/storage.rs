//! What keeps the rooms, as the options name it, and the shared files: opened, and what is in it brought into the rooms.

use std::path::Path;
use std::sync::Arc;

use rand::SeedableRng;
use rand::rngs::{StdRng, SysRng};

use crate::files::{FolderStore, Quotas};
#[cfg(feature = "cluster")]
use crate::journal::cluster::ClusterJournal;
#[cfg(feature = "cluster")]
use crate::journal::redis::{ClusterAddress, RedisLink};
#[cfg(feature = "sqlite")]
use crate::journal::sqlite::SqliteJournal;
use crate::journal::{Journal, MemoryJournal};
#[cfg(feature = "cluster")]
use crate::meter::ClusterMeters;
#[cfg(feature = "cluster")]
use crate::options::{ClusterOption, FilesPlace};
use crate::options::{Exit, Options};
use crate::reactor::Files;
#[cfg(feature = "cluster")]
use crate::rooms::NodeId;
use crate::rooms::{FileId, Rooms};
use crate::time::Now;

const FAILED: u8 = 1;
#[cfg(feature = "cluster")]
const MISUSED: u8 = 2;
const UNUSABLE: u8 = 4;

/// Called on another thread when something is done.
type Wake = Arc<dyn Fn() + Send + Sync>;

/// What keeps the rooms.
pub struct Storage {
    /// Where changes are ordered and made durable.
    pub journal: Box<dyn Journal>,
    /// The shared files; `None`: none are shared.
    pub files: Option<Files>,
}

impl Storage {
    /// Opens what the options name. What it has kept is brought into the rooms.
    ///
    /// # Errors
    /// It cannot be used: the exit status, and one sentence that says what to do.
    pub fn open(options: &Options, rooms: &mut Rooms, now: Now, wake: &Wake) -> Result<Storage, Exit> {
        #[cfg(feature = "cluster")]
        if let Some(cluster) = &options.cluster {
            return open_cluster(cluster, options, rooms, now, wake);
        }
        let journal = match &options.data {
            Some(file) => open_file(file, rooms, now, wake, options.limits.history_events)?,
            None => Box::new(MemoryJournal::default()),
        };
        let kept = kept_files(rooms);
        let ids = kept.iter().map(|(id, _)| *id);
        let store = FolderStore::open(&options.files.place, options.data.as_deref(), ids, Arc::clone(wake));
        let store = store.map_err(|error| unusable(&error.to_string()))?;
        let files = store.map(|store| files_in(store, kept, options)).transpose()?;
        Ok(Storage { journal, files })
    }
}

/// The journal in this file.
#[cfg(feature = "sqlite")]
fn open_file(
    file: &Path,
    rooms: &mut Rooms,
    now: Now,
    wake: &Wake,
    history_events: usize,
) -> Result<Box<dyn Journal>, Exit> {
    let wake = Arc::clone(wake);
    let opened = SqliteJournal::open(file, history_events, move || wake());
    let (mut journal, stored) = opened.map_err(|error| unusable(&error.to_string()))?;
    rooms.rely_on_journal();
    rooms.restore_accounts(journal.take_stored_accounts());
    rooms.restore(stored, now);
    Ok(Box::new(journal))
}

/// There are no files without SQLite, and the options name none.
#[cfg(not(feature = "sqlite"))]
fn open_file(
    _file: &Path,
    _rooms: &mut Rooms,
    _now: Now,
    _wake: &Wake,
    _history_events: usize,
) -> Result<Box<dyn Journal>, Exit> {
    unreachable!("the options have refused it")
}

/// The log that nodes share, of which this one is to be one.
#[cfg(feature = "cluster")]
fn open_cluster(
    cluster: &ClusterOption,
    options: &Options,
    rooms: &mut Rooms,
    now: Now,
    wake: &Wake,
) -> Result<Storage, Exit> {
    let address = ClusterAddress::parse(&cluster.url).map_err(|sentence| Exit::failed(MISUSED, &sentence))?;
    let mut random = system_random()?;
    let node = NodeId::random(&mut random);
    // Before the others know this node, so that they find its mark.
    let store = match &options.files.place {
        FilesPlace::Folder(path) => {
            let opened = FolderStore::open_shared(path, node, Arc::clone(wake));
            Some(opened.map_err(|error| unusable(&error.to_string()))?)
        }
        _ => None,
    };
    if let Some(note) = options.files_note() {
        log::info!("{note}");
    }

    let (meters, history_events) = (Arc::<ClusterMeters>::default(), options.limits.history_events as u64);
    let call = Arc::clone(wake);
    let started =
        RedisLink::start(&address, cluster.wait_replicas, node, history_events, move || call(), Arc::clone(&meters));
    let (link, loaded) = started.map_err(|sentence| unusable(&sentence))?;
    let journal = ClusterJournal::new(link, node, &loaded, history_events, random, meters);
    rooms.share_as(node);
    rooms.rely_on_journal();
    rooms.restore_accounts(loaded.accounts);
    let loaded_rooms = loaded.rooms.into_iter().map(|versioned| versioned.room).collect();
    rooms.restore_loaded(loaded_rooms, &loaded.nodes, now);

    let files = match store {
        Some(store) => {
            let kept = kept_files(rooms);
            let tidied = store.tidy_shared(kept.iter().map(|(id, _)| *id), &loaded.nodes);
            tidied.map_err(|error| unusable(&error.to_string()))?;
            Some(files_in(store, kept, options)?.shared_by_nodes())
        }
        None => None,
    };
    Ok(Storage { journal: Box::new(journal), files })
}

/// The files that events name, and their bytes.
fn kept_files(rooms: &Rooms) -> Vec<(FileId, u64)> {
    rooms.files().map(|file| (file.id, file.size_bytes)).collect()
}

fn files_in(store: FolderStore, kept: Vec<(FileId, u64)>, options: &Options) -> Result<Files, Exit> {
    let quotas = Quotas::new(options.files.limits, kept.into_iter());
    Ok(Files::new(Box::new(store), quotas, system_random()?))
}

/// Whoever is behind this cannot tell what it draws.
pub fn system_random() -> Result<StdRng, Exit> {
    StdRng::try_from_rng(&mut SysRng).map_err(|error| {
        Exit::failed(FAILED, &format!("The system gives no random numbers ({error}); start it again."))
    })
}

fn unusable(sentence: &str) -> Exit {
    Exit::failed(UNUSABLE, sentence)
}
