//! `luigi check --explain`: what the codes of problems mean.

use crate::Found;
use crate::failure::Failure;
use crate::output::{Format, print, print_json, style};
use luigi_core::explain::Tone;
use luigi_core::policy::diagnostics::{Code, Severity};
use serde_json::json;

/// Explains one code, or lists all.
pub(crate) fn explain(code: &str, format: Format) -> Result<Found, Failure> {
    if code == "list" {
        match format {
            Format::Human => print(&Code::every().map(line).collect::<String>())?,
            Format::Json => print_json(&Code::every().map(json_of).collect::<Vec<_>>())?,
        }
        return Ok(Found::Fine);
    }
    let Some(found) = Code::find(code) else {
        let shown = code.escape_debug();
        let help = match Code::suggestion(code) {
            Some(close) => format!("did you mean `{}`?", close.as_str()),
            None => "`luigi check --explain` lists all codes".to_owned(),
        };
        return Err(Failure::usage(format!("there is no code `{shown}`\nhelp: {help}")));
    };
    match format {
        Format::Human => print(&text(found))?,
        Format::Json => print_json(&json_of(found))?,
    }
    Ok(Found::Fine)
}

fn severity(code: Code) -> Severity {
    match code {
        Code::Lint(lint) => lint.severity(),
        Code::Haproxy(lint) => lint.severity(),
        _ => Severity::Error,
    }
}

fn heading(code: Code) -> String {
    let style = style(match severity(code) {
        Severity::Error => Tone::Bad,
        Severity::Warning => Tone::Doubtful,
    });
    format!("{style}{}[{}]{style:#}", severity(code).as_str(), code.as_str())
}

fn line(code: Code) -> String {
    let first = code.explanation().split_inclusive(". ").next().unwrap_or_default();
    format!("{}: {}\n", heading(code), first.trim_end())
}

fn text(code: Code) -> String {
    let mut text = format!("{}\n\n{}", heading(code), wrapped(code.explanation()));
    if let Some((wrong, right)) = example(code) {
        text.push_str(&format!("\nFound in, for example:\n\n{}", indented(wrong)));
        text.push_str(&format!("\nNot found in:\n\n{}", indented(right)));
    }
    text
}

fn example(code: Code) -> Option<(&'static str, &'static str)> {
    match code {
        Code::Lint(lint) => Some((lint.example(), lint.cured())).filter(|(wrong, _)| !wrong.is_empty()),
        Code::Haproxy(lint) => Some((lint.example(), lint.cured())),
        _ => None,
    }
}

fn indented(text: &str) -> String {
    let line = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") };
    text.lines().map(line).collect()
}

/// Broken between words, each line ended.
fn wrapped(text: &str) -> String {
    const WIDTH: usize = 100;
    let mut wrapped = String::new();
    let mut column = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > WIDTH {
            wrapped.push('\n');
            column = 0;
        } else if column > 0 {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.push_str(word);
        column += length;
    }
    wrapped + "\n"
}

fn json_of(code: Code) -> serde_json::Value {
    let example = example(code);
    json!({
        "code": code.as_str(),
        "severity": severity(code).as_str(),
        "explanation": code.explanation(),
        "example": example.map(|(wrong, _)| wrong),
        "cured": example.map(|(_, right)| right),
    })
}
