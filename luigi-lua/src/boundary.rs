//! The boundary to C: the converter as a raw Lua function. All of this crate's `unsafe` is here.
//!
//! A closure made by mlua costs half as much again per request as the facts line itself, so the one function that every request
//! goes through talks to Lua directly: one `lua_tolstring`, one `lua_pushlstring`. Everything else goes through mlua.

use crate::converter::{Converted, Converter};
use mlua::ffi::{self, lua_State};
use std::cell::RefCell;
use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

/// The message of a Lua error; always a string, since HAProxy prints nothing else.
const FAILED: &std::ffi::CStr = c"luigi: the converter failed";

/// The Lua function that turns a line of facts into an answer, using this converter.
///
/// The function keeps the converter for as long as the process lives, and HAProxy keeps its Lua states just as long.
pub(crate) fn function(lua: &mlua::Lua, converter: &Rc<RefCell<Converter>>) -> mlua::Result<mlua::Function> {
    let converter = Rc::into_raw(Rc::clone(converter)).cast_mut().cast::<c_void>();
    // SAFETY: the closure only pushes: one light userdata, replaced by one C closure with it as upvalue; Lua guarantees 20 free slots. The
    // upvalue is a pointer that `Rc::into_raw` gave up, so what it points to is never freed.
    unsafe {
        lua.exec_raw((), |state| {
            ffi::lua_pushlightuserdata(state, converter);
            ffi::lua_pushcclosure(state, convert, 1);
        })
    }
}

/// What HAProxy calls: one string in; one string out, or nothing after a panic, or an error.
///
/// # Safety
/// `state` is a Lua state that calls this as the closure made by [`function`].
unsafe extern "C-unwind" fn convert(state: *mut lua_State) -> c_int {
    // SAFETY: the first upvalue is the pointer that `function` put there. It came from `Rc::into_raw` and was never given back, so it is
    // valid, and only shared references to the cell are ever made. A Lua state runs on one thread at a time (with `lua-load`
    // HAProxy's lock sees to it), so nobody else uses the cell meanwhile.
    let converter = unsafe { &*ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast::<RefCell<Converter>>() };
    let mut length = 0;
    // SAFETY: index 1 is acceptable even if there is no argument. The bytes stay valid while the string is on the stack, and nothing
    // is popped before this function returns.
    let line = unsafe {
        let bytes = ffi::lua_tolstring(state, 1, &raw mut length);
        if bytes.is_null() { &[][..] } else { std::slice::from_raw_parts(bytes.cast::<u8>(), length) }
    };
    // No Lua function is called inside, so no Lua error can jump over what it borrows. A converter that panicked is used again:
    // it is a cache and two buffers, which every call begins anew.
    let outcome = catch_unwind(AssertUnwindSafe(|| match converter.borrow_mut().convert(line) {
        Converted::Answer(answer) => Outcome::Answer(answer.as_ptr(), answer.len()),
        Converted::Nothing => Outcome::Nothing,
        Converted::Error => Outcome::Error,
    }))
    .unwrap_or(Outcome::Nothing);
    match outcome {
        // SAFETY: the bytes are in the converter's buffer, or are static; only `convert` changes the buffer, and that is not called
        // before Lua has copied them. If Lua is out of memory it jumps out of this frame, which has nothing to drop.
        Outcome::Answer(bytes, length) => unsafe {
            ffi::lua_pushlstring(state, bytes.cast(), length);
            1
        },
        Outcome::Nothing => 0,
        // SAFETY: as above; the message is a C string.
        Outcome::Error => unsafe {
            ffi::lua_pushstring(state, FAILED.as_ptr());
            ffi::lua_error(state)
        },
    }
}

/// A [`Converted`] without its borrow, and with nothing to drop: Lua errors jump out of frames that hold it.
enum Outcome {
    Answer(*const u8, usize),
    Nothing,
    Error,
}

/// A converter that does nothing: one string in, always the same out, which stands in the file that `LUIGI_CONSTANT_ANSWER` names. What the lines of the
/// configuration cost without Luigi, for benchmarks.
///
/// # Safety
/// `state` is a Lua state that calls this.
#[cfg(feature = "faults")]
pub(crate) unsafe extern "C-unwind" fn constant(state: *mut lua_State) -> c_int {
    static ANSWER: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
        let file = std::env::var_os("LUIGI_CONSTANT_ANSWER").unwrap_or_default();
        std::fs::read(file).unwrap_or_default()
    });
    let answer: &'static [u8] = &ANSWER;
    let mut length = 0;
    // SAFETY: index 1 is acceptable even if there is no argument; the pushed bytes are static. Nothing in this frame needs dropping.
    unsafe {
        ffi::lua_tolstring(state, 1, &raw mut length);
        ffi::lua_pushlstring(state, answer.as_ptr().cast(), answer.len());
    }
    1
}
