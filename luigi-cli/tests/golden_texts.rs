//! Every text that tells somebody what is wrong stands in a golden file: in the policy, in HAProxy's configuration, or with a command.
//!
//! The texts are the string literals of the sources that word problems, read as Rust reads them; none is listed here. What a golden file does not show fails with its
//! place. What cannot be shown says why in a comment `// UNSHOWN: ...` above its line; what only passes on what the system says (`{error}`) needs no golden file.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::fs;
use std::path::{Path, PathBuf};

/// Sources that word problems, and the golden files that show them.
const POLICY: Layer = Layer {
    sources: &[
        "luigi-core/src/policy",
        "luigi-core/src/analysis/lint",
        "luigi-core/src/policy_tests",
        "luigi-core/src/policy_tests.rs",
    ],
    // Explanations of codes have tests of their own, and what is hashed is nothing to read.
    except: &[
        "luigi-core/src/policy/diagnostics",
        "luigi-core/src/policy/resolve/hash.rs",
        "luigi-core/src/policy/model",
    ],
    golden: &[
        "luigi-core/tests/diagnostics",
        "luigi-core/tests/lints",
        "luigi-core/tests/golden",
        "luigi-cli/tests/golden",
        "luigi-cli/tests/golden-scenes",
    ],
};

const HAPROXY: Layer = Layer {
    sources: &["luigi-workflow/src/haproxy"],
    // Printed lines of HAProxy's, to be recognised.
    except: &["luigi-workflow/src/haproxy/printed.rs"],
    golden: &["luigi-workflow/tests/haproxy", "luigi-cli/tests/golden", "luigi-cli/tests/golden-scenes"],
};

const COMMANDS: Layer = Layer {
    sources: &[
        "luigi-cli/src/brought.rs",
        "luigi-cli/src/question.rs",
        "luigi-cli/src/load.rs",
        "luigi-cli/src/commands/apply.rs",
        "luigi-cli/src/commands/changes.rs",
        "luigi-cli/src/commands/check",
        "luigi-cli/src/commands/check.rs",
        "luigi-cli/src/commands/decide.rs",
        "luigi-cli/src/commands/explain.rs",
        "luigi-cli/src/commands/haproxy_config.rs",
        "luigi-cli/src/commands/stops.rs",
        "luigi-cli/src/commands/test",
        "luigi-workflow/src/apply.rs",
        "luigi-workflow/src/changes.rs",
        "luigi-workflow/src/fact_record.rs",
        "luigi-workflow/src/feed_writer.rs",
        "luigi-workflow/src/signing_key.rs",
        "luigi-workflow/src/stops.rs",
    ],
    except: &[],
    golden: &["luigi-cli/tests/golden", "luigi-cli/tests/golden-scenes"],
};

struct Layer {
    sources: &'static [&'static str],
    except: &'static [&'static str],
    golden: &'static [&'static str],
}

/// A literal with its place.
struct Text {
    value: String,
    place: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The files at a path with this extension, those in folders below it too.
fn files(path: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        let mut entries: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        entries.iter().for_each(|entry| files(entry, extension, found));
    } else if path.extension().is_some_and(|ext| ext == extension) {
        assert!(path.exists(), "{}", path.display());
        found.push(path.to_owned());
    }
}

/// The literals of a source that people may read: no attributes, no tests, nothing that only a panic says.
fn literals(tokens: TokenStream, found: &mut Vec<(usize, String)>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                let inner =
                    usize::from(matches!(tokens.get(at + 1), Some(TokenTree::Punct(mark)) if mark.as_char() == '!'));
                if let Some(TokenTree::Group(group)) = tokens.get(at + 1 + inner)
                    && group.delimiter() == Delimiter::Bracket
                {
                    at += 2 + inner;
                    if group.stream().to_string().replace(' ', "") == "cfg(test)" {
                        // The item that follows: up to its block, or its semicolon.
                        while !matches!(&tokens[at], TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
                            && !matches!(&tokens[at], TokenTree::Punct(punct) if punct.as_char() == ';')
                        {
                            at += 1;
                        }
                        at += 1;
                    }
                    continue;
                }
            }
            TokenTree::Ident(name) => {
                let name = name.to_string();
                let is_macro = matches!(tokens.get(at + 1), Some(TokenTree::Punct(mark)) if mark.as_char() == '!');
                let never_read = match name.as_str() {
                    "expect" => !is_macro,
                    "panic" | "unreachable" | "assert" | "assert_eq" | "debug_assert" | "debug_assert_eq" => is_macro,
                    _ => false,
                };
                if never_read {
                    at += 1 + usize::from(is_macro);
                    if matches!(tokens.get(at), Some(TokenTree::Group(_))) {
                        at += 1;
                    }
                    continue;
                }
            }
            TokenTree::Group(group) => literals(group.stream(), found),
            TokenTree::Literal(literal) => {
                if let Some(value) = value(&literal.to_string()) {
                    found.push((literal.span().start().line, value));
                }
            }
            TokenTree::Punct(_) => {}
        }
        at += 1;
    }
}

