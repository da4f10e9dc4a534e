//! The policy, the tokens and the requests: what every proxy can be told alike.
//!
//! Each path belongs to one rule, which names methods and one group; the group stands in a token of about 1.3 KB. A request without a token is refused.

use luigi_bench::mixed::{Make, Mixed, Paths};
use luigi_bench::{AUDIENCE, Call, Hands, ISSUER};
use luigi_tests::tokens::{RsaKey, Signer, jwks};
use std::fmt::Write as _;

/// Everything that setups are made of.
pub(crate) struct Estate {
    /// The rules, as data.
    pub(crate) workload: Mixed,
    /// The public key, as JWKS.
    pub(crate) jwks: Vec<u8>,
    /// The token of each person.
    pub(crate) tokens: Vec<String>,
    /// All requests of the workload.
    pub(crate) requests: Vec<Request>,
    /// `GET` requests that pass, of different people.
    pub(crate) passing: Vec<String>,
}

/// A request as it is sent, and what the oracle says about it.
pub(crate) struct Request {
    pub(crate) text: String,
    pub(crate) allowed: bool,
}

impl Estate {
    pub(crate) fn new(rules: usize) -> Self {
        let workload = Mixed::new(rules, Make::GroupsOnly);
        let signer = Signer::rs256("k1", RsaKey::First);
        let now = luigi_runtime::now().unix_seconds();
        let padding = (0..16).map(|n| format!("{n}-of-the-groups-that-no-rule-names"));
        let tokens: Vec<_> = workload
            .people
            .iter()
            .enumerate()
            .map(|(number, person)| {
                let groups: Vec<_> = person.groups.iter().cloned().chain(padding.clone()).collect();
                signer.token(&serde_json::json!({
                    "iss": ISSUER, "aud": AUDIENCE, "sub": format!("person-{number}"), "iat": now, "exp": now + 86_400,
                    "department": person.department, "groups": groups,
                }))
            })
            .collect();
        let ready = workload.ready();
        let mut hands = Hands::for_workload(&ready);
        let text = |call: &Call| text(call, &tokens);
        let mut passing = Vec::new();
        let requests: Vec<_> = workload
            .calls
            .iter()
            .map(|call| {
                let allowed = ready.explain(call, &mut hands).evaluation.decision.allows();
                if allowed && call.method == "GET" {
                    passing.push(text(call));
                }
                Request { text: text(call), allowed }
            })
            .collect();
        Self { jwks: jwks(&[&signer]), workload, tokens, requests, passing }
    }

    /// Host and path of each rule with the group that it lets in and how its methods are called, as [`methods`] does.
    pub(crate) fn rules(&self) -> impl Iterator<Item = (&str, &Paths, &str, &'static str)> {
        self.workload.rules.iter().map(|rule| {
            let luigi_bench::mixed::Who::Groups(groups) = &rule.who else { unreachable!("groups only") };
            (rule.host.as_str(), &rule.paths, groups[0].as_str(), methods(rule.methods))
        })
    }
}

/// A word for the methods of a rule.
fn methods(methods: luigi_bench::mixed::Methods) -> &'static str {
    match methods {
        luigi_bench::mixed::Methods::Any => "any",
        luigi_bench::mixed::Methods::These(["GET", "HEAD"]) => "read",
        luigi_bench::mixed::Methods::These(["GET", "POST"]) => "form",
        luigi_bench::mixed::Methods::These(other) => unreachable!("{other:?}"),
    }
}

/// What [`methods`] means.
pub(crate) fn allowed_methods(word: &str) -> &'static [&'static str] {
    match word {
        "read" => &["GET", "HEAD"],
        "form" => &["GET", "POST"],
        _ => &["GET", "HEAD", "POST", "DELETE"],
    }
}

fn text(call: &Call, tokens: &[String]) -> String {
    let mut text = format!(
        "{} {} HTTP/1.1\r\nhost: {}\r\nuser-agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
         accept: application/json\r\naccept-language: en-US,en;q=0.5\r\naccept-encoding: gzip, deflate, br\r\n\
         x-request-id: 4bf92f3577b34da6a3ce929d0e0e4736\r\n",
        call.method, call.target, call.host
    );
    if call.method == "POST" {
        text.push_str("content-length: 0\r\n");
    }
    if let Some(person) = call.person {
        let _ = write!(text, "authorization: Bearer {}\r\n", tokens[person]);
    }
    text + "\r\n"
}
