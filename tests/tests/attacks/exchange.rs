//! Sends an attack, byte for byte, and reads all that comes back.

use crate::estate::MARK;
use crate::http2;
use luigi_tests::upstream::find;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// What is spoken with HAProxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    Http1,
    Http2,
}

/// Everything that came back for an attack.
#[derive(Debug)]
pub(crate) struct Answer {
    bytes: Vec<u8>,
    wire: Wire,
}

/// Who had the last word about an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// HAProxy refused it before any rule, by an answer of its own or by closing the connection.
    Haproxy,
    /// Luigi refused it before the rules.
    Luigi,
    /// The rules denied it: it was taken for what it is.
    Rules,
    /// A server answered.
    Passed,
}

/// Reasons of Luigi's that come before the rules.
const BEFORE_RULES: [&str; 5] =
    ["ambiguous-target", "malformed-facts", "ambiguous-credential", "method-override", "deferred"];

/// Sends these bytes on a connection of their own.
pub(crate) fn exchange(socket: &Path, wire: Wire, bytes: &[u8]) -> Answer {
    let mut stream = UnixStream::connect(socket).expect("HAProxy listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
    // Whoever refuses a request early may close before the last byte: what counts is the answer.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    match wire {
        Wire::Http1 => {
            // That nothing will follow ends what is left open, and the connection after the last answer.
            let _ = stream.shutdown(Shutdown::Write);
            let _ = stream.read_to_end(&mut answer);
        }
        Wire::Http2 => http2::read_answer(&mut stream, &mut answer),
    }
    Answer { bytes: answer, wire }
}

impl Answer {
    /// Whether it holds what nobody may see.
    pub(crate) fn has_mark(&self) -> bool {
        self.has(MARK)
    }

    fn has(&self, text: &str) -> bool {
        find(&self.bytes, text.as_bytes()).is_some()
    }

    /// Who had the last word.
    pub(crate) fn end(&self) -> End {
        if self.has("application/problem+json") {
            let early = BEFORE_RULES.iter().any(|reason| self.has(&format!("\"{reason}\"")));
            // An answer to HEAD has no body that could tell; what is refused before the rules is answered 400.
            let bad_request = match self.wire {
                Wire::Http1 => self.has("HTTP/1.1 400 "),
                Wire::Http2 => false,
            };
            return if early || bad_request { End::Luigi } else { End::Rules };
        }
        let server = ["server: nginx", "server: Apache", "server: strict", "server: lenient", "server: internal"]
            .iter()
            .any(|it| self.has(it));
        let in_http2 = ["nginx/", "Apache/", "strict", "lenient", "internal"].iter().any(|it| self.has(it));
        // A server that closes the connection without a word was asked, too.
        let no_answer = ["HTTP/1.1 502", "HTTP/1.1 504"].iter().any(|it| self.has(it));
        let passed = match self.wire {
            Wire::Http1 => server || no_answer,
            Wire::Http2 => in_http2 || self.has("502 Bad Gateway") || self.has("504 Gateway"),
        };
        if passed { End::Passed } else { End::Haproxy }
    }

    /// What came back, for messages.
    pub(crate) fn shown(&self) -> String {
        self.bytes.escape_ascii().to_string()
    }
}
