//! How a chunk of items travels, and how a worker runs it.
//!
//! Each item stands for itself, with its length before it: one that cannot be decoded, or panics,
//! costs no other. What is dear, like catching panics, is done once for all items up to the next that
//! needs it.
//!
//! ```text
//! there   stride, { length, item }
//! back    { length, result | PANICKED, panic | NOT_TRANSFERRED, stage, text }, END, duration
//! ```
//!
//! A length has eight bytes, so that it can be put in when what it is of has been encoded, right behind
//! it. The greatest lengths, which nothing has, are the other words.

use super::code::{Fault, encode_result};
use super::message::{Panic, Return, Stage};
use super::value::decode;
use crate::error::TaskPanic;
use crate::process::payload::{Arrived, Failure, Reader, Source, Window, Writer};
use crate::sync::Arc;
use crate::sys::child;
use crate::task::{self, cancellation_requested};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cell::Cell;
use std::time::{Duration, Instant};

const PANICKED: u64 = u64::MAX;
const NOT_TRANSFERRED: u64 = u64::MAX - 1;
const END: u64 = u64::MAX - 2;

/// Puts something of ours behind what is there.
pub(crate) fn put<T: Serialize>(value: &T, into: &mut Writer) {
    if let Err(error) = postcard::serialize_with_flavor(value, into) {
        unreachable!("plain data can be encoded: {error}");
    }
}

/// Puts a length or another word.
#[inline]
fn put_word(word: u64, into: &mut Writer) {
    into.extend(&word.to_le_bytes());
}

/// Puts what `encode` puts, with its length before it; or nothing, if that fails.
#[inline]
pub(crate) fn put_run<E>(
    into: &mut Writer,
    encode: impl FnOnce(&mut Writer) -> Result<(), E>,
) -> Result<(), E> {
    let begin = into.len();
    put_word(0, into);
    let encoded = encode(into);
    match encoded {
        Ok(()) => {
            let length = (into.len() - begin) as u64 - 8;
            into.overwrite(begin, &length.to_le_bytes());
        }
        Err(_) => into.truncate(begin),
    }
    encoded
}

/// What became of one item of a chunk.
pub(crate) enum ItemOutcome<'a> {
    Value(&'a [u8]),
    /// There or here.
    Panicked(TaskPanic),
    NotTransferred(Stage, String),
}

/// Decodes, calls and encodes one item after the other, as long as they are wanted.
pub(crate) fn run<A, R>(
    function: fn(A) -> R,
    argument: &Arrived<'_>,
    into: &mut Writer,
) -> Result<Return, Fault>
where
    A: DeserializeOwned,
    R: Serialize,
{
    let ran = match argument {
        Arrived::Here(bytes) => run_items(function, Reader::new(*bytes), into),
        Arrived::Kept(mapping, len) => {
            run_items(function, Reader::new(Window::new(Arc::clone(mapping), *len)), into)
        }
    };
    match ran {
        Ok(()) => Ok(Return::Succeeded),
        Err(failure) => Err((Stage::DecodeArgument, failure.to_string())),
    }
}

fn run_items<A, R, S: Source>(
    function: fn(A) -> R,
    mut items: Reader<S>,
    into: &mut Writer,
) -> Result<(), Failure>
where
    A: DeserializeOwned,
    R: Serialize,
{
    let begun = Instant::now();
    let stride = items.value::<usize>()?.max(1);
    let mut index = 0;
    // Where the outcome of the item begins that is being called.
    let begin = Cell::new(into.len());
    let mut run_some = |into: &mut Writer| -> Result<(), Failure> {
        while items.left() > 0 {
            if index > 0 && index % stride == 0 && cancellation_requested() {
                break;
            }
            index += 1;
            begin.set(into.len());
            let length = items.word()?;
            let done = items.look(length, |item| {
                let argument = decode(item).map_err(|error| (Stage::DecodeArgument, error))?;
                let result = function(argument);
                put_run(into, |into| encode_result(&result, into))
            })?;
            if let Err(fault) = done {
                put_word(NOT_TRANSFERRED, into);
                put(&fault, into);
            }
        }
        Ok(())
    };
    loop {
        match task::catch(|| run_some(into)) {
            Ok(ran) => {
                ran?;
                break;
            }
            Err(panic) => {
                // What a copy of this process has called was the last.
                child::end_copy();
                into.truncate(begin.get());
                put_word(PANICKED, into);
                put(&Panic::of(&task::panicked(panic)), into);
            }
        }
    }
    put_word(END, into);
    put(&begun.elapsed(), into);
    Ok(())
}

/// Reads what came back, and gives each outcome to `take`, which may panic. How long the chunk took.
pub(crate) fn read(
    arrived: &Arrived<'_>,
    take: impl FnMut(ItemOutcome<'_>),
) -> Result<Duration, Failure> {
    match arrived {
        Arrived::Here(bytes) => read_items(Reader::new(*bytes), take),
        Arrived::Kept(mapping, len) => {
            read_items(Reader::new(Window::new(Arc::clone(mapping), *len)), take)
        }
    }
}

fn read_items<S: Source>(
    mut outcomes: Reader<S>,
    mut take: impl FnMut(ItemOutcome<'_>),
) -> Result<Duration, Failure> {
    loop {
        let read_some = || loop {
            match outcomes.word()? {
                PANICKED => take(ItemOutcome::Panicked(outcomes.value::<Panic>()?.into())),
                NOT_TRANSFERRED => {
                    let (stage, text) = outcomes.value()?;
                    take(ItemOutcome::NotTransferred(stage, text));
                }
                END => return outcomes.value(),
                length => outcomes.look(length, |bytes| take(ItemOutcome::Value(bytes)))?,
            }
        };
        // What panics is what `take` does with a value, which has been read by then.
        match task::catch(read_some) {
            Ok(read) => return read,
            Err(panic) => take(ItemOutcome::Panicked(panic)),
        }
    }
}
