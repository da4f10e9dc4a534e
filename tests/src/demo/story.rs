//! The chapters of the demo, in order.

use crate::load::{self, ASKING, Record};
use crate::page::{GOOD, Page, STRONG};
use crate::scene::{Answer, HOST, Said, Scene};
use crate::{Arguments, Interrupt, Trouble, keep, record, requests};
use luigi_runtime::answer_line::Field;
use luigi_tests::client::Response;
use serde_json::Value;
use std::time::Instant;

/// Tells all of it. What it started is stopped when it returns.
pub(crate) fn tell(arguments: &Arguments, interrupt: &Interrupt, page: &mut Page) -> Result<(), Trouble> {
    let began = Instant::now();
    page.headline(
        "Luigi at HAProxy's gates",
        "HAProxy keeps the gates of a small web shop. Luigi runs inside of it and decides, for every request, who may pass.",
    );
    let mut scene = Scene::new(arguments, interrupt, page.color())?;
    scene.start_daemon()?;
    setting(&mut scene, page)?;
    observe(&scene, page)?;
    enforce(&scene, page)?;
    both_sides(&scene, page)?;
    why(&scene, page)?;
    while_traffic_flows(&scene, page)?;
    broken_policy(&scene, page)?;
    status(&scene, page)?;
    record::tell(&scene, page)?;
    page.say(&match page.surprises().len() {
        0 => format!(
            "That was Luigi: {} expectations were met in {:.1} seconds. README.md says how to put it in front of a service of your own.",
            page.checks(),
            began.elapsed().as_secs_f64()
        ),
        some => format!("{some} of {} expectations were not met; see above.", page.checks()),
    });
    if arguments.keep { keep::running(&scene, &arguments.luigi, page) } else { Ok(()) }
}

/// The arguments of `luigi apply` that stay the same. The feed keeps the keys of its issuers.
const APPLY: [&str; 6] = ["apply", "policy", "--to", "feed", "--key", "feed.key"];

fn setting(scene: &mut Scene, page: &mut Page) -> Result<(), Trouble> {
    page.chapter(
        "The shop",
        "These people send requests. Their tokens are signed with a key that was made a moment ago, as an identity provider would do it.",
    );
    for person in scene.people().iter() {
        page.entry(person.name, 6, person.about);
    }
    page.say(
        "What they may do stands in examples/demo/shop.toml, with tests of its own. `luigi apply` hands it to the daemon, \
         `luigi serve`, which checks, tests, compiles and signs it; the directory `feed` is where HAProxy finds it.",
    );
    page.gap();
    let applied = apply(scene, page, &["--jwks", "corp=corp.jwks.json"])?;
    scene.start_haproxy()?;
    scene.wait_for(&revision(&applied)?, "observe")?;
    page.say(&format!(
        "HAProxy {} is up at {} with the lines that `luigi haproxy-config` prints, a small upstream behind it. All of it lies in {} and goes away in \
         the end.",
        scene.haproxy_version(),
        scene.address(),
        scene.folder().display()
    ));
    Ok(())
}

fn observe(scene: &Scene, page: &mut Page) -> Result<(), Trouble> {
    page.chapter(
        "Observe",
        "One starts by watching: every request passes as before, and Luigi says what it would have decided, and why.",
    );
    let sum = requests::run(scene, page, "observe")?;
    page.say(&format!(
        "{} of {} requests reached the upstream; {} would have been denied. (Nobody knows that finn and eve are not dave: their tokens do not hold, so \
         the rule about dave denies them, too. And two servers could read the last path in two ways, so it is refused.)",
        sum.arrived, sum.sent, sum.denied
    ));
    page.expect(sum.arrived == sum.sent, "in observe mode every request reaches the upstream");
    Ok(())
}

fn enforce(scene: &Scene, page: &mut Page) -> Result<(), Trouble> {
    page.chapter(
        "Enforce",
        "When the report looks right, one flips the switch. HAProxy goes on running: no reload, no connection lost.",
    );
    let applied = apply(scene, page, &["--mode", "enforce"])?;
    scene.wait_for(&revision(&applied)?, "enforce")?;
    page.say("The same requests again:");
    page.gap();
    let sum = requests::run(scene, page, "enforce")?;
    page.say(&format!(
        "{} of {} requests reached the upstream. It never heard of the {} others.",
        sum.arrived,
        sum.sent,
        sum.sent - sum.arrived
    ));
    page.expect(sum.arrived + sum.denied == sum.sent, "in enforce mode what is denied does not reach the upstream");
    Ok(())
}

