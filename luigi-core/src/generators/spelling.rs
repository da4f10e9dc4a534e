//! Tricks by which a path can be written in another way, and what must come of each.
//!
//! One table for the property tests of canonical forms and for the attacks on a real HAProxy. Whether a trick does come to what it says is the
//! tests' to find out; nothing here looks at a canonical form.

/// Whether letters of paths have case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paths {
    /// They have.
    AsEverywhere,
    /// They have none: `paths = "ignore-case"`.
    IgnoreCase,
}

/// What must come of a trick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Comes {
    /// It is decided as the plain path is.
    Same,
    /// It is another path, and decided as that.
    Other,
    /// It is refused, whatever else is in the target.
    Refused,
}
use Comes::{Other, Refused, Same};

/// Ways to write one character of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Letter {
    /// As it is, or in an escape if it cannot stand in a path.
    Plain,
    /// As an escape in lower case.
    Lower,
    /// As an escape in upper case.
    Upper,
    /// An escape of an escape: `%25c3`.
    Twice,
    /// The same in upper case.
    TwiceUpper,
    /// An escape of an escape of an escape.
    Thrice,
    /// An escape with its digits in escapes: `%%36%31`.
    DigitsEncoded,
    /// UTF-8 in two bytes for what takes one.
    Overlong2,
    /// In three.
    Overlong3,
    /// In four.
    Overlong4,
    /// IIS's `%u0061`.
    IisU,
    /// The same behind an encoded percent sign.
    IisUTwice,
    /// A letter of the other case.
    OtherCase,
    /// The same as an escape.
    OtherCaseEscaped,
    /// The full-width form in escapes.
    FullWidth,
    /// The full-width form in raw bytes.
    FullWidthRaw,
}

impl Letter {
    /// Every way.
    pub const ALL: [Self; 16] = [
        Self::Plain,
        Self::Lower,
        Self::Upper,
        Self::Twice,
        Self::TwiceUpper,
        Self::Thrice,
        Self::DigitsEncoded,
        Self::Overlong2,
        Self::Overlong3,
        Self::Overlong4,
        Self::IisU,
        Self::IisUTwice,
        Self::OtherCase,
        Self::OtherCaseEscaped,
        Self::FullWidth,
        Self::FullWidthRaw,
    ];

    /// The character written in this way, and what comes of that; in the plain way if this one does not exist for it.
    #[must_use]
    pub fn write(self, character: char, paths: Paths) -> (String, Comes) {
        let (ascii, code) = (character.is_ascii(), u32::from(character));
        let escapes = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        let escaped = escapes(&character.to_string());
        let other_case = if character.is_ascii_lowercase() {
            character.to_ascii_uppercase()
        } else {
            character.to_ascii_lowercase()
        };
        let case = if paths == Paths::IgnoreCase { Same } else { Other };
        match self {
            Self::Upper => (escaped, Same),
            Self::Lower => (escaped.to_lowercase(), Same),
            Self::Twice => (escaped.to_lowercase().replace('%', "%25"), Refused),
            Self::TwiceUpper => (escaped.replace('%', "%25"), Refused),
            Self::Thrice => (escaped.replace('%', "%2525"), Refused),
            Self::DigitsEncoded => {
                let digits = |digit: char| if digit == '%' { "%".to_owned() } else { escapes(&digit.to_string()) };
                (escaped.chars().map(digits).collect(), Refused)
            }
            Self::Overlong2 if ascii => (format!("%{:02x}%{:02x}", 0xC0 | code >> 6, 0x80 | code & 0x3F), Refused),
            Self::Overlong3 if ascii => (format!("%e0%{:02x}%{:02x}", 0x80 | code >> 6, 0x80 | code & 0x3F), Refused),
            Self::Overlong4 if ascii => {
                (format!("%f0%80%{:02x}%{:02x}", 0x80 | code >> 6, 0x80 | code & 0x3F), Refused)
            }
            Self::IisU => (format!("%u{code:04x}"), Refused),
            Self::IisUTwice => (format!("%25u{code:04X}"), Refused),
            Self::OtherCase if other_case != character => (other_case.to_string(), case),
            Self::OtherCaseEscaped if other_case != character => (escapes(&other_case.to_string()), case),
            Self::FullWidth if ascii && code > 0x20 => (escapes(&full_width(character)), Other),
            Self::FullWidthRaw if ascii && code > 0x20 => (full_width(character), Refused),
            // What is left is the plain way.
            _ if matches!(character, '?' | '#' | ' ') || !ascii => (escaped, Same),
            _ => (character.to_string(), Same),
        }
    }
}

