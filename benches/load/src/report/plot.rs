//! Plots, as SVG written by hand: grouped bars and lines over logarithmic axes.

use super::Report;
use super::summary::{node_cost, redis_cost};
use super::tables::number;
use crate::scenario::{MEMBER_STEPS, ROOM_STEPS};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 64.0;
const BOTTOM: f64 = 52.0;

const BARS: [&str; 8] = ["S1", "S2", "S3", "S4", "S6", "W1", "T1", "M1"];
const NODES_BARS: [&str; 6] = ["S1", "S1-each", "S3", "S3-each", "across", "rooms-10000"];
/// Colours that stay apart for most kinds of colour blindness (Okabe and Ito).
const COLOURS: [(&str, &str); 17] = [
    ("snugd", "#d55e00"),
    ("snugd-data", "#8c3e00"),
    ("nodes-1", "#b8d8ba"),
    ("nodes-2", "#5aa469"),
    ("nodes-4", "#1b5e20"),
    ("before", "#f0b48a"),
    ("floor", "#999999"),
    ("uws", "#0072b2"),
    ("bun", "#e69f00"),
    ("tokio", "#009e73"),
    ("flask", "#cc79a7"),
    ("flask-gevent", "#7b4173"),
    ("socketio", "#c9b3e6"),
    ("socketio-2", "#8e63ce"),
    ("socketio-2s", "#4a148c"),
    ("ngircd", "#56b4e9"),
    ("smallchat", "#444444"),
];

/// Cost by scenario, a group of bars for each.
pub fn scenarios(report: &Report) -> Option<String> {
    bars(report, &BARS, "Server CPU time of a delivery, ns (logarithmic)", |id, server| report.cost(id, server))
}

/// Cost of the dearest node by scenario, with one node, two and four; `None` if nodes were not measured.
pub fn nodes(report: &Report) -> Option<String> {
    const TITLE: &str = "CPU time of the dearest node for a delivery from it, ns (logarithmic)";
    let has_nodes = NODES_BARS.iter().any(|id| report.median(id, "nodes-2", redis_cost).is_some());
    has_nodes.then(|| bars(report, &NODES_BARS, TITLE, |id, server| report.median(id, server, node_cost)))?
}

fn bars(report: &Report, ids: &[&str], title: &str, cost: impl Fn(&str, &str) -> Option<f64>) -> Option<String> {
    let ids: Vec<&str> = ids.iter().copied().filter(|id| !report.servers_in(&[id]).is_empty()).collect();
    let servers = report.servers_in(&ids);
    let costs = ids.iter().flat_map(|id| servers.iter().filter_map(|server| cost(id, server)));
    let scale = Scale::over(costs, HEIGHT - BOTTOM, TOP)?;
    let mut picture = Picture::new(title, &servers);
    picture.horizontal_lines(&scale);
    let group = (WIDTH - LEFT - RIGHT) / ids.len() as f64;
    let bar = (group * 0.84 / servers.len() as f64).min(36.0);
    for (index, id) in ids.iter().enumerate() {
        let middle = LEFT + group * (index as f64 + 0.5);
        picture.text(middle, HEIGHT - BOTTOM + 20.0, "middle", id);
        let costs: Vec<_> = servers.iter().filter_map(|server| Some((server, cost(id, server)?))).collect();
        for (place, (server, cost)) in costs.iter().enumerate() {
            let x = middle + bar * (place as f64 - costs.len() as f64 / 2.0);
            picture.bar(
                x,
                scale.at(*cost),
                bar * 0.92,
                colour(server),
                &format!("{id} {server}: {} ns", number(*cost)),
            );
        }
    }
    Some(picture.finish())
}

/// Cost against members of a room.
pub fn members(report: &Report) -> Option<String> {
    sweep(report, "members", &MEMBER_STEPS, "members of one room, 4 talk")
}

/// Cost against rooms.
pub fn rooms(report: &Report) -> Option<String> {
    sweep(report, "rooms", &ROOM_STEPS, "rooms of two, both talk")
}

