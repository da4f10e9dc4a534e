//! Failures that a program can ask for by the environment variable `LUIGI_FAULT`, so that tests show what C is told then. They happen only with the feature `faults`,
//! which no installation has; without it nothing here is left in the library.

/// What is to fail, and the word for it.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "faults"), allow(dead_code, reason = "nothing fails on demand without the feature"))]
pub(crate) enum Fault {
    /// `call`: every function panics as it begins.
    Call,
    /// `evaluation`: a decision panics while rules are evaluated.
    Evaluation,
    /// `delivery`: a decision panics when it is made and not yet handed over.
    Delivery,
    /// `handles`: there is no room for another handle.
    Handles,
    /// `thread`: the system starts no thread.
    Thread,
}

#[cfg(feature = "faults")]
impl Fault {
    fn word(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Evaluation => "evaluation",
            Self::Delivery => "delivery",
            Self::Handles => "handles",
            Self::Thread => "thread",
        }
    }

    /// Whether the program asks for it now.
    pub(crate) fn is_asked_for(self) -> bool {
        std::env::var_os("LUIGI_FAULT").is_some_and(|asked| asked == self.word())
    }
}

#[cfg(not(feature = "faults"))]
impl Fault {
    /// Nothing is ever asked for.
    #[inline]
    #[allow(clippy::unused_self, reason = "as with the feature")]
    pub(crate) fn is_asked_for(self) -> bool {
        false
    }
}

/// Panics if the program asks for it.
#[inline]
pub(crate) fn panic_at(fault: Fault) {
    assert!(!fault.is_asked_for(), "a test asked for this");
}
