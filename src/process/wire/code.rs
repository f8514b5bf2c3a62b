//! How a function comes to be called in another process that runs the same executable.
//!
//! A function travels as its distance from where the executable begins in memory, together with the
//! distance of an *entry*: an instance of one of the generic functions below, which knows the types.
//! Both must lie in the executable's own code, which is checked where they leave and where they
//! arrive; and the two processes must run the same executable, which is checked when they meet.

use super::chunk;
use super::message::{Code, Offset, Return, Stage};
use super::value::{decode, encode, receive};
use crate::error::{TransferError, TransferStage};
use crate::process::payload::{Arrived, Writer};
use crate::process::shared::for_result;
use crate::sys::{child, image};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::Any;
use std::cell::RefCell;
use std::fmt::Display;
use std::mem::transmute;

/// What a worker says about a call that it could not make, or whose result it cannot send.
pub(crate) type Fault = (Stage, String);

/// Decodes the argument, calls the function at the given address, and encodes the result.
///
/// # Safety
///
/// The address is that of a function of the type that the entry was made for.
pub(crate) type Entry = unsafe fn(usize, &Arrived<'_>, &mut Writer) -> Result<Return, Fault>;

/// Makes the state of a worker.
///
/// # Safety
///
/// As for [`Entry`].
pub(crate) type InitializerEntry = unsafe fn(usize, &[u8]) -> Result<Box<dyn Any>, String>;

/// Ends the state of a worker.
///
/// # Safety
///
/// As for [`Entry`].
pub(crate) type FinalizerEntry = unsafe fn(usize, Box<dyn Any>);

/// Makes a call within what was captured for it.
///
/// # Safety
///
/// As for [`Entry`].
pub(crate) type ContextEntry = unsafe fn(usize, &[u8], &mut dyn FnMut()) -> Result<(), Fault>;

/// Where a function and its entry lie, if that is in the executable.
fn code(entry: usize, function: usize) -> Result<Code, TransferError> {
    let offset = |address| image::offset_of(address).map(Offset);
    match (offset(entry), offset(function)) {
        (Some(entry), Some(function)) => Ok(Code { entry, function }),
        _ => Err(TransferError::new(
            TransferStage::Function,
            "it lies in a shared library, and not in the executable, which is all that a worker \
             has for sure; call it from a function of the program itself",
        )),
    }
}

/// The address of a place that another process speaks of.
fn address(offset: Offset) -> Result<usize, Fault> {
    image::address_of(offset.0).ok_or_else(|| {
        (Stage::DecodeArgument, format!("no code lies at {:#x} in the executable", offset.0))
    })
}

pub(crate) fn call<A, R>(function: fn(A) -> R) -> Result<Code, TransferError>
where
    A: DeserializeOwned,
    R: Serialize,
{
    code(call_entry::<A, R> as Entry as usize, function as usize)
}

pub(crate) fn try_call<A, R, E>(function: fn(A) -> Result<R, E>) -> Result<Code, TransferError>
where
    A: DeserializeOwned,
    R: Serialize,
    E: Serialize,
{
    code(try_entry::<A, R, E> as Entry as usize, function as usize)
}

pub(crate) fn call_without_argument<R: Serialize>(
    function: fn() -> R,
) -> Result<Code, TransferError> {
    code(bare_entry::<R> as Entry as usize, function as usize)
}

pub(crate) fn call_with_state<S, A, R>(function: fn(&mut S, A) -> R) -> Result<Code, TransferError>
where
    S: 'static,
    A: DeserializeOwned,
    R: Serialize,
{
    code(stateful_entry::<S, A, R> as Entry as usize, function as usize)
}

pub(crate) fn call_chunk<A, R>(function: fn(A) -> R) -> Result<Code, TransferError>
where
    A: DeserializeOwned,
    R: Serialize,
{
    code(chunk_entry::<A, R> as Entry as usize, function as usize)
}

pub(crate) fn initializer<A, S, E>(function: fn(A) -> Result<S, E>) -> Result<Code, TransferError>
where
    A: DeserializeOwned,
    S: 'static,
    E: Display,
{
    code(initializer_entry::<A, S, E> as InitializerEntry as usize, function as usize)
}

pub(crate) fn plain_initializer<A, S>(function: fn(A) -> S) -> Result<Code, TransferError>
where
    A: DeserializeOwned,
    S: 'static,
{
    code(plain_initializer_entry::<A, S> as InitializerEntry as usize, function as usize)
}

pub(crate) fn finalizer<S: 'static>(function: fn(S)) -> Result<Code, TransferError> {
    code(finalizer_entry::<S> as FinalizerEntry as usize, function as usize)
}

