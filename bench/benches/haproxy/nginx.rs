//! HAProxy that asks an nginx for each request: a Lua action sends a sub-request and lets pass what it answers 200.
//!
//! nginx finds the rule as it finds any location, by server name and path. It does not verify the token: it looks a known one up in a table, which is
//! less than an authentication server has to do. Each question takes a connection of its own, since HAProxy's Lua keeps none between requests.

use crate::estate::{Estate, allowed_methods};
use crate::haproxy;
use crate::load::Expected;
use crate::others::Setup;
use crate::process::{Site, free_address};
use luigi_bench::mixed::Paths;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

/// The setup, if there is an nginx.
pub(crate) fn setup(site: &Site, estate: &Estate, upstream: SocketAddr) -> Option<Setup> {
    let binary = ["/usr/sbin/nginx", "/usr/bin/nginx"].map(Path::new).into_iter().find(|path| path.exists())?;
    let address = free_address();
    let file = site.write("nginx.conf", configuration(site, estate, address));
    let mut command = Command::new(binary);
    command.arg("-p").arg(site.path("")).arg("-c").arg(file).args(["-e", "stderr", "-g", "daemon off;"]);
    let nginx = site.start("nginx", &mut command, address);
    let script = site.write(
        "ask.lua",
        SCRIPT.replace("ADDRESS", &address.ip().to_string()).replace("PORT", &address.port().to_string()),
    );
    let front = haproxy::proxy(
        site,
        "haproxy-asks-nginx",
        &format!("    lua-load-per-thread {script}\n"),
        "    http-request lua.ask\n    http-request deny unless { var(txn.allowed) -m bool }\n",
        upstream,
    );
    let name = "HAProxy asks nginx by a Lua sub-request".to_owned();
    Some(Setup { name, address: front.address, processes: vec![front, nginx], bare: 0, expected: Expected::Decides })
}

const SCRIPT: &str = r#"
core.register_action("ask", { "http-req" }, function(txn)
    local nginx = core.tcp()
    nginx:settimeout(5)
    local allowed = false
    if nginx:connect("ADDRESS", PORT) then
        local headers = txn.http:req_get_headers()
        local token = headers["authorization"] and headers["authorization"][0]
        nginx:send("GET " .. txn.sf:path() .. " HTTP/1.0\r\nhost: " .. headers["host"][0]
            .. "\r\nx-original-method: " .. txn.sf:method()
            .. (token and "\r\nauthorization: " .. token or "") .. "\r\n\r\n")
        local status = nginx:receive("*l")
        allowed = status ~= nil and status:match("^HTTP/1%.%d 200 ") ~= nil
        nginx:close()
    end
    txn:set_var("txn.allowed", allowed)
end)
"#;

fn configuration(site: &Site, estate: &Estate, address: SocketAddr) -> String {
    let mut text = format!(
        "worker_processes 1;\npid {};\nerror_log stderr warn;\nevents {{ worker_connections 1024; }}\nhttp {{\naccess_log off;\n\
         large_client_header_buffers 4 8k;\nserver_names_hash_bucket_size 128;\nmap_hash_bucket_size 4096;\nmap_hash_max_size 65536;\n\
         client_body_temp_path {0}-body;\nproxy_temp_path {0}-proxy;\nfastcgi_temp_path {0}-fastcgi;\nuwsgi_temp_path {0}-uwsgi;\nscgi_temp_path {0}-scgi;\n\
         map $http_authorization $groups {{\n",
        site.path("nginx.pid")
    );
    for (token, person) in estate.tokens.iter().zip(&estate.workload.people) {
        let _ = writeln!(text, "\"Bearer {token}\" \" {} \";", person.groups.join(" "));
    }
    text.push_str("}\nmap \"$asked $groups\" $member { default 0; \"~^([^ ]+) .* \\1 \" 1; }\n");
    let mut hosts: BTreeMap<&str, String> = BTreeMap::new();
    for (host, paths, group, methods) in estate.rules() {
        let methods = allowed_methods(methods).join("|");
        let body = format!(
            "{{ set $asked {group}; if ($http_x_original_method !~ ^({methods})$) {{ return 403; }} if ($member = 0) {{ return 403; }} return 200; }}\n"
        );
        let locations = hosts.entry(host).or_default();
        let _ = match paths {
            Paths::Exact(path) => write!(locations, "location = {path} {body}"),
            Paths::Below(path) => write!(locations, "location = {path} {body}location ^~ {path}/ {body}"),
            Paths::Template(template) => {
                let (literal, _) = template.split_once('{').expect("a template has a name");
                write!(locations, "location ~ ^{literal}[^/]+/lines/[^/]+$ {body}")
            }
            Paths::Regex(_) => unreachable!("groups only"),
        };
    }
    let _ = writeln!(text, "server {{ listen {address} default_server; set $asked none; return 403; }}");
    for (host, locations) in hosts {
        let _ = write!(
            text,
            "server {{ listen {address}; server_name {host}; location / {{ return 403; }}\n{locations}}}\n"
        );
    }
    text + "}\n"
}
