//! The flags as they are written, their help, and the one sentence for whoever wrote them wrongly.

use core::net::SocketAddr;
use std::error::Error as _;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Command, CommandFactory, FromArgMatches, Parser, Subcommand};

use super::Exit;
use super::cidr::Cidr;
use super::values::{
    self, ExportFormat, LineListen, LogFormat, PublicUrl, number, read_address, read_base_path, read_host, read_origin,
    read_time_ms,
};

/// Chat rooms in one small binary: browsers and terminals in the same rooms
#[derive(Debug, Parser)]
#[command(name = "snugd", version, args_override_self = true, allow_negative_numbers = true)]
#[command(subcommand_value_name = "COMMAND", disable_help_subcommand = true)]
#[command(after_help = "\
Addresses are written 127.0.0.1:5000, [::1]:5000, localhost:5000, :5000 or 5000; port 0 takes a
free one. Times are written 15s, 10m, 1h, 30d. A proxy, origin or host option can be repeated, or
hold several values with commas between them.

Each option is also an environment variable, SNUGD_ and its name in capitals: --line-listen is
SNUGD_LINE_LISTEN. The option wins. PORT=8080 means --listen 0.0.0.0:8080 --line-listen off, unless
asked for otherwise.")]
pub(super) struct Arguments {
    /// Where browsers connect [default: 0.0.0.0:5000]
    #[arg(long, value_name = "ADDR", value_parser = read_address, help_heading = "Where people come in")]
    pub listen: Option<SocketAddr>,

    /// Where nc and telnet connect; off: nowhere [default: 0.0.0.0:5001]
    #[arg(long, value_name = "ADDR", value_parser = values::read_line_listen, help_heading = "Where people come in")]
    pub line_listen: Option<LineListen>,

    /// SQLite file that keeps rooms, members and history [default: memory]
    #[arg(long, value_name = "FILE", help_heading = "Rooms")]
    pub data: Option<PathBuf>,

    /// Events kept a room, for whoever comes or comes back
    #[arg(long, value_name = "N", default_value = "1000", value_parser = number::<usize>(1, 1_000_000), help_heading = "Rooms")]
    pub history: usize,

    /// How long a room outlives its last member
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = read_time_ms, help_heading = "Rooms")]
    pub room_ttl: u64,

    /// How long a dropped connection keeps its place
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = read_time_ms, help_heading = "Rooms")]
    pub grace: u64,

    /// Letters in a room's code, 4 to 12: more are harder to guess
    #[arg(long, value_name = "N", default_value = "4", value_parser = number::<usize>(4, 12), help_heading = "Rooms")]
    pub code_length: usize,

    /// Members of one room, as each costs time; 0: no limit
    #[arg(long, value_name = "N", default_value = "1000", value_parser = number::<usize>(0, 1_000_000), help_heading = "Rooms")]
    pub max_members: usize,

    /// Bytes in one message, which all in the room must hold
    #[arg(long, value_name = "BYTES", default_value = "4096", value_parser = number::<usize>(1, 1_048_576), help_heading = "Limits")]
    pub max_message: usize,

    /// Messages a second a connection, bursts of 4x; 0: no limit
    #[arg(long, value_name = "N", default_value = "5", value_parser = number::<u32>(0, 1_000_000), help_heading = "Limits")]
    pub rate: u32,

    /// Unknown codes tried a minute an address; 0: no limit
    #[arg(long, value_name = "N", default_value = "10", value_parser = number::<u32>(0, 1_000_000), help_heading = "Limits")]
    pub join_rate: u32,

    /// Rooms created a minute an address; 0: no limit
    #[arg(long, value_name = "N", default_value = "10", value_parser = number::<u32>(0, 1_000_000), help_heading = "Limits")]
    pub create_rate: u32,

    /// Connections at once; 0: as many as the system allows
    #[arg(long, value_name = "N", default_value = "10000", value_parser = number::<usize>(0, 10_000_000), help_heading = "Limits")]
    pub max_connections: usize,

    /// Connections at once from one address; 0: no limit
    #[arg(long, value_name = "N", default_value = "256", value_parser = number::<usize>(0, 10_000_000), help_heading = "Limits")]
    pub max_per_ip: usize,

    /// What invitations show, as https://chat.example [default: guessed]
    #[arg(long, value_name = "URL", value_parser = values::read_public_url, help_heading = "Behind a proxy")]
    pub public_url: Option<PublicUrl>,

    /// Path under which everything is served
    #[arg(long, value_name = "PATH", default_value = "/", value_parser = read_base_path, help_heading = "Behind a proxy")]
    pub base_path: String,

    /// Whose X-Forwarded-For is believed, as 10.0.0.0/8 [default: none]
    #[arg(long, value_name = "CIDR", value_delimiter = ',', value_parser = Cidr::read, help_heading = "Behind a proxy")]
    pub trusted_proxy: Vec<Cidr>,

    /// Whose pages may connect and post forms [default: the Host itself]
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',', value_parser = read_origin, help_heading = "Behind a proxy")]
    pub allowed_origin: Vec<String>,

    /// Host names answered, against DNS rebinding [default: any]
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = read_host, help_heading = "Behind a proxy")]
    pub allowed_host: Vec<String>,

    /// Form of the log on stderr: text for people, json for machines
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = LogFormat::read, help_heading = "Log")]
    pub log: LogFormat,

    /// Log more, to follow what goes on; -vv: everything
    #[arg(short, long, action = ArgAction::Count, overrides_with = "quiet", help_heading = "Log")]
    pub verbose: u8,

    /// Log failures only
    #[arg(short, long, overrides_with = "verbose", help_heading = "Log")]
    pub quiet: bool,

    #[command(subcommand)]
    pub errand: Option<Errand>,
}

