//! A real HAProxy, started from a generated configuration in a folder of its own and stopped by the identifier of the process that was started.

use crate::installation::{Build, Release, home};
use crate::upstream::Upstream;
use crate::wait;
use luigi_runtime::haproxy_config::{self, IdentityHeader, Options, PolicySource};
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How a HAProxy is to run. The fields that a test does not care about come from [`Setup::new`].
#[derive(Clone, Debug)]
pub struct Setup {
    /// Which HAProxy.
    pub release: Release,
    /// Which build of the module.
    pub build: Build,
    /// An installation to use instead of that build.
    pub home: Option<PathBuf>,
    /// What `luigi haproxy-config` prints the lines for.
    pub options: Options,
    /// `nbthread`.
    pub threads: u32,
    /// How the glue is loaded.
    pub loading: Loading,
    /// How Luigi's lines get into the configuration.
    pub integration: Integration,
    /// Whether a master process looks after the worker (`-W`), which a reload needs.
    pub process: Process,
    /// Further lines of `global`: `chroot`, `user`, `tune.bufsize` ...
    pub global: String,
    /// Further lines of the frontend, before Luigi's.
    pub frontend: String,
    /// Further sections, after the frontend and its backend.
    pub sections: String,
    /// Further environment of the process.
    pub environment: Vec<(String, String)>,
    /// Words before the command: `unshare --mount ...`.
    pub wrapper: Vec<String>,
}

/// How HAProxy loads the glue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loading {
    /// `lua-load-per-thread`: one Lua state for each thread.
    PerThread,
    /// `lua-load`: one Lua state behind one lock.
    Shared,
}

/// How Luigi's lines get into the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integration {
    /// Pasted into `global` and the frontend.
    Pasted,
    /// As a file of their own, with the named `defaults` section that the frontend refers to.
    Defaults,
}

/// Whether there is a master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// One process, in the foreground.
    Single,
    /// A master and its worker, in the foreground.
    MasterWorker,
}

impl Setup {
    /// Two threads, one process, loaded per thread, every header for the backend.
    #[must_use]
    pub fn new(release: Release, source: PolicySource) -> Self {
        let headers = IdentityHeader::ALL.to_vec();
        Self {
            release,
            build: Build::Plain,
            home: None,
            options: Options { source, headers, ..Options::default() },
            threads: 2,
            loading: Loading::PerThread,
            integration: Integration::Pasted,
            process: Process::Single,
            global: String::new(),
            frontend: String::new(),
            sections: String::new(),
            environment: Vec::new(),
            wrapper: Vec::new(),
        }
    }
}

/// The log in HAProxy's memory.
const RING: &str = "log";

/// A place for one HAProxy: folder, addresses, configuration. Nothing runs yet.
#[derive(Debug)]
pub struct Place {
    setup: Setup,
    folder: PathBuf,
    address: SocketAddr,
}

impl Place {
    /// Writes the configuration into `folder`.
    ///
    /// # Panics
    /// If it cannot be written.
    #[must_use]
    pub fn new(mut setup: Setup, folder: &Path, upstream: &Upstream) -> Self {
        let home = setup.home.clone().unwrap_or_else(|| home(setup.build));
        setup.options.home = home.into_os_string().into_string().expect("the target folder's name is text");
        let place = Self { setup, folder: folder.to_owned(), address: unused_address() };
        for (file, text) in place.configuration_files().into_iter().zip(place.configuration(upstream)) {
            fs::write(file, text).expect("a file in the test's folder");
        }
        place
    }

