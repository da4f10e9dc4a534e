//! Workloads for the benchmarks: policies of any size and requests that go with them, the same on every machine.
//!
//! An estate of `rules` rules has one host for about twenty of them. A host has exact paths, templates with captures and
//! prefixes; most rules let a group in, some deny, some restrict, some ask for a network or an approval. About 70 % of the
//! requests hit a rule.

pub mod adversarial;
pub mod mixed;
pub mod vast;

use std::fmt::Write as _;

/// Numbers that look random and are the same everywhere (SplitMix64, Steele et al. 2014).
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// A sequence that follows from the seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % limit as u64).expect("below a usize")
    }
}

/// A request of a workload.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method.
    pub method: &'static str,
    /// The Host header.
    pub host: String,
    /// The request-target.
    pub target: String,
    /// The peer's address.
    pub source: std::net::IpAddr,
    /// Which of the workload's people asks; `None` for nobody.
    pub person: Option<usize>,
}

/// A policy and the requests that go with it.
#[derive(Clone, Debug)]
pub struct Workload {
    /// The policy's text.
    pub policy: String,
    /// The groups of each person.
    pub people: Vec<Vec<String>>,
    /// 1,024 requests.
    pub calls: Vec<Call>,
}

/// The issuer of every workload.
pub const ISSUER: &str = "https://login.example.com";
/// Its audience.
pub const AUDIENCE: &str = "estate";
/// The people of every workload.
pub const PEOPLE: usize = 64;
const GROUPS: usize = 200;
const RULES_PER_HOST: usize = 20;
const NOUNS: [&str; 16] = [
    "orders", "invoices", "users", "reports", "carts", "stock", "refunds", "sessions", "events", "plans", "teams",
    "files", "alerts", "quotas", "labels", "audits",
];

/// The estate with this many rules. The same number gives the same estate.
#[must_use]
pub fn estate(rules: usize) -> Workload {
    let mut numbers = Numbers::new(SEED);
    let mut policy = head();
    for rule in 0..rules {
        write_rule(&mut policy, rule, &mut numbers);
    }
    let (people, calls) = requests(rules, &mut numbers);
    Workload { policy, people, calls }
}

const SEED: u64 = 0x4c75_6967_6921;

/// What stands before scopes and rules.
fn head() -> String {
    let mut policy = format!(
        "schema = 1\n\n[issuers.login]\nurl = \"{ISSUER}\"\naudiences = [\"{AUDIENCE}\"]\n\n[networks]\noffice = [\"203.0.113.0/24\"]\nvpn = [\"10.8.0.0/16\", \"10.9.0.0/16\"]\n\n[logins.mfa]\namr-any = [\"mfa\"]\n\n[approvals.leads]\napprovers = {{ groups = [\"group-0\"] }}\nduration = \"30m\"\n\n[groups]\n"
    );
    for group in 0..GROUPS {
        let _ = writeln!(policy, "group-{group} = \"group-{group}\"");
    }
    policy
}

/// The people's groups, and what they ask for.
fn requests(rules: usize, numbers: &mut Numbers) -> (Vec<Vec<String>>, Vec<Call>) {
    let people: Vec<Vec<String>> =
        (0..PEOPLE).map(|_| (0..8).map(|_| format!("group-{}", numbers.below(GROUPS))).collect()).collect();
    let calls = (0..1024).map(|_| call(rules, &people, numbers)).collect();
    (people, calls)
}

/// The text of the estate with this many rules, in an edition that differs from others by one rule.
#[must_use]
pub fn numbered(rules: usize, edition: usize) -> String {
    let mut policy = estate(rules).policy;
    let _ = writeln!(
        policy,
        "\n[[rules]]\nid = \"edition-{edition}\"\neffect = \"deny\"\nscopes = \"all\"\nsubject = {{ subjects = [\"nobody-{edition}\"] }}"
    );
    policy
}

/// The text of an estate as files of a directory, with their names: none is larger than one file may be.
#[must_use]
pub fn files_of(policy: &str) -> Vec<(String, String)> {
    const MOST: usize = 4 << 20;
    let (mut files, mut rest): (Vec<(String, String)>, &str) = (Vec::new(), policy);
    while !rest.is_empty() {
        // A scope and the rules about it begin with an empty line.
        let far = rest.floor_char_boundary(MOST.min(rest.len()));
        let end = if far == rest.len() { far } else { rest[..far].rfind("\n\n").map_or(rest.len(), |at| at + 1) };
        let (file, others) = rest.split_at(end);
        let schema = if files.is_empty() { "" } else { "schema = 1\n" };
        files.push((format!("{:03}.toml", files.len()), format!("{schema}{file}")));
        rest = others;
    }
    files
}

