//! `verify` on Node-API itself. What `#[napi]` does around a call (each text asked for its length, then copied into memory
//! of its own, all of them joined by JavaScript beforehand, and the body noted as borrowed) takes as long as verifying.
#![allow(unsafe_code, reason = "Node-API is an interface in C")]

use std::{panic::catch_unwind, ptr::null_mut, slice};

use hookproof_engine::{Head, Reading};
use napi::{
    Env, Error, JsError,
    bindgen_prelude::{FromNapiValue, JsObjectValue, Object, Result},
    check_status, sys,
};
use napi_derive::napi;

/// The verifier, the body and the time; the lines of the head come after them.
const FIRST: usize = 3;
const MOST: usize = FIRST + Head::LINES;

/// So many characters of a head need no memory but the stack's. Longer ones are rare.
const ROOM: usize = 512;

const LINE_FEED: u16 = 10;

/// `verify(verifier, body, now, method, url, ...values)`
#[napi(module_exports)]
pub(crate) fn export(mut exports: Object<'_>, _: Env) -> Result<()> {
    exports.create_named_method("verify", verify)
}

unsafe extern "C" fn verify(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let answered = catch_unwind(|| {
        // SAFETY: these are what Node calls with, and it waits for the answer.
        let call = unsafe { Call::new(env, info) }?;
        call.answer(call.verdict()?)
    });
    answered.unwrap_or_else(|_| Err(Error::from_reason("the engine panicked"))).unwrap_or_else(|error| {
        // SAFETY: as above.
        unsafe { JsError::from(error).throw_into(env) };
        null_mut()
    })
}

/// What JavaScript passed, while it waits.
struct Call {
    env: sys::napi_env,
    arguments: [sys::napi_value; MOST],
    count: usize,
}

impl Call {
    /// # Safety
    /// Node must have called with these, and the call must not be over while this lives.
    unsafe fn new(env: sys::napi_env, info: sys::napi_callback_info) -> Result<Self> {
        let (mut arguments, mut count) = ([null_mut(); MOST], MOST);
        // SAFETY: there is room for as many as are asked for, and what was not passed becomes `undefined`.
        let status =
            unsafe { sys::napi_get_cb_info(env, info, &mut count, arguments.as_mut_ptr(), null_mut(), null_mut()) };
        check_status!(status)?;
        Ok(Self { env, arguments, count: count.min(MOST) })
    }

    fn verdict(&self) -> Result<f64> {
        let [verifier, body, now, lines @ ..] = &self.arguments;
        let lines = lines.get(..self.count.saturating_sub(FIRST)).unwrap_or_default();
        let (verifier, body, now) = (self.read(*verifier)?, self.bytes(*body)?, self.read(*now)?);
        let verdict = |head| hookproof_engine::verify(verifier, Reading { body, head: &head }, now);
        let mut room = [0; ROOM];
        if let Some(head) = self.short(lines, &mut room) {
            return Ok(verdict(head));
        }
        let line = |line| self.read::<String>(line).unwrap_or_default().replace('\n', "\u{1}");
        let lines: Vec<String> = lines.iter().copied().map(line).collect();
        Ok(verdict(lines.iter().map(String::as_str).collect()))
    }

    /// The head, unless its lines are too long for the room, or not ASCII. What is no text is absent.
    fn short<'r>(&self, lines: &[sys::napi_value], room: &'r mut [u8; ROOM]) -> Option<Head<'r>> {
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
            *end = all;
        }
        for (byte, character) in room.iter_mut().zip(wide.get(..all)?) {
            *byte = match *character {
                LINE_FEED => 1, // as where the lines are joined, lest the engines differ
                ascii @ ..0x80 => ascii as u8,
                _ => 0xff, // which no text in UTF-8 holds
            };
        }
        let text = str::from_utf8(room.get(..all)?).ok()?;
        let starts = [0].into_iter().chain(ends);
        Some(starts.zip(ends).take(lines.len()).map(|(start, end)| text.get(start..end).unwrap_or_default()).collect())
    }

    fn bytes(&self, value: sys::napi_value) -> Result<&[u8]> {
        let (mut kind, mut length, mut data) = (0, 0, null_mut());
        // SAFETY: all of them are written, or none.
        let status = unsafe {
            sys::napi_get_typedarray_info(self.env, value, &mut kind, &mut length, &mut data, null_mut(), null_mut())
        };
        check_status!(status)?;
        if kind != sys::TypedarrayType::uint8_array {
            return Err(Error::from_reason("the body is no Uint8Array"));
        }
        if data.is_null() {
            return Ok(&[]);
        }
        // SAFETY: so many bytes are there, and stay while JavaScript waits; the package refuses memory that is shared.
        Ok(unsafe { slice::from_raw_parts(data.cast(), length) })
    }

    fn read<T: FromNapiValue>(&self, value: sys::napi_value) -> Result<T> {
        // SAFETY: the value is an argument of this call.
        unsafe { T::from_napi_value(self.env, value) }
    }

    fn answer(&self, number: f64) -> Result<sys::napi_value> {
        let mut value = null_mut();
        check_status!(unsafe { sys::napi_create_double(self.env, number, &mut value) })?;
        Ok(value)
    }
}
