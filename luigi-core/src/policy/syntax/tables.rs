//! The tables of definitions: issuers, groups, schedules, logins, scopes, approvals.

use super::node::{Fields, Node, Text, quoted};
use super::values::{self, Edge, MAX_DURATION_SECONDS};
use super::{
    Approval, Approvers, Entry, Hosts, Scope, Subject, Syntax, captures, facts, issuers, path_regex, rules, suggestion,
    targets, written,
};
use crate::policy::captures::GroupValue;
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::policy::model::{self, Justification, Weekdays};
use crate::policy::source::Spanned;

/// Reads the tables of definitions of one document.
pub(super) fn read(top: &Fields<'_>, syntax: &mut Syntax, out: &mut Diagnostics) {
    entries(top, "issuers", "issuer", &mut syntax.issuers, out, issuers::issuer);
    entries(top, "groups", "group", &mut syntax.groups, out, group);
    entries(top, "schedules", "schedule", &mut syntax.schedules, out, schedule);
    entries(top, "logins", "login", &mut syntax.logins, out, login);
    entries(top, "scopes", "scope", &mut syntax.scopes, out, scope);
    entries(top, "approvals", "approval", &mut syntax.approvals, out, approval);
    entries(top, "facts", "fact", &mut syntax.facts, out, facts::definition);
}

fn entries<T>(
    top: &Fields<'_>,
    key: &str,
    what: &str,
    into: &mut Vec<Entry<T>>,
    out: &mut Diagnostics,
    read: fn(Node<'_>, &Text, &str, &mut Diagnostics) -> Option<T>,
) {
    let Some(node) = top.get(key) else { return };
    for (name, node) in Fields::entries(node, &quoted(key), out) {
        values::check_name(&name, what, out);
        let item = read(node, &name, &format!("{what} {}", quoted(&name.value)), out);
        let place = node.place(name.span, out);
        into.push(Entry { name, item, place });
    }
}

pub(super) fn sorted<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort();
    values.dedup();
    values
}

pub(super) fn strings(texts: Vec<Text>) -> Vec<String> {
    sorted(texts.into_iter().map(|text| text.value).collect())
}

/// `a.b = ...` is a table `a` to TOML.
pub(super) const QUOTE_DOTS: &str = "a name with a dot is written in quotes: `\"a.b\" = ...`";

fn group(node: Node<'_>, name: &Text, _: &str, out: &mut Diagnostics) -> Option<GroupValue> {
    if let toml::de::DeValue::Table(_) = node.value() {
        out.push(node.wrong_type(&name.value, "a string").help(QUOTE_DOTS));
        return None;
    }
    captures::group_value(&node.text(&name.value, out)?, out)
}

