//! Files that arrive and are sent slowly, or not at all.

use snugd::files::FileLimits;
use snugd::reactor::Port;

use super::{Scene, in_memory};
use crate::folder::SharedFolder;
use crate::no_limits;

const FILE_BYTES: usize = 300_000;

/// A room in which somebody is, and the folder of files.
fn scene() -> (Scene, SharedFolder) {
    let folder = SharedFolder::new(1, usize::MAX);
    folder.0.borrow_mut().behave();
    let mut conditions = in_memory(no_limits());
    conditions.files = Some((folder.clone(), FileLimits::default()));
    let mut scene = Scene::new(conditions);
    scene.join("KXQT", "ana");
    (scene, folder)
}

fn head() -> String {
    format!("PUT /KXQT/a.bin HTTP/1.1\r\nHost: h\r\nContent-Length: {FILE_BYTES}\r\n\r\n")
}

/// What is sent at this place of a connection: no two chunks are alike.
fn letter(place: usize) -> char {
    char::from(b'a' + (place / 1_000 % 26) as u8)
}

impl Scene {
    /// Begins to share a file of this size, and sends so much of it.
    fn upload(&mut self, sent_bytes: usize) -> usize {
        let socket = self.connect(Port::Web, &head());
        self.turns(3);
        self.send_more(socket, sent_bytes);
        socket
    }

    fn send_more(&mut self, socket: usize, bytes: usize) {
        let first = self.world.borrow().sent_bytes(socket);
        self.send(socket, &(first..first + bytes).map(letter).collect::<String>());
        self.turns(10);
    }

    /// What is stored of files that arrive, and what is counted of them.
    fn kept(&self, folder: &SharedFolder) -> (usize, u64) {
        (folder.0.borrow().parts().map(<[u8]>::len).sum(), self.reactor.file_bytes())
    }

    fn is_over(&self, socket: usize) -> bool {
        self.world.borrow().is_over(socket)
    }

    /// The address of a file that is shared.
    fn shared(&mut self) -> String {
        let socket = self.upload(FILE_BYTES);
        let answer = self.read(socket);
        let path = answer.split("Location: ").nth(1).unwrap_or_else(|| panic!("{answer}"));
        path.lines().next().expect("a line").to_owned()
    }
}

#[test]
fn an_upload_may_be_slow_as_long_as_it_gets_on() {
    let (mut scene, folder) = scene();
    let slow = scene.upload(10_000);
    for _ in 0..5 {
        scene.pass(15_000);
        scene.send_more(slow, 58_000);
    }
    let answer = scene.read(slow);
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert_eq!((scene.kept(&folder), folder.0.borrow().files().len()), ((0, FILE_BYTES as u64), 1));
}

#[test]
fn an_upload_that_stalls_is_given_up_and_leaves_nothing() {
    let (mut scene, folder) = scene();
    let stalled = scene.upload(10_000);
    assert_eq!(scene.kept(&folder), (10_000, FILE_BYTES as u64));
    scene.pass(15_000);
    assert_eq!(scene.read(stalled), "", "not yet");
    scene.pass(15_000);
    let answer = scene.read(stalled);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(scene.is_over(stalled), "it is closed");
    assert_eq!((scene.kept(&folder), folder.0.borrow().files().len()), ((0, 0), 0));
}

#[test]
fn an_upload_that_hardly_gets_on_is_given_up() {
    let (mut scene, folder) = scene();
    let trickle = scene.upload(10);
    for _ in 0..3 {
        scene.pass(10_000);
        scene.send_more(trickle, 1);
        assert_eq!(scene.read(trickle), "", "not yet");
    }
    for _ in 0..3 {
        scene.pass(15_000);
        scene.send_more(trickle, 1);
    }
    let answer = scene.read(trickle);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert_eq!(scene.kept(&folder), (0, 0));
}

#[test]
fn nobody_is_blamed_for_a_slow_disk_and_little_is_held_meanwhile() {
    let (mut scene, folder) = scene();
    folder.0.borrow_mut().is_stuck = true;
    let socket = scene.upload(100_000);
    let also = scene.connect(Port::Web, "PUT /KXQT/b HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n");
    scene.send_more(also, 1_000_000);
    for _ in 0..20 {
        scene.pass(60_000);
    }
    let taken_bytes = scene.world.borrow().taken_bytes(also);
    assert!(taken_bytes <= 128 * 1024, "{taken_bytes} bytes are held of one file");
    assert_eq!(scene.read(socket) + &scene.read(also), "", "nobody is given up");
    folder.0.borrow_mut().is_stuck = false;
    // Who has sent what it was asked for has as long as ever for the rest.
    scene.turns(5);
    scene.pass(10_000);
    assert_eq!(scene.read(socket), "", "it is not given up");
    scene.send_more(socket, FILE_BYTES - 100_000);
    scene.turns(100);
    for socket in [socket, also] {
        let answer = scene.read(socket);
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    }
    assert_eq!(scene.kept(&folder), (0, 1_000_000 + FILE_BYTES as u64));
}

#[test]
fn a_download_may_be_slow_and_one_that_stalls_is_given_up() {
    let (mut scene, _folder) = scene();
    let path = scene.shared();
    for connection in ["keep-alive", "close"] {
        let [slow, stalled] = [10_000, 1_000].map(|window_bytes| {
            let socket = scene.world.borrow_mut().connect(Port::Web);
            scene.world.borrow_mut().set_window(socket, window_bytes);
            scene.send(socket, &format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: {connection}\r\n\r\n"));
            scene.turns(5);
            socket
        });
        let (mut answer, mut stalled_until) = (String::new(), None);
        for round in 0..120 {
            scene.pass(10_000);
            answer += &scene.read_most(slow, 3_000);
            scene.turns(3);
            if scene.world.borrow().is_closed(stalled) {
                stalled_until.get_or_insert(round);
            }
        }
        assert!(stalled_until.is_some_and(|round| (3..8).contains(&round)), "{connection}: {stalled_until:?}");
        let expected: String = (head().len()..head().len() + FILE_BYTES).map(letter).collect();
        assert!(answer.ends_with(&expected), "{connection}: {} bytes", answer.len());
    }
}

#[test]
fn a_file_that_vanishes_ends_its_download_early() {
    let (mut scene, folder) = scene();
    let path = scene.shared();
    let socket = scene.world.borrow_mut().connect(Port::Web);
    scene.world.borrow_mut().set_window(socket, 1_000);
    scene.send(socket, &format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
    scene.turns(5);
    folder.0.borrow_mut().start(&Default::default());
    scene.world.borrow_mut().set_window(socket, usize::MAX);
    let mut answer = String::new();
    for _ in 0..20 {
        answer += &scene.read(socket);
        scene.turn();
    }
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("Content-Length: 300000\r\n"), "{answer}");
    assert!(answer.len() < FILE_BYTES && scene.is_over(socket), "it sees that this is not all: {}", answer.len());
    // Those who talk have seen nothing of it.
    let ben = scene.join("KXQT", "ben");
    scene.send(ben, "say KXQT 1 hello\n");
    scene.turns(3);
    assert!(scene.read(ben).contains("hello"));
}
