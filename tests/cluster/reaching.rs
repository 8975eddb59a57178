//! In which ways Redis is reached, and what is said where it is not.

use std::process::Output;

use super::nodes::{all_texts, say};
use super::redis::{Folder, Redis, free_port};
use super::support::server::command;
use super::support::{Server, WebSocketClient};

/// A node at this log, with these variables in its environment.
fn start(url: &str, variables: &[(&str, &str)]) -> Server {
    let mut command = command();
    command.args(["--listen", "127.0.0.1:0", "--line-listen", "127.0.0.1:0"]);
    command.args(["--cluster", url]).envs(variables.iter().copied());
    Server::run(command)
}

/// What is said on a node that reaches the log in one way is read on one that reaches it in another.
fn expect_shared(redis: &Redis, database: u16, urls: &[String], variables: &[(&str, &str)]) {
    let plain = start(&format!("{}/{database}", redis.url()), &[]);
    for url in urls {
        let other = start(url, variables);
        let room = other.create_room();
        let mut ana = WebSocketClient::join(&other, &room, "ana");
        say(&mut ana, "by another way", "a1");
        let mut ben = WebSocketClient::join(&plain, &room, "ben");
        say(&mut ben, "by the plain one", "b1");
        ana.expect_where("both", |message| message["text"] == "by the plain one");
        assert_eq!(all_texts(&plain, &room), ["by another way", "by the plain one"], "{url}");
        let told = other.log();
        assert!(!told.contains("sesame") && !told.contains(&room), "nothing secret is told:\n{told}");
    }
}

#[test]
fn by_a_password_a_user_another_database_and_a_unix_socket() {
    let folder = Folder::new();
    let socket = folder.path().join("redis.sock");
    let socket = socket.to_str().expect("UTF-8");
    let redis = Redis::with(&["--unixsocket", socket]);
    // No more than the documentation says.
    let rights = documented_rights();
    let user =
        [&["ACL", "SETUSER", "snugd", "on", ">open-sesame"][..], &rights.split(' ').collect::<Vec<_>>()].concat();
    assert_eq!(redis.ask(&user), "OK");
    let by_user = format!("redis://snugd:open-sesame@127.0.0.1:{}/3", redis.port);
    expect_shared(&redis, 3, &[by_user, format!("unix://{socket}?db=3")], &[]);
    redis.ask(&["ACL", "SETUSER", "default", ">open-sesame"]);
    let with_password = format!("redis://:open-sesame@127.0.0.1:{}", redis.port);
    let secret = folder.path().join("secret");
    std::fs::write(&secret, format!("{with_password}\n")).expect("it can be written");
    let mut by_file = command();
    by_file.args(["--listen", "127.0.0.1:0", "--line-listen", "127.0.0.1:0"]).env("SNUGD_CLUSTER_FILE", &secret);
    let by_file = Server::run(by_file);
    let room = by_file.create_room();
    assert_eq!(start(&with_password, &[]).get(&format!("/api/v1/rooms/{room}")).status, 200);
}

#[test]
fn settings_by_which_something_may_get_lost_are_told() {
    let redis = Redis::start();
    let told = |word: &str| start(&redis.url(), &[]).log().contains(word);
    assert!(!told("cluster_settings"));
    redis.configure("maxmemory-policy", "allkeys-lru");
    assert!(told("maxmemory-policy allkeys-lru"));
    redis.configure("maxmemory-policy", "noeviction");
    redis.configure("appendonly", "no");
    assert!(told("appendonly no"));
}

/// What `docs/cluster.md` gives to the user that is snugd's.
fn documented_rights() -> String {
    let text = std::fs::read_to_string("docs/cluster.md").expect("a chapter of the documentation");
    let line = text.lines().find_map(|line| line.trim().strip_prefix("user snugd on >"));
    let rights = line.and_then(|line| line.split_once(' ')).unwrap_or_else(|| panic!("no user in docs/cluster.md"));
    rights.1.to_owned()
}

#[cfg(feature = "tls")]
#[test]
fn encrypted() {
    use super::certificate::{authority, certificate};
    let (port, (certificate, key)) = (free_port().to_string(), certificate());
    let path = |path: &std::path::Path| path.to_str().expect("UTF-8").to_owned();
    let (certificate, key, authority) = (path(&certificate), path(&key), path(&authority()));
    let redis = Redis::with(&[
        "--tls-port",
        &port,
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &authority,
        "--tls-auth-clients",
        "no",
    ]);
    let url = format!("rediss://localhost:{port}");
    expect_shared(&redis, 0, std::slice::from_ref(&url), &[("SSL_CERT_FILE", &authority)]);
    // Whoever is not vouched for is not trusted.
    expect_failure(&fail(&url), &["certificate"]);
}

#[test]
fn as_a_cluster_of_redis() {
    let redis = Redis::with(&["--cluster-enabled", "yes"]);
    assert_eq!(redis.ask(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]), "OK");
    super::support::eventually("it serves", || {
        redis.ask(&["CLUSTER", "INFO"]).contains("cluster_state:ok").then_some(())
    });
    expect_shared(&redis, 0, &[redis.url()], &[]);
}

fn fail(url: &str) -> Output {
    let mut command = command();
    command.args(["--listen", "127.0.0.1:0", "--line-listen", "127.0.0.1:0", "--cluster", url]);
    command.output().expect("it can be started")
}

/// One sentence that says what to do, and nothing secret.
fn expect_failure(output: &Output, words: &[&str]) {
    let told = String::from_utf8(output.stderr.clone()).expect("UTF-8");
    assert_eq!(output.status.code(), Some(4), "{told}");
    let sentence = told.lines().last().expect("a sentence");
    assert!(sentence.starts_with("snugd: ") && sentence.ends_with('.'), "{told}");
    assert!(!told.contains("sesame"), "{told}");
    for word in words {
        assert!(sentence.contains(word), "{word} in: {told}");
    }
}

#[test]
fn where_it_is_not_reached_one_sentence_says_why() {
    let redis = Redis::start();
    redis.ask(&["SET", "{snugd}:log", "something else"]);
    redis.ask(&["ACL", "SETUSER", "guest", "on", ">sesame", "~*", "+ping"]);
    let port = redis.port;
    std::thread::scope(|scope| {
        scope.spawn(|| expect_failure(&fail(&format!("redis://127.0.0.1:{}", free_port())), &["127.0.0.1", "Redis"]));
        scope.spawn(|| expect_failure(&fail(&format!("redis://guest:wrong-sesame@127.0.0.1:{port}")), &["password"]));
        scope.spawn(|| expect_failure(&fail(&format!("redis://guest:sesame@127.0.0.1:{port}")), &["guest"]));
        scope.spawn(|| expect_failure(&fail(&redis.url()), &["WRONGTYPE"]));
        scope.spawn(|| expect_failure(&fail(&format!("{}/99", redis.url())), &["no database 99"]));
        let nobody = format!("redis+sentinel://127.0.0.1:{}/snug", free_port());
        scope.spawn(move || expect_failure(&fail(&nobody), &["Sentinel"]));
    });
}
