//! What a password costs: a login, and how long a message takes while wrong ones come in.
//!
//! `cargo bench --bench logins`. Bystanders in a room are told something every 5 ms, first in peace, then while 200 wrong
//! passwords a second are tried: for one name from one address, where the limit is met, and for ever other names from ever
//! other addresses, where none is and the queue of the worker is full.

#[path = "support/mod.rs"]
mod support;

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::{Server, Terminal, p99, told};

const BYSTANDERS: usize = 20;
const MESSAGES: u32 = 1000;
const MESSAGE_INTERVAL: Duration = Duration::from_millis(5);
const TRY_INTERVAL: Duration = Duration::from_millis(5);
const LOGINS: usize = 20;
const PASSWORD: &str = "correct horse battery staple";

fn main() {
    let server = Server::start(&[]);
    let mut ana = server.enter("/new ana", Ipv4Addr::LOCALHOST);
    ana.say(&format!("/register {PASSWORD}"));
    ana.wait_for("is yours");
    let room = ana.code.clone();
    let mut readers: Vec<Terminal> =
        (0..BYSTANDERS).map(|number| server.enter(&format!("/join {room} by{number}"), Ipv4Addr::LOCALHOST)).collect();

    let mut times: Vec<Duration> = (0..LOGINS)
        .map(|number| {
            let mut terminal = server.connect(Ipv4Addr::new(127, 1, 0, number as u8 + 1));
            let started = Instant::now();
            terminal.say(&format!("/login ana {PASSWORD}"));
            terminal.wait_for("logged in");
            started.elapsed()
        })
        .collect();
    times.sort();
    println!("a login: median {:.1?}, longest {:.1?}", times[LOGINS / 2], times[LOGINS - 1]);

    let peace = deliver(&mut ana, &mut readers);
    println!("a message in peace: {}", told(&peace));
    let one: fn(u32) -> (String, Ipv4Addr) = |_| ("ana".to_owned(), Ipv4Addr::new(127, 2, 0, 1));
    let many: fn(u32) -> (String, Ipv4Addr) =
        |number| (format!("n{number}"), Ipv4Addr::from(Ipv4Addr::new(127, 3, 0, 1).to_bits() + number));
    for (who, tried) in [("for one name from one address", one), ("for many names from many addresses", many)] {
        let (is_over, tries) = (AtomicBool::new(false), AtomicU32::new(0));
        let flooded = thread::scope(|scope| {
            scope.spawn(|| {
                let started = Instant::now();
                while !is_over.load(Ordering::Relaxed) {
                    let number = tries.fetch_add(1, Ordering::Relaxed);
                    thread::sleep((started + TRY_INTERVAL * number).saturating_duration_since(Instant::now()));
                    let (name, address) = tried(number);
                    server.connect(address).say(&format!("/login {name} wrong password\n/quit"));
                }
            });
            let flooded = deliver(&mut ana, &mut readers);
            is_over.store(true, Ordering::Relaxed);
            flooded
        });
        let tries_per_second = tries.into_inner() as f64 / (MESSAGE_INTERVAL * MESSAGES).as_secs_f64();
        let ratio = p99(&flooded).as_secs_f64() / p99(&peace).as_secs_f64();
        println!(
            "a message while {tries_per_second:.0} wrong passwords a second are tried {who}: {}, p99 {ratio:.1} x",
            told(&flooded)
        );
    }
}

/// Says something again and again, and tells how long after it was due each reader had it, sorted.
fn deliver(ana: &mut Terminal, readers: &mut [Terminal]) -> Vec<Duration> {
    let started = Instant::now();
    let due = |number: u32| started + MESSAGE_INTERVAL * number;
    let mut times: Vec<Duration> = thread::scope(|scope| {
        let threads: Vec<_> = readers
            .iter_mut()
            .map(|reader| {
                scope.spawn(move || {
                    let read = |number| {
                        reader.wait_for(&format!("<ana> number {number}\r\n"));
                        Instant::now().saturating_duration_since(due(number))
                    };
                    (0..MESSAGES).map(read).collect::<Vec<_>>()
                })
            })
            .collect();
        for number in 0..MESSAGES {
            thread::sleep(due(number).saturating_duration_since(Instant::now()));
            ana.say(&format!("number {number}"));
        }
        threads.into_iter().flat_map(|thread| thread.join().expect("it reads")).collect()
    });
    times.sort();
    times
}
