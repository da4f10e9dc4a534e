//! Sixteen bytes, compared at once. Made of SSE2, which every x86-64 has; elsewhere of loops, for compilers to make vectors of.

/// How many bytes a block has.
pub(super) const BLOCK: usize = 16;

/// Sixteen bytes.
#[derive(Clone, Copy)]
pub(super) struct Block(lanes::Lanes);

/// For which bytes of a block something holds.
#[derive(Clone, Copy)]
pub(super) struct Which(lanes::Lanes);

impl Block {
    #[inline(always)]
    pub(super) fn new(bytes: &[u8; BLOCK]) -> Self {
        Self(lanes::new(bytes))
    }

    /// A text shorter than a block, with zeros behind it.
    #[inline(always)]
    pub(super) fn padded(text: &[u8]) -> Self {
        // Two reads that overlap, since copying a length that is not known costs more than all else here.
        let joined = |low: u128, high: u128, width: usize| low | high << (8 * (text.len() - width));
        let bits = if let (Some(low), Some(high)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) {
            joined(u64::from_le_bytes(*low).into(), u64::from_le_bytes(*high).into(), 8)
        } else if let (Some(low), Some(high)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
            joined(u32::from_le_bytes(*low).into(), u32::from_le_bytes(*high).into(), 4)
        } else {
            text.iter().rev().fold(0, |bits, byte| bits << 8 | u128::from(*byte))
        };
        Self::new(&bits.to_le_bytes())
    }

    /// Where a byte lies in `low..=high`, which are ASCII and not the first or last of it.
    #[inline(always)]
    pub(super) fn within(self, low: u8, high: u8) -> Which {
        Which(lanes::within(self.0, low, high))
    }

    /// Where a byte is a letter of either case.
    #[inline(always)]
    pub(super) fn letters(self) -> Which {
        Self(lanes::or(self.0, lanes::all(0x20))).within(b'a', b'z')
    }

    /// Where a byte is this one.
    #[inline(always)]
    pub(super) fn is(self, byte: u8) -> Which {
        Which(lanes::equal(self.0, lanes::all(byte)))
    }
}

impl Which {
    #[inline(always)]
    pub(super) fn or(self, other: Self) -> Self {
        Self(lanes::or(self.0, other.0))
    }

    /// One bit for each byte, the first one lowest.
    #[inline(always)]
    pub(super) fn bits(self) -> u32 {
        lanes::bits(self.0)
    }
}

#[cfg(not(target_feature = "sse2"))]
use loops as lanes;

/// Each of these has a namesake in `loops`, which says what it does.
#[cfg(target_feature = "sse2")]
#[expect(unsafe_code, reason = "the intrinsics are for those who know that the processor has them")]
mod lanes {
    // SAFETY (all of this module): it exists only where every processor that the code is compiled for has SSE2.
    #[cfg(target_arch = "x86")]
    use std::arch::x86::*;
    #[cfg(target_arch = "x86_64")]
    use std::arch::x86_64::*;

    pub(super) type Lanes = __m128i;

    #[inline(always)]
    pub(super) fn new(bytes: &[u8; super::BLOCK]) -> Lanes {
        // SAFETY: see above; sixteen bytes are there, and no alignment is asked for.
        unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
    }

    #[inline(always)]
    pub(super) fn all(byte: u8) -> Lanes {
        // SAFETY: see above.
        unsafe { _mm_set1_epi8(byte as i8) }
    }

    #[inline(always)]
    pub(super) fn or(one: Lanes, other: Lanes) -> Lanes {
        // SAFETY: see above.
        unsafe { _mm_or_si128(one, other) }
    }

    #[inline(always)]
    pub(super) fn equal(one: Lanes, other: Lanes) -> Lanes {
        // SAFETY: see above.
        unsafe { _mm_cmpeq_epi8(one, other) }
    }

