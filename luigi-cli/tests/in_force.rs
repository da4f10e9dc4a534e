//! What changes what is in force, as people see it: `apply`, `changes`, `stop`, `stops`, `unstop` and `status`, one after the other in one folder.
//!
//! Each scene of [`SCENES`] has a golden file in `golden-in-force/`, all its commands in a row; `UPDATE_GOLDEN=1 cargo test -p luigi-cli --test in_force` rewrites them.

use luigi_workflow::ledger::Ledger;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Who runs the commands if root runs the tests.
const NOBODY: u32 = 65_534;

/// Commands in a new folder that has `shop.toml`, `shop-later.toml`, `broken.toml` and `failing.toml`.
struct Scene {
    /// The golden file.
    name: &'static str,
    /// What happens before, without being shown.
    before: fn(&Path),
    /// Each a command line, split at spaces that are not within `'`. `{first}` is the id of the first stop that was made.
    commands: &'static [&'static str],
}

const SCENES: &[Scene] = &[
    Scene {
        name: "apply",
        before: |_| {},
        commands: &[
            "apply shop.toml --to feed --key keys/feed.key",
            "apply shop.toml --to feed --key keys/feed.key",
            "apply shop-later.toml --to feed --key keys/feed.key --mode enforce",
            "status feed --public-key keys/feed.pub",
            "apply shop.toml --to feed --key keys/feed.key --mode observe --format json",
            "apply shop-later.toml --to feed --key keys/feed.key --no-diff",
            "apply broken.toml --to feed --key keys/feed.key",
            "apply failing.toml --to feed --key keys/feed.key",
            "apply no-such.toml --to feed --key keys/feed.key",
            "apply shop.toml --to feed --key feed/feed.key",
            "apply shop.toml --to feed --key keys/other.key",
            "apply shop.toml --to shop.toml --key keys/feed.key",
        ],
    },
    Scene {
        name: "changes",
        before: |folder| {
            luigi(folder, &["apply", "shop.toml", "--to", "feed", "--key", "keys/feed.key"]);
            luigi(folder, &["apply", "shop-later.toml", "--to", "feed", "--key", "keys/feed.key", "--mode", "enforce"]);
            luigi(folder, &["apply", "shop.toml", "--to", "feed", "--key", "keys/feed.key"]);
            // Another one, made by somebody who has not the key: the second with its sentences changed.
            let records = folder.join("keys/changes");
            let mut names: Vec<_> = fs::read_dir(&records).unwrap().map(|entry| entry.unwrap().path()).collect();
            names.sort();
            for (path, name) in names.iter().zip(["keys/first.changes", "keys/second.changes"]) {
                fs::copy(path, folder.join(name)).unwrap();
            }
            let forged = fs::read_to_string(&names[1]).unwrap().replace("open", "shut");
            fs::write(&names[1], forged).unwrap();
            give_away(&folder.join("keys"));
        },
        commands: &[
            "changes --public-key keys/feed.pub",
            "changes --public-key keys/feed.pub --format json keys/second.changes",
            "changes --public-key keys/feed.pub {record}",
            "changes --public-key keys/none.pub",
            "changes --public-key shop.toml",
        ],
    },
    Scene {
        name: "stop",
        before: |folder| {
            luigi(folder, &["apply", "shop.toml", "--to", "feed", "--key", "feed.key", "--mode", "enforce"]);
        },
        commands: &[
            "stops --from feed --public-key feed.pub",
            "stops --from feed --public-key feed.pub --format json",
            "stop --to feed --key feed.key --scope refunds --until 30m --reason 'INC-4711, refunds leak' --by anna",
            "stop --to feed --key feed.key --subject 00u9x1 --until 1h --reason 'INC-4711, laptop stolen' --by anna --format json",
            "stop --to feed --key feed.key --token-id 8f7e --issuer corp --until 4h --reason 'found in a log' --by bert",
            "stop --to feed --key feed.key --issued-before 2026-03-02T10:00:00Z --until 3d --reason 'keys leaked' --by bert",
            "stop --to feed --key feed.key --issued-before 2126-03-02T10:00:00Z --until 7d --reason 'nobody may' --by bert",
            "stops --from feed --public-key feed.pub",
            "stops --from feed --public-key feed.pub --format json",
            "apply shop-later.toml --to feed --key feed.key --no-diff",
            "unstop {first} --to feed --key feed.key --reason 'INC-4711 is over' --by carl",
            "unstop {first} --to feed --key feed.key --reason 'once more' --by carl --format json",
            "unstop {last} --to feed --key feed.key --reason 'it was a mistake' --by carl --format json",
            "stop --to feed --key feed.key --scope refund --until 30m --reason typo --by anna",
            "stop --to feed --key feed.key --subject x --issuer okta --until 30m --reason typo --by anna",
            "stop --to feed --key feed.key --scope refunds --until 2020-01-01T00:00:00Z --reason late --by anna",
            "stop --to feed --key feed.key --scope refunds --until tomorrow --reason late --by anna",
            "stop --to feed --key feed.key --scope refunds --until 1h --reason ' ' --by anna",
            "stop --to feed --key feed.key --scope refunds --until 1h --reason nobody",
            "stop --to feed --key feed.key --until 1h --reason nothing --by anna",
            "stop --to feed --key no.key --scope refunds --until 1h --reason nobody --by anna",
            "stop --to nowhere --key feed.key --scope refunds --until 1h --reason nobody --by anna",
            "unstop {first} --to feed --key feed.key",
            "unstop {first} --to feed --key feed.key --reason nobody",
        ],
    },
    Scene {
        name: "stop-on-record",
        before: |folder| {
            luigi(folder, &["apply", "shop.toml", "--to", "feed", "--key", "feed.key", "--mode", "enforce"]);
            drop(Ledger::open(&folder.join("ledger.db")).unwrap());
            fs::write(folder.join("broken.db"), "no ledger").unwrap();
            give_away(folder);
        },
        commands: &[
            "stop --to feed --key feed.key --ledger ledger.db --scope refunds --until 30m --reason 'INC-4711, asked anna@example.com' --by anna",
            "unstop {first} --to feed --key feed.key --ledger ledger.db --reason 'INC-4711 is over' --by carl",
            "stop --to feed --key feed.key --ledger ledger.db --subject 00u9x1 --until 30m --reason INC-4712 --by anna --format json",
            "audit --ledger ledger.db --kind stop --kind unstop",
            "audit --ledger ledger.db --who carl --format json",
            "audit verify --ledger ledger.db",
            "stop --to feed --key feed.key --ledger broken.db --scope refunds --until 1h --reason 'INC-4713' --by anna",
            "stop --to feed --key feed.key --ledger none.db --scope orders --until 4h --reason 'INC-4713' --by anna --format json",
            "unstop {last} --to feed --key feed.key --ledger broken.db --reason 'INC-4713 is over' --by carl",
            "unstop {last} --to feed --key feed.key --ledger none.db --reason 'INC-4713 is over' --by carl --format json",
            "stops --from feed --public-key feed.pub",
        ],
    },
    Scene {
        name: "keys-of-ones-own",
        before: |_| {},
        commands: &[
            "apply shop.toml --to feed",
            "apply shop-later.toml --to feed",
            "status feed",
            "stops --from feed",
            "stop --to feed --scope refunds --until 30m --reason 'INC-4711' --by anna",
            "changes",
        ],
    },
];

