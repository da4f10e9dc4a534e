//! Settings that break what Luigi relies on, and the statistics page.

use super::{Look, finding};
use luigi_core::policy::diagnostics::{Code, Diagnostic, HaproxyLint, Lint, quoted};
use luigi_core::policy::model::{HostPattern, Segment};
use luigi_core::target::Ambiguity;

/// What `tune.bufsize` is unless it is set.
const DEFAULT_BUFFER: u64 = 16_384;

/// Options by which malformed requests get through.
const LENIENT: [&str; 2] = ["accept-invalid-http-request", "accept-unsafe-violations-in-http-request"];

pub(super) fn look(look: &mut Look<'_>) {
    let mut found = Vec::new();
    for (proxy, _) in look.guarded() {
        for line in LENIENT.iter().filter_map(|name| proxy.option(name)) {
            let message = format!("malformed requests get through in {}", quoted(proxy.name()));
            let help = "remove it; `show errors` on the stats socket says whose requests need it";
            found.push(finding(HaproxyLint::LenientParsing, line.span(), message).help(help));
        }
    }
    let is_guarded = look.guarded().next().is_some();
    let buffer = look.config.global().filter(|line| line.word(0) == "tune.bufsize").last();
    if let Some((line, size)) = buffer.and_then(|line| Some((line, line.word(1).parse::<u64>().ok()?)))
        && is_guarded
        && size < DEFAULT_BUFFER
    {
        let message = format!("the line of facts is cut at {size} bytes, and what is cut is refused");
        let help = format!("leave it at the default of {DEFAULT_BUFFER}, or raise it");
        found.push(finding(HaproxyLint::SmallBuffer, line.span(), message).help(help));
    }
    for line in
        look.config.global().filter(|line| is_guarded && line.word(0) == "setenv" && line.word(1) == "LUIGI_MODE")
    {
        let message = match line.word(2) {
            "observe" => "nothing is ever refused with this, whatever HAProxy is started with",
            _ => "this wins over the mode that HAProxy is started with",
        };
        let help = "write `presetenv`, which gives way; or use a feed, whose mode `luigi apply --mode` switches without a reload";
        found.push(finding(HaproxyLint::FixedMode, line.span(), message).help(help));
    }
    found.extend(statistics(look));
    for problem in found {
        if !look.found.contains(&problem) {
            look.found.push(problem);
        }
    }
}

/// Statistics pages behind Luigi: their options stand behind a semicolon, which is ambiguous.
fn statistics(look: &Look<'_>) -> Vec<Diagnostic> {
    let mut accepting = look.policy.hosts.iter();
    if accepting.any(|(_, host)| host.accepts.contains(&Ambiguity::MatrixParameter)) {
        return Vec::new();
    }
    let mut pages = Vec::new();
    for (proxy, _) in look.guarded() {
        let backends = super::ways::ways(look.config, proxy).into_iter().filter_map(|way| way.backend());
        let sections = std::iter::once(proxy).chain(backends);
        pages.extend(
            sections
                .flat_map(|section| section.with("stats"))
                .map(|(_, line)| line)
                .filter(|line| line.word(1) == "uri"),
        );
    }
    let pages = pages.into_iter().filter(|line| !line.word(2).contains('?'));
    let problems = pages.map(|line| {
        let page = line.word(2);
        let message = format!("this is HAProxy's statistics page, and `{};csv` is refused as ambiguous", page.escape_debug());
        let host = host_of(look, page).unwrap_or("lb.example.com");
        let help = format!("add to the policy, for the host of the page\n    [hosts.\"{host}\"]\n    accept-ambiguous = [\"matrix-parameter\"]");
        Diagnostic::new(Code::Lint(Lint::StatsUri), Lint::StatsUri.severity(), line.span(), message).help(help)
    });
    problems.collect()
}

/// The host of a scope that holds this path literally.
fn host_of<'l>(look: &Look<'l>, page: &str) -> Option<&'l str> {
    let wanted: Vec<&str> = page.split('/').filter(|segment| !segment.is_empty()).collect();
    let holding = look.policy.scopes.iter().filter(|(_, scope)| {
        scope.operations.iter().any(|operation| {
            let segments = operation.path.segments.iter().map(|segment| match segment {
                Segment::Literal(text) => Some(text.as_str()),
                Segment::Capture(_) | Segment::Any => None,
            });
            segments.collect::<Option<Vec<_>>>().is_some_and(|segments| segments == wanted)
        })
    });
    let hosts = holding.flat_map(|(_, scope)| &scope.hosts);
    hosts.into_iter().find_map(|host| match host {
        HostPattern::Exact(name) => Some(name.as_str()),
        HostPattern::Any | HostPattern::OneLabel(_) | HostPattern::Labels(_) | HostPattern::Capture { .. } => None,
    })
}
