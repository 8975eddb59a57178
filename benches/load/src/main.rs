//! The bench of snugd: one load generator, many servers, one table. `benches/README.md` tells how to use it.
//!
//! | module | holds |
//! |---|---|
//! | `scenario` | what is measured |
//! | `roster` | who is measured: how each is started, what it speaks |
//! | `server` | a server that runs |
//! | `measure` | one scenario against one server |
//! | `guest`, `crowd`, `member` | the clients: who is to come; one thread, one epoll |
//! | `dialect`, `websocket` | how one talks to a server |
//! | `secure` | a connection, plain or over TLS |
//! | `stamp`, `tally` | what a text says; what was lost or repeated |
//! | `process` | CPU time and memory, from `/proc` |
//! | `redis` | the Redis that several nodes share |
//! | `full` | more connections than descriptors |
//! | `report`, `median` | tables, targets, plots |

#![forbid(unsafe_code)]

mod crowd;
mod dialect;
mod full;
mod guest;
mod measure;
mod median;
mod member;
mod options;
mod pages;
mod process;
mod redis;
mod report;
mod roster;
mod scenario;
mod secure;
mod server;
mod stamp;
mod tally;
mod websocket;

use std::process::ExitCode;

use options::{Options, Request};
use report::{Record, Report};

fn main() -> ExitCode {
    let result = match options::parse(std::env::args().skip(1)) {
        Ok(Request::Help) => {
            print!("{}", options::HELP);
            return ExitCode::SUCCESS;
        }
        Ok(Request::List) => {
            list();
            return ExitCode::SUCCESS;
        }
        Ok(Request::Hold(holding)) => full::hold(&holding).map_err(|error| error.to_string()),
        Ok(Request::Run(options)) => run(&options).map_err(|error| error.to_string()),
        Err(usage) => {
            eprintln!("snugd-load: {usage}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("snugd-load: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn list() {
    for scenario in scenario::all() {
        println!("{:14} {}", scenario.id, scenario.title);
    }
    println!();
    for kind in roster::ROSTER {
        println!("{:14} {} ({})", kind.name, kind.about, kind.source);
    }
}

/// All rounds of all scenarios. In a round every server has its turn at a scenario before the next one
/// begins, so that what a machine does to one it does to its neighbours.
fn run(options: &Options) -> std::io::Result<()> {
    let descriptors = process::raise_descriptor_limit()?;
    process::pin(process::LOAD_CPU)?;
    let (present, missing): (Vec<_>, Vec<_>) =
        options.servers.iter().copied().partition(|kind| kind.is_available(&options.places));
    for kind in &missing {
        eprintln!("{} is missing: {}", kind.name, kind.source);
    }

    let mut records = Vec::new();
    for round in 1..=options.rounds {
        for scenario in &options.scenarios {
            let mut turn = present.clone();
            turn.rotate_left((round - 1) % present.len().max(1));
            for kind in turn.into_iter().filter(|kind| measure::takes_part(kind, scenario)) {
                let outcome = measure::run(scenario, kind, &options.places, options.spans(scenario));
                let record = Record { round, scenario: scenario.id.clone(), server: kind.name, outcome };
                eprintln!("{round}/{} {record}", options.rounds);
                records.push(record);
            }
        }
    }

    let conditions =
        report::Conditions { machine: process::machine(), descriptors, rounds: options.rounds, window: options.window };
    let report =
        Report { scenarios: &options.scenarios, present: &present, missing: &missing, records: &records, conditions };
    println!("{}", report.tables());
    if let Some(folder) = &options.results {
        report.write(folder)?;
        eprintln!("written to {}", folder.display());
    }
    Ok(())
}