/// How many tests [`tested`] has.
pub const TESTS: usize = 10;

/// The text of the estate with this many rules, at least 100, with some tests: somebody of a rule's group is let in.
#[must_use]
pub fn tested(rules: usize) -> String {
    let mut policy = estate(rules).policy;
    // Rules that let in whoever has a group.
    for rule in (0..TESTS).map(|test| test * (rules / TESTS) / 10 * 10) {
        let (host, path, group) = (host(rule), path(rule), group_of(rule));
        let _ = writeln!(
            policy,
            "\n[[tests]]\nname = \"rule {rule}\"\nrequest = \"GET https://{host}{path}\"\nas = {{ groups = [\"group-{group}\"] }}\nexpect = \"allow\"\nrule = \"rule-{rule}\""
        );
    }
    policy
}

fn host(rule: usize) -> String {
    format!("svc-{}.example.com", rule / RULES_PER_HOST)
}

/// The path of a rule: an exact one, one with a capture, or a prefix. The number keeps them apart.
fn path(rule: usize) -> String {
    let noun = NOUNS[rule % NOUNS.len()];
    match rule % 5 {
        0 | 1 => format!("/v1/{noun}-{rule}"),
        2 | 3 => format!("/v1/{noun}-{rule}/{{id}}/lines/{{line}}"),
        _ => format!("/v1/{noun}-{rule}/**"),
    }
}

fn write_rule(policy: &mut String, rule: usize, numbers: &mut Numbers) {
    let (host, path, group) = (host(rule), path(rule), group_of(rule));
    let methods = ["\"read\"", "\"any\"", "[\"GET\", \"POST\"]"][numbers.below(3)];
    let _ = writeln!(
        policy,
        "\n[scopes.scope-{rule}]\nhosts = [\"{host}\"]\npaths = [\"{path}\"]\nmethods = {methods}\n\n[[rules]]\nid = \"rule-{rule}\"\nscopes = [\"scope-{rule}\"]"
    );
    let _ = match rule % 20 {
        7 => writeln!(policy, "effect = \"deny\"\nsubject = {{ subjects = [\"person-{}\"] }}", rule % PEOPLE),
        13 => writeln!(policy, "effect = \"restrict\"\nrequire = {{ login = \"mfa\" }}"),
        17 => writeln!(
            policy,
            "effect = \"allow\"\nsubject = {{ groups = [\"group-{group}\"] }}\nrequire = {{ approval = [\"leads\"] }}"
        ),
        3 | 11 => {
            writeln!(
                policy,
                "effect = \"allow\"\nsubject = {{ groups = [\"group-{group}\"] }}\nfrom = [\"office\", \"vpn\"]"
            )
        }
        _ => writeln!(policy, "effect = \"allow\"\nsubject = {{ groups = [\"group-{group}\"] }}"),
    };
}

fn group_of(rule: usize) -> usize {
    rule * 7 % GROUPS
}

fn call(rules: usize, people: &[Vec<String>], numbers: &mut Numbers) -> Call {
    let rule = numbers.below(rules);
    let hit = numbers.below(10) < 7;
    let wanted = format!("group-{}", group_of(rule));
    let member = people.iter().position(|groups| groups.contains(&wanted)).filter(|_| hit);
    let person = if numbers.below(20) == 0 { None } else { Some(member.unwrap_or_else(|| numbers.below(PEOPLE))) };
    let path = path(rule).replace("{id}", "8f7e0c52").replace("{line}", "17").replace("/**", "/a/b");
    let target = if hit { format!("{path}?page=2") } else { format!("{path}/nowhere") };
    let source = if numbers.below(3) == 0 { [198, 51, 100, 7] } else { [10, 8, 3, 9] };
    Call { method: "GET", host: host(rule), target, source: source.into(), person }
}

fn parse(policy: &str) -> luigi_core::policy::model::Policy {
    let mut sources = luigi_core::policy::SourceSet::new();
    for (name, text) in files_of(policy) {
        sources.add(&name, &text);
    }
    let parsed = luigi_core::policy::parse(&sources);
    parsed.policy.unwrap_or_else(|| {
        let problems = format!("{:?}", parsed.diagnostics);
        panic!("the policy of a workload is not sound: {}", problems.chars().take(2_000).collect::<String>())
    })
}

