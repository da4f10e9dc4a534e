//! `make demo`: a shop behind a real HAProxy with the real module, real requests, and what came out and why.
//!
//! It uses what users use: the command `luigi`, the lines that `luigi haproxy-config` prints, the module as it is installed. Every word about a
//! request is taken from its response; every expectation is compared, and a surprise makes the exit code 1. Whatever is started is stopped at the
//! end, also after an error, a panic or Ctrl-C. Nothing is built here: the Makefile does that, and says where the results are.

#![forbid(unsafe_code)]

mod keep;
mod load;
mod page;
mod people;
mod record;
mod requests;
mod scene;
mod story;

use page::Page;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const USAGE: &str = "usage: luigi-demo --luigi COMMAND --home FOLDER [--keep]
  --luigi COMMAND  the command `luigi`
  --home FOLDER    the glue and the modules, as `make install` lays them out
  --keep           leave everything running in the end, until Ctrl-C";

/// Where the parts are, and what to do in the end.
struct Arguments {
    luigi: PathBuf,
    home: PathBuf,
    keep: bool,
}

/// Why the demo ended before its end.
#[derive(Debug)]
enum Trouble {
    /// Somebody pressed Ctrl-C, or the terminal is gone.
    Interrupted,
    /// Something that must work does not.
    Failed(String),
}

impl Trouble {
    fn failed(what: impl std::fmt::Display) -> Self {
        Self::Failed(what.to_string())
    }
}

/// Set once somebody wants the demo to end.
#[derive(Clone, Debug)]
struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    fn listen() -> std::io::Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&flag))?;
        }
        Ok(Self(flag))
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// To be asked between the steps; each of them is short.
    fn check(&self) -> Result<(), Trouble> {
        if self.is_set() { Err(Trouble::Interrupted) } else { Ok(()) }
    }
}

fn main() -> ExitCode {
    let Some(arguments) = arguments() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let interrupt = Interrupt::listen().expect("signals can be listened to");
    let mut page = Page::new();
    let result = story::tell(&arguments, &interrupt, &mut page);
    // Whatever went wrong after Ctrl-C went wrong because of it.
    match result {
        Err(_) if interrupt.is_set() => {
            page.say("Interrupted; everything is stopped.");
            ExitCode::from(130)
        }
        Err(Trouble::Interrupted) => ExitCode::from(130),
        Err(Trouble::Failed(why)) => {
            page.failure(&why);
            ExitCode::FAILURE
        }
        Ok(()) if page.surprises().is_empty() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
    }
}

fn arguments() -> Option<Arguments> {
    let (mut luigi, mut home, mut keep) = (None, None, false);
    let mut words = std::env::args_os().skip(1);
    while let Some(word) = words.next() {
        match word.to_str()? {
            "--luigi" => luigi = Some(std::path::absolute(words.next()?).ok()?),
            "--home" => home = Some(std::path::absolute(words.next()?).ok()?),
            "--keep" => keep = true,
            _ => return None,
        }
    }
    Some(Arguments { luigi: luigi?, home: home?, keep })
}
