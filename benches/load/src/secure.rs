//! A member's connection, plain or over TLS, and what servers over TLS show.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use mio::event::Source;
use mio::net::TcpStream;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

/// A connection without blocking.
#[derive(Debug)]
pub enum Stream {
    Plain(TcpStream),
    Secure(Box<SecureStream>),
}

/// One over TLS.
#[derive(Debug)]
pub struct SecureStream {
    tcp: TcpStream,
    tls: ClientConnection,
    /// Nothing is sent before it is released: so that many can begin at once.
    is_held: bool,
}

impl Stream {
    /// What the system registers.
    pub fn source(&mut self) -> &mut dyn Source {
        self.tcp_mut()
    }

    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Stream::Plain(tcp) => tcp.peer_addr(),
            Stream::Secure(secure) => secure.tcp.peer_addr(),
        }
    }

    /// Whether keys are still being agreed upon, which takes a while each time.
    pub fn is_handshaking(&self) -> bool {
        matches!(self, Stream::Secure(secure) if secure.tls.is_handshaking())
    }

    /// Whether a read that did not fill its buffer has emptied the socket (epoll(7)).
    pub fn is_emptied_by_short_reads(&self) -> bool {
        matches!(self, Stream::Plain(_))
    }

    /// Sends what TLS has to send.
    pub fn drive(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(_) => Ok(()),
            Stream::Secure(secure) => secure.drive(),
        }
    }

    /// Lets one that is held begin.
    pub fn release(&mut self) -> io::Result<()> {
        if let Stream::Secure(secure) = self {
            secure.is_held = false;
        }
        self.drive()
    }

    fn tcp_mut(&mut self) -> &mut TcpStream {
        match self {
            Stream::Plain(tcp) => tcp,
            Stream::Secure(secure) => &mut secure.tcp,
        }
    }
}

impl SecureStream {
    /// Over this connection, which may be under way.
    pub fn new(tcp: TcpStream, client: &Arc<ClientConfig>, is_held: bool) -> io::Result<SecureStream> {
        let tls = ClientConnection::new(Arc::clone(client), name()).map_err(io::Error::other)?;
        Ok(SecureStream { tcp, tls, is_held })
    }

    fn drive(&mut self) -> io::Result<()> {
        while !self.is_held && self.tls.wants_write() {
            match self.tls.write_tls(&mut self.tcp) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => drop(other?),
            }
        }
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let secure = match self {
            Stream::Plain(tcp) => return tcp.read(buffer),
            Stream::Secure(secure) => secure,
        };
        loop {
            match secure.tls.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                other => return other,
            }
            if secure.tls.read_tls(&mut secure.tcp)? == 0 {
                return Ok(0);
            }
            secure.tls.process_new_packets().map_err(io::Error::other)?;
            secure.drive()?;
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(tcp) => tcp.write(bytes),
            Stream::Secure(secure) => {
                let taken = secure.tls.writer().write(bytes)?;
                secure.drive()?;
                if taken == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(taken) }
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.drive()
    }
}

/// How clients speak TLS: with the one cipher that browsers ask for first, so that no server chooses another one than its
/// neighbours, with whole handshakes, and without asking whose certificate it is.
pub fn client() -> Arc<ClientConfig> {
    let cipher_suites = vec![ring::cipher_suite::TLS13_AES_128_GCM_SHA256];
    let provider = Arc::new(CryptoProvider { cipher_suites, ..ring::default_provider() });
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS13]).expect("the provider knows it");
    let anybody = Arc::new(Anybody(provider));
    let mut client = builder.dangerous().with_custom_certificate_verifier(anybody).with_no_client_auth();
    client.resumption = Resumption::disabled();
    Arc::new(client)
}

/// The same, where waiting is no harm.
pub fn connect(stream: std::net::TcpStream) -> io::Result<StreamOwned<ClientConnection, std::net::TcpStream>> {
    let tls = ClientConnection::new(client(), name()).map_err(io::Error::other)?;
    Ok(StreamOwned::new(tls, stream))
}

fn name() -> ServerName<'static> {
    ServerName::try_from("localhost").expect("a name")
}

/// Trusts everybody: there is only one machine, and what is measured is the server.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Files with a certificate and its key, the same for all servers: an elliptic curve, as certificates have today.
#[derive(Clone, Debug)]
pub struct Certificate {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Certificate {
    /// Makes one in this folder, with `openssl`.
    pub fn make(folder: &Path) -> io::Result<Certificate> {
        let made = Certificate { certificate: folder.join("certificate.pem"), key: folder.join("key.pem") };
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
        command.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"]);
        command.arg("-out").arg(&made.certificate).arg("-keyout").arg(&made.key);
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        if status.success() {
            Ok(made)
        } else {
            Err(io::Error::other(format!("openssl makes no certificate: {status}")))
        }
    }
}
