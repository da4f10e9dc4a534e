//! What Luigi costs HAProxy: processor time a request, beside a bare HAProxy, native ACLs, and our lines with a converter that does nothing.
//!
//! `make bench` builds the modules and runs it. One HAProxy for each setup runs all the time, with one thread; another one behind them answers. Rounds
//! alternate between the setups, and what counts is the processor time of the HAProxy in front, as the scheduler books it: other load on
//! the machine disturbs it little. Times are for comparing within one run, not between machines.

use luigi_bench::{AUDIENCE, ISSUER, estate};
use luigi_runtime::haproxy_config::{self, Options, PolicySource};
use luigi_tests::tokens::{RsaKey, Signer, jwks};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Rules of the policy.
const RULES: usize = 1_000;
/// Connections of the client.
const CONNECTIONS: usize = 8;

fn main() {
    let short = std::env::args().any(|argument| argument == "--test");
    let (rounds, requests) = if short { (1, 400) } else { (9, 16_000) };
    let modules = workspace().join("target/luigi");
    assert!(modules.join("lua53/luigi.so").exists(), "no modules in target/luigi: run `make modules` first");
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let site = Site::new(folder.path(), &modules);

    let upstream = site.start("upstream", "", "    http-request return status 200 content-type text/plain string ok\n");
    let mut setups = Vec::new();
    for (name, global, frontend) in site.setups() {
        let backend = format!("{frontend}    default_backend up\nbackend up\n    server up {}\n", upstream.address);
        setups.push((name, site.start(name, &global, &backend)));
    }
    let callers = [("no token", None), ("bearer token", Some(site.token.as_str()))];
    let mut cpu = vec![vec![Vec::new(); callers.len()]; setups.len()];
    for round in 0..=rounds {
        for (setup, (_, haproxy)) in setups.iter().enumerate() {
            for (caller, (_, token)) in callers.iter().enumerate() {
                let each = haproxy.measure(*token, requests);
                // The first round warms up: pages, caches, the token.
                if round > 0 {
                    cpu[setup][caller].push(each);
                }
            }
        }
    }
    report(&setups.iter().map(|(name, _)| *name).collect::<Vec<_>>(), &callers.map(|(name, _)| name), &mut cpu);
}

fn report(setups: &[&str], callers: &[&str], cpu: &mut [Vec<Vec<f64>>]) {
    println!("CPU of HAProxy a request, one thread, {RULES} rules; median (minimum) of the rounds, in microseconds");
    print!("{:<34}", "");
    callers.iter().for_each(|caller| print!("{caller:>18}{:>10}", "added"));
    println!();
    let mut bare = vec![0.0; callers.len()];
    for (setup, name) in setups.iter().enumerate() {
        print!("{name:<34}");
        for caller in 0..callers.len() {
            let times = &mut cpu[setup][caller];
            times.sort_by(f64::total_cmp);
            let (median, least) = (times[times.len() / 2], times[0]);
            if setup == 0 {
                bare[caller] = median;
            }
            print!("{:>18}{:>10}", format!("{median:.2} ({least:.2})"), format!("{:+.2}", median - bare[caller]));
        }
        println!();
    }
}

/// A folder with everything that the HAProxys read.
struct Site {
    folder: PathBuf,
    home: PathBuf,
    token: String,
}

