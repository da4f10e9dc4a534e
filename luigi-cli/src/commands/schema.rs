//! `luigi schema`: the JSON Schema of policy files, or of the daemon's configuration.

use crate::Found;
use crate::args::Schema;
use crate::failure::Failure;
use crate::{output, schema};

pub(crate) fn run(arguments: &Schema) -> Result<Found, Failure> {
    output::print(if arguments.config { schema::CONFIG_TEXT } else { schema::TEXT })?;
    Ok(Found::Fine)
}
