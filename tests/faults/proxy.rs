//! A bad network in between: what goes through it is late, stalls, comes in pieces, or is cut off by a reset.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use socket2::SockRef;

/// How often a direction looks whether its connection has been cut.
const LOOK: Duration = Duration::from_millis(10);

/// Listens in the server's place.
pub struct Proxy {
    pub address: SocketAddr,
    weather: Arc<Weather>,
    listening: Option<JoinHandle<()>>,
}

/// What all connections share.
#[derive(Default)]
struct Weather {
    /// Nothing goes wrong.
    is_calm: AtomicBool,
    /// Nothing goes through at all; what there is is cut.
    is_offline: AtomicBool,
    is_over: AtomicBool,
    /// Nothing goes through, and nobody is told.
    is_frozen: AtomicBool,
    /// Nothing goes through until this is over, and then everything does.
    is_held: AtomicBool,
    /// All that goes through is late by this many milliseconds.
    delay_ms: AtomicUsize,
    /// Bytes a second that a direction of a connection lets through; 0: all that there are.
    rate: AtomicUsize,
    resets: AtomicUsize,
}

impl Weather {
    fn holds(&self, condition: &AtomicBool) -> bool {
        condition.load(Ordering::Relaxed)
    }
}

impl Proxy {
    /// A proxy to this server, which goes wrong as the seed says.
    pub fn start(server: SocketAddr, seed: u64) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let weather = Arc::new(Weather::default());
        let shared = Arc::clone(&weather);
        let listening = std::thread::spawn(move || listen(&listener, server, seed, &shared));
        Proxy { address, weather, listening: Some(listening) }
    }

    /// A proxy that does no harm before it is told to.
    pub fn start_calm(server: SocketAddr) -> Proxy {
        let proxy = Proxy::start(server, 0);
        proxy.calm_down();
        proxy
    }

    /// Nothing goes wrong from here on.
    pub fn calm_down(&self) {
        self.weather.is_calm.store(true, Ordering::Relaxed);
    }

    /// Things go wrong from here on.
    pub fn rage(&self) {
        self.weather.is_calm.store(false, Ordering::Relaxed);
    }

    /// Cuts every connection, and every new one, or no longer does.
    pub fn set_offline(&self, is_offline: bool) {
        self.weather.is_offline.store(is_offline, Ordering::Relaxed);
    }

    /// Lets nothing through, and cuts nothing, or no longer does. What comes meanwhile is lost.
    pub fn set_frozen(&self, is_frozen: bool) {
        self.weather.is_frozen.store(is_frozen, Ordering::Relaxed);
    }

    /// Holds back everything, and cuts nothing, or lets all of it go on: as where packets are lost and sent again.
    pub fn set_held(&self, is_held: bool) {
        self.weather.is_held.store(is_held, Ordering::Relaxed);
    }

    /// Lets everything through so much later.
    pub fn set_delay(&self, delay: Duration) {
        self.weather.delay_ms.store(delay.as_millis() as usize, Ordering::Relaxed);
    }

    /// Lets no more through than this many bytes a second, in each direction of each connection; 0: all that there are.
    pub fn set_rate(&self, bytes_per_second: usize) {
        self.weather.rate.store(bytes_per_second, Ordering::Relaxed);
    }

    /// Connections that were cut so far.
    pub fn resets(&self) -> usize {
        self.weather.resets.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.weather.is_over.store(true, Ordering::Relaxed);
        // Wakes the listener.
        let _ = TcpStream::connect(self.address);
        if let Some(listening) = self.listening.take() {
            let _ = listening.join();
        }
    }
}

