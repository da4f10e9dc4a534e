//! HAProxy's configuration: each example triggers its finding and the cured one none, findings look as the golden files say, what is printed and what is
//! meant to be fine is quiet, and nothing that a file can hold makes the reader fall over.

use luigi_core::policy::diagnostics::{Code, HaproxyLint, Lint, Style};
use luigi_core::policy::model::Policy;
use luigi_core::policy::{SourceSet, parse};
use luigi_runtime::facts::{FactList, variable};
use luigi_runtime::haproxy_config::{
    ForwardedPath, Options, backend_lines, defaults_file, facts_setting, frontend_lines, global_lines,
};
use luigi_workflow::haproxy::{self, Findings};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn policy(text: &str) -> Policy {
    let mut sources = SourceSet::new();
    sources.add("policy.toml", text);
    let parsed = parse(&sources);
    parsed.policy.unwrap_or_else(|| panic!("{}", parsed.diagnostics.render(&sources, Style::PLAIN)))
}

/// The options that the lines for a policy are printed with.
fn options(policy: &Policy) -> Options {
    Options { facts: FactList::of_policy(policy), ..Options::default() }
}

/// A configuration in which comments stand for what is printed.
fn filled_in(text: &str, policy: &Policy) -> String {
    let options = options(policy);
    let older = Options { facts: FactList::default(), ..options.clone() };
    let received = Options { forward: ForwardedPath::Received, ..options.clone() };
    let all = frontend_lines(&options);
    let asked = "var(txn.luigi.in),lua.luigi\n";
    let others = "    http-request allow if { path_beg /x }\n    http-request set-var(txn.luigi.out) str(\"luigi1|pass|\")\n    http-request set-var(txn.luigi.begin) str(\"luigi1|pass|\")\n";
    let with_others = all.replacen(asked, &format!("{asked}{others}"), 1);
    assert_ne!(with_others, all);
    let without_deny = all.lines().filter(|line| !line.contains("deny_status")).map(|line| format!("{line}\n"));
    let without_deny: String = without_deny.collect();
    let mut filled = String::new();
    for line in text.lines() {
        match line.trim() {
            "# Luigi's lines" | "# Luigi's lines without the fact" => filled.push_str(&all),
            "# Luigi's lines with others behind the answer" => filled.push_str(&with_others),
            "# Luigi's lines but the one that denies" => filled.push_str(&without_deny),
            "# Luigi's lines for an older policy" => filled.push_str(&frontend_lines(&older)),
            "# Luigi's lines with --forward received" => filled.push_str(&frontend_lines(&received)),
            "# Luigi's lines for global" => filled.push_str(&global_lines(&options)),
            "# Luigi's line for backends" => filled.push_str(&backend_lines()),
            _ => filled.push_str(&format!("{line}\n")),
        }
    }
    filled
}

fn check(text: &str, policy: &Policy) -> (SourceSet, Findings) {
    let mut sources = SourceSet::new();
    sources.add("haproxy.cfg", text);
    let findings = haproxy::check(&sources, policy);
    (sources, findings)
}

fn shown(sources: &SourceSet, findings: &Findings) -> String {
    findings.diagnostics.render(sources, Style::PLAIN)
}

/// What the examples stand on.
fn example_ground(policy: &Policy) -> String {
    format!("global\n{}\ndefaults\n    mode http\n\n", facts_setting(&FactList::of_policy(policy)))
}

#[test]
fn each_example_triggers_its_finding_and_the_cured_one_none() {
    let usual = policy(HaproxyLint::EXAMPLE_POLICY);
    let with_fact = format!(
        "{}facts = {{ zone = [\"north\"] }}\n[facts.zone]\nvalues = [\"north\", \"south\"]\n",
        HaproxyLint::EXAMPLE_POLICY.replace("headers = { x-team = [\"operations\"] }\n", "")
    );
    let with_fact = policy(&with_fact);
    let at = |text: String, scope: &str, frontend: &str| {
        text.replace(&format!("[scopes.{scope}]\n"), &format!("[scopes.{scope}]\nfrontends = [\"{frontend}\"]\n"))
    };
    let with_frontends = policy(&at(at(HaproxyLint::EXAMPLE_POLICY.to_owned(), "shop", "www"), "admin", "admin"));
    for lint in HaproxyLint::ALL {
        let policy = match lint {
            HaproxyLint::FactNotSet => &with_fact,
            HaproxyLint::UnknownFrontend => &with_frontends,
            _ => &usual,
        };
        let (sources, wrong) = check(&(example_ground(policy) + &filled_in(lint.example(), policy)), policy);
        let codes: BTreeSet<_> = wrong.diagnostics.iter().map(|item| (item.code, item.severity)).collect();
        let expected = [(Code::Haproxy(*lint), lint.severity())].into();
        assert_eq!(codes, expected, "{}:\n{}", lint.as_str(), shown(&sources, &wrong));
        let (sources, right) = check(&(example_ground(policy) + &filled_in(lint.cured(), policy)), policy);
        assert_eq!(shown(&sources, &right), "", "{}", lint.as_str());
    }
}

