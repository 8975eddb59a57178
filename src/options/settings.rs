//! Which option has which value, and where that comes from: the command line wins over the environment, that over
//! the configuration file, that over what the program has by default.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, CommandFactory};

use super::arguments::Arguments;
use super::command_line;
use super::config_file::{self, Entry};
use super::fault::Fault;
use super::values::read_digits;

/// One of these overrules both where less counts.
const LOG_FLAGS: [&str; 2] = ["quiet", "verbose"];

/// A value that is read from a file for a variable has at most so many bytes.
const MAX_VALUE_BYTES: u64 = 64 << 10;

/// Names that are less alike are not taken for each other.
const LEAST_LIKENESS: f64 = 0.7;

/// An option and what it is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The option's name, without dashes.
    pub name: String,
    /// Its values, each with where it comes from. None: the program has its own way.
    pub values: Vec<(OsString, Source)>,
    /// Whether the values are to be shown to nobody.
    pub is_secret: bool,
    /// What the program does without a value, in a word or a few.
    pub otherwise: String,
    /// Where the configuration file has it too, in vain.
    pub overruled: Option<Source>,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The command line.
    CommandLine,
    /// This environment variable.
    Variable(String),
    /// The file that this environment variable names, which holds the value.
    VariableFile(String),
    /// The configuration file.
    ConfigFile {
        /// Its path.
        path: PathBuf,
        /// The line of the value, counted from 1.
        line: usize,
    },
    /// The program itself.
    Default,
}

impl Source {
    /// In which order faults are told ([`Fault::order`]).
    fn order(&self) -> usize {
        match self {
            Source::CommandLine | Source::Default => 0,
            Source::Variable(_) | Source::VariableFile(_) => 1,
            Source::ConfigFile { line, .. } => 2 + line,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::CommandLine => formatter.write_str("command line"),
            Source::Variable(name) | Source::VariableFile(name) => formatter.write_str(name),
            Source::ConfigFile { path, line } => write!(formatter, "{}, line {line}", path.display()),
            Source::Default => formatter.write_str("default"),
        }
    }
}

impl Setting {
    /// Where its values come from; of several, the first.
    pub fn source(&self) -> &Source {
        self.values.first().map_or(&Source::Default, |(_, source)| source)
    }

    fn new(arg: &Arg, values: Vec<(OsString, Source)>) -> Setting {
        let is_from_file = values.iter().any(|(_, source)| matches!(source, Source::VariableFile(_)));
        Setting {
            name: name_of(arg),
            values,
            // A variable whose value clap would not show is a secret.
            is_secret: is_from_file || arg.is_hide_env_values_set(),
            otherwise: command_line::told_default(arg).unwrap_or_default(),
            overruled: None,
        }
    }

    fn of_one(arg: &Arg, value: impl Into<OsString>, source: Source) -> Setting {
        Setting::new(arg, vec![(value.into(), source)])
    }

    fn by_default(arg: &Arg) -> Setting {
        let values = arg.get_default_values().iter().map(|value| (value.to_os_string(), Source::Default));
        Setting::new(arg, values.collect())
    }

    /// The option with this value, as it stands on a command line.
    fn written(&self, value: &OsString) -> OsString {
        let mut written = OsString::from(format!("--{}=", self.name));
        written.push(value);
        written
    }

    /// The option in the form in which it was given.
    fn named(&self, source: &Source) -> String {
        match source {
            Source::CommandLine | Source::Default => format!("{:?}", format!("--{}", self.name)),
            Source::Variable(name) | Source::VariableFile(name) => name.clone(),
            Source::ConfigFile { .. } => format!("{source}: {}", self.name),
        }
    }
}

fn name_of(arg: &Arg) -> String {
    arg.get_long().unwrap_or_default().to_owned()
}

/// The environment variable that stands for `--long`.
pub(super) fn variable_name(long: &str) -> String {
    format!("SNUGD_{}", long.to_uppercase().replace('-', "_"))
}

/// What the environment has under a name.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The environment of this process. An empty variable counts as unset.
pub(super) fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The variable of an option whose name is most like this one.
pub fn nearest_variable(name: &str) -> Option<String> {
    let command = Arguments::command();
    let variables: Vec<String> = command_line::options(&command).map(|arg| variable_name(&name_of(arg))).collect();
    let of_file = name.strip_suffix("_FILE").filter(|of_file| variables.iter().any(|variable| variable == of_file));
    match of_file {
        Some(_) => Some(name.to_owned()),
        None => nearest(name, variables.iter().map(String::as_str)).map(str::to_owned),
    }
}

/// The one of these names that is most like it.
fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let rated = names.map(|known| (strsim::jaro(name, known), known));
    let likely = rated.filter(|(likeness, _)| *likeness > LEAST_LIKENESS);
    likely.max_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, known)| known)
}

/// All options as they are set.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// Every option, in the order of the help.
    pub all: Vec<Setting>,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

