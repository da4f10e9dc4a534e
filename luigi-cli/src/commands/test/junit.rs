//! What came out of tests as JUnit XML, the form that CI systems read.
//!
//! There is no one specification. What is written is what Jenkins, GitLab, GitHub's and CircleCI's readers have in common: `testsuites` with
//! sums, a `testsuite` for each file, a `testcase` with `name`, `classname`, `file` and `line`, and in it a `failure` with `message`, `type` and
//! text.

use super::Report;
use luigi_core::policy::diagnostics::Style;
use luigi_core::policy::test_case::TestCase;
use luigi_core::policy_tests::TestOutcome;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use std::collections::BTreeMap;
use std::io;

type Results<'r> = Vec<&'r (&'r TestCase, TestOutcome)>;

pub(super) fn of(report: &Report<'_>) -> io::Result<String> {
    let mut files: BTreeMap<&str, Results<'_>> = BTreeMap::new();
    for result in &report.results {
        files.entry(report.sources.name(result.0.span.source)).or_default().push(result);
    }
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let sums = sums(report.results.len(), report.failed());
    let suites =
        writer.create_element("testsuites").with_attribute(("name", "luigi test")).with_attributes(pairs(&sums));
    suites.write_inner_content(|writer| {
        files.iter().try_for_each(|(file, results)| suite(writer, file, results, report))
    })?;
    let mut bytes = writer.into_inner();
    bytes.push(b'\n');
    String::from_utf8(bytes).map_err(io::Error::other)
}

fn suite(writer: &mut Writer<Vec<u8>>, file: &str, results: &Results<'_>, report: &Report<'_>) -> io::Result<()> {
    let failed = results.iter().filter(|(_, outcome)| !outcome.has_passed()).count();
    let sums = sums(results.len(), failed);
    let file = allowed(file);
    let element =
        writer.create_element("testsuite").with_attribute(("name", file.as_str())).with_attributes(pairs(&sums));
    element.write_inner_content(|writer| results.iter().try_for_each(|result| case(writer, &file, result, report)))?;
    Ok(())
}

fn case(
    writer: &mut Writer<Vec<u8>>,
    file: &str,
    (test, outcome): &(&TestCase, TestOutcome),
    report: &Report<'_>,
) -> io::Result<()> {
    let line = report.sources.position(test.span).line.to_string();
    let name = allowed(&test.name);
    let attributes = [("name", name.as_str()), ("classname", file), ("file", file), ("line", line.as_str())];
    let element = writer.create_element("testcase").with_attributes(attributes);
    let problems = outcome.diagnostics(test, report.sources);
    let Some(problem) = problems.iter().next() else {
        element.write_empty()?;
        return Ok(());
    };
    let mut text = problems.render(report.sources, Style::PLAIN);
    if let TestOutcome::Failed(failure) = outcome {
        text.push('\n');
        text.extend(failure.why().iter().map(|line| format!("{line}\n")));
    }
    let message = allowed(&problem.message);
    let attributes = [("message", message.as_str()), ("type", problem.code.as_str())];
    element.write_inner_content(|writer| {
        let failure = writer.create_element("failure").with_attributes(attributes);
        failure.write_text_content(BytesText::new(&allowed(&text)))?;
        io::Result::Ok(())
    })?;
    Ok(())
}

/// The sums that suites have. Tests take no time worth telling.
fn sums(tests: usize, failures: usize) -> [(&'static str, String); 5] {
    let zero = || "0".to_owned();
    [
        ("tests", tests.to_string()),
        ("failures", failures.to_string()),
        ("errors", zero()),
        ("skipped", zero()),
        ("time", zero()),
    ]
}

fn pairs<'s>(sums: &'s [(&'static str, String)]) -> impl Iterator<Item = (&'s str, &'s str)> {
    sums.iter().map(|(name, value)| (*name, value.as_str()))
}

/// The text without the characters that XML 1.0 cannot hold, escaped or not (section 2.2): U+FFFD stands for each of them.
fn allowed(text: &str) -> String {
    let is_allowed =
        |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().map(|c| if is_allowed(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}
