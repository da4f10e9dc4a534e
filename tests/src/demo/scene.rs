//! Where the demo takes place: a temporary folder, a small upstream, HAProxy with Luigi, and the command.

use crate::people::{People, Person};
use crate::{Arguments, Interrupt, Trouble};
use luigi_runtime::answer_line::Field;
use luigi_runtime::facts::FactList;
use luigi_runtime::haproxy_config::{Options, PolicySource};
use luigi_tests::client::{Client, Response, request};
use luigi_tests::haproxy::{Haproxy, Place, Setup};
use luigi_tests::installation::{Release, workspace};
use luigi_tests::upstream::Upstream;
use luigi_tests::wait;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The host of the shop.
pub(crate) const HOST: &str = "shop.example.com";

/// Shows the answer that a request got, whole, in a header of its response: the demo has nothing to guess. Not for a shop on the Internet.
const SHOW_ANSWER: &str = "    http-after-response set-header x-luigi-answer %[var(txn.luigi.out)]\n";
const ANSWER_HEADER: &str = "x-luigi-answer";

/// HAProxy must not outlive the demo, however that ends, and Ctrl-C is the demo's to handle: a session of its own.
const WRAPPER: [&str; 4] = ["setpriv", "--pdeathsig=TERM", "setsid", "--"];

/// How `luigi serve` is configured here: everything in the folder.
const CONFIG: &str = r#"schema = 1
state = "state"
feed = { directory = "feed", key = "feed.key" }
spool = { directory = "spool" }
checkpoints = { to = ["checkpoints"], entries = 10, interval = "1s" }
http = { listen = "off" }
"#;