fn both_sides(scene: &Scene, page: &mut Page) -> Result<(), Trouble> {
    page.chapter(
        "What the two sides see",
        "Whoever is denied is told what would help. Ben's refund needs an approval, and nobody without a token gets in:",
    );
    let json = [("accept", "application/json")];
    let response = scene.send(scene.people().get("ben"), "POST", "/orders/7/refund", &json)?;
    response_head(page, "ben: POST /orders/7/refund", &response, "content-type");
    let problem: Value = serde_json::from_str(&response.text()).unwrap_or_default();
    let wanted = &problem["context"]["access_request"]["approvals"][0];
    for (name, value) in [("title", &problem["title"]), ("detail", &problem["detail"])] {
        page.entry(name, 16, value.as_str().unwrap_or_default());
    }
    for name in ["approval", "scope", "justification", "duration_seconds"] {
        page.entry(name, 16, wanted[name].to_string().trim_matches('"'));
    }
    page.expect(wanted["approval"] == "finance-lead", "ben is told which approval to ask for");
    page.gap();
    let response = scene.send(scene.people().get("nobody"), "GET", "/orders/7", &json)?;
    response_head(page, "nobody: GET /orders/7", &response, "www-authenticate");
    let challenge = response.header("www-authenticate");
    page.expect(challenge.is_some_and(|challenge| challenge.starts_with("Bearer")), "nobody is told to bring a token");

    page.say("The upstream is told who asks, and only Luigi can tell it: anna claims to be the boss, and what arrives is this.");
    page.gap();
    page.aside("anna: GET /orders/7, with `x-luigi-subject: boss`");
    let response = scene.send(scene.people().get("anna"), "GET", "/orders/7", &[("x-luigi-subject", "boss")])?;
    // The upstream sends back what it got.
    let arrived = response.text();
    for line in arrived.lines().filter(|line| line.starts_with("x-luigi-")) {
        page.line(line.trim_end());
    }
    page.expect(
        arrived.contains("x-luigi-subject: anna\r\n") && !arrived.contains("boss"),
        "the upstream sees anna as anna",
    );
    Ok(())
}

/// Who asked for what, and the beginning of the response.
fn response_head(page: &Page, asked: &str, response: &Response, header: &str) {
    page.aside(asked);
    page.line(&format!("{STRONG}{}{STRONG:#}", response.head.lines().next().unwrap_or_default()));
    page.line(&format!("{header}: {}", response.header(header).unwrap_or_default()));
}

fn why(scene: &Scene, page: &mut Page) -> Result<(), Trouble> {
    page.chapter(
        "Why?",
        "`luigi explain` shows each rule, each of its predicates, and what is missing. Why did bea not get through?",
    );
    let url = format!("'POST http://{HOST}/orders/7/refund'");
    let keys = ["--jwks", "corp=corp.jwks.json"];
    let said = command(
        scene,
        page,
        &[
            &["explain", "policy", "--request", &url, "--from", "127.0.0.1"][..],
            &keys,
            &["--token", "-", "<", "bea.token"],
        ]
        .concat(),
    )?;
    page.output(&said.text);
    page.expect(
        said.fine && said.text.contains("refunds-need-mfa"),
        "luigi explain names the rule that wants another login",
    );
    page.say("The log of HAProxy has it, too; this is the end of her line:");
    page.gap();
    let line = scene.log_line(&["mode=enforce", "subject=bea"]);
    page.output(line.find(" luigi=").map_or(line.as_str(), |at| &line[at + 1..]));
    page.expect(
        ["decision=deny", "reason=login-required", "rule=refunds-by-finance"].iter().all(|word| line.contains(word)),
        "the log says why bea was denied",
    );
    Ok(())
}

fn while_traffic_flows(scene: &Scene, page: &mut Page) -> Result<(), Trouble> {
    page.chapter(
        "A new policy while traffic flows",
        "Contractors shall read orders, too. A second file beside the first says so, and goes live while anna and carl keep asking:",
    );
    let file = scene.add_policy_file("contractors.toml")?;
    let rules = file.split("[[tests]]").next().unwrap_or_default();
    page.output(rules.split_once("schema = 1").map_or(rules, |(_, rules)| rules));
    page.gap();
    let before = revision_in_force(scene)?;
    let ((after, took), records) = load::during(scene, || {
        let applied = apply(scene, page, &[])?;
        let began = Instant::now();
        let after = revision(&applied)?;
        scene.wait_for(&after, "enforce")?;
        Ok((after, began.elapsed()))
    })?;
    page.say(&format!(
        "HAProxy took it over {} ms after `luigi apply` was done. What the requests got:",
        took.as_millis()
    ));
    page.gap();
    let switch = Switch::of(&records, &before, &after);
    page.entry("sent", 8, &format!("{} requests on {} connections", records.len(), load::CONNECTIONS));
    page.entry(
        "failed",
        8,
        &if switch.failed == 0 { format!("{GOOD}0{GOOD:#}") } else { format!("{}", switch.failed) },
    );
    page.entry(
        "before",
        8,
        &format!("{} answered by revision {before}: {}", switch.by_old, outcomes(&records, &before)),
    );
    page.entry(
        "switch",
        8,
        &format!(
            "request {} was the first that the new revision answered, {} the last of the old one",
            switch.first_new, switch.last_old
        ),
    );
    page.entry("after", 8, &format!("{} answered by revision {after}: {}", switch.by_new, outcomes(&records, &after)));
    page.expect(switch.failed == 0, "no request fails while the policy changes");
    page.expect(switch.by_old > 0 && switch.by_new > 0, "both revisions answered requests");
    page.expect(outcomes(&records, &before) == "anna 200, carl 403", "the old revision denies contractors");
    page.expect(outcomes(&records, &after) == "anna 200, carl 200", "the new revision allows contractors");
    Ok(())
}