fn schedule(node: Node<'_>, name: &Text, what: &str, out: &mut Diagnostics) -> Option<model::Schedule> {
    let fields =
        Fields::open(node, what, &["time-zone", "days", "start", "end", "dates", "except-dates", "accept"], out)?;
    let zone =
        fields.require("time-zone", "hours and days mean nothing without one, like \"Europe/Berlin\" or \"UTC\"", out);
    let zone = zone.and_then(|node| node.text("time-zone", out)).and_then(|text| time_zone(&text, out));
    const DAYS: [(&str, u8); 7] =
        [("mon", 1), ("tue", 2), ("wed", 4), ("thu", 8), ("fri", 16), ("sat", 32), ("sun", 64)];
    let days = fields.get("days").and_then(|node| {
        let texts = node.texts("days", out)?;
        Some(texts.iter().filter_map(|text| node.word_of(text, "days", &DAYS, out)).fold(0, |set, bit| set | bit))
    });
    let start = fields.text("start", out).and_then(|text| values::time_of_day(&text, Edge::Start, out));
    let end = fields.text("end", out).and_then(|text| values::time_of_day(&text, Edge::End, out));
    let one_edge = match (fields.key_span("start"), fields.key_span("end")) {
        (Some(span), None) => Some((span, "end")),
        (None, Some(span)) => Some((span, "start")),
        _ => None,
    };
    if let Some((span, missing)) = one_edge {
        let problem = Diagnostic::error(Code::MissingKey, span, format!("{what} has no `{missing}`"));
        out.push(problem.label("this edge alone").help("give both, or neither for whole days"));
    }
    if let (Some(from), Some(to)) = (start, end)
        && from == to
        && let Some(node) = fields.get("end")
    {
        let problem = Diagnostic::error(Code::InvalidSchedule, node.span(), format!("{what} ends when it starts"));
        out.push(problem.help("leave out both `start` and `end` for whole days, or end at \"24:00\""));
    }
    let mut dates = |key: &str| {
        let nodes = fields.get(key)?.list(key, "dates", out)?;
        Some(nodes.into_iter().filter_map(|node| node.date(key, out)).collect::<Vec<_>>())
    };
    let (dates, except_dates) = (dates("dates").unwrap_or_default(), dates("except-dates").unwrap_or_default());
    for out_date in &except_dates {
        if let Some(in_date) = dates.iter().find(|date| date.value == out_date.value) {
            let message = format!("{} is both a date and an exception", quoted(&out_date.value.to_string()));
            let problem = Diagnostic::error(Code::InvalidSchedule, out_date.span, message);
            out.push(problem.label("left out here").also(in_date.span, "named here"));
        }
    }
    if !["days", "start", "end", "dates", "except-dates"].iter().any(|key| fields.get(key).is_some()) {
        let problem = Diagnostic::error(Code::EmptyValue, fields.span(), format!("{what} is always true"));
        out.push(problem.help("say which `days`, from `start` to `end`, or which `dates`"));
    }
    let plain = |dates: Vec<Spanned<_>>| sorted(dates.into_iter().map(|date| date.value).collect());
    Some(model::Schedule {
        name: name.value.clone(),
        time_zone: zone?,
        days: Weekdays(days.unwrap_or(0x7f)),
        start: start.unwrap_or(0),
        end: end.unwrap_or(86_400),
        dates: plain(dates),
        except_dates: plain(except_dates),
    })
}

fn time_zone(text: &Text, out: &mut Diagnostics) -> Option<String> {
    let found = jiff::tz::TimeZoneDatabase::bundled().get(&text.value).ok();
    if let Some(name) = found.as_ref().and_then(|zone| zone.iana_name()) {
        return Some(name.to_owned());
    }
    let message = format!("{} is not a time zone", quoted(&text.value));
    let names: Vec<String> = jiff::tz::TimeZoneDatabase::bundled().available().map(|name| name.to_string()).collect();
    let help = match suggestion(&text.value, names.iter().map(String::as_str)) {
        Some(name) => format!("did you mean {}?", quoted(name)),
        None => "use a name of the IANA time zone database, like \"Europe/Berlin\" or \"UTC\"".to_owned(),
    };
    out.push(Diagnostic::error(Code::UnknownTimeZone, text.span, message).help(help));
    None
}

fn login(node: Node<'_>, name: &Text, what: &str, out: &mut Diagnostics) -> Option<model::Login> {
    let fields = Fields::open(node, what, &["acr-any", "amr-any", "amr-all", "max-age", "accept"], out)?;
    let acr_any = strings(fields.texts("acr-any", out).unwrap_or_default());
    let amr_any = strings(fields.texts("amr-any", out).unwrap_or_default());
    let amr_all = strings(fields.texts("amr-all", out).unwrap_or_default());
    let max_age = fields.text("max-age", out);
    let max_age_seconds = max_age.and_then(|text| values::duration(&text, 1, MAX_DURATION_SECONDS, out));
    if !["acr-any", "amr-any", "amr-all", "max-age"].iter().any(|key| fields.get(key).is_some()) {
        let problem = Diagnostic::error(Code::EmptyValue, fields.span(), format!("{what} asks for nothing"));
        out.push(problem.help("set at least one of `acr-any`, `amr-any`, `amr-all` and `max-age`"));
    }
    Some(model::Login { name: name.value.clone(), acr_any, amr_any, amr_all, max_age_seconds })
}

