//! The command line of Luigi: check, test and explain policies, apply them, see what is in force.
//!
//! This file takes the arguments apart and turns what a command returns into an exit code; each command has a file of its own in
//! `commands/`. What a command does lives in the crates below, here is only what a terminal needs.

#![forbid(unsafe_code)]

mod args;
mod brought;
mod commands;
mod differences;
mod failure;
mod files;
mod language_server;
mod layout;
mod load;
mod openapi;
mod output;
mod question;
mod schema;
mod state;

use args::{Cli, Command};
use clap::Parser;
use failure::Failure;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli.color.apply();
    let result = match cli.command {
        Command::Check(arguments) => commands::check::run(&arguments),
        Command::Test(arguments) => commands::test::run(&arguments),
        Command::Explain(arguments) => commands::explain::run(&arguments),
        Command::Decide(arguments) => commands::decide::run(&arguments),
        Command::Diff(arguments) => commands::diff::run(&arguments),
        Command::WhoCan(arguments) => commands::who_can::run(&arguments),
        Command::WhatCan(arguments) => commands::what_can::run(&arguments),
        Command::Apply(arguments) => commands::apply::run(&arguments),
        Command::Changes(arguments) => commands::changes::run(&arguments),
        Command::Status(arguments) => commands::status::run(&arguments),
        Command::Serve(arguments) => commands::serve::run(&arguments),
        Command::Stop(arguments) => commands::stops::stop(&arguments),
        Command::Stops(arguments) => commands::stops::list(&arguments),
        Command::Unstop(arguments) => commands::stops::unstop(&arguments),
        Command::Audit(arguments) => commands::audit::run(&arguments),
        Command::HaproxyConfig(arguments) => commands::haproxy_config::run(&arguments),
        Command::Fmt(arguments) => commands::fmt::run(&arguments),
        Command::Scopes(arguments) => commands::scopes::run(&arguments),
        Command::LanguageServer => commands::language_server::run(),
        Command::Schema(arguments) => commands::schema::run(&arguments),
        Command::Completions(arguments) => commands::completions::run(&arguments),
        Command::Man(arguments) => commands::man::run(&arguments),
    };
    match result {
        Ok(found) => found.into(),
        Err(failure) => failure.report(),
    }
}

/// What a command found, if it could do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// Everything is fine.
    Fine,
    /// The policy, its tests or an input has problems; they are on standard output.
    Problems,
    /// A file is not there, or may not be read; that is on standard output, with whatever else was found.
    Missing,
    /// Policies differ, and the command line asked for an exit code that says so.
    Differences,
}

impl Found {
    /// Problems, if there are any in either.
    fn and(self, other: Self) -> Self {
        match self {
            Self::Fine => other,
            Self::Problems | Self::Missing | Self::Differences => self,
        }
    }
}

impl From<Found> for ExitCode {
    fn from(found: Found) -> Self {
        match found {
            Found::Fine => Self::SUCCESS,
            Found::Problems => Self::from(Failure::PROBLEMS),
            Found::Missing => Self::from(Failure::ENVIRONMENT),
            Found::Differences => Self::from(Failure::DIFFERENCES),
        }
    }
}
