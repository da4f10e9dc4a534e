//! The JUnit report, read back the way CI systems read it.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// An element with what is in it.
#[derive(Debug, Default)]
struct Element {
    name: String,
    attributes: BTreeMap<String, String>,
    children: Vec<Element>,
    text: String,
}

impl Element {
    fn of(start: &BytesStart<'_>) -> Self {
        let attributes = start.attributes().map(|attribute| {
            let attribute = attribute.unwrap();
            (
                attribute.key.as_ref().to_owned(),
                attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).unwrap().into_owned(),
            )
        });
        Self { name: start.name().as_ref().to_owned(), attributes: attributes.collect(), ..Self::default() }
    }

    fn number(&self, attribute: &str) -> usize {
        self.attributes[attribute].parse().unwrap()
    }
}

fn read(xml: &str) -> Element {
    let mut reader = Reader::from_str(xml);
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => open.push(Element::of(&start)),
            Event::Empty(start) => open.last_mut().unwrap().children.push(Element::of(&start)),
            Event::End(_) => {
                let done = open.pop().unwrap();
                open.last_mut().unwrap().children.push(done);
            }
            Event::Text(text) => open.last_mut().unwrap().text.push_str(&text),
            Event::GeneralRef(reference) => {
                let character = reference.resolve_char_ref().unwrap().or_else(|| match &*reference {
                    "lt" => Some('<'),
                    "gt" => Some('>'),
                    "amp" => Some('&'),
                    "quot" => Some('"'),
                    "apos" => Some('\''),
                    _ => None,
                });
                open.last_mut().unwrap().text.push(character.expect("an entity that every reader knows"));
            }
            Event::Eof => break,
            Event::Decl(_) => {}
            other => panic!("nothing that a reader might stumble over: {other:?}"),
        }
    }
    assert_eq!(open.len(), 1);
    let [root] = <[Element; 1]>::try_from(open.remove(0).children).unwrap();
    root
}

fn report(arguments: &[&str]) -> String {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut luigi = Command::new(env!("CARGO_BIN_EXE_luigi"));
    let output = luigi.current_dir(data).args(["test", "--format", "junit"]).args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_report_has_what_ci_systems_read() {
    for policy in ["tables.toml", "failing.toml", "shop.toml"] {
        let suites = read(&report(&[policy]));
        assert_eq!(suites.name, "testsuites");
        let mut sums = (0, 0);
        for suite in &suites.children {
            assert_eq!((suite.name.as_str(), suite.attributes["name"].as_str()), ("testsuite", policy));
            assert_eq!(suite.children.len(), suite.number("tests"));
            let failures = suite.children.iter().filter(|case| !case.children.is_empty()).count();
            assert_eq!(failures, suite.number("failures"));
            assert_eq!((suite.number("errors"), suite.number("skipped")), (0, 0));
            assert!(suite.attributes["time"].parse::<f64>().is_ok());
            sums = (sums.0 + suite.children.len(), sums.1 + failures);
            for case in &suite.children {
                assert_eq!(case.name, "testcase");
                assert!(!case.attributes["name"].is_empty() && !case.attributes["classname"].is_empty());
                assert_eq!(case.attributes["file"], policy);
                assert!(case.number("line") > 0);
                for failure in &case.children {
                    assert_eq!(failure.name, "failure");
                    assert!(!failure.attributes["message"].is_empty() && !failure.text.trim().is_empty());
                    assert!(["test-failed", "test-lacks-fact"].contains(&failure.attributes["type"].as_str()));
                }
            }
        }
        assert_eq!(sums, (suites.number("tests"), suites.number("failures")), "{policy}");
    }
}

/// Names come from people: whatever they hold, the report is well-formed and says the same.
#[test]
fn no_name_breaks_the_report() {
    let folder = tempfile::tempdir().unwrap();
    let name = "]]> <b a='\"'> & &amp; \u{fffe}\u{feff} emoji \u{1f600} back\\slash";
    let policy = format!("schema = 1\n[[tests]]\nname = {name:?}\nrequest = \"GET /\"\nexpect = \"allow\"\n");
    let path = folder.path().join("a & b <c>.toml");
    fs::write(&path, policy.replace("\\u{fffe}", "\u{fffe}").replace("\\u{feff}", "\u{feff}").replace("\\'", "'"))
        .unwrap();
    let suites = read(&report(&[path.to_str().unwrap()]));
    let case = &suites.children[0].children[0];
    assert_eq!(case.attributes["name"], name.replace('\u{fffe}', "\u{fffd}"));
    assert!(case.attributes["file"].ends_with("a & b <c>.toml"), "{case:?}");
    assert!(case.children[0].text.contains("no rule allows it"), "{case:?}");
}
