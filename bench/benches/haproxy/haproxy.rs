//! HAProxy bare, with Luigi's lines and a converter that does nothing, with Luigi, and with maps; and the one that answers behind all.
//!
//! The maps are written by an expert for this estate: one look-up finds the rule by host and path, one regular expression with a back reference sees whether its
//! group stands in the token, whose signature HAProxy verifies each time. Rules that overlap, deny or name networks would need more.

use crate::estate::Estate;
use crate::load::Expected;
use crate::others::Setup;
use crate::process::{Running, Site, free_address, workspace};
use luigi_bench::mixed::Paths;
use luigi_bench::{AUDIENCE, ISSUER};
use luigi_runtime::haproxy_config::{self, Options, PolicySource};
use luigi_runtime::{Carried, Engine, EngineConfig, Facts, Mode, Outcome, PolicyFileConfig, answer_line};
use luigi_tests::installation::{Build, home};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::Command;

/// What is put into a configuration.
pub(crate) struct Lines {
    pub(crate) global: String,
    pub(crate) frontend: String,
}

/// What answers every request.
pub(crate) fn upstream(site: &Site) -> Running {
    start(site, "upstream", "", "    http-request return status 200 content-type text/plain string ok\n")
}

/// The setups, the bare one first.
pub(crate) fn setups(site: &Site, estate: &Estate, upstream: SocketAddr) -> Vec<Setup> {
    site.write("policy.toml", estate.workload.policy());
    site.write("keys.json", &estate.jwks);
    let luigi = luigi(site);
    let constant = constant(site, &luigi.frontend, "constant", SOMEBODY_PASSES);
    let maps = maps(site, estate);
    let all = [
        ("HAProxy, bare", String::new(), String::new(), Expected::LetsAllPass),
        (
            "HAProxy, maps of hosts, paths and methods; nobody is known",
            String::new(),
            maps.clone(),
            Expected::KnowsNobody,
        ),
        ("HAProxy, maps and `jwt_verify`", String::new(), token_lines(site) + &maps + GROUP_LINES, Expected::Decides),
        ("HAProxy, Luigi's lines with a constant converter", constant.global, constant.frontend, Expected::LetsAllPass),
        ("**HAProxy with Luigi**", luigi.global, luigi.frontend, Expected::Decides),
    ];
    all.into_iter()
        .enumerate()
        .map(|(at, (name, global, frontend, expected))| {
            let running = proxy(site, &format!("haproxy-{at}"), &global, &frontend, upstream);
            Setup { name: name.to_owned(), address: running.address, processes: vec![running], bare: 0, expected }
        })
        .collect()
}

/// A HAProxy in front of the upstream.
pub(crate) fn proxy(site: &Site, name: &str, global: &str, frontend: &str, upstream: SocketAddr) -> Running {
    start(site, name, global, &format!("{frontend}    default_backend up\nbackend up\n    server up {upstream}\n"))
}

fn start(site: &Site, name: &str, global: &str, rest: &str) -> Running {
    let address = free_address();
    let file = site.write(
        &format!("{name}.cfg"),
        format!(
            "global\n    nbthread 1\n{global}\ndefaults\n    mode http\n    timeout connect 5s\n    timeout client 10m\n    timeout server 10m\n\
             frontend www\n    bind {address}\n{rest}"
        ),
    );
    site.start(name, Command::new("/usr/sbin/haproxy").arg("-db").arg("-f").arg(file), address)
}

/// Luigi as it is installed, enforcing, with `policy.toml` and `keys.json` of the folder.
pub(crate) fn luigi(site: &Site) -> Lines {
    let source = PolicySource::Policy {
        path: site.path("policy.toml"),
        environment: None,
        jwks: vec![("login".into(), site.path("keys.json"))],
    };
    let home = site.modules.to_str().expect("a printable path").to_owned();
    let options = Options { home, source, ..Options::default() };
    let global = haproxy_config::global_lines(&options).replace("LUIGI_MODE \"observe\"", "LUIGI_MODE \"enforce\"");
    Lines { global, frontend: haproxy_config::frontend_lines(&options) }
}

/// The same lines with a C function that gives the same answer to everything, from a module built with `faults`. `name` tells the answer's file from others.
pub(crate) fn constant(site: &Site, lines: &str, name: &str, answer: &str) -> Lines {
    let script = site.write("constant.lua", CONSTANT);
    let answer = site.write(&format!("{name}.answer"), answer);
    let global = format!(
        "    presetenv LUIGI_HOME \"{}\"\n    setenv LUIGI_FAULTS_HOME \"{}\"\n    setenv LUIGI_CONSTANT_ANSWER \"{answer}\"\n    lua-load-per-thread {script}\n",
        site.modules.display(),
        home(Build::Faults).display()
    );
    Lines { global, frontend: lines.to_owned() }
}

