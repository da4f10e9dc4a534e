//! Values that are written as strings: names, durations, times of day, networks, URLs, e-mail addresses.

use super::node::{Text, foreign, quoted};
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::policy::model::is_frontend_name;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::IpAddr;

/// The longest name, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// Checks a name that HAProxy's configuration defines.
pub(super) fn check_frontend(name: &Text, out: &mut Diagnostics) {
    if is_frontend_name(&name.value) {
        return;
    }
    let problem =
        Diagnostic::error(Code::InvalidName, name.span, format!("{} is no name of a frontend", quoted(&name.value)));
    let help =
        "write the name as it stands in HAProxy's configuration: letters, digits, `-`, `_`, `.` and `:`, 128 at most";
    out.push(problem.help(help));
}

/// Checks a name that the policy defines.
pub(super) fn check_name(name: &Text, what: &str, out: &mut Diagnostics) {
    let text = &name.value;
    let alphabet = "names consist of the letters a-z and A-Z, digits, `-`, `_` and `.`";
    let wrong = |c: &char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let problem = if text.is_empty() {
        Diagnostic::error(Code::InvalidName, name.span, format!("the name of {what} is empty"))
    } else if let Some((at, c)) = text.char_indices().find(|(_, c)| wrong(c)) {
        let message = format!("{} is not a name", quoted(text));
        let problem = Diagnostic::error(Code::InvalidName, name.part(at..at + c.len_utf8()), message);
        match foreign(&text[at..]) {
            Some((range, what)) if range.start == 0 => problem.label(what).help(alphabet),
            Some(_) | None => problem.label("not allowed in names").help(alphabet),
        }
    } else if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        let message = format!("{} begins with neither a letter nor a digit", quoted(text));
        Diagnostic::error(Code::InvalidName, name.part(0..1), message)
    } else if text.len() > MAX_NAME_BYTES {
        let message = format!("{} has {} characters, more than {MAX_NAME_BYTES}", quoted(text), text.len());
        Diagnostic::error(Code::InvalidName, name.span, message)
    } else {
        return;
    };
    out.push(problem);
}

/// A duration in seconds, between `min` and `max`; larger bounds than a year do not occur.
pub(super) fn duration(text: &Text, min: u32, max: u32, out: &mut Diagnostics) -> Option<u32> {
    let Some(seconds) = seconds_of(&text.value) else {
        let message = format!("{} is not a duration", quoted(&text.value));
        let help = "write whole numbers with the units d, h, m and s, largest first, like \"15m\" or \"1h30m\"";
        out.push(Diagnostic::error(Code::InvalidDuration, text.span, message).help(help));
        return None;
    };
    if seconds < u64::from(min) || seconds > u64::from(max) {
        let message = format!("{} is out of range", quoted(&text.value));
        let help = format!("it can be {} to {}", written(min), written(max));
        out.push(Diagnostic::error(Code::OutOfRange, text.span, message).help(help));
        return None;
    }
    u32::try_from(seconds).ok()
}

/// The longest duration, in seconds: 366 days.
pub(super) const MAX_DURATION_SECONDS: u32 = 366 * 86_400;

const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

fn seconds_of(text: &str) -> Option<u64> {
    let (mut rest, mut sum, mut units) = (text, 0_u64, UNITS.iter());
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        if digits == 0 || digits > 9 {
            return None;
        }
        let number: u64 = rest[..digits].parse().ok()?;
        let unit = rest[digits..].chars().next()?;
        // The iterator moves on: each unit once, in this order.
        let (_, seconds) = units.find(|(name, _)| *name == unit)?;
        sum += number * seconds;
        rest = &rest[digits + 1..];
    }
    Some(sum)
}

