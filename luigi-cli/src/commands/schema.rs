//! `luigi schema`: the JSON Schema of policy files.

use crate::Found;
use crate::failure::Failure;
use crate::{output, schema};

pub(crate) fn run() -> Result<Found, Failure> {
    output::print(schema::TEXT)?;
    Ok(Found::Fine)
}
