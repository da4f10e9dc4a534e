//! The sections of a configuration and what each proxy has of its `defaults`.
//!
//! Keywords are not checked: HAProxy does that. What matters is which lines a `frontend`, `listen` or `backend` has, in which order HAProxy evaluates
//! them, and where they stand.

use super::words::{Word, words};
use luigi_core::policy::SourceSet;
use luigi_core::policy::source::{SourceId, Span};
use std::ops::Range;

/// A configuration, read from one or several files.
#[derive(Debug, Default)]
pub(super) struct Config {
    pub(super) sections: Vec<Section>,
    /// Every comment that stands alone or behind a line, in order.
    pub(super) comments: Vec<Comment>,
    /// Lines that HAProxy does not read.
    pub(super) broken: Vec<Broken>,
}

/// What kind of section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Global,
    Defaults,
    Frontend,
    Backend,
    Listen,
    /// Nothing that requests go through.
    Other,
}

/// A section.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) kind: Kind,
    /// Its name; empty if it has none.
    pub(super) name: String,
    /// The line that begins it.
    pub(super) header: Span,
    pub(super) lines: Vec<Line>,
    /// The `defaults` that it takes its own from, by place among the sections.
    parent: Option<usize>,
}

/// A line with words.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) words: Vec<Word>,
    pub(super) source: SourceId,
    /// The `.if` that it stands under, the outermost one.
    pub(super) under_if: Option<Span>,
}

/// A comment.
#[derive(Debug)]
pub(super) struct Comment {
    pub(super) span: Span,
    /// The number of the line that it is about: its own, or the next one with words if it stands alone.
    pub(super) about: usize,
}

/// A line that HAProxy does not read.
#[derive(Debug)]
pub(super) enum Broken {
    /// A quote that nothing closes.
    Quote(Span),
    /// A line before the first section.
    NoSection(Span),
    /// A section that needs a name and has none.
    NoName(Span),
    /// `from` names a section that is not there.
    NoSuchDefaults(Span),
}

const SECTIONS: [(&str, Kind); 20] = [
    ("global", Kind::Global),
    ("defaults", Kind::Defaults),
    ("frontend", Kind::Frontend),
    ("backend", Kind::Backend),
    ("listen", Kind::Listen),
    ("acme", Kind::Other),
    ("cache", Kind::Other),
    ("crt-store", Kind::Other),
    ("dynamic-update", Kind::Other),
    ("fcgi-app", Kind::Other),
    ("http-errors", Kind::Other),
    ("log-forward", Kind::Other),
    ("log-profile", Kind::Other),
    ("mailers", Kind::Other),
    ("peers", Kind::Other),
    ("program", Kind::Other),
    ("resolvers", Kind::Other),
    ("ring", Kind::Other),
    ("traces", Kind::Other),
    ("userlist", Kind::Other),
];

/// A place in a source.
pub(super) fn span(source: SourceId, place: &Range<usize>) -> Span {
    let clamp = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Span { source, start: clamp(place.start), end: clamp(place.end) }
}

impl Config {
    /// Reads the sources in their order. Never panics, whatever they hold.
    pub(super) fn read(sources: &SourceSet) -> Self {
        let mut config = Self::default();
        for source in sources.ids() {
            config.read_one(source, sources.text(source));
        }
        config
    }

    fn read_one(&mut self, source: SourceId, text: &str) {
        let mut blocks: Vec<Span> = Vec::new();
        // Comments that stand alone are about the next line that does not.
        let mut waiting: Vec<usize> = Vec::new();
        let mut start = 0;
        for (number, line) in text.split_inclusive('\n').enumerate() {
            let place = start..start + line.trim_end_matches('\n').len();
            start += line.len();
            let found = words(text, place);
            if let Some(comment) = &found.comment {
                if found.words.is_empty() {
                    waiting.push(self.comments.len());
                }
                self.comments.push(Comment { span: span(source, comment), about: number });
            }
            if found.words.is_empty() {
                continue;
            }
            waiting.drain(..).for_each(|comment| self.comments[comment].about = number);
            if let Some(quote) = &found.unclosed {
                self.broken.push(Broken::Quote(span(source, quote)));
                continue;
            }
            let line = Line { words: found.words, source, under_if: blocks.first().copied() };
            match line.word(0) {
                ".if" => blocks.push(line.span()),
                ".endif" => drop(blocks.pop()),
                directive if directive.starts_with('.') => {}
                _ => self.line(line),
            }
        }
    }

