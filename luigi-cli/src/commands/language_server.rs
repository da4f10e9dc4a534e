//! `luigi language-server`: for editors.

use crate::Found;
use crate::failure::Failure;
use crate::language_server::{self, Ended};

pub(crate) fn run() -> Result<Found, Failure> {
    match language_server::run() {
        Ok(Ended::InOrder) => Ok(Found::Fine),
        // As the protocol has it: 1 without `shutdown` before.
        Ok(Ended::Otherwise) => Ok(Found::Problems),
        Err(error) => Err(Failure::environment(format!("cannot read standard input: {error}"))),
    }
}