/// `luigi serve`, told to stop when this is dropped.
#[derive(Debug)]
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(process) = i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(process, rustix::process::Signal::TERM);
        }
        // It drains what is there; one that does not end is a defect, and not of this folder any more.
        for _ in 0..2000 {
            match self.0.try_wait() {
                Ok(None) => std::thread::sleep(std::time::Duration::from_millis(5)),
                Ok(Some(_)) | Err(_) => return,
            }
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The folder with everything in it. Dropping it stops HAProxy and the daemon, then removes the folder.
#[derive(Debug)]
pub(crate) struct Scene {
    haproxy: Option<Haproxy>,
    daemon: Option<Daemon>,
    upstream: Upstream,
    people: People,
    luigi: PathBuf,
    home: PathBuf,
    color: &'static str,
    interrupt: Interrupt,
    folder: TempDir,
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    /// Whether it succeeded.
    pub(crate) fine: bool,
    /// Its standard output and standard error.
    pub(crate) text: String,
}

impl Scene {
    /// A folder with the policy and the keys; nothing runs yet but the upstream.
    pub(crate) fn new(arguments: &Arguments, interrupt: &Interrupt, color: &'static str) -> Result<Self, Trouble> {
        for part in [&arguments.luigi, &arguments.home.join("luigi.lua")] {
            if !part.exists() {
                return Err(Trouble::failed(format_args!("there is no `{}`", part.display())));
            }
        }
        let folder = tempfile::Builder::new().prefix("luigi-demo-").tempdir().map_err(Trouble::failed)?;
        let scene = Self {
            haproxy: None,
            daemon: None,
            upstream: Upstream::start(),
            people: People::new(),
            luigi: arguments.luigi.clone(),
            home: arguments.home.clone(),
            color,
            interrupt: interrupt.clone(),
            folder,
        };
        fs::create_dir(scene.path("policy")).map_err(Trouble::failed)?;
        scene.put("corp.jwks.json", &scene.people.jwks)?;
        for person in scene.people.iter() {
            if let Some(token) = &person.token {
                scene.put(&format!("{}.token", person.name), token.as_bytes())?;
            }
        }
        scene.add_policy_file("shop.toml")?;
        Ok(scene)
    }

    /// Copies a file of examples/demo beside the others of the policy, and returns its text.
    pub(crate) fn add_policy_file(&self, name: &str) -> Result<String, Trouble> {
        let example = workspace().join("examples/demo").join(name);
        let text = fs::read_to_string(&example)
            .map_err(|error| Trouble::failed(format_args!("{}: {error}", example.display())))?;
        self.put(&format!("policy/{name}"), text.as_bytes())?;
        Ok(text)
    }

    /// Takes a file of the policy away.
    pub(crate) fn remove_policy_file(&self, name: &str) -> Result<(), Trouble> {
        fs::remove_file(self.path("policy").join(name)).map_err(Trouble::failed)
    }

    /// Writes a file in the folder.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> Result<(), Trouble> {
        fs::write(self.path(name), bytes).map_err(Trouble::failed)
    }

    /// Starts the daemon, which makes feed, spool and ledger, and waits until commands find it.
    pub(crate) fn start_daemon(&mut self) -> Result<(), Trouble> {
        self.put("luigi.toml", CONFIG.as_bytes())?;
        let log = fs::File::create(self.path("serve.log")).map_err(Trouble::failed)?;
        let child = Command::new(WRAPPER[0])
            .args(&WRAPPER[1..])
            .arg(&self.luigi)
            .args(["serve", "--config"])
            .arg(self.path("luigi.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| Trouble::failed(format_args!("`{}`: {error}", self.luigi.display())))?;
        let daemon = self.daemon.insert(Daemon(child));
        let (socket, interrupt) = (self.folder.path().join("state/control.sock"), &self.interrupt);
        let mut ended = None;
        wait::until("the daemon is up", || {
            ended = daemon.0.try_wait().ok().flatten();
            interrupt.is_set() || ended.is_some() || std::os::unix::net::UnixStream::connect(&socket).is_ok()
        });
        self.interrupt.check()?;
        match ended {
            None => Ok(()),
            Some(status) => {
                let log = fs::read_to_string(self.path("serve.log")).unwrap_or_default();
                Err(Trouble::failed(format_args!("`luigi serve` ended with {status}: {log}")))
            }
        }
    }

    /// Runs a program in the folder that has the same words on every machine.
    pub(crate) fn run(&self, program: &str, words: &[&str]) -> Result<Said, Trouble> {
        self.interrupt.check()?;
        let output = Command::new(program).current_dir(self.folder()).args(words).stdin(Stdio::null()).output();
        let output = output.map_err(|error| Trouble::failed(format_args!("`{program}`: {error}")))?;
        let text = [output.stdout, output.stderr].concat();
        Ok(Said { fine: output.status.success(), text: String::from_utf8_lossy(&text).into_owned() })
    }

    /// Starts HAProxy on the feed, which must be there.
    pub(crate) fn start_haproxy(&mut self) -> Result<(), Trouble> {
        let text = |path: PathBuf| {
            path.to_str().map(str::to_owned).ok_or_else(|| Trouble::failed("no printable temporary folder"))
        };
        let source =
            PolicySource::Feed { directory: text(self.path("feed"))?, public_key: text(self.path("feed.pub"))? };
        let mut setup = Setup {
            home: Some(self.home.clone()),
            wrapper: WRAPPER.map(str::to_owned).to_vec(),
            frontend: SHOW_ANSWER.to_owned(),
            ..Setup::new(Release::Debian12, source)
        };
        // What an operator gets who asks for nothing special.
        setup.options.headers = Options::default().headers;
        setup.options.spool = Some(text(self.path("spool"))?);
        setup.options.facts = FactList::default().with_user_agent();
        self.haproxy = Place::new(setup, self.folder(), &self.upstream).start();
        self.haproxy.as_ref().map(|_| ()).ok_or_else(|| Trouble::failed("there is no HAProxy"))
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A file in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// The people.
    pub(crate) fn people(&self) -> &People {
        &self.people
    }

    /// What stands behind HAProxy.
    pub(crate) fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// Ctrl-C.
    pub(crate) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// Where HAProxy listens.
    ///
    /// # Panics
    /// Before it is started.
    pub(crate) fn address(&self) -> SocketAddr {
        self.haproxy().address()
    }

    fn haproxy(&self) -> &Haproxy {
        self.haproxy.as_ref().expect("HAProxy was started")
    }

    /// The version of the running HAProxy, in its own words.
    pub(crate) fn haproxy_version(&self) -> String {
        let info = self.haproxy().ask("show info");
        info.lines().find_map(|line| line.strip_prefix("Version: ")).unwrap_or("of unknown version").trim().to_owned()
    }

    /// A line of HAProxy's log with these words.
    pub(crate) fn log_line(&self, words: &[&str]) -> String {
        self.haproxy().log_line(words)
    }

    /// Runs `luigi` in the folder; the words are those that the page shows, `< FILE` at the end included.
    pub(crate) fn luigi(&self, words: &[&str]) -> Result<Said, Trouble> {
        self.interrupt.check()?;
        let (words, input) = match words {
            [words @ .., "<", file] => (words, Some(self.path(file))),
            words => (words, None),
        };
        let mut command = Command::new(&self.luigi);
        command
            .current_dir(self.folder())
            .args(words.iter().map(|word| word.trim_matches('\'')))
            .args(["--color", self.color]);
        if let Some(file) = input {
            command.stdin(fs::File::open(file).map_err(Trouble::failed)?);
        }
        let output = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()
            .map_err(|error| Trouble::failed(format_args!("`{}`: {error}", self.luigi.display())))?;
        let text = [output.stdout, output.stderr].concat();
        Ok(Said { fine: output.status.success(), text: String::from_utf8_lossy(&text).into_owned() })
    }

    /// Waits until HAProxy says that a revision is in force in a mode.
    pub(crate) fn wait_for(&self, revision: &str, mode: &str) -> Result<(), Trouble> {
        self.interrupt.check()?;
        let says = |status: &str, name: &str, value: &str| {
            status.lines().any(|line| line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with(value)))
        };
        wait::until(&format!("revision {revision} is in force in {mode}"), || {
            let status = self.haproxy().ask("luigi status");
            self.interrupt.is_set() || (says(&status, "revision", revision) && says(&status, "mode", mode))
        });
        self.interrupt.check()
    }

    /// Sends one request on a connection of its own.
    pub(crate) fn send(
        &self,
        person: &Person,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Result<Response, Trouble> {
        self.interrupt.check()?;
        let authorization = person.token.as_ref().map(|token| format!("Bearer {token}"));
        let mut all: Vec<_> = authorization.iter().map(|value| ("authorization", value.as_str())).collect();
        all.extend(fields);
        Ok(Client::connect(self.address()).exchange(&request(method, path, HOST, &all)))
    }
}

/// What Luigi said about a request, from the header of its response.
#[derive(Clone, Debug)]
pub(crate) struct Answer(Vec<String>);

impl Answer {
    /// `None` if the response holds no answer.
    pub(crate) fn of(response: &Response) -> Option<Self> {
        let fields: Vec<_> = response.header(ANSWER_HEADER)?.split('|').map(str::to_owned).collect();
        (fields.len() >= Field::ALL.len()).then_some(Self(fields))
    }

    /// One field.
    pub(crate) fn field(&self, field: Field) -> &str {
        &self.0[usize::from(field.number()) - 1]
    }

    /// The decision as tests in a policy name it: `allow`, `deny`, or what would help.
    pub(crate) fn word(&self) -> &str {
        match (self.field(Field::Decision), self.field(Field::Advice)) {
            ("deny", advice) if !advice.is_empty() => advice,
            (decision, _) => decision,
        }
    }
}
