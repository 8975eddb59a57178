//! `snugd account`: names claimed, listed and given up by whoever runs the server.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use rand::RngExt;

use super::{FAILED, UNUSABLE_FILE};
use crate::accounts::hashing;
use crate::journal::sqlite::{self, AccountError};
use crate::options::{AccountSubcommand, Exit};
use crate::rooms::{AccountAction, Name, Password, PasswordHash};

pub(super) fn run(subcommand: &AccountSubcommand) -> Result<(), Exit> {
    match subcommand {
        AccountSubcommand::List { data } => list(data),
        AccountSubcommand::Add { data, name } => {
            let name = parse_name(name)?;
            let hash = Some(read_new_password()?);
            change(data, &name, AccountAction::Add { name: name.clone(), hash })
        }
        AccountSubcommand::Password { data, name } => {
            let name = parse_name(name)?;
            change(data, &name, AccountAction::SetPassword(read_new_password()?))
        }
        AccountSubcommand::Remove { data, name } => change(data, &parse_name(name)?, AccountAction::Remove),
    }
}

fn list(file: &Path) -> Result<(), Exit> {
    let names = sqlite::account_names(file).map_err(|error| failure(error, file, ""))?;
    let mut out = io::stdout().lock();
    for name in names {
        // Whoever reads may have read enough (`snugd account list … | head`).
        if writeln!(out, "{name}").is_err() {
            break;
        }
    }
    Ok(())
}

fn change(file: &Path, name: &Name, action: AccountAction) -> Result<(), Exit> {
    sqlite::change_account(file, name, action).map_err(|error| failure(error, file, name.as_str()))
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

fn failure(error: AccountError, file: &Path, name: &str) -> Exit {
    let file = file.display();
    match error {
        AccountError::Unusable(why) => Exit::failed(UNUSABLE_FILE, &why.to_string()),
        AccountError::Exists => {
            let sentence = format!("There is an account {name:?} in {file} already, or one that looks like it.");
            Exit::failed(FAILED, &sentence)
        }
        AccountError::Missing => {
            let sentence = format!("There is no account {name:?} in {file}; snugd account list shows them.");
            Exit::failed(FAILED, &sentence)
        }
        AccountError::NoAnswer => {
            let sentence = format!("The snugd that uses {file} does not answer; stop it, and try again.");
            Exit::failed(FAILED, &sentence)
        }
    }
}
