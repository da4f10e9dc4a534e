//! `[[rules]]`: predicates, requirements and matchers of subjects.

use super::node::{Fields, Node, quoted};
use super::tables::strings;
use super::{
    Conditions, Matcher, Requirements, Rule, Scopes, Subject, Syntax, Text, captures, facts, targets, values, via,
};
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::policy::model::{ClaimTest, ClaimValue, ClaimValues, Effect, Mode};
use crate::policy::source::Spanned;
use crate::time::Timestamp;
use toml::de::DeValue;

/// Reads the rules of one document.
pub(super) fn read(top: &Fields<'_>, syntax: &mut Syntax, out: &mut Diagnostics) {
    for node in tables_of(top, "rules", out) {
        syntax.rules.extend(rule(node, out));
    }
}

/// The tables of `[[key]]`.
pub(super) fn tables_of<'t>(top: &Fields<'t>, key: &str, out: &mut Diagnostics) -> Vec<Node<'t>> {
    let Some(node) = top.get(key) else { return Vec::new() };
    if let DeValue::Table(_) = node.value() {
        let problem = node.wrong_type(key, "a list of tables");
        out.push(problem.help(format!("write each of them as `[[{key}]]`, in double brackets")));
        return Vec::new();
    }
    node.list(key, "tables", out).unwrap_or_default()
}

const EFFECTS: [(&str, Effect); 3] = [("allow", Effect::Allow), ("restrict", Effect::Restrict), ("deny", Effect::Deny)];
const MODES: [(&str, Mode); 2] = [("observe", Mode::Observe), ("enforce", Mode::Enforce)];

fn rule(node: Node<'_>, out: &mut Diagnostics) -> Option<Rule> {
    const KEYS: &[&str] = &[
        "id",
        "effect",
        "mode",
        "scopes",
        "environments",
        "methods",
        "subject",
        "via",
        "claim-after-now",
        "from",
        "during",
        "headers",
        "query",
        "certificate",
        "facts",
        "where",
        "unless",
        "starts",
        "ends",
        "require",
        "description",
        "accept",
    ];
    let fields = Fields::open_named(node, "rule", "id", KEYS, out)?;
    let id = fields.require("id", "every rule has a name, which decisions and logs show", out);
    let id = id.and_then(|node| node.text("id", out));
    if let Some(id) = &id {
        values::check_name(id, "a rule", out);
    }
    fields.description(out);
    let effect = fields.require("effect", "it can be \"allow\", \"restrict\" or \"deny\"", out);
    let effect = effect.and_then(|node| node.word("effect", &EFFECTS, out));
    let mode = fields.get("mode").and_then(|node| node.word("mode", &MODES, out));
    let scopes = fields.require("scopes", "name the scopes that the rule is about", out);
    let scopes = scopes.and_then(|node| scopes_of(node, effect, out));
    let environments = fields.texts("environments", out).unwrap_or_default();
    let methods = fields.get("methods").and_then(|node| targets::methods(node, out));
    let when = conditions(&fields, out);
    if effect == Some(Effect::Allow) {
        fields.require(
            "subject",
            "say who: \"anyone\", \"authenticated\", or a matcher like `{ groups = [\"billing\"] }`",
            out,
        );
    }
    let unless = fields.get("unless").map(|node| unless(node, out)).unwrap_or_default();
    let starts = fields.get("starts").and_then(|node| node.instant("starts", out));
    let ends = fields.get("ends").and_then(|node| node.instant("ends", out));
    if let (Some(starts), Some(ends)) = (&starts, &ends)
        && starts.value.as_second() >= ends.value.as_second()
    {
        let message = format!("{} ends before it starts", fields.what());
        let problem = Diagnostic::error(Code::EmptyPeriod, ends.span, message).label("ends here");
        out.push(problem.also(starts.span, "starts here"));
    }
    let require = requirements(&fields, effect, matches!(scopes, Some(Scopes::All)), out);
    Some(Rule {
        place: node.place(id.as_ref().map_or(fields.span(), |id| id.span), out),
        id,
        effect,
        mode: mode.unwrap_or(Mode::Enforce),
        scopes,
        environments,
        methods,
        when,
        unless,
        starts: starts.map(|at| Timestamp::from(at.value)),
        ends: ends.map(|at| Timestamp::from(at.value)),
        require,
    })
}

