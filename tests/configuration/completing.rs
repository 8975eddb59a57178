//! What is made of the definition of the options: completions, in the shells themselves, and manual pages.

use std::fs;
use std::path::Path;
use std::process::Command;

use rexpect::session::{PtySession, spawn_command};

use super::support::server::command;
use super::support::{DEADLINE, find_program};
use super::{Folder, run, stderr, stdout};

/// The completions for a shell, in a file.
fn script(folder: &Folder, shell: &str) -> String {
    let output = run(&["completions", shell], &[("SNUGD_RATE", "nonsense")]);
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
    folder.write(&format!("completions.{shell}"), &stdout(&output))
}

/// A shell at a terminal, in this folder, that finds the program on its path.
fn start(name: &str, options: &[&str], folder: &Folder) -> PtySession {
    // Where what is typed is not shown, shells do not show it either.
    let mut shell = Command::new("sh");
    shell.args(["-c", "stty echo; exec \"$0\" \"$@\""]).arg(find_program(&[name], name)).args(options);
    let snugd = command();
    let bin = Path::new(snugd.get_program()).parent().expect("it is in a folder").to_owned();
    let path = std::env::join_paths([bin, "/usr/bin".into(), "/bin".into()]).expect("a path");
    shell.env("PATH", path).env("TERM", "dumb").env("HOME", &folder.0).current_dir(&folder.0);
    spawn_command(shell, Some(DEADLINE.as_millis() as u64)).expect("it starts")
}

/// What somebody types ends with the Tab key; what is to be seen then.
fn assert_completes(shell: &mut PtySession, cases: &[(&str, &[&str])]) {
    for (typed, seen) in cases {
        shell.send(&format!("{typed}\t\t")).expect("it reads");
        shell.flush().expect("it reads");
        for words in *seen {
            shell.exp_string(words).unwrap_or_else(|error| panic!("{typed:?} does not give {words:?}: {error}"));
        }
        // Ctrl-U: the line is dropped.
        shell.send_control('u').expect("it reads");
    }
}

const CASES: [(&str, &[&str]); 7] = [
    ("snugd --acc", &["ounts"]),
    ("snugd heal", &["thcheck"]),
    ("snugd --accounts req", &["uired"]),
    ("snugd --data roo", &["ms.db"]),
    ("snugd check --trusted-p", &["roxy"]),
    ("snugd completions fi", &["sh"]),
    ("snugd export rooms.db KXQT --format js", &["on"]),
];

#[test]
fn bash_completes() {
    let folder = Folder::new();
    let script = script(&folder, "bash");
    folder.write("rooms.db", "");
    let mut bash = start("bash", &["--norc", "--noprofile", "-i"], &folder);
    bash.send_line(&format!("PS1=; source {script}; echo re''ady")).expect("it reads");
    bash.exp_string("ready\r\n").expect("it is sourced");
    assert_completes(&mut bash, &CASES);
    assert_completes(&mut bash, &[("snugd --max-", &["--max-connections", "--max-message"])]);
}

#[test]
fn zsh_completes() {
    let folder = Folder::new();
    let script = script(&folder, "zsh");
    folder.write("rooms.db", "");
    let mut zsh = start("zsh", &["-f", "-i"], &folder);
    let begin = format!("PS1=; autoload -U compinit; compinit -u -D; source {script}; echo re''ady");
    zsh.send_line(&begin).expect("it reads");
    zsh.exp_string("ready\r\n").expect("it is sourced");
    assert_completes(&mut zsh, &CASES);
}

#[test]
fn fish_completes() {
    let folder = Folder::new();
    let script = script(&folder, "fish");
    folder.write("rooms.db", "");
    // It completes no arguments that are not options.
    for (typed, seen) in CASES.into_iter().filter(|(typed, _)| !typed.contains("completions")) {
        let mut fish = Command::new(find_program(&["fish"], "fish"));
        fish.args(["--no-config", "-c", &format!("source {script}; complete -C '{typed}'")]);
        let output = fish.env("HOME", &folder.0).current_dir(&folder.0).output().expect("it starts");
        let found = String::from_utf8_lossy(&output.stdout).into_owned();
        let word = format!("{}{}", typed.rsplit(' ').next().expect("a word"), seen.concat());
        assert!(found.lines().any(|line| line.split('\t').next() == Some(&word)), "{typed}: {found}");
    }
}

#[test]
fn every_option_is_completed() {
    let listed = stdout(&run(&["check", "--json"], &[]));
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    for shell in ["bash", "zsh", "fish"] {
        let script = stdout(&run(&["completions", shell], &[]));
        for option in listed["options"].as_object().expect("an object").keys() {
            let written = if shell == "fish" { format!("-l {option}") } else { format!("--{option}") };
            assert!(script.contains(&written), "{shell}: {option}");
        }
    }
    assert_eq!(run(&["completions", "cmd"], &[]).status.code(), Some(2));
}

/// An example of cargo's writes them, so that the program need not hold what makes them.
fn write_manual_pages(folder: &Folder) {
    let mut cargo = Command::new(env!("CARGO"));
    // By what cargo tells a test of itself, it would take libraries to be built for another one, and build them anew.
    let of_this_test = ["CARGO_PKG_", "CARGO_MANIFEST_", "OUT_DIR"];
    let names = std::env::vars_os().map(|(name, _)| name);
    for name in names.filter(|name| of_this_test.iter().any(|of| name.to_string_lossy().starts_with(of))) {
        cargo.env_remove(name);
    }
    let written = cargo.args(["run", "--quiet", "--locked", "--example", "man", "--"]).arg(&folder.0).output();
    let written = written.expect("cargo runs this test");
    assert!(written.status.success(), "{}", stderr(&written));
}

#[test]
fn manual_pages_are_rendered_without_a_warning() {
    let folder = Folder::new();
    write_manual_pages(&folder);
    let groff = find_program(&["groff"], "groff-base");
    let mut pages = 0;
    for page in fs::read_dir(&folder.0).expect("a folder") {
        let page = page.expect("an entry").path();
        let mut rendered = Command::new(&groff);
        rendered.args(["-man", "-ww", "-Tutf8", "-rLL=78n", "-P-cbou"]).arg(&page);
        let output = rendered.output().expect("it starts");
        assert_eq!(stderr(&output), "", "{}", page.display());
        pages += 1;
        if page.ends_with("snugd.1") {
            let text = stdout(&output).replace(['\u{2010}', '\u{2212}'], "-");
            for words in ["--line-listen", "SNUGD_LINE_LISTEN", "SIGHUP", "EXIT STATUS", "snugd-check(1)"] {
                assert!(text.contains(words), "no {words} in\n{text}");
            }
        }
    }
    assert!(pages > 5, "one for each subcommand as well");
}
