//! The command line as clap reads it: which options there are for whom, the help, and the sentence that tells what is
//! wrong. What the options are is in `arguments`.

use std::error::Error as _;
use std::ffi::OsString;

use clap::builder::{Resettable, ValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory, FromArgMatches, ValueHint};

use super::Exit;
use super::arguments::{Arguments, Subcommand};

/// The subcommands that are about a server, and take its options as well.
const ABOUT_A_SERVER: [&str; 2] = ["check", "healthcheck"];

/// The options on the short page of help: those with which somebody begins.
const FIRST_OPTIONS: [&str; 5] = ["listen", "line_listen", "data", "tls_cert", "config"];

/// The command line with all that can be in it. The environment is not looked at: that is done elsewhere.
pub fn definition() -> Command {
    let command = Arguments::command().mut_args(complete);
    let options: Vec<Arg> = options(&command).cloned().collect();
    let with_options = |command: Command, name: &&str| {
        let options = options.clone();
        command.mut_subcommand(*name, |subcommand| subcommand.args(options))
    };
    ABOUT_A_SERVER.iter().fold(command, with_options)
}

/// What follows from the definition of an option and need not stand with each.
fn complete(arg: Arg) -> Arg {
    let hint = match arg.get_value_names().and_then(|names| names.first()).map(|name| name.as_str()) {
        Some("FILE" | "COPY") => ValueHint::FilePath,
        Some("DIR") => ValueHint::DirPath,
        Some("URL") => ValueHint::Url,
        _ => ValueHint::Other,
    };
    let arg = if takes_value(&arg) { arg.value_hint(hint) } else { arg };
    // What follows a first paragraph is for whoever reads the sources.
    let arg = arg.env(Resettable::Reset).long_help(Resettable::Reset);
    match (told_default(&arg), arg.get_help()) {
        (Some(default), Some(help)) if takes_value(&arg) => {
            let help = help.to_string();
            let (help, _) = help.split_once(TOLD_DEFAULT).unwrap_or((&help, ""));
            let help = format!("{help} [{default}]");
            arg.hide_default_value(true).help(help)
        }
        _ => arg,
    }
}

/// How the help of an option tells what is done without it, where that is no value.
const TOLD_DEFAULT: &str = " [default: ";

/// What is done without an option, as the help tells it.
pub(super) fn told_default(arg: &Arg) -> Option<String> {
    if !takes_value(arg) {
        return Some("off".to_owned());
    }
    match arg.get_default_values() {
        [] => {
            let help = arg.get_help()?.to_string();
            Some(help.split_once(TOLD_DEFAULT)?.1.trim_end_matches(']').to_owned())
        }
        values => Some(values.iter().map(|value| value.to_string_lossy()).collect::<Vec<_>>().join(", ")),
    }
}

/// The options of a server.
pub(super) fn options(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| !matches!(arg.get_id().as_str(), "help" | "version"))
}

/// Whether a value comes after this option.
pub(super) fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values()
}

/// The command whose help is a page that fits every screen.
fn with_short_help(command: Command) -> Command {
    let is_first = |arg: &Arg| FIRST_OPTIONS.contains(&arg.get_id().as_str());
    let command = command.mut_args(|arg| if is_first(&arg) { arg.help_heading(None) } else { arg.hide(true) });
    command.after_help("All options, and examples: snugd --help")
}

/// What stands on a command line.
pub(super) struct CommandLine {
    /// The options that are given, each in the words that stand there.
    pub given: ArgMatches,
    /// What is to be done instead of serving.
    pub subcommand: Option<Subcommand>,
}

/// Reads a command line. What the values of a server's options mean is not looked at yet.
pub(super) fn read(args: &[OsString]) -> Result<CommandLine, Exit> {
    let verbatim = |arg: Arg| match takes_value(&arg) {
        true => arg.value_parser(ValueParser::os_string()),
        false => arg,
    };
    let is_option = |arg: &Arg, names: &[String]| names.iter().any(|name| name == arg.get_id().as_str());
    let command = definition();
    let names: Vec<String> = options(&command).map(|arg| arg.get_id().to_string()).collect();
    let is_short = args.iter().any(|arg| arg == "-h");
    let command = if is_short { with_short_help(command) } else { command };
    let of_server = |arg: Arg| if is_option(&arg, &names) { verbatim(arg) } else { arg };
    let with_verbatim = |command: Command, name: &&str| command.mut_subcommand(*name, |sub| sub.mut_args(of_server));
    let command = ABOUT_A_SERVER.iter().fold(command.mut_args(of_server), with_verbatim);
    let given = command.try_get_matches_from(args).map_err(|error| exit_of(&error))?;
    let subcommand = match given.subcommand_name() {
        Some(_) => Some(Subcommand::from_arg_matches(&given).map_err(|error| exit_of(&error))?),
        None => None,
    };
    Ok(CommandLine { given, subcommand })
}