fn scope(node: Node<'_>, _: &Text, what: &str, out: &mut Diagnostics) -> Option<Scope> {
    const KEYS: &[&str] = &[
        "hosts",
        "frontends",
        "operations",
        "paths",
        "path-regex",
        "methods",
        "except",
        "privileged",
        "audit",
        "preflight",
        "upgrade",
        "tags",
        "description",
        "accept",
    ];
    let fields = Fields::open(node, what, KEYS, out)?;
    fields.description(out);
    let hosts = fields.require("hosts", "name the hosts, or write `hosts = \"any\"`", out).map(|node| hosts(node, out));
    let frontends = fields.texts("frontends", out).unwrap_or_default();
    frontends.iter().for_each(|name| values::check_frontend(name, out));
    let except = fields.texts("except", out).unwrap_or_default();
    let privileged = fields.get("privileged").and_then(|node| node.boolean("privileged", out));
    let preflight = fields.get("preflight").and_then(|node| node.boolean("preflight", out));
    let audit = fields.get("audit").and_then(|node| audit(node, privileged.as_ref(), out));
    let upgrade = fields.get("upgrade").and_then(|node| upgrade(node, privileged.as_ref(), out));
    let mut doubtful = Vec::new();
    let (operations, path_regex) = operations(&fields, &mut doubtful, out);
    let tags = fields.texts("tags", out).unwrap_or_default();
    tags.iter().for_each(|tag| values::check_name(tag, "a tag", out));
    Some(Scope {
        hosts: hosts.unwrap_or_default(),
        frontends,
        operations,
        path_regex,
        doubtful,
        except,
        tags,
        upgrade: upgrade.unwrap_or(if privileged.as_ref().is_some_and(|flag| flag.value) {
            model::Upgrade::Refuse
        } else {
            model::Upgrade::Allow
        }),
        privileged: privileged.is_some_and(|flag| flag.value),
        audit: audit.unwrap_or_default(),
        preflight: preflight.is_some_and(|flag| flag.value),
    })
}

/// What becomes of requests whose record cannot be taken. `privileged` is what the scope says of that.
fn audit(node: Node<'_>, privileged: Option<&Spanned<bool>>, out: &mut Diagnostics) -> Option<model::Audit> {
    const WORDS: [(&str, model::Audit); 2] =
        [("required", model::Audit::Required), ("best-effort", model::Audit::BestEffort)];
    if !privileged.is_some_and(|flag| flag.value) {
        let message = "`audit` is for privileged scopes";
        let problem = Diagnostic::error(Code::ConflictingKeys, node.span(), message);
        let problem = match privileged {
            Some(flag) => problem.also(flag.span, "not privileged here"),
            None => problem,
        };
        out.push(
            problem.help(
                "requests of other scopes pass without a record; write `privileged = true`, or leave `audit` out",
            ),
        );
    }
    node.word("audit", &WORDS, out)
}

/// `"refuse"`, `"allow"` or how long an upgraded connection may outlive the decision. `privileged` is what the scope says of that.
fn upgrade(node: Node<'_>, privileged: Option<&Spanned<bool>>, out: &mut Diagnostics) -> Option<model::Upgrade> {
    let text = node.text("upgrade", out)?;
    match text.value.as_str() {
        "refuse" => Some(model::Upgrade::Refuse),
        "allow" => {
            if let Some(flag) = privileged.filter(|flag| flag.value) {
                let message = "a privileged scope does not allow upgrades without end";
                let problem = Diagnostic::error(Code::ConflictingKeys, text.span, message);
                let help = "say how long a connection may outlive the decision, like \"8h\", or \"refuse\"";
                out.push(problem.also(flag.span, "privileged here").help(help));
            }
            Some(model::Upgrade::Allow)
        }
        other if other.starts_with(|c: char| c.is_ascii_digit()) => {
            let seconds = values::duration(&text, 1, model::Upgrade::MAX_SECONDS, out)?;
            Some(model::Upgrade::Outlive { seconds })
        }
        _ => {
            let message = format!("{} is not a value of `upgrade`", quoted(&text.value));
            let help =
                "it can be \"refuse\", \"allow\", or how long a connection may outlive the decision, like \"8h\"";
            out.push(Diagnostic::error(Code::UnknownWord, text.span, message).help(help));
            None
        }
    }
}

