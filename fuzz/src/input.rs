//! Takes an input apart: short fields and edits, so that small changes of the bytes make small changes of what is tried.

/// The rest of an input. What is used up yields zeros and empty fields.
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub(crate) fn number(&mut self) -> usize {
        usize::from(self.byte()) << 8 | usize::from(self.byte())
    }

    /// A field: its length in one byte, then its bytes.
    pub(crate) fn field(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte()).min(self.0.len());
        let (field, rest) = self.0.split_at(length);
        self.0 = rest;
        field
    }

    /// Changes `bytes` as the rest of the input says, at most 16 times: exchange a byte, cut out, insert, cut off.
    pub(crate) fn spoil(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..16 {
            if self.0.is_empty() || bytes.is_empty() {
                return;
            }
            let (how, at) = (self.byte(), self.number() % bytes.len());
            match how % 5 {
                0 => bytes[at] = self.byte(),
                1 => bytes[at] ^= 1 << (self.byte() % 8),
                2 => drop(bytes.drain(at..(at + 1 + usize::from(self.byte() % 16)).min(bytes.len()))),
                3 => drop(bytes.splice(at..at, self.field().iter().copied())),
                _ => bytes.truncate(at),
            }
        }
    }
}