fn scopes_of(node: Node<'_>, effect: Option<Effect>, out: &mut Diagnostics) -> Option<Scopes> {
    if let DeValue::String(word) = node.value() {
        if word != "all" {
            let message = format!("{} is not a value of `scopes`", quoted(word));
            let help = format!("write it as a list of one, `[\"{}\"]`, or `\"all\"`", word.escape_debug());
            out.push(Diagnostic::error(Code::UnknownWord, node.span(), message).help(help));
            return None;
        }
        if effect == Some(Effect::Allow) {
            let problem = Diagnostic::error(Code::AllowAll, node.span(), "an allow rule cannot be about all requests");
            out.push(problem.help("name its scopes; what no rule allows is denied"));
        }
        return Some(Scopes::All);
    }
    node.texts("scopes", out).map(Scopes::Named)
}

fn conditions(fields: &Fields<'_>, out: &mut Diagnostics) -> Conditions {
    Conditions {
        subject: fields.get("subject").and_then(|node| subject(node, "subject", out)),
        via: fields.get("via").and_then(|node| via::read(node, out)),
        claim_after_now: claim_after_now(fields, out),
        from: fields.texts("from", out).unwrap_or_default(),
        during: fields.texts("during", out).unwrap_or_default(),
        facts: facts::tests(fields, out),
        captures: fields.get("where").map(|node| captures::tests(node, out)).unwrap_or_default(),
    }
}

/// The name of a claim, or a path to one; what no claim can say of anyone is an error.
fn claim_after_now(fields: &Fields<'_>, out: &mut Diagnostics) -> Option<Spanned<Vec<String>>> {
    let node = fields.get("claim-after-now")?;
    let path = match node.value() {
        DeValue::String(_) => vec![node.text("claim-after-now", out)?.value],
        _ => node.claim_path("claim-after-now", out)?,
    };
    let anyone = fields.get("subject").and_then(|subject| subject.value().as_str()) == Some("anyone");
    if anyone {
        let problem = Diagnostic::error(Code::MisplacedKey, node.span(), "\"anyone\" has no claims");
        out.push(problem.help("say `subject = \"authenticated\"` or whom you mean"));
    }
    Some(Spanned::new(path, node.span()))
}

fn unless(node: Node<'_>, out: &mut Diagnostics) -> Vec<Conditions> {
    one_or_more(node, "unless", out)
        .into_iter()
        .filter_map(|node| {
            let known = [&["subject", "via", "claim-after-now", "from", "during", "where"][..], &facts::KEYS].concat();
            let fields = Fields::open(node, "`unless`", &known, out)?;
            if fields.is_empty() {
                let problem = Diagnostic::error(Code::EmptyValue, fields.span(), "`unless` is an empty table");
                out.push(problem.help(
                    "name what exempts from the rule: `subject`, `via`, `claim-after-now`, `from`, `during` or `where`",
                ));
            }
            let conditions = conditions(&fields, out);
            if let (Some(Subject::Anyone), Some(node)) = (&conditions.subject, fields.get("subject")) {
                let problem = Diagnostic::error(Code::MisplacedKey, node.span(), "`unless` \"anyone\" says nothing");
                out.push(problem.help("leave the key out: a missing subject means anyone"));
            }
            Some(conditions)
        })
        .collect()
}

/// A table, or a list of tables of which any will do.
pub(super) fn one_or_more<'t>(node: Node<'t>, key: &str, out: &mut Diagnostics) -> Vec<Node<'t>> {
    match node.value() {
        DeValue::Array(_) => node.list(key, "tables", out).unwrap_or_default(),
        _ => vec![node],
    }
}

