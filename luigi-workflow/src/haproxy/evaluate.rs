//! What a condition comes to for requests of one host, whatever else they are: it holds, it does not, or that depends on something.
//!
//! What it depends on is kept, since that is the point: what the decision sees, too, is no danger; what a client chooses apart from the Host is; and what is not
//! understood is said to be so.

use super::conditions::{Comparison, Condition, Sample, Term, Test};
use super::sections::{Line, Proxy};
use regex_automata::nfa::thompson::{self, pikevm::PikeVM};
use regex_automata::util::syntax;
use std::collections::{BTreeMap, BTreeSet};

/// Something that the result depends on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reason {
    /// The decision sees it, too: target, method, what facts carry.
    Decided,
    /// How the servers or tables are at the moment; nothing that a request says.
    Circumstance,
    /// Something of the connection or the request that nothing decides by; as it is written.
    Undecided(String),
    /// It is not worked out; what it is.
    NotUnderstood(String),
}

/// What a condition comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) can_hold: bool,
    pub(super) can_fail: bool,
    /// Empty unless both can be.
    pub(super) reasons: BTreeSet<Reason>,
}

/// The requests that are looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Requests<'r> {
    /// The Host header, as it is received.
    pub(super) host: &'r str,
    /// The host in TLS, where the configuration sees to it that it is that of the Host.
    pub(super) sni: Option<&'r str>,
}

/// What of a request the decision sees beside its target and method.
#[derive(Clone, Debug, Default)]
pub(super) struct Decided {
    /// Headers, in lower case.
    pub(super) headers: BTreeSet<String>,
    /// Parameters of the query.
    pub(super) parameters: BTreeSet<String>,
}

/// What is known about every request of a section.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Variables that are always set, and to what.
    variables: BTreeMap<String, Sample>,
    /// Whether connections are encrypted, if all are or none is.
    is_tls: Option<bool>,
    /// What facts carry.
    decided: Decided,
}

impl Outcome {
    fn certain(holds: bool) -> Self {
        Self { can_hold: holds, can_fail: !holds, reasons: BTreeSet::new() }
    }

    fn depends_on(reason: Reason) -> Self {
        Self { can_hold: true, can_fail: true, reasons: [reason].into() }
    }

    fn not(mut self) -> Self {
        std::mem::swap(&mut self.can_hold, &mut self.can_fail);
        self
    }

    fn and(mut self, other: Self) -> Self {
        self.can_hold &= other.can_hold;
        self.can_fail |= other.can_fail;
        if self.can_hold && self.can_fail {
            self.reasons.extend(other.reasons);
        } else {
            self.reasons.clear();
        }
        self
    }

    fn or(self, other: Self) -> Self {
        self.not().and(other.not()).not()
    }
}

impl Known {
    /// What is known where requests come in, and what the policy's facts carry.
    pub(super) fn of(proxy: Proxy<'_>, decided: Decided) -> Self {
        let binds = proxy.with("bind");
        let has_tls = |line: &Line| line.words.iter().any(|word| word.text == "ssl");
        let encrypted = binds.iter().filter(|(_, line)| has_tls(line)).count();
        let is_tls = match encrypted {
            _ if binds.is_empty() => None,
            0 => Some(false),
            all if all == binds.len() => Some(true),
            _ => None,
        };
        let mut variables = BTreeMap::new();
        let mut changed = BTreeSet::new();
        for (_, line) in proxy.with("http-request") {
            let set = match line.action() {
                "set-var" => line.word(1).strip_prefix("set-var("),
                "set-var-fmt" => line.word(1).strip_prefix("set-var-fmt("),
                "unset-var" => line.word(1).strip_prefix("unset-var("),
                _ => continue,
            };
            let Some(name) = set.and_then(|rest| rest.split([')', ',']).next()) else { continue };
            let sample = Sample::parse(line.word(2)).filter(|_| line.action() == "set-var" && line.words.len() == 3);
            match sample {
                Some(sample) if !changed.contains(name) && !variables.contains_key(name) => {
                    variables.insert(name.to_owned(), sample);
                }
                _ => {
                    variables.remove(name);
                    changed.insert(name.to_owned());
                }
            }
        }
        Self { variables, is_tls, decided }
    }

