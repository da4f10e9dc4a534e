//! Lines of HAProxy's log, as [`LOG_FORMAT`](crate::haproxy_config::LOG_FORMAT) makes them, read back.
//!
//! The other end of that format, for whoever wants to know what was asked and decided; what to do with it is the caller's. Whatever stands before
//! the line (what a log daemon adds) is skipped, and fields that are not known here are ignored.

use luigi_core::policy::model::is_frontend_name;
use luigi_core::time::Timestamp;
use std::fmt;
use std::net::IpAddr;

/// What a line tells of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedRequest {
    /// Where the request came from, as decided; the peer's address in lines of an older format. `None` if that was not known.
    pub source: Option<IpAddr>,
    /// The frontend that took it in, if the line says so.
    pub frontend: Option<String>,
    /// When the request came, if the line says so.
    pub time: Option<Timestamp>,
    /// The method.
    pub method: String,
    /// The Host header, if the line has it.
    pub host: Option<String>,
    /// The target as it was received: a path with its query, or a whole URL.
    pub target: String,
    /// `absent`, `verified`, `expired` ...: what became of the credential.
    pub credential: String,
    /// Whether the rules in force allowed it, whatever the mode made of that.
    pub allowed: bool,
    /// The reason of the decision.
    pub reason: String,
    /// The determining rule.
    pub rule: Option<String>,
    /// The beginning of the policy's revision.
    pub revision: Option<String>,
    /// Issuer and subject of a verified identity.
    pub person: Option<(String, String)>,
    /// The identity's groups, as they stand in the token.
    pub groups: Vec<String>,
    /// Whether those are all groups.
    pub groups_complete: bool,
}

/// Why a line tells nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unreadable {
    /// It has no fields of Luigi.
    NotOurs,
    /// Luigi had no answer to this request: it was bad, or Luigi failed.
    NoAnswer,
    /// It has no request line.
    NoRequest,
    /// It ends too early: HAProxy cuts long lines.
    CutOff,
    /// It does not say which host was asked: the format is an older one.
    NoHost,
    /// A field of it has a value that is none.
    BadField,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotOurs => "the line is not in the log format that `luigi haproxy-config` prints",
            Self::NoAnswer => "there is no decision in the line",
            Self::NoRequest => "there is no request in the line",
            Self::CutOff => "the line is cut off: `log ... len` in HAProxy says how long lines may be",
            Self::NoHost => {
                "the line does not say the host: take the log format that `luigi haproxy-config` prints now"
            }
            Self::BadField => "a field of the line has a value that is none",
        })
    }
}

/// Reads a line.
///
/// # Errors
///
/// Why it tells nothing.
///
/// # Examples
///
/// ```
/// let line = "203.0.113.9:50512 [24/Nov/2026:03:46:13.675] www be/s1 0/0/0/1/1 200 64 - - ---- 1/1/0/0/0 0/0 luigi=pass mode=enforce \
///     decision=allow advice= reason=allowed-by-rule detail= rule=staff credential=verified candidate=allow candidate-rule=staff evaluation=0 \
///     revision=ab12 issuer=https://login.example.com subject=anna time=[24/Nov/2026:03:46:13 +0000] host=shop.example.com \
///     \"GET /orders/7 HTTP/1.1\" groups=staff,on-call groups-are=complete";
/// let request = luigi_runtime::haproxy_log::parse(line).unwrap();
/// assert_eq!((request.host.as_deref(), request.target.as_str()), (Some("shop.example.com"), "/orders/7"));
/// assert_eq!(request.groups, ["staff", "on-call"]);
/// ```
pub fn parse(line: &str) -> Result<LoggedRequest, Unreadable> {
    let (head, fields) = line.split_once(" luigi=").ok_or(Unreadable::NotOurs)?;
    let (before, request_line, after) = parts(fields)?;
    let field = |name: &str| {
        let mut words = before.split(' ').chain(after.split(' '));
        let value = words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))?;
        Some(value).filter(|value| !value.is_empty() && *value != "-")
    };
    let text = |name: &str| field(name).map(|value| decoded(value, b'%').ok_or(Unreadable::BadField)).transpose();

    let allowed = match field("decision").ok_or(Unreadable::NoAnswer)? {
        "allow" => true,
        "deny" => false,
        _ => return Err(Unreadable::BadField),
    };
    let (method, target) = request_of(request_line)?;
    let absolute = target.contains("://");
    let host = text("host")?;
    if host.is_none() && !absolute && !before.contains(" host=") {
        return Err(Unreadable::NoHost);
    }
    let person = text("issuer")?.zip(text("subject")?);
    let groups = field("groups").unwrap_or_default().split(',').filter(|group| !group.is_empty());
    let groups: Option<Vec<String>> = groups.map(|group| decoded(group, b'%')).collect();
    Ok(LoggedRequest {
        source: if before.contains(" source=") { field("source").and_then(address) } else { source(head) },
        frontend: frontend(head),
        time: before.split_once(" time=[").and_then(|(_, rest)| time(rest.split_once(']')?.0)),
        method,
        host,
        target,
        credential: field("credential").ok_or(Unreadable::NoAnswer)?.to_owned(),
        allowed,
        reason: field("reason").ok_or(Unreadable::NoAnswer)?.to_owned(),
        rule: text("rule")?,
        revision: field("revision").map(str::to_owned),
        person,
        groups: groups.ok_or(Unreadable::BadField)?,
        groups_complete: field("groups-are") == Some("complete"),
    })
}

