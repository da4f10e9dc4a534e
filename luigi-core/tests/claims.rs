//! Claims that must be there, must not be there, or hold a time that is still ahead; logins that need all of several methods.

use luigi_core::policy::{self, SourceSet, diagnostics::Style};
use luigi_core::policy_tests::{self, TestOutcome};
use luigi_core::snapshot::Snapshot;

const POLICY: &str = r#"
schema = 1
[issuers.login]
url = "https://login.example.com"
audiences = ["a"]
default = true
[issuers.partner]
url = "https://partner.example.com"
audiences = ["a"]
[logins.two]
amr-all = ["pwd", "hwk"]
amr-any = ["face", "pin"]
[scopes.contract]
hosts = "any"
paths = ["/contract"]
methods = "read"
[scopes.over]
hosts = "any"
paths = ["/over"]
methods = "read"
[scopes.there]
hosts = "any"
paths = ["/there"]
methods = "read"
[scopes.not-there]
hosts = "any"
paths = ["/not-there"]
methods = "read"
[scopes.vault]
hosts = "any"
paths = ["/vault"]
methods = "read"
[[rules]]
id = "contractors"
effect = "allow"
scopes = ["contract"]
subject = "authenticated"
claim-after-now = ["hr", "contract_end"]
[[rules]]
id = "over-for-anyone"
effect = "allow"
scopes = ["over"]
subject = "anyone"
[[rules]]
id = "over-when-it-is-over"
effect = "deny"
scopes = ["over"]
unless = { claim-after-now = "contract.end" }
[[rules]]
id = "there"
effect = "allow"
scopes = ["there"]
subject = { claims = [{ path = ["org", "unit"], present = true }] }
[[rules]]
id = "not-there"
effect = "allow"
scopes = ["not-there"]
subject = { claims = [{ path = ["org", "unit"], present = false }] }
[[rules]]
id = "vault"
effect = "allow"
scopes = ["vault"]
subject = "authenticated"
require = { login = "two" }
"#;

/// Each line: path, who asks at 2026-03-02T10:00:00Z (the inside of `as`; `-` for nobody), reason.
const CASES: &str = r#"
/contract  | claims = { hr = { contract_end = 1772445601 } }                 | allowed-by-rule
/contract  | claims = { hr = { contract_end = 1772445600 } }                 | no-rule-allows
/contract  | claims = { hr = { contract_end = 1772445600.9 } }               | no-rule-allows
/contract  | claims = { hr = { contract_end = "2026-03-03" } }               | allowed-by-rule
/contract  | claims = { hr = { contract_end = "2026-03-02" } }               | no-rule-allows
/contract  | claims = { hr = { contract_end = "2026-03-02T11:00:01+01:00" } } | allowed-by-rule
/contract  | claims = { hr = { contract_end = "2026-03-02T11:00:00+01:00" } } | no-rule-allows
/contract  | claims = { hr = { contract_end = "next year" } }                | allow-rule-unknown
/contract  | claims = { hr = { contract_end = true } }                       | allow-rule-unknown
/contract  | claims = { hr = { contract_end = [1772445601] } }               | allow-rule-unknown
/contract  | claims = { hr = 1772445601 }                                    | no-rule-allows
/contract  | sub = "x"                                                       | no-rule-allows
/contract  | claims = { _claim_names = { hr = "src1" } }                     | allow-rule-unknown
/contract  | issuer = "partner", claims = { hr = { contract_end = 1772445601 } } | no-rule-allows
/contract  | -                                                               | no-rule-allows
/over      | issuer = "partner", claims = { "contract.end" = "9999-12-31" }   | allowed-by-rule
/over      | claims = { contract = { end = "9999-12-31" } }                   | denied-by-rule
/over      | claims = { "contract.end" = "2026-02-30" }                       | deny-rule-unknown
/over      | -                                                               | denied-by-rule
/there     | claims = { org = { unit = 0 } }                                  | allowed-by-rule
/there     | claims = { org = {} }                                            | no-rule-allows
/there     | claims = { org = ["unit"] }                                      | no-rule-allows
/there     | claims = { _claim_names = { org = "src1" } }                     | allow-rule-unknown
/there     | claims = { _claim_names = "?" }                                  | allow-rule-unknown
/there     | -                                                               | no-rule-allows
/not-there | sub = "x"                                                       | allowed-by-rule
/not-there | claims = { org = { unit = false } }                              | no-rule-allows
/not-there | claims = { _claim_names = { org = "src1" } }                     | allow-rule-unknown
/not-there | claims = { _claim_names = { groups = "src1" } }                  | allowed-by-rule
/not-there | -                                                               | no-rule-allows
/vault     | login = "two"                                                   | allowed-by-rule
/vault     | sub = "x"                                                       | login-required
"#;

#[test]
fn claims_and_logins() {
    let mut text = POLICY.to_owned();
    for (n, line) in CASES.lines().filter(|line| !line.is_empty()).enumerate() {
        let [path, who, reason] = line.split('|').map(str::trim).collect::<Vec<_>>()[..] else { panic!("{line}") };
        let who = if who == "-" { String::new() } else { format!("as = {{ {who} }}\n") };
        let expect = match (reason, who.is_empty(), path) {
            ("allowed-by-rule", ..) => "allow",
            ("login-required", ..) => "step-up",
            (_, true, _) => "authenticate",
            (_, false, _) => "deny",
        };
        text.push_str(&format!(
            "[[tests]]\nname = \"{n}: {path}\"\nrequest = \"GET {path}\"\n{who}at = 2026-03-02T10:00:00Z\nexpect = \"{expect}\"\nreason = \"{reason}\"\n"
        ));
    }
    let mut sources = SourceSet::new();
    sources.add("claims.toml", text);
    let parsed = policy::parse(&sources);
    assert_eq!(parsed.diagnostics.render(&sources, Style::PLAIN), "");
    let snapshot = Snapshot::compile(parsed.policy.unwrap()).unwrap();
    let mut failed = String::new();
    for (test, outcome) in parsed.tests.iter().zip(policy_tests::run(&snapshot, &parsed.tests)) {
        failed.push_str(&outcome.diagnostics(test, &sources).render(&sources, Style::PLAIN));
        if let TestOutcome::Failed(failure) = outcome {
            failed.push_str(&failure.explanation.to_string());
        }
    }
    assert!(failed.is_empty(), "{failed}");
    assert_eq!(parsed.tests.len(), CASES.lines().count() - 1);
}
