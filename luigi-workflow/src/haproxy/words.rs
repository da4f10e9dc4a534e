//! A line of HAProxy's configuration, taken apart into words by HAProxy's rules (section 2.2 of its manual).
//!
//! Words end at space. `"` and `'` quote, `\` escapes (not between `'`), `#` begins a comment. A line ends where it ends: HAProxy has no way to go on
//! with one in the next. Variables of the environment are left as they are written, since nobody knows here what they hold.

use std::ops::Range;

/// A word: what HAProxy takes it for, and the bytes of the text that it stands in, quotes included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) place: Range<usize>,
}

/// The words of one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) words: Vec<Word>,
    /// The comment, from its `#` on.
    pub(super) comment: Option<Range<usize>>,
    /// A quote that nothing closes.
    pub(super) unclosed: Option<Range<usize>>,
}

/// Takes the line at `place` of a text apart. Never panics as long as the place lies between characters.
pub(super) fn words(text: &str, place: Range<usize>) -> Words {
    let line = &text[place.clone()];
    let mut found = Words::default();
    let mut word: Option<Word> = None;
    let mut quote: Option<(char, usize)> = None;
    let mut chars = line.char_indices().peekable();
    while let Some((offset, c)) = chars.next() {
        let at = place.start + offset;
        let open = quote.map(|(open, _)| open);
        match (open, c) {
            (None, '#') => {
                found.comment = Some(at..place.end);
                break;
            }
            (None, ' ' | '\t' | '\r' | '\x0b' | '\x0c') => {
                found.words.extend(word.take());
                continue;
            }
            _ => {}
        }
        let word = word.get_or_insert_with(|| Word { text: String::new(), place: at..at });
        match (open, c) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (None, '"' | '\'') => quote = Some((c, at)),
            (None | Some('"'), '\\') => {
                let (meant, length) = escape(&line[offset..]);
                word.text.push(meant);
                chars.by_ref().take(length - 1).for_each(drop);
            }
            _ => word.text.push(c),
        }
        word.place.end = chars.peek().map_or(place.end, |(next, _)| place.start + next);
    }
    found.words.extend(word);
    found.unclosed = quote.map(|(_, at)| at..place.end);
    found
}

/// What the escape at the beginning of a text means, and how many characters it has. What is no escape is a backslash.
fn escape(text: &str) -> (char, usize) {
    match text.as_bytes().get(1) {
        Some(b'n') => ('\n', 2),
        Some(b'r') => ('\r', 2),
        Some(b't') => ('\t', 2),
        Some(same @ (b' ' | b'#' | b'\\' | b'"' | b'\'' | b'$')) => (char::from(*same), 2),
        Some(b'x') => match text.get(2..4).map(|digits| u8::from_str_radix(digits, 16)) {
            // A sign is no digit.
            Some(Ok(byte)) if !text[2..].starts_with('+') => (char::from(byte), 4),
            _ => ('\\', 1),
        },
        _ => ('\\', 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: &str) -> Vec<String> {
        words(line, 0..line.len()).words.into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn words_are_those_of_haproxy() {
        for (line, expected) in [
            ("", &[][..]),
            ("  a\t b \r", &["a", "b"]),
            ("a#b c", &["a"]),
            (r"a\#b c", &["a#b", "c"]),
            (r#"a "b c"d\ e 'f\n"g'h"#, &["a", "b cd e", r#"f\n"gh"#]),
            (r#""a\nb\t\"\$\x41\\" ''"#, &["a\nb\t\"$A\\", ""]),
            (r#""it's" 'say "x"' \'"#, &["it's", "say \"x\"", "'"]),
            (r"^a\.b\d$ x\", &[r"^a\.b\d$", "x\\"]),
            (r"\x4 \xzz", &["\\x4", "\\xzz"]),
            ("\"${HOME}/x\" ü#", &["${HOME}/x", "ü"]),
        ] {
            assert_eq!(texts(line), expected, "{line}");
        }
    }

    #[test]
    fn places_have_the_quotes_and_comments_and_open_quotes_are_found() {
        let line = "  acl a \"b c\"d # why";
        let found = words(line, 0..line.len());
        assert_eq!(
            found.words.iter().map(|word| &line[word.place.clone()]).collect::<Vec<_>>(),
            ["acl", "a", "\"b c\"d"]
        );
        assert_eq!(&line[found.comment.unwrap()], "# why");
        assert_eq!(found.unclosed, None);
        let line = "a \"b # c";
        let found = words(line, 0..line.len());
        assert_eq!((found.unclosed, found.comment), (Some(2..line.len()), None));
        assert_eq!(found.words.last().unwrap().text, "b # c");
    }
}