/// What stands before, in and behind the quotes around the request line.
fn parts(fields: &str) -> Result<(&str, &str, &str), Unreadable> {
    let (before, rest) = fields.split_once(" \"").ok_or(Unreadable::NoRequest)?;
    // HAProxy writes a quote in a request line as `#22`.
    let (request_line, after) = rest.split_once('"').ok_or(Unreadable::CutOff)?;
    if after.is_empty() {
        return Err(Unreadable::NoHost);
    }
    if !after.contains(" groups-are=") {
        return Err(Unreadable::CutOff);
    }
    Ok((before, request_line, after))
}

fn request_of(line: &str) -> Result<(String, String), Unreadable> {
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Unreadable::NoRequest);
    };
    if !version.starts_with("HTTP/") {
        return Err(Unreadable::CutOff);
    }
    let target = decoded(target, b'#').ok_or(Unreadable::BadField)?;
    Ok((method.to_owned(), target))
}

/// The text without the escapes of two hexadecimal digits; `None` if it is not UTF-8 then.
fn decoded(text: &str, escape: u8) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = |at: usize| after.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match (*first == escape).then(|| hex(0).zip(hex(1))).flatten() {
            Some((high, low)) => {
                bytes.push(u8::try_from(high * 16 + low).ok()?);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

fn address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// The address before the time in brackets.
fn source(head: &str) -> Option<IpAddr> {
    let before = head.match_indices(" [").map(|(at, _)| &head[..at]);
    let mut last_words = before.filter_map(|text| text.rsplit(' ').next());
    last_words.find_map(|word| word.rsplit_once(':')?.0.parse::<IpAddr>().ok()).map(|address| address.to_canonical())
}

/// What stands behind the brackets with the time; `~` says that it was over TLS.
fn frontend(head: &str) -> Option<String> {
    let name = head.rsplit_once("] ")?.1.split(' ').next()?;
    let name = name.strip_suffix('~').unwrap_or(name);
    is_frontend_name(name).then(|| name.to_owned())
}

/// A time like `24/Nov/2026:03:46:13 +0000`, which is always that of Greenwich.
fn time(text: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (date, clock) = text.strip_suffix(" +0000")?.split_once(':')?;
    let mut date = date.split('/');
    let (day, month, year) = (date.next()?, date.next()?, date.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    format!("{year}-{month:02}-{day}T{clock}Z").parse::<Timestamp>().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "203.0.113.9:50512 [24/Nov/2026:03:46:13.675] www be/s1 0/0/0/1/1 200 64 - - ---- 1/1/0/0/0 0/0";
    const FIELDS: &str = "luigi=pass mode=observe decision=deny advice=authenticate reason=no-rule-allows detail= rule=- credential=absent \
        candidate=deny candidate-rule= evaluation=00 revision=ab12 issuer=- subject=- time=[24/Nov/2026:03:46:13 +0000] host=shop.example.com%3A8443";
    const GROUPS: &str = "groups=- groups-are=-";

    fn line(request: &str) -> String {
        format!("{HEAD} {FIELDS} \"{request}\" {GROUPS}")
    }

    #[test]
    fn a_line_tells_what_was_asked_and_decided() {
        let read = parse(&line("GET /a#22b?x=1 HTTP/1.1")).unwrap();
        let expected = LoggedRequest {
            source: Some("203.0.113.9".parse().unwrap()),
            frontend: Some("www".to_owned()),
            time: Some("2026-11-24T03:46:13Z".parse().unwrap()),
            method: "GET".to_owned(),
            host: Some("shop.example.com:8443".to_owned()),
            target: "/a\"b?x=1".to_owned(),
            credential: "absent".to_owned(),
            allowed: false,
            reason: "no-rule-allows".to_owned(),
            rule: None,
            revision: Some("ab12".to_owned()),
            person: None,
            groups: Vec::new(),
            groups_complete: false,
        };
        assert_eq!(read, expected);
        // What a log daemon puts before, and addresses of all kinds.
        for (prefix, source) in [
            ("<134>Nov 24 03:46:13 edge-1 haproxy[812]: 2001:db8::7:50512", Some("2001:db8::7")),
            ("[x] ::ffff:192.0.2.7:1", Some("192.0.2.7")),
            ("unix:1", None),
        ] {
            let text = line("GET / HTTP/2.0").replace("203.0.113.9:50512", prefix);
            assert_eq!(parse(&text).unwrap().source, source.map(|text| text.parse().unwrap()), "{prefix}");
        }
    }

    #[test]
    fn a_line_that_tells_nothing_says_why() {
        let good = line("GET / HTTP/1.1");
        let check = |text: &str, why: Unreadable| assert_eq!(parse(text), Err(why), "{text}");
        check("", Unreadable::NotOurs);
        check(HEAD, Unreadable::NotOurs);
        check(&line("<BADREQ>"), Unreadable::NoRequest);
        check(&line("GET /a b HTTP/1.1"), Unreadable::NoRequest);
        check(&good.replace("decision=deny", "decision=-"), Unreadable::NoAnswer);
        check(&good.replace("decision=deny", "decision=perhaps"), Unreadable::BadField);
        check(&good.replace("host=shop", "h=shop"), Unreadable::NoHost);
        check(&good.replace("%3A8443", "%FF"), Unreadable::BadField);
        check(good.strip_suffix(" groups=- groups-are=-").unwrap(), Unreadable::NoHost);
        // Wherever HAProxy cuts it, a line is refused or says that the groups are not all.
        let person = "issuer=https%3A//login subject=anna";
        let whole = good.replace("issuer=- subject=-", person).replace(GROUPS, "groups=a%2Cb,c groups-are=complete");
        let read = parse(&whole).unwrap();
        assert_eq!((&read.groups[..], read.groups_complete), (&["a,b".to_owned(), "c".to_owned()][..], true));
        for at in 0..whole.len() {
            assert!(
                parse(&whole[..at]).is_ok_and(|read| !read.groups_complete) || parse(&whole[..at]).is_err(),
                "{at}"
            );
        }
    }

    #[test]
    fn the_source_is_the_one_that_was_decided() {
        for (written, source) in
            [("192.0.2.7", Some("192.0.2.7")), ("2001:db8::7", Some("2001:db8::7")), ("-", None), ("x", None)]
        {
            let text = line("GET / HTTP/1.1").replace(" time=[", &format!(" source={written} time=["));
            assert_eq!(parse(&text).unwrap().source, source.map(|text| text.parse().unwrap()), "{written}");
        }
    }

    #[test]
    fn the_frontend_stands_behind_the_time() {
        for (written, frontend) in
            [("www", Some("www")), ("https:in.1-a_b~", Some("https:in.1-a_b")), ("~", None), ("w]w", None)]
        {
            let text = line("GET / HTTP/1.1").replace("] www be", &format!("] {written} be"));
            assert_eq!(parse(&text).unwrap().frontend.as_deref(), frontend, "{written}");
            assert_eq!(parse(&format!("[1] other {text}")).unwrap().frontend.as_deref(), frontend, "{written}");
        }
    }

    /// A client names hosts and paths: neither may pass for another field.
    #[test]
    fn no_request_forges_a_field() {
        let read = parse(&line("GET /\u{a0}decision=allow#20reason=x HTTP/1.1")).unwrap();
        assert!(!read.allowed);
        assert_eq!(read.target, "/\u{a0}decision=allow reason=x");
        let host = line("GET / HTTP/1.1").replace("shop.example.com", "a%20decision%3Dallow%22");
        let read = parse(&host).unwrap();
        assert_eq!((read.allowed, read.host.as_deref()), (false, Some("a decision=allow\":8443")));
    }
}