    /// What the condition of a rule comes to; a rule without one always holds.
    pub(super) fn outcome(&self, condition: Option<&Condition>, requests: Requests<'_>) -> Outcome {
        let Some(condition) = condition else { return Outcome::certain(true) };
        let mut outcome = Outcome::certain(false);
        for terms in &condition.alternatives {
            let all = terms.iter().map(|term| self.term(term, requests));
            outcome = outcome.or(all.fold(Outcome::certain(true), Outcome::and));
        }
        if condition.is_unless { outcome.not() } else { outcome }
    }

    fn term(&self, term: &Term, requests: Requests<'_>) -> Outcome {
        let any = term.tests.iter().map(|test| self.test(test, requests)).fold(Outcome::certain(false), Outcome::or);
        if term.is_negated { any.not() } else { any }
    }

    fn test(&self, test: &Test, requests: Requests<'_>) -> Outcome {
        match test {
            Test::Constant(holds) => Outcome::certain(*holds),
            Test::Predefined(name) if name == "LOCALHOST" => Outcome::depends_on(Reason::Undecided("src".to_owned())),
            Test::Predefined(_) => Outcome::depends_on(Reason::Decided),
            Test::Unreadable(text) => Outcome::depends_on(Reason::NotUnderstood(text.clone())),
            Test::Sample(comparison) => self.comparison(comparison, requests),
        }
    }

    fn comparison(&self, comparison: &Comparison, requests: Requests<'_>) -> Outcome {
        let sample = self.resolved(&comparison.sample);
        let received = match sample.fetch.as_str() {
            "ssl_fc" => match self.is_tls {
                Some(is_tls) if comparison.values.is_empty() => return Outcome::certain(is_tls),
                _ => None,
            },
            "ssl_fc_sni" | "req.ssl_sni" | "req_ssl_sni" => requests.sni,
            "always_true" => return Outcome::certain(true),
            "always_false" => return Outcome::certain(false),
            _ if sample.header().as_deref() == Some("host") => Some(requests.host),
            _ => None,
        };
        let Some(received) = received else { return Outcome::depends_on(self.reason_of(&sample, comparison)) };
        let converted = sample
            .converters
            .iter()
            .try_fold(received.to_owned(), |text, (name, argument)| converted(&text, name, argument));
        let not_understood = || Outcome::depends_on(Reason::NotUnderstood(sample.shown()));
        let Some(text) = converted else { return not_understood() };
        if comparison.method == "found" {
            return Outcome::certain(true);
        }
        let mut outcome = Outcome::certain(false);
        for value in &comparison.values {
            outcome = outcome.or(match matches(&text, value, &comparison.method, comparison.ignores_case) {
                Some(holds) => Outcome::certain(holds),
                None => not_understood(),
            });
        }
        if comparison.has_files { outcome.or(not_understood()) } else { outcome }
    }

    /// Whether a condition asks for the Host, be it by a variable.
    pub(super) fn asks_for_host(&self, condition: &Condition) -> bool {
        condition.comparisons().any(|test| self.resolved(&test.sample).header().as_deref() == Some("host"))
    }

    /// The sample itself, or what the variable that it takes is always set to.
    fn resolved(&self, sample: &Sample) -> Sample {
        let set = (sample.fetch == "var").then(|| self.variables.get(sample.first_argument())).flatten();
        match set {
            // One step is enough: `txn.host` is not set from another variable.
            Some(set) => {
                let converters = set.converters.iter().chain(&sample.converters).cloned().collect();
                Sample { converters, ..set.clone() }
            }
            None => sample.clone(),
        }
    }

