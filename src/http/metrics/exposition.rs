//! The two forms in which metrics are written: Prometheus' own text format 0.0.4, and OpenMetrics 1.0, which newer
//! scrapers ask for.
//!
//! They differ in the names of counters, of which OpenMetrics tells type and help without `_total`, and in the end,
//! which it marks.

use core::fmt::{Display, Write as _};

use crate::meter::{BOUNDS_US, Histogram};

/// A form of metrics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Prometheus' text format 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

/// How much a client wants something: by the weight, and by how closely it names it. Of two equal ones the text wins.
type Preference = (u16, u8);

impl Format {
    /// The form that is wanted by whoever sends these items of `Accept` (RFC 9110 section 12.5.1).
    pub fn wanted<'a>(accepted: impl Iterator<Item = &'a str>) -> Format {
        let (mut text, mut open_metrics): ((u8, u16), (u8, u16)) = Default::default();
        for item in accepted {
            let Some(range) = MediaRange::read(item) else { continue };
            // The range that names it most closely tells how much it is wanted.
            text = text.max(range.preference("text/plain", "0.0.4"));
            open_metrics = open_metrics.max(range.preference("application/openmetrics-text", "1.0.0"));
        }
        let by_weight = |(closeness, weight): (u8, u16)| -> Preference { (weight, closeness) };
        if by_weight(open_metrics) > by_weight(text) { Format::OpenMetrics } else { Format::Text }
    }

    /// What it is, for `Content-Type`.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// One item of `Accept`.
struct MediaRange<'a> {
    media_type: &'a str,
    version: Option<&'a str>,
    /// In thousandths.
    weight: u16,
}

impl<'a> MediaRange<'a> {
    /// `None`: its weight is none.
    fn read(item: &'a str) -> Option<MediaRange<'a>> {
        let mut parts = item.split(';').map(str::trim);
        let mut range = MediaRange { media_type: parts.next()?, version: None, weight: 1000 };
        for (name, value) in parts.filter_map(|parameter| parameter.split_once('=')) {
            match (name.trim_end(), value.trim_start().trim_matches('"')) {
                ("q" | "Q", weight) => {
                    let weight: f32 = weight.parse().ok().filter(|weight| (0.0..=1.0).contains(weight))?;
                    range.weight = (weight * 1000.0) as u16;
                }
                (name, version) if name.eq_ignore_ascii_case("version") => range.version = Some(version),
                _ => (),
            }
        }
        Some(range)
    }

    /// How closely this names a media type of some version, and how much it is wanted then; nothing, if it does not.
    fn preference(&self, media_type: &str, version: &str) -> (u8, u16) {
        let (main_type, _) = media_type.split_once('/').unwrap_or_default();
        let is_main = |wildcard: &str| wildcard.eq_ignore_ascii_case(main_type);
        let closeness = match self.media_type {
            own if own.eq_ignore_ascii_case(media_type) => match self.version {
                Some(own) if own != version => 0,
                Some(_) => 4,
                None => 3,
            },
            own if own.strip_suffix("/*").is_some_and(is_main) => 2,
            "*/*" => 1,
            _ => 0,
        };
        (closeness, if closeness > 0 { self.weight } else { 0 })
    }
}

/// Metrics on their way into a text. A metric is named without the `_total` of counters.
pub struct Exposition {
    format: Format,
    out: String,
}

impl Exposition {
    /// Of nothing yet.
    pub fn new(format: Format) -> Exposition {
        Exposition { format, out: String::with_capacity(16 * 1024) }
    }

    fn describe(&mut self, name: &str, kind: &str, help: &str) {
        let suffix = if kind == "counter" && self.format == Format::Text { "_total" } else { "" };
        self.line(format_args!("# HELP {name}{suffix} {help}"));
        self.line(format_args!("# TYPE {name}{suffix} {kind}"));
    }

    fn line(&mut self, line: core::fmt::Arguments<'_>) {
        writeln!(self.out, "{line}").expect("a string takes everything");
    }

    /// A number that only grows.
    pub fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.describe(name, "counter", help);
        self.line(format_args!("{name}_total {value}"));
    }