/// A duration as one would write it.
pub(crate) fn written(seconds: u32) -> String {
    let mut left = u64::from(seconds);
    let mut text = String::new();
    for (unit, size) in UNITS {
        if left >= size {
            text.push_str(&format!("{}{unit}", left / size));
            left %= size;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Whether a time of day begins or ends something.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    Start,
    End,
}

/// Seconds after midnight.
pub(super) fn time_of_day(text: &Text, edge: Edge, out: &mut Diagnostics) -> Option<u32> {
    let parsed = match text.value.as_bytes() {
        [h1, h2, b':', m1, m2] if [h1, h2, m1, m2].iter().all(|b| b.is_ascii_digit()) => {
            let number = |tens: &u8, ones: &u8| u32::from(tens - b'0') * 10 + u32::from(ones - b'0');
            Some((number(h1, h2), number(m1, m2)))
        }
        _ => None,
    };
    match parsed {
        Some((hours, minutes)) if hours < 24 && minutes < 60 => Some(hours * 3_600 + minutes * 60),
        Some((24, 0)) if edge == Edge::End => Some(86_400),
        _ => {
            let message = format!("{} is not a time of day", quoted(&text.value));
            let help = match edge {
                Edge::Start => "write hours and minutes, like \"08:00\"",
                Edge::End => "write hours and minutes, like \"18:00\"; the end of the day is \"24:00\"",
            };
            out.push(Diagnostic::error(Code::InvalidTimeOfDay, text.span, message).help(help));
            None
        }
    }
}

/// A network, or an address as the network of one; IPv4-mapped IPv6 becomes IPv4.
pub(super) fn network(text: &Text, out: &mut Diagnostics) -> Option<IpNet> {
    let invalid = |help: String| {
        let message = format!("{} is not a network", quoted(&text.value));
        Diagnostic::error(Code::InvalidNetwork, text.span, message).help(help)
    };
    let form = "write an address or a network like \"203.0.113.0/24\" or \"2001:db8::/32\"";
    let net = match (text.value.parse::<IpNet>(), text.value.parse::<IpAddr>()) {
        (Ok(net), _) => net,
        (_, Ok(address)) => IpNet::from(address),
        _ => {
            out.push(invalid(form.to_owned()));
            return None;
        }
    };
    if net.trunc() != net {
        let message = format!("{} has bits set beyond its prefix", quoted(&text.value));
        let help = format!("write `{}` for the network, or `{}` for the one address", net.trunc(), net.addr());
        out.push(Diagnostic::error(Code::InvalidNetwork, text.span, message).help(help));
        return None;
    }
    let IpNet::V6(v6) = net else { return Some(net) };
    let mapped = Ipv6Net::new_assert("::ffff:0:0".parse().expect("an address"), 96);
    if v6.prefix_len() < 96 && v6.contains(&mapped) && v6.prefix_len() > 0 {
        let help = "name the IPv4 networks on their own: IPv4-mapped addresses count as IPv4 everywhere".to_owned();
        out.push(invalid(help));
        return None;
    }
    match v6.addr().to_ipv4_mapped() {
        Some(v4) if v6.prefix_len() >= 96 => Ipv4Net::new(v4, v6.prefix_len() - 96).ok().map(IpNet::V4),
        _ => Some(net),
    }
}

/// Checks the URL of an issuer.
pub(super) fn check_issuer_url(url: &Text, out: &mut Diagnostics) {
    let text = url.value.as_str();
    let problem = |label: &str, help: &str| {
        let message = format!("{} is not the URL of an issuer", quoted(text));
        Diagnostic::error(Code::InvalidIssuerUrl, url.span, message).label(label).help(help)
    };
    let exact = "write it exactly as the `iss` of tokens has it, like \"https://example.okta.com\"";
    let (secure, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        (None, None) => return out.push(problem("not an https URL", exact)),
    };
    if text.chars().any(|c| !c.is_ascii_graphic() || matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}'))
    {
        return out.push(problem("a space or another character that URLs do not have", exact));
    }
    if let Some(at) = text.find(['?', '#']) {
        let message = format!("{} is not the URL of an issuer", quoted(text));
        let problem = Diagnostic::error(Code::InvalidIssuerUrl, url.part(at..text.len()), message);
        return out.push(problem.label("an issuer has neither query nor fragment").help(exact));
    }
    let authority = rest.split('/').next().unwrap_or("");
    if authority.contains('@') {
        return out.push(problem("an issuer has no user name", exact));
    }
    let (host, port) = split_port(authority);
    if host.is_empty() || port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return out.push(problem("no host", exact));
    }
    if !secure && !matches!(host, "127.0.0.1" | "localhost" | "[::1]") {
        out.push(problem("not an https URL", "http is for `127.0.0.1`, `[::1]` and `localhost` alone; write https"));
    }
}

/// Host and port of an authority; a port that is there may be anything.
pub(super) fn split_port(authority: &str) -> (&str, Option<&str>) {
    let after_bracket = authority.rfind(']').map_or(0, |at| at + 1);
    match authority[after_bracket..].rfind(':') {
        Some(colon) => (&authority[..after_bracket + colon], Some(&authority[after_bracket + colon + 1..])),
        None => (authority, None),
    }
}

/// An e-mail address in ASCII lower case.
pub(super) fn email(text: &Text, out: &mut Diagnostics) -> Option<String> {
    let odd = |c: char| c.is_whitespace() || c.is_control() || c == '*';
    match text.value.rsplit_once('@') {
        Some((local, domain)) if !local.is_empty() && !domain.is_empty() && !text.value.contains(odd) => {
            Some(text.value.to_ascii_lowercase())
        }
        _ => {
            let message = format!("{} is not an e-mail address", quoted(&text.value));
            let problem = Diagnostic::error(Code::InvalidMatcher, text.span, message);
            out.push(problem.help("write the whole address; `email-domains` matches everyone of a domain"));
            None
        }
    }
}

/// What stands behind the `@` of e-mail addresses, in ASCII lower case.
pub(super) fn email_domain(text: &Text, out: &mut Diagnostics) -> Option<String> {
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '*' | '@');
    if text.value.contains(odd) || text.value.starts_with('.') || text.value.ends_with('.') {
        let message = format!("{} is not the domain of an e-mail address", quoted(&text.value));
        let help = "write what stands behind the `@`, like \"example.com\"; subdomains are named one by one";
        out.push(Diagnostic::error(Code::InvalidMatcher, text.span, message).help(help));
        return None;
    }
    Some(text.value.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::source::{SourceSet, Span};

    fn text(value: &str) -> Text {
        let mut sources = SourceSet::new();
        let id = sources.add("t", value);
        Text::new(value.to_owned(), Span::new(id, &(0..value.len())))
    }

    #[test]
    fn durations_are_whole_units_largest_first() {
        for (value, seconds) in [
            ("90s", Some(90)),
            ("15m", Some(900)),
            ("1h30m", Some(5_400)),
            ("1d", Some(86_400)),
            ("1d1s", Some(86_401)),
            ("0s", Some(0)),
        ] {
            assert_eq!(
                duration(&text(value), 0, MAX_DURATION_SECONDS, &mut Diagnostics::default()),
                seconds,
                "{value}"
            );
        }
        for value in
            ["", "15", "m", "15 m", "30m1h", "1m1m", "1.5h", "-1m", "1w", "1H", "9999999999s", "367d", "1h ", "１m"]
        {
            let mut out = Diagnostics::default();
            assert_eq!(duration(&text(value), 0, MAX_DURATION_SECONDS, &mut out), None, "{value}");
            assert_eq!(out.len(), 1);
        }
        for (seconds, expected) in [(0, "0s"), (5_400, "1h30m"), (90_061, "1d1h1m1s")] {
            assert_eq!(written(seconds), expected);
        }
    }

    #[test]
    fn times_of_day_have_a_last_moment_only_at_the_end() {
        for (value, start, end) in [
            ("00:00", Some(0), Some(0)),
            ("08:30", Some(30_600), Some(30_600)),
            ("24:00", None, Some(86_400)),
            ("24:01", None, None),
            ("8:00", None, None),
            ("08:60", None, None),
            ("08:00:00", None, None),
        ] {
            assert_eq!(time_of_day(&text(value), Edge::Start, &mut Diagnostics::default()), start, "{value}");
            assert_eq!(time_of_day(&text(value), Edge::End, &mut Diagnostics::default()), end, "{value}");
        }
    }

    #[test]
    fn networks_are_exact_and_mapped_ones_are_ipv4() {
        for (value, expected) in [
            ("203.0.113.0/24", Some("203.0.113.0/24")),
            ("203.0.113.9", Some("203.0.113.9/32")),
            ("::ffff:10.0.0.0/104", Some("10.0.0.0/8")),
            ("::ffff:10.0.0.1", Some("10.0.0.1/32")),
            ("2001:db8::/32", Some("2001:db8::/32")),
            ("::/0", Some("::/0")),
            ("::/64", None),
            ("203.0.113.9/24", None),
            ("203.0.113.0/33", None),
            ("203.0.113", None),
            ("office", None),
            ("010.0.0.1", None),
        ] {
            let found = network(&text(value), &mut Diagnostics::default()).map(|net| net.to_string());
            assert_eq!(found.as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn issuers_are_https_urls() {
        for (value, fine) in [
            ("https://example.okta.com", true),
            ("https://example.okta.com/oauth2/default", true),
            ("https://login.example.com:8443/", true),
            ("http://127.0.0.1:8080/idp", true),
            ("http://[::1]/", true),
            ("http://localhost", true),
            ("http://login.example.com", false),
            ("http://localhost.example.com", false),
            ("http://localhost@example.com", false),
            ("https://", false),
            ("https:///path", false),
            ("https://a b", false),
            (" https://example.com", false),
            ("https://example.com ", false),
            ("https://example.com?x", false),
            ("https://example.com#x", false),
            ("https://example.com:port", false),
            ("HTTPS://example.com", false),
            ("example.com", false),
        ] {
            let mut out = Diagnostics::default();
            check_issuer_url(&text(value), &mut out);
            assert_eq!(out.is_empty(), fine, "{value}");
        }
    }
}
