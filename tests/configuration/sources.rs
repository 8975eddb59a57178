//! An option wins over a variable, that over the configuration file, that over what the program does by itself.

use serde_json::{Value, json};

use super::support::server::command;
use super::support::{Server, WebSocketClient};
use super::{Folder, configured, refusal, run, stderr};

/// The limits that a member is told of.
fn limits_of(server: &Server) -> Value {
    let room = server.create_room();
    let mut ana = WebSocketClient::connect(server);
    ana.send(json!({"type": "join", "room": room, "name": "ana"}));
    ana.expect("joined")["limits"].clone()
}

#[test]
fn a_file_sets_options_by_their_own_names() {
    let folder = Folder::new();
    let file = folder.write(
        "snugd.toml",
        "# where\nlisten = \"127.0.0.1:0\"\nline-listen = [\"127.0.0.1:0\"]\n\nrate = 7\nmax-message = \"100\"\n\
         max-file = \"64K\"\ncode-length = 0_6\n",
    );
    let mut started = command();
    // What is wrong here is only that no number of TOML begins with a zero.
    let sentence = refusal(&run(&["--config", &file], &[]));
    assert!(sentence.contains("snugd.toml, line 8: this is no TOML ("), "{sentence}");
    let file = folder.write("snugd.toml", &super::text_of(file.as_ref()).replace("0_6", "6"));
    started.args(["--config", &file]);
    let server = Server::run(started);
    assert_eq!(server.create_room().len(), 6);
    assert_eq!(limits_of(&server), json!({"message": 100, "rate": 7, "file": 65536}));
}

#[test]
fn the_file_is_named_by_a_variable_as_well_and_is_what_counts_least() {
    let folder = Folder::new();
    let file = folder.write("snugd.toml", "rate = 1\nmax-message = 2\nmax-file = \"3K\"\n");
    let mut started = configured(&folder.write("other.toml", "rate = 100\n"));
    started.env("SNUGD_CONFIG", &file);
    assert_eq!(limits_of(&Server::run(started))["rate"], 100, "the option wins");

    let mut started = command();
    started.args(["--listen", "127.0.0.1:0", "--line-listen", "127.0.0.1:0", "--max-message", "20"]);
    started.envs([("SNUGD_CONFIG", &*file), ("SNUGD_RATE", "10"), ("SNUGD_MAX_MESSAGE", "11")]);
    let server = Server::run(started);
    assert_eq!(limits_of(&server), json!({"message": 20, "rate": 10, "file": 3 << 10}));
}

#[test]
fn port_counts_more_than_the_file_for_browsers_and_less_for_terminals() {
    let folder = Folder::new();
    let file = folder.write("snugd.toml", "listen = \"192.0.2.1:1\"\nline-listen = \"127.0.0.1:0\"\n");
    let mut started = command();
    started.args(["--config", &file]).env("PORT", "0");
    let server = Server::run(started);
    assert_eq!(server.web.ip().to_string(), "0.0.0.0");
    assert_eq!(server.line().ip().to_string(), "127.0.0.1");
}

#[test]
fn what_is_wrong_in_a_file_is_told_with_its_line() {
    let folder = Folder::new();
    let cases = [
        ("rate = 5\ngrce = \"1s\"\n", "line 2: there is no option \"grce\"; \"grace\" is one."),
        ("max_file = \"1M\"\n", "line 1: there is no option \"max_file\"; \"max-file\" is one."),
        ("zzzzzzzz = 1\n", "line 1: there is no option \"zzzzzzzz\"."),
        ("\n\ngrace = \"soon\"\n", "line 3: grace wants a time like 15s, 10m, 1h or 30d, not \"soon\"."),
        ("history = 0\n", "line 1: history wants a whole number from 1 to 1000000, not \"0\"."),
        ("history = 1.5\n", "line 1: history wants a whole number from 1 to 1000000, not \"1.5\"."),
        ("grace = 15s\n", "line 1: this is no TOML ("),
        ("rate = [1, 2]\n", "line 1: rate wants one value, not a list."),
        ("admin = [[\"ana\"]]\n", "line 1: \"admin\" is a section; options stand by themselves, before any section."),
        ("[limits]\nrate = 5\n", "line 1: \"limits\" is a section; options stand by themselves, before any section."),
        ("config = \"other.toml\"\n", "line 1: \"config\" names this file, and does not stand in it."),
        ("trusted-proxy = [\n\"10.0.0.0/8\",\n\"10.0.0.0/33\"]\n", "line 3: trusted-proxy wants addresses like "),
        ("quiet = \"very\"\n", "line 1: quiet wants 0 or 1, not \"very\"."),
        ("line-listen = true\n", "line 1: line-listen wants an address like "),
    ];
    for (text, expected) in cases {
        let file = folder.write("snugd.toml", text);
        let sentence = refusal(&run(&["--config", &file], &[]));
        assert!(sentence.starts_with(&format!("snugd: {file}, {expected}")), "{text:?}: {sentence}");
    }
    let file = folder.path("bytes.toml");
    std::fs::write(&file, b"rate = 5\n# caf\xe9\n").expect("a file");
    let sentence = refusal(&run(&["--config", file.to_str().expect("UTF-8")], &[]));
    assert!(sentence.contains("bytes.toml, line 2: this is no text in UTF-8."), "{sentence}");
}

