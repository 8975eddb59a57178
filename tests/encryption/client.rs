//! A client over TLS that writes exactly what it is told to.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};

use crate::certificate::{HOST, authority};
use crate::support::{DEADLINE, READ_TIMEOUT};

/// The versions that are spoken.
pub const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// One connection.
pub struct TlsClient {
    stream: StreamOwned<ClientConnection, TcpStream>,
    received: Vec<u8>,
}

/// What clients know and speak.
pub fn config(version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority()).expect("a certificate")).expect("one of an authority");
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider())).with_protocol_versions(&[version]);
    Arc::new(builder.expect("a version").with_root_certificates(roots).with_no_client_auth())
}

impl TlsClient {
    pub fn connect(address: SocketAddr, version: &'static SupportedProtocolVersion) -> TlsClient {
        TlsClient::over(TcpStream::connect(address).expect("the server accepts connections"), version)
    }

    /// Over a connection that is there already.
    pub fn over(stream: TcpStream, version: &'static SupportedProtocolVersion) -> TlsClient {
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket has timeouts");
        stream.set_write_timeout(Some(DEADLINE)).expect("a socket has timeouts");
        stream.set_nodelay(true).expect("a TCP socket can");
        let connection = ClientConnection::new(config(version), HOST.try_into().expect("a name")).expect("a client");
        let mut stream = StreamOwned::new(connection, stream);
        stream.conn.complete_io(&mut stream.sock).expect("the handshake succeeds");
        stream.sock.set_read_timeout(Some(READ_TIMEOUT)).expect("a socket has timeouts");
        TlsClient { stream, received: Vec::new() }
    }

    pub fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).expect("the server reads");
        self.stream.flush().expect("the server reads");
    }

    /// Says that it sends no more.
    pub fn end(&mut self) {
        self.stream.conn.send_close_notify();
        self.stream.flush().expect("the server reads");
    }

    /// Ends the connection underneath without saying so.
    pub fn cut_off(&mut self) {
        self.stream.sock.shutdown(std::net::Shutdown::Write).expect("it is open");
    }

    /// Waits until this text has come; returns what came before it.
    pub fn expect_text(&mut self, text: &str) -> String {
        let started = Instant::now();
        loop {
            if let Some(at) = self.received.windows(text.len()).position(|window| window == text.as_bytes()) {
                let before = self.received[..at].to_vec();
                self.received.drain(..at + text.len());
                return String::from_utf8(before).expect("UTF-8");
            }
            let outcome = self.receive();
            let seen = String::from_utf8_lossy(&self.received);
            assert!(started.elapsed() < DEADLINE, "waited in vain for {text:?}; last: {seen:?}");
            match outcome {
                Ok(0) => panic!("the server closes before {text:?}; last: {seen:?}"),
                Ok(_) | Err(ErrorKind::WouldBlock) => (),
                Err(kind) => panic!("no more can be read ({kind}) before {text:?}; last: {seen:?}"),
            }
        }
    }

    /// Waits for the end, which the server has to tell; returns what came before it.
    pub fn read_to_end(&mut self) -> String {
        let started = Instant::now();
        loop {
            match self.receive() {
                Ok(0) => return String::from_utf8(std::mem::take(&mut self.received)).expect("UTF-8"),
                Ok(_) => (),
                Err(ErrorKind::WouldBlock) => assert!(started.elapsed() < DEADLINE, "there is no end"),
                Err(kind) => panic!("the end is not told: {kind}"),
            }
        }
    }

    fn receive(&mut self) -> Result<usize, ErrorKind> {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(count) => {
                self.received.extend_from_slice(&buffer[..count]);
                Ok(count)
            }
            Err(error) if error.kind() == ErrorKind::TimedOut => Err(ErrorKind::WouldBlock),
            Err(error) => Err(error.kind()),
        }
    }
}