fn full_width(character: char) -> String {
    char::from_u32(u32::from(character) + 0xFEE0)
        .map(String::from)
        .expect("a printable character has a full-width form")
}

/// What stands between two segments instead of `/`, and what comes of it.
pub const SEPARATORS: &[(&str, Comes)] = &[
    ("/", Same),
    ("/./", Same),
    ("/%2e/", Same),
    ("/%2E/./", Same),
    ("/x/../", Same),
    ("/x/%2e%2E/", Same),
    ("/x/.%2e/", Same),
    ("/x/y/../../", Same),
    ("/x/./../", Same),
    ("/./x/.././", Same),
    ("/%78/../", Same),
    ("/x//../", Refused),
    ("//./", Refused),
    ("/.//", Refused),
    ("//../", Refused),
    ("/x//y/../../", Refused),
    ("/../../../../../../", Refused),
    ("%2f", Refused),
    ("%2F", Refused),
    ("/%2f", Refused),
    ("%252f", Refused),
    ("\\", Refused),
    ("/\\", Refused),
    ("%5c", Refused),
    ("%255C", Refused),
    ("/x\\..\\", Refused),
    ("/x%5c..%5c", Refused),
    ("/x%2f..%2f", Refused),
    ("/x/..%2f", Refused),
    ("/x/%252e%252e/", Refused),
    ("/x/..;/", Refused),
    ("/x/..;a=b/", Refused),
    ("/x/..%3b/", Refused),
    ("/x/%2e%2e;/", Refused),
    ("/;/", Refused),
    ("/.;/", Refused),
    ("/;x=1/../", Refused),
    ("/x/%c0%ae%c0%ae/", Refused),
    ("/x/%c0%2e%c0%2e/", Refused),
    ("%c0%af", Refused),
    ("%e0%80%af", Refused),
    ("%u2215", Refused),
    ("%u002f", Refused),
    ("/x/%u002e%u002e/", Refused),
    ("/%00/", Refused),
    ("/x/..%00/", Refused),
    ("/x/..%0d/", Refused),
    ("/x/..%09/", Refused),
    ("/\t/", Refused),
    ("／", Refused),
    ("%EF%BC%8F", Other),
    ("/x/%EF%BC%8E%EF%BC%8E/", Other),
    ("/x/.../", Other),
    ("/x/.. ./", Refused),
    ("/x/..%20/", Other),
];

/// What stands behind a segment that is not there in the plain path, and what comes of it.
pub const SUFFIXES: &[(&str, Comes)] = &[
    ("", Same),
    (";", Refused),
    (";x=1", Refused),
    (";.css", Refused),
    ("%3b", Refused),
    ("%3Bx", Refused),
    ("%00", Refused),
    ("%00.css", Refused),
    ("\0", Refused),
    ("%0a", Refused),
    ("%0d%0a", Refused),
    ("%7f", Refused),
    ("%c2%85", Refused),
    ("\t", Refused),
    (" ", Refused),
    ("%", Refused),
    ("%zz", Refused),
    ("%6", Refused),
    ("%ff", Refused),
    ("%c3", Refused),
    ("#", Refused),
    ("#/x", Refused),
    ("\\", Refused),
    (".", Other),
    ("%2e", Other),
    ("%20", Other),
    ("+", Other),
    ("::$DATA", Other),
    ("::$INDEX_ALLOCATION", Other),
    ("%23", Other),
    ("%3F", Other),
    ("%CC%81", Other),
    (":", Other),
];

/// What stands behind a path, and what comes of it.
pub const ENDS: &[(&str, Comes)] = &[
    ("", Same),
    ("/", Same),
    ("//", Same),
    ("/.", Same),
    ("/./", Same),
    ("/%2e", Same),
    ("/x/..", Same),
    ("/x/%2E%2e/", Same),
    ("?", Same),
    ("?x=/../..", Same),
    ("?;/admin", Same),
    ("?a#b", Refused),
    ("/;", Refused),
    ("/..;/", Refused),
    ("%2f", Refused),
    ("/%2e%2e%2f", Refused),
];
