//! `snugd check`.

use std::process::Output;

use serde_json::{Value, json};

use super::support::Server;
use super::{Folder, run, stderr, stdout};

const NOWHERE: [(&str, &str); 2] = [("SNUGD_LISTEN", "127.0.0.1:0"), ("SNUGD_LINE_LISTEN", "off")];

/// What is said of an option: its value, and where that comes from.
fn in_force(output: &Output, option: &str) -> (String, String) {
    let text = stdout(output);
    let line = text.lines().find(|line| line.split_whitespace().next() == Some(option));
    let line = line.unwrap_or_else(|| panic!("no {option} in\n{text}"));
    let rest = line.trim_start().strip_prefix(option).expect("it begins so").trim_start();
    let (value, source) = rest.split_once("  ").unwrap_or_else(|| rest.split_once(' ').expect("two columns"));
    (value.to_owned(), source.trim().to_owned())
}

/// The sentences under a heading.
fn under<'a>(text: &'a str, heading: &str) -> Vec<&'a str> {
    let after = text.split_once(&format!("\n{heading}:\n")).map_or("", |(_, after)| after);
    after.lines().take_while(|line| line.starts_with("  ")).map(str::trim).collect()
}

#[test]
fn it_tells_what_is_in_force_and_where_that_comes_from() {
    let folder = Folder::new();
    let file =
        folder.write("snugd.toml", "# limits\nrate = 7\ngrace = \"3s\"\nadmin = [\"ana\", \"ben\"]\ndata = \"x.db\"\n");
    let secret = folder.write("secret", "90s\n");
    let variables = [NOWHERE[0], NOWHERE[1], ("SNUGD_GRACE", "4s"), ("SNUGD_ROOM_TTL_FILE", &secret)];
    let data = folder.path("y.db");
    let output =
        run(&["check", "--config", &file, "--history", "5", "--data", data.to_str().expect("UTF-8")], &variables);
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""), "{}", stdout(&output));
    let pair = |value: &str, source: &str| (value.to_owned(), source.to_owned());
    assert_eq!(in_force(&output, "rate"), pair("7", &format!("{file}, line 2")));
    assert_eq!(in_force(&output, "admin"), pair("ana, ben", &format!("{file}, line 4")));
    assert_eq!(in_force(&output, "grace"), pair("4s", &format!("SNUGD_GRACE  (over {file}, line 3)")));
    assert_eq!(in_force(&output, "listen"), pair("127.0.0.1:0", "SNUGD_LISTEN"));
    assert_eq!(in_force(&output, "history"), pair("5", "command line"));
    assert_eq!(in_force(&output, "max-file"), pair("25M", "default"));
    assert_eq!(in_force(&output, "auth-header"), pair("none", "default"));
    assert_eq!(in_force(&output, "room-ttl"), pair("(not shown)", "SNUGD_ROOM_TTL_FILE"));
    assert!(!stdout(&output).contains("90s"));
    assert!(stdout(&output).ends_with("Nothing is wrong.\n"), "{}", stdout(&output));
    assert!(!data.exists(), "it makes nothing");
}

#[test]
fn it_tells_everything_that_is_wrong_at_once() {
    let folder = Folder::new();
    let file = folder.write(
        "snugd.toml",
        "listn = 1\nrate = \"x\"\ngrace = 15s\nauth-header = \"Remote-User\"\ntrusted-proxy = \"x\"\nadmin = \"ana\"\n",
    );
    let variables = [NOWHERE[0], NOWHERE[1], ("SNUGD_HISTORY", "0"), ("PORT", "web")];
    let output = run(&["check", "--config", &file, "--max-file", "1"], &variables);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stderr(&output), "snugd: 7 things are wrong with these options: they stand above.\n");
    let text = stdout(&output);
    let wrong = under(&text, "Wrong");
    let expected = [
        "\"--max-file\" wants a size like 64K, 25M or 1G, at least 1K, not \"1\".".to_owned(),
        "SNUGD_HISTORY wants a whole number from 1 to 1000000, not \"0\".".to_owned(),
        "PORT wants a port number from 0 to 65535, not \"web\".".to_owned(),
        format!("{file}, line 1: there is no option \"listn\"; \"listen\" is one."),
        format!("{file}, line 2: rate wants a whole number from 0 to 1000000, not \"x\"."),
        format!("{file}, line 3: this is no TOML ("),
        format!("{file}, line 5: trusted-proxy wants addresses like 10.0.0.0/8, fd00::/8 or 127.0.0.1, not \"x\"."),
    ];
    assert_eq!(wrong.len(), expected.len(), "{text}");
    for (sentence, expected) in wrong.iter().zip(&expected) {
        assert!(sentence.starts_with(expected), "{sentence}");
    }
}