    /// Why a comparison has no certain result.
    fn reason_of(&self, sample: &Sample, comparison: &Comparison) -> Reason {
        // What `path_beg` would say, too.
        let is_about_path = sample.fetch == "pathq"
            && sample.converters.is_empty()
            && comparison.method == "beg"
            && !comparison.has_files
            && comparison.values.iter().all(|value| value.starts_with('/') && !value.contains('?'));
        if is_about_path { Reason::Decided } else { self.reason(sample) }
    }

    /// Why a sample has no certain value.
    pub(super) fn reason(&self, sample: &Sample) -> Reason {
        let fetch = sample.fetch.as_str();
        let is = |prefixes: &[&str]| prefixes.iter().any(|prefix| fetch.starts_with(prefix));
        if let Some(header) = sample.header() {
            return match header.as_str() {
                "host" => Reason::NotUnderstood(sample.shown()),
                _ if self.decided.headers.contains(&header) => Reason::Decided,
                _ => Reason::Undecided(sample.shown()),
            };
        }
        match fetch {
            "path" | "method" | "capture.req.method" => Reason::Decided,
            // Rules see the parameters that they ask for, nothing else of a query.
            "urlp" | "url_param" if self.decided.parameters.contains(sample.first_argument()) => Reason::Decided,
            // A client chooses whether a scheme and a host stand before the path.
            "pathq" | "query" | "urlp" | "url_param" | "url" | "url_ip" | "url_port" | "capture.req.uri" => {
                Reason::Undecided(sample.shown())
            }
            "var" if sample.argument.starts_with("txn.luigi") => Reason::Decided,
            "src" | "src_port" | "src_is_local" | "so_id" | "so_name" | "cook" | "req.cook" => {
                Reason::Undecided(sample.shown())
            }
            _ if is(&[
                "dst",
                "fc_",
                "ssl_",
                "req.ssl",
                "req_ssl",
                "http_auth",
                "hdr_",
                "req.hdr",
                "req.fhdr",
                "req.ver",
                "cook_",
                "req.cook_",
            ]) =>
            {
                Reason::Undecided(sample.shown())
            }
            "nbsrv" | "connslots" | "queue" | "avg_queue" | "stopping" | "rand" | "date" | "uuid" => {
                Reason::Circumstance
            }
            _ if is(&[
                "be_", "fe_conn", "fe_req", "fe_sess", "sc_", "sc0_", "sc1_", "sc2_", "src_", "srv_", "table_",
            ]) =>
            {
                Reason::Circumstance
            }
            _ => Reason::NotUnderstood(sample.shown()),
        }
    }
}

/// What a converter makes of a text; `None` if it is not worked out.
fn converted(text: &str, name: &str, argument: &str) -> Option<String> {
    match name {
        "lower" => Some(text.to_ascii_lowercase()),
        "upper" => Some(text.to_ascii_uppercase()),
        "host_only" => Some(without_port(text).to_owned()),
        "field" | "word" => {
            let (index, delimiters) = argument.split_once(',')?;
            let delimiters = delimiters.trim_matches(['\'', '"']);
            if delimiters.is_empty() || delimiters.contains(',') || argument.contains('\\') {
                return None;
            }
            let mut parts = text.split(|c| delimiters.contains(c)).filter(|part| name == "field" || !part.is_empty());
            let index: usize = index.trim().parse().ok().filter(|index| *index > 0)?;
            Some(parts.nth(index - 1).unwrap_or_default().to_owned())
        }
        _ => None,
    }
}

/// The host without its port, as `host_only` gives it.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.is_empty() => name,
        _ => host,
    }
}

