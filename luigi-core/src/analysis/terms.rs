//! What two policies say otherwise beside what they decide: on which terms access is obtained, whose tokens are believed and how they are read,
//! what servers do with targets.
//!
//! The structs of the model are taken apart without `..` on purpose: of each part it is said here who compares it, the walk of decisions or
//! this module. Whoever adds one to the language has to say it, too.

use super::fingerprint::Fingerprints;
use super::words::{listed, matchers};
use crate::identity::{ClaimMap, IssuerTrust, IssuerType, ListFormat};
use crate::policy::model::{
    Approval, Approvers, Audit, Auditing, Group, HostProperties, Issuer, Justification, Login, Network, Policy, Proxy,
    Rule, Schedule, Scope, Subject, Table, TableId, Upgrade,
};
use crate::policy::written;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// One thing that two policies say otherwise about something that both have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Term {
    /// What kind of thing: `approval`, `issuer`, `proxy`, `host`, `scope`, `stop`, `policy`.
    pub of: &'static str,
    /// Its name; empty for the policy itself.
    pub name: String,
    /// What of it, in words.
    pub what: &'static str,
    /// What the old policy says.
    pub before: String,
    /// What the new policy says.
    pub after: String,
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { of, name, what, before, after } = self;
        f.write_str(of)?;
        if !name.is_empty() {
            write!(f, " `{name}`")?;
        }
        write!(f, ", {what}: {before} -> {after}")
    }
}

/// What something is: in words, and exactly.
struct Said {
    what: &'static str,
    words: String,
    /// Tells apart what has the same words, because the names in them mean something else.
    exactly: String,
}

fn said(what: &'static str, words: impl Into<String>) -> Said {
    let words = words.into();
    Said { what, exactly: words.clone(), words }
}

/// What the rows of a table say, by their names.
type Rows = BTreeMap<String, Vec<Said>>;

/// Everything that is said otherwise, sorted.
pub(super) fn compare(old: &Policy, new: &Policy) -> Vec<Term> {
    let sides = [old, new].map(|policy| (policy, Fingerprints::new(policy)));
    let mut terms = Vec::new();
    let mut table = |of: &'static str, rows: &dyn Fn(&Policy, &Fingerprints<'_>) -> Rows| {
        let [before, mut after] = [0, 1].map(|at| rows(sides[at].0, &sides[at].1));
        for (name, before) in before {
            let Some(after) = after.remove(&name) else { continue };
            for (before, after) in before.into_iter().zip(after) {
                if before.exactly == after.exactly {
                    continue;
                }
                let same = before.words == after.words;
                let after = if same { format!("{}, which means others now", after.words) } else { after.words };
                terms.push(Term { of, name: name.clone(), what: before.what, before: before.words, after });
            }
        }
    };
    table("policy", &|policy, _| [(String::new(), of_policy(policy))].into());
    table("approval", &|policy, exactly| named(&policy.approvals, |row| of_approval(row, policy, exactly)));
    table("issuer", &|policy, _| named(&policy.issuers, of_issuer));
    table("proxy", &|policy, exactly| named(&policy.proxies, |row| of_proxy(row, policy, exactly)));
    table("host", &|policy, _| named(&policy.hosts, of_host));
    table("scope", &|policy, _| named(&policy.scopes, of_scope));
    // The walk compares these whole; nothing is left to say.
    for (policy, _) in &sides {
        policy.rules.iter().for_each(|(_, row)| of_rule(row));
        policy.groups.iter().for_each(|(_, row)| of_group(row));
        policy.networks.iter().for_each(|(_, row)| of_network(row));
        policy.schedules.iter().for_each(|(_, row)| of_schedule(row));
        policy.logins.iter().for_each(|(_, row)| of_login(row));
    }
    terms.sort();
    terms
}

/// The rows of a table by their names.
fn named<Id: TableId, Row>(table: &Table<Id, Row>, say: impl Fn(&Row) -> (String, Vec<Said>)) -> Rows {
    table.iter().map(|(_, row)| say(row)).collect()
}