pub(crate) fn context<C: DeserializeOwned>(
    function: fn(C, &mut dyn FnMut()),
) -> Result<Code, TransferError> {
    code(context_entry::<C> as ContextEntry as usize, function as usize)
}

fn receive_argument<T: DeserializeOwned>(argument: &Arrived<'_>) -> Result<T, Fault> {
    receive(argument).map_err(|error| (Stage::DecodeArgument, error))
}

/// Encodes what a call has given.
pub(crate) fn encode_result<T: Serialize>(value: &T, into: &mut Writer) -> Result<(), Fault> {
    // If the task has forked, the worker itself comes back as well, and what it shares is for one.
    child::end_copy();
    for_result(|| encode(value, into)).map_err(|error| (Stage::EncodeResult, error))
}

/// Encodes the result of a call that has succeeded.
fn give<T: Serialize>(value: &T, into: &mut Writer) -> Result<Return, Fault> {
    encode_result(value, into).map(|()| Return::Succeeded)
}

unsafe fn call_entry<A, R>(
    function: usize,
    argument: &Arrived<'_>,
    into: &mut Writer,
) -> Result<Return, Fault>
where
    A: DeserializeOwned,
    R: Serialize,
{
    // SAFETY: the caller vouches that a function of this type lies there.
    let function: fn(A) -> R = unsafe { transmute(function) };
    let argument = receive_argument(argument)?;
    give(&function(argument), into)
}

/// As [`call_entry`], for a call that has failed if it gives an `Err`.
unsafe fn try_entry<A, R, E>(
    function: usize,
    argument: &Arrived<'_>,
    into: &mut Writer,
) -> Result<Return, Fault>
where
    A: DeserializeOwned,
    R: Serialize,
    E: Serialize,
{
    // SAFETY: the caller vouches that a function of this type lies there.
    let function: fn(A) -> Result<R, E> = unsafe { transmute(function) };
    let result = function(receive_argument(argument)?);
    encode_result(&result, into)?;
    Ok(if result.is_ok() { Return::Succeeded } else { Return::Failed })
}

unsafe fn bare_entry<R: Serialize>(
    function: usize,
    _argument: &Arrived<'_>,
    into: &mut Writer,
) -> Result<Return, Fault> {
    // SAFETY: the caller vouches that a function of this type lies there.
    let function: fn() -> R = unsafe { transmute(function) };
    give(&function(), into)
}

thread_local! {
    /// What the initializer made.
    static STATE: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
}

pub(crate) fn set_state(state: Box<dyn Any>) {
    STATE.set(Some(state));
}

pub(crate) fn take_state() -> Option<Box<dyn Any>> {
    STATE.take()
}

unsafe fn stateful_entry<S, A, R>(
    function: usize,
    argument: &Arrived<'_>,
    into: &mut Writer,
) -> Result<Return, Fault>
where
    S: 'static,
    A: DeserializeOwned,
    R: Serialize,
{
    // SAFETY: the caller vouches that a function of this type lies there.
    let function: fn(&mut S, A) -> R = unsafe { transmute(function) };
    let argument = receive_argument(argument)?;
    STATE.with_borrow_mut(|state| {
        match state.as_mut().and_then(|state| state.downcast_mut::<S>()) {
            Some(state) => give(&function(state, argument), into),
            None => Err((Stage::DecodeArgument, "the worker has no such state".to_owned())),
        }
    })
}

/// As [`call_entry`], for each item of a chunk.
unsafe fn chunk_entry<A, R>(
    function: usize,
    argument: &Arrived<'_>,
    into: &mut Writer,
) -> Result<Return, Fault>
where
    A: DeserializeOwned,
    R: Serialize,
{
    // SAFETY: the caller vouches that a function of this type lies there.
    let function: fn(A) -> R = unsafe { transmute(function) };
    chunk::run(function, argument, into)
}

unsafe fn initializer_entry<A, S, E>(
    function: usize,
    argument: &[u8],
) -> Result<Box<dyn Any>, String>
where
    A: DeserializeOwned,
    S: 'static,
    E: Display,
{
    // SAFETY: the caller vouches that a function of this type lies there.
    let function: fn(A) -> Result<S, E> = unsafe { transmute(function) };
    match function(decode(argument)?) {
        Ok(state) => Ok(Box::new(state)),
        // The causes cannot travel: an error that can tell them in its text, as that of `anyhow`, does so now.
        Err(error) => Err(format!("{error:#}")),
    }
}