/// What Luigi answers to a request, with `policy.toml` and `keys.json` of the folder. It passes.
pub(crate) fn answer(site: &Site, facts: &Facts<'_>) -> String {
    let config = PolicyFileConfig {
        path: site.path("policy.toml").into(),
        environment: None,
        jwks: vec![("login".into(), site.path("keys.json").into())],
        mode: Mode::Enforce,
        carried: Carried::Everything,
        spool: None,
    };
    let engine = Engine::open(&EngineConfig::PolicyFile(config)).expect("the policy of the benchmark");
    let (mut context, mut line) = (engine.context(), String::new());
    let answer = context.evaluate(facts, luigi_runtime::now());
    assert_eq!(answer.outcome(), Outcome::Pass, "{:?}", answer.decision());
    answer_line::write_into(&answer, &mut line);
    line
}

const SOMEBODY_PASSES: &str = "luigi1|pass|verified|enforce|allow|allowed-by-rule|rule-7|allow|allowed-by-rule|rule-7||scope-7|no|\
200|00000000000000000000000000000000|000000000000|https://login.example.com|person-7|person-7@example.com|group-1|complete||||";

const CONSTANT: &str = r#"
local folder = _VERSION == "Lua 5.3" and "lua53" or "lua54"
local home = os.getenv("LUIGI_FAULTS_HOME")
core.register_converters("luigi", package.loadlib(home .. "/" .. folder .. "/luigi.so", "luaopen_luigi")().constant)
-- What is never reached: the lines ask whether it is.
for _, name in ipairs({ "luigi_refuse", "luigi_failed" }) do
  core.register_action(name, { "http-req" }, function() end)
end
"#;

/// Finds the rule of a request and refuses what it does not allow, whoever asks. `txn.rule` is `GROUP;METHODS;SHAPE`.
fn maps(site: &Site, estate: &Estate) -> String {
    let (mut exact, mut below) = (String::new(), String::new());
    for (host, paths, group, methods) in estate.rules() {
        let _ = match paths {
            Paths::Exact(path) => writeln!(exact, "{host}{path} {group};{methods};whole"),
            Paths::Below(path) => writeln!(exact, "{host}{path} {group};{methods};whole")
                .and(writeln!(below, "{host}{path}/ {group};{methods};whole")),
            Paths::Template(template) => {
                let literal = template.split('{').next().expect("the first part is always there");
                writeln!(below, "{host}{literal} {group};{methods};lines")
            }
            Paths::Regex(_) => unreachable!("groups only"),
        };
    }
    let (exact, below) = (site.write("exact.map", exact), site.write("below.map", below));
    format!(
        "    http-request set-var(txn.rule) base,map_str({exact})
    http-request set-var(txn.rule) base,map_beg({below}) unless {{ var(txn.rule) -m found }}
    http-request deny unless {{ var(txn.rule) -m found }}
    http-request deny if {{ var(txn.rule) -m sub ;read; }} !{{ method GET HEAD }}
    http-request deny if {{ var(txn.rule) -m sub ;form; }} !{{ method GET POST }}
    http-request deny if {{ var(txn.rule) -m end ;lines }} !{{ path_reg ^/v1/[^/]+/[^/]+/lines/[^/]+$ }}
"
    )
}

/// Verifies the token as HAProxy's manual says, with algorithm, issuer, audience and expiry, which `jwt_verify` does not look at.
fn token_lines(site: &Site) -> String {
    let key = site.path("key.pem");
    let made = Command::new("openssl")
        .args(["pkey", "-inform", "DER", "-pubout", "-in"])
        .arg(workspace().join("luigi-core/tests/keys/rsa-2048-first-test-only.pk8.der"))
        .args(["-out", &key])
        .status();
    assert!(made.expect("openssl can be started").success(), "openssl reads the key for tests");
    format!(
        "    http-request set-var(txn.bearer) http_auth_bearer
    http-request deny deny_status 401 unless {{ var(txn.bearer) -m found }}
    http-request deny deny_status 401 unless {{ var(txn.bearer),jwt_header_query('$.alg') -m str RS256 }}
    http-request deny deny_status 401 unless {{ var(txn.bearer),jwt_verify(RS256,{key}) -m int 1 }}
    http-request deny deny_status 401 unless {{ var(txn.bearer),jwt_payload_query('$.iss') -m str {ISSUER} }}
    http-request deny deny_status 401 unless {{ var(txn.bearer),jwt_payload_query('$.aud') -m str {AUDIENCE} }}
    http-request set-var(txn.now) date()
    http-request set-var(txn.expiry) var(txn.bearer),jwt_payload_query('$.exp','int')
    http-request deny deny_status 401 unless {{ var(txn.expiry),sub(txn.now) -m int gt 0 }}
    http-request set-var(txn.claims) var(txn.bearer),word(2,.),ub64dec
"
    )
}

/// Whether the group of the rule stands among those of the token, of which `jwt_payload_query` has none, since they are an array.
// HAProxy lets plain parentheses in conditions capture nothing; those with a name do.
const GROUP_LINES: &str = r#"    http-request set-var-fmt(txn.asked) "%[var(txn.rule)] %[var(txn.claims)]"
    http-request deny unless { var(txn.asked) -m reg '^(?<group>[^;]+);.*"groups":\[[^]]*"\k<group>"' }
"#;
