//! Two calls that may run at the same time, on the stack of the caller.

use super::ThreadPoolHandle;
use super::fork::{Desk, Fork};
use crate::error::TaskPanic;
use crate::sync::UnsafeCell;
use crate::task;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ptr::NonNull;

/// Calls `a` and `b`, at the same time if a worker is idle, and gives both results.
///
/// For tasks of a [`ThreadPoolExecutor`](crate::ThreadPoolExecutor) that part their work in two, again
/// and again: sorting, trees, divide and conquer. The closures may borrow from the caller. While all
/// workers are busy this costs a few nanoseconds, and `a` and `b` are called one after the other on this
/// thread. If some worker is idle, `b` may be run there, as a part of the task that this thread runs:
/// with its label, its [request to stop](crate::cancellation_requested), and its
/// [context](crate::ThreadPoolBuilder::context).
///
/// On any other thread, outside of all pools, the two are called one after the other;
/// [`ThreadPoolHandle::join`] brings them to a pool.
///
/// Blocks until both have returned. If another worker runs `b` and `a` is over first, this thread runs
/// parts of `b` meanwhile, if that calls `join` itself. Neither may rely on the other one to run at the
/// same time.
///
/// # Panics
///
/// If `a` or `b` does, after both have ended; with the panic of `a`, if both do. If `a` panics before
/// `b` has begun, `b` is not called.
///
/// # Python
///
/// There is no counterpart. The idea of forking on the stack is Cilk's; the name is rayon's. That
/// forks stay private until somebody is idle is known as lazy scheduling, and Spice and chili do it.
///
/// # Examples
///
/// ```
/// use concurrent_futures::{ThreadPoolExecutor, join};
///
/// fn sum(numbers: &[u64]) -> u64 {
///     if numbers.len() < 1000 {
///         return numbers.iter().sum();
///     }
///     let (low, high) = numbers.split_at(numbers.len() / 2);
///     let (low, high) = join(|| sum(low), || sum(high));
///     low + high
/// }
///
/// let executor = ThreadPoolExecutor::new(2)?;
/// let total = executor.spawn(|| sum(&(1..=100_000).collect::<Vec<_>>()));
/// assert_eq!(total.result()?, 5_000_050_000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[inline]
pub fn join<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA + Send,
    B: FnOnce() -> RB + Send,
    RA: Send,
    RB: Send,
{
    Desk::with(|desk| match desk {
        Some(desk) => join_at(desk, a, b),
        None => (a(), b()),
    })
}

#[inline]
fn join_at<A, B, RA, RB>(desk: &Desk, a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA + Send,
    B: FnOnce() -> RB + Send,
    RA: Send,
    RB: Send,
{
    let call = Call::new(b);
    let Some(place) = desk.put(call.fork()) else { return join_without_place(desk, a, call) };
    let unwinding = Unwinding { desk, call: &call, place: Some(place) };
    desk.share_if_wanted(place);
    let ra = a();
    std::mem::forget(unwinding);
    if desk.take_back(place) {
        // SAFETY: it was private, so nobody else has come to it, or will.
        let b = unsafe { call.take() };
        return (ra, b());
    }
    let rb = recover(desk, &call);
    (ra, rb)
}

/// There is no place in a pool with a context hook, nor for one fork upon so many others.
#[cold]
#[inline(never)]
fn join_without_place<A, B, RA, RB>(desk: &Desk, a: A, call: Call<B, RB>) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    // SAFETY: nobody else has heard of it.
    let b = unsafe { call.take() };
    let Some(captured) = desk.capture() else { return (a(), b()) };
    let call = Call::new(b);
    desk.share_at_once(call.fork(), captured);
    let unwinding = Unwinding { desk, call: &call, place: None };
    let ra = a();
    std::mem::forget(unwinding);
    let rb = recover(desk, &call);
    (ra, rb)
}

#[cold]
#[inline(never)]
fn recover<B: FnOnce() -> RB, RB>(desk: &Desk, call: &Call<B, RB>) -> RB {
    if desk.recover() {
        // SAFETY: it has been run, and is over.
        let result = unsafe { call.result() };
        result.unwrap_or_else(|panic| task::resume(panic))
    } else {
        // SAFETY: nobody has run it, nor will.
        let b = unsafe { call.take() };
        b()
    }
}

/// A closure on the stack, and in its place later what it returned, if somebody else has called it.
struct Call<B, RB> {
    closure: UnsafeCell<ManuallyDrop<B>>,
    result: UnsafeCell<MaybeUninit<Result<RB, TaskPanic>>>,
}

