//! What it says where it cannot be started like this.

use std::process::Output;

use crate::certificate::{certificate, folder, openssl};
use crate::support::server::command;

fn refusal(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command().args(arguments).output().expect("the program can be started");
    assert!(stdout.is_empty(), "it does not listen");
    (status.code(), String::from_utf8(stderr).expect("UTF-8"))
}

#[test]
fn what_is_missing_is_said_in_one_sentence() {
    let folder = folder("starting");
    openssl(&folder, "genpkey -algorithm ed25519 -out other.key");
    let (certificate, key) = certificate();
    let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
    let other = folder.join("other.key").display().to_string();
    for (arguments, expected, words) in [
        (&["--tls-cert", &certificate][..], 2, "--tls-key"),
        (&["--tls-key", &key], 2, "--tls-cert"),
        (&["--line-tls-listen", "127.0.0.1:0"], 2, "--tls-cert and --tls-key"),
        (&["--tls-cert", "/nowhere.pem", "--tls-key", &key], 4, "/nowhere.pem"),
        (&["--tls-cert", &key, "--tls-key", &key], 4, "There is no certificate in"),
        (&["--tls-cert", &certificate, "--tls-key", &other], 4, "does not fit"),
    ] {
        let (status, sentence) = refusal(arguments);
        assert_eq!(status, Some(expected), "{arguments:?}: {sentence}");
        assert!(sentence.contains(words) && sentence.lines().count() == 1, "{arguments:?}: {sentence}");
    }
}