    fn line(&mut self, line: Line) {
        let known = SECTIONS.iter().find(|(keyword, _)| *keyword == line.word(0));
        let Some((_, kind)) = known else {
            match self.sections.last_mut() {
                Some(section) => section.lines.push(line),
                None => self.broken.push(Broken::NoSection(line.span())),
            }
            return;
        };
        let from = line.words.iter().position(|word| word.text == "from").filter(|at| *at > 0);
        let name = line.words.get(1).filter(|_| from != Some(1)).map(|word| word.text.clone()).unwrap_or_default();
        let needs_name = matches!(kind, Kind::Frontend | Kind::Backend | Kind::Listen);
        if needs_name && name.is_empty() {
            self.broken.push(Broken::NoName(line.span()));
        }
        let defaults = |wanted: &dyn Fn(&Section) -> bool| {
            self.sections.iter().rposition(|section| section.kind == Kind::Defaults && wanted(section))
        };
        let parent = match from.and_then(|at| line.words.get(at + 1)) {
            Some(word) => {
                let found = defaults(&|section| section.name == word.text);
                if found.is_none() {
                    self.broken.push(Broken::NoSuchDefaults(span(line.source, &word.place)));
                }
                found
            }
            None if needs_name => defaults(&|_| true),
            None => None,
        };
        self.sections.push(Section { kind: *kind, name, header: line.span(), lines: Vec::new(), parent });
    }

    /// The frontends and `listen` sections: where requests come in. Not those that are `disabled`: HAProxy does not start them.
    pub(super) fn entrances(&self) -> impl Iterator<Item = Proxy<'_>> {
        self.proxies(|kind| matches!(kind, Kind::Frontend | Kind::Listen)).filter(|proxy| !proxy.is_disabled())
    }

    /// The backend or `listen` section of a name.
    pub(super) fn backend(&self, name: &str) -> Option<Proxy<'_>> {
        self.proxies(|kind| matches!(kind, Kind::Backend | Kind::Listen)).find(|proxy| proxy.section().name == name)
    }

    fn proxies(&self, wanted: impl Fn(Kind) -> bool) -> impl Iterator<Item = Proxy<'_>> {
        let all = self.sections.iter().enumerate();
        all.filter(move |(_, section)| wanted(section.kind)).map(|(at, _)| Proxy { config: self, at })
    }

    /// The lines of all `global` sections.
    pub(super) fn global(&self) -> impl Iterator<Item = &Line> {
        self.sections.iter().filter(|section| section.kind == Kind::Global).flat_map(|section| &section.lines)
    }
}

impl Section {
    /// Whether requests go through it, or through others that have its lines.
    pub(super) fn is_proxy(&self) -> bool {
        matches!(self.kind, Kind::Defaults | Kind::Frontend | Kind::Backend | Kind::Listen)
    }
}

impl Line {
    /// A word of the line; empty if there are not so many.
    pub(super) fn word(&self, at: usize) -> &str {
        self.words.get(at).map_or("", |word| word.text.as_str())
    }

    /// From the first word to the last.
    pub(super) fn span(&self) -> Span {
        let ends = (self.words.first(), self.words.last());
        let place = match ends {
            (Some(first), Some(last)) => first.place.start..last.place.end,
            _ => 0..0,
        };
        span(self.source, &place)
    }

    /// The place of a word, or of the whole line if there are not so many.
    pub(super) fn word_span(&self, at: usize) -> Span {
        self.words.get(at).map_or_else(|| self.span(), |word| span(self.source, &word.place))
    }

    /// Whether two lines are the same words.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.words.iter().map(|word| &word.text).eq(other.words.iter().map(|word| &word.text))
    }

    /// The name of the action of an `http-request` rule, without what stands in parentheses.
    pub(super) fn action(&self) -> &str {
        let word = self.word(1);
        word.split_once('(').map_or(word, |(name, _)| name)
    }

    /// The words after `if` or `unless`, and whether it is `unless`.
    pub(super) fn condition(&self) -> Option<(bool, &[Word])> {
        let at = self.words.iter().skip(1).position(|word| word.text == "if" || word.text == "unless")? + 1;
        Some((self.words[at].text == "unless", &self.words[at + 1..]))
    }
}

/// A `frontend`, `listen` or `backend` with what it has of its `defaults`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Proxy<'c> {
    config: &'c Config,
    at: usize,
}

