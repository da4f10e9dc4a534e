//! Luigi's lines: what is printed for a policy, and which lines of a section are those.
//!
//! Nothing of them is written down here a second time: they are printed and read like any configuration, and lines are compared word by word. Which
//! headers backends get and whether paths are forwarded as received was chosen when they were printed, so both are found out from what is there.

use super::sections::{Config, Line, Proxy, Section};
use luigi_core::policy::SourceSet;
use luigi_core::policy::model::Policy;
use luigi_runtime::facts::{BASE, FactList};
use luigi_runtime::haproxy_config::{
    ForwardedPath, IdentityHeader, Options, backend_lines, facts_line, frontend_lines,
};

/// What is printed for a policy.
#[derive(Debug)]
pub(super) struct Printed {
    /// What the policy's rules ask for.
    pub(super) needed: FactList,
    /// Every line for a frontend, in order.
    lines: Vec<PrintedLine>,
    /// The line for backends whose connections may be upgraded.
    tunnel: PrintedLine,
}

/// A line that is printed.
#[derive(Debug)]
pub(super) struct PrintedLine {
    line: Line,
    /// As it is printed, without the space before it.
    pub(super) text: String,
    part: Part,
}

/// Which lines belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Without which nothing is decided.
    Gate,
    /// Not there with `--forward received`.
    Canonical,
    /// As many as headers were asked for.
    Headers,
}

/// The lines of Luigi's that a section has.
#[derive(Debug)]
pub(super) struct Gate<'c> {
    /// Every `http-request` rule, in the order of evaluation, and which printed line it is.
    pub(super) rules: Vec<(&'c Section, &'c Line, Option<usize>)>,
    /// The rule that collects the facts, or else the first one of Luigi's.
    pub(super) first: usize,
    /// The rule that asks for the decision, or else the last one of Luigi's.
    pub(super) decided: usize,
    /// What the facts carry; `None` if they are not collected by any line that was ever printed.
    pub(super) carried: Option<FactList>,
}

impl Printed {
    /// What is printed for a policy, every header and canonical paths included.
    pub(super) fn for_policy(policy: &Policy) -> Self {
        let needed = FactList::of_policy(policy);
        let print = |headers: &[IdentityHeader], forward| {
            let options = Options { headers: headers.to_vec(), forward, facts: needed.clone(), ..Options::default() };
            read(&frontend_lines(&options))
        };
        let gate = print(&[], ForwardedPath::Received);
        let canonical = print(&[], ForwardedPath::Canonical);
        let is_in = |lines: &[(Line, String)], line: &Line| lines.iter().any(|(known, _)| known.is_like(line));
        let all = print(&IdentityHeader::ALL, ForwardedPath::Canonical).into_iter();
        let lines = all.map(|(line, text)| {
            let part = match (is_in(&gate, &line), is_in(&canonical, &line)) {
                (true, _) => Part::Gate,
                (false, true) => Part::Canonical,
                (false, false) => Part::Headers,
            };
            PrintedLine { line, text, part }
        });
        let lines = lines.collect();
        let (line, text) = read(&backend_lines()).pop().expect("a line for backends");
        Self { needed, lines, tunnel: PrintedLine { line, text, part: Part::Gate } }
    }

    pub(super) fn line(&self, at: usize) -> &PrintedLine {
        &self.lines[at]
    }

    /// The line that collects the facts.
    pub(super) fn facts(&self) -> &PrintedLine {
        self.lines.iter().find(|printed| is_facts(&printed.line)).expect("a line of facts")
    }

    /// The line for backends, unless they have it.
    pub(super) fn missing_tunnel(&self, backend: Proxy<'_>) -> Option<&PrintedLine> {
        let has = backend.with("http-request").iter().any(|(_, line)| line.is_like(&self.tunnel.line));
        (!has).then_some(&self.tunnel)
    }

