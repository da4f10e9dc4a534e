//! Luigi as a Lua module that HAProxy loads: `luaopen_luigi` for Lua 5.3 or, built with the feature `lua54`, for Lua 5.4.
//!
//! One [`Engine`] serves the process, however many Lua states load the module; each state has a [`Converter`]. `haproxy/luigi.lua` is
//! the only caller: it gives HAProxy the converter, the actions, the commands and the task that polls. Loading the module opens the
//! feed or compiles the policy file, and does nothing else: no thread, no file written, so `haproxy -c` can load it too.
//!
//! Errors go to Lua as strings, never as mlua's error values: HAProxy prints those as "unknown runtime error".

mod boundary;
mod converter;
mod explain;
#[cfg(feature = "faults")]
mod faults;
mod settings;

use converter::Converter;
use luigi_runtime::reply::Reply;
use luigi_runtime::{Budget, Engine, Mode, PollEvent};
use mlua::prelude::*;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::OnceLock;

/// The one engine of the process, or why there is none. Opened by the first Lua state, before any fork, chroot or change of user.
static ENGINE: OnceLock<Result<Engine, String>> = OnceLock::new();

/// What a function says when something inside it panicked.
const PANICKED: &str = "a failure inside luigi; the standard error has a line about it";

#[mlua::lua_module]
fn luigi(lua: &Lua) -> LuaResult<LuaTable> {
    let module = lua.create_table()?;
    module.set("open", lua.create_function(|lua, ()| caught(lua, || open(lua)))?)?;
    #[cfg(feature = "faults")]
    {
        // SAFETY: a Lua C function that upholds the conventions of Lua's stack.
        let constant = unsafe { lua.create_c_function(boundary::constant) }?;
        module.set("constant", constant)?;
    }
    Ok(module)
}

/// The functions that need an engine, as a table.
fn open(lua: &Lua) -> Result<LuaTable, String> {
    luigi_runtime::panics::keep_short();
    let engine = ENGINE
        .get_or_init(|| {
            let config = settings::from_environment()?;
            Engine::open(&config).map_err(|error| error.to_string())
        })
        .as_ref()
        .map_err(Clone::clone)?;
    let converter = Rc::new(RefCell::new(Converter::new(engine)));
    functions(lua, engine, &converter).map_err(|error| error.to_string())
}

fn functions(lua: &Lua, engine: &'static Engine, converter: &Rc<RefCell<Converter>>) -> LuaResult<LuaTable> {
    let table = lua.create_table()?;
    table.set("convert", boundary::function(lua, converter)?)?;
    table.set("poll", lua.create_function(move |lua, ()| caught(lua, || Ok(poll(engine))))?)?;
    let (converter, refusing, ended) = (Rc::clone(converter), Rc::clone(converter), Rc::clone(converter));
    let refresh = move |lua: &Lua, ()| {
        caught(lua, || {
            converter.borrow_mut().refresh();
            Ok(())
        })
    };
    table.set("refresh", lua.create_function(refresh)?)?;
    table.set("mode", lua.create_function(move |lua, ()| caught(lua, || Ok(mode(engine))))?)?;
    let failed = move |lua: &Lua, ()| {
        caught(lua, || {
            engine.count_failure();
            Ok(())
        })
    };
    table.set("failed", lua.create_function(failed)?)?;
    // Words from the stats socket come as Lua's strings: mlua would answer bytes that are not UTF-8 with an error value of its own.
    let status = move |lua: &Lua, format: Option<LuaString>| {
        caught(lua, || match format.as_ref().map(LuaString::as_bytes).as_deref() {
            None | Some(b"") => Ok(engine.status().to_text()),
            Some(b"json") => Ok(engine.status().to_json()),
            Some(other) => Err(format!("`{}` is no format; usage: luigi status [json]", other.escape_ascii())),
        })
    };
    table.set("status", lua.create_function(status)?)?;
    let explain = move |lua: &Lua, words: Vec<LuaString>| {
        caught(lua, || {
            let words: Vec<_> = words.iter().map(LuaString::as_bytes).collect();
            let words: Vec<&str> = words.iter().map(|word| text(word)).collect::<Result<_, _>>()?;
            explain::explain(&engine.version(), &words)
        })
    };
    table.set("explain", lua.create_function(explain)?)?;
    let refusal = move |lua: &Lua, (line, answer, accept): (LuaString, LuaString, Option<LuaString>)| {
        caught(lua, || {
            let accept = accept.as_ref().map(|accept| accept.as_bytes());
            let mut converter = refusing.borrow_mut();
            let reply = converter.refusal(&line.as_bytes(), &answer.as_bytes(), accept.as_deref())?;
            reply_table(lua, &reply).map_err(|error| error.to_string())
        })
    };
    // A converter, so that it must give something back.
    let response = move |lua: &Lua, line: LuaString| {
        caught(lua, || ended.borrow_mut().response(&line.as_bytes()).map(|()| "recorded"))
    };
    table.set("response", lua.create_function(response)?)?;
    table.set("refusal", lua.create_function(refusal)?)?;
    Ok(table)
}

/// A word of a command, which must be UTF-8.
fn text(word: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(word).map_err(|_| format!("`{}` is not UTF-8", word.escape_ascii()))
}

/// A reply as HAProxy's `txn:reply` wants it.
fn reply_table(lua: &Lua, reply: &Reply) -> LuaResult<LuaTable> {
    let table = lua.create_table()?;
    table.set("status", reply.status)?;
    table.set("body", reply.body.as_str())?;
    let headers = lua.create_table()?;
    for (name, value) in &reply.headers {
        headers.set(*name, lua.create_sequence_from([value.as_str()])?)?;
    }
    table.set("headers", headers)?;
    Ok(table)
}

/// Runs a function for Lua: its result, or `nil` and a message.
fn caught<T: IntoLuaMulti>(lua: &Lua, function: impl FnOnce() -> Result<T, String>) -> LuaResult<LuaMultiValue> {
    // What a panic leaves half-done is a buffer or a cache that the next call begins anew.
    let result = catch_unwind(AssertUnwindSafe(function)).unwrap_or_else(|_| Err(PANICKED.to_owned()));
    match result {
        Ok(values) => values.into_lua_multi(lua),
        Err(message) => (LuaValue::Nil, message).into_lua_multi(lua),
    }
}

/// One slice of work on the feed: milliseconds until the next; and a line for the log with its level, if there is something to tell.
fn poll(engine: &Engine) -> (u64, Option<&'static str>, Option<String>) {
    let poll = engine.poll(Budget::default());
    // HAProxy's clock has milliseconds: "at once" means after everybody else had a turn.
    let wait = u64::try_from(poll.next.as_millis()).unwrap_or(u64::MAX).max(1);
    match poll.event {
        None => (wait, None, None),
        Some(event @ (PollEvent::Published { .. } | PollEvent::Alive)) => {
            (wait, Some("notice"), Some(event.to_string()))
        }
        Some(
            event @ (PollEvent::Refused { .. }
            | PollEvent::LineLacks { .. }
            | PollEvent::RecordsLost { .. }
            | PollEvent::Stale { .. }),
        ) => (wait, Some("alert"), Some(event.to_string())),
    }
}

fn mode(engine: &Engine) -> &'static str {
    match engine.version().mode() {
        Mode::Observe => "observe",
        Mode::Enforce => "enforce",
    }
}
