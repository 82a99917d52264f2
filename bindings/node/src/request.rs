//! The calls of every request, on Node-API itself. What `#[napi]` does around one (each text asked for its length, then
//! copied into memory of its own, all of them joined by JavaScript beforehand, and bytes noted as borrowed) takes as long
//! as a small verification.
#![allow(unsafe_code, reason = "Node-API is an interface in C")]

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    ptr::{copy_nonoverlapping, null_mut},
    slice,
};

use hookproof_engine::{self as engine, Beside, Head, Note, Reading};
use napi::{
    Env, Error, JsError,
    bindgen_prelude::{FromNapiValue, JsObjectValue, Object},
    check_status, sys,
};
use napi_derive::napi;

use crate::{Code, Result, thrown};

/// More arguments than any of them has before the lines of the head, which come last.
const MOST: usize = 8 + Head::LINES;

/// So many characters of a head need no memory but the stack's. Longer ones are rare.
const ROOM: usize = 256;

const LINE_FEED: u16 = b'\n' as u16;

#[napi(module_exports)]
pub(crate) fn export(mut exports: Object<'_>, _: Env) -> napi::Result<()> {
    exports.create_named_method("verify", verify)?;
    exports.create_named_method("begin", begin)?;
    exports.create_named_method("step", step)
}

/// `verify(verifier, body, now, method, url, ...values)`
unsafe extern "C" fn verify(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let answer = |call: &Call| {
        let [verifier, body, now, ..] = call.arguments;
        let (verifier, body, now) = (call.read(verifier)?, call.bytes(body)?, call.read(now)?);
        Ok(call.with_head(3, |head| engine::verify(verifier, Reading { body, head }, now)))
    };
    // SAFETY: these are what Node calls with, and it waits for the answer.
    unsafe { Call::answered(env, info, answer) }
}

/// `begin(receiver, body, scope, token, nowMs, store, storeMs, note, method, url, ...values)`
unsafe extern "C" fn begin(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let answer = |call: &Call| {
        let [receiver, body, scope, token, now_ms, store, store_ms, note, ..] = call.arguments;
        let (receiver, body) = (call.read(receiver)?, call.bytes(body)?);
        let (scope, token, now_ms) = (call.read::<String>(scope)?, call.bytes(token)?, call.read(now_ms)?);
        let beside = Beside { store: call.read(store)?, now_ms: call.read(store_ms)? };
        let mut written = [0; Note::BYTES];
        let command = call.with_head(8, |head| {
            engine::begin(receiver, Reading { body, head }, &scope, token, now_ms, beside, Note(&mut written))
        });
        call.write(note, &written)?;
        command.map_err(thrown)
    };
    // SAFETY: as above.
    unsafe { Call::answered(env, info, answer) }
}

/// `step(reception, event, number, store, storeMs, note)`
unsafe extern "C" fn step(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let answer = |call: &Call| {
        let [reception, event, number, store, store_ms, note, ..] = call.arguments;
        let (reception, event, number) = (call.read(reception)?, call.read(event)?, call.read(number)?);
        let beside = Beside { store: call.read(store)?, now_ms: call.read(store_ms)? };
        let mut written = [0; Note::BYTES];
        let command = engine::step(reception, event, number, beside, Note(&mut written));
        call.write(note, &written)?;
        command.map_err(thrown)
    };
    // SAFETY: as above.
    unsafe { Call::answered(env, info, answer) }
}

/// What JavaScript passed, while it waits.
struct Call {
    env: sys::napi_env,
    arguments: [sys::napi_value; MOST],
    count: usize,
}

