//! HTTP/2: what stands in pseudo-headers, twice, in the wrong place, or holds bytes that HTTP/1 cannot have; and the path tricks once more.

use super::{Attack, Class};
use crate::estate::Entrance;
use crate::estate::{FORGED, HOST};
use crate::exchange::Wire;
use crate::http2::{CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, block, connection, frame, request};

type Fields<'a> = Vec<(&'a [u8], &'a [u8])>;

/// A GET with this `:path`.
fn with_path(path: &[u8]) -> Vec<u8> {
    request(&[(b":method", b"GET"), (b":scheme", b"http"), (b":authority", HOST.as_bytes()), (b":path", path)])
}

pub(super) fn add(all: &mut Vec<Attack>) {
    // The tricks of HTTP/1, a sample of each kind.
    let paths: Vec<Vec<u8>> = all
        .iter()
        .filter(|attack| matches!(attack.class, Class::Letters | Class::Segments | Class::Endings | Class::Mixed))
        .step_by(7)
        .filter_map(|attack| {
            let line = attack.bytes.strip_prefix(b"GET ")?;
            let end = line.windows(9).position(|window| window == b" HTTP/1.1")?;
            Some(line[..end].to_vec())
        })
        .collect();
    let mut push =
        |bytes: Vec<u8>| all.push(Attack { class: Class::Http2, wire: Wire::Http2, entrance: Entrance::Site, bytes });
    paths.iter().for_each(|path| push(with_path(path)));
    for path in [
        &b""[..],
        b"*",
        b"admin/secret.txt",
        b"http://www.example.com/admin/secret.txt",
        b"//admin.example.com/secret.txt",
        b"/admin/secret.txt HTTP/1.1\r\nx: y",
        b"/public/a.txt HTTP/1.1\r\nhost: admin.example.com\r\n\r\nGET /admin/secret.txt",
        b"/public/a.txt\r\nx-original-url: /admin/secret.txt",
        b"/public/a.txt\n",
        b"/admin/secret.txt\0",
        b" /admin/secret.txt",
        b"/admin/secret.txt ",
        b"\\admin\\secret.txt",
        b"?x",
        b"#",
        b"@admin.example.com/secret.txt",
        b":80/admin/secret.txt",
        b".admin.example.com/secret.txt",
        b"\xff\xfe",
        b"/admin/\xffsecret.txt",
        b"/public/../admin/secret.txt",
        b"/..;/admin/secret.txt",
    ] {
        push(with_path(path));
    }
    pseudo_headers().iter().for_each(|fields| push(request(fields)));
    plain_fields().iter().for_each(|field| {
        let mut fields = usual(b"/admin/secret.txt");
        fields.push((&field.0, &field.1));
        push(request(&fields));
        let mut fields = usual(b"/public/a.txt");
        fields.push((&field.0, &field.1));
        push(request(&fields));
    });
    framed().into_iter().for_each(push);
}

fn usual(path: &[u8]) -> Fields<'_> {
    vec![(b":method", b"GET"), (b":scheme", b"http"), (b":authority", HOST.as_bytes()), (b":path", path)]
}

