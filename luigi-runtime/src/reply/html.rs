//! The reply for people: one page that needs nothing but itself.
//!
//! No script, no form, no image, font or style from elsewhere; the content security policy allows nothing but the page's own style, by
//! its hash. Readable with any screen, in light and dark, by a screen reader, and on paper.

use super::{Refusal, Remedy, words};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write;
use std::sync::LazyLock;

const STYLE: &str = include_str!("page.css");

/// How much of an address is shown, in characters.
const MAX_PLACE_CHARS: usize = 200;

/// Signs, each one path of a 24-pixel square.
const KEY: &str = "M15.5 3a5.5 5.5 0 0 0-5.2 7.3L3 17.6V21h4v-2.5h2.5V16h2.2l1.9-1.9A5.5 5.5 0 1 0 15.5 3zm1.5 5.2a1.2 1.2 0 1 1 0-.1z";
const LOCK: &str = "M7 10V7.5a5 5 0 0 1 10 0V10h.5A1.5 1.5 0 0 1 19 11.5v8a1.5 1.5 0 0 1-1.5 1.5h-11A1.5 1.5 0 0 1 5 19.5v-8A1.5 1.5 0 0 1 6.5 10zm2 0h6V7.5a3 3 0 0 0-6 0z";
const CLOCK: &str = "M12 2.5a9.5 9.5 0 1 0 0 19 9.5 9.5 0 0 0 0-19zm1 4v5.1l3.6 2.1-1 1.7-4.6-2.7V6.5z";

/// The value of `Content-Security-Policy` for the page.
pub(super) fn content_security_policy() -> String {
    static POLICY: LazyLock<String> = LazyLock::new(|| {
        let hash = ring::digest::digest(&ring::digest::SHA256, STYLE.as_bytes());
        let hash = STANDARD.encode(hash);
        format!(
            "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
    });
    POLICY.clone()
}

/// The page.
pub(super) fn page(refusal: &Refusal) -> String {
    let (class, sign) = match &refusal.remedy {
        Remedy::Authenticate | Remedy::NewCredential(_) | Remedy::StepUp(_) | Remedy::RequestAccess(_) => ("open", KEY),
        Remedy::Retry => ("waiting", CLOCK),
        Remedy::None => ("blocked", LOCK),
    };
    let title = words::title(refusal);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <meta name=\"robots\" content=\"noindex\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n\
         <body class=\"{class}\">\n<main>\n\
         <div class=\"sign\"><svg viewBox=\"0 0 24 24\" fill=\"currentColor\" fill-rule=\"evenodd\" aria-hidden=\"true\"><path d=\"{sign}\"/></svg></div>\n\
         <h1>{title}</h1>\n<p>"
    );
    escape_into(&words::detail(refusal), &mut page);
    page.push_str("</p>\n<p class=\"next\">");
    escape_into(words::next_step(refusal), &mut page);
    page.push_str("</p>\n");
    if let Remedy::RequestAccess(wanted) = &refusal.remedy {
        page.push_str("<h2>Approvals that would open this</h2>\n<ul>\n");
        for wanted in wanted {
            page.push_str("<li><b>");
            escape_into(&wanted.approval, &mut page);
            page.push_str("</b><span>for <code>");
            escape_into(&wanted.scope, &mut page);
            page.push_str("</code>");
            for (name, value) in &wanted.captures {
                page.push_str(" with ");
                escape_into(name, &mut page);
                page.push_str(" <code>");
                escape_into(value, &mut page);
                page.push_str("</code>");
            }
            page.push_str(", ");
            escape_into(&words::terms(wanted), &mut page);
            page.push_str("</span></li>\n");
        }
        page.push_str("</ul>\n");
    }
    page.push_str("<dl>\n");
    if let Some(asked) = asked(refusal) {
        entry(&mut page, "You asked for", "", &asked);
    }
    if let Some(subject) = &refusal.subject {
        entry(&mut page, "You are", "", subject.email.as_ref().unwrap_or(&subject.subject));
    }
    entry(&mut page, "When", "", &refusal.at.to_string().replace('T', " ").replace('Z', " UTC"));
    entry(&mut page, "Reason", "", refusal.reason.as_str());
    entry(&mut page, "Reference", " class=\"id\"", &refusal.evaluation);
    // Writing to a string cannot fail.
    let _ = write!(page, "</dl>\n</main>\n</body>\n</html>\n");
    page
}

/// Method and address, shortened.
fn asked(refusal: &Refusal) -> Option<String> {
    let place = refusal.place()?;
    let shown: String = place.chars().take(MAX_PLACE_CHARS).collect();
    let more = if shown.len() < place.len() { "…" } else { "" };
    Some(format!("{} {shown}{more}", refusal.method.as_deref().unwrap_or_default()))
}

fn entry(page: &mut String, term: &str, attribute: &str, text: &str) {
    let _ = write!(page, "<dt>{term}</dt><dd><code{attribute}>");
    escape_into(text, page);
    page.push_str("</code></dd>\n");
}

/// Appends text as it may stand in HTML content and in quoted attributes; control characters become visible or harmless.
fn escape_into(text: &str, page: &mut String) {
    for c in text.chars() {
        match c {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '"' => page.push_str("&quot;"),
            '\'' => page.push_str("&#39;"),
            // Bidirectional controls could make a name read as another.
            c if c.is_control() || is_bidirectional_control(c) => page.push(char::REPLACEMENT_CHARACTER),
            c => page.push(c),
        }
    }
}

fn is_bidirectional_control(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