    /// Luigi's lines in a section; `None` if it has none at all.
    pub(super) fn find<'c>(&self, proxy: Proxy<'c>) -> Option<Gate<'c>> {
        let mut carried = None;
        let rules = proxy.with("http-request").into_iter().map(|(section, line)| {
            let facts = carried_by(line);
            let which = match &facts {
                Some(_) => self.lines.iter().position(|printed| is_facts(&printed.line)),
                None => self.lines.iter().position(|printed| printed.line.is_like(line)),
            };
            carried = carried.take().or(facts);
            (section, line, which)
        });
        let mut rules: Vec<_> = rules.collect();
        // Anybody may switch strict mode before Luigi's lines; theirs stand behind others of them.
        let before = rules.iter_mut().take_while(|(_, line, which)| which.is_none() || line.action() == "strict-mode");
        before.for_each(|(_, _, which)| *which = None);
        let is_gate = |(_, line, _): &(&Section, &Line, Option<usize>)| is_gate(line);
        let asks = |(_, line, _): &(&Section, &Line, Option<usize>)| line.word(1) == "set-var(txn.luigi.out)";
        let first = rules.iter().position(is_gate)?;
        let decided = rules.iter().position(asks).or_else(|| rules.iter().rposition(is_gate))?;
        Some(Gate { rules, first, decided, carried })
    }

    /// The lines that a section should have and has not, each with the line there that was probably meant to be it.
    pub(super) fn missing<'p, 'c>(&'p self, gate: &Gate<'c>) -> Vec<(&'p PrintedLine, Option<&'c Line>)> {
        let is_there = |at: usize| gate.rules.iter().any(|(_, _, which)| *which == Some(at));
        let is_canonical = (0..self.lines.len()).any(|at| self.lines[at].part == Part::Canonical && is_there(at));
        let missing = self.lines.iter().enumerate().filter(|(at, printed)| match printed.part {
            Part::Gate => !is_there(*at),
            Part::Canonical => is_canonical && !is_there(*at),
            Part::Headers => false,
        });
        let mut taken: Vec<&Line> = Vec::new();
        let meant = missing.map(|(_, printed)| {
            let mut others = gate.rules.iter().filter(|(_, _, which)| which.is_none()).map(|(_, line, _)| *line);
            let meant = others
                .find(|line| resembles(line, &printed.line) && !taken.iter().any(|known| std::ptr::eq(*known, *line)));
            taken.extend(meant);
            (printed, meant)
        });
        meant.collect()
    }

    /// The first of Luigi's lines that stands before one that belongs before it, or a second time.
    pub(super) fn misplaced<'c>(&self, gate: &Gate<'c>) -> Option<&'c Line> {
        let ours: Vec<_> = gate.rules.iter().filter_map(|(_, line, which)| Some((*line, (*which)?))).collect();
        ours.windows(2).find(|pair| pair[1].1 <= pair[0].1).map(|pair| pair[1].0)
    }
}

impl Gate<'_> {
    /// Whether HAProxy goes on with the path that was decided.
    pub(super) fn forwards_canonical(&self, printed: &Printed) -> bool {
        self.rules.iter().filter_map(|(_, _, which)| *which).any(|at| printed.line(at).part == Part::Canonical)
    }
}

/// Reads lines for a section.
fn read(text: &str) -> Vec<(Line, String)> {
    let mut sources = SourceSet::new();
    sources.add("printed", format!("frontend luigi\n{text}"));
    let config = Config::read(&sources);
    let section = config.sections.into_iter().next().expect("one section");
    section
        .lines
        .into_iter()
        .map(|line| (sources.slice(line.span()).to_owned(), line))
        .map(|(text, line)| (line, text))
        .collect()
}

fn is_facts(line: &Line) -> bool {
    line.word(1) == "set-var-fmt(txn.luigi.in)" && line.word(2).starts_with(BASE)
}

/// What a line of facts carries, if it is one as it is printed for some policy.
fn carried_by(line: &Line) -> Option<FactList> {
    let names = line.word(2).split('\n').next()?.strip_prefix(BASE).filter(|_| is_facts(line))?;
    let facts = FactList::parse(names).ok()?;
    read(&facts_line(&facts)).first()?.0.is_like(line).then_some(facts)
}

/// Whether a rule is part of the way from facts to a decision, as it is printed or not.
fn is_gate(line: &Line) -> bool {
    matches!(line.action(), "lua.luigi_refuse" | "lua.luigi_failed")
        || line.word(1).ends_with("(txn.luigi.in)")
        || line.word(1).ends_with("(txn.luigi.out)")
        || line.word(1).ends_with("(txn.luigi.begin)")
}

