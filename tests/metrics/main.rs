//! What those who run the program are told of it: read by what really reads metrics and rules, after real traffic, and
//! compared with what the documentation, the dashboard and the rules say of it.

#[path = "../support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use support::program::run_to_end;
use support::{Server, Terminal, WebSocketClient, eventually, find_program};

const TEXT: &str = "text/plain;version=0.0.4";
const OPEN_METRICS: &str = "application/openmetrics-text;version=1.0.0";

/// A server that has seen something of everything.
struct Busy {
    server: Server,
    room: String,
    _members: (WebSocketClient, Terminal),
}

impl Busy {
    fn start(options: &[&str]) -> Busy {
        let server = Server::with(options);
        let room = server.create_room();
        let mut ana = WebSocketClient::connect(&server);
        ana.send(json!({"type": "join", "room": room, "name": "Zaphodia"}));
        let joined = ana.expect("joined");
        let mut ben = Terminal::join(&server, &room, "Trillianus");
        ana.expect("enter");
        for cid in ["c1", "c1", "c2"] {
            ana.send(json!({"type": "message", "text": "confidential", "cid": cid}));
        }
        ana.expect("ok");
        ana.expect_where("the last one", |message| message["cid"] == "c2");
        ben.expect_said("<Zaphodia> confidential");
        ben.send_line("/nonsense");
        ben.expect_line_where("a refusal", |line| line.starts_with("! "));
        ana.send_text("{");
        ana.expect_error("bad_request");
        ana.send(json!({"type": "nick", "name": "Trillianus"}));
        ana.expect_error("name_taken");
        ana.drop_connection();
        let mut ana = WebSocketClient::connect(&server);
        ana.send(json!({
            "type": "join", "room": room, "token": joined["token"], "since": 1, "epoch": joined["epoch"]
        }));
        ana.expect("joined");
        server.http().send("nonsense\r\n\r\n");
        eventually("all that is over is noticed", || {
            let read = read(&metrics(&server, TEXT), "text");
            let is_noticed = read.value("snugd_closed_connections_total{reason=lost}") >= 1.0
                && read.value("snugd_closed_connections_total{reason=fault}") >= 1.0;
            is_noticed.then_some(())
        });
        Busy { server, room, _members: (ana, ben) }
    }
}

fn metrics(server: &Server, accept: &str) -> String {
    let response = server.http().request("GET", "/metrics", &[("Accept", accept)], b"");
    assert_eq!(response.status, 200);
    response.text()
}

/// What a parser has read.
struct Read {
    samples: BTreeMap<String, f64>,
    /// Type and help of each metric.
    helps: BTreeMap<String, (String, String)>,
}

impl Read {
    fn value(&self, sample: &str) -> f64 {
        *self.samples.get(sample).unwrap_or_else(|| panic!("no {sample} in {:?}", self.samples.keys()))
    }

    /// The names of samples, without labels.
    fn names(&self) -> BTreeSet<&str> {
        self.samples.keys().map(|sample| sample.split('{').next().expect("a name")).collect()
    }
}

/// Reads metrics by Prometheus' own parser for Python.
fn read(text: &str, form: &str) -> Read {
    // Debian's Python knows Debian's packages; another one that comes first on the path does not.
    let mut python = Command::new("/usr/bin/python3");
    python.args(["tests/metrics/parse.py", form]);
    let read: Value = serde_json::from_str(&run_to_end(&mut python, text)).expect("JSON");
    let samples = read["samples"].as_object().expect("an object").iter();
    let helps = read["helps"].as_object().expect("an object").iter();
    let word = |value: &Value| value.as_str().expect("a word").to_owned();
    Read {
        samples: samples.map(|(name, value)| (name.clone(), value.as_f64().expect("a number"))).collect(),
        helps: helps.map(|(name, help)| (name.clone(), (word(&help[0]), word(&help[1])))).collect(),
    }
}