/// How one revision gave way to the next.
struct Switch {
    failed: usize,
    by_old: usize,
    by_new: usize,
    last_old: usize,
    first_new: usize,
}

impl Switch {
    fn of(records: &[Record], before: &str, after: &str) -> Self {
        let by = |revision: &str| -> Vec<usize> {
            let answered =
                |record: &&Record| matches!(record.status, 200 | 403) && record.revision.as_deref() == Some(revision);
            records.iter().filter(answered).map(|record| record.number).collect()
        };
        let (old, new) = (by(before), by(after));
        Self {
            // Whatever neither of the two answered, with one of the two statuses there are.
            failed: records.len() - old.len() - new.len(),
            by_old: old.len(),
            by_new: new.len(),
            last_old: old.last().copied().unwrap_or(0),
            first_new: new.first().copied().unwrap_or(0),
        }
    }
}

/// What each person got from a revision: one status, if it is always the same.
fn outcomes(records: &[Record], revision: &str) -> String {
    let of = |who: usize| {
        let mine = records.iter().filter(|record| record.who == who && record.revision.as_deref() == Some(revision));
        let mut statuses: Vec<_> = mine.map(|record| record.status.to_string()).collect();
        statuses.sort_unstable();
        statuses.dedup();
        format!("{} {}", ASKING[who].0, statuses.join(" or "))
    };
    (0..ASKING.len()).map(of).collect::<Vec<_>>().join(", ")
}

fn broken_policy(scene: &Scene, page: &mut Page) -> Result<(), Trouble> {
    page.chapter("A broken policy", "Nobody gets a policy right every time. One with mistakes is refused, with all of them at once, and the gates stay as they were:");
    let before = revision_in_force(scene)?;
    scene.add_policy_file("mistakes.toml")?;
    let said = command(scene, page, &APPLY)?;
    page.output(&said.text);
    scene.remove_policy_file("mistakes.toml")?;
    page.expect(!said.fine && said.text.contains("unknown-name"), "a policy with mistakes is refused");
    let now = revision_in_force(scene)?;
    page.expect(now == before, "a refused policy changes nothing");
    page.say(&format!("A request asked HAProxy a moment ago: revision {now} still answers."));
    Ok(())
}

fn status(scene: &Scene, page: &mut Page) -> Result<(), Trouble> {
    page.chapter("Status", "HAProxy itself knows how Luigi is: its stats socket has a command for it.");
    let said = command(scene, page, &["status", "--socket", "stats.sock"])?;
    let (shown, left_out): (Vec<_>, Vec<_>) =
        said.text.trim_end().lines().partition(|line| !line.starts_with("candidate"));
    page.output(&shown.join("\n"));
    page.aside(&format!(
        "... and {} lines about candidate decisions, in which rules under observation count, too",
        left_out.len()
    ));
    page.expect(said.fine && said.text.contains("enforce"), "luigi status says what is in force");
    Ok(())
}

/// Applies the policy, and shows how.
fn apply(scene: &Scene, page: &Page, further: &[&str]) -> Result<Said, Trouble> {
    let said = command(scene, page, &[&APPLY[..], further].concat())?;
    page.output(&said.text);
    if said.fine { Ok(said) } else { Err(Trouble::failed("the policy of the demo was not applied")) }
}

/// Shows a command and runs it; what it said is still to be shown.
pub(crate) fn command(scene: &Scene, page: &Page, words: &[&str]) -> Result<Said, Trouble> {
    page.command(&[&["luigi"], words].concat());
    scene.luigi(words)
}

/// The revision that `luigi apply` published, as it says itself.
fn revision(applied: &Said) -> Result<String, Trouble> {
    let revision = applied.text.lines().find_map(|line| line.strip_prefix("revision")?.split_whitespace().next());
    revision.map(str::to_owned).ok_or_else(|| Trouble::failed("luigi apply does not say which revision it published"))
}

/// The revision that answers requests now.
fn revision_in_force(scene: &Scene) -> Result<String, Trouble> {
    let response = scene.send(scene.people().get("nobody"), "GET", "/", &[])?;
    let answer = Answer::of(&response).ok_or_else(|| Trouble::failed("a response without Luigi's answer"))?;
    Ok(answer.field(Field::Revision).to_owned())
}
