//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::full::Holding;
use crate::measure::Spans;
use crate::roster::{Kind, Places, ROSTER};
use crate::scenario::{self, Scenario};

pub const HELP: &str = "\
Usage: snugd-load [OPTIONS]

Runs the scenarios against snugd, the floor and the peers that are installed, prints a table and writes
benches/results/. Servers are pinned to CPU 0, the load to CPU 1; everything stays on 127.0.0.1.

  --only S1,S3,members     these scenarios (default: all; see --list)
  --servers snugd,floor    these servers (default: all that are installed)
  --rounds N               rounds; the report shows medians (default: 3)
  --seconds N              measured window (default: 3; steps of sweeps take half)
  --quick                  one round, windows of one second
  --snugd PATH             the snugd to bench (default: target/release/snugd)
  --before PATH            an older snugd, to hold it against in the same rounds
  --results DIR            where the report goes (default: benches/results)
  --no-report              print only
  --list                   name scenarios and servers
";

#[derive(Debug)]
pub struct Options {
    pub scenarios: Vec<Scenario>,
    /// Servers that were asked for, available or not.
    pub servers: Vec<&'static Kind>,
    pub rounds: usize,
    pub window: Duration,
    pub places: Places,
    pub results: Option<PathBuf>,
}

/// What the command line asks for.
#[derive(Debug)]
pub enum Request {
    Run(Options),
    Help,
    List,
    /// Not for people: asked by this program of itself.
    Hold(Holding),
}

pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Request, String> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = root.canonicalize().unwrap_or(root);
    let mut options = Options {
        scenarios: scenario::all(),
        servers: ROSTER.iter().collect(),
        rounds: 3,
        window: Duration::from_secs(3),
        results: Some(root.join("benches/results")),
        places: Places { snugd: root.join("target/release/snugd"), before: None, root },
    };
    while let Some(argument) = arguments.next() {
        let (name, inline) = match argument.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (argument, None),
        };
        let mut value = || inline.clone().or_else(|| arguments.next()).ok_or(format!("{name} needs a value"));
        match name.as_str() {
            "--only" => options.scenarios = choose_scenarios(&value()?)?,
            "--servers" => options.servers = choose_servers(&value()?)?,
            "--rounds" => options.rounds = positive(&name, &value()?)? as usize,
            "--seconds" => options.window = Duration::from_secs_f64(positive(&name, &value()?)?),
            "--quick" => (options.rounds, options.window) = (1, Duration::from_secs(1)),
            "--snugd" => options.places.snugd = value()?.into(),
            "--before" => options.places.before = Some(value()?.into()),
            "--results" => options.results = Some(value()?.into()),
            "--no-report" => options.results = None,
            "--help" | "-h" => return Ok(Request::Help),
            "--list" => return Ok(Request::List),
            "--hold" => {
                let address = value()?.parse().map_err(|_| "--hold needs an address")?;
                let count = arguments.next().and_then(|count| count.parse().ok()).ok_or("--hold needs a number")?;
                return Ok(Request::Hold(Holding { address, count, rooms: arguments.collect() }));
            }
            _ => return Err(format!("{name} is no option; --help lists them")),
        }
    }
    Ok(Request::Run(options))
}

impl Options {
    pub fn spans(&self, scenario: &Scenario) -> Spans {
        let window = if scenario.is_step() { self.window / 2 } else { self.window };
        Spans { warm_up: window.min(Duration::from_secs(1)), window }
    }
}

fn choose_scenarios(words: &str) -> Result<Vec<Scenario>, String> {
    let all = scenario::all();
    for word in words.split(',') {
        if !all.iter().any(|scenario| scenario.is_meant_by(word)) {
            return Err(format!("{word} is no scenario; --list names them"));
        }
    }
    Ok(all.into_iter().filter(|scenario| words.split(',').any(|word| scenario.is_meant_by(word))).collect())
}

fn choose_servers(words: &str) -> Result<Vec<&'static Kind>, String> {
    let find = |word: &str| {
        let kind = ROSTER.iter().find(|kind| kind.name == word);
        kind.ok_or_else(|| format!("{word} is no server; --list names them"))
    };
    words.split(',').map(find).collect()
}

fn positive(name: &str, value: &str) -> Result<f64, String> {
    let number = value.parse().ok().filter(|number| *number > 0.0 && *number < 1e6);
    number.ok_or_else(|| format!("{name} needs a positive number, not {value}"))
}