pub(super) fn hosts(node: Node<'_>, out: &mut Diagnostics) -> Hosts {
    if let toml::de::DeValue::String(word) = node.value() {
        if word == "any" {
            return Hosts { any: true, listed: Vec::new() };
        }
        let message = format!("{} is not a value of `hosts`", quoted(word));
        let help = format!("write it as a list of one, `[\"{}\"]`, or `\"any\"`", word.escape_debug());
        out.push(Diagnostic::error(Code::UnknownWord, node.span(), message).help(help));
        return Hosts::default();
    }
    Hosts { any: false, listed: node.texts("hosts", out).unwrap_or_default() }
}

type Operations = Vec<(targets::Methods, model::PathTemplate)>;
type Expressions = Option<(targets::Methods, Vec<Text>)>;

fn operations(
    fields: &Fields<'_>,
    doubtful: &mut Vec<targets::Doubtful>,
    out: &mut Diagnostics,
) -> (Operations, Expressions) {
    let nothing = (Vec::new(), None);
    let both = ["paths", "path-regex", "methods"].into_iter().find_map(|key| fields.key_span(key));
    if let (Some(operations), Some(other)) = (fields.key_span("operations"), both) {
        let message = format!("{} has both `operations` and `paths`, `path-regex` or `methods`", fields.what());
        let help =
            "`operations` name methods and paths together, `paths` and `methods` every combination; use one of the two";
        let problem = Diagnostic::error(Code::ConflictingKeys, operations, message).label("methods and paths together");
        out.push(problem.also(other, "every combination").help(help));
    }
    if let Some(texts) = fields.texts("operations", out) {
        let read = texts.iter().filter_map(|text| targets::operation(text, doubtful, out));
        return (read.map(|(method, path)| (targets::Methods::Listed(vec![method]), path)).collect(), None);
    }
    if fields.get("operations").is_some() {
        return nothing;
    }
    if ["paths", "path-regex", "methods"].iter().all(|key| fields.get(key).is_none()) {
        let message = format!("{} has neither `operations` nor `paths`", fields.what());
        let help = "list `operations = [\"GET /orders/{id}\"]`, or `paths` and `methods`";
        out.push(Diagnostic::error(Code::MissingKey, fields.span(), message).help(help));
        return nothing;
    }
    if fields.get("path-regex").is_none() {
        fields.require("paths", "`methods` stand beside `paths = [\"/orders/{id}\"]`", out);
    }
    let paths = fields.texts("paths", out).unwrap_or_default();
    let templates = paths.iter().filter_map(|text| targets::path_template(text, 0..text.value.len(), doubtful, out));
    let templates: Vec<_> = templates.collect();
    let expressions = fields.texts("path-regex", out).unwrap_or_default();
    let fine: Vec<bool> = expressions.iter().map(|text| path_regex::check(text, out)).collect();
    let methods = fields.require("methods", "write `methods = \"read\"`, \"write\", \"any\" or a list", out);
    let Some(methods) = methods.and_then(|node| targets::methods(node, out)) else { return nothing };
    let expressions = (!fine.is_empty() && fine.iter().all(|fine| *fine)).then(|| (methods.clone(), expressions));
    (templates.into_iter().map(|path| (methods.clone(), path)).collect(), expressions)
}

