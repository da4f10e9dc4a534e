//! `luigi language-server`: for editors.

use crate::failure::Failure;
use crate::{Found, language_server};

pub(crate) fn run() -> Result<Found, Failure> {
    language_server::run().map_err(Failure::environment)?;
    Ok(Found::Fine)
}