#[test]
fn what_was_done_is_counted() {
    let Busy { server, .. } = &Busy::start(&[]);
    let read = read(&metrics(server, TEXT), "text");
    for (sample, expected) in [
        ("snugd_rooms{}", 1.0),
        ("snugd_rooms_created_total{}", 1.0),
        ("snugd_members{via=web}", 1.0),
        ("snugd_members{via=line}", 1.0),
        ("snugd_messages_total{}", 2.0),
        ("snugd_events_total{kind=message}", 2.0),
        ("snugd_events_total{kind=enter}", 2.0),
        // Each enter to who was there, each message to its sender, and to the terminal.
        ("snugd_deliveries_total{}", 5.0),
        ("snugd_joins_total{}", 3.0),
        ("snugd_resumes_total{}", 1.0),
        ("snugd_duplicates_total{}", 1.0),
        ("snugd_refusals_total{code=bad_request}", 2.0),
        ("snugd_refusals_total{code=name_taken}", 1.0),
        ("snugd_open_connections{protocol=websocket}", 1.0),
        ("snugd_open_connections{protocol=line}", 1.0),
        ("snugd_open_connections{protocol=http}", 1.0),
        ("snugd_closed_connections_total{reason=fault}", 1.0),
        ("snugd_protocol_faults_total{protocol=http}", 1.0),
        ("snugd_max_members_per_room{}", 1000.0),
        ("snugd_max_connections{}", 10_000.0),
    ] {
        assert_eq!(read.value(sample), expected, "{sample}");
    }
    assert_eq!(read.value("snugd_accepted_connections_total{port=line}"), 1.0);
    assert!(read.value("snugd_delivery_latency_seconds_count{}") >= 1.0);
    assert!(read.value("snugd_delivery_latency_seconds_sum{}") < 20.0);
    assert!(read.value("snugd_turn_duration_seconds_count{}") > 10.0);
    let (turns, fast) =
        (read.value("snugd_turn_duration_seconds_count{}"), read.value("snugd_turn_duration_seconds_bucket{le=5.0}"));
    assert!(fast <= turns && fast > 0.0);
}

#[test]
#[cfg(target_os = "linux")]
fn the_process_is_told_of_in_prometheus_own_units() {
    let server = Server::start();
    let read = read(&metrics(&server, TEXT), "text");
    let now_s = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_secs_f64();
    let started_s = read.value("process_start_time_seconds{}");
    assert!(started_s > now_s - 60.0 && started_s <= now_s + 2.0, "{started_s} is not long before {now_s}");
    let resident = read.value("process_resident_memory_bytes{}");
    assert!((1e6..1e9).contains(&resident), "{resident} bytes");
    assert!(read.value("process_virtual_memory_bytes{}") >= resident);
    let descriptors = fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("it runs").count() as f64;
    assert!((read.value("process_open_fds{}") - descriptors).abs() <= 2.0, "{descriptors} are open");
    assert!(read.value("process_max_fds{}") >= descriptors);
    assert!(read.value("process_cpu_seconds_total{}") < 60.0);
}

#[test]
fn prometheus_and_open_metrics_readers_understand_the_same() {
    let Busy { server, room, .. } = &Busy::start(&[]);
    let (text, open_metrics) = (metrics(server, TEXT), metrics(server, OPEN_METRICS));
    let (plain, open) = (read(&text, "text"), read(&open_metrics, "openmetrics"));
    let names = |read: &Read| read.samples.keys().cloned().collect::<BTreeSet<String>>();
    assert_eq!(names(&plain), names(&open));
    assert_eq!(plain.helps, open.helps, "types and helps");
    assert!(plain.helps.values().all(|(kind, help)| kind != "unknown" && kind != "untyped" && !help.is_empty()));
    for private in [room.as_str(), "Zaphodia", "Trillianus", "confidential", "127.0.0.1"] {
        assert!(!text.contains(private) && !open_metrics.contains(private), "{private} in\n{text}");
    }
    // What the real one says of it; its words are about names, types and helps.
    let promtool = find_program(&["promtool"], "prometheus");
    run_to_end(Command::new(promtool).args(["check", "metrics"]), &text);
}

// ---- what is said of them

/// The words of a text that are names of metrics.
fn names_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("snugd_") || word.starts_with("process_")).collect()
}

/// What a histogram's samples are called, each by the histogram's own name.
fn base_name(name: &str) -> &str {
    let is_histogram = |name: &str| name.ends_with("_seconds");
    ["_bucket", "_sum", "_count"]
        .into_iter()
        .filter_map(|end| name.strip_suffix(end))
        .find(|name| is_histogram(name))
        .unwrap_or(name)
}

