//! Everything that is done with pointers from C: looked at here once, references and values from here on.
//!
//! What cannot be checked is the caller's promise, as the header states it: what is not NULL points to what its type says, of the size that it
//! says, and nobody changes an input or looks at an output during the call. All else is checked: NULL, alignment, sizes, lengths, UTF-8.
//!
//! The lifetimes that these functions give are those of the call of C; nothing that they give is kept beyond it.

use crate::numbers::luigi_status::{
    self, LUIGI_STATUS_BUFFER_TOO_SMALL, LUIGI_STATUS_INVALID_ARGUMENT, LUIGI_STATUS_INVALID_UTF8, LUIGI_STATUS_NULL,
    LUIGI_STATUS_STRUCT_SIZE, LUIGI_STATUS_TOO_LONG,
};
use crate::numbers::{LUIGI_MAX_ITEMS, LUIGI_MAX_TEXT, luigi_answer, luigi_log_level, luigi_outcome};
use crate::types::{
    luigi_assertion, luigi_certificate, luigi_check_options, luigi_check_report, luigi_decision, luigi_engine_options,
    luigi_error, luigi_field, luigi_http_reply, luigi_log_callback, luigi_record, luigi_record_callback, luigi_request,
    luigi_statistics, luigi_text,
};
use std::ffi::{c_char, c_void};
use std::ptr::addr_of_mut;

/// A struct that begins with its size.
///
/// # Safety
/// `repr(C)`; its first member is `struct_size: usize`; it is a value of its type whatever bytes it consists of.
pub(crate) unsafe trait Extensible: Copy {}

macro_rules! extensible {
    ($($name:ident),+ $(,)?) => {
        $(
            const _: () = assert!(std::mem::offset_of!($name, struct_size) == 0);
            // SAFETY: the member is where it must be; all others are integers, raw pointers, nullable function pointers, and arrays
            // and structs of these.
            unsafe impl Extensible for $name {}
        )+
    };
}

extensible!(
    luigi_assertion,
    luigi_certificate,
    luigi_check_options,
    luigi_check_report,
    luigi_decision,
    luigi_engine_options,
    luigi_error,
    luigi_http_reply,
    luigi_request,
    luigi_statistics,
);

fn usable<T>(pointer: *const T) -> Result<(), luigi_status> {
    if pointer.is_null() {
        Err(LUIGI_STATUS_NULL)
    } else if !pointer.is_aligned() {
        Err(LUIGI_STATUS_INVALID_ARGUMENT)
    } else {
        Ok(())
    }
}

/// While Luigi is at 0.x only its own size will do. Later a smaller struct of an older header will, too.
fn right_size<T: Extensible>(pointer: *const T) -> Result<(), luigi_status> {
    usable(pointer)?;
    // SAFETY: it is not NULL and aligned, and begins with its size, as every version of an `Extensible` struct does.
    let size = unsafe { pointer.cast::<usize>().read() };
    if size == size_of::<T>() { Ok(()) } else { Err(LUIGI_STATUS_STRUCT_SIZE) }
}

/// A struct to read.
///
/// # Safety
/// The caller's promise, see the head of this file.
pub(crate) unsafe fn input<'a, T: Extensible>(pointer: *const T) -> Result<&'a T, luigi_status> {
    right_size(pointer)?;
    // SAFETY: it is not NULL, aligned, and by the promise of the caller a whole `T`, which any bytes are.
    Ok(unsafe { &*pointer })
}

/// A struct to write.
///
/// # Safety
/// The caller's promise, see the head of this file.
pub(crate) unsafe fn output<'a, T: Extensible>(pointer: *mut T) -> Result<&'a mut T, luigi_status> {
    right_size(pointer)?;
    // SAFETY: it is not NULL, aligned, and by the promise of the caller a whole `T`, which any bytes are, and nobody else's meanwhile.
    Ok(unsafe { &mut *pointer })
}

/// A struct to write that may be NULL.
///
/// # Safety
/// The caller's promise, see the head of this file.
pub(crate) unsafe fn optional_output<'a, T: Extensible>(pointer: *mut T) -> Result<Option<&'a mut T>, luigi_status> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: passed on.
    unsafe { output(pointer) }.map(Some)
}

/// A struct to read that may be NULL.
///
/// # Safety
/// The caller's promise, see the head of this file.
pub(crate) unsafe fn optional_input<'a, T: Extensible>(pointer: *const T) -> Result<Option<&'a T>, luigi_status> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: passed on.
    unsafe { input(pointer) }.map(Some)
}