fn pseudo_headers() -> Vec<Fields<'static>> {
    let mut all: Vec<Fields<'static>> = Vec::new();
    let (secret, public): (&[u8], &[u8]) = (b"/admin/secret.txt", b"/public/a.txt");
    let hosts: [&[u8]; 18] = [
        b"admin.example.com",
        b"ADMIN.example.com",
        b"admin.example.com.",
        b"admin.example.com:80",
        b"admin.example.com:443",
        b"user@admin.example.com",
        b"www.example.com@admin.example.com",
        b"admin.example.com/",
        b"admin.example.com\0",
        b"admin.example.com,www.example.com",
        b"admin.example.com\r\nx: y",
        b"www.example.com\r\nhost: admin.example.com",
        b"",
        b" admin.example.com",
        b"admin.example.com ",
        b"admin.example.com#",
        b"admin.example.com\\",
        b"%61dmin.example.com",
    ];
    for host in hosts {
        for scheme in
            [&b"http"[..], b"https", b"", b"HTTP", b"ftp", b"http://admin.example.com/x?", b"http\r\n", b"http "]
        {
            all.push(vec![
                (b":method", b"GET"),
                (b":scheme", scheme),
                (b":authority", host),
                (b":path", b"/secret.txt"),
            ]);
        }
        let www = HOST.as_bytes();
        // The two say different things, in both orders, or one is missing.
        all.push(vec![
            (b":method", b"GET"),
            (b":scheme", b"http"),
            (b":authority", www),
            (b":path", b"/secret.txt"),
            (b"host", host),
        ]);
        all.push(vec![
            (b":method", b"GET"),
            (b":scheme", b"http"),
            (b":authority", host),
            (b":path", b"/secret.txt"),
            (b"host", www),
        ]);
        all.push(vec![(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/secret.txt"), (b"host", host)]);
        all.push(vec![
            (b":method", b"GET"),
            (b":scheme", b"http"),
            (b":path", b"/secret.txt"),
            (b"host", www),
            (b"host", host),
        ]);
        all.push(vec![
            (b":method", b"GET"),
            (b":scheme", b"http"),
            (b":authority", www),
            (b":authority", host),
            (b":path", b"/secret.txt"),
        ]);
        all.push(vec![
            (b":method", b"GET"),
            (b":scheme", b"http"),
            (b":path", b"/secret.txt"),
            (b"host", www),
            (b":authority", host),
        ]);
    }
    let methods: [&[u8]; 14] = [
        b"get",
        b"HEAD",
        b"POST",
        b"DELETE",
        b"delete",
        b"TRACE",
        b"CONNECT",
        b"PRI",
        b"",
        b"GET ",
        b" GET",
        b"GET /admin/secret.txt HTTP/1.1\r\nhost: www.example.com\r\n\r\nGET",
        b"G\0ET",
        b"GET\r\n",
    ];
    for method in methods {
        for path in [secret, b"/orders/7", b"/public/../admin/secret.txt"] {
            all.push(vec![
                (b":method", method),
                (b":scheme", b"http"),
                (b":authority", HOST.as_bytes()),
                (b":path", path),
            ]);
        }
    }
    for (first, second) in [(public, secret), (secret, public)] {
        all.push(vec![
            (b":method", b"GET"),
            (b":scheme", b"http"),
            (b":authority", HOST.as_bytes()),
            (b":path", first),
            (b":path", second),
        ]);
        all.push(vec![
            (b":path", first),
            (b":method", b"GET"),
            (b":scheme", b"http"),
            (b":authority", HOST.as_bytes()),
            (b"x", b"y"),
            (b":path", second),
        ]);
        all.push(vec![
            (b":method", b"GET"),
            (b":scheme", b"http"),
            (b":authority", HOST.as_bytes()),
            (b":path", first),
            (b":Path", second),
        ]);
        all.push(vec![
            (b":method", b"GET"),
            (b":scheme", b"http"),
            (b":authority", HOST.as_bytes()),
            (b":path", first),
            (b":path ", second),
        ]);
    }
    all.push(vec![(b":method", b"GET"), (b":scheme", b"http"), (b":authority", HOST.as_bytes())]);
    all.push(vec![(b":method", b"GET"), (b":authority", HOST.as_bytes()), (b":path", secret)]);
    all.push(vec![(b":scheme", b"http"), (b":authority", HOST.as_bytes()), (b":path", secret)]);
    all.push(vec![(b":method", b"CONNECT"), (b":authority", b"admin.example.com:80")]);
    all.push(vec![
        (b":method", b"CONNECT"),
        (b":protocol", b"websocket"),
        (b":scheme", b"http"),
        (b":authority", HOST.as_bytes()),
        (b":path", secret),
    ]);
    all.push(vec![
        (b":method", b"GET"),
        (b":scheme", b"http"),
        (b":authority", HOST.as_bytes()),
        (b":path", secret),
        (b":status", b"200"),
    ]);
    all.push(vec![
        (b":method", b"GET"),
        (b":scheme", b"http"),
        (b":authority", HOST.as_bytes()),
        (b":path", secret),
        (b":luigi", b"pass"),
    ]);
    all
}

/// Fields that HTTP/2 forbids, or that carry bytes which HTTP/1 cannot.
fn plain_fields() -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut all: Vec<(&[u8], &[u8])> = vec![
        (b"connection", b"close"),
        (b"connection", b"x-luigi-subject"),
        (b"transfer-encoding", b"chunked"),
        (b"upgrade", b"h2c"),
        (b"te", b"trailers, chunked"),
        (b"keep-alive", b"x"),
        (b"proxy-connection", b"close"),
        (b"content-length", b"100"),
        (b"content-length", b"0"),
        (b"content-length", b"x"),
        (b"x", b"y\r\nx-original-url: /admin/secret.txt"),
        (b"x", b"y\nhost: admin.example.com"),
        (b"x", b"y\r"),
        (b"x", b"\0"),
        (b"x\r\nhost: admin.example.com\r\ny", b"z"),
        (b"x: y", b"z"),
        (b"X", b"y"),
        (b"", b"x"),
        (b":", b"x"),
        (b"x\0", b"y"),
        (b"host\0", b"admin.example.com"),
        (b"x-original-url", b"/admin/secret.txt"),
        (b"x-rewrite-url", b"/admin/secret.txt"),
        (b"x_original_url", b"/admin/secret.txt"),
        (b"x-forwarded-host", b"admin.example.com"),
        (b"forwarded", b"host=admin.example.com"),
        (b"authorization", b"Bearer \0"),
        (b"authorization", b"Bearer x\r\ny: z"),
        (b"authorization", b""),
        (b"cookie", b"a=b\0"),
        (b"x", b" y "),
        (b"x", b"\xff"),
    ];
    let forged = FORGED.as_bytes();
    let names: [&[u8]; 8] = [
        b"x-luigi-subject",
        b"x_luigi_subject",
        b"X-Luigi-Subject",
        b"x.luigi.groups",
        b"x-luigi-groups",
        b"x-luigi-email",
        b"x-luigi-subject ",
        b" x-luigi-subject",
    ];
    all.extend(names.iter().map(|name| (*name, forged)));
    all.push((b"x", b"y\r\nx-luigi-subject: forged-root"));
    all.into_iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
}

/// Requests in several frames, on several streams.
fn framed() -> Vec<Vec<u8>> {
    let (public, secret) = (block(&usual(b"/public/a.txt")), block(&usual(b"/admin/secret.txt")));
    let head = |stream, block: &[u8]| frame(HEADERS, END_STREAM | END_HEADERS, stream, block);
    let hidden = b"GET /admin/secret.txt HTTP/1.1\r\nhost: www.example.com\r\n\r\n";
    let post = |length: &str| {
        let mut fields = usual(b"/public/a.txt");
        fields[0].1 = b"POST";
        fields.push((b"content-length", length.as_bytes()));
        block(&fields)
    };
    let mut all = vec![
        connection(&[head(1, &public), head(3, &secret)]),
        connection(&[head(1, &secret), head(3, &public)]),
        connection(&[head(3, &public), head(1, &secret)]),
        connection(&[head(2, &secret)]),
        connection(&[head(0, &secret)]),
        connection(&[head(1, &public), head(1, &secret)]),
        connection(&[frame(HEADERS, END_STREAM, 1, &secret[..10]), frame(CONTINUATION, END_HEADERS, 1, &secret[10..])]),
        connection(&[frame(HEADERS, END_STREAM, 1, &public), frame(CONTINUATION, END_HEADERS, 1, &secret)]),
        connection(&[frame(HEADERS, END_STREAM, 1, &public), head(3, &secret)]),
        connection(&[frame(DATA, END_STREAM, 1, hidden)]),
    ];
    for length in ["0", "1", "5", "58", "1000", "-1", "x", "0, 58"] {
        for end in [END_STREAM, 0] {
            let mut frames = vec![frame(HEADERS, END_HEADERS, 1, &post(length)), frame(DATA, end, 1, hidden)];
            if end == 0 {
                // Trailers that pretend to be a head.
                let trailers = block(&[(b"x-original-url", b"/admin/secret.txt"), (b":path", b"/admin/secret.txt")]);
                frames.push(frame(HEADERS, END_STREAM | END_HEADERS, 1, &trailers));
            }
            all.push(connection(&frames));
        }
    }
    all
}