    #[inline(always)]
    pub(super) fn within(bytes: Lanes, low: u8, high: u8) -> Lanes {
        // Bytes from 0x80 on are negative here.
        // SAFETY: see above.
        unsafe { _mm_and_si128(_mm_cmpgt_epi8(bytes, all(low - 1)), _mm_cmplt_epi8(bytes, all(high + 1))) }
    }

    #[inline(always)]
    pub(super) fn bits(lanes: Lanes) -> u32 {
        // SAFETY: see above.
        unsafe { _mm_movemask_epi8(lanes) as u32 }
    }
}

#[cfg(any(test, not(target_feature = "sse2")))]
mod loops {
    pub(super) type Lanes = [u8; super::BLOCK];

    #[inline(always)]
    pub(super) fn new(bytes: &[u8; super::BLOCK]) -> Lanes {
        *bytes
    }

    #[inline(always)]
    pub(super) fn all(byte: u8) -> Lanes {
        [byte; super::BLOCK]
    }

    #[inline(always)]
    pub(super) fn or(one: Lanes, other: Lanes) -> Lanes {
        std::array::from_fn(|at| one[at] | other[at])
    }

    #[inline(always)]
    pub(super) fn equal(one: Lanes, other: Lanes) -> Lanes {
        std::array::from_fn(|at| if one[at] == other[at] { 0xFF } else { 0 })
    }

    #[inline(always)]
    pub(super) fn within(bytes: Lanes, low: u8, high: u8) -> Lanes {
        bytes.map(|byte| if (low..=high).contains(&byte) { 0xFF } else { 0 })
    }

    #[inline(always)]
    pub(super) fn bits(lanes: Lanes) -> u32 {
        (0..super::BLOCK).fold(0, |bits, at| bits | u32::from(lanes[at] >> 7) << at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_is_compared_by_itself() {
        for byte in 0..=0xFF {
            // Its neighbours are as far away as they can be.
            for other in [0, 0x7F, 0xFF] {
                let mut bytes = [other; BLOCK];
                bytes[3] = byte;
                let block = Block::new(&bytes);
                let check = |which: Which, holds: &dyn Fn(u8) -> bool| {
                    let expected = (0..BLOCK).fold(0, |bits, at| bits | u32::from(holds(bytes[at])) << at);
                    assert_eq!(which.bits(), expected, "{byte:#x} beside {other:#x}");
                };
                for (low, high) in [(b'a', b'z'), (b'&', b':'), (0x21, 0x7E), (1, 1)] {
                    check(block.within(low, high), &|byte| (low..=high).contains(&byte));
                }
                check(block.is(b'/'), &|byte| byte == b'/');
                check(block.is(0xFF), &|byte| byte == 0xFF);
                check(block.letters(), &|byte| byte.is_ascii_alphabetic());
                check(block.is(0).or(block.is(0x7F)), &|byte| matches!(byte, 0 | 0x7F));
            }
        }
    }

    #[test]
    fn a_short_text_has_zeros_behind_it() {
        let text: [u8; BLOCK] = *b"\xF0123456789abcde\xFF";
        for length in 0..BLOCK {
            let mut expected = [0; BLOCK];
            expected[..length].copy_from_slice(&text[..length]);
            let block = Block::padded(&text[..length]);
            for byte in text.into_iter().chain([0]) {
                assert_eq!(block.is(byte).bits(), Block::new(&expected).is(byte).bits(), "{length}");
            }
        }
    }

    #[test]
    fn loops_do_what_instructions_do() {
        for byte in 0..=0xFF {
            let bytes = b"\0\x01/09:@AZ[`az{\x7F\x80".map(|one| one ^ byte);
            let (one, other) = (lanes::new(&bytes), loops::new(&bytes));
            for (low, high) in [(b'a', b'z'), (b'0', b'9'), (0x21, 0x7E)] {
                let found = lanes::or(lanes::within(one, low, high), lanes::equal(one, lanes::all(byte)));
                let expected = loops::or(loops::within(other, low, high), loops::equal(other, loops::all(byte)));
                assert_eq!(lanes::bits(found), loops::bits(expected), "{byte:#x}");
            }
        }
    }
}