/// The bytes of an evaluation id.
///
/// # Safety
/// The caller's promise, see the head of this file: there are 16 bytes.
pub(crate) unsafe fn evaluation_id(pointer: *const u8) -> Result<[u8; 16], luigi_status> {
    usable(pointer)?;
    // SAFETY: it is not NULL, bytes need no alignment, and by the promise of the caller there are that many.
    Ok(unsafe { pointer.cast::<[u8; 16]>().read() })
}

/// A place for a handle, a number or a string.
///
/// # Safety
/// The caller's promise, see the head of this file; any bytes are a `T`.
pub(crate) unsafe fn place<'a, T: Copy>(pointer: *mut T) -> Result<&'a mut T, luigi_status> {
    usable(pointer)?;
    // SAFETY: it is not NULL, aligned, and by the promise of the caller a whole `T` and nobody else's meanwhile.
    Ok(unsafe { &mut *pointer })
}

/// A place that may be NULL.
///
/// # Safety
/// The caller's promise, see the head of this file; any bytes are a `T`.
pub(crate) unsafe fn optional_place<'a, T: Copy>(pointer: *mut T) -> Result<Option<&'a mut T>, luigi_status> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: passed on.
    unsafe { place(pointer) }.map(Some)
}

/// An array to read; `None` for NULL without elements.
///
/// # Safety
/// The caller's promise, see the head of this file; any bytes are a `T`.
pub(crate) unsafe fn array<'a, T: Copy>(pointer: *const T, count: usize) -> Result<Option<&'a [T]>, luigi_status> {
    match count {
        0 if pointer.is_null() => Ok(None),
        0 => Ok(Some(&[])),
        _ if count > LUIGI_MAX_ITEMS => Err(LUIGI_STATUS_TOO_LONG),
        _ => {
            usable(pointer)?;
            // SAFETY: it is not NULL, aligned, and by the promise of the caller there are that many elements, a bounded number.
            Ok(Some(unsafe { std::slice::from_raw_parts(pointer, count) }))
        }
    }
}

/// An array to write, of structs that begin with their size: each must be of the right one.
///
/// # Safety
/// The caller's promise, see the head of this file.
pub(crate) unsafe fn outputs<'a, T: Extensible>(pointer: *mut T, count: usize) -> Result<&'a mut [T], luigi_status> {
    if count > LUIGI_MAX_ITEMS {
        return Err(LUIGI_STATUS_TOO_LONG);
    }
    for n in 0..count {
        right_size(pointer.cast_const().wrapping_add(n))?;
    }
    if count == 0 {
        return Ok(&mut []);
    }
    // SAFETY: it is not NULL, aligned, and by the promise of the caller there are that many elements, nobody else's meanwhile.
    Ok(unsafe { std::slice::from_raw_parts_mut(pointer, count) })
}

/// The bytes of a text; `None` if there is none.
///
/// # Safety
/// The caller's promise, see the head of this file.
#[inline]
pub(crate) unsafe fn bytes<'a>(text: luigi_text) -> Result<Option<&'a [u8]>, luigi_status> {
    if text.data.is_null() {
        return if text.length == 0 { Ok(None) } else { Err(LUIGI_STATUS_NULL) };
    }
    if text.length > LUIGI_MAX_TEXT {
        return Err(LUIGI_STATUS_TOO_LONG);
    }
    // SAFETY: it is not NULL, bytes need no alignment, and by the promise of the caller there are that many, a bounded number.
    Ok(Some(unsafe { std::slice::from_raw_parts(text.data.cast(), text.length) }))
}

/// A text that must be UTF-8; `None` if there is none.
///
/// # Safety
/// The caller's promise, see the head of this file.
pub(crate) unsafe fn text<'a>(text: luigi_text) -> Result<Option<&'a str>, luigi_status> {
    // SAFETY: passed on.
    let bytes = unsafe { bytes(text) }?;
    bytes.map(std::str::from_utf8).transpose().map_err(|_| LUIGI_STATUS_INVALID_UTF8)
}

/// Names and values whose pointers and lengths were looked at.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    /// INVARIANT (fields-read): `bytes` gave each name and value.
    fields: &'a [luigi_field],
}

