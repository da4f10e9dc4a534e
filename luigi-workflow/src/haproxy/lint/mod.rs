//! What is looked for in a configuration, each in a file of its own. What a finding means, with an example and the cure, stands with its [`HaproxyLint`].
//!
//! | file | what it looks at |
//! |---|---|
//! | `gate` | Luigi's lines themselves |
//! | `around` | rules before and behind them |
//! | `actions` | what rules can do, as far as it is known |
//! | `frontends` | frontends that scopes name |
//! | `ways` | which servers can be reached, and from where |
//! | `routing` | what chooses them, against what scopes are told apart by |
//! | `left_over` | hosts that share servers only because no line names them |
//! | `destinations` | servers whose address a rule or a connection chooses |
//! | `settings` | options, buffers, the statistics page |
//! | `accept` | comments that accept findings |

mod accept;
mod actions;
mod around;
mod destinations;
mod frontends;
mod gate;
mod left_over;
mod routing;
mod settings;
mod ways;

pub use accept::Accepted;
pub(super) use accept::accepted;

use super::conditions::Sample;
use super::evaluate::Decided;
use super::printed::{Gate, Printed};
use super::sections::{Broken, Config, Proxy};
use luigi_core::policy::diagnostics::{Code, Diagnostic, HaproxyLint};
use luigi_core::policy::model::{FactTest, Policy};
use luigi_core::policy::source::Span;
use std::collections::BTreeSet;

/// What is looked at, and what was found.
struct Look<'c> {
    config: &'c Config,
    policy: &'c Policy,
    printed: &'c Printed,
    /// Where requests come in.
    entrances: Vec<Entrance<'c>>,
    found: Vec<Diagnostic>,
}

/// A section where requests come in.
struct Entrance<'c> {
    proxy: Proxy<'c>,
    /// Luigi's lines, if it is in http mode and has any.
    gate: Option<Gate<'c>>,
}

/// Looks for everything.
pub(super) fn look(config: &Config, policy: &Policy) -> Vec<Diagnostic> {
    let printed = Printed::for_policy(policy);
    let entrances = config.entrances().map(|proxy| {
        let gate = printed.find(proxy).filter(|_| proxy.is_http());
        Entrance { proxy, gate }
    });
    let entrances = entrances.collect();
    let mut look = Look { config, policy, printed: &printed, entrances, found: Vec::new() };
    broken(&mut look);
    gate::look(&mut look);
    around::look(&mut look);
    frontends::look(&mut look);
    ways::look(&mut look);
    routing::look(&mut look);
    destinations::look(&mut look);
    settings::look(&mut look);
    blocks(&mut look);
    look.found
}

/// A finding at a place.
fn finding(lint: HaproxyLint, span: Span, message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(Code::Haproxy(lint), lint.severity(), span, message)
}

impl<'c> Look<'c> {
    /// The sections where requests are decided, each with Luigi's lines in it.
    fn guarded(&self) -> impl Iterator<Item = (Proxy<'c>, &Gate<'c>)> {
        self.entrances.iter().filter_map(|entrance| Some((entrance.proxy, entrance.gate.as_ref()?)))
    }

    /// What of a request is decided by, beside its target and method.
    fn decided(&self) -> Decided {
        let needed = self.printed.needed.to_string();
        let asked = needed.split(' ').filter_map(|name| name.strip_prefix("header:")).map(str::to_owned);
        let headers = ["authorization", "host", "upgrade"].map(str::to_owned).into_iter().chain(asked).collect();
        let conditions = self.policy.rules.iter().flat_map(|(_, rule)| {
            let conditions = std::iter::once(&rule.when).chain(&rule.unless);
            conditions.flat_map(|conditions| &conditions.facts).chain(&rule.require.facts)
        });
        let parameters = conditions.filter_map(|test| match test {
            FactTest::Query { parameter, .. } => Some(parameter.clone()),
            _ => None,
        });
        let mut parameters: BTreeSet<_> = parameters.collect();
        if self.policy.hosts.iter().any(|(_, host)| host.refuses_method_override) {
            parameters.insert("_method".to_owned());
        }
        Decided { headers, parameters }
    }
}

/// Lines that HAProxy does not read.
fn broken(look: &mut Look<'_>) {
    for broken in &look.config.broken {
        let (span, message) = match broken {
            Broken::Quote(span) => (*span, "nothing closes this quote"),
            Broken::NoSection(span) => (*span, "this line stands before the first section"),
            Broken::NoName(span) => (*span, "this section needs a name"),
            Broken::NoSuchDefaults(span) => (*span, "no `defaults` section before this one has the name"),
        };
        look.found.push(
            finding(HaproxyLint::HaproxySyntax, span, message).help("`haproxy -c` says what else it does not read"),
        );
    }
}

/// Blocks of which both branches were read, where that can matter.
fn blocks(look: &mut Look<'_>) {
    const MATTERS: [&str; 10] = [
        "acl",
        "bind",
        "default_backend",
        "dispatch",
        "http-request",
        "mode",
        "option",
        "server",
        "stats",
        "use_backend",
    ];
    let mut said = BTreeSet::new();
    let sections = look.config.sections.iter().filter(|section| section.is_proxy());
    for line in sections.flat_map(|section| &section.lines).filter(|line| MATTERS.contains(&line.word(0))) {
        let Some(block) = line.under_if.filter(|block| said.insert(*block)) else { continue };
        let message =
            format!("HAProxy reads this block under a condition, and its `{}` was read in any case", line.word(0));
        let problem = finding(HaproxyLint::HaproxyNotUnderstood, block, message).also(line.span(), "may not hold");
        look.found.push(problem.help("look at each branch yourself; what was found may hold in one of them only"));
    }
}

/// Whether a sample is about the path of the request.
fn is_path(sample: &Sample) -> bool {
    matches!(sample.fetch.as_str(), "path" | "pathq" | "url" | "base" | "capture.req.uri")
}
