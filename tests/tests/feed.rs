//! From `apply` through the feed into an engine: what is taken, what is refused and why, and what stays in force.

use luigi_runtime::facts::MoreFacts;
use luigi_runtime::feed::{Digest, FileKind, MANIFEST_NAME};
use luigi_runtime::{Engine, EngineConfig, Facts, FeedConfig, Mode, Outcome, PollEvent};
use luigi_tests::feed::{Feed, numbered_policy};
use luigi_tests::tokens::Signer;
use luigi_tests::wait;
use luigi_workflow::apply::{ApplyErrorKind, ApplyRequest, OnOtherEnvironment, apply};
use ring::signature::Ed25519KeyPair;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

const OPEN: Facts<'_> = Facts {
    method: b"GET",
    target: b"/open",
    host: Some(b"app.example.com"),
    host_count: 1,
    source: Some(b"203.0.113.9"),
    authorization: None,
    authorization_count: 0,
    upgrade_count: Some(0),
    more: MoreFacts::NONE,
    source_of_more: None,
};

const CLOSED: Facts<'_> = Facts { target: b"/closed", ..OPEN };

/// The number that the policy in force says, in both places.
fn number(engine: &Engine) -> u64 {
    let mut context = engine.context();
    let answer = context.evaluate(&OPEN, luigi_runtime::now());
    let number = |name: Option<&str>| name.unwrap().rsplit('-').next().unwrap().parse::<u64>().unwrap();
    let (rule, watched) = (number(answer.rule_name()), number(answer.candidate_rule_name()));
    assert_eq!(rule, watched);
    rule
}