/// Whether a text is what it is compared with; `None` if that is not worked out.
fn matches(text: &str, value: &str, method: &str, ignores_case: bool) -> Option<bool> {
    // A variable of the environment may be anything.
    let has_variable = value
        .match_indices('$')
        .any(|(at, _)| value[at + 1..].starts_with(|c: char| c == '{' || c == '_' || c.is_ascii_alphabetic()));
    if has_variable {
        return None;
    }
    if method == "reg" {
        return fits(value, ignores_case, text);
    }
    let fold = |text: &str| if ignores_case { text.to_ascii_lowercase() } else { text.to_owned() };
    let (text, value) = (fold(text), fold(value));
    match method {
        "" | "str" => Some(text == value),
        "beg" => Some(text.starts_with(&value)),
        "end" => Some(text.ends_with(&value)),
        "sub" => Some(text.contains(&value)),
        "dom" => Some(has_word(&text, &value, &['/', '?', '.', ':'])),
        "dir" => Some(has_word(&text, &value, &['/', '?'])),
        _ => None,
    }
}

/// Whether a regular expression of HAProxy's finds something in a text; `None` if it is not understood.
pub(super) fn fits(value: &str, ignores_case: bool, text: &str) -> Option<bool> {
    let expression = expression(value, ignores_case)?;
    Some(expression.is_match(&mut expression.create_cache(), text))
}

/// A regular expression of HAProxy's; `None` if it has something that only some libraries understand, or is very large.
fn expression(text: &str, ignores_case: bool) -> Option<PikeVM> {
    const MAX_BYTES: usize = 256 * 1024;
    // Hosts are ASCII, and the tables of Unicode are not compiled in.
    let syntax = syntax::Config::new().case_insensitive(ignores_case).unicode(false).utf8(false);
    let size = thompson::Config::new().nfa_size_limit(Some(MAX_BYTES)).utf8(false);
    PikeVM::builder().syntax(syntax).thompson(size).build(text).ok()
}

