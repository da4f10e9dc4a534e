//! Who acts for somebody else: `via` on rules and in exemptions, deny rules that mean actors, grants of people and of those who act for them.

use luigi_core::policy::{self, SourceSet, diagnostics::Style};
use luigi_core::policy_tests;
use luigi_core::snapshot::Snapshot;

const POLICY: &str = r#"
schema = 1
[issuers.login]
url = "https://login.example.com"
audiences = ["a"]
default = true
[issuers.agents]
url = "https://agents.example.com"
audiences = ["a"]
[groups]
staff = "staff"
leads = "leads"
contractors = "contractors"
[scopes.docs]
hosts = "any"
paths = ["/docs/**"]
methods = "any"
[scopes.open]
hosts = "any"
paths = ["/open/**"]
methods = "any"
[scopes.robots]
hosts = "any"
paths = ["/robots/**"]
methods = "any"
[scopes.vault]
hosts = "any"
paths = ["/vault/**"]
methods = "any"
[scopes.wiki]
hosts = "any"
paths = ["/wiki/**"]
methods = "any"
[approvals.leads]
approvers = { groups = ["leads"] }
duration = "30m"
[[rules]]
id = "docs-for-staff"
effect = "allow"
scopes = ["docs"]
subject = { groups = ["staff"] }
[[rules]]
id = "docs-for-assistants"
effect = "allow"
scopes = ["docs"]
methods = "read"
subject = { groups = ["staff"] }
via = [{ subjects = ["agent:assistant"] }, { issuers = ["agents"], subject-patterns = ["reader:*"] }]
[[rules]]
id = "docs-not-for-mallory"
effect = "deny"
scopes = ["docs"]
subject = { subjects = ["mallory"] }
[[rules]]
id = "docs-not-for-the-service-reaper"
effect = "deny"
scopes = ["docs"]
subject = { subject-patterns = ["reaper:*"], kinds = ["service"] }
[[rules]]
id = "docs-not-for-contractors"
effect = "deny"
scopes = ["docs"]
subject = { groups = ["contractors"] }
[[rules]]
id = "docs-for-reapers"
effect = "allow"
scopes = ["docs"]
subject = { groups = ["staff"] }
via = { subject-patterns = ["reaper:*"] }
[[rules]]
id = "docs-not-through-the-old-agent"
effect = "deny"
scopes = ["docs"]
via = { subjects = ["agent:old"] }
[[rules]]
id = "open-for-anyone"
effect = "allow"
scopes = ["open"]
subject = "anyone"
[[rules]]
id = "robots-through-robots"
effect = "allow"
scopes = ["robots"]
subject = "anyone"
via = "any"
[[rules]]
id = "robots-need-a-task"
effect = "restrict"
scopes = ["robots"]
via = { claims = [{ path = ["task"], equals = "clean" }] }
require = { subject = { groups = ["staff"] } }
[[rules]]
id = "vault-for-staff"
effect = "allow"
scopes = ["vault"]
subject = { groups = ["staff"] }
via = "any"
require = { approval = ["leads"] }
[[rules]]
id = "vault-for-staff-in-person"
effect = "allow"
scopes = ["vault"]
subject = { groups = ["staff"] }
require = { approval = ["leads"] }
[[rules]]
id = "wiki-for-staff"
effect = "allow"
scopes = ["wiki"]
subject = { groups = ["staff"] }
via = "any"
[[rules]]
id = "wiki-only-through-the-assistant"
effect = "deny"
scopes = ["wiki"]
unless = { via = { subjects = ["agent:assistant"] } }
"#;

