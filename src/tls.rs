//! The certificate by which this server shows who it is, and its key: read from files, and checked.
//!
//! How connections are encrypted with them is the affair of `reactor/net/tls.rs`.

use core::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring::{Ticketer, default_provider};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, ServerConfig};
use webpki::{EndEntityCert, KeyUsage};

/// What clients are told that is spoken on the web port (RFC 7301): no other version of HTTP is.
const HTTP: &[u8] = b"http/1.1";

/// A certificate and its key, ready to be used.
#[derive(Clone, Debug)]
pub struct ServerKeys {
    web: Arc<ServerConfig>,
    line: Arc<ServerConfig>,
    certificate: CertificateDer<'static>,
}

impl ServerKeys {
    /// Reads them from PEM files: the server's own certificate and those that lead from it to one that clients know; and
    /// the key of the first.
    ///
    /// # Errors
    /// One sentence that says which file is of no use, and what to do.
    pub fn load(certificate_file: &Path, key_file: &Path) -> Result<ServerKeys, String> {
        let chain = read_chain(certificate_file)?;
        let key = read_key(key_file)?;
        let provider = default_provider();
        let certified = CertifiedKey::from_der(chain, key, &provider).map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => format!(
                "The key in {} does not fit the first certificate in {}: name the two that were made together, with the \
                 server's own certificate before all others.",
                key_file.display(),
                certificate_file.display()
            ),
            rustls::Error::InvalidCertificate(_) => format!(
                "The first certificate in {} cannot be read as one of a server ({error}); have it made again.",
                certificate_file.display()
            ),
            _ => format!(
                "The key in {} cannot be used ({error}); have one made of RSA, ECDSA or Ed25519.",
                key_file.display()
            ),
        })?;
        let certificate = certified.cert[0].clone();
        let web = configure(certified).map_err(|error| format!("TLS cannot be set up here ({error})."))?;
        let mut line = web.clone();
        line.alpn_protocols.clear();
        Ok(ServerKeys { web: Arc::new(web), line: Arc::new(line), certificate })
    }

    /// For connections that begin with HTTP.
    pub fn web(&self) -> &Arc<ServerConfig> {
        &self.web
    }

    /// For those of terminals, which agree on no protocol.
    pub fn line(&self) -> &Arc<ServerConfig> {
        &self.line
    }

    /// What whoever runs the server should know of the certificate: clients refuse it. `None`: they have no reason that
    /// can be seen from here.
    pub fn warning(&self) -> Option<String> {
        let certificate = EndEntityCert::try_from(&self.certificate).ok()?;
        let algorithms = default_provider().signature_verification_algorithms.all;
        // When it is valid is looked at first: that nobody vouches for it here says nothing.
        let (usage, now) = (KeyUsage::server_auth(), UnixTime::now());
        let verified = certificate.verify_for_usage(algorithms, &[], &[], now, usage, None, None);
        match verified.err()? {
            webpki::Error::CertExpired { .. } => {
                Some("the certificate has expired: clients refuse it until it is renewed".to_owned())
            }
            webpki::Error::CertNotValidYet { .. } => {
                Some("the certificate is not valid yet: clients refuse it; is this machine's clock right?".to_owned())
            }
            _ => None,
        }
    }

    /// The host by which others are told to find this server: `guessed`, unless the certificate is for other names, of
    /// which it is the first then.
    pub fn host_for(&self, guessed: &str) -> Option<String> {
        let certificate = EndEntityCert::try_from(&self.certificate).ok()?;
        let address = guessed.trim_matches(['[', ']']).parse::<IpAddr>();
        let name = match address {
            Ok(address) => ServerName::from(address),
            Err(_) => ServerName::try_from(guessed).ok()?,
        };
        if certificate.verify_is_valid_for_subject_name(&name).is_ok() {
            return None;
        }
        certificate.valid_dns_names().find(|name| !name.starts_with("*.")).map(str::to_owned)
    }
}

/// TLS 1.2 and 1.3 with this certificate. Sessions are resumed by tickets, which clients keep; nothing is held here for
/// them.
fn configure(certified: CertifiedKey) -> Result<ServerConfig, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(rustls::ALL_VERSIONS)?
        .with_no_client_auth();
    let resolver = rustls::sign::SingleCertAndKey::from(certified);
    let mut config = builder.with_cert_resolver(Arc::new(resolver));
    config.alpn_protocols = vec![HTTP.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = Ticketer::new()?;
    Ok(config)
}

fn read_chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let shown = file.display();
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) | Err(pem::Error::NoItemsFound) => Err(format!(
            "There is no certificate in {shown}: name a PEM file with one, which has a line BEGIN CERTIFICATE."
        )),
        Err(pem::Error::Io(error)) => Err(format!(
            "The certificate cannot be read from {shown} ({error}): name a file that this user may read with --tls-cert."
        )),
        Err(error) => Err(format!("The certificate in {shown} is damaged ({error}): have it written again.")),
    }
}

fn read_key(file: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let shown = file.display();
    let unreadable = |error: std::io::Error| {
        format!("The key cannot be read from {shown} ({error}): name a file that this user may read with --tls-key.")
    };
    match PrivateKeyDer::from_pem_file(file) {
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) => {
            let text = std::fs::read(file).map_err(unreadable)?;
            if String::from_utf8_lossy(&text).contains("BEGIN ENCRYPTED PRIVATE KEY") {
                return Err(format!(
                    "The key in {shown} has a password: write it without one, by openssl pkey -in {shown} -out FILE."
                ));
            }
            Err(format!("There is no key in {shown}: name a PEM file with one, which has a line BEGIN PRIVATE KEY."))
        }
        Err(pem::Error::Io(error)) => Err(unreadable(error)),
        Err(error) => Err(format!("The key in {shown} is damaged ({error}): have it written again.")),
    }
}

#[cfg(test)]
pub(crate) mod tests;
