//! Regular expressions for paths: what can be said about one without the rest of the policy.
//!
//! What it grows to, and whether a path can fit it, shows when all of a scope are compiled: see `resolve/expressions.rs`.

use super::node::{Text, quoted};
use crate::matchers::path_regex::{Case, syntax_config};
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use regex_automata::util::syntax::parse_with;
use regex_syntax::ast::{self, Ast, Flag};
use regex_syntax::hir::{Hir, HirKind};
use std::convert::Infallible;
use std::ops::Range;

/// The most bytes that an expression can have.
const MAX_BYTES: usize = 4096;

/// Whether the text is an expression that can stand in a scope.
pub(super) fn check(text: &Text, out: &mut Diagnostics) -> bool {
    let pattern = text.value.as_str();
    let mut problem = |at: Range<usize>, label: &str, help: &str| {
        let message = format!("{} is not an expression for paths", quoted(pattern));
        let problem = Diagnostic::error(Code::InvalidPathRegex, text.part(at), message).label(label);
        out.push(if help.is_empty() { problem } else { problem.help(help) });
        false
    };
    if pattern.len() > MAX_BYTES {
        let help = format!("an expression has at most {MAX_BYTES} bytes; list several");
        return problem(0..pattern.len(), "too long", &help);
    }
    if let Some(at) = pattern.find(|c: char| !c.is_ascii()) {
        let character = pattern[at..].chars().next().map_or(0, char::len_utf8);
        let escapes: String = pattern[at..at + character].bytes().map(|byte| format!("%{byte:02X}")).collect();
        let help = format!("paths have escapes in their place: write `{escapes}`");
        return problem(at..at + character, "not ASCII", &help);
    }
    if let Some(at) = fixed_case(pattern) {
        let help = "on hosts with `paths = \"ignore-case\"` it would hold nothing: leave out the `-i`; what ignores case alone stands in `(?i:...)`";
        return problem(at, "whether case matters is the host's to say", help);
    }
    match parse_with(pattern, &syntax_config(Case::Exact)) {
        Err(error) => {
            let (at, label) = match &error {
                regex_syntax::Error::Parse(error) => (error.span(), error.kind().to_string()),
                regex_syntax::Error::Translate(error) => (error.span(), error.kind().to_string()),
                other => return problem(0..pattern.len(), &other.to_string().replace('\n', " "), ""),
            };
            problem(at.start.offset..at.end.offset, &label, "")
        }
        Ok(hir) => match named_group(&hir) {
            Some(name) => {
                let at = pattern.find(&format!("<{name}>")).unwrap_or(0);
                let help = "a group captures nothing here: write `(?:...)`, or a template with `{name}` under `paths` where rules use the name";
                problem(at..(at + name.len() + 2).min(pattern.len()), "a named group", help)
            }
            None => true,
        },
    }
}

/// Where an expression says that case matters, whatever its host says. A text that is no expression has no such place.
fn fixed_case(pattern: &str) -> Option<Range<usize>> {
    struct Finder(Option<Range<usize>>);
    impl ast::Visitor for Finder {
        type Output = Option<Range<usize>>;
        type Err = Infallible;

        fn finish(self) -> Result<Self::Output, Infallible> {
            Ok(self.0)
        }

        fn visit_pre(&mut self, ast: &Ast) -> Result<(), Infallible> {
            let flags = match ast {
                Ast::Flags(set) => Some(&set.flags),
                Ast::Group(group) => group.flags(),
                _ => None,
            };
            if let Some(flags) = flags.filter(|flags| flags.flag_state(Flag::CaseInsensitive) == Some(false)) {
                self.0.get_or_insert(flags.span.start.offset..flags.span.end.offset);
            }
            Ok(())
        }
    }
    let ast = ast::parse::Parser::new().parse(pattern).ok()?;
    let Ok(found) = ast::visit(&ast, Finder(None));
    found
}

/// The name of a group in the expression, if one has a name.
fn named_group(hir: &Hir) -> Option<&str> {
    let mut open = vec![hir];
    while let Some(hir) = open.pop() {
        match hir.kind() {
            HirKind::Capture(capture) => match &capture.name {
                Some(name) => return Some(name),
                None => open.push(&capture.sub),
            },
            HirKind::Repetition(repetition) => open.push(&repetition.sub),
            HirKind::Concat(parts) | HirKind::Alternation(parts) => open.extend(parts),
            HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => {}
        }
    }
    None
}
