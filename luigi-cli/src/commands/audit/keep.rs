//! `luigi audit checkpoint` and `luigi audit retire`: what the owner of a ledger does to keep it, where no daemon does.

use super::failure;
use crate::Found;
use crate::args::{MakeCheckpoint, Retire};
use crate::failure::Failure;
use crate::output::print;
use crate::state;
use luigi_workflow::ledger::{CheckpointKey, Ledger, Sink, not_sent};

pub(super) fn checkpoint(arguments: &MakeCheckpoint) -> Result<Found, Failure> {
    let sinks = arguments.to.iter().map(|text| text.parse::<Sink>()).collect::<Result<Vec<_>, _>>().map_err(failure)?;
    let mut ledger = existing(&state::ledger(arguments.ledger.as_deref()))?;
    let key = CheckpointKey::open(&state::ledger_key(arguments.key.as_deref())).map_err(failure)?;
    let made = ledger.checkpoint(&key, jiff::Timestamp::now()).map_err(failure)?;
    print(&format!("{}\n", made.line))?;
    let errors = made.send(&sinks);
    if errors.is_empty() {
        return Ok(Found::Fine);
    }
    ledger.append(&errors.iter().map(not_sent).collect::<Vec<_>>()).map_err(failure)?;
    let all = errors.iter().map(ToString::to_string).collect::<Vec<_>>();
    Err(Failure::environment(all.join("\n")))
}

pub(super) fn retire(arguments: &Retire) -> Result<Found, Failure> {
    let mut ledger = existing(&state::ledger(arguments.ledger.as_deref()))?;
    let upto = match (arguments.upto, arguments.before) {
        (Some(upto), _) => upto,
        (None, Some(time)) => {
            let last = ledger.last_before(time).map_err(failure)?;
            let last = last.map(|last| last.min(ledger.head().map_or(0, |head| head.sequence - 1)));
            match last {
                Some(last) if last > 0 => last,
                Some(_) | None => {
                    print("nothing is that old\n")?;
                    return Ok(Found::Fine);
                }
            }
        }
        (None, None) => return Err(Failure::usage("say which entries: --before TIME or --upto SEQUENCE")),
    };
    let (retired, path) = ledger.retire(upto, &arguments.to).map_err(failure)?;
    print(&format!(
        "retired  entries {} to {}\nfile     {}\nsha256   {}\nhead     {}\n",
        retired.first,
        retired.last,
        path.display(),
        retired.sha256,
        retired.head
    ))?;
    Ok(Found::Fine)
}

/// Opens a ledger that is there: a misspelt path must not make one.
fn existing(path: &std::path::Path) -> Result<Ledger, Failure> {
    if !path.exists() {
        return Err(Failure::environment(format!("there is no ledger at `{}`", path.display())));
    }
    Ledger::open(path).map_err(failure)
}
