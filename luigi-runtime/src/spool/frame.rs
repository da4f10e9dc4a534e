//! The frame around a record: by it a reader tells whole records from torn and damaged ones.
//!
//! ```text
//! length      u32, little-endian   of the payload
//! checksum    u32, little-endian   CRC-32C of sequence, length and payload, in this order, as they are written
//! sequence    u64, little-endian   one more with every frame of a writer
//! payload
//! ```

/// The bytes before a payload.
pub const HEAD_BYTES: usize = 16;

/// The longest payload. Longer than any record, so that a length beyond it is damage.
pub const MAX_PAYLOAD_BYTES: usize = 32 * 1024;

/// Completes a frame whose payload, `length` bytes, stands at [`HEAD_BYTES`] of `frame` already.
///
/// # Panics
/// If `frame` is shorter than head and payload, or `length` beyond [`MAX_PAYLOAD_BYTES`].
pub(crate) fn seal(frame: &mut [u8], length: usize, sequence: u64) {
    assert!(length <= MAX_PAYLOAD_BYTES, "no record is longer");
    let length_bytes = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let sequence = sequence.to_le_bytes();
    let checksum = checksum(sequence, length_bytes, &frame[HEAD_BYTES..HEAD_BYTES + length]);
    frame[..4].copy_from_slice(&length_bytes);
    frame[4..8].copy_from_slice(&checksum.to_le_bytes());
    frame[8..HEAD_BYTES].copy_from_slice(&sequence);
}

/// What stands at the start of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// A whole frame.
    Frame {
        /// Its number.
        sequence: u64,
        /// What is in it.
        payload: &'a [u8],
    },
    /// The bytes end before the frame does, as far as can be told.
    Short,
    /// No frame.
    Damaged,
}

/// Reads the frame at the start of `bytes`.
pub(crate) fn read(bytes: &[u8]) -> Found<'_> {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return Found::Short };
    let payload_bytes = u32::from_le_bytes(*length) as usize;
    if payload_bytes == 0 || payload_bytes > MAX_PAYLOAD_BYTES {
        return Found::Damaged;
    }
    let Some((expected, rest)) = rest.split_first_chunk::<4>() else { return Found::Short };
    let Some((sequence, rest)) = rest.split_first_chunk::<8>() else { return Found::Short };
    let Some(payload) = rest.get(..payload_bytes) else { return Found::Short };
    if checksum(*sequence, *length, payload) == u32::from_le_bytes(*expected) {
        Found::Frame { sequence: u64::from_le_bytes(*sequence), payload }
    } else {
        Found::Damaged
    }
}

fn checksum(sequence: [u8; 8], length: [u8; 4], payload: &[u8]) -> u32 {
    let head = crc32c::crc32c_append(crc32c::crc32c(&sequence), &length);
    crc32c::crc32c_append(head, payload)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn framed(payload: &[u8], sequence: u64) -> Vec<u8> {
        let mut frame = vec![0; HEAD_BYTES];
        frame.extend_from_slice(payload);
        seal(&mut frame, payload.len(), sequence);
        frame
    }

    /// Computed with another implementation (bit by bit, polynomial 0x82F63B78).
    #[test]
    fn the_bytes_of_a_frame_stay_what_they_are() {
        let by_bits = |bytes: &[u8]| {
            !bytes.iter().fold(!0u32, |crc, byte| {
                (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0x82F6_3B78 & 0u32.wrapping_sub(crc & 1)))
            })
        };
        assert_eq!(by_bits(b"123456789"), 0xE306_9283, "the check value of CRC-32C");
        let frame = framed(b"abc", 0x0102);
        let (sequence, length) = ([2, 1, 0, 0, 0, 0, 0, 0], [3, 0, 0, 0]);
        let sum = by_bits(&[&sequence[..], &length, b"abc"].concat());
        assert_eq!(frame, [&length[..], &sum.to_le_bytes(), &sequence, b"abc"].concat());
    }

    #[test]
    fn nothing_is_a_frame_that_says_that_it_is_empty_or_endless() {
        for length in [0, u32::try_from(MAX_PAYLOAD_BYTES).unwrap() + 1, u32::MAX] {
            assert_eq!(read(&[&length.to_le_bytes()[..], &[0; 40]].concat()), Found::Damaged, "{length}");
        }
        assert_eq!(read(&[0; 4]), Found::Damaged);
    }

    proptest! {
        #[test]
        fn frames_are_read_back_and_cut_ones_are_short(payload in vec(any::<u8>(), 1..300), sequence in any::<u64>(), rest in vec(any::<u8>(), 0..9)) {
            let frame = framed(&payload, sequence);
            let expected = Found::Frame { sequence, payload: &payload };
            let followed = [&frame[..], &rest].concat();
            prop_assert_eq!(read(&followed), expected);
            for end in 0..frame.len() {
                prop_assert_eq!(read(&frame[..end]), Found::Short);
            }
        }

        #[test]
        fn no_flipped_bit_goes_unnoticed(payload in vec(any::<u8>(), 1..60), sequence in any::<u64>()) {
            let frame = framed(&payload, sequence);
            for bit in 0..frame.len() * 8 {
                let mut flipped = frame.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                prop_assert!(!matches!(read(&flipped), Found::Frame { .. }), "bit {}", bit);
            }
        }
    }
}
