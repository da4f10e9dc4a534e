//! The response line: how HAProxy tells Luigi how a privileged request ended, in one string.
//!
//! HAProxy builds it with [`EXPRESSION`] when the response is at hand; [`parse`] takes it apart.
//!
//! ```text
//! 502 0f6c1d2e3a4b5c6d0000000000000007 billing        status, evaluation id, backend
//! ```

use crate::evaluation_id::EvaluationId;

/// The format for `http-after-response set-var-fmt`, without the quotes around it.
pub const EXPRESSION: &str = "%[status] %[var(txn.luigi.out),field(15,|)] %[be_name]";

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// The evaluation of the request.
    pub evaluation: EvaluationId,
    /// The status that the client gets.
    pub status: u16,
    /// The name of the backend, or of the frontend that answered by itself.
    pub backend: &'a [u8],
}

/// Takes a line apart; `None` if it is none.
///
/// # Examples
///
/// ```
/// let line = b"502 0f6c1d2e3a4b5c6d0000000000000007 billing";
/// let response = luigi_runtime::response_line::parse(line).unwrap();
/// assert_eq!((response.status, response.backend), (502, &b"billing"[..]));
/// ```
#[must_use]
pub fn parse(line: &[u8]) -> Option<Response<'_>> {
    let mut fields = line.splitn(3, |byte| *byte == b' ');
    let (status, evaluation, backend) = (fields.next()?, fields.next()?, fields.next()?);
    let digits = status.len() == 3 && status.iter().all(u8::is_ascii_digit);
    let status = std::str::from_utf8(status).ok().filter(|_| digits)?.parse().ok()?;
    Some(Response { evaluation: EvaluationId::parse(evaluation)?, status, backend })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer_line::Field;

    #[test]
    fn what_is_no_response_line_is_not_taken_for_one() {
        let id = "0f6c1d2e3a4b5c6d0000000000000007";
        for line in ["", "200", "200 0 a", "2000 {id} a", " 200 {id} a", "+20 {id} a", "200 {id}", "200  {id} a"] {
            assert_eq!(parse(line.replace("{id}", id).as_bytes()), None, "{line}");
        }
        let nameless = format!("200 {id} ");
        assert_eq!(parse(nameless.as_bytes()).unwrap().backend, b"");
    }

    #[test]
    fn the_expression_takes_the_evaluation() {
        assert!(EXPRESSION.contains(&format!("field({},|)", Field::Evaluation.number())));
    }
}
