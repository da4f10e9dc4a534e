//! From a plain path and host, every spelling by the known tricks: decided exactly as the plain one, or refused, or another path.
//!
//! Which tricks make another path is stated once, in docs/SEMANTICS.md under "Spellings that are another path"; nothing else may. Here a trick says
//! what must come of it, each alone at every place, and all of them mixed. Whatever two tricks do to each other, what one says is refused stays
//! refused, and no spelling opens what the plain path does not.

use luigi_core::decide::{Reason, Request, RequestFacts, Scratch, Source};
use luigi_core::explain;
use luigi_core::generators::spelling::Comes::{self, Other, Refused, Same};
use luigi_core::generators::spelling::{ENDS, Letter, Paths, SEPARATORS, SUFFIXES};
use luigi_core::grant_set::GrantSet;
use luigi_core::identity::Credential;
use luigi_core::kleene::Kleene;
use luigi_core::policy::{SourceSet, parse};
use luigi_core::snapshot::Snapshot;
use luigi_core::stop_set::StopSet;
use luigi_core::target::{CanonicalTarget, RawTarget, Target, TargetBuffer, canonicalize};
use luigi_core::time::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeSet;

const HOST: &str = "www.example.com";

/// How host and target stand in a request, and what comes of it.
const FORMS: &[(&str, &str, Comes)] = &[
    ("", "www.example.com", Same),
    ("", "WWW.Example.COM", Same),
    ("", "www.example.com.", Same),
    ("", "www.example.com:443", Same),
    ("", "www.example.com:8080", Same),
    ("", "www.example.com:", Same),
    ("", "wWw.eXample.com.:443", Same),
    ("http://www.example.com", "www.example.com", Same),
    ("HTTPS://WWW.EXAMPLE.COM.:443", "www.example.com", Same),
    ("https://www.example.com", "", Refused),
    ("https://other.example", "www.example.com", Refused),
    ("https://www.example.com", "other.example", Refused),
    ("https://www.example.com:8443", "www.example.com", Refused),
    ("https://user@www.example.com", "www.example.com", Refused),
    ("https://other.example@www.example.com", "www.example.com", Refused),
    ("https://www.example.com\\@other.example", "www.example.com", Refused),
    ("https://www.example.com#@other.example", "www.example.com", Refused),
    ("ftp://www.example.com", "www.example.com", Refused),
    ("https://www.example.com?", "www.example.com", Refused),
    ("https:", "www.example.com", Refused),
    ("https:/", "www.example.com", Refused),
    ("//www.example.com", "www.example.com", Refused),
    ("x", "www.example.com", Refused),
    (" ", "www.example.com", Refused),
    ("", "user@www.example.com", Refused),
    ("", "www.example.com..", Refused),
    ("", ".www.example.com", Refused),
    ("", "www..example.com", Refused),
    ("", "www%2eexample.com", Refused),
    ("", "%77ww.example.com", Refused),
    ("", "www.example.com:0443", Refused),
    ("", "www.example.com:443:80", Refused),
    ("", "www.example.com:99999", Refused),
    ("", "www.example.com:80@other.example", Refused),
    ("", "www.example.com/", Refused),
    ("", "www.example.com other.example", Refused),
    ("", "www.example.com,other.example", Refused),
    ("", "www.example.com\0.other.example", Refused),
    ("", "www.example.com\t", Refused),
    ("", "ｗww.example.com", Refused),
    ("", "www。example.com", Refused),
    ("", "[www.example.com]", Refused),
];

/// A spelling of a path on [`HOST`], and the most that a trick in it says.
struct Spelling {
    target: String,
    host: String,
    comes: Comes,
}

/// What is tried on one path.
struct Tricks<'a> {
    letters: &'a dyn Fn(usize) -> Letter,
    separators: &'a dyn Fn(usize) -> (&'static str, Comes),
    suffixes: &'a dyn Fn(usize) -> (&'static str, Comes),
    end: (&'static str, Comes),
    form: (&'static str, &'static str, Comes),
}