/// The command, for somebody who may not write to the system's state directory.
fn command(folder: &Path) -> Command {
    let mut command = Command::new(folder.join("luigi"));
    command.current_dir(folder).env_clear().env("XDG_STATE_HOME", folder.join("state"));
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn luigi(folder: &Path, arguments: &[&str]) {
    let output = command(folder).env("LOGNAME", "ada").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Gives a folder and the files in it to whoever runs the commands.
fn give_away(folder: &Path) {
    if rustix::process::geteuid().is_root() {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.chain([folder.to_owned()]).for_each(|path| chown(path, Some(NOBODY), Some(NOBODY)).unwrap());
    }
}

/// The words of a command line.
fn words(line: &str) -> Vec<String> {
    let quoted = line.split('\'').enumerate();
    let parts = quoted.flat_map(|(n, part)| match n % 2 {
        0 => part.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>(),
        _ => vec![part.to_owned()],
    });
    parts.collect()
}

/// The ids of stops in a feed, in the order in which they were made.
fn stops(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder.join("feed")).into_iter().flatten().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|ext| ext == "stops"));
    let newest = files.max_by_key(|path| fs::metadata(path).unwrap().modified().unwrap());
    let Some(newest) = newest else { return Vec::new() };
    let held: serde_json::Value = serde_json::from_slice(&fs::read(newest).unwrap()).unwrap();
    held["stops"].as_array().unwrap().iter().map(|stop| stop["id"].as_str().unwrap().to_owned()).collect()
}