impl<'c> Proxy<'c> {
    pub(super) fn section(self) -> &'c Section {
        &self.config.sections[self.at]
    }

    pub(super) fn name(self) -> &'c str {
        &self.section().name
    }

    /// The sections that it is made of: the `defaults`, the outermost first, and itself.
    fn chain(self) -> Vec<&'c Section> {
        let mut chain = vec![self.section()];
        // Each parent stands before its child, so this ends.
        while let Some(parent) = chain.last().and_then(|section| section.parent) {
            chain.push(&self.config.sections[parent]);
        }
        chain.reverse();
        chain
    }

    /// Its lines in the order of evaluation, those of `defaults` first, each with the section that it stands in.
    pub(super) fn lines(self) -> Vec<(&'c Section, &'c Line)> {
        self.chain().into_iter().flat_map(|section| section.lines.iter().map(move |line| (section, line))).collect()
    }

    /// Its lines that begin with this word.
    pub(super) fn with(self, keyword: &str) -> Vec<(&'c Section, &'c Line)> {
        let mut lines = self.lines();
        lines.retain(|(_, line)| line.word(0) == keyword);
        lines
    }

    fn is_disabled(self) -> bool {
        let mut words = self.lines().into_iter().map(|(_, line)| line.word(0));
        words.rfind(|word| matches!(*word, "disabled" | "enabled")) == Some("disabled")
    }

    /// Whether it is in http mode. HAProxy's default is tcp.
    pub(super) fn is_http(self) -> bool {
        self.with("mode").last().is_some_and(|(_, line)| line.word(1) == "http")
    }

    /// The line that switches an option on, if the last one about it does.
    pub(super) fn option(self, name: &str) -> Option<&'c Line> {
        let about = |line: &Line| match line.word(0) {
            "option" => (line.word(1) == name).then_some(true),
            "no" | "default" => (line.word(1) == "option" && line.word(2) == name).then_some(false),
            _ => None,
        };
        let (line, on) = self.lines().into_iter().filter_map(|(_, line)| Some((line, about(line)?))).next_back()?;
        on.then_some(line)
    }

    /// The line that names the backend for what no rule leads elsewhere.
    pub(super) fn default_backend(self) -> Option<&'c Line> {
        self.with("default_backend").pop().map(|(_, line)| line)
    }

    /// Whether requests go from here to servers directly.
    pub(super) fn has_servers(self) -> bool {
        let leads = |line: &Line| {
            matches!(line.word(0), "server" | "server-template" | "dispatch")
                || (line.word(0) == "option" && matches!(line.word(1), "transparent" | "http_proxy"))
        };
        self.section().kind != Kind::Frontend && self.lines().iter().any(|(_, line)| leads(line))
    }

    /// Whether both are the same section.
    pub(super) fn is_same(self, other: Self) -> bool {
        self.at == other.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> (Config, SourceSet) {
        let mut sources = SourceSet::new();
        sources.add("haproxy.cfg", text);
        (Config::read(&sources), sources)
    }

    const TEXT: &str = "\
# a comment
global
    maxconn 10

defaults base
    mode http
    option httpslog
    http-request deny if { path /x }

defaults strict from base
    no option httpslog
    default_backend app

frontend www from strict
    bind :80 # behind
    http-request return status 200 if { path /y }

frontend plain
    bind :81

backend app from base
    server s 192.0.2.1:80
";

    #[test]
    fn a_proxy_has_what_its_defaults_have() {
        let (config, _) = config(TEXT);
        assert!(config.broken.is_empty(), "{:?}", config.broken);
        let entrances: Vec<_> = config.entrances().collect();
        assert_eq!(entrances.iter().map(|proxy| proxy.name()).collect::<Vec<_>>(), ["www", "plain"]);
        let www = entrances[0];
        assert!(www.is_http() && www.option("httpslog").is_none() && !www.has_servers());
        assert_eq!(www.default_backend().unwrap().word(1), "app");
        let rules: Vec<_> =
            www.with("http-request").iter().map(|(section, line)| (&*section.name, line.action())).collect();
        assert_eq!(rules, [("base", "deny"), ("www", "return")]);
        // Without `from` it is the last one.
        assert!(entrances[1].option("httpslog").is_none() && entrances[1].default_backend().is_some());
        let app = config.backend("app").unwrap();
        assert!(app.has_servers() && app.option("httpslog").is_some());
        assert!(config.backend("www").is_none());
    }

    #[test]
    fn what_is_disabled_takes_no_requests() {
        let (config, _) =
            config("defaults\n disabled\nfrontend a\n bind :1\nfrontend b\n enabled\nlisten c\n enabled\n disabled\n");
        assert_eq!(config.entrances().map(|proxy| proxy.name()).collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn comments_are_about_a_line() {
        let (config, sources) = config(TEXT);
        let about: Vec<_> =
            config.comments.iter().map(|comment| (sources.slice(comment.span), comment.about)).collect();
        assert_eq!(about, [("# a comment", 1), ("# behind", 14)]);
    }

    #[test]
    fn what_haproxy_does_not_read_is_said() {
        let (config, sources) = config("bind :80\nfrontend\n  acl a path \"b\nfrontend x from none\n");
        let broken: Vec<_> = config
            .broken
            .iter()
            .map(|broken| match broken {
                Broken::NoSection(span) => ("no section", sources.slice(*span)),
                Broken::NoName(span) => ("no name", sources.slice(*span)),
                Broken::Quote(span) => ("quote", sources.slice(*span)),
                Broken::NoSuchDefaults(span) => ("no defaults", sources.slice(*span)),
            })
            .collect();
        let expected = [("no section", "bind :80"), ("no name", "frontend"), ("quote", "\"b"), ("no defaults", "none")];
        assert_eq!(broken, expected);
    }

    #[test]
    fn both_branches_are_read_and_marked() {
        let (config, _) = config(
            "frontend a\n .if defined(X)\n bind :1\n .if 1\n bind :2\n .endif\n .else\n bind :3\n .endif\n bind :4\n",
        );
        let lines = &config.sections[0].lines;
        let marked: Vec<_> = lines.iter().map(|line| (line.word(1), line.under_if.is_some())).collect();
        assert_eq!(marked, [(":1", true), (":2", true), (":3", true), (":4", false)]);
        assert_eq!(lines[0].under_if, lines[1].under_if);
    }
}