impl Tricks<'_> {
    const NONE: Self = Tricks {
        letters: &|_| Letter::Plain,
        separators: &|_| SEPARATORS[0],
        suffixes: &|_| SUFFIXES[0],
        end: ENDS[0],
        form: FORMS[0],
    };

    fn spell(&self, segments: &[String], paths: Paths) -> Spelling {
        let (prefix, host, mut comes) = self.form;
        let mut target = prefix.to_owned();
        let mut add = |(text, of_it): (&str, Comes)| {
            target.push_str(text);
            comes = comes.max(of_it);
        };
        let mut letters = 0;
        for (index, segment) in segments.iter().enumerate() {
            add((self.separators)(index));
            for character in segment.chars() {
                let (text, of_it) = (self.letters)(letters).write(character, paths);
                add((&text, of_it));
                letters += 1;
            }
            add((self.suffixes)(index));
        }
        add(self.end);
        Spelling { target, host: host.to_owned(), comes }
    }
}

/// A policy in which a rule of its own allows the plain path, and others what else there is. Which rule decides tells what a spelling was taken for.
struct Told {
    snapshot: Snapshot,
    grants: GrantSet,
}

impl Told {
    fn new(segments: &[String], paths: Paths) -> Self {
        let plain = Tricks::NONE.spell(segments, paths).target;
        // A back quote, a brace and their kin stand in policies as escapes.
        let mut buffer = TargetBuffer::new();
        let raw = RawTarget { method: b"GET", target: plain.as_bytes(), host: None };
        let Target::Canonical(CanonicalTarget { path, .. }) = canonicalize(raw, &mut buffer) else {
            panic!("{plain} is not plain")
        };
        let ignore = if paths == Paths::IgnoreCase { "\npaths = \"ignore-case\"" } else { "" };
        let scope = |name: &str, hosts: &str, path: &str| {
            format!(
                "[scopes.{name}]\nhosts = {hosts}\npaths = ['{path}']\nmethods = \"any\"\n\
                 [[rules]]\nid = \"{name}\"\neffect = \"allow\"\nscopes = [\"{name}\"]\nsubject = \"anyone\"\n"
            )
        };
        let text = format!(
            "schema = 1\n[hosts.\"{HOST}\"]{ignore}\ntrailing-slash = \"same\"\n{}{}{}",
            scope("a-plain", &format!("[\"{HOST}\"]"), &path.replace('\'', "%27")),
            scope("b-other-path", &format!("[\"{HOST}\"]"), "/**"),
            scope("c-other-host", "\"any\"", "/**"),
        );
        let mut sources = SourceSet::new();
        sources.add("policy.toml", text.as_str());
        let parsed = parse(&sources);
        let problems = parsed.diagnostics.render(&sources, luigi_core::policy::diagnostics::Style::PLAIN);
        let policy = parsed.policy.unwrap_or_else(|| panic!("{text}\n{problems}"));
        Self { snapshot: Snapshot::compile(policy).expect("it compiles"), grants: GrantSet::default() }
    }

    /// The rule by which both evaluators decide; `refused` if there is no canonical form.
    fn rule(&self, spelling: &Spelling) -> String {
        let mut buffer = TargetBuffer::new();
        let raw =
            RawTarget { method: b"GET", target: spelling.target.as_bytes(), host: Some(spelling.host.as_bytes()) };
        let request = Request {
            method: raw.method,
            target: canonicalize(raw, &mut buffer),
            upgrade: Kleene::False,
            source: Source::Unknown,
            credential: Credential::Absent,
            time: Timestamp::from_unix_seconds(1_772_442_000),
            grants: &self.grants,
            stops: StopSet::NONE,
            facts: RequestFacts::NONE,
        };
        let found = self.snapshot.decide(&request, &mut Scratch::for_snapshot(&self.snapshot));
        assert_eq!(found, explain::evaluate(self.snapshot.policy(), &request).evaluation, "{}", spelling.target);
        match found.decision.rule {
            Some(rule) => self.snapshot.policy().rules[rule].name.to_string(),
            None if found.decision.reason == Reason::AmbiguousTarget => "refused".to_owned(),
            None => panic!("{}: {:?}", spelling.target, found.decision),
        }
    }
}

