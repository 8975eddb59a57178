//! `snugd backup`: a copy of a data file and of the files that are shared in its rooms.

use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind};
use std::path::Path;

use super::{FAILED, UNUSABLE};
use crate::files::folder_beside;
use crate::journal::sqlite::{self, BackupError};
use crate::options::Exit;
use crate::rooms::FileId;

/// Copies the data file, then the files that the copy names. Those that were deleted meanwhile are left out.
pub(super) fn back_up(file: &Path, copy: &Path, files: Option<&Path>) -> Result<(), Exit> {
    copy_data(file, copy)?;
    // Half a copy is worse than none; it was ours alone.
    copy_shared(file, copy, files).inspect_err(|_| fs::remove_file(copy).unwrap_or_default())
}

fn copy_shared(file: &Path, copy: &Path, files: Option<&Path>) -> Result<(), Exit> {
    let unusable = |why: sqlite::Unusable| Exit::failed(UNUSABLE, &why.to_string());
    let shared = sqlite::shared_files(copy).map_err(unusable)?;
    if shared.is_empty() {
        return Ok(());
    }
    let from = files.map_or_else(|| folder_beside(file), Path::to_path_buf);
    if !from.is_dir() {
        let shown = from.display();
        let sentence = format!("The shared files are not in {shown}: name their folder with --files.");
        return Err(Exit::failed(FAILED, &sentence));
    }
    let to = folder_beside(copy);
    copy_files(&from, &to, &shared).map_err(|error| {
        let sentence = format!("The files cannot be copied to {} ({error}); choose another place.", to.display());
        Exit::failed(FAILED, &sentence)
    })
}

fn copy_files(from: &Path, to: &Path, shared: &[FileId]) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(to)?;
    let copy_one = |id: &FileId| {
        let name = id.to_string();
        match fs::copy(from.join(&name), to.join(&name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    };
    shared.iter().try_for_each(copy_one).inspect_err(|_| fs::remove_dir_all(to).unwrap_or_default())
}

fn copy_data(file: &Path, copy: &Path) -> Result<(), Exit> {
    let shown = copy.display();
    sqlite::back_up(file, copy).map_err(|error| match error {
        BackupError::Unusable(why) => Exit::failed(UNUSABLE, &why.to_string()),
        BackupError::Exists => {
            Exit::misused(&format!("There is something at {shown} already; name a copy that does not exist yet."))
        }
        BackupError::Copy(why) => {
            Exit::failed(FAILED, &format!("The copy {shown} cannot be written ({why}); choose another place."))
        }
    })
}