#[test]
fn what_files_and_folders_are_wanted_is_looked_at() {
    let folder = Folder::new();
    let nonsense = folder.write("nonsense.db", &"no database at all\n".repeat(100));
    let nowhere = folder.path("no").join("such.db");
    let here = folder.path(".");
    for (data, words) in [
        (&*nonsense, "nonsense.db"),
        (nowhere.to_str().expect("UTF-8"), "There is no folder"),
        (here.to_str().expect("UTF-8"), "is a folder; --data wants a file."),
    ] {
        let output = run(&["check", "--data", data], &NOWHERE);
        assert_eq!(output.status.code(), Some(2), "{data}");
        let text = stdout(&output);
        assert!(under(&text, "Wrong").iter().any(|sentence| sentence.contains(words)), "{data}: {text}");
    }
    let output = run(&["check", "--files", "/proc/self"], &NOWHERE);
    assert!(under(&stdout(&output), "Wrong")[0].starts_with("This user cannot write into /proc/self ("));
}

#[cfg(feature = "cluster")]
#[test]
fn the_address_of_a_cluster_is_looked_at_and_not_shown() {
    let check = |url: &str, words: &[&str]| {
        let variables = [&NOWHERE[..], &[("SNUGD_CLUSTER", url)]].concat();
        let output = run(&[&["check"], words].concat(), &variables);
        let (text, told) = (stdout(&output), stderr(&output));
        assert!(!text.contains("sesame") && !told.contains("sesame"), "{text}{told}");
        (output.status.code(), text)
    };
    let (status, text) = check("redis://:open-sesame@127.0.0.1:1/2", &[]);
    assert_eq!(status, Some(0), "nobody is asked there: {text}");
    assert!(text.lines().any(|line| line.contains("cluster ") && line.contains("(not shown)")), "{text}");
    assert!(under(&text, "Worth a look").iter().any(|note| note.contains("with --files")), "{text}");
    let (status, text) = check("rdis://:open-sesame@127.0.0.1", &["--files", "/tmp"]);
    assert_eq!((status, under(&text, "Wrong").len()), (Some(2), 1), "{text}");
    let (status, text) = check("redis://:open-sesame@127.0.0.1", &["--data", "rooms.db"]);
    assert!(status == Some(2) && under(&text, "Wrong")[0].contains("leave one of them out"), "{text}");
    // And a server that is started so says the same.
    let started = run(&["--cluster", "redis://:open-sesame@127.0.0.1:x"], &NOWHERE);
    assert_eq!(started.status.code(), Some(2));
    assert!(!super::refusal(&started).contains("sesame"));
}

