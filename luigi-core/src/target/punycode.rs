//! A-labels (`xn--`): whether what follows stands for a name beyond ASCII, as RFC 3492 encodes it.
//!
//! A label that does not is the same to nobody: `xn--admin-` is `admin` to a server that decodes hosts, and a name of its own to one that does not. Only
//! that is found out here, without room for the name: code points come in ascending order, so that each is known without those before it. Which code points a
//! registry lets people use (RFC 5892) is deliberately not looked at, but for those that stand for ASCII or for a dot to software that maps before it compares.

/// How an A-label begins.
const PREFIX: &[u8] = b"xn--";

/// Whether a label, in whatever case, is no A-label at all or a sound one.
pub(super) fn is_sound(label: &[u8]) -> bool {
    let Some((prefix, encoded)) = label.split_at_checked(PREFIX.len()) else { return true };
    !prefix.eq_ignore_ascii_case(PREFIX) || stands_for_a_name(encoded)
}

/// RFC 3492, section 6.2, with the parameters of section 5.
fn stands_for_a_name(encoded: &[u8]) -> bool {
    const BASE: u32 = 36;
    const T_MIN: u32 = 1;
    const T_MAX: u32 = 26;
    let (basic, mut rest) = match encoded.iter().rposition(|byte| *byte == b'-') {
        // Nothing before the hyphen: some take it for a digit, some for nothing.
        Some(0) => return false,
        Some(at) => (at, &encoded[at + 1..]),
        None => (0, encoded),
    };
    if rest.is_empty() {
        return false;
    }
    // A label has at most 63 bytes, so this does not wrap.
    let mut length = u32::try_from(basic).unwrap_or(u32::MAX - 64);
    let (mut code_point, mut place, mut bias) = (128_u32, 0_u32, 72_u32);
    while !rest.is_empty() {
        let (before, mut weight, mut k) = (place, 1_u32, BASE);
        loop {
            let Some((digit, behind)) = rest.split_first().and_then(|(byte, behind)| Some((value(*byte)?, behind)))
            else {
                return false;
            };
            rest = behind;
            let Some(further) = digit.checked_mul(weight).and_then(|more| place.checked_add(more)) else {
                return false;
            };
            place = further;
            let threshold = k.saturating_sub(bias).clamp(T_MIN, T_MAX);
            if digit < threshold {
                break;
            }
            let Some(heavier) = weight.checked_mul(BASE - threshold) else { return false };
            weight = heavier;
            k += BASE;
        }
        length += 1;
        bias = adapted(place - before, length, before == 0);
        let Some(next) = code_point.checked_add(place / length) else { return false };
        code_point = next;
        place = place % length + 1;
        if !char::from_u32(code_point).is_some_and(is_of_a_name) {
            return false;
        }
    }
    true
}

/// Section 6.1.
fn adapted(delta: u32, length: u32, is_first: bool) -> u32 {
    let mut delta = if is_first { delta / 700 } else { delta / 2 };
    delta += delta / length;
    let mut k = 0;
    while delta > 35 * 26 / 2 {
        delta /= 35;
        k += 36;
    }
    k + 36 * delta / (delta + 38)
}

fn value(digit: u8) -> Option<u32> {
    match digit {
        b'a'..=b'z' => Some(u32::from(digit - b'a')),
        b'A'..=b'Z' => Some(u32::from(digit - b'A')),
        b'0'..=b'9' => Some(u32::from(digit - b'0') + 26),
        _ => None,
    }
}

/// Whether a character can be part of a name, as far as that is looked at: none that controls, and none that becomes ASCII or a dot by NFKC.
fn is_of_a_name(c: char) -> bool {
    let is_mapped =
        matches!(c, '\u{3002}' | '\u{FF61}' | '\u{2024}' | '\u{FF01}'..='\u{FF5E}' | '\u{FE00}'..='\u{FE0F}');
    let is_format = matches!(c, '\u{AD}' | '\u{200B}' | '\u{200E}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}');
    !c.is_control() && !c.is_whitespace() && !is_mapped && !is_format
}
