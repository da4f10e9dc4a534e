//! HTTP/2 by hand: frames and header blocks that no library would let one send.

use std::io::Read;

/// A frame (RFC 9113, section 4.1).
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// A header block: each field as a literal without indexing and without Huffman's code (RFC 7541, section 6.2.2), so that any byte can stand in it.
pub(crate) fn block(fields: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            push_length(&mut block, text.len());
            block.extend_from_slice(text);
        }
    }
    block
}

/// An integer with a prefix of seven bits (RFC 7541, section 5.1).
fn push_length(block: &mut Vec<u8>, length: usize) {
    let byte = |value: usize| u8::try_from(value).expect("seven bits and a mark");
    if length < 127 {
        block.push(byte(length));
        return;
    }
    block.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        block.push(byte(rest % 128 + 128));
        rest /= 128;
    }
    block.push(byte(rest));
}

/// A connection's beginning, and these frames.
pub(crate) fn connection(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    bytes.extend(frames.concat());
    bytes
}

/// One request without a body.
pub(crate) fn request(fields: &[(&[u8], &[u8])]) -> Vec<u8> {
    connection(&[frame(HEADERS, END_STREAM | END_HEADERS, 1, &block(fields))])
}

/// Reads until the last stream that was opened has ended, or the connection has; whatever stands in the frames.
pub(crate) fn read_answer(stream: &mut impl Read, answer: &mut Vec<u8>) {
    let mut at = 0;
    let mut chunk = [0; 16384];
    loop {
        while let Some(head) = answer.get(at..at + 9) {
            let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
            let (kind, flags, end) = (head[3], head[4], at + 9 + length);
            if answer.len() < end {
                break;
            }
            let ends_stream = matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0;
            if ends_stream || matches!(kind, RST_STREAM | GOAWAY) {
                return;
            }
            at = end;
        }
        match stream.read(&mut chunk) {
            Ok(read) if read > 0 => answer.extend_from_slice(&chunk[..read]),
            _ => return,
        }
    }
}
