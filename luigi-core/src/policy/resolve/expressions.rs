//! The regular expressions of scopes: compiled here, once, within bounds.

use crate::matchers::path_regex::{
    Case, CompileError, FinalSlash, MAX_POLICY_AUTOMATON_BYTES, MAX_SCOPE_AUTOMATON_BYTES, compile,
    unreachable_patterns,
};
use crate::method::MethodSet;
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::policy::model::{Automaton, HostId, HostProperties, PathRegex, Table};
use crate::policy::syntax::{Text, quoted};

/// Compiles the expressions of one scope after the other, out of one budget.
pub(super) struct Compiler {
    /// How many bytes the automata of the policy may still have. An attempt that fails costs as much as the largest that succeeds, so that
    /// what this takes is bounded whatever the policy says.
    left: usize,
    /// Whether a host of the policy ignores case, so that each automaton is needed twice.
    folded: bool,
    slash: FinalSlash,
}

impl Compiler {
    pub(super) fn new(hosts: &Table<HostId, HostProperties>) -> Self {
        let distinct = hosts.iter().any(|(_, row)| row.slash_matters);
        Self {
            left: MAX_POLICY_AUTOMATON_BYTES,
            folded: hosts.iter().any(|(_, row)| row.ignores_case),
            slash: if distinct { FinalSlash::Possible } else { FinalSlash::Gone },
        }
    }

    /// The expressions of a scope, each of which is well formed.
    pub(super) fn path_regex(
        &mut self,
        scope: &str,
        methods: MethodSet,
        texts: &[Text],
        out: &mut Diagnostics,
    ) -> Option<PathRegex> {
        let mut texts: Vec<&Text> = texts.iter().collect();
        texts.sort_by(|a, b| a.value.cmp(&b.value));
        let patterns: Vec<&str> = texts.iter().map(|text| text.value.as_str()).collect();
        let exact = self.compile(&patterns, Case::Exact);
        let both = exact.and_then(|exact| {
            let folded = self.folded.then(|| self.compile(&patterns, Case::Ignored)).transpose()?;
            Ok((exact, folded))
        });
        let (automaton, folded) = match both {
            Ok(both) => both,
            Err(problem) => {
                out.push(self.problem(scope, &texts, problem));
                return None;
            }
        };
        let unreachable = unreachable_patterns(&automaton.0, patterns.len(), self.slash);
        for at in &unreachable {
            out.push(no_path(texts[*at]));
        }
        let patterns = patterns.into_iter().map(str::to_owned).collect();
        unreachable.is_empty().then_some(PathRegex { methods, patterns, automaton, folded })
    }

    fn compile(&mut self, patterns: &[&str], case: Case) -> Result<Automaton, CompileError> {
        let most = self.left.min(MAX_SCOPE_AUTOMATON_BYTES);
        let compiled = compile(patterns, case, most);
        let spent = compiled.as_ref().map_or(MAX_SCOPE_AUTOMATON_BYTES, Vec::len);
        self.left = self.left.saturating_sub(spent);
        compiled.map(Automaton)
    }

    /// What to say about expressions that cannot be compiled.
    fn problem(&mut self, scope: &str, texts: &[&Text], problem: CompileError) -> Diagnostic {
        // Which one it is shows when each is compiled by itself, if there is enough left to try.
        let enough = self.left / MAX_SCOPE_AUTOMATON_BYTES >= texts.len();
        let culprit = texts
            .iter()
            .copied()
            .filter(|_| enough)
            .find_map(|text| Some((text, self.compile(&[text.value.as_str()], Case::Exact).err()?)));
        match (culprit, problem) {
            (Some((text, CompileError::Unsupported(why))), _) => {
                let message = format!("{} is not an expression for paths", quoted(&text.value));
                Diagnostic::error(Code::InvalidPathRegex, text.span, message).label(why)
            }
            (Some((text, CompileError::TooLarge)), _) => {
                let message = format!("{} grows beyond what is loaded", quoted(&text.value));
                let problem = Diagnostic::error(Code::PathRegexTooLarge, text.span, message);
                problem
                    .label(format!("its automaton would have more than {} KiB", MAX_SCOPE_AUTOMATON_BYTES / 1024))
                    .help(
                        "write a path template, or narrow what may be repeated: `[^/]{1,20}` behind a fixed beginning",
                    )
            }
            (None, CompileError::Unsupported(why)) => {
                // UNSHOWN: each expression was compiled alone before, and what is not supported was said of it.
                let message = format!("scope {} has an expression that cannot be compiled", quoted(scope));
                Diagnostic::error(Code::InvalidPathRegex, texts[0].span, message).label(why)
            }
            (None, CompileError::TooLarge) => {
                let message = format!("the expressions of scope {} together grow beyond what is loaded", quoted(scope));
                let problem = Diagnostic::error(Code::PathRegexTooLarge, texts[0].span, message);
                let scope = MAX_SCOPE_AUTOMATON_BYTES / 1024;
                let all = MAX_POLICY_AUTOMATON_BYTES / 1024 / 1024;
                problem
                    .label(format!("more than {scope} KiB, or what is left of {all} MiB for all scopes"))
                    .help("spread them over several scopes, or write path templates")
            }
        }
    }
}

fn no_path(text: &Text) -> Diagnostic {
    let message = format!("no request has a path that {} holds", quoted(&text.value));
    let pattern = text.value.trim_start_matches('^');
    let help = if !pattern.starts_with(['/', '(', '[', '.', '\\']) {
        "an expression is about the whole path, which begins with `/`"
    } else if pattern.trim_end_matches('$').ends_with('/') {
        "`/a` and `/a/` are one: leave out the final `/`"
    } else if pattern.contains("\\?") {
        "a path has no query: leave out what begins with `?`"
    } else if pattern.contains('%') {
        "escapes stand in upper case, and only what cannot stand as itself is one: `%20`, `%C3%A9`"
    } else {
        "an expression is about the whole canonical path: it begins with `/`, has no empty segment, no final `/`, and `%20` for a space"
    };
    Diagnostic::error(Code::InvalidPathRegex, text.span, message).help(help)
}
