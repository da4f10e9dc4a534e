//! `luigi explain`: one request, each rule, each predicate.

use crate::Found;
use crate::args::Explain;
use crate::brought;
use crate::failure::Failure;
use crate::load::Deciding;
use crate::output::{self, Format, print, print_json};
use crate::question::{Asker, Question};
use luigi_core::explain::{Detail, evaluate};
use std::io::Read;

/// More than any token that is read.
const MAX_INPUT_BYTES: u64 = 64 * 1024;

pub(crate) fn run(arguments: &Explain) -> Result<Found, Failure> {
    let asker = match (&arguments.asker, &arguments.token) {
        (Some(asker), _) => asker.clone(),
        (None, Some(token)) if token == "-" => {
            let mut token = String::new();
            let read = std::io::stdin().take(MAX_INPUT_BYTES).read_to_string(&mut token);
            read.map_err(|error| Failure::environment(format!("cannot read standard input: {error}")))?;
            Asker::Token(token.trim().to_owned())
        }
        (None, Some(token)) => Asker::Token(token.clone()),
        (None, None) => Asker::Nobody,
    };
    let asker = match &arguments.via {
        Some(acts) => asker.via(acts.clone()).map_err(Failure::usage)?,
        None => asker,
    };
    let at = arguments.at.unwrap_or_else(luigi_runtime::now);
    let question = Question::new(&arguments.request, asker, arguments.from, at, arguments.grants.clone());
    let (certificate, frontend) = (arguments.certificate.as_ref(), arguments.frontend.as_deref());
    let brought = brought::from_arguments(&arguments.headers, &arguments.facts, certificate, frontend);
    let question = question.and_then(|question| Ok(question.bringing(brought?))).map_err(Failure::usage)?;
    let deciding = Deciding::policy(&arguments.policy, arguments.environment.as_deref(), &arguments.jwks)?;
    let policy = deciding.snapshot().policy();
    let mut prepared = question.prepare(policy, deciding.trust(), None, deciding.stops()).map_err(Failure::usage)?;
    let explanation = evaluate(policy, &prepared.request());
    match arguments.format {
        Format::Human => {
            let detail = if arguments.full { Detail::Full } else { Detail::Concerned };
            print(&output::explanation(&explanation.lines(detail), 0))?;
            if question.is_connect() {
                print(
                    "\nCONNECT lies in no scope, so that no rule allows it. A WebSocket over HTTP/2 or HTTP/3 is a `GET` with `--header 'Upgrade: websocket'` here.\n",
                )?;
            }
        }
        Format::Json => print_json(&explanation)?,
    }
    Ok(Found::Fine)
}
