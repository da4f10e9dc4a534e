//! Envoy with `jwt_authn` and `rbac`: bare, with all rules in one list, and with the rules of each host at its virtual host.
//!
//! It verifies the token as Luigi does, with its cache of verified tokens, and brings paths into a normal form; a rule is a policy of `rbac`.

use crate::estate::{Estate, allowed_methods};
use crate::load::Expected;
use crate::others::Setup;
use crate::process::{Site, free_address};
use luigi_bench::mixed::Paths;
use luigi_bench::{AUDIENCE, ISSUER};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;

/// The setups, if `LUIGI_ENVOY` names a binary; `first` is the place of the first one among all.
pub(crate) fn setups(site: &Site, estate: &Estate, upstream: SocketAddr, first: usize) -> Option<Vec<Setup>> {
    let binary = std::env::var_os("LUIGI_ENVOY").filter(|path| !path.is_empty())?;
    let everywhere = vec![virtual_host("all", "*", None)];
    let setups = [
        ("Envoy, bare", Vec::new(), everywhere.clone(), Expected::LetsAllPass),
        (
            "Envoy, `jwt_authn` with its cache, `rbac` with one list",
            vec![jwt(estate), rbac(Some(all(estate)))],
            everywhere,
            Expected::Decides,
        ),
        (
            "Envoy, the same with a list for each virtual host",
            vec![jwt(estate), rbac(None)],
            by_host(estate),
            Expected::Decides,
        ),
    ];
    let start = |at: usize, name: &str, filters, hosts: &[Value], expected| {
        let address = free_address();
        let name_of_files = format!("envoy-{at}");
        let text = configuration(address, upstream, filters, hosts).to_string();
        let file = site.write(&format!("{name_of_files}.json"), text);
        let mut command = Command::new(&binary);
        command.arg("-c").arg(file).args(["--concurrency", "1", "--log-level", "error", "--disable-hot-restart"]);
        let running = site.start(&name_of_files, &mut command, address);
        Setup { name: name.to_owned(), address, processes: vec![running], bare: first, expected }
    };
    let started = setups.into_iter().enumerate();
    Some(started.map(|(at, (name, filters, hosts, expected))| start(at, name, filters, &hosts, expected)).collect())
}

fn configuration(address: SocketAddr, upstream: SocketAddr, mut filters: Vec<Value>, hosts: &[Value]) -> Value {
    filters.push(json!({"name": "envoy.filters.http.router", "typed_config": typed("envoy.extensions.filters.http.router.v3.Router", json!({}))}));
    let socket = |address: SocketAddr| json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}});
    let manager = typed(
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        json!({
            "stat_prefix": "www", "codec_type": "HTTP1", "http_filters": filters,
            "normalize_path": true, "merge_slashes": true, "path_with_escaped_slashes_action": "REJECT_REQUEST",
            "route_config": {"name": "all", "virtual_hosts": hosts},
        }),
    );
    json!({
        "static_resources": {
            "listeners": [{
                "name": "www", "address": socket(address),
                "filter_chains": [{"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}],
            }],
            "clusters": [{
                "name": "up", "type": "STATIC", "connect_timeout": "5s",
                "load_assignment": {"cluster_name": "up", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket(upstream)}}]}]},
            }],
        },
    })
}

fn typed(name: &str, mut value: Value) -> Value {
    value["@type"] = format!("type.googleapis.com/{name}").into();
    value
}

fn virtual_host(name: &str, domain: &str, policies: Option<Map<String, Value>>) -> Value {
    let mut host =
        json!({"name": name, "domains": [domain], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "up"}}]});
    if let Some(policies) = policies {
        let rules = json!({"rbac": {"rules": {"action": "ALLOW", "policies": policies}}});
        let own = typed("envoy.extensions.filters.http.rbac.v3.RBACPerRoute", rules);
        host["typed_per_filter_config"] = json!({"envoy.filters.http.rbac": own});
    }
    host
}

fn jwt(estate: &Estate) -> Value {
    let keys = String::from_utf8(estate.jwks.clone()).expect("JSON is text");
    let provider = json!({
        "issuer": ISSUER, "audiences": [AUDIENCE], "local_jwks": {"inline_string": keys},
        "payload_in_metadata": "token", "jwt_cache_config": {"jwt_cache_size": 1000}, "forward": true,
    });
    let rules = json!([{"match": {"prefix": "/"}, "requires": {"provider_name": "login"}}]);
    let config = json!({"providers": {"login": provider}, "rules": rules});
    let config = typed("envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication", config);
    json!({"name": "envoy.filters.http.jwt_authn", "typed_config": config})
}

fn rbac(policies: Option<Map<String, Value>>) -> Value {
    let rules = policies.map_or(json!({}), |policies| json!({"rules": {"action": "ALLOW", "policies": policies}}));
    json!({"name": "envoy.filters.http.rbac", "typed_config": typed("envoy.extensions.filters.http.rbac.v3.RBAC", rules)})
}

fn all(estate: &Estate) -> Map<String, Value> {
    estate
        .rules()
        .enumerate()
        .map(|(at, (host, paths, group, methods))| policy(at, Some(host), paths, group, methods))
        .collect()
}

fn by_host(estate: &Estate) -> Vec<Value> {
    let mut hosts: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for (at, (host, paths, group, methods)) in estate.rules().enumerate() {
        let (name, policy) = policy(at, None, paths, group, methods);
        hosts.entry(host).or_default().insert(name, policy);
    }
    let others = virtual_host("others", "*", Some(Map::new()));
    hosts.into_iter().map(|(host, policies)| virtual_host(host, host, Some(policies))).chain([others]).collect()
}

fn policy(at: usize, host: Option<&str>, paths: &Paths, group: &str, methods: &str) -> (String, Value) {
    let path = |matcher: Value| json!({"url_path": {"path": matcher}});
    let paths = match paths {
        Paths::Exact(exact) => path(json!({"exact": exact})),
        Paths::Below(below) => {
            json!({"or_rules": {"rules": [path(json!({"exact": below})), path(json!({"prefix": format!("{below}/")}))]}})
        }
        Paths::Template(template) => {
            let (literal, _) = template.split_once('{').expect("a template has a name");
            path(json!({"safe_regex": {"regex": format!("{literal}[^/]+/lines/[^/]+")}}))
        }
        Paths::Regex(_) => unreachable!("groups only"),
    };
    let header = |name: &str, value: &str| json!({"header": {"name": name, "string_match": {"exact": value}}});
    let mut holds: Vec<Value> = host.map(|host| header(":authority", host)).into_iter().collect();
    holds.push(paths);
    if methods != "any" {
        let methods: Vec<_> = allowed_methods(methods).iter().map(|method| header(":method", method)).collect();
        holds.push(json!({"or_rules": {"rules": methods}}));
    }
    let member = json!({"metadata": {
        "filter": "envoy.filters.http.jwt_authn", "path": [{"key": "token"}, {"key": "groups"}],
        "value": {"list_match": {"one_of": {"string_match": {"exact": group}}}},
    }});
    (format!("rule-{at}"), json!({"permissions": [{"and_rules": {"rules": holds}}], "principals": [member]}))
}
