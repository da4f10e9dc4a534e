//! What holds for every text: parsing never panics, limits are kept, and order means nothing.

use luigi_core::policy::diagnostics::{Code, Color, MAX_DIAGNOSTICS, Style};
use luigi_core::policy::source::{MAX_SOURCE_BYTES, MAX_TOTAL_BYTES};
use luigi_core::policy::{Parsed, SourceSet, parse};
use proptest::prelude::*;

const EXAMPLE: &str = include_str!("../../examples/policies/billing.toml");

/// A policy of several files, with methods of its own and scopes that leave others out.
const FILES: [&str; 2] = [
    include_str!("../../examples/policies/teams/common.toml"),
    include_str!("../../examples/policies/teams/catalogue.toml"),
];

fn parse_texts<'t>(texts: impl IntoIterator<Item = &'t str>) -> (SourceSet, Parsed) {
    let mut sources = SourceSet::new();
    for (number, text) in texts.into_iter().enumerate() {
        sources.add(format!("{number:02}.toml"), text);
    }
    let parsed = parse(&sources);
    (sources, parsed)
}

/// Scopes with methods of the policy's own, whose bits must not depend on which comes first.
const METHODS: &str = "schema = 1
[scopes.b]
hosts = \"any\"
operations = [\"PURGE /b\", \"BAN /b\"]
[scopes.a]
hosts = \"any\"
operations = [\"REPORT /a\"]
[scopes.c]
hosts = \"any\"
operations = [\"ACL /c\"]
[[rules]]
id = \"x\"
effect = \"deny\"
scopes = [\"a\", \"b\"]
methods = [\"SEARCH\", \"ACL\"]
";

/// Parses and renders in every way; returns what came out.
fn survive(text: &str) -> Parsed {
    let (sources, parsed) = parse_texts([text]);
    for (color, width) in [(Color::Never, 140), (Color::Always, 20)] {
        let rendered = parsed.diagnostics.render(&sources, Style { color, width });
        assert_eq!(rendered.is_empty(), parsed.diagnostics.is_empty());
    }
    let json = parsed.diagnostics.to_json(&sources);
    assert_eq!(json.as_array().map(Vec::len), Some(parsed.diagnostics.len()));
    assert_eq!(parsed.policy.is_none(), parsed.diagnostics.has_errors(), "{text}");
    for item in parsed.diagnostics.iter() {
        let one_line = !item.message.contains('\n') && !item.message.ends_with('.');
        let first = item.message.chars().next();
        assert!(one_line && first.is_some_and(|c| !c.is_ascii_uppercase()), "{}", item.message);
    }
    parsed
}

#[test]
fn limits_are_explained() {
    let codes = |parsed: &Parsed| parsed.diagnostics.iter().map(|item| item.code).collect::<Vec<_>>();
    let (sources, parsed) = parse_texts([]);
    assert_eq!(codes(&parsed), [Code::NoSource]);
    assert_eq!(parsed.diagnostics.render(&sources, Style::PLAIN), "error[no-source]: there is no policy file\n");

    let long = format!("schema = 1\n#{}", " ".repeat(MAX_SOURCE_BYTES));
    let (sources, parsed) = parse_texts([long.as_str()]);
    assert_eq!(codes(&parsed), [Code::SourceTooLarge]);
    assert!(
        parsed.diagnostics.render(&sources, Style::PLAIN).contains("the file has 8388620 bytes, more than 8388608")
    );

    let fitting = " ".repeat(MAX_SOURCE_BYTES);
    let (_, parsed) = parse_texts(vec![fitting.as_str(); MAX_TOTAL_BYTES / MAX_SOURCE_BYTES + 1]);
    assert_eq!(codes(&parsed), [Code::SourceTooLarge]);

    let wrong: String = (0..MAX_DIAGNOSTICS + 5).map(|n| format!("key{n} = 1\n")).collect();
    let (sources, parsed) = parse_texts([format!("schema = 1\n{wrong}").as_str()]);
    assert_eq!(parsed.diagnostics.len(), MAX_DIAGNOSTICS + 1);
    assert_eq!(codes(&parsed).last(), Some(&Code::TooManyProblems));
    assert!(parsed.diagnostics.render(&sources, Style::PLAIN).contains("5 more problems are not shown"));
}

#[test]
fn hostile_texts_are_survived() {
    let deep = |open: &str, close: &str| format!("schema = 1\nx = {}{}", open.repeat(100_000), close.repeat(100_000));
    let many = |line: &str| format!("schema = 1\n{}", line.repeat(20_000));
    for text in [
        deep("[", "]"),
        deep("{a=", "}"),
        deep("[{a=", "}]"),
        format!("schema = 1\n{}x = 1", "a.".repeat(100_000)),
        format!("schema = 1\n[{}x]", "a.".repeat(100_000)),
        many("a = 1\n"),
        many("[a]\n"),
        many("[[rules]]\n"),
        many("\u{feff}"),
        many("\0"),
        many("\""),
        many("= "),
        format!(
            "schema = 1\n[scopes.a]\nhosts = \"any\"\nmethods = \"read\"\npaths = [\"{}\"]",
            "/{a}".repeat(100_000)
        ),
        format!("schema = 1\n[scopes.a]\nhosts = [\"{}\"]\noperations = [\"GET /\"]", "a.".repeat(100_000)),
        format!("schema = 1\n[groups]\n{}", (0..20_000).map(|n| format!("g{n} = \"{{\"\n")).collect::<String>()),
    ] {
        assert!(survive(&text).policy.is_none());
    }
    // A chain of scopes as long as the policy is refused, and nothing recurses along it.
    let scope = |n: usize| {
        let head = format!("[scopes.s{n:05}]\nhosts = \"any\"\noperations = [\"GET /{n}\"]\n");
        if n == 0 { head } else { format!("{head}except = [\"s{:05}\"]\n", n - 1) }
    };
    let chain: String = (0..20_000).map(scope).collect();
    assert!(survive(&format!("schema = 1\n{chain}")).policy.is_none());
}

/// The tables of the example, each with its header.
fn tables(text: &str) -> Vec<String> {
    let mut tables: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with("schema")) {
        if line.starts_with('[') || tables.is_empty() {
            tables.push(String::new());
        }
        let table = tables.last_mut().expect("one was pushed");
        table.push_str(line);
        table.push('\n');
    }
    // What stands before the first table is a comment.
    tables.retain(|table| table.contains('['));
    tables
}

/// A way to spoil a text.
fn spoilt() -> impl Strategy<Value = String> {
    let snippets = prop::sample::select(vec![
        "\"",
        "'",
        "[",
        "]",
        "[[",
        "{",
        "}",
        "=",
        ",",
        "\n",
        "#",
        ".",
        "\0",
        "é",
        "\u{202e}",
        "*",
        "**",
        "/",
        "{id}",
        "1",
        "true",
        "\"any\"",
        "\"all\"",
        "2026-01-01",
        "2026-01-01T00:00:00Z",
        "[]",
        "{}",
        "[rules]",
        "[[rules]]\n",
        "unless = ",
        "-1",
        "1e999",
        "0x",
        "\\u0000",
        "\u{feff}",
    ]);
    let edit = (0..EXAMPLE.len(), 0..40_usize, snippets, any::<bool>());
    prop::collection::vec(edit, 1..6).prop_map(|edits| {
        let mut text = EXAMPLE.to_owned();
        for (at, remove, insert, keep) in edits {
            let boundary = |text: &str, mut at: usize| {
                at = at.min(text.len());
                while !text.is_char_boundary(at) {
                    at -= 1;
                }
                at
            };
            let start = boundary(&text, at);
            let end = boundary(&text, start + if keep { 0 } else { remove });
            text.replace_range(start..end, insert);
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_is_survived(text in any::<String>()) {
        survive(&text);
    }

    #[test]
    fn text_of_toml_pieces_is_survived(pieces in prop::collection::vec(prop::sample::select(vec![
        "schema = 1\n", "[scopes.a]\n", "[[rules]]\n", "[[tests]]\n", "[groups]\n", "[approvals.a]\n", "[networks]\n", "[rules.require]\n",
        "id = \"a\"\n", "effect = \"deny\"\n", "effect = \"allow\"\n", "scopes = [\"a\"]\n", "scopes = \"all\"\n", "subject = \"anyone\"\n", "hosts = \"any\"\n",
        "paths = [\"/a\", \"/{b}\"]\n", "methods = [\"PURGE\"]\n", "except = [\"a\"]\n", "a = \"x\"\n", "a = [\"10.0.0.0/8\"]\n", "approvers = \"requester\"\n",
        "duration = \"1h\"\n", "require = { approval = [\"a\"] }\n", "unless = { from = [\"a\"] }\n", "name = \"a\"\n", "request = \"GET /a\"\n", "expect = \"deny\"\n",
        "as = { groups = [\"a\"] }\n", "subject = { claims = [{ path = [\"a\"], in = [1, true, \"x\"] }] }\n",
    ]), 0..30)) {
        survive(&pieces.concat());
    }

    #[test]
    fn spoilt_examples_are_survived(text in spoilt()) {
        survive(&text);
    }

    #[test]
    fn the_order_of_tables_and_files_means_nothing(
        (texts, order, cuts) in prop::sample::select(vec![&[EXAMPLE][..], &FILES, &[METHODS]]).prop_flat_map(|texts| {
            let shuffled = Just(tables(&texts.concat())).prop_shuffle();
            (Just(texts), shuffled, prop::collection::vec(any::<prop::sample::Index>(), 0..3))
        })
    ) {
        let (_, expected) = parse_texts(texts.iter().copied());
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(order.len())).collect();
        cuts.extend([0, order.len()]);
        cuts.sort_unstable();
        let files: Vec<String> =
            cuts.windows(2).map(|pair| format!("schema = 1\n{}", order[pair[0]..pair[1]].concat())).collect();
        let (sources, parsed) = parse_texts(files.iter().map(String::as_str));
        prop_assert_eq!(parsed.diagnostics.render(&sources, Style::PLAIN), "");
        prop_assert!(parsed.policy.is_some());
        prop_assert_eq!(parsed.policy, expected.policy);
        let names = |parsed: &[luigi_core::policy::test_case::TestCase]| {
            let mut names: Vec<_> = parsed.iter().map(|case| case.name.clone()).collect();
            names.sort();
            names
        };
        prop_assert_eq!(names(&parsed.tests), names(&expected.tests));
    }
}