impl<B: FnOnce() -> RB, RB> Call<B, RB> {
    #[inline]
    fn new(closure: B) -> Self {
        Call {
            closure: UnsafeCell::new(ManuallyDrop::new(closure)),
            result: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    #[inline]
    fn fork(&self) -> Fork {
        Fork { place: NonNull::from(self).cast(), run: Self::run }
    }

    /// Moves the closure out.
    ///
    /// # Safety
    ///
    /// It is the caller's alone, and has not been moved out before.
    #[inline]
    unsafe fn take(&self) -> B {
        self.closure.with_mut(|closure| {
            // SAFETY: the caller vouches for it.
            ManuallyDrop::into_inner(unsafe { closure.read() })
        })
    }

    /// Moves out what [`run`](Self::run) has left.
    ///
    /// # Safety
    ///
    /// `run` has returned, which this thread has been told of, and this has not been called before.
    unsafe fn result(&self) -> Result<RB, TaskPanic> {
        self.result.with_mut(|result| {
            // SAFETY: it is this thread's by now, and is read once, by the caller's word.
            let result = unsafe { result.read() };
            // SAFETY: `run` has written it.
            unsafe { result.assume_init() }
        })
    }

    /// Calls the closure, and leaves its result or its panic.
    ///
    /// # Safety
    ///
    /// `call` points to a live one of this type, whose closure is the caller's alone and has not been
    /// moved out.
    unsafe fn run(call: NonNull<()>) {
        // SAFETY: the caller vouches for it.
        let call = unsafe { call.cast::<Self>().as_ref() };
        // SAFETY: the same.
        let closure = unsafe { call.take() };
        let outcome = task::catch(closure);
        call.result.with_mut(|result| {
            // SAFETY: whoever may take the closure may write the result, and nobody reads it before
            // this call has returned.
            unsafe { result.write(MaybeUninit::new(outcome)) };
        });
    }
}

/// `a` panics: sees that nothing of `b` is left when the stack is gone.
struct Unwinding<'a, B: FnOnce() -> RB, RB> {
    desk: &'a Desk,
    call: &'a Call<B, RB>,
    /// None if the fork has been shared at once.
    place: Option<usize>,
}

impl<B: FnOnce() -> RB, RB> Drop for Unwinding<'_, B, RB> {
    #[inline]
    fn drop(&mut self) {
        unwind(self.desk, self.call, self.place);
    }
}

#[cold]
#[inline(never)]
fn unwind<B: FnOnce() -> RB, RB>(desk: &Desk, call: &Call<B, RB>, place: Option<usize>) {
    let is_private = place.is_some_and(|place| desk.take_back(place));
    if !is_private && desk.recover() {
        // SAFETY: it has been run, and is over.
        drop(unsafe { call.result() });
    } else {
        // SAFETY: nobody has run it, nor will.
        drop(unsafe { call.take() });
    }
}

impl<S: 'static> ThreadPoolHandle<S> {
    /// Calls `a` and `b`, at the same time if a worker of this executor is idle, and gives both
    /// results; see [`join`](crate::join()).
    ///
    /// `a` is called on this thread, which takes part in the work besides the workers; and so is `b`,
    /// unless a worker has begun it by the time that `a` is over. [`join`](crate::join()) within either
    /// of them uses the same executor. So nothing is waited for before the work begins, and it is done
    /// in any case, also if the executor has been shut down.
    ///
    /// Blocks until both have returned. [Options](Self::with) of this handle mean nothing here: the
    /// calls belong to the task that this thread runs, if it runs one.
    ///
    /// # Panics
    ///
    /// As [`join`](crate::join()).
    ///
    /// # Examples
    ///
    /// ```
    /// let executor = concurrent_futures::ThreadPoolExecutor::new(2)?;
    /// let mut words = ["b", "a", "d", "c"];
    /// let (low, high) = words.split_at_mut(2);
    /// executor.join(|| low.sort(), || high.sort());
    /// assert_eq!(words, ["a", "b", "c", "d"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join<A, B, RA, RB>(&self, a: A, b: B) -> (RA, RB)
    where
        A: FnOnce() -> RA + Send,
        B: FnOnce() -> RB + Send,
        RA: Send,
        RB: Send,
    {
        if Desk::with(|desk| desk.is_some_and(|desk| desk.is_of(self.pool()))) {
            return join(a, b);
        }
        let desk = Desk::of_caller(self.pool().clone());
        desk.open(|| join_at(&desk, a, b))
    }
}