/// Every `*.cfg` of `tests/haproxy`, in front of the policy beside it or of `policy.toml`, with comments that stand for printed lines.
#[test]
fn findings_are_shown_as_the_golden_files_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/haproxy");
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut cases: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.extension().is_some_and(|extension| extension == "cfg"));
    cases.sort();
    let (mut seen, mut different) = (BTreeSet::new(), Vec::new());
    for case in cases {
        let beside = case.with_extension("toml");
        let policy_file = if beside.exists() { beside } else { folder.join("policy.toml") };
        let policy = policy(&fs::read_to_string(policy_file).unwrap());
        let mut sources = SourceSet::new();
        let text = filled_in(&fs::read_to_string(&case).unwrap(), &policy);
        sources.add(case.file_name().unwrap().to_str().unwrap(), text);
        let findings = haproxy::check(&sources, &policy);
        seen.extend(findings.diagnostics.iter().map(|item| item.code));
        let mut rendered = shown(&sources, &findings);
        for accepted in &findings.accepted {
            let (line, code) = (sources.position(accepted.span).line, accepted.code.as_str());
            rendered += &format!("\naccepted[{code}] line {line}, {}: {}\n", accepted.findings, accepted.message);
            rendered += &format!("  because: {}\n", accepted.reason);
        }
        let golden = case.with_extension("txt");
        if update {
            fs::write(&golden, &rendered).unwrap();
        } else if fs::read_to_string(&golden).ok().as_deref() != Some(rendered.as_str()) {
            different.push(format!("{}:\n{rendered}", golden.display()));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n\n"));
    let missing: Vec<_> = HaproxyLint::ALL.iter().filter(|lint| !seen.contains(&Code::Haproxy(**lint))).collect();
    assert!(missing.is_empty(), "no golden file shows {missing:?}");
    for code in [Code::Lint(Lint::StatsUri), Code::Lint(Lint::NeedlessAccept), Code::UnknownLint, Code::EmptyReason] {
        assert!(seen.contains(&code), "no golden file shows {code:?}");
    }
}

/// The policies of the examples: what they ask for is quite different.
fn policies() -> Vec<(String, Policy)> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let files = fs::read_dir(examples.join("policies")).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.is_file()).chain([examples.join("demo/shop.toml")]);
    let texts = files.map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap()));
    let parsed = texts.filter_map(|(name, text)| {
        let mut sources = SourceSet::new();
        sources.add("policy.toml", text);
        // With environments or files beside them they are no policy by themselves.
        parse(&sources).policy.map(|policy| (name, policy))
    });
    parsed.collect()
}

#[test]
fn what_is_printed_is_quiet_pasted_or_as_defaults() {
    let policies = policies();
    assert!(policies.len() > 10, "{}", policies.len());
    for (name, policy) in policies {
        let options = options(&policy);
        let keys = policy.facts.iter().map(|(_, fact)| fact.key().to_string());
        let variables = keys.filter_map(|key| key.strip_prefix("fact:").map(variable));
        let set: String = variables.map(|variable| format!("    http-request set-var({variable}) str(x)\n")).collect();
        let (global, lines, tunnel) = (global_lines(&options), frontend_lines(&options), backend_lines());
        let pasted = format!(
            "global\n{global}\ndefaults\n    mode http\n\nfrontend www\n    bind :80\n{set}{lines}    default_backend app\n\n\
             backend app\n{tunnel}    server a 192.0.2.1:80\n"
        );
        let (sources, findings) = check(&pasted, &policy);
        assert_eq!(shown(&sources, &findings), "", "{name}");
        assert_eq!((findings.frontends, findings.backends), (1, 1));

        let mut sources = SourceSet::new();
        let defaults = defaults_file(&options);
        sources.add("luigi.cfg", defaults.replacen("defaults luigi\n", &format!("defaults luigi\n{set}"), 1));
        let rest = format!(
            "defaults\n    mode http\n\nfrontend www from luigi\n    bind :80\n    default_backend app\n\n\
             backend app\n{tunnel}    server a 192.0.2.1:80\n"
        );
        sources.add("haproxy.cfg", rest);
        let findings = haproxy::check(&sources, &policy);
        assert_eq!(shown(&sources, &findings), "", "{name}");
    }
}

