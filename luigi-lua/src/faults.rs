//! Failures that a request can ask for by its path, so that tests can show what HAProxy does then. Only built with the feature `faults`.

use crate::converter::Converted;

/// A way to fail.
#[derive(Clone, Copy)]
pub(crate) enum Fault {
    Panic,
    Error,
    Nothing,
    Garbage,
    Empty,
}

impl Fault {
    const ALL: [(&'static [u8], Self); 5] = [
        (b"/luigi-fault/panic", Self::Panic),
        (b"/luigi-fault/error", Self::Error),
        (b"/luigi-fault/nothing", Self::Nothing),
        (b"/luigi-fault/garbage", Self::Garbage),
        (b"/luigi-fault/empty", Self::Empty),
    ];

    pub(crate) fn happen(self) -> Converted<'static> {
        match self {
            Self::Panic => panic!("a request asked for this"),
            Self::Error => Converted::Error,
            Self::Nothing => Converted::Nothing,
            Self::Garbage => Converted::Answer(b"luigi1 passable\nallow"),
            Self::Empty => Converted::Answer(b""),
        }
    }
}

/// The fault that the path in a line of facts asks for.
pub(crate) fn asked_for(line: &[u8]) -> Option<Fault> {
    Fault::ALL.iter().find(|(marker, _)| line.windows(marker.len()).any(|at| at == *marker)).map(|(_, fault)| *fault)
}