/// Whether a value stands in a text between delimiters.
fn has_word(text: &str, value: &str, delimiters: &[char]) -> bool {
    let value = value.trim_matches(delimiters);
    if value.is_empty() {
        return false;
    }
    text.match_indices(value).any(|(at, found)| {
        let before = text[..at].chars().next_back();
        let after = text[at + found.len()..].chars().next();
        before.is_none_or(|c| delimiters.contains(&c)) && after.is_none_or(|c| delimiters.contains(&c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::haproxy::sections::Config;
    use luigi_core::policy::SourceSet;

    const LINES: &str = "\
        frontend f\n bind :80\n http-request set-var(txn.host) req.hdr(Host),lower,host_only\n http-request set-var(txn.x) src\n \
        http-request set-var(txn.x) dst\n acl shop hdr(host) -i shop.example.com\n acl shop hdr(host) -i www.example.com\n ";

    /// What a condition comes to for requests of a host, in words.
    fn outcome(condition: &str, host: &str) -> String {
        let mut sources = SourceSet::new();
        sources.add("haproxy.cfg", format!("{LINES} use_backend b {condition}\n"));
        let config = Config::read(&sources);
        let proxy = config.entrances().next().unwrap();
        let decided = Decided { headers: ["x-team".to_owned()].into(), parameters: ["tenant".to_owned()].into() };
        let known = Known::of(proxy, decided);
        let (section, line) = proxy.with("use_backend")[0];
        let outcome = known.outcome(Condition::of(line, section).as_ref(), Requests { host, sni: None });
        match (outcome.can_hold, outcome.can_fail) {
            (true, false) => "yes".to_owned(),
            (false, true) => "no".to_owned(),
            _ => format!("{:?}", outcome.reasons.into_iter().collect::<Vec<_>>()),
        }
    }

    #[test]
    fn conditions_on_the_host_are_worked_out() {
        for (condition, host, expected) in [
            ("", "a", "yes"),
            ("if { hdr(host) -i shop.example.com }", "Shop.example.com", "yes"),
            ("if { hdr(host) shop.example.com }", "Shop.example.com", "no"),
            ("if { req.hdr(host),lower shop.example.com }", "Shop.example.com", "yes"),
            ("if shop", "www.example.com", "yes"),
            ("unless shop", "www.example.com", "no"),
            ("if !shop", "www.example.com", "no"),
            ("if ! shop", "a", "yes"),
            ("if shop || { hdr_beg(host) -i a. }", "a.b", "yes"),
            ("if shop or !{ hdr_end(host) .b }", "a.b", "no"),
            ("if { hdr_dom(host) -i example.com }", "x.example.com:443", "yes"),
            ("if { hdr_dom(host) -i ample.com }", "x.example.com:443", "no"),
            ("if { hdr(host) -m sub -i ample }", "x.example.com:443", "yes"),
            ("if { hdr(host),host_only x }", "x:443", "yes"),
            ("if { hdr(host),field(1,:) -i x }", "X:443", "yes"),
            ("if { hdr(host),host_only [::1] }", "[::1]:443", "yes"),
            ("if { var(txn.host) x }", "X:443", "yes"),
            ("if { hdr(host) -m found }", "x", "yes"),
            ("if { hdr(host) -- -i }", "-i", "yes"),
            ("if { hdr_reg(host) -i ^(www\\.)?shop\\.example\\.com(:\\d+)?$ }", "WWW.shop.example.com:8443", "yes"),
            ("if { hdr(host) -m reg ^(www\\.)?shop\\.example\\.com$ }", "www.shop.example.com.", "no"),
            ("if { ssl_fc }", "x", "no"),
            ("if TRUE !FALSE", "x", "yes"),
            // What is certain wins over what is not.
            ("if { src 10.0.0.0/8 } { hdr(host) b }", "a", "no"),
            ("if { src 10.0.0.0/8 } or { hdr(host) a }", "a", "yes"),
        ] {
            assert_eq!(outcome(condition, host), expected, "{condition} {host}");
        }
    }

    #[test]
    fn what_a_condition_depends_on_is_kept() {
        for (condition, expected) in [
            ("if { path_beg /a } METH_GET", "[Decided]"),
            ("if { pathq_beg /a }", "[Decided]"),
            ("if { pathq -m beg /a /b }", "[Decided]"),
            ("if { pathq -m beg /a?b }", "[Undecided(\"pathq\")]"),
            ("if { pathq -m end /a }", "[Undecided(\"pathq\")]"),
            ("if { url_beg /a }", "[Undecided(\"url\")]"),
            ("if { query -m sub admin=1 }", "[Undecided(\"query\")]"),
            ("if { urlp(admin) 1 }", "[Undecided(\"urlp(admin)\")]"),
            ("if { url_param(admin) -m found }", "[Undecided(\"url_param(admin)\")]"),
            ("if { urlp(tenant) a }", "[Decided]"),
            ("if { urlp(tenant,;) a }", "[Decided]"),
            ("if { nbsrv(app) lt 1 }", "[Circumstance]"),
            ("if { ssl_fc_sni a } { path /a }", "[Decided, Undecided(\"ssl_fc_sni\")]"),
            ("if { dst_port 443 }", "[Undecided(\"dst_port\")]"),
            ("if { hdr(x-env) a }", "[Undecided(\"hdr(x-env)\")]"),
            ("if { hdr(x-team) a }", "[Decided]"),
            ("if { hdr(host) -f list }", "[NotUnderstood(\"hdr(host)\")]"),
            ("if { hdr_reg(host) (?!a)b }", "[NotUnderstood(\"hdr(host)\")]"),
            ("if { hdr(host),map(x) -m found }", "[NotUnderstood(\"hdr(host)\")]"),
            ("if { hdr(host) ${NAME} }", "[NotUnderstood(\"hdr(host)\")]"),
            ("if nobody", "[NotUnderstood(\"nobody\")]"),
            ("if { var(txn.x) a }", "[NotUnderstood(\"var(txn.x)\")]"),
            ("if { lua.decide }", "[NotUnderstood(\"lua.decide\")]"),
            ("if { }", "[NotUnderstood(\"{ }\")]"),
            ("if {", "[NotUnderstood(\"{ }\")]"),
        ] {
            assert_eq!(outcome(condition, "a.example.com"), expected, "{condition}");
        }
    }
}
