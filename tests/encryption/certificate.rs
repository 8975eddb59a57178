//! A certificate for the tests, and whoever vouches for it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::support::find_program;
use crate::support::program::run_to_end;

/// The host that it is for, beside `localhost` and 127.0.0.1.
pub const HOST: &str = "chat.example";

/// Runs `openssl` in a folder.
pub fn openssl(folder: &Path, arguments: &str) {
    let mut openssl = Command::new(find_program(&["openssl"], "openssl"));
    run_to_end(openssl.args(arguments.split_whitespace()).current_dir(folder).stderr(Stdio::null()), "");
}

/// A folder for the files of this run alone.
pub fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("encryption-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("there is a folder for tests");
    folder
}

fn made() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = folder("certificate");
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        openssl(
            &folder,
            &format!("req -x509 {key} -keyout authority.key -out authority.pem -days 2 -subj /CN=authority"),
        );
        openssl(&folder, &format!("req {key} -keyout server.key -out server.csr -subj /CN={HOST}"));
        let names =
            format!("subjectAltName=DNS:{HOST},DNS:localhost,IP:127.0.0.1\nbasicConstraints=critical,CA:FALSE\n");
        std::fs::write(folder.join("names"), names).expect("a file can be written");
        openssl(
            &folder,
            "x509 -req -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 -extfile names \
             -out server.pem",
        );
        folder
    })
}

/// The server's certificate and key.
pub fn certificate() -> (PathBuf, PathBuf) {
    (made().join("server.pem"), made().join("server.key"))
}

/// The certificate of whoever vouches for the server.
pub fn authority() -> PathBuf {
    made().join("authority.pem")
}
