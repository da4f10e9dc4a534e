//! `luigi serve`: the daemon, from a configuration file to its end.

use crate::Found;
use crate::args::Serve;
use crate::failure::Failure;
use crate::{load, output};
use luigi_core::daemon_config::{LogFormat, LogLevel, LogSettings};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tracing_subscriber::filter::LevelFilter;

pub(crate) fn run(arguments: &Serve) -> Result<Found, Failure> {
    let (sources, (config, problems)) = load::daemon_config(&arguments.config)?;
    let config = config.ok_or_else(|| Failure::Problems(output::diagnostics(&problems, &sources)))?;
    log_as(config.log);
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .map_err(|error| Failure::environment(format!("cannot listen to signals: {error}")))?;
    }
    luigi_workflow::serve::run(&config, &stop).map_err(Failure::environment)?;
    Ok(Found::Fine)
}

fn log_as(settings: LogSettings) {
    let level = match settings.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let log = tracing_subscriber::fmt().with_max_level(level).with_target(false).with_writer(std::io::stderr);
    // Nobody else has set one: this is the only command that logs.
    match settings.format {
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}
