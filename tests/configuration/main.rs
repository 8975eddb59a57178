//! The options from outside: where they come from, what is in force, what is wrong, and what changes while the program
//! runs.

#[path = "../support/mod.rs"]
mod support;

mod checking;
mod completing;
mod healthcheck;
mod reloading;
mod sources;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

#[cfg(feature = "tls")]
use support::find_program;
use support::server::command;

/// A folder of its own, that goes with this.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("snugd-configuration-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).expect("a new folder");
        Folder(path)
    }

    /// A file in it.
    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("a writable folder");
        path.to_str().expect("UTF-8").to_owned()
    }

    /// A certificate for this name, in a file of this name, and its key.
    #[cfg(feature = "tls")]
    fn make_certificate(&self, name: &str) -> (String, String) {
        let files = ["pem", "key"].map(|kind| self.path(&format!("{name}.{kind}")).to_str().expect("UTF-8").to_owned());
        let mut openssl = Command::new(find_program(&["openssl"], "openssl"));
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
        openssl.args([
            "-days",
            "30",
            "-subj",
            &format!("/CN={name}"),
            "-addext",
            &format!("subjectAltName=DNS:{name}"),
        ]);
        let made = openssl.args(["-out", &files[0], "-keyout", &files[1]]).output().expect("it can be started");
        assert!(made.status.success(), "{}", stderr(&made));
        files.into()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs it to its end with these words and these variables in its environment.
fn run(words: &[&str], variables: &[(&str, &str)]) -> Output {
    command().args(words).envs(variables.iter().copied()).output().expect("the program can be started")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// The one sentence with which it ends.
fn refusal(output: &Output) -> String {
    let sentence = stderr(output);
    assert_eq!(output.status.code(), Some(2), "{sentence}");
    assert_eq!(stdout(output), "");
    assert_eq!(sentence.trim_end().lines().count(), 1, "{sentence}");
    sentence.trim_end().to_owned()
}

/// A server with free ports that reads this file.
fn configured(file: &str) -> Command {
    let mut command = command();
    command.args(["--listen", "127.0.0.1:0", "--line-listen", "127.0.0.1:0", "--config", file]);
    command
}

fn text_of(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a readable file")
}