    /// Where the frontend will listen for HTTP/1.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn configuration_files(&self) -> Vec<PathBuf> {
        let names: &[&str] = match self.setup.integration {
            Integration::Pasted => &["haproxy.cfg"],
            Integration::Defaults => &["threads.cfg", "luigi.cfg", "haproxy.cfg"],
        };
        names.iter().map(|name| self.folder.join(name)).collect()
    }

    /// The text of each file of the configuration.
    fn configuration(&self, upstream: &Upstream) -> Vec<String> {
        let Setup { options, threads, global, frontend, sections, loading, integration, .. } = &self.setup;
        let load = |text: String| match loading {
            Loading::PerThread => text,
            Loading::Shared => text.replace("lua-load-per-thread", "lua-load"),
        };
        let (folder, address, http2, upstream) =
            (self.folder.display(), self.address, http2_address(self.address), upstream.address());
        // HAProxy 3.0 wants `nbthread` before any section but `global`, and Luigi's file has one.
        let threads = format!("    nbthread {threads}\n");
        let (files, first, global_lines, from, frontend_lines) = match integration {
            Integration::Pasted => {
                let log = format!("    log-format \"{}\"\n", haproxy_config::LOG_FORMAT);
                let lines = log + &haproxy_config::frontend_lines(options);
                (Vec::new(), threads, load(haproxy_config::global_lines(options)), "", lines)
            }
            Integration::Defaults => {
                let files = vec![format!("global\n{threads}"), load(haproxy_config::defaults_file(options))];
                (files, String::new(), String::new(), " from luigi", String::new())
            }
        };
        let own = format!(
            "global\n{first}    stats socket {folder}/stats.sock mode 600 level admin expose-fd listeners\n    \
                 log stdout format raw local0\n    log ring@{RING} len 8192 format raw local0\n    hard-stop-after 10s\n{global}\n{global_lines}\n\
             ring {RING}\n    maxlen 8192\n    size 1048576\n\n\
             defaults\n    mode http\n    log global\n    timeout connect 10s\n    timeout client 30s\n    timeout server 30s\n\n\
             frontend www{from}\n    log global\n    bind {address}\n    bind {http2} proto h2\n    \
                 bind unix@{folder}/www.sock mode 666\n{frontend}\n{frontend_lines}    default_backend echo\n\n\
             backend echo\n{backend}    server upstream {upstream}\n\n{sections}\n",
            backend = haproxy_config::backend_lines(),
        );
        files.into_iter().chain([own]).collect()
    }

    fn command(&self, arguments: &[&str]) -> Option<Command> {
        let program = self.setup.release.command()?;
        let mut words: Vec<PathBuf> = self.setup.wrapper.iter().map(PathBuf::from).collect();
        words.push(program);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(arguments);
        for file in self.configuration_files() {
            command.arg("-f").arg(file);
        }
        // Where the tests run must not matter: what is not set here is not there.
        for name in [
            "LUIGI_HOME",
            "LUIGI_FEED",
            "LUIGI_PUBLIC_KEY",
            "LUIGI_POLICY",
            "LUIGI_ENVIRONMENT",
            "LUIGI_JWKS",
            "LUIGI_MODE",
            "LUIGI_FACTS",
            "LUIGI_SPOOL",
            "LUIGI_SPOOL_LIMIT",
            "LUIGI_NODE",
            "LUIGI_STALE_AFTER",
        ] {
            command.env_remove(name);
        }
        command.env_remove("RUST_BACKTRACE");
        command.envs(self.setup.environment.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
        Some(command)
    }

    /// Lets HAProxy check its configuration (`haproxy -c`); `None` if there is no such HAProxy here.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn check(&self) -> Option<Output> {
        Some(self.command(&["-c"])?.output().expect("HAProxy can be started"))
    }

    /// Starts HAProxy and waits until it answers on its stats socket; `None` if there is no such HAProxy here.
    ///
    /// # Panics
    /// If it does not come up; the message holds what it logged.
    #[must_use]
    pub fn start(self) -> Option<Haproxy> {
        let arguments: &[&str] = match self.setup.process {
            Process::Single => &["-db"],
            Process::MasterWorker => &["-W"],
        };
        let log = fs::File::create(self.folder.join("log")).expect("a file in the test's folder");
        let errors = log.try_clone().expect("a descriptor more");
        let child = self.command(arguments)?.stdout(log).stderr(errors).spawn().expect("HAProxy can be started");
        let mut haproxy = Haproxy { place: self, child };
        haproxy.wait_until_up();
        Some(haproxy)
    }
}

/// An address that no other test uses: all of 127.0.0.0/8 is this machine, so the process picks the address and a counter the port.
fn unused_address() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let [_, a, b, c] = std::process::id().to_be_bytes();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let port = u16::try_from(10_000 + number * 2).expect("a test process starts few HAProxys");
    SocketAddr::from((Ipv4Addr::new(127, a.max(1), b, c), port))
}

fn http2_address(http1: SocketAddr) -> SocketAddr {
    SocketAddr::new(http1.ip(), http1.port() + 1)
}

/// A running HAProxy; it is stopped when this is dropped.
#[derive(Debug)]
pub struct Haproxy {
    place: Place,
    child: Child,
}

