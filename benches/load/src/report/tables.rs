//! The tables of the report.

use super::Report;
use super::summary::{
    bytes_each, cost as cost_of, deaf as deaf_run, fan_out, handshakes as handshakes_run, node_cost, redis_cost,
    wall_ms,
};
use crate::full::Counts;
use crate::measure::{Deaf, Handshakes, Outcome};
use crate::median::median;
use crate::pages::Page;
use crate::scenario::{Scenario, Work};

const FLOOR: &str = "floor";

/// Cost of a delivery: the figure of all figures.
pub fn cost(report: &Report) -> String {
    let scenarios = select(report, |work| matches!(work, Work::FanOut { .. } | Work::FanOutOfEach { .. }));
    table(report, "## Server CPU time of a delivery, ns", &scenarios, |scenario, server| {
        let cost = report.cost(scenario, server)?;
        let ratio = report.median_ratio((scenario, server), (scenario, FLOOR), cost_of);
        let ratio = ratio.filter(|_| server != FLOOR).map(|ratio| format!(" ({ratio:.2} ×)"));
        Some(format!("{}{}", number(cost), ratio.unwrap_or_default()))
    })
}

/// What each of several nodes costs, held against one that is alone, and what the Redis does that they share.
pub fn nodes(report: &Report) -> String {
    let several = |scenario: &Scenario| {
        let servers = report.present.iter().map(|kind| kind.name);
        let mut runs = servers.flat_map(|server| report.outcomes(&scenario.id, server));
        runs.any(|(_, outcome)| redis_cost(outcome).is_some())
    };
    let scenarios: Vec<&Scenario> = report.scenarios.iter().filter(|scenario| several(scenario)).collect();
    let heading = "## Several nodes: CPU time of the dearest node ÷ deliveries from it, ns (× snugd's alone); \
                   CPU time of Redis for each text, µs";
    table(report, heading, &scenarios, |scenario, server| {
        let cost = report.median(scenario, server, node_cost)?;
        let ratio = report.median_ratio((scenario, server), (scenario, "snugd"), node_cost);
        let ratio = ratio.filter(|_| server != "snugd").map(|ratio| format!(" ({ratio:.2} ×)")).unwrap_or_default();
        let redis = report.median(scenario, server, redis_cost).map(|us| format!("; {us:.1}")).unwrap_or_default();
        Some(format!("{}{ratio}{redis}", number(cost)))
    })
}

/// From the moment a text was due to its arrival.
pub fn latency(report: &Report) -> String {
    let scenarios = select(report, |work| matches!(work, Work::FanOut { .. } | Work::FanOutOfEach { .. }));
    table(
        report,
        "## Latency of a delivery, µs: p50 / p99 / p99 of the whole / longest",
        &scenarios,
        |scenario, server| {
            let at = |pick: fn(&crate::measure::FanOut) -> f64| {
                report.median(scenario, server, |outcome| fan_out(outcome).map(pick)).map(number)
            };
            let (p50, p99) = (at(|run| run.p50_us)?, at(|run| run.p99_us)?);
            Some(format!("{p50} / {p99} / {} / {}", at(|run| run.whole_p99_us)?, at(|run| run.max_us)?))
        },
    )
}

/// What one member who reads nothing costs the others, and itself.
pub fn deaf(report: &Report) -> String {
    let scenarios = select(report, |work| matches!(work, Work::Deaf { .. }));
    let heading =
        "## One who reads nothing: p99 of the others, µs, before it comes / while it reads nothing; what was lost";
    table(report, heading, &scenarios, |scenario, server| {
        let at =
            |pick: fn(&Deaf) -> f64| report.median(scenario, server, |outcome| deaf_run(outcome).map(pick)).map(number);
        let (hearing, deaf) = (at(|run| run.hearing_p99_us)?, at(|run| run.deaf_p99_us)?);
        Some(format!("{hearing} / {deaf}; {}", at(|run| run.faults.lost as f64)?))
    })
}

