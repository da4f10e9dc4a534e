//! What comes out of a comparison or a question, in words and for programs.

use super::patterns;
use super::situation::{Draft, Who};
use super::targets::{FrontendClass, HostGroup, MethodClass, OTHER_PATHS};
use crate::decide::{Advice, Decision, Evaluation, Reason, Scratch, Source};
use crate::explain::Explanation;
use crate::policy::model::{Fact, Policy};
use crate::snapshot::Snapshot;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

/// Operations that are decided alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct TargetWords {
    /// The host as a policy writes it; `None` for every host that nobody names, addresses, and no Host.
    pub host: Option<String>,
    /// The path as a policy writes it, or `any other path`: what no scope with this host has. A literal that is listed by itself is not
    /// meant by a `{name}` or `*` in its place.
    pub path: String,
    /// The methods; `other` is every one that no policy names.
    pub methods: Vec<String>,
    /// The frontends; `any other` is every one that the scopes with this host do not name. Empty for every frontend.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub frontends: Vec<String>,
    /// How many of them its host tells apart.
    #[serde(skip)]
    pub(super) all_frontends: usize,
}

impl fmt::Display for TargetWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", methods(&self.methods))?;
        // Behind it stands which expressions fit.
        let others = self.path.strip_prefix(OTHER_PATHS);
        match &self.host {
            _ if let Some(which) = others => {
                write!(f, "{OTHER_PATHS} on {}{which}", self.host.as_deref().unwrap_or("any other host"))
            }
            Some(host) => write!(f, "{host}{}", self.path),
            None => write!(f, "{} on any other host", self.path),
        }?;
        if self.frontends.is_empty() { Ok(()) } else { write!(f, " at frontend {}", self.frontends.join(", ")) }
    }
}

/// Everything but CONNECT and TRACE is `any`, as in a policy; whether these are meant, too, is said.
fn methods(names: &[String]) -> String {
    let any = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"];
    let has = |name: &str| names.iter().any(|held| held == name);
    if any.iter().all(|name| has(name)) {
        return match (has("CONNECT"), has("TRACE")) {
            (false, false) => "any method".to_owned(),
            (true, false) => "any method, and CONNECT".to_owned(),
            (false, true) => "any method, and TRACE".to_owned(),
            (true, true) => "every method, CONNECT and TRACE included".to_owned(),
        };
    }
    let named = names.iter().map(|name| if name == "other" { "any other method" } else { name });
    named.collect::<Vec<_>>().join(", ")
}

/// Puts what differs in frontends alone together, in the order in which it comes.
fn over_frontends(targets: impl IntoIterator<Item = TargetWords>) -> Vec<TargetWords> {
    let mut met: Vec<TargetWords> = Vec::new();
    let mut known: HashMap<(Option<String>, String, Vec<String>), usize> = HashMap::new();
    for target in targets {
        let key = (target.host.clone(), target.path.clone(), target.methods.clone());
        match known.get(&key) {
            None => {
                known.insert(key, met.len());
                met.push(target);
            }
            Some(at) => met[*at].frontends.extend(target.frontends),
        }
    }
    for target in &mut met {
        target.frontends.sort();
        target.frontends.dedup();
        if target.frontends.len() == target.all_frontends {
            target.frontends.clear();
        }
    }
    met
}

/// Puts methods, paths and frontends together that say one thing.
pub(super) fn merged(targets: impl IntoIterator<Item = TargetWords>) -> Vec<TargetWords> {
    /// Host, frontends, path; methods.
    type Place = ((Option<String>, Vec<String>, String), Vec<String>);
    let mut by_place: BTreeMap<(Option<String>, Vec<String>, String), Vec<String>> = BTreeMap::new();
    for TargetWords { host, path, methods, frontends, all_frontends: _ } in over_frontends(targets) {
        let held = by_place.entry((host, frontends, path)).or_default();
        for method in methods {
            if !held.contains(&method) {
                held.push(method);
            }
        }
    }
    let mut places: Vec<Place> = by_place.into_iter().collect();
    // `/a` and `/a/*/**` are `/a/**`, if nothing else is meant by either.
    let known: HashSet<Place> = places.iter().cloned().collect();
    for ((host, frontends, path), methods) in &mut places {
        if let Some(parent) = path.strip_suffix("/*/**") {
            let at = if parent.is_empty() { "/" } else { parent };
            if known.contains(&((host.clone(), frontends.clone(), at.to_owned()), methods.clone())) {
                *path = format!("{parent}/**");
            }
        }
    }
    let known: HashSet<Place> = places.iter().cloned().collect();
    places.retain(|((host, frontends, path), methods)| {
        let below = if path == "/" { "/**".to_owned() } else { format!("{path}/**") };
        !known.contains(&((host.clone(), frontends.clone(), below), methods.clone()))
    });
    let words = |((host, frontends, path), methods)| TargetWords { host, path, methods, frontends, all_frontends: 0 };
    places.into_iter().map(words).collect()
}

