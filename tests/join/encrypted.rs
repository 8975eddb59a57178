//! The client over TLS, with certificates by the real `openssl`.

use std::path::PathBuf;
use std::process::Command;

use crate::scripts::start;
use crate::support::server::command;
use crate::support::{Server, find_program};

struct Certificate {
    folder: PathBuf,
}

impl Certificate {
    /// One that vouches for itself, for `localhost`.
    fn new(called: &str) -> Certificate {
        let folder = std::env::temp_dir().join(format!("snugd-join-{called}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let openssl = find_program(&["openssl"], "openssl");
        let arguments = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
                         -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE \
                         -keyout key.pem -out cert.pem";
        let made = Command::new(openssl).args(arguments.split_whitespace()).current_dir(&folder).output();
        let made = made.expect("it can be started");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Certificate { folder }
    }

    fn path(&self, file: &str) -> String {
        self.folder.join(file).to_str().expect("a path in UTF-8").to_owned()
    }

    fn server(&self) -> Server {
        let mut command = command();
        command.args(["--listen", "127.0.0.1:0", "--line-listen", "127.0.0.1:0"]);
        command.args(["--tls-cert", &self.path("cert.pem"), "--tls-key", &self.path("key.pem")]);
        Server::run(command)
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn an_encrypted_server_is_joined_and_plain_http_is_led_there() {
    let certificate = Certificate::new("trusted");
    let server = certificate.server();
    let ca = certificate.path("cert.pem");
    for scheme in ["https", "http"] {
        let address = format!("{scheme}://localhost:{}/", server.web.port());
        let mut client = start(&[&address, "new", "--name", "bot", "--ca", &ca, "--json"]);
        client.write(&"long ".repeat(500));
        client.write("\nshort\n");
        client.end();
        let (status, lines, errors) = client.wait();
        assert_eq!((status, errors.as_str()), (0, ""), "{scheme}: {lines:?}");
        assert!(lines.iter().any(|line| line.contains("\"text\":\"short\"")), "{lines:?}");
    }
}

#[test]
fn a_certificate_that_is_not_trusted_is_told() {
    let certificate = Certificate::new("untrusted");
    let other = Certificate::new("other");
    let server = certificate.server();
    let port = server.web.port();
    let refused = |host: &str, ca: Option<&str>| {
        let address = format!("https://{host}:{port}/KXQT");
        let arguments = [&[&*address, "--name", "bot"], &ca.map_or(vec![], |ca| vec!["--ca", ca])[..]].concat();
        let (status, _, errors) = start(&arguments).wait();
        assert_eq!(status, 1, "{errors}");
        errors
    };
    let (own, other) = (certificate.path("cert.pem"), other.path("cert.pem"));
    for ca in [None, Some(other.as_str())] {
        let errors = refused("localhost", ca);
        assert!(errors.contains("is not trusted") && errors.contains("--ca FILE"), "{errors}");
    }
    let errors = refused("127.0.0.1", Some(&own));
    assert!(errors.contains("it is for another name"), "{errors}");
    let (status, _, errors) =
        start(&["https://localhost/KXQT", "--name", "bot", "--ca", &certificate.path("key.pem")]).wait();
    assert_eq!(status, 4, "{errors}");
    let plain = Server::start();
    let address = format!("https://localhost:{}/KXQT", plain.web.port());
    let (status, _, errors) = start(&[&address, "--name", "bot"]).wait();
    assert_eq!(status, 1);
    assert!(errors.contains("TLS"), "{errors}");
}