    /// Several of them, told apart by a label.
    pub fn counters<L: Display, V: Display>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (L, V)>,
    ) {
        self.describe(name, "counter", help);
        for (labelled, value) in values {
            self.line(format_args!("{name}_total{{{label}=\"{labelled}\"}} {value}"));
        }
    }

    /// A number that may become less again.
    pub fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.describe(name, "gauge", help);
        self.line(format_args!("{name} {value}"));
    }

    /// Several of them, told apart by a label.
    pub fn gauges<L: Display, V: Display>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (L, V)>,
    ) {
        self.describe(name, "gauge", help);
        for (labelled, value) in values {
            self.line(format_args!("{name}{{{label}=\"{labelled}\"}} {value}"));
        }
    }

    /// How long something takes.
    pub fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.describe(name, "histogram", help);
        let counts = histogram.cumulative();
        for (bound_us, count) in BOUNDS_US.iter().zip(counts) {
            // 1.0 and not 1: OpenMetrics demands it, and both are the same series in both forms then.
            self.line(format_args!("{name}_bucket{{le=\"{:?}\"}} {count}", seconds(*bound_us)));
        }
        let count = counts[BOUNDS_US.len()];
        self.line(format_args!("{name}_bucket{{le=\"+Inf\"}} {count}"));
        self.line(format_args!("{name}_sum {}", seconds(histogram.sum_us())));
        self.line(format_args!("{name}_count {count}"));
    }

    /// Words about the program, as labels of a number that says nothing.
    pub fn info(&mut self, name: &str, help: &str, labels: &[(&str, &str)]) {
        let labels: Vec<String> = labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
        self.describe(name, "gauge", help);
        self.line(format_args!("{name}{{{}}} 1", labels.join(",")));
    }

    /// The whole text.
    pub fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.line(format_args!("# EOF"));
        }
        self.out
    }
}

fn seconds(duration_us: u64) -> f64 {
    duration_us as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_is_given_the_form_that_it_asks_for() {
        let cases = [
            ("", Format::Text),
            ("*/*", Format::Text),
            ("text/html, */*;q=0.8", Format::Text),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("application/openmetrics-text; version=1.0.0; charset=utf-8", Format::OpenMetrics),
            ("application/openmetrics-text; version=2.0.0, text/plain;q=0.1", Format::Text),
            ("application/openmetrics-text, */*", Format::OpenMetrics),
            ("application/openmetrics-text, text/plain", Format::Text),
            ("application/openmetrics-text;q=0.5, text/plain;version=0.0.4;q=0.7", Format::Text),
            ("APPLICATION/OPENMETRICS-TEXT;Version=\"1.0.0\"", Format::OpenMetrics),
            ("application/openmetrics-text;q=0, */*", Format::Text),
            ("application/openmetrics-text;q=much", Format::Text),
            ("application/*", Format::OpenMetrics),
            // Prometheus 2.3, 2.42 and 3, and what they ask for with native histograms.
            ("text/plain;version=0.0.4;q=1,*/*;q=0.1", Format::Text),
            ("application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", Format::Text),
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                 text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Format::OpenMetrics,
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                 application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
                 text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                Format::OpenMetrics,
            ),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,\
                 text/plain;version=0.0.4;q=0.5,application/openmetrics-text;version=1.0.0;q=0.4",
                Format::Text,
            ),
        ];
        for (accept, expected) in cases {
            assert_eq!(Format::wanted(accept.split(',').map(str::trim)), expected, "{accept}");
        }
    }

    fn written(format: Format) -> String {
        let histogram = Histogram::default();
        histogram.observe_us(60);
        histogram.observe_us(2_000_000);
        let mut exposition = Exposition::new(format);
        exposition.counter("a_bytes", "Bytes", 7);
        exposition.gauges("b", "Things", "kind", [("x", 1), ("y", 2)]);
        exposition.histogram("c_seconds", "Time", &histogram);
        exposition.finish()
    }

    #[test]
    fn text_and_open_metrics_name_counters_in_their_own_ways() {
        let (text, open_metrics) = (written(Format::Text), written(Format::OpenMetrics));
        assert!(
            text.starts_with("# HELP a_bytes_total Bytes\n# TYPE a_bytes_total counter\na_bytes_total 7\n"),
            "{text}"
        );
        let begins = "# HELP a_bytes Bytes\n# TYPE a_bytes counter\na_bytes_total 7\n";
        assert!(open_metrics.starts_with(begins), "{open_metrics}");
        for line in [
            "b{kind=\"y\"} 2",
            "c_seconds_bucket{le=\"0.0001\"} 1",
            "c_seconds_bucket{le=\"1.0\"} 1",
            "c_seconds_bucket{le=\"+Inf\"} 2",
            "c_seconds_sum 2.00006",
            "c_seconds_count 2",
        ] {
            for form in [&text, &open_metrics] {
                assert!(form.lines().any(|written| written == line), "{line} in\n{form}");
            }
        }
        assert!(!text.contains("EOF") && open_metrics.ends_with("\n# EOF\n"));
    }
}
