//! What Luigi costs beyond the lines of its configuration: a bare HAProxy, native ACLs, the lines with a converter that does nothing, and Luigi.
//!
//! The policy lets one request pass for anyone from the loopback network, and for members too: the same request is asked without a token and with one that
//! was seen before.

use crate::haproxy::{answer, constant, luigi, proxy, upstream};
use crate::load::Client;
use crate::median;
use crate::process::{Running, Site};
use luigi_bench::{AUDIENCE, ISSUER, estate};
use luigi_runtime::Facts;
use luigi_tests::tokens::{RsaKey, Signer, jwks};

/// Rules of the policy, but for those about the request.
const RULES: usize = 1_000;
const TARGET: &str = "/v1/orders/8f7e0c52-1f7c-4b7e-9d0e-0d4f1c2a7b11?page=2&sort=asc";
const CALLERS: [&str; 2] = ["no token", "bearer token"];

struct Setup {
    name: &'static str,
    running: Running,
    /// Microseconds a request of each round, for each caller.
    cpu: [Vec<f64>; 2],
}

/// Measures all setups and prints the table.
pub(crate) fn run(short: bool) {
    let (rounds, requests) = if short { (1, 400) } else { (9, 8_000) };
    let site = Site::new();
    let token = write_policy(&site);
    let requests_of_callers = [vec![request(None)], vec![request(Some(&token))]];
    let upstream = upstream(&site);
    let mut setups: Vec<Setup> = setups(&site, &upstream, &token);
    let mut clients: Vec<_> = setups
        .iter()
        .map(|setup| requests_of_callers.each_ref().map(|asked| Client::new(setup.running.address, asked)))
        .collect();
    for round in 0..=rounds {
        for (setup, clients) in setups.iter_mut().zip(&mut clients) {
            for (client, cpu) in clients.iter_mut().zip(&mut setup.cpu) {
                let each = client.cpu_of(requests, || setup.running.cpu());
                // The first round warms up: pages, caches, the token.
                if round > 0 {
                    cpu.push(each);
                }
            }
        }
    }
    report(setups);
}

fn report(setups: Vec<Setup>) {
    println!(
        "| setup | no token: CPU a request, µs (least) | added | bearer token: CPU a request, µs (least) | added |"
    );
    println!("|---|---:|---:|---:|---:|");
    let mut rows: Vec<(&str, [f64; 2])> = Vec::new();
    for Setup { name, mut cpu, .. } in setups {
        let medians = cpu.each_mut().map(|rounds| median(rounds));
        print!("| {name} |");
        let bare = rows.first().map_or(medians, |(_, bare)| *bare);
        for caller in 0..CALLERS.len() {
            let (median, least) = (medians[caller], cpu[caller][0]);
            let added = if rows.is_empty() { String::new() } else { format!("{:+.2}", median - bare[caller]) };
            print!(" {median:.2} ({least:.2}) | {added} |");
        }
        println!();
        rows.push((name, medians));
    }
    let [(_, bare), .., (_, to_nobody), (_, to_member), (_, luigi)] = rows.as_slice() else {
        unreachable!("five setups")
    };
    let times: Vec<_> = CALLERS
        .iter()
        .zip([to_nobody, to_member])
        .enumerate()
        .map(|(at, (caller, constant))| format!("{:.2} ({caller})", (luigi[at] - bare[at]) / (constant[at] - bare[at])))
        .collect();
    println!("\nWhat Luigi adds, in times of what its lines add with the constant converter: {}.", times.join(", "));
}

/// Writes the policy and the keys; the token of a member, of 1.3 KB.
fn write_policy(site: &Site) -> String {
    let signer = Signer::rs256("k1", RsaKey::First);
    let now = luigi_runtime::now().unix_seconds();
    let groups: Vec<_> = (0..24).map(|n| format!("group-{n}-of-the-estate")).chain(["group-1".into()]).collect();
    let mut policy = estate(RULES).policy;
    policy.push_str(
        "\n[scopes.bench]\nhosts = [\"bench.example.com\"]\npaths = [\"/v1/orders/{id}\"]\nmethods = \"read\"\n\
         [[rules]]\nid = \"bench-anyone\"\neffect = \"allow\"\nscopes = [\"bench\"]\nsubject = \"anyone\"\nfrom = [\"loopback\"]\n\
         [[rules]]\nid = \"bench-members\"\neffect = \"allow\"\nscopes = [\"bench\"]\nsubject = { groups = [\"group-1\"] }\n",
    );
    site.write("policy.toml", policy.replace("[networks]\n", "[networks]\nloopback = [\"127.0.0.0/8\"]\n"));
    site.write("keys.json", jwks(&[&signer]));
    signer.token(&serde_json::json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "person-7", "email": "person-7@example.com", "email_verified": true,
        "groups": groups, "iat": now, "exp": now + 86_400,
    }))
}

/// The bare one first; Luigi last, and before it the constant converter with what Luigi answers to each caller.
fn setups(site: &Site, upstream: &Running, token: &str) -> Vec<Setup> {
    let hosts = site.write("hosts.map", "bench.example.com yes\nother.example.com yes\n");
    let acls = format!(
        "    http-request deny unless {{ path_beg /v1/orders/ }} {{ method GET HEAD }} {{ src 127.0.0.0/8 }} {{ req.hdr(host),lower,map({hosts}) -m found }}\n"
    );
    let luigi = luigi(site);
    let authorization = format!("Bearer {token}");
    let nobody = Facts {
        method: b"GET",
        target: TARGET.as_bytes(),
        host: Some(b"bench.example.com"),
        host_count: 1,
        upgrade_count: Some(0),
        source: Some(b"127.0.0.1"),
        ..Facts::default()
    };
    let member = Facts { authorization: Some(authorization.as_bytes()), authorization_count: 1, ..nobody };
    let [to_nobody, to_member] = [("to-nobody", nobody), ("to-member", member)]
        .map(|(name, facts)| constant(site, &luigi.frontend, name, &answer(site, &facts)));
    let start = |name, file: &str, global: &str, frontend: &str| {
        let running = proxy(site, file, global, frontend, upstream.address);
        Setup { name, running, cpu: [Vec::new(), Vec::new()] }
    };
    vec![
        start("bare", "bare", "", ""),
        start("native ACLs: path, method, src, map", "acls", "", &acls),
        start("Luigi's lines, constant converter: nobody", "to-nobody", &to_nobody.global, &to_nobody.frontend),
        start("Luigi's lines, constant converter: a member", "to-member", &to_member.global, &to_member.frontend),
        start("**Luigi**", "luigi", &luigi.global, &luigi.frontend),
    ]
}

fn request(token: Option<&str>) -> String {
    let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    format!(
        "GET {TARGET} HTTP/1.1\r\nhost: bench.example.com\r\n\
         user-agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\naccept: application/json\r\n\
         accept-language: en-US,en;q=0.5\r\naccept-encoding: gzip, deflate, br\r\nx-request-id: 4bf92f3577b34da6a3ce929d0e0e4736\r\n\
         {authorization}\r\n"
    )
}