/// What differs from run to run, by what it is: times around now, ids and digests, lengths of time.
fn steady(text: &str, folder: &Path) -> String {
    let text = text.replace(folder.to_str().unwrap(), "<folder>");
    let text =
        match text.split_once("heartbeat   ").and_then(|(before, rest)| Some((before, rest.split_once(" s ago")?.1))) {
            Some((before, after)) => format!("{before}heartbeat   <n> s ago{after}"),
            None => text,
        };
    let (mut out, mut rest) = (String::new(), text.as_str());
    while let Some(c) = rest.chars().next() {
        let word = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"-:.".contains(c)).unwrap_or(rest.len());
        let before = out.chars().last();
        if before.is_none_or(|c| !c.is_ascii_alphanumeric()) && word > 0 {
            let (found, after) = rest.split_at(word);
            let (found, tail) = match found.trim_end_matches(['.', ':']) {
                "" => (found, ""),
                trimmed => found.split_at(trimmed.len()),
            };
            let is_time =
                found.len() >= 20 && found.starts_with("20") && found.ends_with('Z') && !found.ends_with(":00:00Z");
            let is_id = found.len() == 8 && found.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'));
            let shown = match found {
                _ if is_time => "<time>".to_owned(),
                _ if is_id => "<id>".to_owned(),
                _ => without_digests(found),
            };
            out.push_str(&shown);
            out.push_str(tail);
            rest = after;
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

/// Without runs of 12, 16, 32 or 64 hex digits.
fn without_digests(word: &str) -> String {
    let is_digest = |part: &str| {
        matches!(part.len(), 12 | 16 | 32 | 64) && part.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'))
    };
    let mut parts = word.split_inclusive(['-', '.']).map(|part| {
        let bare = part.trim_end_matches(['-', '.']);
        if is_digest(bare) { part.replace(bare, "<digest>") } else { part.to_owned() }
    });
    parts.by_ref().collect()
}

fn play(scene: &Scene) -> String {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().canonicalize().unwrap();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    for name in ["shop.toml", "shop-later.toml", "broken.toml", "failing.toml"] {
        fs::copy(data.join(name), folder.join(name)).unwrap();
    }
    // Where the command was built need not be open to others.
    fs::copy(env!("CARGO_BIN_EXE_luigi"), folder.join("luigi")).unwrap();
    give_away(&folder);
    (scene.before)(&folder);
    let (mut shown, mut first) = (String::new(), None);
    for line in scene.commands {
        let all = stops(&folder);
        first = first.or_else(|| all.first().cloned());
        let last = all.last().cloned().unwrap_or_default();
        let record = fs::read_dir(folder.join("keys/changes")).into_iter().flatten().map(|entry| entry.unwrap().path());
        let record = record.min().map(|path| path.display().to_string()).unwrap_or_default();
        let arguments = words(line).into_iter().map(|word| match word.as_str() {
            "{first}" => first.clone().expect("a stop was made"),
            "{last}" => last.clone(),
            "{record}" => record.clone(),
            _ => word,
        });
        let mut command = command(&folder);
        // Stops need somebody; an apply has whoever is logged in.
        if line.starts_with("apply") {
            command.env("LOGNAME", "ada");
        }
        let output = command.args(arguments).output().unwrap();
        let text = |bytes: &[u8]| steady(std::str::from_utf8(bytes).unwrap(), &folder);
        let _ = write!(
            shown,
            "$ luigi {line}\nexit: {}\n--- stdout\n{}--- stderr\n{}\n",
            output.status.code().expect("it exits by itself"),
            text(&output.stdout),
            text(&output.stderr),
        );
    }
    shown
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden-in-force")
}

fn check(name: &str) {
    let scene = SCENES.iter().find(|scene| scene.name == name).unwrap();
    let (found, path) = (play(scene), golden().join(format!("{name}.txt")));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &found).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "expected\n{expected}\nfound\n{found}");
}

#[test]
fn applying_says_what_is_in_force_and_why_not() {
    check("apply");
}

#[test]
fn what_applies_changed_is_shown_and_believed_only_if_signed() {
    check("changes");
}

#[test]
fn stops_are_made_listed_and_lifted() {
    check("stop");
}

#[test]
fn stops_are_on_record_where_there_is_a_ledger() {
    check("stop-on-record");
}

#[test]
fn who_may_not_write_to_the_systems_folder_has_keys_of_their_own() {
    check("keys-of-ones-own");
}

#[test]
fn every_golden_file_has_a_scene() {
    for entry in fs::read_dir(golden()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(SCENES.iter().any(|scene| scene.name == name), "{name}");
    }
}
