//! What snugd promises, held against what was measured.

use super::Report;
use super::summary::{bytes_each, cost, deaf as deaf_run, handshakes, node_cost, p99, wall_ms};
use super::tables::number;
use crate::measure::Outcome;
use crate::scenario::{MEMBER_STEPS, ROOM_STEPS};

const SNUGD: &str = "snugd";
const PEERS: [&str; 3] = ["uws", "bun", "tokio"];
const BEFORE: &str = "before";
const FAN_OUT: [&str; 5] = ["S1", "S2", "S3", "S4", "S6"];

/// One promise: what it is, what was found, whether it holds.
struct Finding {
    promise: String,
    found: String,
    holds: bool,
}

/// The section, or nothing where snugd was not measured.
pub fn section(report: &Report) -> String {
    let mut findings = Vec::new();
    for scenario in FAN_OUT {
        findings.extend(against_floor(report, scenario));
        findings.extend(against_peers(report, scenario, ("cost", "ns"), cost));
        findings.extend(against_peers(report, scenario, ("p99", "µs"), p99));
    }
    findings
        .extend(["S1", "S2", "S3", "S4", "S6", "T1", "W1", "M1"].iter().filter_map(|id| against_before(report, id)));
    findings.extend(with_data(report));
    findings.extend(nodes(report));
    findings.extend(terminals(report));
    findings.extend(memory(report));
    findings.extend(storm(report));
    findings.extend(over_tls(report));
    findings.extend(flat(report, "members", &MEMBER_STEPS));
    findings.extend(flat(report, "rooms", &ROOM_STEPS));
    findings.extend(deaf(report));
    findings.extend(full(report));
    findings.extend(pages(report));
    if findings.is_empty() {
        return String::new();
    }
    let mut text = "## What must be true\n\n| promise | found | |\n|---|---|---|\n".to_owned();
    for Finding { promise, found, holds } in findings {
        text += &format!("| {promise} | {found} | {} |\n", if holds { "yes" } else { "**no**" });
    }
    text.trim_end().to_owned()
}

fn at_most(promise: impl Into<String>, value: f64, limit: f64, found: String) -> Finding {
    Finding { promise: promise.into(), found, holds: value <= limit }
}

fn against_floor(report: &Report, scenario: &str) -> Option<Finding> {
    let ratio = report.median_ratio((scenario, SNUGD), (scenario, "floor"), cost)?;
    Some(at_most(format!("{scenario}: at most 1.10 × the floor"), ratio, 1.10, format!("{ratio:.2} ×")))
}

fn against_before(report: &Report, scenario: &str) -> Option<Finding> {
    let ratio = report.median_ratio((scenario, SNUGD), (scenario, BEFORE), cost)?;
    Some(at_most(format!("{scenario}: at most 3 % dearer than before"), ratio, 1.03, format!("{ratio:.3} ×")))
}

fn with_data(report: &Report) -> Option<Finding> {
    let ratio = report.median_ratio(("S1", "snugd-data"), ("S1", SNUGD), cost)?;
    Some(at_most("S1 with `--data`: at most 1.15 × without", ratio, 1.15, format!("{ratio:.2} ×")))
}

/// Each of several nodes costs what one that is alone costs, and it does not take long from one to another.
fn nodes(report: &Report) -> Vec<Finding> {
    let mut findings = Vec::new();
    for scenario in ["S1", "S3", "S1-each", "S3-each"] {
        let ratio = report.median_ratio((scenario, "nodes-2"), (scenario, SNUGD), node_cost);
        let Some(ratio) = ratio else { continue };
        let promise = format!("{scenario}: each of two nodes at most 1.10 × one alone");
        findings.push(at_most(promise, ratio, 1.10, format!("{ratio:.2} ×")));
    }
    if let Some(p99_us) = report.median("across", "nodes-2", p99) {
        let found = format!("{} µs", number(p99_us));
        findings.push(at_most("across: from one node to another p99 at most 5 ms", p99_us, 5_000.0, found));
    }
    findings
}