unsafe fn plain_initializer_entry<A, S>(
    function: usize,
    argument: &[u8],
) -> Result<Box<dyn Any>, String>
where
    A: DeserializeOwned,
    S: 'static,
{
    // SAFETY: the caller vouches that a function of this type lies there.
    let function: fn(A) -> S = unsafe { transmute(function) };
    Ok(Box::new(function(decode(argument)?)))
}

unsafe fn finalizer_entry<S: 'static>(function: usize, state: Box<dyn Any>) {
    // SAFETY: the caller vouches that a function of this type lies there.
    let function: fn(S) = unsafe { transmute(function) };
    if let Ok(state) = state.downcast::<S>() {
        function(*state);
    }
}

unsafe fn context_entry<C: DeserializeOwned>(
    function: usize,
    captured: &[u8],
    task: &mut dyn FnMut(),
) -> Result<(), Fault> {
    // SAFETY: the caller vouches that a function of this type lies there.
    let function: fn(C, &mut dyn FnMut()) = unsafe { transmute(function) };
    function(decode(captured).map_err(|error| (Stage::DecodeArgument, error))?, task);
    Ok(())
}

// ---- in the worker ---------------------------------------------------------------------------

pub(crate) fn enter(
    code: Code,
    argument: &Arrived<'_>,
    into: &mut Writer,
) -> Result<Return, Fault> {
    let (entry, function) = (address(code.entry)?, address(code.function)?);
    // SAFETY: the parent runs the same executable and took this place from an `Entry`.
    let entry: Entry = unsafe { transmute(entry) };
    // SAFETY: and it paired it with a function of the type that the entry was made for.
    unsafe { entry(function, argument, into) }
}

pub(crate) fn within(code: Code, captured: &[u8], task: &mut dyn FnMut()) -> Result<(), Fault> {
    let (entry, function) = (address(code.entry)?, address(code.function)?);
    // SAFETY: the parent runs the same executable and took this place from a `ContextEntry`.
    let entry: ContextEntry = unsafe { transmute(entry) };
    // SAFETY: and it paired it with a function of the type that the entry was made for.
    unsafe { entry(function, captured, task) }
}

pub(crate) fn initialize(code: Code, argument: &[u8]) -> Result<Box<dyn Any>, String> {
    let place = |place| address(place).map_err(|(_, text)| text);
    let (entry, function) = (place(code.entry)?, place(code.function)?);
    // SAFETY: the parent runs the same executable and took this place from an `InitializerEntry`.
    let entry: InitializerEntry = unsafe { transmute(entry) };
    // SAFETY: and it paired it with a function of the type that the entry was made for.
    unsafe { entry(function, argument) }
}

pub(crate) fn finalize(code: Code, state: Box<dyn Any>) {
    let (Ok(entry), Ok(function)) = (address(code.entry), address(code.function)) else { return };
    // SAFETY: the parent runs the same executable and took this place from a `FinalizerEntry`.
    let entry: FinalizerEntry = unsafe { transmute(entry) };
    // SAFETY: and it paired it with a function of the type that the entry was made for.
    unsafe { entry(function, state) }
}

#[cfg(all(test, not(concurrent_futures_loom)))]
mod tests {
    use super::*;

    fn double(n: u32) -> u32 {
        2 * n
    }

    #[test]
    fn a_function_of_the_executable_comes_back_to_the_same_address() {
        let code = call(double as fn(u32) -> u32).unwrap();
        assert_eq!(address(code.function).unwrap(), double as fn(u32) -> u32 as usize);
        let mut result = Writer::default();
        enter(code, &Arrived::Here(&[21]), &mut result).unwrap();
        assert_eq!(result.finish().unwrap().as_slice(), [42]);
    }

    #[test]
    fn a_function_of_a_shared_library_is_refused() {
        // SAFETY: it looks for a name, which ends with a zero.
        let library = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"getpid".as_ptr()) } as usize;
        let own = double as fn(u32) -> u32 as usize;
        for (entry, function) in [(own, library), (library, own), (own, 0), (own, 1 << 60)] {
            let error = code(entry, function).unwrap_err();
            assert_eq!(error.stage(), TransferStage::Function);
            assert!(error.cause().contains("shared library"), "{error}");
        }
    }

    #[test]
    fn a_place_outside_of_the_executables_code_is_refused() {
        let code = call(double as fn(u32) -> u32).unwrap();
        for offset in [Offset(u64::MAX), Offset(1 << 50)] {
            let code = Code { function: offset, ..code };
            let error = enter(code, &Arrived::Here(&[21]), &mut Writer::default());
            assert!(matches!(error, Err((Stage::DecodeArgument, _))), "{error:?}");
        }
    }
}