#[test]
fn every_metric_is_documented_and_every_documented_one_is_there() {
    let server = Server::start();
    let read = read(&metrics(&server, TEXT), "text");
    let told: BTreeSet<&str> = read.names().into_iter().map(base_name).collect();
    let page = fs::read_to_string("docs/watching.md").expect("the page");
    let documented: BTreeSet<&str> = names_in(&page).into_iter().map(base_name).collect();
    let missing: Vec<_> = told.difference(&documented).collect();
    assert!(missing.is_empty(), "docs/watching.md does not tell of {missing:?}");
    let wrong: Vec<_> = documented.difference(&told).collect();
    assert!(wrong.is_empty(), "docs/watching.md tells of what there is not: {wrong:?}");
}

/// The expressions of all panels, those in rows included.
fn expressions<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("expr").and_then(Value::as_str));
            fields.values().for_each(|value| expressions(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        _ => (),
    }
}

#[test]
fn the_dashboard_shows_what_there_is() {
    let dashboard = fs::read_to_string("packaging/grafana.json").expect("the dashboard");
    let dashboard: Value = serde_json::from_str(&dashboard).expect("JSON");
    let server = Server::start();
    let read = read(&metrics(&server, TEXT), "text");
    let told = read.names();
    let mut found = Vec::new();
    expressions(&dashboard, &mut found);
    assert!(found.len() > 20, "it has panels: {found:?}");
    for expression in &found {
        let names = names_in(expression);
        assert!(!names.is_empty(), "about nothing: {expression}");
        for name in names {
            assert!(told.contains(name), "there is no {name}: {expression}");
        }
    }
    // As Grafana imports it: a data source that is chosen then, panels that have places and numbers of their own.
    assert_eq!(dashboard["templating"]["list"][0]["type"], "datasource");
    assert!(dashboard["schemaVersion"].as_u64().is_some_and(|version| version >= 38), "Grafana 10");
    assert!(dashboard["id"].is_null() && dashboard["title"].is_string() && dashboard["uid"].is_string());
    let panels = dashboard["panels"].as_array().expect("a list");
    let mut ids = BTreeSet::new();
    let mut places = Vec::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().expect("a number")), "{}", panel["title"]);
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().expect("a place"));
        assert!(x + w <= 24, "{}", panel["title"]);
        let overlaps =
            |&(x2, y2, w2, h2): &(u64, u64, u64, u64)| x < x2 + w2 && x2 < x + w && y < y2 + h2 && y2 < y + h;
        assert!(!places.iter().any(overlaps), "{} lies on another", panel["title"]);
        places.push((x, y, w, h));
        if panel["type"] != "row" {
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
        }
    }
    // The expressions are ones: Prometheus itself reads them, as rules.
    let rules = found.iter().enumerate().map(|(number, expression)| {
        let expression = expression.replace("$__rate_interval", "5m").replace("$instance", "a");
        format!("  - record: panel:number:{number}\n    expr: {}\n", json!(expression))
    });
    let rules = format!("groups:\n- name: panels\n  rules:\n{}", rules.collect::<String>());
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("panels.yml");
    fs::write(&file, rules).expect("a file");
    check_rules(&file);
}

fn check_rules(file: &Path) {
    let promtool = find_program(&["promtool"], "prometheus");
    run_to_end(Command::new(promtool).args(["check", "rules"]).arg(file), "");
}

#[test]
fn the_rules_are_about_what_there_is() {
    let path = Path::new("packaging/prometheus-rules.yml");
    check_rules(path);
    let rules = fs::read_to_string(path).expect("the rules");
    let server = Server::start();
    let read = read(&metrics(&server, TEXT), "text");
    let told = read.names();
    let expressions = rules.lines().filter(|line| line.trim_start().starts_with("expr:"));
    let named: BTreeSet<&str> = expressions.flat_map(names_in).collect();
    assert!(named.len() > 5, "{named:?}");
    for name in named {
        assert!(told.contains(name), "there is no {name}");
    }
    // That each says what it is meant to say, for series that are made for it.
    let promtool = find_program(&["promtool"], "prometheus");
    let mut tests = Command::new(promtool);
    tests.args(["test", "rules", "rules_test.yml"]).current_dir("tests/metrics");
    run_to_end(&mut tests, "");
}
