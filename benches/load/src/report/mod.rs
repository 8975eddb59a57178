//! What all runs together say: a Markdown report, a CSV of every run, plots.

mod plot;
mod summary;
mod tables;
mod targets;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use crate::measure::Outcome;
use crate::roster::Kind;
use crate::scenario::Scenario;

/// One run of one scenario against one server.
#[derive(Debug)]
pub struct Record {
    pub round: usize,
    pub scenario: String,
    pub server: &'static str,
    pub outcome: Outcome,
}

/// Under which conditions the numbers came about.
#[derive(Debug)]
pub struct Conditions {
    pub machine: String,
    pub descriptors: u64,
    pub rounds: usize,
    pub window: Duration,
}

#[derive(Debug)]
pub struct Report<'a> {
    pub scenarios: &'a [Scenario],
    pub present: &'a [&'static Kind],
    pub missing: &'a [&'static Kind],
    pub records: &'a [Record],
    pub conditions: Conditions,
}

impl Report<'_> {
    /// Everything that is text.
    pub fn tables(&self) -> String {
        let parts = [
            self.preface(),
            targets::section(self),
            tables::cost(self),
            tables::nodes(self),
            tables::latency(self),
            tables::deaf(self),
            tables::memory(self),
            tables::storm(self),
            tables::handshakes(self),
            tables::full(self),
            tables::pages(self),
            tables::faults(self),
        ];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n") + "\n"
    }

    /// Writes `REPORT.md`, `runs.csv` and the plots.
    pub fn write(&self, folder: &Path) -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join("runs.csv"), tables::csv(self))?;
        let mut markdown = self.tables();
        for (file, title, svg) in self.plots() {
            markdown += &format!("\n![{title}]({file})\n");
            std::fs::write(folder.join(file), svg)?;
        }
        std::fs::write(folder.join("REPORT.md"), markdown)
    }

    /// File name, title and picture of each plot that there are numbers for.
    fn plots(&self) -> Vec<(&'static str, &'static str, String)> {
        let plots = [
            ("scenarios.svg", "Cost of a delivery by scenario", plot::scenarios(self)),
            ("members.svg", "Cost of a delivery against members", plot::members(self)),
            ("rooms.svg", "Cost of a delivery against rooms", plot::rooms(self)),
            ("nodes.svg", "Cost of a delivery on each of several nodes", plot::nodes(self)),
        ];
        plots.into_iter().filter_map(|(file, title, svg)| Some((file, title, svg?))).collect()
    }

    fn preface(&self) -> String {
        let Conditions { machine, descriptors, rounds, window } = &self.conditions;
        let mut text = format!(
            "# What a delivery costs\n\n\
             {machine}; servers on CPU 0, the load on CPU 1, {descriptors} descriptors. Several nodes share CPU 0, and \
             their Redis shares CPU 1 with the load; of them only those latencies count that are between two nodes. Medians of {rounds} \
             round{}, windows of {} s, texts of 64 bytes. A cost is the server's CPU time over the window divided \
             by the messages that clients received in it; × is the median of the ratios to the floor within one \
             round. p99 is the middle one of the 99th percentiles of all fifths of a second, which a hiccup of the \
             machine does not decide; that of the whole window stands beside it. Absolute times differ from machine \
             to machine: the ratios count.\n",
            if *rounds == 1 { "" } else { "s" },
            window.as_secs_f64()
        );
        for kind in self.present {
            text += &format!("\n- **{}**: {}", kind.name, kind.about);
        }
        for kind in self.missing {
            text += &format!("\n- **{}** is missing here: {}. To get it: `{}`", kind.name, kind.about, kind.source);
        }
        text
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:14} {:12} ", self.scenario, self.server)?;
        match &self.outcome {
            Outcome::FanOut(run) => {
                write!(
                    f,
                    "{:8.0} ns each, {:9.0}/s, load {:3.0} %, p50 {:.0} p99 {:.0} max {:.0} µs",
                    run.cpu_ns_each,
                    run.deliveries_per_s,
                    run.server_load * 100.0,
                    run.p50_us,
                    run.p99_us,
                    run.max_us
                )?;
                if let Some(redis_ns) = run.redis_ns_each {
                    write!(f, "; dearest node {:.0} ns, Redis {:.1} µs a text", run.node_ns_each, redis_ns / 1e3)?;
                }
                if run.faults.lost + run.faults.repeated > 0 || run.gone > 0 {
                    let faults = run.faults;
                    write!(
                        f,
                        ", LOST {} REPEATED {} of {}, closed {}",
                        faults.lost, faults.repeated, run.expected, run.gone
                    )?;
                }
                Ok(())
            }
            Outcome::Idle { bytes_each } => write!(f, "{bytes_each:8.0} bytes each"),
            Outcome::Storm(run) => write!(f, "{:8.0} ms, {:.1} µs of CPU each", run.wall_ms, run.cpu_us_each),
            Outcome::Handshakes(run) => write!(
                f,
                "{:8.0} ms; bystanders' p99 {:.0} µs before, {:.0} meanwhile, longest {:.0}",
                run.wall_ms, run.before_p99_us, run.p99_us, run.max_us
            ),
            Outcome::Deaf(run) => write!(
                f,
                "p99 {:.0} µs before, {:.0} while it reads nothing; {} lost, {} repeated{}",
                run.hearing_p99_us,
                run.deaf_p99_us,
                run.faults.lost,
                run.faults.repeated,
                if run.is_closed { ", closed" } else { "" }
            ),
            Outcome::Full(run) => write!(f, "{:?}, limit {}", run.counts, run.limit),
            Outcome::Start { program_bytes, resident_bytes } => {
                write!(f, "{program_bytes} bytes on disk, {resident_bytes} in memory")
            }
            Outcome::Pages(pages) => {
                for page in pages {
                    write!(
                        f,
                        "[{} {} {:.0}/s, {:.1} µs] ",
                        page.server, page.path, page.requests_per_s, page.cpu_us_each
                    )?;
                }
                Ok(())
            }
            Outcome::Failed(why) => write!(f, "FAILED: {why}"),
        }
    }
}
