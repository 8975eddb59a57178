//! Medians over rounds, and medians of ratios within rounds.

use super::Report;
use crate::measure::{Deaf, FanOut, Handshakes, Outcome};
use crate::median::median;

impl Report<'_> {
    /// Median over all rounds of one number of the outcome.
    pub fn median(&self, scenario: &str, server: &str, number: impl Fn(&Outcome) -> Option<f64>) -> Option<f64> {
        median(self.outcomes(scenario, server).filter_map(|(_, outcome)| number(outcome)).collect())
    }

    /// Median of the ratios, within each round, of one run to another.
    pub fn median_ratio(
        &self,
        run: (&str, &str),
        base: (&str, &str),
        number: impl Fn(&Outcome) -> Option<f64>,
    ) -> Option<f64> {
        let ratios = self.outcomes(run.0, run.1).filter_map(|(round, outcome)| {
            let (_, base) = self.outcomes(base.0, base.1).find(|(base_round, _)| *base_round == round)?;
            Some(number(outcome)? / number(base)?)
        });
        median(ratios.filter(|ratio| ratio.is_finite()).collect())
    }

    /// CPU time of a delivery, in nanoseconds.
    pub fn cost(&self, scenario: &str, server: &str) -> Option<f64> {
        self.median(scenario, server, cost)
    }

    /// The reason of the last failure.
    pub fn failure<'a>(&'a self, scenario: &'a str, server: &'a str) -> Option<&'a str> {
        self.outcomes(scenario, server).filter_map(|(_, outcome)| failure(outcome)).last()
    }

    /// All outcomes of a server in a scenario, with their rounds.
    pub fn outcomes<'a>(&'a self, scenario: &'a str, server: &'a str) -> impl Iterator<Item = (usize, &'a Outcome)> {
        let mine = self.records.iter().filter(move |record| record.scenario == scenario && record.server == server);
        mine.map(|record| (record.round, &record.outcome))
    }

    /// Names of the servers that have a number, or a failure, in one of these scenarios.
    pub fn servers_in(&self, scenarios: &[&str]) -> Vec<&'static str> {
        let took_part = |name: &str| scenarios.iter().any(|scenario| self.outcomes(scenario, name).next().is_some());
        self.present.iter().map(|kind| kind.name).filter(|name| took_part(name)).collect()
    }
}

pub fn fan_out(outcome: &Outcome) -> Option<&FanOut> {
    match outcome {
        Outcome::FanOut(run) => Some(run),
        _ => None,
    }
}

pub fn deaf(outcome: &Outcome) -> Option<&Deaf> {
    match outcome {
        Outcome::Deaf(run) => Some(run),
        _ => None,
    }
}

pub fn handshakes(outcome: &Outcome) -> Option<&Handshakes> {
    match outcome {
        Outcome::Handshakes(run) => Some(run),
        _ => None,
    }
}

pub fn cost(outcome: &Outcome) -> Option<f64> {
    fan_out(outcome).map(|run| run.cpu_ns_each)
}

/// Of the node that costs most.
pub fn node_cost(outcome: &Outcome) -> Option<f64> {
    fan_out(outcome).map(|run| run.node_ns_each)
}

/// Of a text, in microseconds.
pub fn redis_cost(outcome: &Outcome) -> Option<f64> {
    fan_out(outcome).and_then(|run| run.redis_ns_each).map(|ns| ns / 1e3)
}

pub fn p99(outcome: &Outcome) -> Option<f64> {
    fan_out(outcome).map(|run| run.p99_us)
}

pub fn bytes_each(outcome: &Outcome) -> Option<f64> {
    match outcome {
        Outcome::Idle { bytes_each } => Some(*bytes_each),
        _ => None,
    }
}

pub fn wall_ms(outcome: &Outcome) -> Option<f64> {
    match outcome {
        Outcome::Storm(run) => Some(run.wall_ms),
        _ => None,
    }
}

pub fn failure(outcome: &Outcome) -> Option<&str> {
    match outcome {
        Outcome::Failed(why) => Some(why),
        _ => None,
    }
}
