//! Where the demo takes place: a temporary folder, a small upstream, HAProxy with Luigi, and the command.

use crate::people::{People, Person};
use crate::{Arguments, Interrupt, Trouble};
use luigi_runtime::answer_line::Field;
use luigi_runtime::haproxy_config::{Options, PolicySource};
use luigi_tests::client::{Client, Response, request};
use luigi_tests::haproxy::{Haproxy, Place, Setup};
use luigi_tests::installation::{Release, workspace};
use luigi_tests::upstream::Upstream;
use luigi_tests::wait;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The host of the shop.
pub(crate) const HOST: &str = "shop.example.com";

/// Shows the answer that a request got, whole, in a header of its response: the demo has nothing to guess. Not for a shop on the Internet.
const SHOW_ANSWER: &str = "    http-after-response set-header x-luigi-answer %[var(txn.luigi.out)]\n";
const ANSWER_HEADER: &str = "x-luigi-answer";

/// HAProxy must not outlive the demo, however that ends, and Ctrl-C is the demo's to handle: a session of its own.
const WRAPPER: [&str; 4] = ["setpriv", "--pdeathsig=TERM", "setsid", "--"];

/// The folder with everything in it. Dropping it stops HAProxy, then removes the folder.
#[derive(Debug)]
pub(crate) struct Scene {
    haproxy: Option<Haproxy>,
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
