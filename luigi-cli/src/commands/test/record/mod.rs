//! `luigi test --record`: requests from logs become tests.
//!
//! Lines are read here, in the two forms that they have; which of them make a test, and what it says, is `luigi-core`'s. What is written has been
//! parsed and run before, together with the policy.

mod json_line;

use crate::args::Test;
use crate::failure::Failure;
use crate::output::{count, print};
use crate::{Found, files, load};
use luigi_core::decide::Reason;
use luigi_core::policy::{ParsedEverywhere, SourceSet, parse_for};
use luigi_core::policy_tests::record::{Asker, Observed, Recorded, Recorder, Then};
use luigi_core::policy_tests::{self, TestOutcome};
use luigi_core::snapshot::Snapshot;
use luigi_runtime::haproxy_log::{self, LoggedRequest};
use luigi_runtime::policy_files;
use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// Longer lines are cut, and then not read.
const MAX_LINE_BYTES: u64 = 1024 * 1024;

pub(super) fn run(arguments: &Test) -> Result<Found, Failure> {
    let environment = arguments.environment.as_deref();
    let (policy, parsed) = load::read(&arguments.policy, environment)?;
    let ParsedEverywhere { environments, diagnostics } = parsed;
    if environments.iter().any(|(_, parsed)| parsed.policy.is_none()) {
        return Err(load::refused(&diagnostics, &policy));
    }
    if environment.is_none() && environments.iter().any(|(name, _)| name.is_some()) {
        let names: Vec<_> = environments.iter().filter_map(|(name, _)| name.as_deref()).collect();
        let names = names.join(", ");
        return Err(Failure::usage(format!(
            "requests are recorded for one environment: --environment says which of {names}"
        )));
    }

    // A file that is no part of the policy is fine: its names are those of the policy.
    let target = arguments.to.as_deref().map(|path| Target::read(path, &arguments.policy)).transpose()?;
    let before = match &target {
        None => policy,
        Some(target) => with(&policy, target, &target.text),
    };
    let mut recorder = Recorder::new(&before, environment).map_err(Failure::Problems)?;
    let mut tally = Tally::default();
    for path in &arguments.record {
        read(path, &mut recorder, &mut tally)?;
    }

    let mut tests = recorder.written();
    let compose = |tests: &[(String, String)]| match &target {
        None => with_recorded(&before, tests),
        Some(target) => with(&before, target, &target.appended(tests)),
    };
    // What cannot be said as a test, or comes out otherwise as one, is left out: what is written passes.
    let unsaid = broken(&tests, environment, &compose)?;
    if let [first, ..] = &tests[..]
        && unsaid.len() == tests.len()
    {
        // Not one of them can be added: then the file is at fault, which may have its tests in a form that cannot be continued.
        let sources = compose(std::slice::from_ref(first));
        let parsed = parse_for(&sources, environment);
        if parsed.policy.is_none() {
            return Err(load::refused(&parsed.diagnostics, &sources));
        }
    }
    for name in &unsaid {
        // UNSHOWN: no request is known that does; nothing is written unless it passes.
        tally.refuse(&"it comes out otherwise as a test", name);
    }
    tests.retain(|(name, _)| !unsaid.contains(name));
    match &target {
        None => print(&tests.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n"))?,
        Some(target) if !tests.is_empty() => target.write(&tests)?,
        Some(_) => {}
    }
    anstream::eprint!("{}", tally.report(tests.len(), target.as_ref()));
    if let Some(target) = target.filter(|target| !tests.is_empty() && !target.is_part_of(&arguments.policy)) {
        anstream::eprintln!("note: `{}` is no part of the policy; its tests run once it is", target.path.display());
    }
    Ok(if tally.requests > 0 || tally.refused.is_empty() { Found::Fine } else { Found::Problems })
}

/// The file that tests are appended to.
struct Target<'a> {
    path: &'a Path,
    /// Its text; empty if it is not there yet.
    text: String,
    /// Its name among the sources of the policy, if it is one of them.
    source: Option<String>,
}