#[test]
fn options_of_a_file_that_do_not_go_together_are_told_with_their_lines() {
    let folder = Folder::new();
    let file = folder.write("snugd.toml", "\nauth-header = \"Remote-User\"\n");
    let sentence = refusal(&run(&["--config", &file], &[]));
    let expected = format!(
        "snugd: --auth-header is believed from trusted proxies only: name yours with --trusted-proxy (auth-header: \
         {file}, line 2). See snugd --help."
    );
    assert_eq!(sentence, expected);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    for words in [&["--config", "/no/such.toml"][..], &["--config", "/"]] {
        let sentence = refusal(&run(words, &[]));
        assert!(sentence.contains(words[1]) && sentence.contains("cannot be read"), "{sentence}");
    }
    assert!(refusal(&run(&[], &[("SNUGD_CONFIG", "/no/such.toml")])).contains("/no/such.toml"));
}

#[test]
fn of_several_things_that_are_wrong_the_first_is_told_and_how_many_there_are() {
    let folder = Folder::new();
    let file = folder.write("snugd.toml", "rate = \"x\"\ngrace = \"x\"\n");
    let variables = [("SNUGD_HISTORY", "x"), ("SNUGD_CONFIG", &*file)];
    let sentence = refusal(&run(&["--max-file", "x"], &variables));
    assert!(sentence.starts_with("snugd: \"--max-file\" wants "), "{sentence}");
    assert!(sentence.ends_with("And 3 more things are wrong: see snugd check."), "{sentence}");
}

#[test]
fn a_value_can_be_read_from_a_file_that_a_variable_names() {
    let folder = Folder::new();
    let file = folder.write("rate", "77\n");
    let mut started = command();
    started.args(["--listen", "127.0.0.1:0", "--line-listen", "127.0.0.1:0"]).env("SNUGD_RATE_FILE", &file);
    assert_eq!(limits_of(&Server::run(started))["rate"], 77);

    let both = refusal(&run(&[], &[("SNUGD_RATE_FILE", &file), ("SNUGD_RATE", "5")]));
    assert_eq!(both, "snugd: SNUGD_RATE and SNUGD_RATE_FILE are both set; one of them has to go. See snugd --help.");
    let missing = refusal(&run(&[], &[("SNUGD_RATE_FILE", "/no/such")]));
    assert!(missing.starts_with("snugd: SNUGD_RATE_FILE wants a file with the value, but /no/such cannot be read ("));
    for (text, why) in [("", "is empty"), ("\n", "is empty"), ("1\n2\n", "holds more than one line")] {
        let file = folder.write("rate", text);
        let sentence = refusal(&run(&[], &[("SNUGD_RATE_FILE", &file)]));
        assert!(sentence.contains(why), "{text:?}: {sentence}");
    }
    // What it holds may be a secret: nobody is shown it.
    let file = folder.write("rate", "hunter2");
    let sentence = refusal(&run(&[], &[("SNUGD_RATE_FILE", &file)]));
    assert!(sentence.starts_with("snugd: SNUGD_RATE_FILE wants a whole number"), "{sentence}");
    assert!(!sentence.contains("hunter2"), "{sentence}");
    // What is overruled is not looked at.
    let output = run(&["--rate", "5", "--grace", "x"], &[("SNUGD_RATE_FILE", "/no/such")]);
    assert!(refusal(&output).starts_with("snugd: \"--grace\" wants"), "{}", stderr(&output));
}