fn approval(node: Node<'_>, name: &Text, what: &str, out: &mut Diagnostics) -> Option<Approval> {
    const KEYS: [&str; 10] = [
        "requesters",
        "approvers",
        "quorum",
        "duration",
        "max-duration",
        "justification",
        "per",
        "notify",
        "description",
        "accept",
    ];
    let fields = Fields::open(node, what, &KEYS, out)?;
    fields.description(out);
    let requesters = fields.get("requesters").and_then(|node| rules::subject(node, "requesters", out));
    if let (Some(Subject::Anyone), Some(node)) = (&requesters, fields.get("requesters")) {
        let problem = Diagnostic::error(Code::UnknownWord, node.span(), "\"anyone\" cannot request access");
        out.push(problem.help("a grant is for a person: leave the key out for everyone who is authenticated"));
    }
    // What is there and not understood is no default: the issuer of one is not asked for as well.
    let requesters = requesters.or_else(|| fields.get("requesters").map(|_| Subject::Anyone));
    let approvers =
        fields.require("approvers", "write \"requester\" or who may say yes, like `{ groups = [\"leads\"] }`", out);
    let approvers = approvers.and_then(|node| approvers_of(node, out));
    let quorum = fields.get("quorum").and_then(|node| node.integer("quorum", out));
    let quorum = quorum.map(|number| {
        if !(1..=100).contains(&number.value) {
            let message = format!("a quorum of {} is out of range", number.value);
            out.push(Diagnostic::error(Code::OutOfRange, number.span, message).help("it can be 1 to 100"));
        }
        if number.value > 1 && matches!(approvers, Some(Approvers::Requester)) {
            let message = format!("{what} wants {} approvers and accepts the requester alone", number.value);
            out.push(Diagnostic::error(Code::ConflictingKeys, number.span, message));
        }
        u32::try_from(number.value).unwrap_or(1)
    });
    let duration = fields.require("duration", "how long a grant lasts, like \"30m\"", out);
    let duration = duration.and_then(|node| node.text("duration", out));
    let seconds = duration.as_ref().and_then(|text| values::duration(text, 1, MAX_DURATION_SECONDS, out));
    let longest = fields.text("max-duration", out);
    let longest_seconds = longest.as_ref().and_then(|text| values::duration(text, 1, MAX_DURATION_SECONDS, out));
    if let (Some(shorter), Some(longer), Some(duration), Some(longest)) =
        (seconds, longest_seconds, &duration, &longest)
        && shorter > longer
    {
        let message = format!("{} lasts longer than its `max-duration`", quoted(&duration.value));
        let problem = Diagnostic::error(Code::OutOfRange, duration.span, message).label("the usual duration");
        let help = format!("leave `max-duration` out for the same, or raise it to {} at least", written(shorter));
        out.push(problem.also(longest.span, "the longest").help(help));
    }
    let justifications = [("required", Justification::Required), ("optional", Justification::Optional)];
    let justification = fields.get("justification").and_then(|node| node.word("justification", &justifications, out));
    let notify = fields.texts("notify", out).unwrap_or_default();
    for target in &notify {
        check_notify(target, out);
    }
    Some(Approval {
        requesters,
        approvers,
        quorum: quorum.unwrap_or(1),
        duration_seconds: seconds?,
        max_duration_seconds: longest_seconds.or(seconds)?,
        justification: justification.unwrap_or(Justification::Required),
        per: captures::per(&fields, out),
        notify: strings(notify),
        span: name.span,
    })
}

fn approvers_of(node: Node<'_>, out: &mut Diagnostics) -> Option<Approvers> {
    if let toml::de::DeValue::String(_) = node.value() {
        return node.word("approvers", &[("requester", ())], out).map(|()| Approvers::Requester);
    }
    rules::matchers(node, "approvers", out).map(Approvers::Matching)
}

fn check_notify(target: &Text, out: &mut Diagnostics) {
    let fine = target.value.split_once(':').is_some_and(|(service, place)| {
        let service_fine = service.starts_with(|c: char| c.is_ascii_lowercase())
            && service.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        service_fine && !place.is_empty() && place.chars().all(|c| !c.is_whitespace() && !c.is_control())
    });
    if !fine {
        let message = format!("{} is not somewhere to tell", quoted(&target.value));
        let help = "write a service and a place, like \"slack:#access-requests\"";
        out.push(Diagnostic::error(Code::InvalidNotify, target.span, message).help(help));
    }
}