/// Each line: request, who asks (the inside of `as`; `-` for nobody), what must come out, and what further keys the test has.
const CASES: &str = r#"
GET /docs/1     | groups = ["staff"]                                                         | allow |
GET /docs/1     | groups = ["staff"], via = { sub = "agent:assistant" }                      | allow | rule = "docs-for-assistants"
POST /docs/1    | groups = ["staff"], via = { sub = "agent:assistant" }                      | deny  |
GET /docs/1     | groups = ["leads"], via = { sub = "agent:assistant" }                      | deny  |
GET /docs/1     | groups = ["staff"], via = { sub = "agent:other" }                          | deny  |
GET /docs/1     | groups = ["staff"], via = { sub = "agent:assistant", issuer = "agents" }   | deny  |
GET /docs/1     | groups = ["staff"], via = { sub = "reader:7", issuer = "agents" }          | allow |
GET /docs/1     | groups = ["staff"], via = { sub = "reader:7" }                             | deny  |
GET /docs/1     | groups = ["staff"], via = { sub = "agent:other", claims = { act = { sub = "agent:assistant" } } } | deny |
GET /docs/1     | groups = ["staff"], via = { sub = "agent:assistant", claims = { act = { sub = "agent:other" } } } | allow |
GET /docs/1     | sub = "mallory", groups = ["staff"], via = { sub = "agent:assistant" }     | deny  | rule = "docs-not-for-mallory"
GET /docs/1     | groups = ["staff"], via = { sub = "mallory" }                              | deny  | rule = "docs-not-for-mallory"
GET /docs/1     | groups = ["staff"], via = { sub = "agent:old" }                            | deny  | rule = "docs-not-through-the-old-agent"
GET /docs/1     | groups = ["staff"], via = { sub = "reaper:1" }                             | deny  | rule = "docs-not-for-the-service-reaper"\nreason = "deny-rule-unknown"
GET /docs/1     | sub = "reaper:1", groups = ["staff"]                                       | allow | rule = "docs-for-staff"
GET /docs/1     | groups = ["staff"], sub = "agent:old"                                      | allow | rule = "docs-for-staff"
GET /docs/1     | -                                                                          | authenticate |
GET /open/1     | via = { sub = "agent:other" }                                              | allow |
GET /open/1     | -                                                                          | allow |
GET /robots/1   | via = { sub = "agent:other" }                                              | allow |
GET /robots/1   | groups = ["staff"]                                                         | deny  | reason = "no-rule-allows"
GET /robots/1   | -                                                                          | authenticate |
GET /robots/1   | via = { sub = "r", claims = { task = "clean" } }                           | deny  | reason = "subject-required"
GET /robots/1   | groups = ["staff"], via = { sub = "r", claims = { task = "clean" } }       | allow |
GET /robots/1   | via = { claims = { task = "cook" } }                                       | allow |
GET /vault/1    | groups = ["staff"]                                                         | request-access |
GET /vault/1    | groups = ["staff"]                                                         | allow | grants = [{ scope = "vault", approval = "leads" }]
GET /vault/1    | groups = ["staff"], via = { sub = "agent:assistant" }                      | allow | grants = [{ scope = "vault", approval = "leads" }]
GET /vault/1    | groups = ["staff"], via = { sub = "agent:assistant" }                      | request-access | grants = [{ scope = "vault", approval = "leads", in-person = true }]
GET /wiki/1     | groups = ["staff"], via = { sub = "agent:assistant" }                      | allow |
GET /wiki/1     | groups = ["staff"], via = { sub = "agent:other" }                          | deny  | rule = "wiki-only-through-the-assistant"
GET /wiki/1     | groups = ["staff"]                                                         | deny  | reason = "denied-by-rule"
"#;

#[test]
fn who_may_act_for_whom() {
    let mut text = POLICY.to_owned();
    for (n, line) in CASES.lines().filter(|line| !line.is_empty()).enumerate() {
        let [request, who, expect, more] = line.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let who = if who == "-" { String::new() } else { format!("as = {{ {who} }}\n") };
        text.push_str(&format!(
            "[[tests]]\nname = \"{n}: {request}\"\nrequest = \"{request}\"\n{who}expect = \"{expect}\"\n{}\n",
            more.replace("\\n", "\n")
        ));
    }
    let mut sources = SourceSet::new();
    sources.add("via.toml", text);
    let parsed = policy::parse(&sources);
    assert_eq!(parsed.diagnostics.render(&sources, Style::PLAIN), "");
    let snapshot = Snapshot::compile(parsed.policy.unwrap()).unwrap();
    let mut failed = String::new();
    for (test, outcome) in parsed.tests.iter().zip(policy_tests::run(&snapshot, &parsed.tests)) {
        failed.push_str(&outcome.diagnostics(test, &sources).render(&sources, Style::PLAIN));
        if let policy_tests::TestOutcome::Failed(failure) = outcome {
            failed.push_str(&failure.explanation.to_string());
        }
    }
    assert!(failed.is_empty(), "{failed}");
    assert_eq!(parsed.tests.len(), CASES.lines().count() - 1);
}