/// What can be done with a data file instead of serving; also while it is in use.
#[derive(Clone, Debug, Subcommand)]
pub enum Errand {
    /// Copy a data file, also one in use
    Backup {
        /// The data file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Where the copy goes; nothing may be there yet
        #[arg(long, value_name = "COPY")]
        to: PathBuf,
    },
    /// Write what was said in a room to standard output
    Export {
        /// The data file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The room's code
        #[arg(value_name = "CODE")]
        code: String,
        /// json: an object a line; text: as terminals show it
        #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = ExportFormat::read)]
        format: ExportFormat,
    },
}

/// Reads the flags from the command line, and from the environment those that are not there.
pub(super) fn read(mut args: Vec<OsString>, environment: impl Fn(&str) -> Option<OsString>) -> Result<Arguments, Exit> {
    let matches = match_args(&args, Exit::of_command_line)?;
    if matches.subcommand_name().is_some() {
        // The variables are about serving.
        return Arguments::from_arg_matches(&matches).map_err(|error| Exit::of_command_line(&error));
    }
    let from_environment = environment_args(&Arguments::command(), &matches, environment)?;
    // They go before the others, so that of two flags that exclude each other the command line's wins.
    let first = args.len().min(1);
    args.splice(first..first, from_environment);
    let matches = match_args(&args, Exit::of_environment)?;
    Arguments::from_arg_matches(&matches).map_err(|error| Exit::of_command_line(&error))
}

fn match_args(args: &[OsString], refuse: fn(&clap::Error) -> Exit) -> Result<ArgMatches, Exit> {
    Arguments::command().try_get_matches_from(args).map_err(|error| refuse(&error))
}

/// The variables that are set and not overruled, as the flags they stand for.
fn environment_args(
    command: &Command,
    matches: &ArgMatches,
    environment: impl Fn(&str) -> Option<OsString>,
) -> Result<Vec<OsString>, Exit> {
    let mut args = Vec::new();
    for arg in command.get_arguments() {
        let Some(long) = arg.get_long() else {
            continue;
        };
        let name = variable_name(long);
        let given = matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
        let Some(value) = environment(&name).filter(|_| !given) else {
            continue;
        };
        if arg.get_action().takes_values() {
            let mut flag = OsString::from(format!("--{long}="));
            flag.push(value);
            args.push(flag);
        } else {
            let count = read_switch(&name, &value.to_string_lossy())?;
            args.extend((0..count).map(|_| OsString::from(format!("--{long}"))));
        }
    }
    Ok(args)
}

/// How often a flag without a value is meant to be given.
fn read_switch(name: &str, value: &str) -> Result<u8, Exit> {
    match value {
        "0" | "false" | "no" | "off" => Ok(0),
        "1" | "true" | "yes" | "on" => Ok(1),
        "2" => Ok(2),
        _ => Err(Exit::misused(&format!("{name} wants 0 or 1, not {value:?}."))),
    }
}

/// The environment variable that stands for `--long`.
fn variable_name(long: &str) -> String {
    format!("SNUGD_{}", long.to_uppercase().replace('-', "_"))
}

impl Exit {
    fn of_command_line(error: &clap::Error) -> Exit {
        if !error.use_stderr() {
            return Exit { status: 0, text: error.to_string() };
        }
        Exit::misused(&sentence(error, |flag| format!("{flag:?}")))
    }

    /// The command line was understood before, so what is wrong now came from the environment.
    fn of_environment(error: &clap::Error) -> Exit {
        Exit::misused(&sentence(error, |flag| variable_name(flag.trim_start_matches('-'))))
    }
}

/// One sentence that says what is wrong and what is wanted. `named` writes a flag as its author knows it.
fn sentence(error: &clap::Error, named: impl Fn(&str) -> String) -> String {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    // As in "--grace <TIME>".
    let usage = context(ContextKind::InvalidArg);
    let flag = usage.split_whitespace().next().unwrap_or_default();
    let value = context(ContextKind::InvalidValue);
    match error.kind() {
        ErrorKind::UnknownArgument if flag.starts_with('-') => {
            format!("There is no option {flag:?}.")
        }
        ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand => {
            let word = if usage.is_empty() { context(ContextKind::InvalidSubcommand) } else { usage };
            format!("{word:?} stands alone; everything is said by options, such as --listen :8080.")
        }
        ErrorKind::ValueValidation => match error.source() {
            Some(wanted) => format!("{} wants {wanted}, not {value:?}.", named(flag)),
            None => format!("{} cannot be {value:?}.", named(flag)),
        },
        ErrorKind::InvalidValue if value.is_empty() => {
            format!("{} wants a value after it.", named(flag))
        }
        ErrorKind::MissingRequiredArgument => {
            let missing = match error.get(ContextKind::InvalidArg) {
                Some(ContextValue::Strings(missing)) => missing.join(" and "),
                _ => usage.to_owned(),
            };
            format!("This needs {missing} as well.")
        }
        ErrorKind::TooManyValues => format!("{} takes no value.", named(flag)),
        ErrorKind::InvalidUtf8 => "An option's value is not valid UTF-8.".to_owned(),
        // Nothing else is known to happen; whatever it is, its first line says it.
        _ => {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            format!("{}.", line.trim_start_matches("error: ").trim_end_matches('.'))
        }
    }
}