/// What a string literal means; `None` for other literals.
fn value(written: &str) -> Option<String> {
    if let Some(raw) = written.strip_prefix('r') {
        let raw = raw.trim_matches('#');
        return Some(raw.strip_prefix('"')?.strip_suffix('"')?.to_owned());
    }
    let inner = written.strip_prefix('"')?.strip_suffix('"')?;
    let (mut value, mut chars) = (String::new(), inner.chars().peekable());
    while let Some(c) = chars.next() {
        if c != '\\' {
            value.push(c);
            continue;
        }
        match chars.next()? {
            'n' => value.push('\n'),
            't' => value.push('\t'),
            'r' => value.push('\r'),
            '0' => value.push('\0'),
            // The line goes on where the next one has something.
            '\n' => while chars.next_if(|c| c.is_whitespace()).is_some() {},
            'u' => {
                let code: String = chars.by_ref().skip(1).take_while(|c| *c != '}').collect();
                value.push(char::from_u32(u32::from_str_radix(&code, 16).ok()?)?);
            }
            'x' => {
                let code: String = chars.by_ref().take(2).collect();
                value.push(char::from(u8::from_str_radix(&code, 16).ok()?));
            }
            other => value.push(other),
        }
    }
    Some(value)
}

fn texts(layer: &Layer) -> Vec<Text> {
    let root = root();
    let mut sources = Vec::new();
    layer.sources.iter().for_each(|path| files(&root.join(path), "rs", &mut sources));
    sources.retain(|source| !layer.except.iter().any(|path| source.starts_with(root.join(path))));
    sources.retain(|source| source.file_name().is_none_or(|name| name != "tests.rs"));
    let mut texts = Vec::new();
    for source in sources {
        let text = fs::read_to_string(&source).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let mut found = Vec::new();
        literals(text.parse().unwrap(), &mut found);
        let name = source.strip_prefix(&root).unwrap().display().to_string();
        for (line, value) in found {
            // The comment stands above the statement, which may begin three lines before its text.
            let unshown = lines[line.saturating_sub(4)..line].iter().any(|line| line.contains("// UNSHOWN: "));
            if !unshown {
                texts
                    .extend(value.lines().map(|part| Text { value: part.to_owned(), place: format!("{name}:{line}") }));
            }
        }
    }
    texts
}

/// The parts of a text between what is filled in, each with its spaces made one.
fn parts(text: &str) -> Vec<String> {
    let text = text.replace("{{", "\u{1}").replace("}}", "\u{2}");
    let (mut parts, mut rest) = (Vec::new(), text.as_str());
    while let Some((before, after)) = rest.split_once('{') {
        parts.push(before);
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    parts.push(rest);
    let one_spaced =
        |part: &str| part.split_whitespace().collect::<Vec<_>>().join(" ").replace('\u{1}', "{").replace('\u{2}', "}");
    parts.into_iter().map(one_spaced).filter(|part| !part.is_empty()).collect()
}

/// Whether a text says something: two words at least, and more than what the system says.
fn says_something(text: &str, parts: &[String]) -> bool {
    let passes_on = ["{error}", "{why}"].iter().any(|what| text.contains(what));
    let words = parts
        .iter()
        .flat_map(|part| part.split(' '))
        .filter(|word| word.chars().filter(|c| c.is_ascii_alphabetic()).count() > 1);
    !passes_on && text.trim().contains(' ') && words.count() > 1
}

/// Golden files, a paragraph at a time: what is wrapped within one is joined again.
fn shown(layer: &Layer) -> Vec<String> {
    let mut golden = Vec::new();
    layer.golden.iter().for_each(|path| files(&root().join(path), "txt", &mut golden));
    let mut shown = Vec::new();
    for path in golden {
        let text = fs::read_to_string(path).unwrap();
        shown.extend(text.split("\n\n").map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" ")));
    }
    shown.sort();
    shown.dedup();
    shown
}

fn is_shown(parts: &[String], shown: &[String]) -> bool {
    shown.iter().any(|paragraph| {
        let mut rest = paragraph.as_str();
        parts.iter().all(|part| match rest.split_once(part.as_str()) {
            Some((_, after)) => {
                rest = after;
                true
            }
            None => false,
        })
    })
}

fn check(layer: &Layer, at_least: usize) {
    let shown = shown(layer);
    let (mut seen, mut missing) = (0, Vec::new());
    for text in texts(layer) {
        let parts = parts(&text.value);
        if !says_something(&text.value, &parts) {
            continue;
        }
        seen += 1;
        if !is_shown(&parts, &shown) {
            missing.push(format!("{}: {:?}", text.place, text.value));
        }
    }
    assert!(missing.is_empty(), "no golden file shows these:\n{}", missing.join("\n"));
    // A scan that finds nothing would be content with anything.
    assert!(seen >= at_least, "only {seen} texts were found");
}

#[test]
fn every_text_about_policies_is_shown() {
    check(&POLICY, 500);
}

#[test]
fn every_text_about_the_configuration_of_haproxy_is_shown() {
    check(&HAPROXY, 60);
}

#[test]
fn every_text_of_the_commands_is_shown() {
    check(&COMMANDS, 120);
}

#[test]
fn literals_are_read_as_rust_reads_them() {
    let source = r###"
        //! Not this "one here".
        #[doc = "nor this"] fn f() { g("a \"b\" \u{fc} \
            c", r#"d "e""#, b"bytes here", 'c', 7); x.expect("never read"); assert!(true, "never read"); format!("{a} of {b}"); }
        #[cfg(test)] mod tests { const T: &str = "a test"; }
        const S: &str = "after it";
    "###;
    let mut found = Vec::new();
    literals(source.parse().unwrap(), &mut found);
    let found: Vec<_> = found.into_iter().map(|(_, value)| value).collect();
    assert_eq!(found, ["a \"b\" ü c", "d \"e\"", "{a} of {b}", "after it"]);
    assert_eq!(parts("{a}  of {{b}} {c:?}!"), ["of {b}", "!"]);
    let shown = ["there are 3 of them, or 4".to_owned()];
    assert!(
        is_shown(&parts("there are {n} of {what}, or {m}"), &shown) && !is_shown(&parts("or {m} there are"), &shown)
    );
}
