//! From a text to a number: open addressing in one block of memory, eight bytes an entry. The texts are kept by whoever gave the numbers.

use std::hash::{BuildHasher, Hasher};

/// The hash of a text. Keys are the policy's own, so nobody can choose them to collide: a fast hash with a fixed seed will do.
#[inline]
pub(super) fn hash(text: &[u8]) -> u32 {
    let mut hasher = foldhash::fast::FixedState::default().build_hasher();
    // PERF: hosts are longer than what is hashed in place; in two pieces, which may overlap, they are not.
    match (text.first_chunk::<16>(), text.last_chunk::<16>()) {
        (Some(first), Some(last)) if text.len() <= 32 => {
            hasher.write(first);
            hasher.write(last);
        }
        _ => hasher.write(text),
    }
    #[allow(clippy::cast_possible_truncation, reason = "half of a hash is a hash")]
    {
        (hasher.finish() >> 32) as u32
    }
}

/// Whether two texts are the same.
///
/// PERF: segments and hosts are short, so two overlapping words do without the call that comparing slices is.
#[inline]
pub(super) fn same(a: &[u8], b: &[u8]) -> bool {
    fn ends<const N: usize>(text: &[u8]) -> Option<([u8; N], [u8; N])> {
        text.first_chunk().copied().zip(text.last_chunk().copied())
    }
    if a.len() != b.len() {
        return false;
    }
    match a.len() {
        0 => true,
        length @ 1..4 => {
            let (middle, last) = (length / 2, length - 1);
            a[0] == b[0] && a[middle] == b[middle] && a[last] == b[last]
        }
        4..8 => ends::<4>(a) == ends::<4>(b),
        8..=16 => ends::<8>(a) == ends::<8>(b),
        17..=32 => ends::<16>(a) == ends::<16>(b),
        _ => a == b,
    }
}

/// Numbers by the hashes of their texts.
#[derive(Debug, Default)]
pub(super) struct TextTable {
    /// A power of two of them, or none; at most three quarters are taken.
    slots: Box<[Slot]>,
    taken: u32,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u32,
    number: u32,
}

/// No number of any text.
const NONE: u32 = u32::MAX;

impl TextTable {
    /// The number with this hash of whose text `is_it` says that it is the one.
    pub(super) fn find(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        self.with_hash(hash).find(|number| is_it(*number))
    }

    /// The numbers with this hash, which nearly always is one or none: for those who compare texts themselves.
    // PERF: a loop over these is part of its function, where what compares would be called.
    #[inline(always)]
    pub(super) fn with_hash(&self, hash: u32) -> WithHash<'_> {
        WithHash { slots: &self.slots, at: hash as usize, hash }
    }

    /// Adds a number whose text is not there yet.
    pub(super) fn insert(&mut self, hash: u32, number: u32) {
        debug_assert_ne!(number, NONE);
        if (self.taken as usize + 1) * 4 > self.slots.len() * 3 {
            let larger = vec![Slot { hash: 0, number: NONE }; (self.slots.len() * 2).max(4)].into_boxed_slice();
            for slot in std::mem::replace(&mut self.slots, larger) {
                if slot.number != NONE {
                    self.put(slot);
                }
            }
        }
        self.put(Slot { hash, number });
        self.taken += 1;
    }

    fn put(&mut self, slot: Slot) {
        let last = self.slots.len() - 1;
        let mut at = slot.hash as usize & last;
        while self.slots[at].number != NONE {
            at = (at + 1) & last;
        }
        self.slots[at] = slot;
    }
}

/// See [`TextTable::with_hash`].
pub(super) struct WithHash<'t> {
    slots: &'t [Slot],
    at: usize,
    hash: u32,
}

impl Iterator for WithHash<'_> {
    type Item = u32;

    #[inline(always)]
    fn next(&mut self) -> Option<u32> {
        let last = self.slots.len().checked_sub(1)?;
        loop {
            // There is always a slot that is not taken.
            let slot = self.slots[self.at & last];
            if slot.number == NONE {
                return None;
            }
            self.at = self.at.wrapping_add(1);
            if slot.hash == self.hash {
                return Some(slot.number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_the_same_if_each_byte_is() {
        let text: Vec<u8> = (0..80).collect();
        for length in 0..text.len() {
            let one = &text[..length];
            assert!(same(one, &Vec::from(one)), "{length}");
            assert!(!same(one, &text[..=length]) && !same(&text[..=length], one), "{length}");
            for at in 0..length {
                let mut other = one.to_vec();
                other[at] ^= 1;
                assert!(!same(one, &other), "byte {at} of {length}");
            }
        }
    }

    #[test]
    fn texts_are_found_whatever_their_hashes() {
        // All hashes, few hashes, one hash.
        for mask in [u32::MAX, 3, 0] {
            let texts: Vec<String> = (0..500).map(|n| format!("text-{n}")).collect();
            let hash_of = |text: &String| hash(text.as_bytes()) & mask;
            let mut table = TextTable::default();
            assert_eq!(table.find(7, |_| true), None);
            for (number, text) in (0..).zip(&texts) {
                let find = |table: &TextTable| table.find(hash_of(text), |at| texts[at as usize] == *text);
                assert_eq!(find(&table), None);
                table.insert(hash_of(text), number);
                assert_eq!(find(&table), Some(number));
            }
            for (number, text) in (0..).zip(&texts) {
                assert_eq!(table.find(hash_of(text), |at| texts[at as usize] == *text), Some(number));
            }
        }
    }
}
