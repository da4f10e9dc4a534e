//! The requests of the demo, what should come out, and the table of what did.

use crate::Trouble;
use crate::page::{BAD, DOUBTFUL, FAINT, GOOD, PLAIN, Page};
use crate::scene::{Answer, Scene};
use anstyle::Style;
use luigi_runtime::answer_line::Field;

/// A request and what should come out while Luigi enforces.
struct Case {
    who: &'static str,
    method: &'static str,
    path: &'static str,
    status: u16,
    decision: &'static str,
    reason: &'static str,
    rule: &'static str,
}

const fn case(
    who: &'static str,
    [method, path]: [&'static str; 2],
    (status, decision): (u16, &'static str),
    (reason, rule): (&'static str, &'static str),
) -> Case {
    Case { who, method, path, status, decision, reason, rule }
}

const CASES: [Case; 12] = [
    case("nobody", ["GET", "/"], (200, "allow"), ("allowed-by-rule", "open-to-all")),
    case("nobody", ["GET", "/orders/7"], (401, "authenticate"), ("no-rule-allows", "")),
    case("anna", ["GET", "/orders/7"], (200, "allow"), ("allowed-by-rule", "staff-reads-orders")),
    case("anna", ["POST", "/orders/7/refund"], (403, "deny"), ("no-rule-allows", "")),
    case("bea", ["POST", "/orders/7/refund"], (401, "step-up"), ("login-required", "refunds-by-finance")),
    case("ben", ["POST", "/orders/7/refund"], (403, "request-access"), ("approval-required", "refunds-by-finance")),
    case("ben", ["GET", "/metrics"], (403, "deny"), ("source-required", "metrics-inside")),
    case("carl", ["GET", "/orders/8"], (403, "deny"), ("no-rule-allows", "")),
    case("dave", ["GET", "/orders/7"], (403, "deny"), ("denied-by-rule", "stolen-laptop")),
    case("finn", ["GET", "/orders/7"], (401, "authenticate"), ("deny-rule-unknown", "stolen-laptop")),
    case("eve", ["POST", "/orders/7/refund"], (401, "authenticate"), ("deny-rule-unknown", "stolen-laptop")),
    case("anna", ["GET", "/x/..%2forders/7"], (400, "deny"), ("ambiguous-target", "")),
];

/// What the table says in sum.
pub(crate) struct Sum {
    /// How many requests were sent.
    pub(crate) sent: usize,
    /// How many of them reached the upstream, as the upstream tells it.
    pub(crate) arrived: usize,
    /// How many the policy denies.
    pub(crate) denied: usize,
}

/// Sends all requests and prints what came out. In observe mode every one of them should pass.
pub(crate) fn run(scene: &Scene, page: &mut Page, mode: &str) -> Result<Sum, Trouble> {
    let table = Table { single_line: page.width() >= 96 };
    table.header(page);
    let mut sum = Sum { sent: 0, arrived: 0, denied: 0 };
    for (number, case) in CASES.iter().enumerate() {
        let id = format!("{mode}-{number:02}");
        let response = scene.send(scene.people().get(case.who), case.method, case.path, &[("x-request-id", &id)])?;
        let answer = Answer::of(&response);
        table.row(page, case, response.status, answer.as_ref());
        let arrived = scene.upstream().count_with(format!("x-request-id: {id}\r\n").as_bytes());
        sum.sent += 1;
        sum.arrived += arrived;
        let what = format!("{} {} {}", case.who, case.method, case.path);
        let Some(answer) = answer else {
            page.expect(false, &format!("{what}: no answer of Luigi's"));
            continue;
        };
        sum.denied += usize::from(answer.field(Field::Decision) == "deny");
        let passes = mode == "observe" || case.decision == "allow";
        let status = if passes { 200 } else { case.status };
        page.expect(response.status == status, &format!("{what}: status {status} was expected"));
        page.expect(arrived == usize::from(passes), &format!("{what}: arrived {arrived} times"));
        for (field, got, wanted) in [
            ("mode", answer.field(Field::Mode), mode),
            ("decision", answer.word(), case.decision),
            ("status", answer.field(Field::Status), &case.status.to_string()),
            ("reason", answer.field(Field::Reason), case.reason),
            ("rule", answer.field(Field::Rule), case.rule),
        ] {
            page.expect(got == wanted, &format!("{what}: {field} `{wanted}` was expected, not `{got}`"));
        }
    }
    Ok(sum)
}

/// Columns that fit: with too few of them, the rule has a line of its own.
struct Table {
    single_line: bool,
}

impl Table {
    fn header(&self, page: &Page) {
        let why = if self.single_line { format!("{:<17}  rule", "reason") } else { "reason, rule".to_owned() };
        page.line(&format!("{FAINT}{:<6}  {:<21}  {:<6}  {:<14}  {why}{FAINT:#}", "who", "asks", "status", "decision"));
    }

    fn row(&self, page: &Page, case: &Case, status: u16, answer: Option<&Answer>) {
        let asks = format!("{:<4} {}", case.method, case.path);
        let of_status = if status == 200 { GOOD } else { BAD };
        let field = |field| answer.map_or("", |answer| answer.field(field));
        let (decision, reason, rule) = (answer.map_or("", Answer::word), field(Field::Reason), field(Field::Rule));
        let of_decision = style(decision);
        let start = format!(
            "{:<6}  {asks:<21}  {of_status}{status:<6}{of_status:#}  {of_decision}{decision:<14}{of_decision:#}  ",
            case.who
        );
        if self.single_line {
            page.line(format!("{start}{reason:<17}  {rule}").trim_end());
        } else {
            page.line(format!("{start}{reason}").trim_end());
            if !rule.is_empty() {
                page.line(&format!("{:<55}{FAINT}{rule}{FAINT:#}", ""));
            }
        }
    }
}

fn style(decision: &str) -> Style {
    match decision {
        "allow" => GOOD,
        "deny" => BAD,
        "" => PLAIN,
        _ => DOUBTFUL,
    }
}
