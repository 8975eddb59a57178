//! The marks that nodes leave in a folder that they share: by them each sees that it is the same folder for all.
//!
//! A mark is a file that its node keeps locked. Not every file system tells other machines of locks, so a node is not
//! taken for gone before its mark is old as well.

use std::fs::{self, DirEntry, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::rooms::NodeId;

/// What has lain there for so long is nothing that a node is about to share, and no node that is about to join the others.
const LEFT_OVER: Duration = Duration::from_secs(60 * 60);

const MARK_PREFIX: &str = "snugd-node-";

/// For whoever looks into the folder.
const MARK_TEXT: &[u8] = b"A node of snugd shares files by this folder.\n";

/// A node's own mark.
pub(super) struct Mark {
    folder: PathBuf,
    /// The file is locked as long as it is open.
    left: Mutex<Option<(NodeId, File)>>,
}

/// What the marks of others tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Others {
    /// Nodes that have none there.
    pub unseen: usize,
    /// Marks of what runs and is none of these nodes: one that is about to join them, or of other rooms.
    pub strangers: usize,
}

impl Mark {
    /// One that is not left yet.
    pub(super) fn in_folder(folder: &Path) -> Mark {
        Mark { folder: folder.to_owned(), left: Mutex::new(None) }
    }

    /// Leaves it, in the place of a former one.
    pub(super) fn leave(&self, node: NodeId) -> io::Result<()> {
        if self.lock().as_ref().is_some_and(|(left, _)| *left == node) {
            // To lock it a second time would wait for ever.
            return Ok(());
        }
        let path = self.path_of(node);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        file.write_all(MARK_TEXT)?;
        if let Err(error) = file.lock() {
            log::debug!("the file system of the shared files has no locks ({error})");
        }
        let former = self.lock().replace((node, file));
        if let Some((former, _)) = former {
            self.remove_of(former);
        }
        Ok(())
    }

    /// Removes it.
    pub(super) fn remove(&self) {
        let left = self.lock().take();
        if let Some((node, _)) = left {
            self.remove_of(node);
        }
    }

    /// Whether something in the folder is so old that nobody is about to need it, by the clock of the folder's own disk.
    pub(super) fn is_left_over(&self, found: &Metadata) -> bool {
        let Some(own) = self.lock().as_ref().and_then(|(_, file)| file.metadata().ok()) else { return false };
        let (Ok(now), Ok(then)) = (own.modified(), found.modified()) else { return false };
        now.duration_since(then).is_ok_and(|age| age > LEFT_OVER)
    }

    /// Looks for the marks of the others, and removes those of nodes that are none any more.
    pub(super) fn look_around(&self, nodes: &[NodeId]) -> io::Result<Others> {
        let own = self.lock().as_ref().map(|(node, _)| *node);
        let mut others = Others::default();
        let mut seen = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let Some(node) = entry.file_name().to_str().and_then(node_of_mark).filter(|node| Some(*node) != own) else {
                continue;
            };
            if nodes.contains(&node) {
                seen.push(node);
            } else if is_held(&entry) {
                others.strangers += 1;
            } else if entry.metadata().is_ok_and(|found| self.is_left_over(&found)) {
                self.remove_of(node);
            }
        }
        others.unseen = nodes.iter().filter(|node| Some(**node) != own && !seen.contains(node)).count();
        Ok(others)
    }

    fn path_of(&self, node: NodeId) -> PathBuf {
        self.folder.join(format!("{MARK_PREFIX}{:016x}", node.0))
    }

    fn remove_of(&self, node: NodeId) {
        match fs::remove_file(self.path_of(node)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                log::debug!("the mark of a node that is none any more cannot be removed ({error})");
            }
            _ => {}
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(NodeId, File)>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a running program holds this mark, as far as the file system tells.
fn is_held(mark: &DirEntry) -> bool {
    File::open(mark.path()).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// The node whose mark has this name.
pub(super) fn node_of_mark(name: &str) -> Option<NodeId> {
    let digits = name.strip_prefix(MARK_PREFIX).filter(|digits| is_node_number(digits))?;
    u64::from_str_radix(digits, 16).ok().map(NodeId)
}

/// Whether this is the number of a node as files are named by it.
pub(super) fn is_node_number(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}
