//! `luigi completions`: what a shell needs to complete the command line.

use crate::Found;
use crate::args::{Cli, Completions};
use crate::failure::Failure;
use crate::output::print;
use clap::CommandFactory;

pub(crate) fn run(arguments: &Completions) -> Result<Found, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "luigi", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(Found::Fine)
}
