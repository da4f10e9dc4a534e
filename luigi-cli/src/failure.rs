//! Why a command could not do its work, and the exit codes.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | fine |
//! | 1 | the policy, its tests or an input has problems |
//! | 2 | the command line is wrong |
//! | 3 | the environment is: a file that cannot be read, a feed that cannot be written, a process that does not answer |
//! | 4 | policies differ, if `--exit-code` asked for it |

use anstream::eprintln;
use anstyle::{AnsiColor, Style};
use std::fmt::Display;
use std::io;
use std::process::ExitCode;

/// Why a command could not do its work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The policy or an input is at fault; the text is ready to print.
    Problems(String),
    /// The command line is wrong in a way that the parser of arguments cannot see.
    Usage(String),
    /// A file, directory or process is at fault.
    Environment(String),
    /// Whoever read standard output has gone: no reason to complain.
    OutputClosed,
}

impl Failure {
    /// The exit code for problems of a policy or an input.
    pub(crate) const PROBLEMS: u8 = 1;
    /// The exit code for policies that differ: none of those that a command has for what went wrong.
    pub(crate) const DIFFERENCES: u8 = 4;
    const USAGE: u8 = 2;
    /// The exit code for a file that cannot be read, and the like.
    pub(crate) const ENVIRONMENT: u8 = 3;

    /// A wrong command line.
    pub(crate) fn usage(message: impl Display) -> Self {
        Self::Usage(message.to_string())
    }

    /// Something outside is at fault.
    pub(crate) fn environment(message: impl Display) -> Self {
        Self::Environment(message.to_string())
    }

    /// Says what is wrong on standard error and gives the exit code for it.
    pub(crate) fn report(self) -> ExitCode {
        const ERROR: Style = AnsiColor::Red.on_default().bold();
        let (code, message) = match self {
            Self::Problems(text) => {
                anstream::eprint!("{text}");
                return ExitCode::from(Self::PROBLEMS);
            }
            Self::OutputClosed => return ExitCode::SUCCESS,
            Self::Usage(message) => (Self::USAGE, message),
            Self::Environment(message) => (Self::ENVIRONMENT, message),
        };
        eprintln!("{ERROR}error{ERROR:#}: {message}");
        ExitCode::from(code)
    }
}

/// For writing to standard output: the only stream whose errors are turned into a failure without saying more.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::OutputClosed
        } else {
            Self::Environment(format!("cannot write to standard output: {error}"))
        }
    }
}
