//! Entries as CSV (RFC 4180): one column for each member that some kind of event has.

use luigi_workflow::ledger::Entry;
use serde_json::Value;

/// The columns behind sequence, time and kind: where in the event each is.
const COLUMNS: [&str; 46] = [
    "evaluation",
    "request",
    "grant",
    "decision",
    "reason",
    "rule",
    "scope",
    "candidate",
    "candidate-reason",
    "candidate-rule",
    "advice",
    "outcome",
    "privileged",
    "mode",
    "approval",
    "person.issuer",
    "person.subject",
    "person.email",
    "actor.subject",
    "credential",
    "asserted-by",
    "detail",
    "approver.subject",
    "by",
    "source",
    "method",
    "host",
    "path",
    "received",
    "query",
    "user-agent",
    "reply.received.status",
    "reply.received.backend",
    "reply.received.milliseconds",
    "from",
    "until",
    "since",
    "to",
    "seconds",
    "via",
    "justification",
    "comment",
    "revision",
    "generation",
    "node",
    "count",
];

/// The line of names.
pub(super) fn head() -> Result<String, String> {
    line(["sequence", "time", "kind"].into_iter().chain(COLUMNS).chain(["event"]).map(str::to_owned))
}

/// The line of an entry. What has no column of its own stands in `event`, the last one, as JSON like everything else.
pub(super) fn row(entry: &Entry) -> Result<String, String> {
    let event = serde_json::to_value(&entry.event).map_err(|error| error.to_string())?;
    let event = event.get("event").cloned().unwrap_or_default();
    let cells = COLUMNS.iter().map(|name| {
        let value = name.split('.').try_fold(&event, |value, part| value.get(part));
        cell(value)
    });
    let first = [entry.sequence.to_string(), format!("{:.9}", entry.time), entry.kind().as_str().to_owned()];
    line(first.into_iter().chain(cells).chain([event.to_string()]))
}

pub(super) fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => harmless(text),
        Some(other) => other.to_string(),
    }
}

/// Spreadsheets take a cell that begins like a formula for one, and run it.
pub(super) fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

pub(super) fn line(cells: impl Iterator<Item = String>) -> Result<String, String> {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    writer.write_record(cells.collect::<Vec<_>>()).map_err(|error| error.to_string())?;
    let bytes = writer.into_inner().map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn no_cell_is_a_formula() {
        assert_eq!(harmless("=HYPERLINK(\"https://example.com\")"), "'=HYPERLINK(\"https://example.com\")");
        assert_eq!(harmless("@SUM(A1)"), "'@SUM(A1)");
        assert_eq!(harmless("\n=1+1"), "'\n=1+1");
        assert_eq!(harmless("＝1+1"), "'＝1+1");
        assert_eq!(harmless("/orders"), "/orders");
    }
}