fn of_policy(policy: &Policy) -> Vec<Said> {
    let Policy {
        environment,
        auditing: Auditing { sample, query_parameters },
        methods: _,        // a name for bits: the walk
        issuers: _,        // of_issuer
        default_issuer: _, // in the fingerprint of each rule: the walk
        groups: _,         // of_group
        networks: _,       // of_network
        proxies: _,        // of_proxy
        schedules: _,      // of_schedule
        logins: _,         // of_login
        hosts: _,          // of_host
        scopes: _,         // of_scope
        approvals: _,      // of_approval
        facts: _,          // what rules ask for: the walk
        rules: _,          // of_rule
    } = policy;
    let sample = sample.map_or("none".to_owned(), |sample| format!("one of {sample}"));
    vec![
        said("environment", quoted_or(environment.as_deref(), "none")),
        said("allowed requests that are recorded", sample),
        said("parameters of queries that are recorded", list(query_parameters, "none")),
    ]
}

fn of_approval(row: &Approval, policy: &Policy, exactly: &Fingerprints<'_>) -> (String, Vec<Said>) {
    let Approval {
        name,
        requesters,
        approvers,
        quorum,
        duration_seconds,
        max_duration_seconds,
        justification,
        per,
        notify,
        content_hash: _, // of all but the name and `notify`
    } = row;
    let who_asks = Said { what: "who may ask", words: subject(requesters, policy), exactly: exactly.row(requesters) };
    let who_approves = match approvers {
        Approvers::Requester => "whoever asks".to_owned(),
        Approvers::Matching(some) => matchers(some, policy),
    };
    let who_approves = Said { what: "who may approve", words: who_approves, exactly: exactly.row(approvers) };
    let justification = match justification {
        Justification::Required => "required",
        Justification::Optional => "optional",
    };
    let all = vec![
        who_asks,
        who_approves,
        said("how many must approve", quorum.to_string()),
        said("how long a grant lasts", written(*duration_seconds)),
        said("how long a grant may last", written(*max_duration_seconds)),
        said("justification", justification),
        said("one grant for each", list(per, "request of the scope")),
        said("who is told", list(notify, "nobody")),
    ];
    (name.clone(), all)
}

fn of_issuer(row: &Issuer) -> (String, Vec<Said>) {
    let Issuer { name, trust } = row;
    let IssuerTrust {
        issuer_type,
        url,
        audiences,
        algorithms,
        token_types,
        leeway_seconds,
        trusts_emails,
        kind,
        claims: ClaimMap { subject, email, groups, groups_format, kind: claim_of_kind, audience },
    } = trust;
    let path = |path: &[String]| format!("`{}`", path.join("."));
    let issuer_type = match issuer_type {
        IssuerType::Oidc => "tokens whose `iss` is its URL".to_owned(),
        IssuerType::Spiffe { trust_domain, iss } => {
            let iss = iss.as_ref().map_or(String::new(), |iss| format!(" with `iss` `{iss}`"));
            format!("JWT-SVIDs of `{trust_domain}`{iss}")
        }
    };
    let emails = if *trusts_emails { "also when not said to be verified" } else { "when verified" };
    let format = match groups_format {
        ListFormat::Array => "a list",
        ListFormat::Words => "words",
    };
    let all = vec![
        said("URL", format!("`{url}`")),
        said("type", issuer_type),
        said("audiences", list(audiences, "none")),
        said("algorithms", listed(algorithms.iter().map(|algorithm| algorithm.as_str()), "and")),
        said("types of tokens", list(token_types, "the usual ones")),
        said("leeway of clocks", written(*leeway_seconds)),
        said("e-mails count", emails),
        said("kind of subjects", quoted_or(kind.as_deref(), "none")),
        said("claim of the subject", path(subject)),
        said("claim of the e-mail", path(email)),
        said("claim of the groups", path(groups)),
        said("groups are written as", format),
        said("claim of the kind", claim_of_kind.as_deref().map_or("none".to_owned(), path)),
        said("claim of the audience", path(audience)),
    ];
    (name.clone(), all)
}

