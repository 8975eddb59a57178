//! In the data file: over a restart and a crash, and by `snugd account`.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rusqlite::Connection;
use serde_json::json;

use super::support::server::command;
use super::support::{Server, Terminal, WebSocketClient, eventually};
use super::{OTHER_PASSWORD, PASSWORD, join, refused, register, with_account};

/// A folder with a data file, gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("snugd-accounts-{}-{number}", std::process::id()));
        fs::create_dir(&path).expect("a folder for the test");
        Folder(path)
    }

    fn file(&self) -> String {
        self.0.join("snugd.db").to_str().expect("UTF-8").to_owned()
    }

    fn serve(&self) -> Server {
        Server::with(&["--data", &self.file(), "-vv"])
    }

    /// Runs `snugd account` with this on its standard input.
    fn account(&self, action: &str, name: &[&str], input: &str) -> Output {
        let mut command = command();
        command.args(["account", action, "--data", &self.file()]).args(name);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program can be started");
        // It may not want any.
        let _ = child.stdin.take().expect("it is piped").write_all(input.as_bytes());
        child.wait_with_output().expect("it ends")
    }

    fn succeed(&self, action: &str, name: &[&str], input: &str) -> String {
        let output = self.account(action, name, input);
        assert!(output.status.success(), "{action}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn fail(&self, action: &str, name: &[&str], input: &str) -> String {
        let output = self.account(action, name, input);
        assert_eq!(output.status.code(), Some(1), "{action}");
        String::from_utf8(output.stderr).expect("UTF-8")
    }

    /// What stands in the data file and in the files beside it.
    fn contains(&self, word: &str) -> bool {
        fs::read_dir(&self.0).expect("a folder").any(|entry| {
            let bytes = fs::read(entry.expect("an entry").path()).unwrap_or_default();
            bytes.windows(word.len()).any(|window| window == word.as_bytes())
        })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn accounts_outlive_a_crash_and_a_restart_and_no_secret_is_in_a_file_or_the_log() {
    let folder = Folder::new();
    let server = folder.serve();
    let room = server.create_room();
    let (_ana, told) = register(&server, &room, "ana");
    let mut terminal = Terminal::connect(&server);
    terminal.send_line(&format!("/login ana {OTHER_PASSWORD}"));
    terminal.expect_text("do not belong together");
    let form = server.post_form(&[("name", "ana"), ("code", &room), ("password", OTHER_PASSWORD)]);
    assert_eq!(form.status, 401);
    let token = told["token"].as_str().expect("a token").to_owned();
    assert!(folder.contains("$argon2id$"), "the test looks for what is there");
    for secret in [PASSWORD, OTHER_PASSWORD, &token] {
        assert!(!folder.contains(secret) && !server.log().contains(secret), "{secret}");
    }
    server.crash();

    for _ in 0..2 {
        let server = folder.serve();
        let error = refused(&server, json!({"type": "join", "room": room, "name": "Ana"}));
        assert_eq!(error["code"], "password_required");
        let (client, joined) = join(&server, json!({"type": "join", "room": room, "token": token}));
        assert_eq!((&joined["name"], with_account(&joined)), (&json!("ana"), vec!["ana"]));
        client.drop_connection();
        let other = server.create_room();
        let right = json!({"type": "join", "room": other, "name": "ana", "password": PASSWORD});
        assert_eq!(with_account(&join(&server, right).1), ["ana"]);
    }
}

#[test]
fn a_crash_between_a_claim_and_what_follows_leaves_one_owner() {
    let folder = Folder::new();
    let server = folder.serve();
    let room = server.create_room();
    let (stranger, told) = join(&server, json!({"type": "join", "room": room, "name": "ana"}));
    drop((stranger, server));
    // The claim is stored, and nothing else.
    let file = Connection::open(folder.file()).expect("a data file");
    file.execute("INSERT INTO account VALUES (7, 'Ana', NULL)", []).expect("it can be changed");
    drop(file);
    let server = folder.serve();
    let (mut stranger, joined) = join(&server, json!({"type": "join", "room": room, "token": told["token"]}));
    let name = match joined["name"].as_str() {
        Some("ana") => stranger.expect("nick")["to"].as_str().expect("a name").to_owned(),
        name => name.expect("a name").to_owned(),
    };
    assert_eq!(name, "ana_1");
}

#[test]
fn accounts_are_managed_while_nobody_uses_the_file() {
    let folder = Folder::new();
    folder.succeed("add", &["ana"], &format!("{PASSWORD}\n"));
    assert!(folder.fail("add", &["Ana"], &format!("{PASSWORD}\n")).contains("already"));
    assert!(folder.fail("add", &["ben"], "short\n").contains("at least 8 characters"));
    folder.succeed("add", &["ben"], &format!("{PASSWORD}\r\n"));
    assert_eq!(folder.succeed("list", &[], ""), "ana\nben\n");
    folder.succeed("remove", &["ben"], "");
    assert!(folder.fail("remove", &["ben"], "").contains("no account"));
    folder.succeed("password", &["ana"], &format!("{OTHER_PASSWORD}\n"));
    let server = Server::with(&["--data", &folder.file(), "--accounts", "required"]);
    let with =
        |password: &str| json!({"type": "join", "room": "KXQT", "name": "ana", "password": password, "create": true});
    assert_eq!(refused(&server, with(PASSWORD))["code"], "password_wrong");
    let (mut ana, joined) = join(&server, with(OTHER_PASSWORD));
    assert_eq!(with_account(&joined), ["ana"]);
    // Here everybody is called by the name of an account.
    ana.send(json!({"type": "nick", "name": "anonymous"}));
    ana.expect_error("password_required");
    assert_eq!(refused(&server, json!({"type": "join", "room": "KXQT", "name": "ben"}))["code"], "password_required");
}

#[test]
fn accounts_are_managed_while_a_server_uses_the_file() {
    let folder = Folder::new();
    let server = folder.serve();
    let room = server.create_room();
    let mut stranger = WebSocketClient::join(&server, &room, "ana");
    folder.succeed("add", &["ana"], &format!("{PASSWORD}\n"));
    assert_eq!(stranger.expect("nick")["to"], "ana_1");
    assert_eq!(folder.succeed("list", &[], ""), "ana\n");
    assert!(folder.fail("add", &["ANA"], &format!("{PASSWORD}\n")).contains("already"));

    let (mut ana, told) = join(&server, json!({"type": "join", "room": room, "name": "ana", "password": PASSWORD}));
    folder.succeed("password", &["ana"], &format!("{OTHER_PASSWORD}\n"));
    ana.expect_close(4001);
    let back = json!({"type": "join", "room": room, "token": told["token"]});
    assert_eq!(refused(&server, back)["code"], "password_required");
    let right = json!({"type": "join", "room": room, "name": "ana", "password": OTHER_PASSWORD});
    let (mut ana, _) = join(&server, right);
    folder.succeed("remove", &["ana"], "");
    ana.expect_close(4001);
    assert_eq!(folder.succeed("list", &[], ""), "");
    assert!(folder.fail("password", &["ana"], &format!("{PASSWORD}\n")).contains("no account"));
    join(&server, json!({"type": "join", "room": room, "name": "ana"}));
}

/// A process loses all its locks on a file once it closes any handle of it; then another program would take the index of
/// the log for its own, and cut it off.
#[test]
#[cfg(target_os = "linux")]
fn the_file_stays_locked_after_it_was_cleaned() {
    use std::os::unix::fs::MetadataExt;
    let folder = Folder::new();
    let server = folder.serve();
    folder.succeed("add", &["ana"], &format!("{PASSWORD}\n"));
    folder.succeed("remove", &["ana"], "");
    eventually("nothing is left of it", || (!folder.contains("$argon2id$")).then_some(()));
    let index = fs::metadata(folder.file() + "-shm").expect("the log has an index").ino();
    let (pid, index) = (server.pid().to_string(), format!(":{index}"));
    // SQLite's byte that tells whether anybody uses the index (`UNIX_SHM_DMS`).
    let is_it = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.contains(&&*pid) && words.iter().any(|word| word.ends_with(&index)) && words.ends_with(&["128", "128"])
    };
    let locks = fs::read_to_string("/proc/locks").expect("Linux tells who locks what");
    assert!(locks.lines().any(is_it), "{locks}");
}

#[test]
fn an_admin_keeps_order_in_rooms_of_others_and_bans_outlive_a_crash_with_the_account() {
    let folder = Folder::new();
    let serve = || Server::with(&["--data", &folder.file(), "--admin", "root"]);
    let server = serve();
    folder.succeed("add", &["root"], &format!("{PASSWORD}\n"));
    let room = server.create_room();
    let elsewhere = server.create_room();
    let mut ana = WebSocketClient::join(&server, &room, "ana");
    drop(register(&server, &elsewhere, "ben"));
    let (mut ben, _) = join(&server, json!({"type": "join", "room": room, "name": "ben", "password": PASSWORD}));
    let by_password = json!({"type": "join", "room": room, "name": "root", "password": PASSWORD});
    let (mut root, joined) = join(&server, by_password.clone());
    assert_eq!((&joined["members"][0]["name"], &joined["members"][0]["op"]), (&json!("root"), &json!(true)));
    root.send(json!({"type": "moderate", "action": "ban", "name": "ben"}));
    assert_eq!(ana.expect("kick")["by"], "root");
    ana.expect_where("the ban", |message| message["change"] == "ban");
    ben.expect_close(4003);
    server.crash();

    let server = serve();
    let mut ben = WebSocketClient::connect(&server);
    ben.send(json!({"type": "login", "name": "ben", "password": PASSWORD}));
    ben.expect("ok");
    ben.send(json!({"type": "join", "room": room, "name": "carl"}));
    ben.expect_error("banned");
    let (mut root, _) = join(&server, by_password);
    root.send(json!({"type": "moderate", "action": "lock"}));
    assert_eq!(root.expect("mode")["change"], "lock");
}