/// User memory of an idle member, and of a server that nobody uses.
pub fn memory(report: &Report) -> String {
    let scenarios = select(report, |work| matches!(work, Work::Idle { .. } | Work::Start));
    table(
        report,
        "## User memory: of each idle member, bytes; of the started server, MB (program on disk, MB)",
        &scenarios,
        |scenario, server| {
            let started = report.outcomes(scenario, server).find_map(|(_, outcome)| match outcome {
                Outcome::Start { program_bytes, resident_bytes } => {
                    Some(format!("{:.1} ({:.1})", *resident_bytes as f64 / 1e6, *program_bytes as f64 / 1e6))
                }
                _ => None,
            });
            started.or_else(|| report.median(scenario, server, bytes_each).map(number))
        },
    )
}

/// Everybody at once.
pub fn storm(report: &Report) -> String {
    let scenarios = select(report, |work| matches!(work, Work::Storm { .. }));
    table(
        report,
        "## Storm: until all are in, ms (CPU time of the server for each, µs)",
        &scenarios,
        |scenario, server| {
            let wall = report.median(scenario, server, wall_ms)?;
            let cpu = report.median(scenario, server, |outcome| match outcome {
                Outcome::Storm(run) => Some(run.cpu_us_each),
                _ => None,
            })?;
            Some(format!("{} ({cpu:.1})", number(wall)))
        },
    )
}

/// Many agree upon keys at once.
pub fn handshakes(report: &Report) -> String {
    let scenarios = select(report, |work| matches!(work, Work::Handshakes { .. }));
    let heading =
        "## Handshakes in one instant: until all are done, ms; bystanders' p99 before / meanwhile / longest, µs";
    table(report, heading, &scenarios, |scenario, server| {
        let at = |pick: fn(&Handshakes) -> f64| {
            report.median(scenario, server, |outcome| handshakes_run(outcome).map(pick)).map(number)
        };
        let (wall, before) = (at(|run| run.wall_ms)?, at(|run| run.before_p99_us)?);
        Some(format!("{wall}; {before} / {} / {}", at(|run| run.p99_us)?, at(|run| run.max_us)?))
    })
}

/// More connections than descriptors.
pub fn full(report: &Report) -> String {
    let Some((_, Outcome::Full(run))) = report.outcomes("full", "snugd").last() else { return String::new() };
    let Counts { held, refused, failed } = run.counts;
    format!(
        "## At the limit of {} descriptors\n\n{} connections held, {} refused with 503, {} failed; {} once they have gone.",
        number(run.limit as f64),
        number(held as f64),
        number(refused as f64),
        number(failed as f64),
        if run.serves_afterwards { "newcomers are served" } else { "**newcomers are not served**" }
    )
}

/// Pages, beside nginx.
pub fn pages(report: &Report) -> String {
    fn pages_of((_, outcome): (usize, &Outcome)) -> Option<&Vec<Page>> {
        match outcome {
            Outcome::Pages(pages) => Some(pages),
            _ => None,
        }
    }
    let runs: Vec<_> = report.outcomes("pages", "snugd").filter_map(pages_of).collect();
    let Some(first) = runs.first() else {
        let why = report.failure("pages", "snugd");
        return why.map(|why| format!("## Pages over keep-alive\n\nnot measured: {why}")).unwrap_or_default();
    };
    let mut text =
        "## Pages over keep-alive\n\n| server | page | bytes | requests/s | CPU µs each |\n|---|---|---:|---:|---:|\n"
            .to_owned();
    for (index, page) in first.iter().enumerate() {
        let at = |pick: fn(&Page) -> f64| median(runs.iter().map(|run| pick(&run[index])).collect());
        let (rate, cpu) = (at(|page| page.requests_per_s).unwrap_or(0.0), at(|page| page.cpu_us_each).unwrap_or(0.0));
        text += &format!("| {} | `{}` | {} | {} | {cpu:.1} |\n", page.server, page.path, page.bytes, number(rate));
    }
    text.trim_end().to_owned()
}