/// Against each peer within each round; the one that comes nearest, or beats it, is named.
fn against_peers(
    report: &Report,
    scenario: &str,
    (what, unit): (&str, &str),
    number_of: fn(&Outcome) -> Option<f64>,
) -> Option<Finding> {
    let lossless = |name: &&str| !lost_much(report, scenario, name);
    let ratio_to = |name: &'static str| report.median_ratio((scenario, SNUGD), (scenario, name), number_of);
    let peers = PEERS.iter().copied().filter(lossless).filter_map(|name| Some((name, ratio_to(name)?)));
    let (best, ratio) = peers.max_by(|left, right| left.1.total_cmp(&right.1))?;
    let median_of = |name| report.median(scenario, name, number_of).map(number);
    let found = format!("{} {unit}; {best} {}: {ratio:.2} ×", median_of(SNUGD)?, median_of(best)?);
    Some(at_most(format!("{scenario}: {what} no more than the best peer's"), ratio, 1.0, found))
}

/// A server that drops what it should deliver is no measure of delivering it.
fn lost_much(report: &Report, scenario: &str, server: &str) -> bool {
    report.outcomes(scenario, server).any(|(_, outcome)| match outcome {
        Outcome::FanOut(run) => run.faults.lost * 1_000 > run.expected,
        _ => false,
    })
}

fn terminals(report: &Report) -> Vec<Finding> {
    let mut findings = Vec::new();
    for peer in ["ngircd", "smallchat"] {
        if let Some(ratio) = report.median_ratio(("T1", SNUGD), ("T1", peer), cost) {
            findings.push(at_most(format!("T1: cost no more than {peer}'s"), ratio, 1.0, format!("{ratio:.2} ×")));
        }
    }
    let mixed_to = |other| report.median_ratio(("M1", SNUGD), (other, SNUGD), cost);
    if let (Some(to_terminal), Some(to_web)) = (mixed_to("T1"), mixed_to("W1")) {
        let found = format!("{to_terminal:.2} × terminals, {to_web:.2} × browsers");
        findings.push(at_most(
            "M1: cost no more than the dearer of T1's and W1's",
            to_terminal.min(to_web),
            1.0,
            found,
        ));
    }
    findings
}

fn memory(report: &Report) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (scenario, who) in [("S5", "web member"), ("T5", "terminal member")] {
        if let Some(bytes) = report.median(scenario, SNUGD, bytes_each) {
            let promise = format!("{scenario}: an idle {who} at most 400 bytes");
            findings.push(at_most(promise, bytes, 400.0, format!("{} bytes", number(bytes))));
        }
    }
    let start = report.outcomes("start", SNUGD).find_map(|(_, outcome)| match outcome {
        Outcome::Start { program_bytes, resident_bytes } => Some((*program_bytes as f64, *resident_bytes as f64)),
        _ => None,
    });
    if let Some((program, resident)) = start {
        findings.push(at_most("the program at most 3 MB", program, 3e6, format!("{:.2} MB", program / 1e6)));
        findings.push(at_most("started, at most 4 MB resident", resident, 4e6, format!("{:.2} MB", resident / 1e6)));
    }
    findings
}

fn storm(report: &Report) -> Vec<Finding> {
    ["storm", "storm-ten", "storm-one"]
        .into_iter()
        .filter_map(|scenario| {
            let mine = report.median(scenario, SNUGD, wall_ms)?;
            let theirs = report.median("storm-bare", "uws", wall_ms)?;
            let found = format!("{} ms; {}", number(mine), number(theirs));
            Some(at_most(format!("{scenario}: at most twice uWebSockets' bare handshakes"), mine, 2.0 * theirs, found))
        })
        .collect()
}