fn sweep(report: &Report, prefix: &str, steps: &[usize], axis: &str) -> Option<String> {
    let id = |step: usize| format!("{prefix}-{step}");
    let ids: Vec<String> = steps.iter().map(|step| id(*step)).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let servers = report.servers_in(&ids);
    let costs = ids.iter().flat_map(|id| servers.iter().filter_map(|server| report.cost(id, server)));
    let vertical = Scale::over(costs, HEIGHT - BOTTOM, TOP)?;
    let (first, last) = (*steps.first()? as f64, *steps.last()? as f64);
    let horizontal = Scale { low: first, high: last, from: LEFT + 25.0, to: WIDTH - RIGHT - 25.0 };
    let mut picture = Picture::new("Server CPU time of a delivery, ns (both axes logarithmic)", &servers);
    picture.horizontal_lines(&vertical);
    for step in steps {
        picture.text(horizontal.at(*step as f64), HEIGHT - BOTTOM + 20.0, "middle", &number(*step as f64));
    }
    picture.text((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 12.0, "middle", axis);
    for server in servers {
        let points = steps.iter().filter_map(|step| Some((*step as f64, report.cost(&id(*step), server)?)));
        let points: Vec<_> = points.map(|(step, cost)| (horizontal.at(step), vertical.at(cost))).collect();
        picture.line(&points, colour(server), server);
    }
    Some(picture.finish())
}

fn colour(server: &str) -> &'static str {
    COLOURS.iter().find(|(name, _)| *name == server).map_or("#000000", |(_, colour)| colour)
}

/// A logarithmic axis.
struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// An axis from the first tick below all these values to the first above, drawn between two coordinates.
    /// `None` without values.
    fn over(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Option<Scale> {
        let values: Vec<f64> = values.filter(|value| *value > 0.0).collect();
        let lowest = values.iter().copied().reduce(f64::min)?;
        let highest = values.iter().copied().reduce(f64::max)?;
        let low = ticks().take_while(|tick| *tick < lowest).last()?;
        let high = ticks().find(|tick| *tick >= highest)?;
        Some(Scale { low, high, from, to })
    }

    fn at(&self, value: f64) -> f64 {
        let share = (value / self.low).log10() / (self.high / self.low).log10();
        self.from + (self.to - self.from) * share
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        ticks().filter(|tick| (self.low..=self.high).contains(tick))
    }
}

/// 1, 2 and 5 of every decade, upwards.
fn ticks() -> impl Iterator<Item = f64> {
    (-1..10).flat_map(|decade| [1.0, 2.0, 5.0].map(|step| step * 10f64.powi(decade)))
}

/// An SVG under way.
struct Picture {
    svg: String,
}

impl Picture {
    fn new(title: &str, servers: &[&str]) -> Self {
        let svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
             height=\"{HEIGHT}\" font-family=\"system-ui, sans-serif\" font-size=\"13\" fill=\"#333\">\n\
             <rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"#fff\"/>\n"
        );
        let mut picture = Picture { svg };
        picture.text(LEFT, 24.0, "start", title);
        let mut x = LEFT;
        for server in servers {
            picture.svg +=
                &format!("<rect x=\"{x}\" y=\"36\" width=\"12\" height=\"12\" fill=\"{}\"/>\n", colour(server));
            picture.text(x + 17.0, 47.0, "start", server);
            x += 36.0 + 7.5 * server.len() as f64;
        }
        picture
    }

    fn horizontal_lines(&mut self, scale: &Scale) {
        for tick in scale.ticks() {
            let y = scale.at(tick);
            self.svg += &format!("<path d=\"M{LEFT} {y:.1}H{}\" stroke=\"#ddd\"/>\n", WIDTH - RIGHT);
            self.text(LEFT - 8.0, y + 4.0, "end", &number(tick));
        }
    }

    fn text(&mut self, x: f64, y: f64, anchor: &str, text: &str) {
        self.svg += &format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>\n");
    }

    fn bar(&mut self, x: f64, y: f64, width: f64, colour: &str, title: &str) {
        let height = HEIGHT - BOTTOM - y;
        self.svg += &format!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{colour}\">\
             <title>{title}</title></rect>\n"
        );
    }

    fn line(&mut self, points: &[(f64, f64)], colour: &str, title: &str) {
        let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        self.svg += &format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.5\"><title>{title}</title></polyline>\n",
            path.join(" ")
        );
        for (x, y) in points {
            self.svg += &format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>\n");
        }
    }

    fn finish(self) -> String {
        self.svg + "</svg>\n"
    }
}