impl<'a> Target<'a> {
    fn read(path: &'a Path, policy: &Path) -> Result<Self, Failure> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read.map_err(|error| Failure::environment(format!("cannot read `{}`: {error}", path.display())))?,
        };
        let real = path.canonicalize().ok();
        let sources = policy_files::files(policy).map_err(Failure::environment)?;
        let own = sources.iter().find(|source| real.is_some() && source.canonicalize().ok() == real);
        Ok(Self { path, text, source: own.map(|path| path.display().to_string()) })
    }

    /// Whether the file, now that it is there, is one of the policy's.
    fn is_part_of(&self, policy: &Path) -> bool {
        let own = |path: &Path| path.canonicalize().ok();
        policy_files::files(policy).is_ok_and(|files| files.iter().any(|file| own(file) == own(self.path)))
    }

    /// The text with tests at its end.
    fn appended(&self, tests: &[(String, String)]) -> String {
        let mut text = self.text.clone();
        if text.is_empty() {
            // UNSHOWN: it stands in the file; `tests/record.rs` reads that.
            text.push_str("# Recorded by `luigi test --record`.\nschema = 1\n");
        } else if !text.ends_with('\n') {
            text.push('\n');
        }
        for (_, test) in tests {
            text.push('\n');
            text.push_str(test);
        }
        text
    }

    /// Puts the tests in, unless somebody has changed the file meanwhile.
    fn write(&self, tests: &[(String, String)]) -> Result<(), Failure> {
        let now = match fs::read_to_string(self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => {
                read.map_err(|error| Failure::environment(format!("cannot read `{}`: {error}", self.path.display())))?
            }
        };
        if now != self.text {
            // UNSHOWN: somebody must write at that moment.
            return Err(Failure::environment(format!(
                "`{}` has changed meanwhile; nothing was written",
                self.path.display()
            )));
        }
        files::replace(self.path, &self.appended(tests))
            .map_err(|error| Failure::environment(format!("cannot write `{}`: {error}", self.path.display())))
    }
}

/// The sources of a policy with another text for the target.
fn with(policy: &SourceSet, target: &Target<'_>, text: &str) -> SourceSet {
    let name = target.source.clone().unwrap_or_else(|| target.path.display().to_string());
    let mut sources = policy.clone();
    if !sources.replace(&name, text) && !text.is_empty() {
        sources.add(name, text);
    }
    sources
}

/// The sources of a policy and one more with tests.
fn with_recorded(policy: &SourceSet, tests: &[(String, String)]) -> SourceSet {
    let mut sources = policy.clone();
    let texts: Vec<&str> = tests.iter().map(|(_, text)| text.as_str()).collect();
    sources.add("(recorded)", format!("schema = 1\n{}", texts.join("\n")));
    sources
}

/// Makes the sources that a policy has with these tests, each with its name.
type Compose<'a> = dyn Fn(&[(String, String)]) -> SourceSet + 'a;

/// The names of tests that are none or do not pass.
fn broken(
    tests: &[(String, String)],
    environment: Option<&str>,
    compose: &Compose<'_>,
) -> Result<HashSet<String>, Failure> {
    let sources = compose(tests);
    let parsed = parse_for(&sources, environment);
    let Some(policy) = parsed.policy else {
        if tests.len() > 1 {
            let (first, second) = tests.split_at(tests.len() / 2);
            let mut all = broken(first, environment, compose)?;
            all.extend(broken(second, environment, compose)?);
            return Ok(all);
        }
        return match tests {
            [(name, _)] => Ok(HashSet::from([name.clone()])),
            _ => Err(load::refused(&parsed.diagnostics, &sources)),
        };
    };
    let snapshot = Snapshot::compile(policy).map_err(|error| Failure::Problems(format!("error: {error}\n")))?;
    let names: HashSet<&str> = tests.iter().map(|(name, _)| name.as_str()).collect();
    let own: Vec<_> = parsed.tests.iter().filter(|test| names.contains(test.name.as_str())).collect();
    let outcomes = policy_tests::run_each(&snapshot, own.iter().copied(), |_, _| {});
    let failed = own.iter().zip(outcomes).filter(|(_, outcome)| *outcome != TestOutcome::Passed);
    Ok(failed.map(|(test, _)| test.name.clone()).collect())
}

