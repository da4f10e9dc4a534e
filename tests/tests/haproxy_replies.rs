//! What callers, backends and operators see: replies, identity headers, log lines and the commands of the stats socket.

use luigi_runtime::Mode;
use luigi_tests::client::{Client, request};
use luigi_tests::installation::Release;
use luigi_tests::on_each_haproxy;
use luigi_tests::people::{HOST, ISSUER, POLICY, ada, bearer, changed, signer, site};
use serde_json::{Value, json};

on_each_haproxy!(
    refusals_suit_browsers_and_programs,
    backends_get_the_identity_and_nobody_elses_word_for_it,
    operators_can_see_and_explain,
);

fn refusals_suit_browsers_and_programs(release: Release) {
    let site = site();
    site.apply(POLICY, Some(Mode::Enforce));
    let Some(haproxy) = site.start(site.setup(release)) else { return };
    let mut client = Client::connect(haproxy.address());
    let token = bearer(&signer(), &ada());
    let page = "text/html; charset=utf-8";
    let problem = "application/problem+json";
    for (number, (path, token, accept, status, content_type, word)) in [
        ("/staff/", None, Some("text/html,application/xhtml+xml,*/*;q=0.8"), 401, page, "Please log in"),
        ("/staff/", None, Some("application/json"), 401, problem, "Please log in"),
        ("/staff/", None, Some("*/*"), 401, problem, "Please log in"),
        ("/staff/", None, None, 401, problem, "Please log in"),
        ("/vault/x", Some(&token), Some("text/html"), 403, page, "This needs an approval"),
        ("/vault/x", Some(&token), None, 403, problem, "\"approval\": \"lead\""),
        ("/closed/%3Cscript%3E", Some(&token), Some("text/html"), 403, page, "You have no access to this"),
        ("/closed/%2f", Some(&token), None, 400, problem, "ambiguous-target"),
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("{path}?{number}");
        let fields: Vec<_> = token.map(|token| ("authorization", token.as_str())).into_iter().collect();
        let fields: Vec<_> = fields.into_iter().chain(accept.map(|accept| ("accept", accept))).collect();
        let response = client.exchange(&request("GET", &path, HOST, &fields));
        assert_eq!(response.status, status, "{path}: {}", response.text());
        assert_eq!(response.header("content-type"), Some(content_type), "{path} {accept:?}");
        assert_eq!(response.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(response.header("vary"), Some("accept"), "{path}");
        assert_eq!(response.header("www-authenticate").is_some(), status == 401, "{path}");
        assert_eq!(response.header("content-security-policy").is_some(), content_type == page, "{path}");
        let text = response.text();
        assert!(text.contains(word) && !text.contains("<script>"), "{path}: {text}");
        let evaluation = response.header("x-luigi-evaluation").expect("every refusal has a reference");
        assert!(text.contains(evaluation), "{path}: {text}");
        assert!(haproxy.log_line(&[&format!("{path} ")]).contains(&format!("evaluation={evaluation}")), "{path}");
        if content_type == problem {
            let problem: Value = serde_json::from_str(&text).expect("a problem is JSON");
            assert_eq!(problem["status"], json!(status));
        }
    }
    assert_eq!(site.upstream().seen().len(), 0);
}

fn backends_get_the_identity_and_nobody_elses_word_for_it(release: Release) {
    let forged = [
        ("x-luigi-subject", "root"),
        ("X-Luigi-Groups", "admin"),
        ("X_Luigi_Subject", "root"),
        ("x-luigi_subject", "root"),
        ("x_luigi-email", "root@example.com"),
        ("x-luigi-anything", "root"),
        ("x-luigi-evaluation", "root"),
    ];
    for mode in [Mode::Observe, Mode::Enforce] {
        let site = site();
        site.apply(POLICY, Some(mode));
        let Some(haproxy) = site.start(site.setup(release)) else { return };
        let mut client = Client::connect(haproxy.address());
        let odd = changed(ada(), &json!({"sub": "a|b, c\r\nx-evil: 1 Zoë\u{7f}", "groups": ["staff", "a,b|c", "ü"]}));
        let unverified = changed(ada(), &json!({"email_verified": false, "groups": []}));
        for (name, claims, expected) in [
            ("nobody", None, &[][..]),
            ("ada", Some(ada()), &["x-luigi-subject: ada", "x-luigi-email: ada@example.com", "x-luigi-groups: staff"]),
            (
                "odd",
                Some(odd),
                &[
                    "x-luigi-subject: a%7Cb%2C%20c%0D%0Ax-evil:%201%20Zo%C3%AB%7F",
                    "x-luigi-groups: a%2Cb%7Cc,staff,%C3%BC",
                ],
            ),
            ("unverified", Some(unverified), &["x-luigi-email: ", "x-luigi-groups: "]),
        ] {
            let token = claims.map(|claims| bearer(&signer(), &claims));
            let mut fields = forged.to_vec();
            fields.extend(token.as_deref().map(|token| ("authorization", token)));
            let response = client.exchange(&request("GET", &format!("/open/{name}"), HOST, &fields));
            assert_eq!(response.status, 200, "{name}");
            let seen = response.text();
            assert!(!seen.contains("root") && !seen.contains("admin"), "{mode:?} {name}: {seen}");
            let ours: Vec<&str> = seen.lines().filter(|line| line.to_lowercase().starts_with("x")).collect();
            assert!(ours.iter().all(|line| line.starts_with("x-luigi-")), "{mode:?} {name}: {ours:?}");
            assert_eq!(ours.len(), if expected.is_empty() { 1 } else { 6 }, "{mode:?} {name}: {ours:?}");
            assert!(ours[0].starts_with("x-luigi-evaluation: "), "{ours:?}");
            for line in expected {
                assert!(ours.iter().any(|our| our.trim_end() == line.trim_end()), "{mode:?} {name}: {line}: {ours:?}");
            }
            if !expected.is_empty() {
                assert!(ours.contains(&format!("x-luigi-issuer: {ISSUER}").as_str()), "{ours:?}");
            }
        }
    }
}

fn operators_can_see_and_explain(release: Release) {
    let site = site();
    let applied = site.apply(POLICY, Some(Mode::Enforce));
    let Some(haproxy) = site.start(site.setup(release)) else { return };
    let token = bearer(&signer(), &ada());
    let response =
        Client::connect(haproxy.address()).exchange(&request("GET", "/staff/a", HOST, &[("authorization", &token)]));
    assert_eq!(response.status, 200);
    let text = response.text();
    let evaluation =
        text.lines().find_map(|line| line.strip_prefix("x-luigi-evaluation: ")).expect("the upstream got one");
    let expected = format!(
        " luigi=pass mode=enforce decision=allow advice=- reason=allowed-by-rule detail=- rule=staff credential=verified candidate=allow \
         candidate-rule=staff evaluation={evaluation} revision={} issuer=https://id.example.com subject=ada source=127.0.0.1 time=[",
        &applied.revision[..12]
    );
    let line = haproxy.log_line(&["/staff/a"]);
    for expected in [&expected, " host=app.example.com \"GET /staff/a HTTP/1.1\" groups=staff groups-are=complete"] {
        assert!(line.contains(expected), "{line}\nlacks\n{expected}");
    }

    let status = haproxy.ask("luigi status");
    for line in [
        "mode                   enforce".to_owned(),
        format!("revision               {}", applied.revision),
        "generation             1".to_owned(),
        "rules                  4".to_owned(),
        "issuer                 corp, 1 key".to_owned(),
        "decision               allowed-by-rule 1".to_owned(),
    ] {
        assert!(status.lines().any(|found| found == line), "{line}: {status}");
    }
    let before = haproxy.ask("luigi status");
    for (words, expected) in [
        ("GET https://app.example.com/staff/a groups=staff", "allowed-by-rule"),
        ("GET https://app.example.com/staff/a", "authenticate"),
        ("GET https://app.example.com/vault/a groups=staff", "approval-required"),
        ("GET https://app.example.com/x/..%2fy", "ambiguous-target"),
        ("GET", "usage: luigi explain METHOD URL"),
        ("GET https://app.example.com/ groups=nobody", "the policy has no group `nobody`"),
    ] {
        let answer = haproxy.ask(format!("luigi explain {words}"));
        assert!(answer.contains(expected), "{words}: {answer}");
    }
    for (command, expected) in
        [(&b"luigi explain GET https://app.example.com/\xff"[..], "not UTF-8"), (b"luigi status \xff", "is no format")]
    {
        let answer = haproxy.ask(command);
        assert!(answer.contains(expected), "{}: {answer}", command.escape_ascii());
    }
    let counts = |status: &str| {
        status
            .lines()
            .filter(|line| line.starts_with("decision") || line.starts_with("passed"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(counts(&before), counts(&haproxy.ask("luigi status")), "explaining counts nothing");
}
