use hookproof::{Error, ErrorKind};

use crate::{
    proof::pack,
    table::{STREAMS, VERIFIERS},
    verifier::{Head, seconds},
};

/// A verification whose body arrives in pieces; what is wrong in its head is said here.
pub fn start(verifier: u32, head: &str) -> Result<u32, Error> {
    let head = Head::of(head);
    let stream = VERIFIERS.with_borrow(|table| table.get(verifier)?.start(&head.request(&[])))?;
    Ok(STREAMS.with_borrow_mut(|table| table.insert(stream)))
}

/// Takes the next piece of the body.
pub fn update(stream: u32, chunk: &[u8]) -> Result<(), Error> {
    STREAMS.with_borrow_mut(|table| table.get_mut(stream)?.update(chunk))
}

/// The proof as a number, of a request whose body is whole; the stream is gone then.
pub fn finish(stream: u32, now: f64) -> Result<f64, Error> {
    let stream = STREAMS.with_borrow_mut(|table| table.remove(stream));
    let stream = stream.ok_or_else(|| Error::new(ErrorKind::InternalError, "the stream is finished".to_owned()))?;
    let delivery = stream.finish(seconds(now))?;
    Ok(pack(delivery.secret(), delivery.timestamp()))
}