impl Settings {
    /// Finds out what is set. `given` has what stands on the command line; without an environment, that is all.
    pub fn gather(given: &[&ArgMatches], environment: Option<Environment<'_>>) -> Settings {
        let command = Arguments::command();
        let options: Vec<&Arg> = command_line::options(&command).collect();
        let mut faults = Vec::new();
        let mut found: Vec<_> = options.iter().map(|arg| from_command_line(arg, given)).collect();
        if let Some(environment) = environment {
            let port = read_port(environment, &mut faults);
            fill_in(&options, &mut found, |arg| from_environment(arg, environment, &mut faults));
            fill_in(&options, &mut found, |arg| from_port(arg, "listen", port));
            let config = options.iter().position(|arg| arg.get_id() == "config").and_then(|at| found[at].as_ref());
            if let Some((path, _)) = config.and_then(|config| config.values.first()) {
                let path = PathBuf::from(path);
                let entries = known_entries(&path, &options, &mut faults);
                for (arg, found) in options.iter().zip(&mut found) {
                    let in_file = from_config_file(arg, &path, &entries);
                    if let (Some(found), Some(in_file)) = (found, in_file) {
                        found.overruled = Some(in_file.source().clone());
                    }
                }
                fill_in(&options, &mut found, |arg| from_config_file(arg, &path, &entries));
            }
            fill_in(&options, &mut found, |arg| from_port(arg, "line-listen", port));
            fill_in(&options, &mut found, |arg| from_port(arg, "mdns", port));
        }
        faults.sort_by_key(|fault| fault.order);
        let all = options.iter().zip(found).map(|(arg, found)| found.unwrap_or_else(|| Setting::by_default(arg)));
        Settings { all: all.collect(), faults }
    }

    /// The options, of which those with wrong values are left as they are by default.
    pub fn read(&mut self) -> Option<Arguments> {
        let program = || OsString::from("snugd");
        let written = |setting: &Setting| setting.values.iter().map(|(value, _)| setting.written(value)).collect();
        let given = |setting: &&Setting| *setting.source() != Source::Default;
        let all = self.all.iter().filter(given).flat_map(|setting| -> Vec<_> { written(setting) });
        if let Ok(arguments) = command_line::read_options([program()].into_iter().chain(all)) {
            return Some(arguments);
        }
        let mut faults = Vec::new();
        let mut right = vec![program()];
        for setting in self.all.iter().filter(given) {
            let wrong_before = faults.len();
            for (value, source) in &setting.values {
                if let Err(error) = command_line::read_options([program(), setting.written(value)]) {
                    let sentence = command_line::sentence(&error, |_| setting.named(source), setting.is_secret);
                    let fault = Fault::new(&[&setting.name], format!("{sentence}."));
                    faults.push(Fault { order: source.order(), ..fault });
                }
            }
            if faults.len() == wrong_before {
                right.extend(written(setting));
            }
        }
        faults.append(&mut self.faults);
        self.faults = faults;
        self.faults.sort_by_key(|fault| fault.order);
        command_line::read_options(right).ok()
    }
}

/// Looks for what is not set yet.
fn fill_in(options: &[&Arg], found: &mut [Option<Setting>], mut find: impl FnMut(&Arg) -> Option<Setting>) {
    let is_log_flag = |arg: &Arg| LOG_FLAGS.contains(&arg.get_id().as_str());
    let says_how_much = options.iter().zip(&*found).any(|(arg, found)| is_log_flag(arg) && found.is_some());
    for (arg, found) in options.iter().zip(found) {
        if found.is_none() && !(says_how_much && is_log_flag(arg)) {
            *found = find(arg);
        }
    }
}

fn from_command_line(arg: &Arg, given: &[&ArgMatches]) -> Option<Setting> {
    let id = arg.get_id().as_str();
    let given = given.iter().find(|given| given.value_source(id) == Some(ValueSource::CommandLine))?;
    match arg.get_action() {
        ArgAction::Count => Some(Setting::of_one(arg, given.get_count(id).to_string(), Source::CommandLine)),
        action if !action.takes_values() => Some(Setting::of_one(arg, "on", Source::CommandLine)),
        _ => {
            let values = given.get_raw(id).into_iter().flatten();
            Some(Setting::new(arg, values.map(|value| (value.to_os_string(), Source::CommandLine)).collect()))
        }
    }
}

fn from_environment(arg: &Arg, environment: Environment<'_>, faults: &mut Vec<Fault>) -> Option<Setting> {
    let name = variable_name(&name_of(arg));
    let file_name = format!("{name}_FILE");
    match (environment(&name), environment(&file_name)) {
        (Some(_), Some(_)) => {
            faults.push(Fault::new(
                &[&name_of(arg)],
                format!("{name} and {file_name} are both set; one of them has to go."),
            ));
            None
        }
        (Some(value), None) => Some(Setting::of_one(arg, value, Source::Variable(name))),
        (None, Some(path)) => match read_value(Path::new(&path)) {
            Ok(value) => Some(Setting::of_one(arg, value, Source::VariableFile(file_name))),
            Err(why) => {
                let path = PathBuf::from(path);
                let sentence = format!("{file_name} wants a file with the value, but {} {why}.", path.display());
                faults.push(Fault::new(&[&name_of(arg)], sentence));
                None
            }
        },
        (None, None) => None,
    }
}