impl Call {
    /// # Safety
    /// Node must have called with these.
    unsafe fn answered(
        env: sys::napi_env,
        info: sys::napi_callback_info,
        answer: impl FnOnce(&Self) -> Result<f64>,
    ) -> sys::napi_value {
        let mut call = Self { env, arguments: [null_mut(); MOST], count: MOST };
        let mut value = null_mut();
        let answered = catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: there is room for as many as are asked for, and what was not passed becomes `undefined`.
            check(unsafe {
                sys::napi_get_cb_info(env, info, &mut call.count, call.arguments.as_mut_ptr(), null_mut(), null_mut())
            })?;
            let number = answer(&call)?;
            // SAFETY: the value is written where the status is good.
            check(unsafe { sys::napi_create_double(env, number, &mut value) })
        }));
        let panicked = || Err(Error::new(Code("internal_error"), "the engine panicked"));
        if let Err(error) = answered.unwrap_or_else(|_| panicked()) {
            // SAFETY: nothing else is thrown yet.
            unsafe { JsError::from(error).throw_into(env) };
        }
        value
    }

    /// Calls with the head, whose lines are the arguments from this place on. What is no text is absent.
    fn with_head<T>(&self, first: usize, call: impl FnOnce(&Head<'_>) -> T) -> T {
        let lines = self.arguments.get(first..self.count).unwrap_or_default();
        let mut room = [0; ROOM];
        if let Some((text, ends)) = self.short(lines, &mut room) {
            let mut start = 0;
            let line = |end: &u16| {
                let line = text.get(start..usize::from(*end)).unwrap_or_default();
                start = usize::from(*end);
                line
            };
            return call(&ends.iter().take(lines.len()).map(line).collect());
        }
        // As where the lines are joined, lest the engines differ.
        let line = |line| self.read::<String>(line).unwrap_or_default().replace('\n', "\u{1}");
        let lines: Vec<String> = lines.iter().copied().map(line).collect();
        call(&lines.iter().map(String::as_str).collect())
    }

    /// All lines one after the other, and where each ends, unless they are too long, not ASCII, or hold a line feed.
    fn short<'r>(&self, lines: &[sys::napi_value], room: &'r mut [u8; ROOM]) -> Option<(&'r str, [u16; Head::LINES])> {
        // Two bytes for each character are read faster than UTF-8, and just as true: one byte for each would not be.
        let mut wide = [0; ROOM];
        let (mut ends, mut all) = ([0; Head::LINES], 0);
        for (line, end) in lines.iter().zip(&mut ends) {
            let (free, mut length) = (wide.get_mut(all..)?, 0);
            // SAFETY: the text is written into the room there is, and its length is how much was written.
            unsafe {
                sys::napi_get_value_string_utf16(self.env, *line, free.as_mut_ptr(), free.len(), &mut length);
            }
            // The last place is for an end that we do not need; a text that was cut fills all the others.
            if length + 1 >= free.len() {
                return None;
            }
            all += length;
            *end = u16::try_from(all).ok()?;
        }
        let mut is_plain = true;
        for (byte, character) in room.iter_mut().zip(wide.get(..all)?) {
            *byte = *character as u8;
            is_plain &= *character < 0x80 && *character != LINE_FEED;
        }
        Some((str::from_utf8(room.get(..all)?).ok().filter(|_| is_plain)?, ends))
    }

    fn bytes(&self, value: sys::napi_value) -> Result<&[u8]> {
        let (data, length) = self.place(value)?;
        if data.is_null() {
            return Ok(&[]);
        }
        // SAFETY: so many bytes are there, and stay while JavaScript waits; the package refuses memory that is shared.
        Ok(unsafe { slice::from_raw_parts(data, length) })
    }

    fn write(&self, value: sys::napi_value, bytes: &[u8]) -> Result<()> {
        let (data, length) = self.place(value)?;
        // SAFETY: so many bytes are there. They may be any, so what is borrowed of this call is not used any more.
        unsafe { copy_nonoverlapping(bytes.as_ptr(), data, length.min(bytes.len())) };
        Ok(())
    }

    /// Where the bytes of a `Uint8Array` are, and how many.
    fn place(&self, value: sys::napi_value) -> Result<(*mut u8, usize)> {
        let (mut kind, mut length, mut data) = (0, 0, null_mut());
        // SAFETY: all of them are written, or none.
        check(unsafe {
            sys::napi_get_typedarray_info(self.env, value, &mut kind, &mut length, &mut data, null_mut(), null_mut())
        })?;
        if kind == sys::TypedarrayType::uint8_array {
            Ok((data.cast(), length))
        } else {
            Err(internal(Error::from_reason("it is no Uint8Array")))
        }
    }

    fn read<T: FromNapiValue>(&self, value: sys::napi_value) -> Result<T> {
        // SAFETY: the value is an argument of this call.
        unsafe { T::from_napi_value(self.env, value) }.map_err(internal)
    }
}

fn check(status: sys::napi_status) -> Result<()> {
    check_status!(status).map_err(internal)
}

fn internal(error: Error) -> Error<Code> {
    Error::new(Code("internal_error"), error.reason.as_str())
}