impl Site {
    fn new(folder: &Path, modules: &Path) -> Self {
        let signer = Signer::rs256("k1", RsaKey::First);
        let now = luigi_runtime::now().unix_seconds();
        let groups: Vec<_> = (0..24).map(|n| format!("group-{n}-of-the-estate")).chain(["group-1".into()]).collect();
        let token = signer.token(&serde_json::json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": "person-7", "email": "person-7@example.com", "email_verified": true,
            "groups": groups, "iat": now, "exp": now + 86_400,
        }));
        let mut policy = estate(RULES).policy;
        policy.push_str(
            "\n[scopes.bench]\nhosts = [\"bench.example.com\"]\npaths = [\"/v1/orders/{id}\"]\nmethods = \"read\"\n\
             [[rules]]\nid = \"bench-anyone\"\neffect = \"allow\"\nscopes = [\"bench\"]\nsubject = \"anyone\"\nfrom = [\"loopback\"]\n\
             [[rules]]\nid = \"bench-members\"\neffect = \"allow\"\nscopes = [\"bench\"]\nsubject = { groups = [\"group-1\"] }\n",
        );
        let policy = policy.replace("[networks]\n", "[networks]\nloopback = [\"127.0.0.0/8\"]\n");
        std::fs::write(folder.join("policy.toml"), policy).expect("a file");
        std::fs::write(folder.join("keys.json"), jwks(&[&signer])).expect("a file");
        std::fs::write(folder.join("hosts.map"), "bench.example.com yes\nother.example.com yes\n").expect("a file");
        // The same glue with another converter: what the lines cost by themselves.
        let home = folder.join("home");
        std::fs::create_dir(&home).expect("a folder");
        std::fs::write(home.join("constant.lua"), CONSTANT).expect("a file");
        Self { folder: folder.to_owned(), home: modules.to_owned(), token }
    }

    /// Name, lines of `global`, lines of the frontend.
    fn setups(&self) -> Vec<(&'static str, String, String)> {
        let text = |path: PathBuf| path.to_str().expect("a printable path").to_owned();
        let source = PolicySource::Policy {
            path: text(self.folder.join("policy.toml")),
            environment: None,
            jwks: vec![("login".into(), text(self.folder.join("keys.json")))],
        };
        let options = Options { home: text(self.home.clone()), source, ..Options::default() };
        let load = haproxy_config::global_lines(&options).replace("LUIGI_MODE \"observe\"", "LUIGI_MODE \"enforce\"");
        let lines = haproxy_config::frontend_lines(&options);
        let constant = format!(
            "    presetenv LUIGI_HOME \"{}\"\n    setenv LUIGI_FAULTS_HOME \"{}\"\n    lua-load-per-thread {}\n",
            self.home.display(),
            luigi_tests::installation::home(luigi_tests::installation::Build::Faults).display(),
            self.folder.join("home/constant.lua").display()
        );
        // The two actions are never reached; the constant file has no use for them.
        let constant_lines: String = lines
            .lines()
            .filter(|line| !line.contains("lua.luigi_refuse") && !line.contains("lua.luigi_failed"))
            .map(|line| format!("{line}\n"))
            .collect();
        let mut acls = String::new();
        let _ = writeln!(
            acls,
            "    http-request deny unless {{ path_beg /v1/orders/ }} {{ method GET HEAD }} {{ src 127.0.0.0/8 }} {{ req.hdr(host),lower,map({}) -m found }}",
            self.folder.join("hosts.map").display()
        );
        vec![
            ("bare", String::new(), String::new()),
            ("native ACLs: path, method, src, map", String::new(), acls),
            ("our lines, constant converter", constant, constant_lines),
            ("Luigi", load, lines),
        ]
    }

    fn start(&self, name: &str, global: &str, frontend: &str) -> Haproxy {
        let address = free_address();
        let file = self.folder.join(format!("{}.cfg", name.replace([' ', ':', ','], "-")));
        let configuration = format!(
            "global\n    nbthread 1\n{global}\ndefaults\n    mode http\n    timeout connect 5s\n    timeout client 60s\n    timeout server 60s\n\
             frontend www\n    bind {address}\n{frontend}"
        );
        std::fs::write(&file, configuration).expect("a file");
        let child = Command::new("/usr/sbin/haproxy").arg("-db").arg("-f").arg(&file).stdin(Stdio::null()).spawn();
        let haproxy = Haproxy { address, child: child.expect("HAProxy can be started") };
        let end = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < end, "`{name}` does not come up");
            std::thread::sleep(Duration::from_millis(10));
        }
        haproxy
    }
}

/// A converter that gives the same answer to everything: a C function like Luigi's, from a module built with `faults`.
const CONSTANT: &str = r#"
local folder = _VERSION == "Lua 5.3" and "lua53" or "lua54"
local home = os.getenv("LUIGI_FAULTS_HOME")
core.register_converters("luigi", package.loadlib(home .. "/" .. folder .. "/luigi.so", "luaopen_luigi")().constant)
"#;

struct Haproxy {
    address: SocketAddr,
    child: Child,
}

impl Haproxy {
    /// Sends requests over several connections; the processor time of each, in microseconds.
    fn measure(&self, token: Option<&str>, requests: usize) -> f64 {
        let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        let request = format!(
            "GET /v1/orders/8f7e0c52-1f7c-4b7e-9d0e-0d4f1c2a7b11?page=2&sort=asc HTTP/1.1\r\nhost: bench.example.com\r\n\
             user-agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\naccept: application/json\r\n\
             accept-language: en-US,en;q=0.5\r\naccept-encoding: gzip, deflate, br\r\nx-request-id: 4bf92f3577b34da6a3ce929d0e0e4736\r\n\
             {authorization}\r\n"
        );
        let mut connections: Vec<_> =
            (0..CONNECTIONS).map(|_| TcpStream::connect(self.address).expect("HAProxy listens")).collect();
        let mut buffer = [0; 4096];
        let before = self.cpu_nanoseconds();
        for _ in 0..requests / CONNECTIONS {
            for connection in &mut connections {
                connection.write_all(request.as_bytes()).expect("HAProxy reads");
            }
            for connection in &mut connections {
                let mut read = 0;
                while !buffer[..read].ends_with(b"\r\n\r\nok") {
                    let more = connection.read(&mut buffer[read..]).expect("HAProxy answers");
                    assert!(more > 0, "not what was asked for: {}", String::from_utf8_lossy(&buffer[..read]));
                    read += more;
                }
                assert!(buffer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&buffer[..read]));
            }
        }
        let spent = self.cpu_nanoseconds() - before;
        #[allow(clippy::cast_precision_loss, reason = "a figure for people")]
        let each = spent as f64 / (requests / CONNECTIONS * CONNECTIONS) as f64 / 1e3;
        each
    }

    /// What the scheduler has booked for the process so far.
    fn cpu_nanoseconds(&self) -> u64 {
        let file = format!("/proc/{}/schedstat", self.child.id());
        let text = std::fs::read_to_string(file).expect("Linux keeps scheduler statistics");
        text.split(' ').next().and_then(|field| field.parse().ok()).expect("a number first")
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a listener has an address")
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_owned()
}