/// Reads options of a server that are all given in the form `--name=value`, also those that take none otherwise.
pub(super) fn read_options(args: impl IntoIterator<Item = OsString>) -> Result<Arguments, clap::Error> {
    let with_value = |arg: Arg| match takes_value(&arg) {
        true => arg,
        // One overrides the other only where both stand on one command line.
        false => arg.action(ArgAction::Set).num_args(1).default_value("0").overrides_with(Resettable::Reset),
    };
    let command = Arguments::command().mut_args(complete).mut_args(with_value);
    Arguments::from_arg_matches(&command.try_get_matches_from(args)?)
}

fn exit_of(error: &clap::Error) -> Exit {
    match error.use_stderr() {
        false => Exit { status: 0, text: error.to_string() },
        true => Exit::misused(&format!("{}.", sentence(error, |flag| format!("{flag:?}"), false))),
    }
}

/// It alone has commands of its own.
const ACCOUNT_WANTS: &str = "snugd account wants add, list, password or remove after it";

fn is_about_account(error: &clap::Error) -> bool {
    matches!(error.get(ContextKind::Usage), Some(ContextValue::StyledStr(usage)) if usage.to_string().contains("snugd account"))
}

/// The names of the subcommands, for a sentence.
fn subcommand_names() -> String {
    let command = Arguments::command();
    let mut names: Vec<&str> =
        command.get_subcommands().filter(|sub| !sub.is_hide_set()).map(Command::get_name).collect();
    names.sort_unstable();
    names.join(", ")
}

/// `a`, `a or b`, `a, b or c`.
fn choice(words: &[String]) -> String {
    match words {
        [others @ .., last] if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => words.concat(),
    }
}

/// One sentence that says what is wrong and what is wanted, without its full stop. `named` writes an option in the
/// form in which it was given. What was given is told unless it is secret.
pub(super) fn sentence(error: &clap::Error, named: impl Fn(&str) -> String, is_secret: bool) -> String {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    let contexts = |kind| match error.get(kind) {
        Some(ContextValue::Strings(texts)) => texts.as_slice(),
        Some(ContextValue::String(text)) => std::slice::from_ref(text),
        _ => &[],
    };
    // As in "--grace <TIME>" or "--verbose...".
    let usage = context(ContextKind::InvalidArg);
    let flag = usage.split_whitespace().next().unwrap_or_default().trim_end_matches("...");
    let value = context(ContextKind::InvalidValue);
    let told = if is_secret { "what it holds".to_owned() } else { format!("{value:?}") };
    match error.kind() {
        ErrorKind::UnknownArgument if flag.starts_with('-') => match contexts(ContextKind::SuggestedArg) {
            [near, ..] => format!("There is no option {flag:?}; {near:?} is one"),
            [] => format!("There is no option {flag:?}"),
        },
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => ACCOUNT_WANTS.to_owned(),
        ErrorKind::InvalidSubcommand if is_about_account(error) => {
            format!("{ACCOUNT_WANTS}, not {:?}", context(ContextKind::InvalidSubcommand))
        }
        ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand => {
            let word = if usage.is_empty() { context(ContextKind::InvalidSubcommand) } else { usage };
            let names = subcommand_names();
            format!("{word:?} is neither a command ({names}) nor an option, such as --listen :8080")
        }
        ErrorKind::ValueValidation => match error.source() {
            Some(wanted) => format!("{} wants {wanted}, not {told}", named(flag)),
            None => format!("{} cannot be {told}", named(flag)),
        },
        ErrorKind::InvalidValue if value.is_empty() => format!("{} wants a value after it", named(flag)),
        ErrorKind::InvalidValue => {
            format!("{} wants {}, not {told}", named(flag), choice(contexts(ContextKind::ValidValue)))
        }
        ErrorKind::MissingRequiredArgument => {
            format!("This needs {} as well", contexts(ContextKind::InvalidArg).join(" and "))
        }
        ErrorKind::TooManyValues => format!("{} takes no value", named(flag)),
        ErrorKind::InvalidUtf8 => format!("{} wants text in UTF-8", named(flag)),
        // No other error is expected; the first line of its text says what it is.
        _ => {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            line.trim_start_matches("error: ").trim_end_matches('.').to_owned()
        }
    }
}
