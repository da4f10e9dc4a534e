//! Every way in which some server reads a request: which hosts, paths and methods it could be for.
//!
//! Written apart from Luigi's canonical form and far more generous: no server does all of this, but for each of these readings there is one that does it.
//! What docs/SEMANTICS.md lists as other paths (full-width forms, dots at the end of a name ...) is left out: those are decided as what they are.

use crate::application::Received;
use std::collections::BTreeSet;

/// How many readings of one path are followed. Beyond that a target is refused by everybody long since.
const MOST: usize = 400;

/// Ends of names of headers that some server takes path, host or method from, whatever stands before them. Standard headers are none of them, and identities
/// of callers are no targets.
const PATH_ENDINGS: [&str; 7] = ["-url", "-uri", "-path", "-rewrite", "-destinationurl", "path-info", "-path-override"];
const HOST_ENDINGS: [&str; 3] = ["-host", "-server", "-host-override"];
const METHOD_ENDINGS: [&str; 3] = ["-method-override", "x-http-method", "-method"];
/// Ends of names of headers by which some server cuts something off the beginning of the path, or puts it there.
const MOUNT_ENDINGS: [&str; 6] = ["script-name", "path-info", "-prefix", "-pathbase", "-path-prefix", "-base"];

/// Where a request could lead.
#[derive(Debug, Default)]
pub(crate) struct Readings {
    pub(crate) hosts: BTreeSet<Vec<u8>>,
    pub(crate) paths: BTreeSet<Vec<u8>>,
    pub(crate) methods: BTreeSet<String>,
}

impl Readings {
    /// All that some server makes of a request.
    pub(crate) fn of(request: &Received) -> Self {
        let mut readings = Self::default();
        readings.add_target(&request.target);
        readings.add_method(&request.method);
        for (name, value) in &request.fields {
            // CGI and its kin have one name for all of these.
            let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
            let text = String::from_utf8_lossy(value);
            let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
            if name == "host" || ends(&HOST_ENDINGS) {
                value.split(|byte| *byte == b',').for_each(|host| readings.add_host(host));
            } else if name == "forwarded" {
                let hosts = text.split([';', ',']).filter_map(|pair| pair.split_once('='));
                let hosts = hosts.filter(|(name, _)| name.trim().eq_ignore_ascii_case("host"));
                hosts.for_each(|(_, host)| readings.add_host(host.trim().trim_matches('"').as_bytes()));
            }
            if ends(&PATH_ENDINGS) {
                readings.add_target(value);
            }
            if ends(&METHOD_ENDINGS) {
                readings.add_method(value);
            }
            if ends(&MOUNT_ENDINGS) {
                readings.add_mounted(&request.target, value);
            }
        }
        let query = request.target.splitn(2, |byte| *byte == b'?').nth(1).unwrap_or_default();
        for pair in query.split(|byte| matches!(byte, b'&' | b';')) {
            let pair = decoded(pair);
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            if halves.next().is_some_and(|name| name.eq_ignore_ascii_case(b"_method")) {
                readings.add_method(halves.next().unwrap_or_default());
            }
        }
        readings
    }

    /// A target without the beginning at which a program says that it is mounted, and with it.
    fn add_mounted(&mut self, target: &[u8], mount: &[u8]) {
        let mount = mount.trim_ascii();
        let mount = position(mount, b"://").map_or(mount, |at| {
            let rest = &mount[at + 3..];
            &rest[rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len())..]
        });
        let mount = [b"/", mount.trim_ascii_start().strip_prefix(b"/").unwrap_or(mount)].concat();
        let mount = mount.strip_suffix(b"/").unwrap_or(&mount);
        if let Some(rest) = target.strip_prefix(mount) {
            self.add_target(rest);
        }
        self.add_target(&[mount, target].concat());
    }

    fn add_method(&mut self, method: &[u8]) {
        self.methods.insert(String::from_utf8_lossy(method).trim().to_ascii_uppercase());
    }

    /// A host as it stands in a field, without port, user and trailing dot.
    fn add_host(&mut self, host: &[u8]) {
        let host = decoded(host).to_ascii_lowercase();
        let host = host.rsplit(|byte| *byte == b'@').next().unwrap_or_default();
        let end = host.iter().position(|byte| matches!(byte, b':' | 0 | b'/' | b'\\' | b'#' | b'?'));
        let host = host[..end.unwrap_or(host.len())].trim_ascii();
        self.hosts.insert(host.strip_suffix(b".").unwrap_or(host).to_vec());
    }

    fn add_target(&mut self, target: &[u8]) {
        let target = match position(target, b"://") {
            Some(at) if !target.starts_with(b"/") => self.add_authority(&target[at + 3..]),
            _ => target,
        };
        let end = target.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(target.len());
        let path = &target[..end];
        if let Some(rest) = path.strip_prefix(b"//") {
            // To a URL parser the first segment is a host.
            let path = self.add_authority(rest).to_vec();
            self.add_path(path);
        }
        self.add_path(path.to_vec());
    }

    /// Takes the host from what stands behind `//`, and returns what stands behind it.
    fn add_authority<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#' | b'\\')).unwrap_or(rest.len());
        self.add_host(&rest[..end]);
        &rest[end..]
    }

    /// A path, and whatever becomes of it by any steps in any order.
    fn add_path(&mut self, path: Vec<u8>) {
        let mut open = vec![path];
        while let Some(path) = open.pop() {
            if self.paths.len() >= MOST || !self.paths.insert(path.clone()) {
                continue;
            }
            open.extend(STEPS.iter().map(|step| step(&path)).filter(|next| *next != path));
        }
    }
}