impl<'a> Fields<'a> {
    /// `None` for NULL without elements.
    ///
    /// # Safety
    /// The caller's promise, see the head of this file.
    pub(crate) unsafe fn new(pointer: *const luigi_field, count: usize) -> Result<Option<Self>, luigi_status> {
        // SAFETY: passed on.
        let Some(fields) = (unsafe { array(pointer, count) })? else { return Ok(None) };
        for field in fields {
            // SAFETY: passed on.
            let (name, value) = unsafe { (bytes(field.name)?, bytes(field.value)?) };
            if name.is_none() || value.is_none() {
                return Err(LUIGI_STATUS_NULL);
            }
        }
        Ok(Some(Self { fields }))
    }

    /// Names and values, in order.
    pub(crate) fn iter(self) -> impl DoubleEndedIterator<Item = (&'a [u8], &'a [u8])> {
        // SAFETY: INVARIANT (fields-read); nobody has changed them since, by the promise of the caller.
        let part = |text: luigi_text| unsafe { bytes(text) }.ok().flatten().unwrap_or_default();
        self.fields.iter().map(move |field| (part(field.name), part(field.value)))
    }
}

impl std::fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Fields").field(&self.fields.len()).finish()
    }
}

/// Writes Deny where every version of `luigi_decision` has it, whatever its size is said to be.
///
/// # Safety
/// The caller's promise, see the head of this file.
pub(crate) unsafe fn deny(pointer: *mut luigi_decision) {
    if pointer.is_null() {
        return;
    }
    // SAFETY: it is not NULL, and by the promise of the caller a `luigi_decision` of some version, all of which begin alike. It need not be
    // aligned.
    unsafe {
        addr_of_mut!((*pointer).decision).write_unaligned(luigi_answer::LUIGI_DENY as i32);
        addr_of_mut!((*pointer).outcome).write_unaligned(luigi_outcome::LUIGI_REFUSE as i32);
    }
}

/// How many elements of an array are looked at that has more than it may have: those within the limit, which a caller may read although it was told of a failure. None
/// if no memory holds so many: then the count says nothing of what is there (-1, made unsigned).
fn looked_at<T>(count: usize) -> usize {
    if count > isize::MAX.unsigned_abs() / size_of::<T>() { 0 } else { count.min(LUIGI_MAX_ITEMS) }
}

/// [`deny`] for each element of an array. Where the first is of another size, which says that all are, it is the only one whose place is known.
///
/// # Safety
/// The caller's promise, see the head of this file.
pub(crate) unsafe fn deny_all(pointer: *mut luigi_decision, count: usize) {
    let count = looked_at::<luigi_decision>(count);
    let known = if count == 0 || right_size(pointer).is_ok() { count } else { 1 };
    for n in 0..known {
        // SAFETY: passed on; the elements are of the size that the first one says.
        unsafe { deny(pointer.wrapping_add(n)) };
    }
}

/// Does something with each element of an array whose first is of the right size, whatever the others say; with none if it is not.
///
/// # Safety
/// The caller's promise, see the head of this file.
pub(crate) unsafe fn for_each_of<T: Extensible>(pointer: *mut T, count: usize, then: impl FnMut(&mut T)) {
    let count = looked_at::<T>(count);
    if count > 0 && right_size(pointer).is_ok() {
        // SAFETY: it is not NULL, aligned, and by the promise of the caller there are that many elements, nobody else's meanwhile.
        unsafe { std::slice::from_raw_parts_mut(pointer, count) }.iter_mut().for_each(then);
    }
}

/// Writes a name with a NUL byte behind it; what does not fit is cut off.
#[inline]
pub(crate) fn put<const N: usize>(place: &mut [c_char; N], text: &str) {
    let mut length = text.len();
    if length >= N {
        length = N - 1;
        while !text.is_char_boundary(length) {
            length -= 1;
        }
    }
    // SAFETY: both are at least that long and do not overlap; the byte behind is within the place, since `length` is below `N`.
    unsafe {
        copy_short(text.as_ptr(), place.as_mut_ptr().cast(), length);
        *place.as_mut_ptr().add(length) = 0;
    }
}