/// A workload made ready: compiled policy, canonical targets, identities.
#[derive(Debug)]
pub struct Ready {
    /// The compiled policy.
    pub snapshot: luigi_core::snapshot::Snapshot,
    /// The workload's people, as an embedder would assert them.
    pub people: Vec<luigi_core::identity::Identity>,
    /// The workload's requests.
    pub calls: Vec<Call>,
}

/// The moment at which workloads take place.
pub const NOW: luigi_core::time::Timestamp = luigi_core::time::Timestamp::from_unix_seconds(1_772_442_000);

impl Ready {
    /// Parses and compiles a workload.
    ///
    /// # Panics
    /// If the workload's policy is not sound: a mistake in this file.
    #[must_use]
    pub fn new(workload: Workload) -> Self {
        let people = workload.people.iter().enumerate().map(|(n, groups)| person(n, groups)).collect();
        Self::of(&workload.policy, people, workload.calls)
    }

    fn of(policy: &str, people: Vec<luigi_core::identity::Identity>, calls: Vec<Call>) -> Self {
        let snapshot =
            luigi_core::snapshot::Snapshot::compile(parse(policy)).expect("the policy of a workload compiles");
        Self { snapshot, people, calls }
    }

    /// Canonicalises and decides one call: everything that a request costs beside its token.
    pub fn decide<'h>(&self, call: &Call, hands: &'h mut Hands) -> &'h luigi_core::decide::Evaluation {
        let Hands { buffer, scratch, grants, evaluation } = hands;
        self.snapshot.decide_into(&self.request(call, buffer, grants), scratch, evaluation);
        evaluation
    }

    /// What the slow, obvious evaluator says about a call: it looks at every rule.
    pub fn explain(&self, call: &Call, hands: &mut Hands) -> luigi_core::explain::Explanation {
        let Hands { buffer, grants, .. } = hands;
        luigi_core::explain::evaluate(self.snapshot.policy(), &self.request(call, buffer, grants))
    }

    #[inline(always)]
    fn request<'a>(
        &'a self,
        call: &'a Call,
        buffer: &'a mut luigi_core::target::TargetBuffer,
        grants: &'a luigi_core::grant_set::GrantSet,
    ) -> luigi_core::decide::Request<'a> {
        let raw = luigi_core::target::RawTarget {
            method: call.method.as_bytes(),
            target: call.target.as_bytes(),
            host: Some(call.host.as_bytes()),
        };
        luigi_core::decide::Request {
            method: call.method.as_bytes(),
            target: luigi_core::target::canonicalize(raw, buffer),
            source: luigi_core::decide::Source::from_address(call.source),
            credential: match call.person {
                Some(person) => luigi_core::identity::Credential::Verified(&self.people[person]),
                None => luigi_core::identity::Credential::Absent,
            },
            time: NOW,
            grants,
            stops: luigi_core::stop_set::StopSet::NONE,
            upgrade: luigi_core::kleene::Kleene::False,
            facts: luigi_core::decide::RequestFacts::NONE,
        }
    }
}

/// What a thread keeps for its decisions.
#[derive(Debug)]
pub struct Hands {
    buffer: luigi_core::target::TargetBuffer,
    scratch: luigi_core::decide::Scratch,
    grants: luigi_core::grant_set::GrantSet,
    evaluation: luigi_core::decide::Evaluation,
}

impl Hands {
    /// Buffers that fit the workload.
    #[must_use]
    pub fn for_workload(ready: &Ready) -> Self {
        Self {
            buffer: luigi_core::target::TargetBuffer::new(),
            scratch: luigi_core::decide::Scratch::for_snapshot(&ready.snapshot),
            grants: luigi_core::grant_set::GrantSet::default(),
            evaluation: luigi_core::decide::Evaluation::refused(luigi_core::decide::Reason::InternalError),
        }
    }
}

fn person(number: usize, groups: &[String]) -> luigi_core::identity::Identity {
    use luigi_core::identity::{Completeness, Groups, Identity, Login};
    let groups = groups.iter().map(|group| group.as_str().into()).collect();
    let login = Login { auth_time: Some(NOW), acr: None, amr: Some(vec!["mfa".into()]) };
    Identity::assert("benchmark", ISSUER, &format!("person-{number}"), NOW.plus_seconds(3600))
        .groups(Groups::new(groups, Completeness::Complete))
        .login(login)
        .finish()
}