fn requirements(rule: &Fields<'_>, effect: Option<Effect>, about_all: bool, out: &mut Diagnostics) -> Requirements {
    let what = rule.what();
    let Some(node) = rule.get("require") else {
        if effect == Some(Effect::Restrict) {
            rule.require(
                "require",
                "a restrict rule says what else must hold, like `require = { login = \"fresh-mfa\" }`",
                out,
            );
        }
        return Requirements::default();
    };
    if effect == Some(Effect::Deny) {
        let message = format!("{what} denies and has requirements");
        let span = rule.key_span("require").unwrap_or(node.span());
        let help = "nothing overcomes a deny; use `unless` for exceptions, or a restrict rule for what must also hold";
        out.push(Diagnostic::error(Code::MisplacedKey, span, message).label("not on a deny rule").help(help));
    }
    let known = [&["login", "subject", "from", "during", "approval"][..], &facts::KEYS].concat();
    let Some(fields) = Fields::open(node, &format!("`require` of {what}"), &known, out) else {
        return Requirements::default();
    };
    if fields.is_empty() {
        let problem = Diagnostic::error(Code::EmptyValue, fields.span(), "`require` is an empty table");
        out.push(problem.help("name what must also hold: `login`, `subject`, `from`, `during` or `approval`"));
    }
    let Conditions { subject, via: _, claim_after_now: _, from, during, facts, captures: _ } = conditions(&fields, out);
    if let (Some(Subject::Anyone), Some(node)) = (&subject, fields.get("subject")) {
        let problem =
            Diagnostic::error(Code::MisplacedKey, node.span(), "a requirement that \"anyone\" meets says nothing");
        out.push(problem.help("leave the key out, or write \"authenticated\""));
    }
    let approval = fields.texts("approval", out).unwrap_or_default();
    if let (true, Some(span)) = (about_all, fields.key_span("approval")) {
        let message = format!("{what} is about all requests and asks for an approval");
        let problem = Diagnostic::error(Code::ApprovalWithoutScope, span, message).label("a grant opens a scope");
        out.push(problem.help("name the scopes that need the approval"));
    }
    Requirements { login: fields.text("login", out), subject, from, during, facts, approval }
}

/// Who a predicate is about: a word, a matcher, or a list of matchers.
pub(super) fn subject(node: Node<'_>, key: &str, out: &mut Diagnostics) -> Option<Subject> {
    if let DeValue::String(_) = node.value() {
        let words = [("anyone", true), ("authenticated", false)];
        return node
            .word(key, &words, out)
            .map(|anyone| if anyone { Subject::Anyone } else { Subject::Authenticated(node.span()) });
    }
    matchers(node, key, out).map(Subject::AnyOf)
}

/// A matcher or a list of matchers.
pub(super) fn matchers(node: Node<'_>, key: &str, out: &mut Diagnostics) -> Option<Vec<Matcher>> {
    let nodes = one_or_more(node, key, out);
    let read: Vec<_> = nodes.into_iter().filter_map(|node| matcher(node, key, out)).collect();
    (!read.is_empty()).then_some(read)
}

fn matcher(node: Node<'_>, key: &str, out: &mut Diagnostics) -> Option<Matcher> {
    const KEYS: [&str; 9] = [
        "issuers",
        "kinds",
        "subjects",
        "subject-patterns",
        "emails",
        "email-domains",
        "groups",
        "groups-all",
        "claims",
    ];
    let fields = Fields::open(node, &quoted(key), &KEYS, out)?;
    if fields.is_empty() {
        let problem = Diagnostic::error(Code::EmptyValue, fields.span(), format!("{} is an empty table", quoted(key)));
        out.push(problem.help("say whom it matches; \"authenticated\" is everyone with an identity"));
        // Whose identity it would be is not asked as well.
        return None;
    }
    let mut texts = |key: &str| fields.texts(key, out).unwrap_or_default();
    let (issuers, kinds) = (texts("issuers"), strings(texts("kinds")));
    let (subjects, patterns) = (texts("subjects"), texts("subject-patterns"));
    let (emails, domains) = (texts("emails"), texts("email-domains"));
    let (groups, groups_all) = (texts("groups"), texts("groups-all"));
    check_subjects(&subjects, &patterns, out);
    let mut normal: Vec<String> = emails.iter().filter_map(|text| values::email(text, out)).collect();
    normal.sort();
    normal.dedup();
    let mut normal_domains: Vec<String> = domains.iter().filter_map(|text| values::email_domain(text, out)).collect();
    normal_domains.sort();
    normal_domains.dedup();
    let claims = fields.get("claims").map(|node| claims(node, out)).unwrap_or_default();
    Some(Matcher {
        span: fields.span(),
        issuers,
        kinds,
        subjects: strings(subjects),
        subject_patterns: strings(patterns),
        emails: normal,
        email_domains: normal_domains,
        groups,
        groups_all,
        claims,
    })
}