/// What a spelling may come to, tricks being mixed in it.
fn agrees(found: &str, comes: Comes) -> bool {
    match comes {
        Same => matches!(found, "a-plain" | "refused"),
        Other => matches!(found, "b-other-path" | "refused"),
        Refused => found == "refused",
    }
}

const PLAIN_PATHS: &[&[&str]] = &[
    &["admin"],
    &["admin", "users", "export"],
    &["v1", "jobs", "1:cancel"],
    &["files", "a report.txt"],
    &["café", "größe"],
    &[".well-known", "x..y"],
    &["a!$&()+,=@-_~", "what?", "c#"],
];

#[test]
fn each_trick_alone_comes_to_what_it_says() {
    let mut tried = [0; 3];
    for paths in [Paths::AsEverywhere, Paths::IgnoreCase] {
        for segments in PLAIN_PATHS {
            let segments: Vec<String> = segments.iter().map(|segment| (*segment).to_owned()).collect();
            let told = Told::new(&segments, paths);
            let mut check = |tricks: Tricks<'_>| {
                let spelling = tricks.spell(&segments, paths);
                let expected = match spelling.comes {
                    Same => "a-plain",
                    Other => "b-other-path",
                    Refused => "refused",
                };
                assert_eq!(told.rule(&spelling), expected, "{paths:?} {:?} {}", spelling.host, spelling.target);
                tried[spelling.comes as usize] += 1;
            };
            for at in 0..segments.iter().map(|segment| segment.chars().count()).sum() {
                for letter in Letter::ALL {
                    check(Tricks {
                        letters: &|index| if index == at { letter } else { Letter::Plain },
                        ..Tricks::NONE
                    });
                }
            }
            for at in 0..segments.len() {
                for separator in SEPARATORS {
                    // What takes the place of the first `/` is no path, and is refused for that, too.
                    let separator = if at == 0 && !separator.0.starts_with('/') { &("", Refused) } else { separator };
                    let separators = |index| if index == at { *separator } else { SEPARATORS[0] };
                    check(Tricks { separators: &separators, ..Tricks::NONE });
                }
                // An empty segment is nothing, but at the beginning it could be a host.
                let comes = if at == 0 { Refused } else { Same };
                for empty in ["//", "///"] {
                    let separators = |index| if index == at { (empty, comes) } else { SEPARATORS[0] };
                    check(Tricks { separators: &separators, ..Tricks::NONE });
                }
                for suffix in SUFFIXES {
                    check(Tricks {
                        suffixes: &|index| if index == at { *suffix } else { SUFFIXES[0] },
                        ..Tricks::NONE
                    });
                }
            }
            for end in ENDS {
                check(Tricks { end: *end, ..Tricks::NONE });
            }
            for form in FORMS {
                check(Tricks { form: *form, ..Tricks::NONE });
            }
        }
    }
    println!("same {}, another path {}, refused {}", tried[0], tried[1], tried[2]);
    assert!(tried.iter().all(|count| *count > 100), "{tried:?}");
}

/// A character of a path segment, as a server that decodes once sees it.
fn any_character() -> impl Strategy<Value = char> {
    prop_oneof![
        8 => prop::sample::select("abzAZ019-_~".chars().collect::<Vec<_>>()),
        2 => prop::sample::select("!$&'()+,=:@.".chars().collect::<Vec<_>>()),
        1 => prop::sample::select(" \"<>[]^`{|}?#é€🔑".chars().collect::<Vec<_>>()),
    ]
}