/// The targets of one path of a group of hosts, at some of its frontends.
pub(super) fn targets_of(
    group: &HostGroup,
    path: usize,
    method: &MethodClass,
    frontends: &FrontendClass,
) -> impl Iterator<Item = TargetWords> {
    let path = group.paths[path].pattern.clone();
    let (methods, frontends) = (method.names.clone(), frontends.names.clone());
    let all_frontends = group.frontends.iter().map(|class| class.names.len()).sum();
    group.hosts.iter().map(move |host| TargetWords {
        host: host.pattern.clone(),
        path: path.clone(),
        methods: methods.clone(),
        frontends: frontends.clone(),
        all_frontends,
    })
}

/// What a policy answers to some requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Answer {
    /// `allow` or `deny`.
    pub decision: &'static str,
    /// What a denied caller is told to do, in words; `None` if nothing helps.
    pub advice: Option<String>,
}

/// Why a policy answers like that: the reason and the rules that it names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Cause {
    /// The code of the reason.
    pub reason: Reason,
    /// The determining rule.
    pub rule: Option<String>,
    /// The restrict rule that asked for what is not met.
    pub restricted_by: Option<String>,
}

impl Answer {
    pub(super) fn new(decision: &Decision, policy: &Policy) -> Self {
        let advice = decision.advice.map(|advice| match advice {
            Advice::Authenticate => "log in".to_owned(),
            Advice::StepUp { login, rule: _ } => format!("log in again, like `{}`", policy.logins[login].name),
            Advice::RequestAccess { approvals, rule: _ } => {
                let asked: Vec<String> = approvals
                    .iter()
                    .map(|missing| {
                        let (approval, scope) = (&policy.approvals[missing.approval], &policy.scopes[missing.scope]);
                        format!("`{}` for `{}`", approval.name, scope.name)
                    })
                    .collect();
                format!("ask for {}", asked.join(", "))
            }
        });
        Self { decision: if decision.allows() { "allow" } else { "deny" }, advice }
    }

    pub(super) fn allows(&self) -> bool {
        self.decision == "allow"
    }
}

impl Cause {
    pub(super) fn new(decision: &Decision, policy: &Policy) -> Self {
        let name = |id| policy.rules[id].name.clone();
        Self { reason: decision.reason, rule: decision.rule.map(name), restricted_by: decision.restricted_by.map(name) }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.rule, self.reason) {
            (Some(rule), Reason::AllowedByRule) => write!(f, "rule `{rule}`")?,
            (Some(rule), reason) => write!(f, "{}, rule `{rule}`", reason.as_str())?,
            (None, reason) => f.write_str(reason.as_str())?,
        }
        match &self.restricted_by {
            Some(rule) => write!(f, ", restricted by `{rule}`"),
            None => Ok(()),
        }
    }
}

/// A request, whole: who, what, from where, when.
#[derive(Clone, Debug)]
pub struct Example {
    pub(super) draft: Draft,
    /// The groups that its person is in, by the names of the policies.
    pub(super) group_names: Vec<String>,
    /// The name of its issuer, unless it is the default one.
    pub(super) issuer_name: Option<String>,
    /// The login requirement that it meets best, by name.
    pub(super) login_name: Option<String>,
    /// Scopes and approvals by name, with the values of captures that a grant is for.
    pub(super) grants: Vec<(String, String, BTreeMap<String, String>)>,
    /// Headers with their values, facts, and the client certificate, if some policy asks for such things at all.
    pub(super) headers: Option<Vec<(String, Vec<String>)>>,
    pub(super) facts: Option<BTreeMap<String, String>>,
    pub(super) certificate: Option<Value>,
}