/// Checks what matchers of subjects and of actors compare subjects with.
pub(super) fn check_subjects(subjects: &[Text], patterns: &[Text], out: &mut Diagnostics) {
    for subject in subjects {
        if let Some(at) = subject.value.find('*') {
            let message = format!("{} has a wildcard among literal subjects", quoted(&subject.value));
            let problem = Diagnostic::error(Code::PatternInSubjects, subject.part(at..at + 1), message);
            out.push(problem.label("compared literally here").help("write it under `subject-patterns`"));
        }
    }
    for pattern in patterns {
        check_pattern(pattern, out);
    }
}

fn check_pattern(pattern: &Text, out: &mut Diagnostics) {
    let problem = if !pattern.value.contains('*') {
        let message = format!("{} is a pattern without `*`", quoted(&pattern.value));
        Diagnostic::error(Code::InvalidMatcher, pattern.span, message).help("write it under `subjects`")
    } else if pattern.value.chars().all(|c| c == '*') {
        let message = format!("{} matches nearly every subject", quoted(&pattern.value));
        let help = "write `subject = \"authenticated\"` for everyone, or the part that must be there";
        Diagnostic::error(Code::InvalidMatcher, pattern.span, message).help(help)
    } else {
        return;
    };
    out.push(problem);
}

pub(super) fn claims(node: Node<'_>, out: &mut Diagnostics) -> Vec<ClaimTest> {
    let nodes = node.list("claims", "tables", out).unwrap_or_default();
    nodes.into_iter().filter_map(|node| claim(node, out)).collect()
}

fn claim(node: Node<'_>, out: &mut Diagnostics) -> Option<ClaimTest> {
    const ACCEPTS: [&str; 4] = ["in", "equals", "words", "present"];
    let fields = Fields::open(node, "a test of a claim", &["path", "in", "equals", "words", "present"], out)?;
    let path =
        fields.require("path", "an array of names that leads to the claim, like `[\"realm_access\", \"roles\"]`", out);
    let path = path.and_then(|node| node.claim_path("path", out));
    let mut given: Vec<_> = ACCEPTS.iter().filter_map(|key| fields.key_span(key).map(|span| (*key, span))).collect();
    given.sort_by_key(|(_, span)| *span);
    match given[..] {
        [] => {
            let problem =
                Diagnostic::error(Code::MissingKey, fields.span(), "a test of a claim compares it with nothing");
            out.push(
                problem.help("add `equals = \"x\"`, `in = [\"x\", \"y\"]`, `words = [\"x\"]` or `present = true`"),
            );
        }
        [_] => {}
        [(first, earlier), (second, later), ..] => {
            let message = format!("a test of a claim has both `{first}` and `{second}`");
            let problem = Diagnostic::error(Code::ConflictingKeys, later, message);
            let problem = problem.label("and this").also(earlier, "this");
            out.push(problem.help("write two tests of the claim if both must hold"));
        }
    }
    let accepts = if let Some(node) = fields.get("equals") {
        ClaimValues::In(vec![claim_value(node, out)?])
    } else if let Some(node) = fields.get("present") {
        if node.boolean("present", out)?.value { ClaimValues::Present } else { ClaimValues::Absent }
    } else if let Some(node) = fields.get("in") {
        let values: Vec<_> = node.list("in", "values", out)?.into_iter().map(|node| claim_value(node, out)).collect();
        let mut values = values.into_iter().collect::<Option<Vec<_>>>()?;
        values.sort();
        values.dedup();
        ClaimValues::In(values)
    } else {
        let words = fields.texts("words", out)?;
        if let Some(text) = words.iter().find(|text| text.value.contains(char::is_whitespace)) {
            let message = format!("{} is not one word", quoted(&text.value));
            out.push(Diagnostic::error(Code::InvalidClaim, text.span, message).help("list each word on its own"));
        }
        ClaimValues::Words(strings(words))
    };
    Some(ClaimTest { path: path?, accepts })
}

fn claim_value(node: Node<'_>, out: &mut Diagnostics) -> Option<ClaimValue> {
    match node.value() {
        DeValue::String(text) => Some(ClaimValue::Text(text.clone().into_owned())),
        DeValue::Boolean(value) => Some(ClaimValue::Boolean(*value)),
        DeValue::Integer(_) => node.integer("claims", out).map(|number| ClaimValue::Integer(number.value)),
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
            let problem = Diagnostic::error(Code::InvalidClaim, node.span(), "a claim cannot be compared with this");
            out.push(problem.help("claims are compared with strings, integers and booleans"));
            None
        }
    }
}