/// Whether a rule that is no printed line was probably meant to be this one.
fn resembles(line: &Line, printed: &Line) -> bool {
    let about = |line: &Line, word: &str| line.words.iter().any(|other| other.text.contains(word));
    line.word(1) == printed.word(1)
        && match line.action() {
            "del-header" => line.word(2) == printed.word(2),
            "set-var-fmt" => line.word(2).starts_with("luigi-facts/") == printed.word(2).starts_with("luigi-facts/"),
            "deny" | "set-path" => about(line, "txn.luigi."),
            _ => true,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use luigi_core::policy::parse;

    fn printed(policy: &str) -> Printed {
        let mut sources = SourceSet::new();
        sources.add("policy.toml", policy);
        Printed::for_policy(&parse(&sources).policy.expect("a policy without errors"))
    }

    /// What is found in a frontend with these lines: how many lines are missing, and whether one is misplaced.
    fn found(printed: &Printed, lines: &str) -> Option<(usize, bool)> {
        let mut sources = SourceSet::new();
        sources.add("haproxy.cfg", format!("frontend www\n{lines}"));
        let config = Config::read(&sources);
        let gate = printed.find(config.entrances().next().unwrap())?;
        Some((printed.missing(&gate).len(), printed.misplaced(&gate).is_some()))
    }

    #[test]
    fn lines_are_recognised_whatever_was_asked_for_when_they_were_printed() {
        let policy = "schema = 1\n[facts.zone]\nvalues = [\"a\"]\n[scopes.a]\nhosts = \"any\"\noperations = [\"GET /\"]\n\
            [[rules]]\nid = \"a\"\neffect = \"allow\"\nscopes = [\"a\"]\nsubject = \"anyone\"\nfacts = { zone = [\"a\"] }\n";
        let printed = printed(policy);
        assert_eq!(printed.needed.to_string(), "fact:zone");
        for forward in [ForwardedPath::Canonical, ForwardedPath::Received] {
            for headers in [&IdentityHeader::ALL[..], &[], &[IdentityHeader::Groups]] {
                for facts in ["", "fact:zone", "certificate fact:zone header:x-team"] {
                    let facts = FactList::parse(facts).unwrap();
                    let options =
                        Options { headers: headers.to_vec(), forward, facts: facts.clone(), ..Options::default() };
                    let text = frontend_lines(&options);
                    assert_eq!(found(&printed, &text), Some((0, false)), "{text}");
                    let mut sources = SourceSet::new();
                    sources.add("haproxy.cfg", format!("frontend www\n{text}"));
                    let config = Config::read(&sources);
                    let gate = printed.find(config.entrances().next().unwrap()).unwrap();
                    assert_eq!(gate.carried, Some(facts));
                    assert_eq!(gate.forwards_canonical(&printed), forward == ForwardedPath::Canonical);
                }
            }
        }
        assert_eq!(found(&printed, " http-request deny if { path /x }\n"), None);
    }

    #[test]
    fn no_line_of_the_gate_can_be_left_out_changed_or_moved() {
        let printed = printed("schema = 1\n");
        let options = Options { headers: IdentityHeader::ALL.to_vec(), ..Options::default() };
        let text = frontend_lines(&options);
        let rules: Vec<&str> = text.lines().filter(|line| line.trim().starts_with("http-request")).collect();
        for (at, rule) in rules.iter().enumerate() {
            let is_header = rule.contains("strict-mode") || rule.contains("set-header");
            let mut without = rules.clone();
            without.remove(at);
            let expected = Some((usize::from(!is_header), false));
            assert_eq!(found(&printed, &(without.join("\n") + "\n")), expected, "without {rule}");
            let changed = text.replace(rule, &format!("{rule} {{ path_beg /api }}"));
            assert_eq!(found(&printed, &changed), expected, "changed {rule}");
            if at > 0 {
                let mut moved = rules.clone();
                moved.swap(at - 1, at);
                assert_eq!(found(&printed, &(moved.join("\n") + "\n")), Some((0, true)), "{rule} first");
            }
        }
        assert_eq!(found(&printed, &format!("{text}{text}")), Some((0, true)), "twice");
    }
}