/// Copies what is mostly short: a name.
///
/// PERF: four names stand in a decision, and each call of `memcpy` costs more than what it copies (`cargo bench -p luigi-bench --bench ffi`).
///
/// # Safety
/// As `copy_nonoverlapping`.
#[inline]
unsafe fn copy_short(from: *const u8, to: *mut u8, length: usize) {
    /// The first and the last `size_of::<T>()` bytes, which overlap or meet.
    #[inline]
    unsafe fn ends<T: Copy>(from: *const u8, to: *mut u8, length: usize) {
        let last = length - size_of::<T>();
        // SAFETY: there are at least `size_of::<T>()` bytes; nothing need be aligned.
        unsafe {
            let (head, tail) = (from.cast::<T>().read_unaligned(), from.add(last).cast::<T>().read_unaligned());
            to.cast::<T>().write_unaligned(head);
            to.add(last).cast::<T>().write_unaligned(tail);
        }
    }
    // SAFETY: passed on; each is given at least the bytes that it takes.
    unsafe {
        match length {
            0..4 => (0..length).for_each(|n| *to.add(n) = *from.add(n)),
            4..8 => ends::<u32>(from, to, length),
            8..16 => ends::<u64>(from, to, length),
            16..32 => ends::<u128>(from, to, length),
            32..=64 => ends::<[u128; 2]>(from, to, length),
            _ => std::ptr::copy_nonoverlapping(from, to, length),
        }
    }
}

/// Writes a path with a NUL byte behind it into the caller's buffer, unless there is none.
///
/// # Safety
/// The caller's promise, see the head of this file: there is room for `size` bytes.
pub(crate) unsafe fn put_path(buffer: *mut c_char, size: usize, path: &str) -> Result<(), luigi_status> {
    if buffer.is_null() {
        return if size == 0 { Ok(()) } else { Err(LUIGI_STATUS_NULL) };
    }
    if path.len() >= size {
        return Err(LUIGI_STATUS_BUFFER_TOO_SMALL);
    }
    // SAFETY: there is room for the path and one byte more; a buffer of the caller does not overlap with what Luigi holds.
    unsafe {
        std::ptr::copy_nonoverlapping(path.as_ptr().cast(), buffer, path.len());
        *buffer.add(path.len()) = 0;
    }
    Ok(())
}

/// A text for a callback to look at; none for `None`.
pub(crate) fn shown(text: Option<&str>) -> luigi_text {
    shown_bytes(text.map(str::as_bytes))
}

/// Bytes for a callback to look at; none for `None`.
pub(crate) fn shown_bytes(bytes: Option<&[u8]>) -> luigi_text {
    match bytes {
        Some(bytes) => luigi_text { data: bytes.as_ptr().cast(), length: bytes.len() },
        None => luigi_text { data: std::ptr::null(), length: 0 },
    }
}

/// What an embedder wants to be told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Callbacks {
    log: luigi_log_callback,
    log_data: *mut c_void,
    record: luigi_record_callback,
    record_data: *mut c_void,
}

// SAFETY: the data are never looked at here, and the header demands callbacks that can use theirs from any thread.
unsafe impl Send for Callbacks {}
// SAFETY: as above.
unsafe impl Sync for Callbacks {}

impl Callbacks {
    pub(crate) fn of(options: &luigi_engine_options) -> Self {
        let luigi_engine_options { log, log_data, record, record_data, .. } = *options;
        Self { log, log_data, record, record_data }
    }

    /// A line for the log.
    pub(crate) fn log(&self, level: luigi_log_level, message: &str) {
        if let Some(log) = self.log {
            // SAFETY: the function and what it is handed are the embedder's; the header says what it may do.
            unsafe { log(self.log_data, level as i32, shown(Some(message))) };
        }
    }

    /// Whether anybody wants records.
    pub(crate) fn wants_records(&self) -> bool {
        self.record.is_some()
    }

    /// A record.
    pub(crate) fn record(&self, record: &luigi_record) {
        if let Some(function) = self.record {
            // SAFETY: as above; the record lives until the function returns.
            unsafe { function(self.record_data, record) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_at_characters_and_end_with_a_nul_byte() {
        for (text, expected) in
            [("", &b"\0"[..]), ("abc", b"abc\0"), ("abcd", b"abc\0"), ("abü", b"ab\0"), ("aü", b"a\xc3\xbc\0")]
        {
            let mut place = [c_char::MAX; 4];
            put(&mut place, text);
            let written: Vec<u8> = place.iter().map(|byte| byte.to_ne_bytes()[0]).take(expected.len()).collect();
            assert_eq!(written, expected, "{text}");
        }
    }

    #[test]
    fn names_of_every_length_are_copied_whole_and_nothing_behind_them() {
        let text: String = ('!'..='~').collect();
        for length in 0..=text.len() {
            let mut place = [c_char::MAX; 100];
            put(&mut place, &text[..length]);
            let written = place.map(|byte| byte.to_ne_bytes()[0]);
            assert_eq!(&written[..length], &text.as_bytes()[..length]);
            assert_eq!((written[length], written[length + 1]), (0, 0x7f), "{length}");
        }
    }
}