impl Haproxy {
    fn wait_until_up(&mut self) {
        wait::until("HAProxy is up", || {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("HAProxy ended with {status}:\n{}", self.log());
            }
            self.try_ask("show info").is_some()
        });
    }

    /// Where the frontend listens for HTTP/1.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.place.address
    }

    /// Where the frontend listens for HTTP/2 without TLS.
    #[must_use]
    pub fn http2_address(&self) -> SocketAddr {
        http2_address(self.place.address)
    }

    /// The Unix socket of the frontend: a peer without an address.
    #[must_use]
    pub fn unix_socket(&self) -> PathBuf {
        self.place.folder.join("www.sock")
    }

    /// The folder of this HAProxy.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.place.folder
    }

    /// Everything it has logged so far, to the standard output or error; of old workers, too. HAProxy drops lines of it while
    /// another thread is writing: what must be there is looked for with [`Haproxy::log_line`].
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.place.folder.join("log")).unwrap_or_default()).into_owned()
    }

    /// What the process that answers now has logged, without gaps.
    fn ring(&self) -> String {
        self.try_ask(format!("show events {RING}")).unwrap_or_default()
    }

    /// Waits for a line of the log that holds all of these words.
    ///
    /// # Panics
    /// If it does not come.
    #[must_use]
    pub fn log_line(&self, words: &[&str]) -> String {
        wait::for_some(&format!("a line of the log with {words:?}"), || {
            let log = self.ring() + &self.log();
            log.lines().find(|line| words.iter().all(|word| line.contains(word))).map(str::to_owned)
        })
    }

    /// Sends a command to the stats socket.
    ///
    /// # Panics
    /// If nobody answers there.
    #[must_use]
    pub fn ask(&self, command: impl AsRef<[u8]>) -> String {
        let command = command.as_ref();
        self.try_ask(command)
            .unwrap_or_else(|| panic!("no answer to {}; the log:\n{}", command.escape_ascii(), self.log()))
    }

    fn try_ask(&self, command: impl AsRef<[u8]>) -> Option<String> {
        let mut socket = UnixStream::connect(self.place.folder.join("stats.sock")).ok()?;
        socket.set_read_timeout(Some(wait::PATIENCE)).ok()?;
        socket.write_all(&[command.as_ref(), b"\n"].concat()).ok()?;
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).ok()?;
        (!answer.is_empty()).then(|| String::from_utf8_lossy(&answer).into_owned())
    }

    /// Waits until `luigi status` holds this text, and returns the status.
    ///
    /// # Panics
    /// If it never does.
    pub fn status_with(&self, text: &str) -> String {
        wait::for_some(&format!("`{text}` in `luigi status`"), || {
            self.try_ask("luigi status").filter(|status| status.contains(text))
        })
    }

    /// The identifier of the process that answers requests: the worker's, if there is a master.
    #[must_use]
    pub fn worker(&self) -> u32 {
        wait::for_some("the worker's process identifier", || {
            let info = self.try_ask("show info")?;
            info.lines().find_map(|line| line.strip_prefix("Pid: ")?.trim().parse().ok())
        })
    }

    /// Reloads: the master starts a new worker, the old one finishes its connections. Returns when the new one answers.
    ///
    /// # Panics
    /// If there is no master, or no new worker comes.
    pub fn reload(&self) {
        assert_eq!(self.place.setup.process, Process::MasterWorker, "only a master can reload");
        let before = self.worker();
        // A master that has just forked its worker starts itself anew and loses signals until it is through: tell it until it says so.
        let announced = || self.log().matches("Reloading HAProxy").count();
        let (reloads, mut told) = (announced(), None::<Instant>);
        wait::until("the master reloads", || {
            if told.is_none_or(|at| at.elapsed() > Duration::from_millis(500)) {
                self.signal(rustix::process::Signal::USR2);
                told = Some(Instant::now());
            }
            announced() > reloads
        });
        wait::until("a new worker answers", || self.worker() != before);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.expect("a process has an identifier"), signal).expect("our own process");
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.signal(rustix::process::Signal::TERM);
        }
        // A HAProxy that ignores the signal would hang the test forever: the child's own handle ends it then.
        for _ in 0..1000 {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(5)),
                Ok(Some(_)) | Err(_) => break,
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the log of HAProxy:\n{}", self.log());
        }
    }
}
