//! The server over TLS: whose certificates are trusted, and what is said where one is not.

use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, ClientConnection, Error, RootCertStore, StreamOwned};

/// Who may vouch for a server.
#[derive(Clone)]
pub enum Trust {
    /// Those whom the system trusts.
    System,
    /// These certificates, and no others.
    Given(Vec<CertificateDer<'static>>),
}

impl Trust {
    /// Reads the file that was named, if one was.
    ///
    /// # Errors
    /// A sentence: there are no certificates in it.
    pub fn read(file: Option<&Path>) -> Result<Trust, String> {
        let Some(file) = file else { return Ok(Trust::System) };
        let unusable = |why: String| {
            format!("{} has no certificates to be trusted ({why}); name a PEM file with --ca.", file.display())
        };
        let bytes = std::fs::read(file).map_err(|error| unusable(error.to_string()))?;
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
        match certificates {
            Ok(certificates) if !certificates.is_empty() => Ok(Trust::Given(certificates)),
            Ok(_) => Err(unusable("none are found".to_owned())),
            Err(error) => Err(unusable(error.to_string())),
        }
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        let certificates = match self {
            Trust::Given(certificates) => certificates.clone(),
            // What cannot be read vouches for nobody.
            Trust::System => rustls_native_certs::load_native_certs().certs,
        };
        roots.add_parsable_certificates(certificates);
        roots
    }
}

/// A stream that is encrypted.
pub struct Stream<S: Read + Write>(StreamOwned<ClientConnection, S>);

impl<S: Read + Write> Stream<S> {
    /// What lies below.
    pub fn socket(&mut self) -> &mut S {
        &mut self.0.sock
    }

    /// The same over another form of what lies below.
    ///
    /// # Errors
    /// Those of the change.
    pub fn map<T: Read + Write>(self, change: impl FnOnce(S) -> io::Result<T>) -> io::Result<Stream<T>> {
        let (connection, socket) = self.0.into_parts();
        Ok(Stream(StreamOwned::new(connection, change(socket)?)))
    }
}

impl<S: Read + Write> Read for Stream<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<S: Read + Write> Write for Stream<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Encrypts a stream to a server with this name.
///
/// # Errors
/// A sentence for a person.
pub fn connect<S: Read + Write>(mut socket: S, host: &str, trust: &Trust) -> Result<Stream<S>, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| tls_failed(host, &error.to_string()))?;
    let config = config.with_root_certificates(trust.roots()).with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(|_| format!("{host:?} is no name of a server."))?;
    let connection = ClientConnection::new(Arc::new(config), name);
    let mut connection = connection.map_err(|error| tls_failed(host, &error.to_string()))?;
    while connection.is_handshaking() {
        connection.complete_io(&mut socket).map_err(|error| sentence(host, &error))?;
    }
    Ok(Stream(StreamOwned::new(connection, socket)))
}

/// What is wrong with a handshake, and what to do about it.
fn sentence(host: &str, error: &io::Error) -> String {
    let fault = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let untrusted = |why: &str, what: &str| format!("The certificate of {host} is not trusted: {why}. {what}");
    match fault {
        Some(Error::InvalidCertificate(fault)) => match fault {
            // Somebody known may bear the issuer's name by chance.
            CertificateError::UnknownIssuer
            | CertificateError::BadSignature
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => untrusted(
                "nobody whom this system knows has issued it",
                "If it is the right one, give its issuer's certificate with --ca FILE.",
            ),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                untrusted("it has expired", "Whoever runs the server has to renew it.")
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                untrusted("it is not valid yet", "Is this machine's clock right?")
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                untrusted("it is for another name", "Use the name that is in the invitation.")
            }
            other => untrusted(&other.to_string(), "Whoever runs the server has to replace it."),
        },
        Some(Error::InvalidMessage(_)) => format!("What is at {host} does not speak TLS; is it http:// there?"),
        _ if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {
            format!("{host} has closed the connection; does it speak TLS there?")
        }
        _ => tls_failed(host, &error.to_string()),
    }
}

fn tls_failed(host: &str, why: &str) -> String {
    format!("No encrypted connection to {host} comes about ({why}).")
}
