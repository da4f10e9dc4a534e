//! Commands one after the other in one folder, as people see them: what changes what is in force, and what is refused.
//!
//! Each scene of [`SCENES`] has a golden file in `golden-scenes/`, all its commands in a row; `UPDATE_GOLDEN=1 cargo test -p luigi-cli --test scenes` rewrites them.

mod the_command;

use luigi_workflow::ledger::Ledger;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Who runs the commands if root runs the tests.
const NOBODY: u32 = 65_534;

/// Commands in a new folder that has the files of `data/`.
struct Scene {
    /// The golden file.
    name: &'static str,
    /// What happens before, without being shown.
    before: fn(&Path),
    /// Each a command line, split at spaces that are not within `'`; what stands behind ` < ` is its input. `{first}` is the id of the first stop that was made.
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
            "changes",
            "apply shop-later.toml --to feed",
            "status feed",
            "stops --from feed",
            "stop --to feed --scope refunds --until 30m --reason 'INC-4711' --by anna",
            "changes",
        ],
    },
    Scene {
        name: "questions-refused",
        before: |folder| {
            let shop = fs::read_to_string(folder.join("shop.toml")).unwrap().replace("default = true\n", "");
            let two =
                "\n[issuers.other]\nurl = \"https://other.example.com\"\naudiences = [\"shop\"]\n\n[scopes.orders]";
            let policy = shop.split("[scopes.orders]").next().unwrap().to_owned() + two;
            let scope = "\nhosts = [\"shop.example.com\"]\npaths = [\"/orders\"]\nmethods = \"read\"\n";
            let policy = policy.split("\n[logins").next().unwrap().to_owned() + two + scope;
            fs::write(folder.join("no-default.toml"), policy).unwrap();
            give_away(folder);
        },
        commands: &[
            "explain facts.toml -r 'GET https://api.example.com/v1/x' --fact country",
            "explain facts.toml -r 'GET https://api.example.com/v1/x' --fact Country=DE",
            "explain facts.toml -r 'GET https://api.example.com/v1/x' --header 'x team: blue'",
            "explain facts.toml -r 'GET https://api.example.com/v1/x' --certificate '{\"san-dns\": [\"bücher.example.com\"]}'",
            "explain facts.toml -r 'GET https://api.example.com/v1/x' --certificate '{\"fingerprint-sha256\": \"12\"}'",
            "explain facts.toml -r 'GET https://api.example.com/v1/x' --certificate maybe",
            "explain shop.toml -r 'GET https://shop.example.com/orders/7' --as somebody",
            "explain shop.toml -r 'GET https://shop.example.com/orders/7' --as '[1]'",
            "explain shop.toml -r 'GET https://shop.example.com/orders/7' --as '{\"claims\": {\"act\": {\"sub\": \"x\"}}}'",
            "explain shop.toml -r 'GET https://shop.example.com/orders/7' --as '{\"via\": {\"sub\": \"x\"}}' --via y",
            "explain shop.toml -r 'GET https://shop.example.com/orders/7' --as '{\"sub\": \"x\"}' --via ''",
            "explain shop.toml -r 'GET https://shop.example.com/orders/7' --as '{\"sub\": \"x\"}' --via '{\"claims\": {\"sub\": \"y\"}}'",
            "explain shop.toml -r 'GET https://shop.example.com/orders/7' --as '{\"groups\": [\"staff:x\"]}'",
            "explain shop.toml -r 'GET https://shop.example.com/orders/7' --at yesterday",
            "explain shop.toml -r 'GET https://shop.example.com/orders/7' --grant refunds",
            "explain shop.toml -r 'GET https://shop.example.com/orders/7' --grant refunds:",
            "explain shop.toml -r 'GET https://shop.example.com/orders/7' --grant refunds:finance-lead:x",
            "explain shop.toml -r 'GET https://shop.example.com/orders/7' --as '{\"sub\": \"x\"}' --grant refunds:finance-lead:x=y",
            "explain tenants.toml -r 'GET https://app.example.com/t/a/items' --as '{\"sub\": \"x\"}' --grant refunds:leads",
            "explain tenants.toml -r 'GET https://app.example.com/t/a/items' --as '{\"groups\": [\"members\"]}'",
            "explain tenants.toml -r 'GET https://app.example.com/t/a/items' --as '{\"groups\": [\"members:\"]}'",
            "explain no-default.toml -r 'GET https://shop.example.com/orders' --as '{\"sub\": \"x\"}'",
            "decide shop.toml < {\"request\": \"GET https://shop.example.com/\", \"as\": {\"sub\": \"x\"}, \"token\": \"x\"}",
            "decide shop.toml < {\"request\": \"GET https://shop.example.com/\", \"as\": [1]}",
            "decide shop.toml < {\"request\": \"GET https://shop.example.com/\", \"as\": \"x\"}",
            "decide shop.toml < {\"id\": 1, \"request\": \"GET https://shop.example.com/\", \"as\": {\"groups\": [\"staff\", 7]}}",
            "decide shop.toml < {\"id\": 2, \"request\": \"GET https://shop.example.com/\", \"grants\": [{\"scope\": \"refunds\", \"approval\": \"finance-lead\"}, {\"scope\": 7}]}",
            "decide shop.toml < {\"id\": 3, \"request\": \"GET https://shop.example.com/\", \"from\": \"203.0.113\"}",
            "decide shop.toml < {\"id\": 4, \"request\": \"GET https://shop.example.com/\", \"form\": \"203.0.113.9\"}",
            "decide shop.toml < {\"id\": 5, \"request\": \"GET https://shop.example.com/\", \"at\": \"now\"}",
            "decide shop.toml < {\"id\": 6, \"request\": \"CONNECT shop.example.com:443\"}",
            "decide shop.toml < {\"id\": 7, \"request\": \"GET https://shop.example.com/\"} {}",
            "explain shop.toml -r 'CONNECT shop.example.com:443' --as '{\"groups\": [\"staff\"]}'",
            "explain shop.toml -r 'CONNECT shop.example.com:443/x'",
            "decide shop.toml < {long}",
            "decide shop.toml < {bytes}",
        ],
    },
    Scene {
        name: "policies-refused",
        before: |folder| {
            fs::write(folder.join("haproxy.cfg"), "frontend www\n    bind :80\n").unwrap();
            fs::create_dir(folder.join("empty")).unwrap();
            fs::write(folder.join("large.cfg"), "#\n".repeat(8 << 20)).unwrap();
            let document = "{\"openapi\": \"3.0.0\", \"info\": {}, \"paths\": {\"/orders\": {\"get\": {\"operationId\": \"orders\"}}}}";
            fs::write(folder.join("no-servers.json"), document).unwrap();
            fs::write(folder.join("no-tests.toml"), "schema = 1\n").unwrap();
            let dull = "schema = 1\n\n[issuers.corp]\nurl = \"https://login.example.com\"\naudiences = [\"a\"]\n\n[groups]\nleads = \"leads\"\n\n[scopes.dull]\nhosts = [\"a.example.com\"]\n\
                        operations = [\"GET /\"]\n\n[scopes.unseen]\nhosts = [\"b.example.com\"]\noperations = [\"GET /\"]\n\n[approvals.leads]\napprovers = { groups = [\"leads\"] }\nduration = \"1h\"\n\n\
                        [[rules]]\nid = \"dull\"\neffect = \"allow\"\nscopes = [\"dull\"]\nsubject = \"authenticated\"\nrequire = { approval = [\"leads\"] }\n\n\
                        [[tests]]\nname = \"one\"\nrequest = \"GET https://a.example.com/\"\nas = { sub = \"x\" }\nexpect = \"request-access\"\n";
            fs::write(folder.join("dull.toml"), dull).unwrap();
            let long = "a".repeat(60);
            let places = format!(
                "schema = 1\n\n[environments]\nproduction = {{ place = \"{long}\" }}\nstaging = {{ place = \"s\" }}\n\n\
                 [scopes.orders]\nhosts = [\"orders-{{place}}.example.com\"]\noperations = [\"GET /\"]\n"
            );
            fs::write(folder.join("long.toml"), places).unwrap();
            give_away(folder);
        },
        commands: &[
            "check shop.toml places.toml --haproxy haproxy.cfg",
            "check places.toml --haproxy haproxy.cfg",
            "check shop.toml --haproxy empty",
            "check shop.toml --haproxy large.cfg",
            "check shop.toml --haproxy haproxy.cfg --haproxy large.cfg",
            "check no-tests.toml --openapi no-servers.json",
            "check accepted.toml --accepted",
            "check long.toml",
            "test no-tests.toml",
            "test no-tests.toml --filter x",
            "test dull.toml --coverage",
            "test places.toml --record traffic.log",
            "haproxy-config shop.toml --public-key feed.pub",
            "haproxy-config places.toml --environment 'a\tb'",
            "haproxy-config --feed 'a\tb'",
            "changes --public-key nowhere/feed.pub",
        ],
    },
    Scene {
        name: "record",
        before: |_| {},
        commands: &[
            "test shop.toml --record - < {\"method\": \"GET\", \"url\": \"https://shop.example.com/orders/7\", \"source\": \"203.0.113.9\", \"identity\": \"expired\"}\n{\"method\": \"GET\", \"url\": \"https://shop.example.com/orders/7\", \"source\": \"203.0.113.9\", \"identity\": \"invalid\"}\n{\"method\": \"GET\", \"url\": \"https://shop.example.com/orders/7\", \"source\": \"203.0.113.9\", \"identity\": {\"iss\": \"https://login.example.com\", \"sub\": \"ada\"}}\n",
            "test shop.toml --record - --to recorded.toml < {\"method\": \"GET\", \"url\": \"https://shop.example.com/orders/7\", \"source\": \"203.0.113.9\", \"identity\": \"expired\"}\n{\"method\": \"GET\", \"url\": \"https://shop.example.com/orders/7\", \"source\": \"203.0.113.9\", \"identity\": \"invalid\"}\n{\"method\": \"GET\", \"url\": \"https://shop.example.com/orders/7\", \"source\": \"203.0.113.9\", \"identity\": {\"iss\": \"https://login.example.com\", \"sub\": \"ada\"}}\n",
            "test shop.toml --record - < {\"method\": \"GET\", \"url\": \"https://shop.example.com/orders/7\", \"time\": \"now\"}\n{\"method\": \"GET\"}\n{\"method\": \"\", \"url\": \"https://shop.example.com/\"}\n{\"method\": \"GET\", \"url\": \"https://shop.example.com/orders/7\", \"identity\": {\"iss\": \"https://login.example.com\"}}\n{\"method\": \"GET\", \"url\": \"https://shop.example.com/orders/7\", \"identity\": {\"iss\": \"https://other.example.com\", \"sub\": \"x\"}}\n{\"method\": \"POST\", \"url\": \"https://shop.example.com/orders/7/refund\", \"identity\": {\"iss\": \"https://login.example.com\", \"sub\": \"ada\", \"groups\": [\"5d1f0d2c-77a1-4a51-9a3c-1f4a4d1b2c11\"]}}\n{\"method\": \"GET\", \"url\": \"https://shop.example.com/orders/8\", \"source\": \"203.0.113.9\", \"decision\": \"allow\", \"reason\": \"allowed-by-rule\", \"revision\": \"123456789abc\"}\n",
            "test facts.toml --record - < {\"method\": \"GET\", \"url\": \"https://api.example.com/v1/x\", \"identity\": {\"iss\": \"https://login.example.com\", \"sub\": \"ada\"}}\n",
            "test shop.toml --record - < 203.0.113.9:50512 [24/Nov/2026:10:00:02.675] www be/s1 0/0/0/1/1 200 64 - - ---- 1/1/0/0/0 0/0 luigi=pass mode=observe decision=allow advice= reason=allowed-by-rule detail= rule=staff-read-orders credential=verified candidate=allow candidate-rule=staff-read-orders evaluation=0 revision=- issuer=- subject=- time=[24/Nov/2026:10:00:02 +0000] host=shop.example.com \"GET /orders/9 HTTP/1.1\" groups=staff groups-are=complete\n",
        ],
    },
    Scene {
        name: "apply-refused",
        before: |folder| {
            luigi(folder, &["apply", "shop.toml", "--to", "feed", "--key", "feed.key"]);
            fs::write(folder.join("odd-keys.json"), "{\"keys\": [{\"kty\": \"oct\", \"k\": \"AAAA\"}]}").unwrap();
            let key = "{\"kty\": \"OKP\", \"crv\": \"Ed25519\", \"kid\": \"a\", \"x\": \"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}";
            fs::write(
                folder.join("keys.json"),
                format!("{{\"keys\": [{key}, {{\"kty\": \"oct\", \"k\": \"AAAA\"}}]}}"),
            )
            .unwrap();
            let renamed = fs::read_to_string(folder.join("shop.toml")).unwrap().replace("issuers.corp", "issuers.firm");
            fs::write(folder.join("renamed.toml"), renamed).unwrap();
            fs::write(folder.join("open.key"), "key").unwrap();
            fs::write(folder.join("no.key"), "key").unwrap();
            fs::set_permissions(folder.join("open.key"), PermissionsExt::from_mode(0o644)).unwrap();
            fs::set_permissions(folder.join("no.key"), PermissionsExt::from_mode(0o600)).unwrap();
            luigi(folder, &["apply", "shop.toml", "--to", "known", "--key", "feed.key"]);
            luigi(folder, &["haproxy-config", "shop.toml", "--to", "known", "--public-key", "feed.pub"]);
            fs::create_dir_all(folder.join("odd/feed")).unwrap();
            fs::write(folder.join("odd/feed/facts"), "what?").unwrap();
            give_away(folder);
            give_away(&folder.join("odd"));
            give_away(&folder.join("odd/feed"));
        },
        commands: &[
            "apply facts.toml --to other --key other.key",
            "apply facts.toml --to feed --key feed.key",
            "apply facts.toml --to odd/feed --key feed.key",
            "apply facts.toml --to known --key feed.key",
            "apply shop.toml --to feed --key feed.key --jwks crop=keys.json",
            "apply shop.toml --to feed --key feed.key --jwks corp=odd-keys.json",
            "apply shop.toml --to feed --key feed.key --jwks corp=keys.json --jwks corp=keys.json",
            "apply shop.toml --to feed --key feed.key --jwks corp=keys.json --no-diff",
            "apply renamed.toml --to feed --key feed.key --no-diff",
            "apply places.toml --environment staging --to feed --key feed.key",
            "apply places.toml --environment staging --to feed --key feed.key --change-environment --no-diff",
            "apply shop.toml --to feed --key feed.key",
            "apply shop.toml --to new --key ..",
            "apply shop.toml --to new --key feed.pub",
            "apply shop.toml --to new --key new.pub",
            "apply shop.toml --to new --key open.key",
            "apply shop.toml --to new --key no.key",
        ],
    },
    Scene {
        name: "stop-refused",
        before: |folder| {
            let shop = fs::read_to_string(folder.join("shop.toml")).unwrap();
            fs::write(folder.join("empty.toml"), "schema = 1\n").unwrap();
            let issuer =
                |name: &str| format!("[issuers.{name}]\nurl = \"https://{name}.example.com\"\naudiences = [\"a\"]\n");
            fs::write(folder.join("two.toml"), format!("schema = 1\n{}{}", issuer("one"), issuer("two"))).unwrap();
            let renamed = shop
                .replace("[scopes.refunds]", "[scopes.repayments]")
                .replace("[\"refunds\"]", "[\"repayments\"]")
                .split("\n[[tests]]")
                .next()
                .unwrap()
                .to_owned();
            fs::write(folder.join("renamed.toml"), renamed).unwrap();
            fs::create_dir(folder.join("bare")).unwrap();
            give_away(folder);
            luigi(folder, &["apply", "shop.toml", "--to", "feed", "--key", "feed.key"]);
            luigi(folder, &["apply", "empty.toml", "--to", "empty", "--key", "feed.key"]);
            luigi(folder, &["apply", "two.toml", "--to", "two", "--key", "feed.key"]);
            luigi(
                folder,
                &[
                    "stop", "--to", "feed", "--key", "feed.key", "--scope", "refunds", "--until", "1h", "--reason",
                    "INC-1", "--by", "anna",
                ],
            );
        },
        commands: &[
            "apply renamed.toml --to feed --key feed.key --no-diff",
            "stops --from feed --public-key feed.pub",
            "stop --to feed --key feed.key --scope repayments --until 1h --reason x --by '  '",
            "unstop {first} --to feed --key feed.key --reason x --by '  '",
            "unstop x --to empty --key feed.key --reason x --by anna",
            "stop --to empty --key feed.key --scope x --until 1h --reason x --by anna",
            "stop --to two --key feed.key --subject x --until 1h --reason x --by anna",
            "stop --to bare --key feed.key --scope x --until 1h --reason x --by anna",
        ],
    },
    Scene {
        name: "feed-damaged",
        before: |folder| {
            luigi(folder, &["apply", "shop.toml", "--to", "feed", "--key", "feed.key"]);
            let files = fs::read_dir(folder.join("feed")).unwrap().map(|entry| entry.unwrap().path());
            let policy = files.into_iter().find(|path| path.extension().is_some_and(|ext| ext == "policy")).unwrap();
            fs::write(policy, "damaged").unwrap();
            give_away(&folder.join("feed"));
        },
        commands: &[
            "stop --to feed --key feed.key --scope refunds --until 1h --reason x --by anna",
            "status feed --public-key feed.pub",
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

/// Runs a command with this input; `{long}` and `{bytes}` stand for what no source should hold.
fn run(command: &mut Command, input: &str) -> Output {
    match input {
        "{long}" => the_command::run(command, b"x".repeat(3 << 20)),
        "{bytes}" => the_command::run(command, b"\xff\xfe\n"),
        _ => the_command::run(command, input),
    }
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
    for entry in fs::read_dir(data).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
        }
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
        let (command_line, input) = line.split_once(" < ").unwrap_or((line, ""));
        let arguments = words(command_line).into_iter().map(|word| match word.as_str() {
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
        let output = run(command.args(arguments), input);
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
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden-scenes")
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
fn questions_that_make_no_sense_are_refused() {
    check("questions-refused");
}

#[test]
fn policies_configurations_and_documents_that_do_not_fit_are_refused() {
    check("policies-refused");
}

#[test]
fn what_becomes_of_recorded_requests_is_said() {
    check("record");
}

#[test]
fn what_is_not_applied_is_said() {
    check("apply-refused");
}

#[test]
fn stops_that_cannot_be_are_refused() {
    check("stop-refused");
}

#[test]
fn a_damaged_feed_is_not_signed_again() {
    check("feed-damaged");
}

#[test]
fn every_golden_file_has_a_scene() {
    for entry in fs::read_dir(golden()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(SCENES.iter().any(|scene| scene.name == name), "{name}");
    }
}
