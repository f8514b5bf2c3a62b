//! What becomes of the future: who waits for it, and how it is used up.

use crate::combination::{Combination, End, Handle, Outcome, Waiter, predict};
use crate::common::{BOUND, Latch, Token, eventually};
use concurrent_futures::{AsCompleted, Future, ReturnWhen, TaskError, as_completed, wait};
use futures::executor::block_on;
use futures::task::{ArcWake, waker};
use std::future::Future as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::thread::JoinHandle;

/// The future, in the hands of whoever waits.
pub(crate) enum Held {
    Gone,
    Plain(Future<Token>),
    Lent(Arc<Future<Token>>, JoinHandle<()>),
    Taking(JoinHandle<Result<Token, TaskError>>),
    Completing(AsCompleted<Future<Token>>),
    Polled(Future<Token>, Arc<CountedWaker>),
}

impl Held {
    pub(crate) fn future(&self) -> Option<&Future<Token>> {
        match self {
            Held::Plain(future) | Held::Polled(future, _) => Some(future),
            Held::Lent(future, _) => Some(future),
            Held::Gone | Held::Taking(_) | Held::Completing(_) => None,
        }
    }
}

#[derive(Default)]
pub(crate) struct CountedWaker {
    pub(crate) woken: AtomicUsize,
    pub(crate) first: Latch,
}

impl ArcWake for CountedWaker {
    fn wake_by_ref(this: &Arc<Self>) {
        this.woken.fetch_add(1, Ordering::SeqCst);
        this.first.open();
    }
}

impl CountedWaker {
    pub(crate) fn poll(
        self: &Arc<Self>,
        future: &mut Future<Token>,
    ) -> Poll<Result<Token, TaskError>> {
        let waker = waker(Arc::clone(self));
        Pin::new(future).poll(&mut Context::from_waker(&waker))
    }
}

pub(crate) fn let_wait(waiter: Waiter, handle: Handle, mut future: Future<Token>) -> Held {
    match waiter {
        Waiter::Nobody => Held::Plain(future),
        Waiter::Thread if matches!(handle, Handle::Taken | Handle::CalledBackThenTaken) => {
            Held::Taking(std::thread::spawn(move || future.result()))
        }
        Waiter::Thread if handle == Handle::Awaited => {
            Held::Taking(std::thread::spawn(move || block_on(future)))
        }
        Waiter::Thread => {
            let lent = Arc::new(future);
            let borrowed = Arc::clone(&lent);
            let thread = std::thread::spawn(move || {
                borrowed.wait();
                assert!(borrowed.done());
            });
            Held::Lent(lent, thread)
        }
        Waiter::Wait => {
            let lent = Arc::new(future);
            let borrowed = Arc::clone(&lent);
            let thread = std::thread::spawn(move || {
                let waited = wait([&*borrowed], ReturnWhen::AllCompleted);
                assert_eq!((waited.done.len(), waited.not_done.len()), (1, 0));
            });
            Held::Lent(lent, thread)
        }
        Waiter::AsCompleted => Held::Completing(as_completed([future])),
        Waiter::Waker => {
            let waker = Arc::new(CountedWaker::default());
            assert!(waker.poll(&mut future).is_pending());
            Held::Polled(future, waker)
        }
    }
}

/// What the owner gets in the end.
pub(crate) enum Got {
    Future(Future<Token>),
    Result(Result<Token, TaskError>),
}

/// Ends the waiting, which must end; gives what can still be used.
pub(crate) fn wait_it_out(held: Held) -> Option<Got> {
    Some(match held {
        Held::Gone => return None,
        Held::Plain(future) => {
            assert!(future.wait_timeout(BOUND), "the future never ended");
            Got::Future(future)
        }
        Held::Lent(future, thread) => {
            thread.join().unwrap();
            Got::Future(Arc::into_inner(future).expect("the thread has ended"))
        }
        Held::Taking(thread) => Got::Result(thread.join().unwrap()),
        Held::Completing(mut completed) => {
            let future = completed.next().expect("one future was put in");
            assert!(completed.next().is_none(), "and one comes out");
            Got::Future(future)
        }
        Held::Polled(future, waker) => {
            waker.first.pass();
            assert_eq!(waker.woken.load(Ordering::SeqCst), 1, "a waker is woken once");
            // It is not kept either: only whoever is waking has it for a moment longer.
            eventually(|| Arc::strong_count(&waker) == 1);
            Got::Future(future)
        }
    })
}

/// Drops what panics when it is dropped, if it holds the outcome.
fn drop_quietly(value: impl Sized, may_panic: bool) {
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(value)));
    assert!(may_panic || dropped.is_ok(), "a drop panicked that has no reason to");
}

/// Drops the future before its task is done, in whichever form it is.
pub(crate) fn drop_early(held: &mut Held) -> Option<Arc<CountedWaker>> {
    match std::mem::replace(held, Held::Gone) {
        Held::Plain(future) => drop(future),
        Held::Completing(completed) => drop(completed),
        Held::Polled(future, waker) => {
            drop(future);
            return Some(waker);
        }
        Held::Gone | Held::Lent(..) | Held::Taking(_) => unreachable!("it makes no sense"),
    }
    None
}

/// Uses the future up in the way that the combination says.
pub(crate) fn use_up(combination: Combination, got: Got) {
    let end = predict(combination).end;
    let panics = combination.outcome == Outcome::DropPanics && end == End::Value;
    let taken = |result: Result<Token, TaskError>| {
        assert_eq!(End::of(&result), end);
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(result)));
        assert_eq!(dropped.is_err(), panics, "the panic of a drop goes to whoever has the value");
    };
    match (got, combination.handle) {
        (Got::Result(result), _) => taken(result),
        (Got::Future(future), Handle::Taken | Handle::CalledBackThenTaken) => {
            taken(future.result());
        }
        (Got::Future(mut future), Handle::Awaited) if combination.waiter == Waiter::Waker => {
            match Arc::new(CountedWaker::default()).poll(&mut future) {
                Poll::Ready(result) => taken(result),
                Poll::Pending => panic!("woken before the result could be taken"),
            }
        }
        (Got::Future(future), Handle::Awaited) => taken(block_on(future)),
        (Got::Future(future), Handle::DroppedAfterDone) => drop_quietly(future, panics),
        (Got::Future(future), Handle::PeekedThenDropped) => {
            assert_eq!(End::of(&future.peek().expect("it is done")), end);
            drop_quietly(future, panics);
        }
        (Got::Future(_), Handle::DroppedBeforeStart | Handle::DroppedWhileRunning) => {
            unreachable!("dropped before")
        }
    }
}