/// Mostly 0, so that a spelling has one trick or two rather than one everywhere.
fn sparse(most: usize) -> impl Strategy<Value = usize> {
    prop_oneof![4 => Just(0), 1 => 0..most]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tricks_that_are_mixed_open_no_more_than_each_alone(
        segments in prop::collection::vec(prop::collection::vec(any_character(), 1..6), 1..4),
        letters in prop::collection::vec(sparse(Letter::ALL.len()), 15),
        separators in prop::collection::vec(sparse(SEPARATORS.len()), 3),
        suffixes in prop::collection::vec(sparse(SUFFIXES.len()), 3),
        end in sparse(ENDS.len()),
        form in sparse(FORMS.len()),
        ignore_case in any::<bool>(),
    ) {
        let segments: Vec<String> = segments.into_iter().map(|segment| segment.into_iter().collect()).collect();
        prop_assume!(!segments.iter().any(|segment| segment == "." || segment == ".."));
        let paths = if ignore_case { Paths::IgnoreCase } else { Paths::AsEverywhere };
        let spelling = Tricks {
            letters: &|index| Letter::ALL[letters[index]],
            separators: &|index| SEPARATORS[separators[index]],
            suffixes: &|index| SUFFIXES[suffixes[index]],
            end: ENDS[end],
            form: FORMS[form],
        }
        .spell(&segments, paths);
        let found = Told::new(&segments, paths).rule(&spelling);
        prop_assert!(agrees(&found, spelling.comes), "{} {}: {found}, not {:?}", spelling.host, spelling.target, spelling.comes);
    }
}

/// The rows of the page: how it is written, and for what some server takes it.
#[test]
fn the_spellings_that_are_another_path_are_those_of_the_page() {
    let page = include_str!("../../docs/SEMANTICS.md");
    let (_, below) = page.split_once("\n#### Spellings that are another path\n").expect("the page has the section");
    let rows = below.lines().skip_while(|line| !line.starts_with('|')).skip(2).take_while(|line| line.starts_with('|'));
    let (mut written_ways, mut count) = (BTreeSet::new(), 0);
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('`')).collect();
        let [written, taken_for, _] = cells[..] else { panic!("{row} has not three cells") };
        let path = |target: &str| {
            let mut buffer = TargetBuffer::new();
            let raw = RawTarget { method: b"GET", target: target.as_bytes(), host: Some(HOST.as_bytes()) };
            match canonicalize(raw, &mut buffer) {
                Target::Canonical(target) => target.path.to_owned(),
                other => panic!("{target}: {other:?}"),
            }
        };
        assert_ne!(path(written), path(taken_for), "{row}");
        written_ways.insert(written.to_owned());
        count += 1;
    }
    assert_eq!(count, written_ways.len());
    // Every trick that makes another path is one of these rows: applied to the row's own plain path.
    let plain: Vec<String> = vec!["x".to_owned(), "admin".to_owned()];
    let spelt = |tricks: Tricks<'_>| tricks.spell(&plain, Paths::AsEverywhere).target;
    let mut ways = Vec::new();
    for (separator, _) in SEPARATORS.iter().filter(|(_, comes)| *comes == Other) {
        let separators = |index| if index == 1 { (*separator, Other) } else { SEPARATORS[0] };
        ways.push(spelt(Tricks { separators: &separators, ..Tricks::NONE }));
    }
    for (suffix, _) in SUFFIXES.iter().filter(|(_, comes)| *comes == Other) {
        let suffixes = |index| if index == 1 { (*suffix, Other) } else { SUFFIXES[0] };
        ways.push(spelt(Tricks { suffixes: &suffixes, ..Tricks::NONE }));
    }
    for letter in Letter::ALL.into_iter().filter(|letter| letter.write('a', Paths::AsEverywhere).1 == Other) {
        ways.push(spelt(Tricks { letters: &|index| if index == 1 { letter } else { Letter::Plain }, ..Tricks::NONE }));
    }
    let missing: Vec<&String> = ways.iter().filter(|way| !written_ways.contains(*way)).collect();
    assert!(missing.is_empty(), "the page has no row for {missing:?}");
}