/// Every loss, repetition and failure; silence if there was none.
pub fn faults(report: &Report) -> String {
    let mut lines = Vec::new();
    for record in report.records {
        let place = format!("- {} {}, round {}", record.server, record.scenario, record.round);
        match &record.outcome {
            Outcome::Failed(why) => lines.push(format!("{place}: {why}")),
            Outcome::FanOut(run) if run.faults.lost + run.faults.repeated > 0 || run.gone > 0 => lines.push(format!(
                "{place}: {} lost and {} repeated of {} deliveries, {} members closed",
                run.faults.lost, run.faults.repeated, run.expected, run.gone
            )),
            _ => {}
        }
    }
    let checked =
        report.records.iter().filter_map(|record| fan_out(&record.outcome)).map(|run| run.expected).sum::<u64>();
    if lines.is_empty() && checked == 0 {
        return String::new();
    }
    if lines.is_empty() {
        lines.push("none".into());
    }
    format!(
        "## Losses, repetitions, failures\n\nOf {} deliveries checked:\n\n{}",
        number(checked as f64),
        lines.join("\n")
    )
}

/// Every run, one a line.
pub fn csv(report: &Report) -> String {
    let mut text = "round,scenario,server,cpu_ns_each,deliveries_per_s,server_load,p50_us,p99_us,whole_p99_us,max_us,lost,repeated,bytes_each,wall_ms,p99_before_us,node_ns_each,redis_us_each\n".to_owned();
    for record in report.records {
        text += &format!("{},{},{},", record.round, record.scenario, record.server);
        text += &match &record.outcome {
            Outcome::FanOut(run) => format!(
                "{:.1},{:.0},{:.3},{:.1},{:.1},{:.1},{:.1},{},{},,,,{:.1},{}",
                run.cpu_ns_each,
                run.deliveries_per_s,
                run.server_load,
                run.p50_us,
                run.p99_us,
                run.whole_p99_us,
                run.max_us,
                run.faults.lost,
                run.faults.repeated,
                run.node_ns_each,
                run.redis_ns_each.map(|ns| format!("{:.1}", ns / 1e3)).unwrap_or_default()
            ),
            Outcome::Idle { bytes_each } => format!(",,,,,,,,,{bytes_each:.0},,,,"),
            Outcome::Storm(run) => format!(",,,,,,,,,,{:.1},,,", run.wall_ms),
            Outcome::Deaf(run) => format!(
                ",,,,{:.1},,,{},{},,,{:.1},,",
                run.deaf_p99_us, run.faults.lost, run.faults.repeated, run.hearing_p99_us
            ),
            Outcome::Handshakes(run) => {
                format!(",,,,{:.1},,{:.1},,,,{:.1},{:.1},,", run.p99_us, run.max_us, run.wall_ms, run.before_p99_us)
            }
            Outcome::Start { .. } | Outcome::Full(_) | Outcome::Pages(_) | Outcome::Failed(_) => ",,,,,,,,,,,,,".into(),
        };
        text.push('\n');
    }
    text
}

fn select<'a>(report: &'a Report, wanted: impl Fn(&Work) -> bool) -> Vec<&'a Scenario> {
    report.scenarios.iter().filter(|scenario| wanted(&scenario.work)).collect()
}

/// Scenarios down, servers across.
fn table(
    report: &Report,
    heading: &str,
    scenarios: &[&Scenario],
    cell: impl Fn(&str, &str) -> Option<String>,
) -> String {
    let ids: Vec<&str> = scenarios.iter().map(|scenario| scenario.id.as_str()).collect();
    let servers = report.servers_in(&ids);
    if servers.is_empty() {
        return String::new();
    }
    let mut text =
        format!("{heading}\n\n| scenario | {} |\n|---|{}\n", servers.join(" | "), "---:|".repeat(servers.len()));
    for scenario in scenarios {
        text += &format!("| **{}** {} |", scenario.id, scenario.title);
        for server in &servers {
            let empty = || if report.failure(&scenario.id, server).is_some() { "failed".into() } else { "–".into() };
            text += &format!(" {} |", cell(&scenario.id, server).unwrap_or_else(empty));
        }
        text.push('\n');
    }
    text.trim_end().to_owned()
}

/// A number without decimals and with a comma before every third digit.
pub fn number(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = if value <= -0.5 { "-".to_owned() } else { String::new() };
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_grouped_by_threes() {
        assert_eq!([0.0, 999.4, 1000.0, 1234567.0, -1234.0].map(number), ["0", "999", "1,000", "1,234,567", "-1,234"]);
    }
}