/// What became of lines.
#[derive(Default)]
struct Tally {
    requests: usize,
    repeated: usize,
    tested: usize,
    changed: usize,
    /// Reasons, each with how many lines have it and where the first of them is.
    refused: BTreeMap<String, (usize, String)>,
}

impl Tally {
    fn refuse(&mut self, why: &dyn ToString, place: &str) {
        self.refused.entry(why.to_string()).or_insert_with(|| (0, place.to_owned())).0 += 1;
    }

    fn report(&self, tests: usize, target: Option<&Target<'_>>) -> String {
        let place =
            target.filter(|_| tests > 0).map_or_else(String::new, |target| format!(", in `{}`", target.path.display()));
        let mut text = format!("{} from {}{place}\n", count(tests, "test"), count(self.requests, "request"));
        for (n, what) in [
            (self.repeated, "like one before"),
            (self.tested, "tested by the policy already"),
            (self.changed, "decided otherwise then, by another version of the policy"),
        ] {
            if n > 0 {
                text.push_str(&format!("  {n} {what}\n"));
            }
        }
        let mut refused: Vec<_> = self.refused.iter().collect();
        refused.sort_by_key(|(_, (n, _))| std::cmp::Reverse(*n));
        for (why, (n, first)) in refused {
            text.push_str(&format!("  {n} not usable: {why} (first: {first})\n"));
        }
        text
    }
}

/// Reads the lines of a file, or of standard input for `-`.
fn read(path: &Path, recorder: &mut Recorder, tally: &mut Tally) -> Result<(), Failure> {
    let shown = path.display();
    let fail = |error: io::Error| Failure::environment(format!("cannot read `{shown}`: {error}"));
    let mut input: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(path).map_err(fail)?))
    };
    let mut bytes = Vec::new();
    for number in 1usize.. {
        bytes.clear();
        if input.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut bytes).map_err(fail)? == 0 {
            return Ok(());
        }
        let line = String::from_utf8_lossy(&bytes);
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let place = format!("{shown}:{number}");
        let observed = if line.starts_with('{') { json_line::read(line) } else { from_log(line) };
        let observed = match observed {
            Ok(observed) => observed,
            Err(why) => {
                tally.refuse(&why, &place);
                continue;
            }
        };
        match recorder.add(&observed) {
            Ok(recorded) => {
                tally.requests += 1;
                match recorded {
                    Recorded::New { changed } => tally.changed += usize::from(changed),
                    Recorded::Repeated => tally.repeated += 1,
                    Recorded::Tested => tally.tested += 1,
                }
            }
            Err(why) => tally.refuse(&why, &place),
        }
    }
    Ok(())
}

/// A line of HAProxy's log.
fn from_log(line: &str) -> Result<Observed, String> {
    let request = haproxy_log::parse(line).map_err(|why| why.to_string())?;
    let LoggedRequest {
        source,
        frontend,
        time,
        method,
        host,
        target,
        credential,
        allowed,
        reason,
        revision,
        person,
        ..
    } = request;
    let asker = match (credential.as_str(), person) {
        ("absent", _) => Asker::Nobody,
        ("expired", _) => Asker::Expired,
        ("invalid", _) => Asker::Invalid,
        ("verified", Some((issuer, subject))) => {
            Asker::Person { issuer, subject, groups: request.groups, complete: request.groups_complete }
        }
        ("verified", None) => return Err("it does not say who asked".to_owned()),
        (other, _) => return Err(format!("a test cannot say that the credential was `{other}`")),
    };
    // In HTTP/2 the log has the whole URL.
    let target = match target.split_once("://") {
        Some((_, rest)) if !target.starts_with('/') => rest.find(['/', '?']).map_or("/", |at| &rest[at..]).to_owned(),
        _ => target,
    };
    // The log does not have the header, but this reason has one cause.
    let upgrade =
        (reason == Reason::UpgradeRefused.as_str()).then(|| vec![("upgrade".to_owned(), vec!["websocket".to_owned()])]);
    let then = Some(Then { allowed, reason: Some(reason), revision });
    Ok(Observed { method, host, target, source, time, headers: upgrade, facts: None, frontend, asker, then })
}