/// Something that a server does to a path.
type Step = fn(&[u8]) -> Vec<u8>;

/// What servers do to paths.
const STEPS: [Step; 9] = [
    decoded,
    shortest_utf8,
    slashes,
    without_parameters,
    cut_at_semicolon,
    cut_at_nul,
    without_controls,
    collapsed,
    without_dots,
];

fn position(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

fn hexadecimal(digits: Option<&[u8]>) -> Option<u32> {
    let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Decodes `%xx` and `%uxxxx` once; what is no escape stays.
fn decoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let short = || hexadecimal(text.get(at + 1..at + 3)).and_then(|value| u8::try_from(value).ok());
        let long = || {
            let wide = matches!(text.get(at + 1), Some(b'u' | b'U')).then(|| hexadecimal(text.get(at + 2..at + 6)))?;
            wide.and_then(char::from_u32)
        };
        match byte {
            b'%' => {
                if let Some(value) = short() {
                    out.push(value);
                    at += 2;
                } else if let Some(character) = long() {
                    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                    at += 5;
                } else {
                    out.push(byte);
                }
            }
            _ => out.push(byte),
        }
        at += 1;
    }
    out
}

/// Reads overlong UTF-8 as the ASCII that it stands for, also where a byte that should follow has lost its mark.
fn shortest_utf8(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let low = |offset: usize| text.get(at + offset).map(|byte| byte & 0x3F);
        let (value, length) = match (byte, text.get(at + 1), text.get(at + 2)) {
            (0xC0 | 0xC1, Some(_), _) => (low(1).map(|low| (byte & 1) << 6 | low), 2),
            (0xE0, Some(0x80 | 0x81), Some(_)) => (low(2).map(|low| (text[at + 1] & 1) << 6 | low), 3),
            (0xF0, Some(0x80), Some(0x80 | 0x81)) => (low(3).map(|low| (text[at + 2] & 1) << 6 | low), 4),
            _ => (None, 1),
        };
        out.push(value.unwrap_or(byte));
        at += if value.is_some() { length } else { 1 };
    }
    out
}

fn slashes(text: &[u8]) -> Vec<u8> {
    text.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect()
}

/// Without `;` and what follows it in a segment, as servlet containers have it.
fn without_parameters(text: &[u8]) -> Vec<u8> {
    let segments = text.split(|byte| *byte == b'/');
    let names = segments.map(|segment| segment.split(|byte| *byte == b';').next().unwrap_or_default());
    names.collect::<Vec<_>>().join(&b'/')
}

/// As others have it.
fn cut_at_semicolon(text: &[u8]) -> Vec<u8> {
    text.split(|byte| *byte == b';').next().unwrap_or_default().to_vec()
}

fn cut_at_nul(text: &[u8]) -> Vec<u8> {
    text.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()
}

fn without_controls(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|byte| !byte.is_ascii_control()).collect()
}

fn collapsed(text: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::new();
    for &byte in text {
        if byte != b'/' || out.last() != Some(&b'/') {
            out.push(byte);
        }
    }
    out
}

/// Without dot segments; what would leave the root stays there.
fn without_dots(text: &[u8]) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    for segment in text.split(|byte| *byte == b'/') {
        match segment {
            b"." => {}
            b".." if kept.len() > 1 => drop(kept.pop()),
            b".." => {}
            segment => kept.push(segment),
        }
    }
    kept.join(&b'/')
}
