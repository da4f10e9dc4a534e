use super::layout;

/// A text and what becomes of it, which must stay as it is then.
#[track_caller]
fn check(text: &str, expected: &str) {
    let written = layout("p.toml", text).unwrap_or_else(|_| panic!("not TOML: {text}"));
    assert_eq!(written, expected);
    assert_eq!(layout("p.toml", &written).unwrap(), written, "not stable: {text}");
}

#[test]
fn space_is_even() {
    check(
        "a=1\n  b   =   'x'  \n[ t . u ]  # why\nc={d=1,e=[1,2]}\n",
        "a = 1\nb = 'x'\n\n[t.u]  # why\nc = { d = 1, e = [1, 2] }\n",
    );
    check("[[ rules ]]\nid=\"a\"\n[[rules]]\nid=\"b\"", "[[rules]]\nid = \"a\"\n\n[[rules]]\nid = \"b\"\n");
    check("a = {}\nb = [ ]\nc = { }\r\n", "a = {}\nb = []\nc = {}\n");
    check("", "");
    check("\u{feff}a = 1", "a = 1\n");
}

#[test]
fn nothing_that_is_written_changes() {
    for text in [
        "a = 1979-05-27 07:32:00Z\n",
        "a = +1_000.5e-3\n",
        "a = \"\"\"\n  x  \n\n y\"\"\"\n",
        "a = '''# no comment\n'''\n",
        "\"a b\".'c.d' = \"# no comment\"\n",
        "a.b.c = 1\nd = 2\na.x = 3\n",
        "x = [\"a\", 'b', \"\"\"c\"\"\"]\n",
    ] {
        check(text, text);
    }
}

#[test]
fn empty_lines_part_tables_and_never_pile_up() {
    check("\n\na = 1\n\n\n\nb = 2\n[t]\n\nc = 3\n\n\n", "a = 1\n\nb = 2\n\n[t]\nc = 3\n");
    check("[a]\n[b]\n\n\n[c]\n", "[a]\n\n[b]\n\n[c]\n");
}

#[test]
fn comments_stay_where_they_are() {
    check(
        "# the file\n\n# about t\n# more\n[t]\n# about a\na=1 # one\n# the end\n",
        "# the file\n\n# about t\n# more\n[t]\n# about a\na = 1  # one\n# the end\n",
    );
    check("a = 1\n# about t\n[t]\n", "a = 1\n\n# about t\n[t]\n");
    check("a = 1\n# about a\n\n[t]\n", "a = 1\n# about a\n\n[t]\n");
    check("[t]\n\n# about u\n[u]\n", "[t]\n\n# about u\n[u]\n");
    check(
        "a = [ # why\n  1, # one\n\n\n  # two\n  2\n]\n",
        "a = [\n    # why\n    1,  # one\n\n    # two\n    2,\n]\n",
    );
}

#[test]
fn comments_behind_lines_that_follow_each_other_line_up() {
    check(
        "a = 1 # one\nlonger = 22 # two\n\nb = 3 # three\nc = 4\nd = 5    # five\n",
        "a = 1        # one\nlonger = 22  # two\n\nb = 3  # three\nc = 4\nd = 5  # five\n",
    );
    let long = "x".repeat(90);
    check(&format!("a = \"{long}\" # one\nb = 2 # two\n"), &format!("a = \"{long}\"  # one\nb = 2  # two\n"));
}

#[test]
fn lists_break_where_they_must_or_were() {
    check("a = [1,\n2, 3]\n", "a = [1, 2, 3]\n");
    check("a = [\n1, 2]\n", "a = [\n    1,\n    2,\n]\n");
    let item = "x".repeat(50);
    check(
        &format!("a = ['{item}', '{item}', '{item}']\n"),
        &format!("a = [\n    '{item}',\n    '{item}',\n    '{item}',\n]\n"),
    );
    check(
        "a = [\n[\n{ b = [\n1], c = 2 }]]\n",
        "a = [\n    [\n        { b = [\n            1,\n        ], c = 2 },\n    ],\n]\n",
    );
    // TOML 1.1 has comments and line ends in inline tables.
    check("a = {\n b = 1, # one\n c = 2 }\n", "a = {\n    b = 1,  # one\n    c = 2,\n}\n");
    check("a = {\n b = 1,\n c = 2,\n}\n", "a = { b = 1, c = 2 }\n");
}

#[test]
fn what_is_not_toml_is_refused_with_its_place() {
    let unreadable = layout("p.toml", "schema = 1\na = [1\nb = 2\n").unwrap_err();
    let text = unreadable.diagnostics.render(&unreadable.sources, luigi_core::policy::diagnostics::Style::PLAIN);
    assert!(text.contains("toml-syntax") && text.contains("p.toml:"), "{text}");
}

/// Every `*.toml` file of a folder below the workspace.
fn policies(folder: &str) -> Vec<(String, String)> {
    let folder = std::path::Path::new("..").join(folder);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            found.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
        }
    }
    assert!(!found.is_empty(), "{}", folder.display());
    found
}

#[test]
fn our_examples_are_laid_out() {
    for (name, text) in ["examples/policies", "examples/demo"].into_iter().flat_map(policies) {
        assert!(layout(&name, &text).unwrap() == text, "run `luigi fmt {name}`");
    }
}

#[test]
fn odd_policies_lose_nothing_and_settle_at_once() {
    let comments = |text: &str| {
        let lexed = toml_parser::Source::new(text).lex().into_vec();
        let lexed = lexed.into_iter().filter(|token| token.kind() == toml_parser::lexer::TokenKind::Comment);
        lexed.map(|token| text[token.span().start()..token.span().end()].trim_end().to_owned()).collect::<Vec<_>>()
    };
    let mut seen = 0;
    for (name, text) in ["luigi-core/tests/diagnostics", "luigi-cli/tests/data"].into_iter().flat_map(policies) {
        let Ok(written) = layout(&name, &text) else { continue };
        assert_eq!(comments(&written), comments(&text), "{name}");
        assert_eq!(layout(&name, &written).unwrap(), written, "{name}");
        assert_eq!(toml::from_str::<toml::Table>(&written).unwrap(), toml::from_str(&text).unwrap(), "{name}");
        // What would change the meaning is left alone, which must not be needed.
        assert_eq!(super::lines::write(&super::tree::read(&text)), written, "{name}");
        seen += 1;
    }
    assert!(seen > 15, "{seen}");
}

#[test]
fn lines_end_as_the_first_one_does() {
    let text = "schema=1\n\n\n\n# Ours.\n[groups]\na   = \"x\"\nb = [\n\"y\"]\n[t]\nm = \"\"\"\none\ntwo\"\"\"\n";
    let unix = layout("a.toml", text).unwrap();
    assert_ne!(unix, text);
    let dos = layout("a.toml", &text.replace('\n', "\r\n")).unwrap();
    assert_eq!(dos, unix.replace('\n', "\r\n"));
    assert_eq!(layout("a.toml", &dos).unwrap(), dos, "twice changes nothing");
    // One line that ends otherwise follows the others.
    let mixed = text.replacen("[groups]\n", "[groups]\r\n", 1);
    assert_eq!(layout("a.toml", &mixed).unwrap().replace("\r\n", "\n"), unix);
}
