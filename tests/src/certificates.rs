//! Certificates for tests: a CA that HAProxy trusts, one that it does not, a server, clients; made by the command `openssl`. And a client that shows
//! them: the command `curl`.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder with certificates.
#[derive(Debug)]
pub struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    /// Makes a CA `ca` and a certificate for the server, in a new folder `certificates`.
    ///
    /// # Panics
    /// If `openssl` is missing or fails.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        let certificates = Self { folder: folder.join("certificates") };
        fs::create_dir(&certificates.folder).expect("a new folder");
        certificates.authority("ca");
        certificates.issue("server", "ca", "/CN=server", "DNS:app.example.com");
        certificates
    }

    /// A file of this name.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Makes a CA.
    pub fn authority(&self, name: &str) {
        let (key, certificate) = (format!("{name}.key"), format!("{name}.pem"));
        let subject = format!("/CN={name}");
        let common = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
        self.openssl(&[&common[..], &["-subj", &subject, "-keyout", &key, "-out", &certificate]].concat());
    }

    /// Makes a certificate with a key, both in `NAME.crt`, signed by a CA. `subject` is in the form of openssl, most general part first; `names` as
    /// `subjectAltName` takes them, or empty.
    pub fn issue(&self, name: &str, authority: &str, subject: &str, names: &str) {
        let [key, request, signed, extensions] = ["key", "csr", "pem", "ext"].map(|suffix| format!("{name}.{suffix}"));
        let common = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        self.openssl(&[&common[..], &["-subj", subject, "-keyout", &key, "-out", &request]].concat());
        let text = if names.is_empty() { String::new() } else { format!("subjectAltName={names}\n") };
        fs::write(self.path(&extensions), text).expect("a file in the test's folder");
        let (ca, ca_key) = (format!("{authority}.pem"), format!("{authority}.key"));
        let common = ["x509", "-req", "-days", "2", "-set_serial", "7", "-in", &request, "-extfile", &extensions];
        self.openssl(&[&common[..], &["-CA", &ca, "-CAkey", &ca_key, "-out", &signed]].concat());
        let both = [signed, key].map(|name| fs::read_to_string(self.path(&name)).expect("openssl wrote it")).concat();
        fs::write(self.path(&format!("{name}.crt")), both).expect("a file in the test's folder");
    }

    /// The SHA-256 of a certificate as `openssl x509 -fingerprint` writes it.
    #[must_use]
    pub fn fingerprint(&self, name: &str) -> String {
        let text = self.openssl(&["x509", "-noout", "-fingerprint", "-sha256", "-in", &format!("{name}.pem")]);
        text.trim().rsplit('=').next().unwrap_or_default().to_owned()
    }

    fn openssl(&self, arguments: &[&str]) -> String {
        let output =
            Command::new("openssl").args(arguments).current_dir(&self.folder).output().expect("openssl is installed");
        assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Status and body of a GET over TLS, with this client certificate if there is one. `paths` are asked one after the other, on one connection
    /// if the server keeps it.
    ///
    /// # Panics
    /// If `curl` is missing.
    #[must_use]
    pub fn get(&self, address: SocketAddr, client: Option<&str>, path: &str, headers: &[&str]) -> (u16, String) {
        let mut command = Command::new("curl");
        command.args(["--silent", "--insecure", "--max-time", "20", "--write-out", "\n%{http_code}"]);
        command.args(["--header", "host: app.example.com"]);
        if let Some(client) = client {
            command.arg("--cert").arg(self.path(&format!("{client}.crt")));
        }
        for header in headers {
            command.args(["--header", header]);
        }
        let output = command.arg(format!("https://{address}{path}")).output().expect("curl is installed");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (body, status) = text.rsplit_once('\n').unwrap_or(("", "0"));
        (status.parse().unwrap_or(0), body.to_owned())
    }
}
