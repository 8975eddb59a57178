//! What a Redis refuses, and what becomes of it.

use std::io::{Read, Write};
use std::net::TcpListener;

use super::link::{appended, epoch, message, open, start};
use super::*;

#[test]
fn what_a_server_refuses_is_not_done_and_the_node_lives_on() {
    let server = Server::start();
    let (mut ana, loaded) = start(&server, 1);
    let generation = loaded.generation;
    assert_eq!(ana.append(1, generation, vec![open(1)]), appended(&[1]));
    for (refusing, named, taking) in [
        (["maxmemory", "1"], "memory", ["maxmemory", "0"]),
        (["min-replicas-to-write", "1"], "replicas", ["min-replicas-to-write", "0"]),
    ] {
        let set = |setting: [&str; 2]| drop(server.command(&["CONFIG", "SET", setting[0], setting[1]]));
        set(refusing);
        let refused = ana.append(1, generation, vec![message(2, (1, 1), "one"), message(3, (1, 1), "two")]);
        let Response::Appended(Err(AppendFault::Refusing(reason))) = refused else { panic!("{refused:?}") };
        assert!(reason.contains(named), "{reason}");
        assert_eq!(server.command(&["HLEN", &format!("{{snugd}}:events:{}", epoch())]), Value::Int(0));
        ana.send(Request::Renew { node: NodeId(1) });
        let Response::Renewed(Some(renewed)) = ana.next() else { panic!("it is one of the nodes") };
        assert_eq!((renewed.generation, renewed.nodes), (generation, 1));
        set(taking);
    }
    assert_eq!(ana.append(1, generation, vec![message(2, (1, 1), "one")]), appended(&[2]));
}

#[test]
fn scripts_that_were_forgotten_are_told_again() {
    let server = Server::start();
    let (mut ana, loaded) = start(&server, 1);
    server.command(&["SCRIPT", "FLUSH"]);
    ana.send(Request::Append { node: NodeId(1), generation: loaded.generation, changes: vec![open(1)] });
    assert!(ana.back().contains("NOSCRIPT"));
    assert!(matches!(ana.attach(1, None), Attached::Yes { last_number: 0, .. }));
    assert_eq!(ana.append(1, loaded.generation, vec![open(1)]), appended(&[1]));
}

#[test]
fn a_server_that_has_become_a_replica_is_left_until_it_is_none() {
    let server = Server::start();
    let (mut ana, loaded) = start(&server, 1);
    assert_eq!(ana.append(1, loaded.generation, vec![open(1)]), appended(&[1]));
    let mut connection = server.connect();
    ask(&mut connection, cmd("REPLICAOF").arg("127.0.0.1").arg(free_port())).expect("an answer");
    ana.send(Request::Append {
        node: NodeId(1),
        generation: loaded.generation,
        changes: vec![message(2, (1, 1), "one")],
    });
    let Response::Down { reason } = ana.next() else { panic!("it takes nothing") };
    assert!(reason.contains("replica"), "{reason}");
    ask(&mut connection, cmd("REPLICAOF").arg("NO").arg("ONE")).expect("an answer");
    assert_eq!(ana.next(), Response::Up);
    assert!(
        matches!(ana.attach(1, None), Attached::Yes { generation, last_number: 1, .. } if generation == loaded.generation)
    );
}

#[test]
fn a_user_without_the_right_password_is_told_at_once() {
    let server = Server::start_with(&["--requirepass", "s3cret"]);
    let refusal = |credentials: &str| {
        let text = format!("unix://{credentials}{}", server.socket().display());
        let address = ClusterAddress::parse(&text).expect("an address");
        wait_for("a Redis that answers", || match Connector::new(address.clone()).connect() {
            Err(Fault::Away(_)) => None,
            connected => Some(connected.map(drop)),
        })
    };
    assert!(matches!(refusal(""), Err(Fault::Denied(reason)) if reason.contains("wants a password")));
    assert!(matches!(refusal(":wrong@"), Err(Fault::Denied(reason)) if reason.contains("does not know")));
    assert_eq!(refusal(":s3cret@"), Ok(()));
    let text = format!("unix://:wrong@{}", server.socket().display());
    let address = ClusterAddress::parse(&text).expect("an address");
    let Err(sentence) = RedisLink::open(&address, 0, || (), Arc::default()) else { panic!("it is refused") };
    assert!(sentence.contains("does not know this user") && !sentence.contains("wrong"), "{sentence}");
}

#[test]
fn where_a_log_has_moved_it_is_followed() {
    let mut server = Server::start();
    let port = server.listen();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let text = format!("redis://{}", listener.local_addr().expect("an address"));
    let asked = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut question = [0; 512];
        let length = stream.read(&mut question).expect("a question");
        stream.write_all(format!("-MOVED 3999 127.0.0.1:{port}\r\n").as_bytes()).expect("it is listened to");
        String::from_utf8_lossy(&question[..length]).into_owned()
    });
    let mut connector = Connector::new(ClusterAddress::parse(&text).expect("an address"));
    let connected = connector.connect().unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(connected.place, format!("127.0.0.1:{port}"));
    assert!(asked.join().expect("it was asked").contains("{snugd}"));
    // Whoever has said so is gone by now, and the other one for a while.
    server.kill();
    for _ in 0..3 {
        assert!(connector.connect().is_err());
    }
    server.run();
    wait_for("the log is found again", || connector.connect().ok());
}

#[test]
fn a_log_of_another_format_is_left_alone() {
    let server = Server::start();
    drop(server.connect());
    server.command(&["HSET", "{snugd}:meta", "format", "999"]);
    let refused = RedisLink::start(&server.address(), 0, NodeId(1), 100, || (), Arc::default());
    let Err(sentence) = refused else { panic!("it is refused") };
    assert!(sentence.contains("format 999"), "{sentence}");
    assert_eq!(server.command(&["HLEN", "{snugd}:meta"]), Value::Int(1));
}
