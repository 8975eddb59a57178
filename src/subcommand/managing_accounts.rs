//! `snugd account`: names claimed, listed and given up by whoever runs the server.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use rand::RngExt;

use super::place::Place;
use super::{FAILED, UNUSABLE};
use crate::accounts::hashing;
#[cfg(feature = "cluster")]
use crate::journal::redis;
#[cfg(feature = "sqlite")]
use crate::journal::sqlite;
use crate::options::{AccountSubcommand, ClusterArguments, Exit};
use crate::rooms::{AccountAction, Name, Password, PasswordHash};

const NO_PLACE: &str = "Say where the accounts are: --data FILE, or --cluster URL (or SNUGD_CLUSTER_FILE, which names a file \
                        with the address).";

pub(super) fn run(file: Option<&Path>, cluster: &ClusterArguments, subcommand: &AccountSubcommand) -> Result<(), Exit> {
    let place = Place::find(file, cluster, NO_PLACE)?;
    match subcommand {
        AccountSubcommand::List => list(&place),
        AccountSubcommand::Add { name } => {
            let name = parse_name(name)?;
            let hash = Some(read_new_password()?);
            change(&place, &name, AccountAction::Add { name: name.clone(), hash })
        }
        AccountSubcommand::Password { name } => {
            let name = parse_name(name)?;
            change(&place, &name, AccountAction::SetPassword(read_new_password()?))
        }
        AccountSubcommand::Remove { name } => change(&place, &parse_name(name)?, AccountAction::Remove),
    }
}

fn list(place: &Place) -> Result<(), Exit> {
    let names = match place {
        #[cfg(feature = "sqlite")]
        Place::File(file) => sqlite::account_names(file).map_err(of_file),
        #[cfg(not(feature = "sqlite"))]
        Place::File(_) => unreachable!("the options have refused it"),
        #[cfg(feature = "cluster")]
        Place::Log { address, wait_replicas } => redis::account_names(address, *wait_replicas).map_err(of_log),
    };
    let names = names.map_err(|fault| fault.told(place, ""))?;
    let mut out = io::stdout().lock();
    for name in names {
        // Whoever reads may have read enough (`snugd account list … | head`).
        if writeln!(out, "{name}").is_err() {
            break;
        }
    }
    Ok(())
}

fn change(place: &Place, name: &Name, action: AccountAction) -> Result<(), Exit> {
    let changed = match place {
        #[cfg(feature = "sqlite")]
        Place::File(file) => sqlite::change_account(file, name, action).map_err(of_file),
        #[cfg(not(feature = "sqlite"))]
        Place::File(_) => unreachable!("the options have refused it"),
        #[cfg(feature = "cluster")]
        Place::Log { address, wait_replicas } => {
            redis::change_account(address, *wait_replicas, name, action).map_err(of_log)
        }
    };
    changed.map_err(|fault| fault.told(place, name.as_str()))
}

fn parse_name(typed: &str) -> Result<Name, Exit> {
    Name::parse(typed).ok_or_else(|| Exit::misused(&format!("{typed:?} is no name: 1 to 32 visible characters.")))
}

/// Asks for a password twice at a terminal, where it does not show; else the first line of the input is one.
fn read_new_password() -> Result<PasswordHash, Exit> {
    let unreadable = |error: io::Error| Exit::failed(FAILED, &format!("The password cannot be read ({error})."));
    let typed = if io::stdin().is_terminal() {
        let typed = rpassword::prompt_password("Password: ").map_err(unreadable)?;
        if rpassword::prompt_password("Once more: ").map_err(unreadable)? != typed {
            return Err(Exit::failed(FAILED, "That was not the same twice; nothing is changed."));
        }
        typed
    } else {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map_err(unreadable)?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    };
    let password = Password::parse_new(&typed).map_err(|fault| Exit::failed(FAILED, &fault.to_string()))?;
    hashing::hash(&password, rand::rng().random(), &mut hashing::Memory::default())
        .ok_or_else(|| Exit::failed(FAILED, "There is too little memory to hash a password (19 MiB)."))
}

/// Why an account is not as it was wanted, wherever it is.
enum AccountFault {
    /// The place cannot be used: a sentence.
    Unusable(String),
    /// It was not done: a sentence.
    #[cfg(feature = "cluster")]
    NotDone(String),
    Exists,
    Missing,
    /// The server that uses the place does not answer.
    #[cfg(feature = "sqlite")]
    NoAnswer,
}

#[cfg(feature = "sqlite")]
fn of_file(error: sqlite::AccountError) -> AccountFault {
    match error {
        sqlite::AccountError::Unusable(why) => AccountFault::Unusable(why.to_string()),
        sqlite::AccountError::Exists => AccountFault::Exists,
        sqlite::AccountError::Missing => AccountFault::Missing,
        sqlite::AccountError::NoAnswer => AccountFault::NoAnswer,
    }
}

#[cfg(feature = "cluster")]
fn of_log(error: redis::AccountError) -> AccountFault {
    match error {
        redis::AccountError::Unusable(sentence) => AccountFault::Unusable(sentence),
        redis::AccountError::NotDone(sentence) => AccountFault::NotDone(sentence),
        redis::AccountError::Exists => AccountFault::Exists,
        redis::AccountError::Missing => AccountFault::Missing,
    }
}

impl AccountFault {
    fn told(self, place: &Place, name: &str) -> Exit {
        match self {
            AccountFault::Unusable(sentence) => Exit::failed(UNUSABLE, &sentence),
            #[cfg(feature = "cluster")]
            AccountFault::NotDone(sentence) => Exit::failed(FAILED, &sentence),
            AccountFault::Exists => {
                let sentence = format!("There is an account {name:?} in {place} already, or one that looks like it.");
                Exit::failed(FAILED, &sentence)
            }
            AccountFault::Missing => {
                let sentence = format!("There is no account {name:?} in {place}; snugd account list shows them.");
                Exit::failed(FAILED, &sentence)
            }
            #[cfg(feature = "sqlite")]
            AccountFault::NoAnswer => {
                let sentence = format!("The snugd that uses {place} does not answer; stop it, and try again.");
                Exit::failed(FAILED, &sentence)
            }
        }
    }
}