fn of_proxy(row: &Proxy, policy: &Policy, exactly: &Fingerprints<'_>) -> (String, Vec<Said>) {
    let Proxy { name, networks, source } = row;
    let words = listed(networks.iter().map(|id| policy.networks[*id].name.as_str()), "or");
    let networks = Said { what: "where it is", words, exactly: exactly.row(networks) };
    (name.clone(), vec![networks, said("header with the source", format!("`{source}`"))])
}

fn of_host(row: &HostProperties) -> (String, Vec<Said>) {
    let HostProperties { host, ignores_case, slash_matters, accepts, refuses_method_override } = row;
    let when = |is: bool, yes: &str, no: &str| if is { yes.to_owned() } else { no.to_owned() };
    let accepts = listed(accepts.iter().map(|class| class.as_str()), "and");
    let all = vec![
        said("case of paths", when(*ignores_case, "ignored", "matters")),
        said("a final `/`", when(*slash_matters, "matters", "is nothing")),
        said("ambiguous targets that are decided", if accepts.is_empty() { "none".to_owned() } else { accepts }),
        said("requests for another method", when(*refuses_method_override, "refused", "not looked for")),
    ];
    (host.to_string(), all)
}

fn of_scope(row: &Scope) -> (String, Vec<Said>) {
    let Scope {
        name,
        hosts: _,      // the walk
        frontends: _,  // the walk
        operations: _, // the walk
        path_regex: _, // the walk; what it leaves out is a gap
        except: _,     // the walk
        privileged: _, // the walk
        preflight: _,  // the walk
        audit,
        upgrade,
        content_hash: _, // which grants end: `structure`
    } = row;
    let upgrade = match upgrade {
        Upgrade::Refuse => "refused".to_owned(),
        Upgrade::Outlive { seconds } => format!("closed when silent for {}", written(*seconds)),
        Upgrade::Allow => "allowed without end".to_owned(),
    };
    let audit = match audit {
        Audit::Required => "denied",
        Audit::BestEffort => "passed and counted",
    };
    let audit = said("privileged requests without a record", audit.to_owned());
    (name.clone(), vec![said("upgrades of connections", upgrade), audit])
}

fn of_rule(row: &Rule) {
    let Rule {
        name: _,    // the walk: in each reason
        owner: _,   // for people: decides nothing, and lets nobody in
        effect: _,  // the walk
        mode: _,    // the walk: decisions and candidate decisions
        scopes: _,  // the walk
        methods: _, // the walk
        when: _,    // the walk
        unless: _,  // the walk
        starts: _,  // the walk
        ends: _,    // the walk
        require: _, // the walk
    } = row;
}

fn of_group(row: &Group) {
    // The walk, by value; whom approvals mean by it: `of_approval`.
    let Group { name: _, value: _ } = row;
}

fn of_network(row: &Network) {
    // The walk; where proxies are: `of_proxy`.
    let Network { name: _, members: _ } = row;
}

fn of_schedule(row: &Schedule) {
    // The walk: the moments at which each may begin or end to hold.
    let Schedule { name: _, time_zone: _, days: _, start: _, end: _, dates: _, except_dates: _ } = row;
}

fn of_login(row: &Login) {
    // The walk.
    let Login { name: _, acr_any: _, amr_any: _, amr_all: _, max_age_seconds: _ } = row;
}

fn subject(subject: &Subject, policy: &Policy) -> String {
    match subject {
        Subject::Anyone => "anyone".to_owned(),
        Subject::Authenticated => "everybody with a verified identity".to_owned(),
        Subject::AnyOf(some) => matchers(some, policy),
    }
}

fn list(texts: &[String], none: &str) -> String {
    if texts.is_empty() { none.to_owned() } else { listed(texts.iter().map(String::as_str), "and") }
}

fn quoted_or(text: Option<&str>, none: &str) -> String {
    text.map_or(none.to_owned(), |text| format!("`{text}`"))
}
