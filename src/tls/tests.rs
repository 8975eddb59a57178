use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

use super::*;

/// A folder for the files of one test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        let path = std::env::temp_dir().join(format!("snugd-tls-{:016x}", rand::random::<u64>()));
        std::fs::create_dir(&path).expect("a folder");
        Folder(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.file(name), text).expect("a file can be written");
        self.file(name)
    }

    fn openssl(&self, arguments: &str) {
        let output = Command::new("openssl").args(arguments.split(' ')).current_dir(&self.0).output();
        let output = output.expect("the package openssl is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Has a certificate made of its own making, with its key.
    fn make(&self, name: &str, more: &str) -> (PathBuf, PathBuf) {
        self.openssl(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out {name}.pem -subj \
             /CN=chat.example -addext basicConstraints=critical,CA:FALSE {more}"
        ));
        (self.file(&format!("{name}.pem")), self.file(&format!("{name}.key")))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Keys for tests, for the name `chat.example`.
pub(crate) fn keys() -> ServerKeys {
    static KEYS: OnceLock<ServerKeys> = OnceLock::new();
    let make = || {
        let folder = Folder::new();
        let (certificate, key) = folder.make("server", "-days 2 -addext subjectAltName=DNS:chat.example");
        ServerKeys::load(&certificate, &key).expect("they fit")
    };
    KEYS.get_or_init(make).clone()
}

/// A client that knows them, and speaks this version.
pub(crate) fn client(version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(keys().certificate).expect("a certificate");
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider())).with_protocol_versions(&[version]);
    Arc::new(builder.expect("a version").with_root_certificates(roots).with_no_client_auth())
}

#[test]
fn files_of_no_use_are_named_with_what_to_do() {
    let folder = Folder::new();
    let (certificate, key) = folder.make("one", "-days 2");
    let (other, _) = folder.make("other", "-days 2");
    folder.openssl("pkey -in one.key -aes256 -passout pass:secret -out locked.key");
    let prose = folder.write("prose.txt", "This is no certificate.\n");
    let cut = std::fs::read_to_string(&certificate).expect("readable").replace("-----END CERTIFICATE-----", "");
    let cut = folder.write("cut.pem", &cut);
    let wrong = folder.write("wrong.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let absent = folder.file("absent");
    let shown = |file: &PathBuf| file.display().to_string();
    for (certificate, key, at_fault, says) in [
        (&absent, &key, &absent, "--tls-cert"),
        (&certificate, &absent, &absent, "--tls-key"),
        (&prose, &key, &prose, "There is no certificate"),
        (&key, &key, &key, "There is no certificate"),
        (&certificate, &certificate, &certificate, "There is no key"),
        (&certificate, &folder.file("locked.key"), &folder.file("locked.key"), "openssl pkey -in"),
        (&cut, &key, &cut, "damaged"),
        (&wrong, &key, &wrong, "made again"),
        (&other, &key, &other, "does not fit"),
    ] {
        let sentence = ServerKeys::load(certificate, key).expect_err("of no use");
        assert!(sentence.contains(&shown(at_fault)) && sentence.contains(says), "{sentence}");
        assert!(sentence.ends_with('.') && !sentence.contains('\n'), "one sentence: {sentence}");
    }
}

#[test]
fn a_certificate_and_its_key_may_share_a_file() {
    let folder = Folder::new();
    let (certificate, key) = folder.make("one", "-days 2");
    let read = |file| std::fs::read_to_string(file).expect("readable");
    let both = folder.write("both.pem", &(read(certificate) + &read(key)));
    assert_eq!(ServerKeys::load(&both, &both).expect("they fit").warning(), None);
}

#[test]
fn of_each_kind_of_key_there_is_a_certificate() {
    let folder = Folder::new();
    for (name, kind) in [("rsa", "rsa:2048"), ("ed25519", "ed25519")] {
        folder.openssl(&format!("req -x509 -newkey {kind} -nodes -keyout {name}.key -out {name}.pem -subj /CN=a"));
        ServerKeys::load(&folder.file(&format!("{name}.pem")), &folder.file(&format!("{name}.key"))).expect(name);
    }
    // As old programs write them: SEC 1 and PKCS #1.
    folder.make("ec", "-days 2");
    folder.openssl("ec -in ec.key -out sec1.key");
    folder.openssl("rsa -in rsa.key -traditional -out pkcs1.key");
    ServerKeys::load(&folder.file("ec.pem"), &folder.file("sec1.key")).expect("SEC 1");
    ServerKeys::load(&folder.file("rsa.pem"), &folder.file("pkcs1.key")).expect("PKCS #1");
}

#[test]
fn who_runs_it_is_warned_of_a_certificate_out_of_its_time() {
    let folder = Folder::new();
    folder.openssl("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout a.key -out a.csr -subj /CN=a");
    folder.write("index.txt", "");
    folder.write(
        "ca.cnf",
        "[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\nnew_certs_dir=.\npolicy=any\nrand_serial=yes\n\
         default_md=sha256\nx509_extensions=own_ext\n[own_ext]\n\
         basicConstraints=critical,CA:FALSE\n[any]\ncommonName=supplied\n",
    );
    let warning = |from: &str, until: &str| {
        folder.openssl(&format!(
            "ca -batch -selfsign -config ca.cnf -keyfile a.key -in a.csr -out a.pem -startdate {from} -enddate {until}"
        ));
        let keys = ServerKeys::load(&folder.file("a.pem"), &folder.file("a.key")).expect("they fit");
        folder.write("index.txt", "");
        keys.warning()
    };
    assert_eq!(warning("20200101000000Z", "21000101000000Z"), None);
    let expired = warning("20200101000000Z", "20210101000000Z").expect("a warning");
    assert!(expired.contains("has expired"), "{expired}");
    let early = warning("21000101000000Z", "21100101000000Z").expect("a warning");
    assert!(early.contains("clock"), "{early}");
}

#[test]
fn others_are_told_of_the_name_that_the_certificate_is_for() {
    let folder = Folder::new();
    let host_for = |name: &str, names: &str, guessed: &str| {
        let (certificate, key) = folder.make(name, &format!("-days 2 -addext subjectAltName={names}"));
        ServerKeys::load(&certificate, &key).expect("they fit").host_for(guessed)
    };
    let name = Some("chat.example".to_owned());
    assert_eq!(host_for("name", "DNS:chat.example", "192.168.1.20"), name);
    assert_eq!(host_for("wild", "DNS:*.example,DNS:chat.example", "[fd00::7]"), name);
    assert_eq!(host_for("address", "DNS:chat.example,IP:192.168.1.20", "192.168.1.20"), None, "it is for that");
    assert_eq!(host_for("ipv6", "DNS:chat.example,IP:fd00::7", "[fd00::7]"), None, "it is for that");
    assert_eq!(host_for("all", "DNS:*.example", "192.168.1.20"), None, "no certain name");
}