fn refused(engine: &Engine) -> String {
    match engine.poll_until_idle() {
        Some(PollEvent::Refused { why }) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_applied_is_in_force_after_a_poll() {
    let feed = Feed::new();
    let first = feed.apply(&numbered_policy(1)).unwrap();
    assert_eq!((first.generation, first.mode, &first.previous_revision), (1, Mode::Observe, &None));
    assert!(first.key_is_new);
    let engine = feed.engine().unwrap();
    assert_eq!((number(&engine), engine.version().generation()), (1, 1));
    assert_eq!(engine.version().revision(), first.revision);
    assert_eq!(engine.poll_until_idle(), None, "nothing is new");

    let second = feed.apply(&numbered_policy(2)).unwrap();
    assert_eq!((second.generation, second.previous_revision), (2, Some(first.revision)));
    assert!(!second.key_is_new);
    assert_eq!(number(&engine), 1, "nothing happens without a poll");
    let event =
        PollEvent::Published { revision: second.revision, generation: 2, mode: Mode::Observe, environment: None };
    assert_eq!(engine.poll_until_idle(), Some(event));
    assert_eq!(number(&engine), 2);
    assert_eq!(engine.status().refusal, None);
}

#[test]
fn the_mode_is_kept_and_flips_without_reading_the_policy_again() {
    let feed = Feed::new();
    feed.apply(&numbered_policy(1)).unwrap();
    let engine = feed.engine().unwrap();
    let mut context = engine.context();
    let outcome = |context: &mut luigi_runtime::Context| context.evaluate(&CLOSED, luigi_runtime::now()).outcome();
    assert_eq!(outcome(&mut context), Outcome::Pass);

    let before = engine.version();
    feed.apply_in(&numbered_policy(1), Mode::Enforce).unwrap();
    assert!(engine.poll_until_idle().is_some());
    assert!(std::ptr::eq(before.snapshot(), engine.version().snapshot()), "the policy in memory is taken over");
    assert!(std::sync::Arc::ptr_eq(before.trust(), engine.version().trust()));
    assert_eq!(outcome(&mut context), Outcome::Refuse);

    assert_eq!(feed.apply(&numbered_policy(2)).unwrap().mode, Mode::Enforce, "kept");
    assert!(engine.poll_until_idle().is_some());
    assert_eq!(outcome(&mut context), Outcome::Refuse);
    let counters = engine.status().counters;
    assert_eq!((counters.passed, counters.refused, counters.would_be_refused), (1, 2, 1));
    assert_eq!(counters.decisions["no-rule-allows"], 3);
}

#[test]
fn a_newer_version_that_is_not_sound_is_refused_and_the_last_good_one_stays() {
    let feed = Feed::new();
    feed.apply(&numbered_policy(1)).unwrap();
    feed.apply(&numbered_policy(2)).unwrap();
    let engine = feed.engine().unwrap();
    let good = fs::read(feed.feed().join(MANIFEST_NAME)).unwrap();
    let policy = feed.manifest().policy;
    let check = |says: &str| {
        let why = refused(&engine);
        assert!(why.contains(says), "{why:?} does not say {says:?}");
        assert_eq!(engine.poll_until_idle(), None, "told once: {why}");
        let refusal = engine.status().refusal.expect("it stands");
        assert_eq!(refusal.why, why);
        assert!(engine.status().to_text().contains(&why));
        assert_eq!((number(&engine), engine.version().generation()), (2, 2));
    };
    // The test writes files of its own into the feed, as a damaged disk or an attacker might.
    let put = |bytes: &[u8], kind: FileKind| {
        let digest = Digest::of(bytes);
        fs::write(feed.feed().join(digest.file_name(kind)), bytes).unwrap();
        digest
    };

    feed.change_manifest(|m| m.generation = 1);
    check("generation 1 is older than 2");
    feed.put_manifest(&good);
    feed.change_manifest(|m| m.epoch -= 1);
    check("is older than");
    feed.put_manifest(&good);
    feed.change_manifest(|m| m.mode = Mode::Enforce);
    check("generation 2 has another content");
    feed.put_manifest(&good);
    feed.change_manifest(|m| m.heartbeat = m.heartbeat.plus_seconds(-1));
    check("the heartbeat goes back");
    feed.put_manifest(&[good.as_slice(), b" "].concat());
    check("the signature of the manifest does not verify");
    let stranger = Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap();
    feed.put_manifest(&feed_manifest_of(&feed, &good).sign(&stranger));
    check("the one that is trusted is");
    feed.put_manifest(b"");
    check("not a manifest");

    feed.put_manifest(&good);
    feed.change_manifest(|m| {
        m.generation = 3;
        m.policy.sha256 = Digest::of(b"never written");
    });
    check("No such file");
    feed.put_manifest(&good);
    let garbage = put(&vec![7; usize::try_from(policy.bytes).unwrap()], FileKind::Policy);
    feed.change_manifest(|m| {
        m.generation = 3;
        m.policy.sha256 = garbage;
    });
    check("not a compiled policy");
    feed.put_manifest(&good);
    let whole = fs::read(feed.feed().join(policy.sha256.file_name(FileKind::Policy))).unwrap();
    let cut = &whole[..whole.len() - 9];
    let digest = put(cut, FileKind::Policy);
    feed.change_manifest(|m| {
        m.generation = 3;
        (m.policy.sha256, m.policy.bytes) = (digest, cut.len() as u64);
    });
    check("damaged or cut off");
    feed.put_manifest(&good);
    let keys = put(b"{}", FileKind::Keys);
    feed.change_manifest(|m| {
        m.generation = 3;
        m.keys.insert("corp".to_owned(), luigi_runtime::feed::FileEntry { sha256: keys, bytes: 2 });
    });
    check("the keys of issuer `corp`");
    fs::remove_file(feed.feed().join(MANIFEST_NAME)).unwrap();
    check("the manifest cannot be read");
    fs::create_dir(feed.feed().join(MANIFEST_NAME)).unwrap();
    check("not a regular file");
    fs::remove_dir(feed.feed().join(MANIFEST_NAME)).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        feed.feed().join(MANIFEST_NAME),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    assert_eq!(engine.poll_until_idle(), None, "a FIFO is no regular file either, and was told");
    fs::remove_file(feed.feed().join(MANIFEST_NAME)).unwrap();

    feed.put_manifest(&good);
    assert_eq!(engine.poll_until_idle(), None);
    assert_eq!(engine.status().refusal, None, "what is in force is in the feed again");
    feed.apply(&numbered_policy(3)).unwrap();
    assert!(engine.poll_until_idle().is_some());
    assert_eq!(number(&engine), 3);
}

fn feed_manifest_of(feed: &Feed, bytes: &[u8]) -> luigi_runtime::feed::Manifest {
    feed.put_manifest(bytes);
    feed.manifest()
}

#[test]
fn a_damaged_file_is_refused_when_it_is_needed() {
    let feed = Feed::new();
    feed.apply(&numbered_policy(1)).unwrap();
    let engine = feed.engine().unwrap();
    feed.apply(&numbered_policy(2)).unwrap();
    let path = feed.feed().join(feed.manifest().policy.sha256.file_name(FileKind::Policy));
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert!(refused(&engine).contains("is damaged"));
    assert_eq!(number(&engine), 1);
    assert!(feed.engine().unwrap_err().to_string().contains("is damaged"), "and nothing new starts on it");
    feed.apply(&numbered_policy(2)).unwrap();
    assert!(engine.poll_until_idle().is_some(), "applying again repairs it");
    assert_eq!(number(&engine), 2);
}

#[test]
fn a_file_that_is_still_on_its_way_is_waited_for() {
    let feed = Feed::new();
    feed.apply(&numbered_policy(1)).unwrap();
    let engine = feed.engine().unwrap();
    feed.apply(&numbered_policy(2)).unwrap();
    let path = feed.feed().join(feed.manifest().policy.sha256.file_name(FileKind::Policy));
    let bytes = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(refused(&engine).contains("cannot be read"));
    fs::write(&path, &bytes[..9]).unwrap();
    assert!(refused(&engine).contains("has 9 bytes"));
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(engine.poll_until_idle(), Some(PollEvent::Published { generation: 2, .. })));
    assert_eq!(engine.status().refusal, None);
}

#[test]
fn a_writer_that_falls_silent_is_told_once_and_so_is_its_return() {
    let feed = Feed::new();
    feed.apply(&numbered_policy(1)).unwrap();
    // Applied by a command, long ago: nobody has to be heard of.
    feed.change_manifest(|m| {
        m.published_at = m.published_at.plus_seconds(-500);
        m.heartbeat = m.published_at;
    });
    let engine = feed.engine().unwrap();
    assert_eq!((engine.poll_until_idle(), engine.status().stale), (None, false));
    // A daemon took it over, and is gone.
    feed.change_manifest(|m| m.heartbeat = m.published_at.plus_seconds(400));
    let told = engine.poll_until_idle();
    assert!(matches!(told, Some(PollEvent::Stale { seconds: 100.. })), "{told:?}");
    let status = engine.status();
    assert!(status.stale && status.to_text().contains(", stale: its writer is silent"), "{}", status.to_text());
    assert_eq!(engine.poll_until_idle(), None, "told once");
    feed.change_manifest(|m| m.heartbeat = m.published_at.plus_seconds(500));
    assert_eq!((engine.poll_until_idle(), engine.status().stale), (Some(PollEvent::Alive), false));
}

/// As after a clock was set back by an hour: however long a heartbeat is still to come, a writer that does not move it is gone.
#[test]
fn a_heartbeat_that_is_ahead_of_the_clock_keeps_nobody_alive() {
    let feed = Feed::new();
    feed.apply(&numbered_policy(1)).unwrap();
    feed.change_manifest(|m| m.heartbeat = m.published_at.plus_seconds(3600));
    let EngineConfig::Feed(config) = feed.config() else { panic!("a feed") };
    let engine =
        Engine::open(&EngineConfig::Feed(FeedConfig { stale_after: Duration::from_secs(1), ..config })).unwrap();
    let text = engine.status().to_text();
    assert!(text.contains(" s ahead of this clock\n"), "{text}");
    let stale = || matches!(engine.poll_until_idle(), Some(PollEvent::Stale { seconds: 1.. }));
    wait::until("the writer is missed", stale);
    feed.change_manifest(|m| m.heartbeat = m.heartbeat.plus_seconds(1));
    assert_eq!(engine.poll_until_idle(), Some(PollEvent::Alive));
    wait::until("the writer is missed again", stale);
    // Another generation alone is not from a writer that lives.
    feed.change_manifest(|m| m.generation += 1);
    assert!(matches!(engine.poll_until_idle(), Some(PollEvent::Published { .. })));
    assert!(engine.status().stale);
    // Nor does a command that applies something beside a daemon that is gone make it missed, or heard of.
    feed.apply(&numbered_policy(2)).unwrap();
    assert!(engine.poll_until_idle().is_some() && !engine.status().stale);
    let manifest = feed.manifest();
    assert_eq!(manifest.heartbeat, manifest.published_at, "it does not go back");
}

#[test]
fn a_feed_that_was_taken_away_is_said_to_be() {
    let feed = Feed::new();
    feed.apply(&numbered_policy(1)).unwrap();
    let engine = feed.engine().unwrap();
    fs::remove_dir_all(feed.feed()).unwrap();
    let told = engine.poll_until_idle();
    assert!(matches!(&told, Some(PollEvent::Refused { why }) if why.contains("was taken away")), "{told:?}");
    // One that is made anew under the same path is another one.
    feed.apply(&numbered_policy(2)).unwrap();
    assert_eq!(engine.poll_until_idle(), None);
    assert!(engine.status().refusal.is_some_and(|refusal| refusal.why.contains("was taken away")));
}

#[test]
fn a_heartbeat_alone_changes_nothing_else() {
    let feed = Feed::new();
    feed.apply(&numbered_policy(1)).unwrap();
    let engine = feed.engine().unwrap();
    let before = engine.version();
    feed.change_manifest(|m| m.heartbeat = m.heartbeat.plus_seconds(5));
    assert_eq!(engine.poll_until_idle(), None, "not worth a line");
    let after = engine.version();
    assert_eq!(after.heartbeat(), before.heartbeat().map(|at| at.plus_seconds(5)));
    assert!(std::ptr::eq(before.snapshot(), after.snapshot()));
}

#[test]
fn the_path_is_not_needed_once_the_feed_is_open() {
    let feed = Feed::new();
    feed.apply(&numbered_policy(1)).unwrap();
    let engine = feed.engine().unwrap();
    fs::rename(feed.feed(), feed.path("elsewhere")).unwrap();
    fs::rename(feed.path("state"), feed.path("state-elsewhere")).unwrap();
    let request = ApplyRequest {
        feed: feed.path("elsewhere"),
        key: feed.path("state-elsewhere/signing.key"),
        ..feed.request(&numbered_policy(2))
    };
    apply(&request).unwrap();
    assert!(engine.poll_until_idle().is_some());
    assert_eq!(number(&engine), 2);

    fs::remove_dir_all(feed.path("elsewhere")).unwrap();
    assert!(refused(&engine).contains("must be reloaded"));
    assert_eq!(number(&engine), 2);
}

#[test]
fn an_engine_does_not_open_on_what_it_cannot_believe() {
    let feed = Feed::new();
    let check = |config: &EngineConfig, says: &[&str]| {
        let error = Engine::open(config).unwrap_err().to_string();
        assert!(says.iter().all(|says| error.contains(says)), "{error:?} does not say {says:?}");
    };
    check(&feed.config(), &["cannot read the public key", "signing.pub"]);
    feed.apply(&numbered_policy(1)).unwrap();
    check(
        &EngineConfig::feed(feed.path("missing"), feed.path("state/signing.pub")),
        &["cannot open the feed", "missing"],
    );
    check(&EngineConfig::feed(feed.path("state"), feed.path("policy.toml")), &["cannot use the public key"]);
    fs::copy(feed.path("state/signing.pub"), feed.feed().join("signing.pub")).unwrap();
    check(&EngineConfig::feed(feed.feed(), feed.feed().join("signing.pub")), &["lies in the feed"]);
    fs::remove_file(feed.feed().join(MANIFEST_NAME)).unwrap();
    check(&feed.config(), &["the manifest cannot be read"]);
    feed.put_manifest(b"nonsense");
    check(&feed.config(), &["not a manifest"]);

    fs::write(feed.path("policy.toml"), "schema = 1\n[[rules]]\nid = 7\neffect = \"maybe\"\n").unwrap();
    check(&EngineConfig::policy_file(feed.path("policy.toml")), &["policy.toml:3", "policy.toml:4"]);
    check(&EngineConfig::policy_file(feed.path("none.toml")), &["cannot read", "none.toml"]);
}

#[test]
fn a_policy_file_is_compiled_once() {
    let feed = Feed::new();
    fs::write(feed.path("policy.toml"), numbered_policy(1)).unwrap();
    let engine = Engine::open(&EngineConfig::policy_file(feed.path("policy.toml"))).unwrap();
    fs::write(feed.path("policy.toml"), numbered_policy(2)).unwrap();
    assert_eq!(engine.poll_until_idle(), None);
    assert_eq!(number(&engine), 1);
    let status = engine.status();
    assert_eq!((status.mode, status.generation, status.heartbeat_age_seconds), (Mode::Observe, 0, None));
    assert!(status.to_text().contains("policy file"));
}

#[test]
fn keys_stay_with_their_issuer_until_others_are_given() {
    let feed = Feed::new();
    let (old, new) = (Signer::es256("old"), Signer::es256("new"));
    let without = feed.apply(&numbered_policy(1)).unwrap();
    assert!(without.warnings.iter().any(|w| w.contains("issuer `corp` has no keys")), "{:?}", without.warnings);
    let engine = feed.engine().unwrap();
    let mut context = engine.context();
    let now = luigi_runtime::now();
    let mut asks = |signer: &Signer| {
        engine.poll_until_idle();
        let claims = serde_json::json!({
            "iss": "https://id.example.com", "aud": "app", "sub": "ada", "groups": ["staff"],
            "iat": now.unix_seconds(), "exp": now.unix_seconds() + 600,
        });
        let authorization = format!("Bearer {}", signer.token(&claims));
        let facts = Facts {
            target: b"/staff/room",
            authorization: Some(authorization.as_bytes()),
            authorization_count: 1,
            ..OPEN
        };
        let answer = context.evaluate(&facts, now);
        (
            answer.decision().allows(),
            answer.status_code(),
            answer.identity().map(|identity| identity.subject().to_owned()),
        )
    };
    let (allowed, refused) = ((true, 200, Some("ada".to_owned())), (false, 401, None));
    assert_eq!(asks(&old), refused);
    feed.apply_with_keys(&numbered_policy(1), &[&old]).unwrap();
    assert_eq!(asks(&old), allowed);
    assert_eq!(asks(&new), refused);
    let kept = feed.apply(&numbered_policy(2)).unwrap();
    assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    assert_eq!(asks(&old), allowed);
    feed.apply_with_keys(&numbered_policy(2), &[&new]).unwrap();
    assert_eq!(asks(&old), refused, "the key is gone, and with it what was verified");
    assert_eq!(asks(&new), allowed);
    assert_eq!(engine.status().issuers["corp"], Some(1));
}

#[test]
fn apply_refuses_before_it_writes() {
    let feed = Feed::new();
    feed.apply(&numbered_policy(1)).unwrap();
    let before = listing(&feed);
    let check = |request: &ApplyRequest, kind: ApplyErrorKind, says: &str| {
        let error = apply(request).unwrap_err();
        assert!(error.kind() == kind && error.to_string().contains(says), "{:?}: {error}", error.kind());
        assert_eq!(listing(&feed), before, "{says}");
    };
    let good = numbered_policy(2);
    check(&feed.request("schema = 1\nrules = 3\n"), ApplyErrorKind::Policy, "policy.toml:2");
    let failing = "\n[[tests]]\nname = \"wrong\"\nrequest = \"GET https://app.example.com/open\"\nfrom = \"203.0.113.9\"\n\
                   at = 2026-03-02T10:00:00Z\nexpect = \"deny\"\n";
    check(&feed.request(&format!("{good}{failing}")), ApplyErrorKind::Tests, "wrong");
    let mut request = feed.request(&good);
    fs::write(feed.path("bad.jwks"), "[]").unwrap();
    request.jwks = vec![("corp".to_owned(), feed.path("bad.jwks"))];
    check(&request, ApplyErrorKind::Environment, "bad.jwks");
    request.jwks = vec![("other".to_owned(), feed.path("bad.jwks"))];
    check(&request, ApplyErrorKind::Environment, "its issuers are `corp`");
    request.jwks = vec![("corp".to_owned(), feed.path("none.jwks"))];
    check(&request, ApplyErrorKind::Environment, "none.jwks");
    let stranger = ApplyRequest { key: feed.path("other/signing.key"), ..feed.request(&good) };
    check(&stranger, ApplyErrorKind::Environment, "is not continued");
    let inside = ApplyRequest { key: feed.feed().join("signing.key"), ..feed.request(&good) };
    check(&inside, ApplyErrorKind::Environment, "must not lie in the feed");
    let inside = ApplyRequest { key: feed.feed().join("state/signing.key"), ..feed.request(&good) };
    check(&inside, ApplyErrorKind::Environment, "must not lie in the feed");
    fs::set_permissions(feed.path("state/signing.key"), fs::Permissions::from_mode(0o644)).unwrap();
    check(&feed.request(&good), ApplyErrorKind::Environment, "others may read it");
    fs::set_permissions(feed.path("state/signing.key"), fs::Permissions::from_mode(0o600)).unwrap();
    let lock = fs::File::open(feed.feed().join(".lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    check(&feed.request(&good), ApplyErrorKind::Environment, "is being written by process ");
    drop(lock);
    assert_eq!(feed.apply(&good).unwrap().generation, 2);
}

/// Names and contents of all files of the feed.
fn listing(feed: &Feed) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(feed.feed()).unwrap().map(|entry| entry.unwrap());
    let mut files: Vec<_> =
        entries.map(|e| (e.file_name().into_string().unwrap(), fs::read(e.path()).unwrap())).collect();
    files.sort();
    files
}

#[test]
fn files_are_private_and_old_ones_go_after_two_generations() {
    let feed = Feed::new();
    let signer = Signer::es256("one");
    feed.apply_with_keys(&numbered_policy(1), &[&signer]).unwrap();
    fs::write(feed.feed().join("of-somebody-else"), "stays").unwrap();
    fs::write(feed.feed().join(".new-left-by-a-crash"), "goes").unwrap();
    let mode = |path: std::path::PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(feed.feed()), 0o750);
    assert_eq!(mode(feed.feed().join(MANIFEST_NAME)), 0o640);
    assert_eq!(mode(feed.path("state/signing.key")), 0o600);
    assert_eq!(mode(feed.path("state/signing.pub")), 0o644);
    let first = feed.manifest().policy.sha256.file_name(FileKind::Policy);
    let names = || listing(&feed).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    feed.apply(&numbered_policy(2)).unwrap();
    assert!(names().contains(&first), "somebody may be reading it");
    assert!(!names().contains(&".new-left-by-a-crash".to_owned()));
    feed.apply(&numbered_policy(3)).unwrap();
    assert!(!names().contains(&first));
    assert!(names().contains(&"of-somebody-else".to_owned()));
    assert_eq!(names().iter().filter(|name| name.ends_with(".jwks")).count(), 1);
}

#[test]
fn feeds_that_are_made_at_once_share_a_key() {
    let feed = Feed::new();
    let request = feed.request(&numbered_policy(1));
    let applied: Vec<_> = std::thread::scope(|scope| {
        let start = |n: usize| {
            let request = ApplyRequest { feed: feed.path(&format!("feed-{n}")), ..request.clone() };
            scope.spawn(move || apply(&request).unwrap())
        };
        (0..8).map(start).collect::<Vec<_>>().into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(applied.iter().filter(|applied| applied.key_is_new).count(), 1);
    for n in 0..8 {
        Engine::open(&EngineConfig::feed(feed.path(&format!("feed-{n}")), feed.path("state/signing.pub"))).unwrap();
    }
}

/// A policy of two environments.
const PLACES: &str = "schema = 1\n[environments]\nproduction = { domain = \"example.com\" }\nstaging = { domain = \"staging.example.com\" }\n\
    [scopes.all]\nhosts = [\"www.{domain}\"]\npaths = [\"/**\"]\nmethods = \"any\"\n\
    [[rules]]\nid = \"open\"\neffect = \"allow\"\nscopes = [\"all\"]\nsubject = \"anyone\"\nenvironments = [\"staging\"]\n";

#[test]
fn a_feed_is_of_one_environment_until_somebody_means_another() {
    let feed = Feed::new();
    let place = |name: Option<&str>| ApplyRequest { environment: name.map(str::to_owned), ..feed.request(PLACES) };
    let refused = apply(&place(None)).unwrap_err();
    assert_eq!(refused.kind(), ApplyErrorKind::Policy);
    assert!(refused.to_string().contains("can be compiled for `production` or `staging`"), "{refused}");
    assert!(!feed.feed().exists());

    let first = apply(&place(Some("production"))).unwrap();
    assert_eq!(first.environment.as_deref(), Some("production"));
    let engine = feed.engine().unwrap();
    assert_eq!(engine.status().environment.as_deref(), Some("production"));
    assert_eq!(engine.version().policy().rules.len(), 0);
    let manifest = feed.manifest();
    assert_eq!(manifest.environment.as_deref(), Some("production"));

    let refused = apply(&place(Some("staging"))).unwrap_err();
    assert_eq!(refused.kind(), ApplyErrorKind::Environment);
    let says = "has a policy for environment `production`, and this is a policy for environment `staging`";
    assert!(refused.to_string().contains(says) && refused.to_string().contains("--change-environment"), "{refused}");
    // Also one that says nothing about environments.
    let refused = feed.apply(&numbered_policy(1)).unwrap_err();
    assert!(refused.to_string().contains("this is a policy without environments"), "{refused}");
    assert_eq!(feed.manifest(), manifest);

    let change = ApplyRequest { on_other_environment: OnOtherEnvironment::Change, ..place(Some("staging")) };
    let second = apply(&change).unwrap();
    assert_ne!(second.revision, first.revision);
    let event = engine.poll_until_idle().unwrap().to_string();
    assert!(event.ends_with("mode observe, environment staging"), "{event}");
    assert!(engine.status().to_text().contains("environment            staging\n"));
    assert_eq!(engine.version().policy().rules.len(), 1);
    assert!(apply(&place(Some("staging"))).is_ok());
}

#[test]
fn a_manifest_cannot_give_a_policy_to_another_environment() {
    let feed = Feed::new();
    apply(&ApplyRequest { environment: Some("staging".to_owned()), ..feed.request(PLACES) }).unwrap();
    let key = fs::read(feed.path("state/signing.key")).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(&key).unwrap();
    let manifest = luigi_runtime::feed::Manifest { environment: Some("production".to_owned()), ..feed.manifest() };
    fs::write(feed.feed().join("manifest"), manifest.sign(&pair)).unwrap();
    let error = feed.engine().unwrap_err().to_string();
    assert!(
        error.contains("the manifest is for environment `production`, and its policy was compiled for `staging`"),
        "{error}"
    );
}

#[test]
fn an_engine_on_a_policy_file_is_in_the_environment_it_is_told() {
    let feed = Feed::new();
    fs::write(feed.path("policy.toml"), PLACES).unwrap();
    let open = |name: Option<&str>| {
        let EngineConfig::PolicyFile(config) = EngineConfig::policy_file(feed.path("policy.toml")) else {
            unreachable!()
        };
        let config = luigi_runtime::PolicyFileConfig { environment: name.map(str::to_owned), ..config };
        Engine::open(&EngineConfig::PolicyFile(config))
    };
    assert_eq!(open(Some("staging")).unwrap().version().policy().rules.len(), 1);
    assert_eq!(open(Some("production")).unwrap().version().policy().rules.len(), 0);
    assert!(open(None).unwrap_err().to_string().contains("none was chosen"));
    assert!(open(Some("Staging")).unwrap_err().to_string().contains("there is no environment `Staging`"));
}