#[test]
fn hosts_beyond_what_is_tried_are_not_dropped_without_a_word() {
    let scope = |n| format!("[scopes.s{n}]\nhosts = [\"h{n}.example.com\"]\noperations = [\"GET /\"]\n");
    let rule = |n| format!("[[rules]]\nid = \"r{n}\"\neffect = \"allow\"\nscopes = [\"s{n}\"]\nsubject = \"anyone\"\n");
    let policy =
        |count| policy(&(0..count).map(|n| scope(n) + &rule(n)).fold("schema = 1\n".to_owned(), |all, one| all + &one));
    // The host that the configuration names is the last of them, and looked at all the same.
    let text = "defaults\n    mode http\nfrontend www\n    bind :80\n    # Luigi's lines\n    \
        use_backend a if { ssl_fc_sni h500.example.com }\n    default_backend b\nbackend a\n    server a 192.0.2.1:80\nbackend b\n    server b 192.0.2.2:80\n";
    for (count, expected) in
        [(500, &["undecided-routing"][..]), (501, &["haproxy-not-understood", "undecided-routing"])]
    {
        let policy = policy(count);
        let (_, findings) = check(&filled_in(text, &policy), &policy);
        let codes: Vec<_> = findings.diagnostics.iter().map(|item| item.code.as_str()).collect();
        assert_eq!(codes, expected, "{count}");
        let named = findings
            .diagnostics
            .iter()
            .any(|item| item.help.as_ref().is_some_and(|help| help.contains("h500.example.com")));
        assert_eq!(named, count == 501);
    }
}

/// The heading of the table of findings in the page about HAProxy, and the one that follows it.
const TABLE: (&str, &str) = ("| finding | | meaning |\n|---|---|---|\n", "\n## What fails how\n");

#[test]
fn the_page_explains_every_finding() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/HAPROXY.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(TABLE.0).expect("the page has a table of findings");
    let (table, after) = rest.split_once(TABLE.1).expect("another section follows");
    let line = |lint: &HaproxyLint| {
        format!("| `{}` | {} | {} |\n", lint.as_str(), lint.severity().as_str(), lint.explanation().replace('|', "\\|"))
    };
    let expected: String = HaproxyLint::ALL.iter().map(line).collect();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, format!("{before}{}{expected}{}{after}", TABLE.0, TABLE.1)).unwrap();
    } else {
        assert_eq!(table, expected, "write the table anew with UPDATE_GOLDEN=1");
    }
}

/// Words and characters that mean something to HAProxy, and some that mean nothing.
const WORDS: &[&str] = &[
    "global",
    "defaults",
    "frontend",
    "backend",
    "listen",
    "from",
    "a",
    "b",
    "x",
    "\n",
    "mode http",
    "mode tcp",
    "bind :80",
    "bind :443 ssl",
    "acl x hdr(host) -i",
    "acl x",
    "http-request",
    "deny",
    "allow",
    "set-path",
    "set-header host",
    "del-header x-luigi -m beg",
    "use_backend",
    "default_backend b",
    "if",
    "unless",
    "{",
    "}",
    "!",
    "||",
    "or",
    "{ hdr(host) shop.example.com }",
    "{ ssl_fc_sni a }",
    "{ path_beg /a }",
    "-m",
    "-f",
    "-i",
    "--",
    "%[req.hdr(host)]",
    "server s 127.0.0.1:80",
    "lua.luigi_refuse",
    "lua.other",
    "set-var(txn.luigi.out)",
    "set-var(txn.luigi.begin)",
    "set-var-fmt(txn.luigi.in)",
    "set-var(txn.h) req.hdr(host),lower",
    "{ var(txn.h) a }",
    "{ hdr(host),field(1,:) a }",
    "{ hdr(host),field(0,:) a }",
    "stats uri /s",
    "stats enable",
    "# luigi: accept unguarded-frontend: it is fine like this\n",
    "# luigi: accept",
    "\"",
    "'",
    "\\",
    "#",
    "\\x",
    "\u{fffd}",
    "\u{e4}",
    "(",
    ")",
    ",",
    "luigi-facts/1",
    ".if x\n",
    ".endif\n",
    "option accept-invalid-http-request",
    "no option",
    "tune.bufsize 1",
    "http-send-name-header Host",
    "set-src src",
    "TRUE",
    "METH_GET",
    "!x",
    "# Luigi's lines\n",
];

fn configuration() -> impl Strategy<Value = String> {
    let word = (prop::sample::select(WORDS), prop::sample::select(&["", " ", " ", " ", "\n", "\n"][..]));
    prop::collection::vec(word, 0..80)
        .prop_map(|words| words.into_iter().map(|(word, gap)| format!("{word}{gap}")).collect())
}

/// Checks a text; whatever it is, what is found can be shown.
fn survives(text: &str, policy: &Policy) {
    let (sources, findings) = check(text, policy);
    assert_eq!(shown(&sources, &findings).is_empty(), findings.diagnostics.is_empty());
    let json = findings.diagnostics.to_json(&sources);
    assert_eq!(json.as_array().map(Vec::len), Some(findings.diagnostics.len()));
    for item in findings.diagnostics.iter() {
        assert!(!item.message.contains('\n') && !item.message.ends_with('.'), "{}", item.message);
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_fall_over(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        survives(&String::from_utf8_lossy(&bytes), &policy(HaproxyLint::EXAMPLE_POLICY));
    }

    #[test]
    fn no_configuration_makes_the_reader_fall_over(text in configuration()) {
        let policy = policy(HaproxyLint::EXAMPLE_POLICY);
        survives(&filled_in(&text, &policy), &policy);
    }
}
