//! What can be done instead of serving: `snugd backup` with a data file, `snugd export` and `snugd account` with one or
//! with the log that nodes share, also while a server uses it; `snugd check` and `snugd healthcheck` with the options of a
//! server. The client of `snugd join` is a part of its own.

use std::ffi::OsString;
use std::path::Path;

use crate::options::{Exit, Subcommand};

#[cfg(feature = "sqlite")]
mod backing_up;
mod checking;
mod completing;
mod exporting;
mod healthcheck;
#[cfg(feature = "accounts")]
mod managing_accounts;
mod place;

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
        Subcommand::Backup { cluster: Some(_), .. } => Err(Exit::misused(
            "With --cluster the rooms are in Redis, so what is backed up is Redis's own file (redis-cli --rdb COPY makes \
             one) and the folder named with --files.",
        )),
        Subcommand::Backup { file, to, files, .. } => back_up(file.as_deref(), to.as_deref(), files.as_deref()),
        #[cfg(feature = "accounts")]
        Subcommand::Account { file, cluster, action } => managing_accounts::run(file.as_deref(), cluster, action),
        #[cfg(not(feature = "accounts"))]
        Subcommand::Account { .. } => {
            Err(Exit::misused("This snugd was built without accounts, so it manages none; use another build."))
        }
        Subcommand::Export { file, code, cluster, format } => {
            exporting::export(file.as_deref(), cluster, code, *format)
        }
    }
}

#[cfg(feature = "sqlite")]
fn back_up(file: Option<&Path>, copy: Option<&Path>, files: Option<&Path>) -> Result<(), Exit> {
    match (file, copy) {
        (Some(file), Some(copy)) => backing_up::back_up(file, copy, files),
        _ => unreachable!("the options have refused it"),
    }
}

#[cfg(not(feature = "sqlite"))]
fn back_up(_file: Option<&Path>, _copy: Option<&Path>, _files: Option<&Path>) -> Result<(), Exit> {
    Err(Exit::misused("This snugd was built without SQLite, so it reads no data files; use another build."))
}

const FAILED: u8 = 1;
const MISUSED: u8 = 2;
/// A data file, or the cluster's log, cannot be used.
const UNUSABLE: u8 = 4;
