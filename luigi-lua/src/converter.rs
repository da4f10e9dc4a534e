//! From a line of facts to an answer, for one Lua state.
//!
//! This is what every request goes through. It knows nothing of Lua: bytes in, bytes out.

use luigi_runtime::reply::{self, Reply};
use luigi_runtime::{Context, Engine, answer_line, facts, response_line};

/// What one Lua state needs to answer requests.
pub(crate) struct Converter {
    context: Context,
    answer: String,
}

/// What a line of facts led to.
#[cfg_attr(not(feature = "faults"), allow(dead_code, reason = "only a fault is anything but an answer"))]
pub(crate) enum Converted<'a> {
    /// The answer.
    Answer(&'a [u8]),
    /// Nothing is returned to Lua.
    Nothing,
    /// An error is raised in Lua.
    Error,
}

impl Converter {
    pub(crate) fn new(engine: &Engine) -> Self {
        Self { context: engine.context(), answer: String::with_capacity(answer_line::MAX_BYTES) }
    }

    /// Answers one request. Allocates nothing where the engine does not.
    pub(crate) fn convert(&mut self, line: &[u8]) -> Converted<'_> {
        #[cfg(feature = "faults")]
        if let Some(fault) = crate::faults::asked_for(line) {
            return fault.happen();
        }
        let now = luigi_runtime::now();
        let answer = match facts::parse(line) {
            Ok(facts) => self.context.evaluate(&facts, now),
            Err(malformed) => self.context.evaluate_malformed(malformed, now),
        };
        answer_line::write_into(&answer, &mut self.answer);
        Converted::Answer(self.answer.as_bytes())
    }

    /// What the caller of a refused request is sent: `line` and `answer` are what [`convert`](Self::convert) got and gave.
    ///
    /// # Errors
    /// If `answer` is none.
    pub(crate) fn refusal(&mut self, line: &[u8], answer: &[u8], accept: Option<&[u8]>) -> Result<Reply, String> {
        let id = answer_line::evaluation(answer).ok_or("there is no answer that a refusal could be made of")?;
        let now = luigi_runtime::now();
        let facts = facts::parse(line);
        let told = facts.as_ref().map_err(|malformed| *malformed);
        let answer = if answer_line::is_unrecorded(answer) {
            self.context.review_unrecorded(id, told, now)
        } else {
            self.context.review(id, told, now)
        };
        Ok(reply::render(&answer, facts.as_ref().ok(), accept, now))
    }

    /// Records how a request ended, as `line` says.
    ///
    /// # Errors
    /// If `line` does not say it.
    pub(crate) fn response(&mut self, line: &[u8]) -> Result<(), String> {
        let response = response_line::parse(line).ok_or("the line about a response has another form")?;
        self.context.record_response(response.evaluation, response.status, response.backend);
        Ok(())
    }

    /// Lets go of a version that is no longer in force, in case no request comes.
    pub(crate) fn refresh(&mut self) {
        self.context.refresh();
    }
}