impl Example {
    /// `policies`, the one whose names count first.
    pub(super) fn new(draft: Draft, policies: &[&Policy]) -> Self {
        let group = |value: &str| {
            let mut named = policies.iter().flat_map(|policy| policy.groups.iter().map(|(_, group)| group));
            let Some(group) = named.find(|group| group.value.to_string() == value) else {
                return vec![value.to_owned()];
            };
            match group.value.family() {
                None => vec![group.name.clone()],
                Some(family) => {
                    let captured = draft.captured.get(&family.capture).into_iter().flatten();
                    captured.map(|value| format!("{}:{value}", group.name)).collect()
                }
            }
        };
        let group_names = draft.groups.names().iter().flat_map(|value| group(value)).collect();
        let issuer_name = match &draft.who {
            Who::Nobody | Who::Unverifiable => None,
            Who::Issuer(url) => {
                let is_default =
                    |policy: &&Policy| policy.default_issuer.is_some_and(|id| policy.issuers[id].trust.url == *url);
                let mut named = policies.iter().flat_map(|policy| policy.issuers.iter().map(|(_, issuer)| issuer));
                named
                    .find(|issuer| issuer.trust.url == *url)
                    .filter(|_| !policies.first().is_some_and(is_default))
                    .map(|issuer| issuer.name.clone())
            }
        };
        let meets = |login: &crate::policy::model::Login| {
            let facts = &draft.login;
            let acr = login.acr_any.is_empty() || facts.acr.as_ref().is_some_and(|acr| login.acr_any.contains(acr));
            let has = |method: &String| facts.amr.as_ref().is_some_and(|held| held.contains(method));
            let any = login.amr_any.is_empty() || login.amr_any.iter().any(has);
            let amr = any && login.amr_all.iter().all(has);
            let age =
                login.max_age_seconds.is_none_or(|most| facts.age_seconds.is_some_and(|age| age <= i64::from(most)));
            acr && amr && age
        };
        let mut logins = policies.iter().flat_map(|policy| policy.logins.iter().map(|(_, login)| login));
        let login_name = logins.find(|login| meets(login)).map(|login| login.name.clone());
        let grants = draft.grants.iter().map(|(scope, approval)| {
            let mut named = policies.iter().flat_map(|policy| policy.approvals.iter().map(|(_, approval)| approval));
            let found = named.find(|row| row.name == *approval);
            let captures = found.map(|approval| draft.captures_of(approval)).unwrap_or_default();
            (scope.clone(), approval.clone(), captures)
        });
        let grants = grants.collect();
        let asks =
            |wanted: fn(&Fact) -> bool| policies.iter().any(|policy| policy.facts.iter().any(|(_, fact)| wanted(fact)));
        let asks_for_headers = draft.upgrade || asks(|fact| matches!(fact, Fact::Header(_)));
        let headers = asks_for_headers.then(|| {
            let owned = |values: Vec<&str>| values.into_iter().map(str::to_owned).collect();
            let sent = draft.brought.header_values().map(|(name, values)| (name.to_owned(), owned(values)));
            let upgrade = draft.upgrade.then(|| ("upgrade".to_owned(), vec!["websocket".to_owned()]));
            sent.chain(upgrade).collect()
        });
        let facts = asks(|fact| matches!(fact, Fact::Named { .. })).then(|| {
            let facts = draft.brought.facts.iter();
            facts.filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect()
        });
        let certificate = asks(|fact| matches!(fact, Fact::Certificate)).then(|| draft.brought.certificate.described());
        let certificate = certificate.flatten();
        Self { draft, group_names, issuer_name, login_name, grants, headers, facts, certificate }
    }

    /// What a policy decides about it.
    #[must_use]
    pub fn decide(&self, snapshot: &Snapshot) -> Evaluation {
        self.draft.decide(snapshot, &mut Scratch::for_snapshot(snapshot))
    }

    /// How a policy comes to its decision about it.
    #[must_use]
    pub fn explain(&self, policy: &Policy) -> Explanation {
        self.draft.explain(policy)
    }

    /// Method and URL, as in a test of a policy.
    #[must_use]
    pub fn request(&self) -> String {
        let Draft { method, host, path, brought, .. } = &self.draft;
        let query = brought.query().map_or(String::new(), |query| format!("?{query}"));
        patterns::Witness { method: method.clone(), host: host.clone(), path: format!("{path}{query}"), frontend: None }
            .to_string()
    }

    /// The frontend at which it comes in, if that matters.
    #[must_use]
    pub fn frontend(&self) -> Option<&str> {
        self.draft.frontend.as_deref()
    }

