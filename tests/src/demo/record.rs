//! The last chapter: what of all this is on record, that it is whole, and that an edit by hand is found.

use crate::Trouble;
use crate::page::Page;
use crate::scene::Scene;
use crate::story::command;
use luigi_tests::wait;
use luigi_workflow::ledger::{Event, Filter, LedgerError, Reader};
use std::ops::ControlFlow;

/// The ledger of the daemon here.
const LEDGER: &str = "state/ledger/ledger.db";

pub(crate) fn tell(scene: &Scene, page: &mut Page) -> Result<(), Trouble> {
    page.chapter(
        "On record",
        "HAProxy recorded what was decided, and `luigi serve` has put it into the audit ledger, each record once. What concerns the policy:",
    );
    let said =
        command(scene, page, &["audit", "--ledger", LEDGER, "--kind", "policy-applied", "--kind", "mode-changed"])?;
    page.output(&said.text);
    page.expect(said.fine && said.text.contains("opens for "), "the ledger says what a policy changed for whom");
    page.say("And the last that was asked of the refunds, which are privileged:");
    page.gap();
    drained(scene)?;
    let said = command(scene, page, &["audit", "--ledger", LEDGER, "--privileged", "--limit", "4"])?;
    page.output(&said.text);
    page.expect(said.fine && said.text.contains("/orders/7/refund"), "the ledger has the requests for refunds");

    page.say("Each entry carries the hash of the one before, and the daemon signs where the ledger stands:");
    page.gap();
    let anchors = ["--checkpoints", "checkpoints", "--public-key", "state/ledger.pub"];
    let said = command(scene, page, &[&["audit", "verify", "--ledger", LEDGER], &anchors[..]].concat())?;
    page.output(&said.text);
    page.expect(said.fine && said.text.contains(", anchored by `checkpoints`"), "the ledger is whole");

    page.say("Somebody with every right on the machine makes a denial an allow in a copy of it:");
    page.gap();
    let copy = ["sqlite3", LEDGER, "\"VACUUM INTO 'edited.db'\""];
    let denial = drained(scene)?;
    let edit = ["UPDATE entries", "SET body = replace(body, 'deny', 'allow')", &format!("WHERE sequence = {denial}")];
    page.command(&copy);
    sqlite(scene, LEDGER, "VACUUM INTO 'edited.db'")?;
    let [update, set, which] = edit;
    page.command(&["sqlite3", "edited.db", &format!("\"{update}"), set, &format!("{which}\"")]);
    sqlite(scene, "edited.db", &edit.join(" "))?;
    let said = command(scene, page, &[&["audit", "verify", "--ledger", "edited.db"], &anchors[..]].concat())?;
    page.output(&said.text);
    page.expect(!said.fine && said.text.contains("broken at entry "), "an edit by hand is found");
    Ok(())
}

/// Waits until what HAProxy recorded of privileged requests is in the ledger; the entry of the last one, a denial.
fn drained(scene: &Scene) -> Result<u64, Trouble> {
    let path = scene.path(LEDGER);
    let mut last = 0;
    wait::until("the ledger has the requests", || {
        let mut refunds = 0;
        let read = Reader::open(&path).and_then(|reader| {
            reader.scan(0, &Filter::default(), |entry| -> Result<_, LedgerError> {
                if matches!(&entry.event, Event::Decision(decision) if decision.privileged) {
                    (refunds, last) = (refunds + 1, entry.sequence);
                }
                Ok(ControlFlow::Continue(()))
            })
        });
        scene.interrupt().is_set() || (read.is_ok() && refunds >= 4)
    });
    scene.interrupt().check().map(|()| last)
}

/// What `sqlite3` does, which a machine without Debian may not have: Python has the same in its library.
fn sqlite(scene: &Scene, database: &str, statement: &str) -> Result<(), Trouble> {
    let said = match scene.run("sqlite3", &[database, statement]) {
        Ok(said) => said,
        Err(_) => {
            let program = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute(sys.argv[2]); c.close()";
            scene.run("python3", &["-c", program, database, statement])?
        }
    };
    if said.fine { Ok(()) } else { Err(Trouble::failed(format_args!("the ledger was not edited: {}", said.text))) }
}