#[test]
fn what_is_allowed_but_likely_a_mistake_is_noted() {
    let notes = |words: &[&str], variables: &[(&str, &str)]| {
        let output = run(&[&["check"], words].concat(), &[&NOWHERE, variables].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
        under(&stdout(&output), "Worth a look").join("\n")
    };
    assert_eq!(notes(&[], &[]), "", "nobody else can come there");
    let open = ["--listen", "0.0.0.0:0"];
    assert!(notes(&open, &[]).contains("0.0.0.0:0 is not encrypted"));
    assert_eq!(notes(&[&open[..], &["--trusted-proxy", "10.0.0.1"]].concat(), &[]), "");
    assert!(notes(&["--trusted-proxy", "0.0.0.0/0"], &[]).contains("believes half the world"));
    assert!(notes(&["--public-url", "https://chat.example"], &[]).contains("--trusted-proxy names none"));
    assert!(notes(&["--join-rate", "0"], &[]).contains("can be found by trying"));
    assert!(notes(&["--listen", "192.0.2.1:0"], &[]).contains("is no address of this machine"));
    let slip = "SNUGD_LISTN is no option's variable, and is not looked at; SNUGD_LISTEN is one.";
    assert_eq!(notes(&[], &[("SNUGD_LISTN", "1")]), slip);
    let server = Server::start();
    let web = server.web.to_string();
    assert!(notes(&["--listen", &web], &[]).contains(&format!("{web} is in use (--listen)")));
}

#[cfg(feature = "tls")]
#[test]
fn certificates_are_looked_at() {
    let folder = Folder::new();
    let (certificate, key) = folder.make_certificate("chat.example");
    let (_, other_key) = folder.make_certificate("other.example");
    let check = |words: &[&str]| {
        let output = run(&[&["check", "--listen", "0.0.0.0:0", "--line-listen", "off"], words].concat(), &[]);
        (output.status.code(), stdout(&output))
    };
    let (status, text) = check(&["--tls-cert", &certificate, "--tls-key", &key]);
    assert_eq!((status, under(&text, "Worth a look").len()), (Some(0), 0), "{text}");
    let (status, text) = check(&["--tls-cert", &certificate, "--tls-key", &other_key]);
    assert_eq!(status, Some(2));
    assert!(under(&text, "Wrong")[0].contains("does not fit"), "{text}");
    let (status, text) = check(&["--tls-cert", &certificate]);
    assert_eq!(status, Some(2));
    assert!(under(&text, "Wrong")[0].contains("--tls-key"), "{text}");
    let url = ["--public-url", "http://chat.example", "--tls-cert", &certificate, "--tls-key", &key];
    assert!(check(&url).1.contains("write https"));
    let output = run(
        &[
            "check",
            "--listen",
            "127.0.0.1:0",
            "--line-listen",
            "0.0.0.0:0",
            "--tls-cert",
            &certificate,
            "--tls-key",
            &key,
        ],
        &[],
    );
    let text = stdout(&output);
    assert!(under(&text, "Worth a look")[0].contains("--line-tls-listen is where"), "{text}");
}

#[cfg(all(feature = "accounts", feature = "sqlite"))]
#[test]
fn an_admin_without_an_account_is_noted() {
    let folder = Folder::new();
    let data = folder.path("snugd.db");
    let data = data.to_str().expect("UTF-8");
    let mut server = Server::with(&["--data", data]);
    server.signal("TERM");
    server.wait();
    let output = run(&["check", "--data", data, "--admin", "ana"], &NOWHERE);
    assert!(under(&stdout(&output), "Worth a look")[0].starts_with("There is no account \"ana\" yet"));
    let output = run(&["check", "--data", data, "--admin", "\u{202e}"], &NOWHERE);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn machines_are_told_in_json() {
    let folder = Folder::new();
    let file = folder.write("snugd.toml", "rate = 7\ngrace = \"x\"\n");
    let secret = folder.write("secret", "5\n");
    let variables = [NOWHERE[0], NOWHERE[1], ("SNUGD_HISTORY_FILE", &*secret)];
    let output = run(&["check", "--json", "--config", &file], &variables);
    assert_eq!(output.status.code(), Some(2));
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(found["options"]["rate"], json!({"values": ["7"], "from": "file", "file": file, "line": 1}));
    assert_eq!(found["options"]["line-listen"], json!({"values": ["off"], "from": "SNUGD_LINE_LISTEN"}));
    assert_eq!(found["options"]["history"], json!({"values": null, "from": "SNUGD_HISTORY_FILE"}));
    assert_eq!(found["wrong"].as_array().map(Vec::len), Some(1), "{found}");
    assert_eq!(found["notes"], json!([]));
}

#[test]
fn every_option_is_in_the_table_of_options() {
    let table = super::text_of("docs/options.md".as_ref());
    let found: Value = serde_json::from_slice(&run(&["check", "--json"], &NOWHERE).stdout).expect("JSON");
    let options = found["options"].as_object().expect("an object");
    assert!(options.len() > 30, "{options:?}");
    for option in options.keys() {
        let variable = format!("SNUGD_{}", option.to_uppercase().replace('-', "_"));
        let line = table.lines().find(|line| line.starts_with("| `") && line.contains(&format!("`{variable}`")));
        let line = line.unwrap_or_else(|| panic!("docs/options.md has no {option}"));
        assert!(line.contains(&format!("--{option}")), "{line}");
    }
}