    /// Who asks, as in a test of a policy: null for nobody, `"invalid"`, or an object.
    #[must_use]
    pub fn asker(&self) -> Value {
        match &self.draft.who {
            Who::Nobody => return Value::Null,
            Who::Unverifiable => return Value::from("invalid"),
            Who::Issuer(_) => {}
        }
        let mut person = Map::new();
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                person.insert(key.to_owned(), value);
            }
        };
        put("issuer", self.issuer_name.clone().map(Value::from));
        put("sub", (self.draft.subject != "somebody").then(|| Value::from(self.draft.subject.as_str())));
        put("kind", self.draft.kind.clone().map(Value::from));
        put("email", self.draft.email.as_ref().map(|email| Value::from(&*email.address)));
        put("groups", (!self.group_names.is_empty()).then(|| json!(self.group_names)));
        put("login", self.login_name.clone().map(Value::from));
        put("claims", (!self.draft.claims.is_empty()).then(|| json!(self.draft.claims)));
        let actor = self.draft.actor.as_ref().and_then(|actor| actor.subject.as_deref());
        put("via", actor.map(|subject| json!({ "sub": subject })));
        Value::Object(person)
    }

    /// The address that it comes from, if that is known.
    #[must_use]
    pub fn from(&self) -> Option<std::net::IpAddr> {
        match self.draft.source {
            Source::Address(address) => Some(address),
            Source::Unknown => None,
        }
    }

    /// The options of `luigi explain` that ask about it. What they cannot say is left out: groups that were cut off, for example.
    #[must_use]
    pub fn options(&self) -> String {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
        let mut options = format!("-r {}", quoted(&self.request()));
        if let Some(frontend) = self.frontend() {
            options.push_str(&format!(" --frontend {frontend}"));
        }
        match self.asker() {
            Value::Null => {}
            Value::String(word) => options.push_str(&format!(" --as {word}")),
            person => options.push_str(&format!(" --as {}", quoted(&person.to_string()))),
        }
        if let Some(address) = self.from() {
            options.push_str(&format!(" --from {address}"));
        }
        options.push_str(&format!(" --at {}", self.draft.time));
        for (scope, approval, captures) in &self.grants {
            let captures: String = captures.iter().map(|(name, value)| format!(":{name}={value}")).collect();
            let grant = format!("{scope}:{approval}{captures}");
            let plain = grant.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:=".contains(&b));
            options.push_str(&format!(" --grant {}", if plain { grant } else { quoted(&grant) }));
        }
        for (name, values) in self.headers.iter().flatten() {
            values
                .iter()
                .for_each(|value| options.push_str(&format!(" --header {}", quoted(&format!("{name}: {value}")))));
        }
        for (name, value) in self.facts.iter().flatten() {
            options.push_str(&format!(" --fact {}", quoted(&format!("{name}={value}"))));
        }
        if self.headers.as_ref().is_some_and(Vec::is_empty) {
            options.push_str(" --header none");
        }
        if self.facts.as_ref().is_some_and(BTreeMap::is_empty) {
            options.push_str(" --fact none");
        }
        match &self.certificate {
            None => {}
            Some(Value::String(word)) => options.push_str(&format!(" --certificate {word}")),
            Some(object) => options.push_str(&format!(" --certificate {}", quoted(&object.to_string()))),
        }
        options
    }
}

impl Serialize for Example {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let grant = |(scope, approval, captures): &(String, String, BTreeMap<String, String>)| {
            let mut grant = json!({ "scope": scope, "approval": approval });
            if !captures.is_empty() {
                grant["captures"] = json!(captures);
            }
            grant
        };
        let grants: Vec<Value> = self.grants.iter().map(grant).collect();
        let mut example = json!({
            "request": self.request(),
            "as": self.asker(),
            "from": self.from(),
            "at": self.draft.time.to_string(),
            "grants": grants,
        });
        if let Some(frontend) = self.frontend() {
            example["frontend"] = frontend.into();
        }
        if let Some(headers) = &self.headers {
            let one = |(name, values): &(String, Vec<String>)| match &values[..] {
                [value] => (name.clone(), json!(value)),
                _ => (name.clone(), json!(values)),
            };
            example["headers"] = Value::Object(headers.iter().map(one).collect());
        }
        if let Some(facts) = &self.facts {
            example["facts"] = json!(facts);
        }
        if let Some(certificate) = &self.certificate {
            example["certificate"] = certificate.clone();
        }
        example.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_method_is_what_a_policy_calls_so() {
        let any = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"];
        let said = |more: &[&str]| {
            let names: Vec<String> = any.iter().chain(more).map(|name| (*name).to_owned()).collect();
            methods(&names)
        };
        assert_eq!(said(&[]), "any method");
        assert_eq!(said(&["PURGE"]), "any method");
        assert_eq!(said(&["TRACE"]), "any method, and TRACE");
        assert_eq!(said(&["CONNECT", "TRACE"]), "every method, CONNECT and TRACE included");
        assert_eq!(methods(&["GET".to_owned(), "other".to_owned()]), "GET, any other method");
    }
}
