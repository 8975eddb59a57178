//! What can be done instead of serving: `snugd backup`, `snugd export` and `snugd account` with a data file, also one that
//! is in use; `snugd check` and `snugd healthcheck` with the options of a server. The client of `snugd join` is a part of
//! its own.

use std::ffi::OsString;

use crate::options::{Exit, Subcommand};

mod checking;
mod completing;
mod healthcheck;

/// Runs a subcommand. `args` is the command line that asks for it.
///
/// # Errors
/// The exit status, and the sentence to print.
pub fn run(subcommand: &Subcommand, args: impl Iterator<Item = OsString>) -> Result<(), Exit> {
    match subcommand {
        Subcommand::Check { json } => checking::check(args, *json),
        Subcommand::Healthcheck { url, ready } => healthcheck::run(args, url.as_ref(), *ready),
        Subcommand::Completions { shell } => completing::write(*shell),
        #[cfg(feature = "client")]
        Subcommand::Join(options) => crate::client::run(options),
        #[cfg(not(feature = "client"))]
        Subcommand::Join(_) => {
            Err(Exit::misused("This snugd was built without its client; use another build, a browser or nc."))
        }
        _ => run_with_file(subcommand),
    }
}

#[cfg(feature = "sqlite")]
fn run_with_file(subcommand: &Subcommand) -> Result<(), Exit> {
    match subcommand {
        Subcommand::Backup { file, to, files } => with_file::back_up(file, to, files.as_deref()),
        #[cfg(feature = "accounts")]
        Subcommand::Account { action } => managing_accounts::run(action),
        #[cfg(not(feature = "accounts"))]
        Subcommand::Account { .. } => {
            Err(Exit::misused("This snugd was built without accounts, so it manages none; use another build."))
        }
        Subcommand::Export { file, code, format } => with_file::export(file, code, *format),
        _ => unreachable!("what needs no data file is run without one"),
    }
}

#[cfg(not(feature = "sqlite"))]
fn run_with_file(_subcommand: &Subcommand) -> Result<(), Exit> {
    Err(Exit::misused("This snugd was built without SQLite, so it reads no data files; use another build."))
}

#[cfg(all(feature = "accounts", feature = "sqlite"))]
mod managing_accounts;

const FAILED: u8 = 1;
#[cfg(feature = "sqlite")]
const UNUSABLE_FILE: u8 = 4;

#[cfg(feature = "sqlite")]
mod with_file {
    use std::fs::{self, DirBuilder};
    use std::io::{self, BufWriter, ErrorKind, Write};
    use std::path::Path;

    use crate::files::folder_beside;
    use crate::journal::sqlite::{self, BackupError, ExportError};
    use crate::json;
    use crate::line::{LineEncoder, LocalClock};
    use crate::options::{Exit, ExportFormat};
    use crate::rooms::{Encoder, Event, FileId, RoomCode};

    use super::{FAILED, UNUSABLE_FILE};

    /// Copies the data file, then the files that the copy names. Those that were deleted meanwhile are left out.
    pub(super) fn back_up(file: &Path, copy: &Path, files: Option<&Path>) -> Result<(), Exit> {
        copy_data(file, copy)?;
        // Half a copy is worse than none; it was ours alone.
        copy_shared(file, copy, files).inspect_err(|_| fs::remove_file(copy).unwrap_or_default())
    }

    fn copy_shared(file: &Path, copy: &Path, files: Option<&Path>) -> Result<(), Exit> {
        let unusable = |why: sqlite::Unusable| Exit::failed(UNUSABLE_FILE, &why.to_string());
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
            BackupError::Unusable(why) => Exit::failed(UNUSABLE_FILE, &why.to_string()),
            BackupError::Exists => {
                Exit::misused(&format!("There is something at {shown} already; name a copy that does not exist yet."))
            }
            BackupError::Copy(why) => {
                Exit::failed(FAILED, &format!("The copy {shown} cannot be written ({why}); choose another place."))
            }
        })
    }

    pub(super) fn export(file: &Path, code: &str, format: ExportFormat) -> Result<(), Exit> {
        let no_such_room = || {
            let sentence = format!("There is no room {code:?} in {}; its code is in its address.", file.display());
            Exit::failed(FAILED, &sentence)
        };
        let code = RoomCode::parse(code).ok_or_else(no_such_room)?;
        let mut output = BufWriter::new(io::stdout().lock());
        let mut writer = EventWriter::new(code, format);
        let result = sqlite::visit_events(file, code, |event| output.write_all(writer.write(event)));
        let result = result.and_then(|()| output.flush().map_err(ExportError::Output));
        match result {
            Ok(()) => Ok(()),
            // Whoever reads has read enough (`snugd export … | head`).
            Err(ExportError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            Err(ExportError::Output(error)) => {
                Err(Exit::failed(FAILED, &format!("The events cannot be written out ({error}); send them elsewhere.")))
            }
            Err(ExportError::NoSuchRoom) => Err(no_such_room()),
            Err(ExportError::Unusable(why)) => Err(Exit::failed(UNUSABLE_FILE, &why.to_string())),
        }
    }

    /// Writes events one after the other.
    struct EventWriter {
        format: ExportFormat,
        clock: LocalClock,
        encoder: LineEncoder,
        code: RoomCode,
        day: Option<String>,
        bytes: Vec<u8>,
    }

    impl EventWriter {
        fn new(code: RoomCode, format: ExportFormat) -> EventWriter {
            let clock = LocalClock::system();
            let encoder = LineEncoder::new(clock.clone(), String::new());
            EventWriter { format, encoder, code, clock, day: None, bytes: Vec::new() }
        }

        /// The event's lines, each ended by LF.
        fn write(&mut self, event: &Event) -> &[u8] {
            self.bytes.clear();
            match self.format {
                ExportFormat::Json => {
                    json::write_event(self.code, event, &mut self.bytes);
                    self.bytes.push(b'\n');
                }
                ExportFormat::Text => {
                    let day = self.clock.date(event.time_ms).strftime("%A %-d %B %Y").to_string();
                    if self.day.as_ref() != Some(&day) {
                        self.bytes.extend(format!("* -- {day} --\n").bytes());
                        self.day = Some(day);
                    }
                    self.encoder.encode_event(&self.code, event, &mut self.bytes);
                    // Terminals end lines with CRLF; no text has a CR of its own.
                    self.bytes.retain(|&byte| byte != b'\r');
                }
            }
            &self.bytes
        }
    }
}
