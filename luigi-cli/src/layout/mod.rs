//! The layout of policy files: what `luigi fmt` makes of a text.
//!
//! Works on tokens, not on values, and moves nothing: keys, tables and comments stay in their order, strings and numbers stay as they are
//! written. What changes is space: around `=` and commas, blank lines, where a comment at the end of a line begins, whether a list stands on
//! one line. A list whose author broke it after the bracket stays broken; one that is too long is broken. Lines end as the first one does, with LF or with CRLF. [`tree`] reads the tokens, [`lines`]
//! writes them; here the result is compared with what was meant.

mod lines;
mod tree;

use luigi_core::policy::diagnostics::Code;
use luigi_core::policy::{Diagnostics, SourceSet, parse};

/// The text in its layout.
///
/// # Errors
/// The problems of a text that is not TOML.
pub(crate) fn layout(name: &str, text: &str) -> Result<String, Unreadable> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let value: toml::Table = toml::from_str(text).map_err(|error| Unreadable::new(name, text, &error))?;
    let written = match text.find('\n') {
        Some(end) if text[..end].ends_with('\r') => {
            lines::write(&tree::read(&text.replace("\r\n", "\n"))).replace('\n', "\r\n")
        }
        Some(_) | None => lines::write(&tree::read(text)),
    };
    // Whatever a layout gets wrong, a policy must not change its meaning for it.
    match toml::from_str::<toml::Table>(&written) {
        Ok(same) if same == value => Ok(written),
        Ok(_) | Err(_) => Ok(text.to_owned()),
    }
}

/// A text that is not TOML, with what the parser of policies says about it.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) sources: SourceSet,
    pub(crate) diagnostics: Diagnostics,
}

impl Unreadable {
    fn new(name: &str, text: &str, error: &toml::de::Error) -> Self {
        let mut sources = SourceSet::new();
        sources.add(name, text);
        let all = parse(&sources).diagnostics;
        let syntax = all.clone().only(Code::TomlSyntax);
        // A key that stands twice is no syntax error there.
        let diagnostics = if syntax.is_empty() { all } else { syntax };
        debug_assert!(!diagnostics.is_empty(), "{error}");
        Self { sources, diagnostics }
    }
}

#[cfg(test)]
mod tests;