fn listen(listener: &TcpListener, server: SocketAddr, seed: u64, weather: &Arc<Weather>) {
    let mut random = StdRng::seed_from_u64(seed);
    for client in listener.incoming().map_while(Result::ok) {
        if weather.holds(&weather.is_over) {
            return;
        }
        let _ = SockRef::from(&client).set_linger(Some(Duration::ZERO));
        if weather.holds(&weather.is_offline) {
            // Dropped with a reset.
            continue;
        }
        let Ok(server) = TcpStream::connect(server) else { continue };
        let (client, server) = (Arc::new(client), Arc::new(server));
        let is_cut = Arc::new(AtomicBool::new(false));
        for (from, to) in [(&client, &server), (&server, &client)] {
            let direction = Direction {
                from: Arc::clone(from),
                to: Arc::clone(to),
                is_cut: Arc::clone(&is_cut),
                weather: Arc::clone(weather),
                random: StdRng::seed_from_u64(random.random()),
            };
            std::thread::spawn(move || direction.run());
        }
    }
}

/// One direction of a connection.
struct Direction {
    from: Arc<TcpStream>,
    to: Arc<TcpStream>,
    is_cut: Arc<AtomicBool>,
    weather: Arc<Weather>,
    random: StdRng,
}

impl Direction {
    fn run(mut self) {
        for stream in [&self.from, &self.to] {
            // Closed, it takes back what is on its way.
            let _ = SockRef::from(&**stream).set_linger(Some(Duration::ZERO));
            let _ = stream.set_nodelay(true);
            let _ = stream.set_read_timeout(Some(LOOK));
            let _ = stream.set_write_timeout(Some(LOOK));
        }
        let mut buffer = [0; 4096];
        while !self.is_cut() {
            let count = match (&*self.from).read(&mut buffer) {
                Ok(0) => {
                    let _ = self.to.shutdown(std::net::Shutdown::Write);
                    return;
                }
                Ok(count) => count,
                Err(error) if is_no_news(&error) => continue,
                Err(_) => return self.cut(),
            };
            if !self.pass_on(&buffer[..count]) {
                return self.cut();
            }
        }
    }

    fn is_cut(&self) -> bool {
        let weather = &self.weather;
        if weather.holds(&weather.is_offline) || weather.holds(&weather.is_over) {
            self.is_cut.store(true, Ordering::Relaxed);
        }
        self.is_cut.load(Ordering::Relaxed)
    }

    fn cut(&self) {
        self.is_cut.store(true, Ordering::Relaxed);
    }

    /// Passes bytes on, somehow. False: the connection is to be cut, perhaps in the middle of them.
    fn pass_on(&mut self, bytes: &[u8]) -> bool {
        if self.weather.holds(&self.weather.is_frozen) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(self.weather.delay_ms.load(Ordering::Relaxed) as u64));
        while self.weather.holds(&self.weather.is_held) {
            if self.is_cut() {
                return false;
            }
            std::thread::sleep(LOOK);
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let piece = self.piece(rest.len());
            if piece == 0 {
                self.weather.resets.fetch_add(1, Ordering::Relaxed);
                return false;
            }
            let (now, later) = rest.split_at(piece);
            if !self.write(now) {
                return false;
            }
            rest = later;
        }
        true
    }

    /// How much goes through next, after how long; 0: nothing ever again.
    fn piece(&mut self, length: usize) -> usize {
        let rate = self.weather.rate.load(Ordering::Relaxed);
        if rate > 0 {
            std::thread::sleep(Duration::from_secs_f64(length as f64 / rate as f64));
        }
        if self.weather.holds(&self.weather.is_calm) {
            return length;
        }
        let (piece, wait_ms) = match self.random.random_range(0..1000) {
            0..5 => return 0,
            5..15 => (length, 100),
            15..100 => (length, self.random.random_range(1..10)),
            100..400 => (1, 0),
            400..600 => (self.random.random_range(1..=length), 1),
            _ => (length, 0),
        };
        // This is no waiting for something: it is what goes wrong.
        std::thread::sleep(Duration::from_millis(wait_ms));
        piece
    }

    fn write(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() && !self.is_cut() {
            match (&*self.to).write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if is_no_news(&error) => (),
                Err(_) => return false,
            }
        }
        bytes.is_empty()
    }
}

fn is_no_news(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