/// Reads a file that holds a value and nothing more. One line break at its end does not belong to the value: editors and
/// `echo` make it.
fn read_value(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let file = File::open(path).map_err(|error| format!("cannot be read ({error})"))?;
    file.take(MAX_VALUE_BYTES).read_to_string(&mut text).map_err(|error| format!("cannot be read ({error})"))?;
    let value = text.strip_suffix('\n').unwrap_or(&text);
    let value = value.strip_suffix('\r').unwrap_or(value);
    match value {
        "" => Err("is empty".to_owned()),
        _ if value.contains(['\n', '\0']) => Err("holds more than one line".to_owned()),
        _ => Ok(value.to_owned()),
    }
}

/// Reads `PORT`, with which cloud platforms tell the port for browsers.
fn read_port(environment: Environment<'_>, faults: &mut Vec<Fault>) -> Option<u16> {
    let port = environment("PORT")?;
    let port = port.to_string_lossy();
    let number = read_digits(&port);
    if number.is_none() {
        let sentence = format!("PORT wants a port number from 0 to 65535, not {port:?}.");
        faults.push(Fault::new(&["listen", "line-listen"], sentence));
    }
    number
}

/// What `PORT` means: browsers connect there, by IPv4, as some of the platforms' machines have no IPv6; terminals
/// nowhere; and there is no network of neighbours to be found by.
fn from_port(arg: &Arg, name: &str, port: Option<u16>) -> Option<Setting> {
    let port = port.filter(|_| arg.get_long() == Some(name))?;
    let value = if name == "listen" { format!("0.0.0.0:{port}") } else { "off".to_owned() };
    Some(Setting::of_one(arg, value, Source::Variable("PORT".to_owned())))
}

fn from_config_file(arg: &Arg, path: &Path, entries: &[Entry]) -> Option<Setting> {
    let entry = entries.iter().find(|entry| arg.get_long() == Some(&entry.name))?;
    let source = |line| Source::ConfigFile { path: path.to_owned(), line };
    let values = entry.values.iter().map(|(value, line)| (value.into(), source(*line)));
    Some(Setting::new(arg, values.collect()))
}

/// What the configuration file says of options that there are.
fn known_entries(path: &Path, options: &[&Arg], faults: &mut Vec<Fault>) -> Vec<Entry> {
    let mut entries = config_file::read(path, faults);
    entries.retain(|entry| {
        let name = &entry.name;
        let what = match options.iter().find(|arg| arg.get_long() == Some(name)) {
            Some(arg) if arg.get_id() == "config" => "\"config\" names this file, and does not stand in it".to_owned(),
            Some(arg) if entry.is_list && !matches!(arg.get_action(), ArgAction::Append) => {
                format!("{name} wants one value, not a list")
            }
            Some(_) => return true,
            None => match nearest(name, options.iter().filter_map(|arg| arg.get_long())) {
                Some(near) => format!("there is no option {name:?}; {near:?} is one"),
                None => format!("there is no option {name:?}"),
            },
        };
        faults.push(Fault::of_line(path, entry.line, &what));
        false
    });
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_and_what_comes_from_a_file_of_its_own_are_not_to_be_shown() {
        let cluster = Arg::new("cluster").long("cluster").hide_env_values(true);
        assert!(Setting::of_one(&cluster, "redis://:hunter2@host", Source::CommandLine).is_secret);
        let rate = Arg::new("rate").long("rate");
        assert!(Setting::of_one(&rate, "5", Source::VariableFile("SNUGD_RATE_FILE".to_owned())).is_secret);
        assert!(!Setting::of_one(&rate, "5", Source::Variable("SNUGD_RATE".to_owned())).is_secret);
    }

    #[test]
    fn no_variable_with_a_value_is_called_like_one_with_a_file() {
        let command = Arguments::command();
        let names: Vec<String> = command_line::options(&command).map(|arg| variable_name(&name_of(arg))).collect();
        for name in &names {
            assert!(!names.contains(&format!("{name}_FILE")), "{name}_FILE has two meanings");
        }
    }

    #[test]
    fn a_slip_is_taken_for_the_nearest_name() {
        let names = ["max-file", "max-files", "grace", "listen"];
        let nearest = |name| nearest(name, names.into_iter());
        assert_eq!(nearest("max_file"), Some("max-file"));
        assert_eq!(nearest("grce"), Some("grace"));
        assert_eq!(nearest("Listen"), Some("listen"));
        assert_eq!(nearest("zzz"), None);
    }
}