fn over_tls(report: &Report) -> Vec<Finding> {
    let mut findings: Vec<Finding> = ["tls-S1", "tls-S3", "tls-S6"]
        .into_iter()
        .filter_map(|scenario| against_peers(report, scenario, ("cost", "ns"), cost))
        .collect();
    let idle = |scenario| report.median(scenario, SNUGD, bytes_each);
    if let (Some(plain), Some(secure)) = (idle("S5"), idle("tls-S5")) {
        let found = format!("{} bytes more", number(secure - plain));
        findings.push(at_most("tls-S5: an idle member over TLS at most 12 KB more", secure - plain, 12_288.0, found));
    }
    let p99_us = report.median("tls-handshakes", SNUGD, |outcome| handshakes(outcome).map(|run| run.p99_us));
    if let Some(p99_us) = p99_us {
        let promise = "1,000 handshakes at once: the bystanders' p99 at most 50 ms";
        findings.push(at_most(promise, p99_us, 50_000.0, format!("{:.1} ms", p99_us / 1e3)));
    }
    findings
}

/// Flat: from step to step, the ratio to the floor does not grow with the size.
fn flat(report: &Report, sweep: &str, steps: &[usize]) -> Option<Finding> {
    let ratio_at = |step: &usize| {
        let id = format!("{sweep}-{step}");
        report.median_ratio((&id, SNUGD), (&id, "floor"), cost)
    };
    let ratios: Vec<f64> = steps.iter().filter_map(ratio_at).collect();
    let (first, last) = (*ratios.first()?, *ratios.last()?);
    let shown: Vec<String> = ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
    let promise = format!("cost stays flat over {sweep}: × the floor grows by at most a quarter, first to last");
    Some(at_most(promise, last, 1.25 * first, shown.join(", ")))
}

fn deaf(report: &Report) -> Vec<Finding> {
    let ratio =
        report.median("deaf", SNUGD, |outcome| deaf_run(outcome).map(|run| run.deaf_p99_us / run.hearing_p99_us));
    let Some(ratio) = ratio else { return Vec::new() };
    let runs = report.outcomes("deaf", SNUGD).filter_map(|(_, outcome)| deaf_run(outcome));
    let faults: u64 = runs.map(|run| run.faults.lost + run.faults.repeated + u64::from(run.is_closed)).sum();
    let found = format!("{:+.1} %", (ratio - 1.0) * 100.0);
    vec![
        at_most("one who reads nothing adds at most 5 % to the others' p99", ratio, 1.05, found),
        at_most("and has missed nothing when it reads again", faults as f64, 0.0, format!("{faults} lost or repeated")),
    ]
}

fn full(report: &Report) -> Option<Finding> {
    let (_, Outcome::Full(run)) = report.outcomes("full", SNUGD).last()? else { return None };
    let found = format!("{} held, {} refused, {} failed", run.counts.held, run.counts.refused, run.counts.failed);
    let promise = format!("{} descriptors filled with connections, the others refused with 503", run.limit);
    // A few descriptors are the program's own.
    let holds = run.counts.held + 32 >= run.limit && run.counts.failed == 0 && run.serves_afterwards;
    Some(Finding { promise, found, holds })
}

fn pages(report: &Report) -> Vec<Finding> {
    let Some((_, Outcome::Pages(pages))) = report.outcomes("pages", SNUGD).last() else { return Vec::new() };
    let (mine, theirs): (Vec<_>, Vec<_>) = pages.iter().partition(|page| page.server == SNUGD);
    mine.iter()
        .filter_map(|mine| {
            let theirs = theirs.iter().find(|page| page.path == mine.path)?;
            let found = format!("{}/s; {}/s", number(mine.requests_per_s), number(theirs.requests_per_s));
            let (mine_rate, their_rate) = (mine.requests_per_s, theirs.requests_per_s);
            Some(at_most(format!("`{}`: at least nginx's requests", mine.path), their_rate, mine_rate, found))
        })
        .collect()
}
