//! The races at futures and at what collects them.

use super::{CompletionQueue, Future, Group, Promise, ReturnWhen, wait};
use crate::sync::explore::{Counter, Witness, explore, spawn};
use crate::sync::{Arc, Parker};
use std::pin::Pin;
use std::task::{Context, Poll, Wake, Waker};

/// Wakes a thread that sleeps in place of an asynchronous task.
struct Sleeper(Parker);

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn sleeper() -> (Arc<Sleeper>, Waker) {
    let sleeper = Arc::new(Sleeper(Parker::new()));
    (Arc::clone(&sleeper), Waker::from(sleeper))
}

fn poll<F: std::future::Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// Polls until ready, and sleeps in between; each wake-up must be worth it.
fn block_on<F: std::future::Future + Unpin>(mut future: F) -> F::Output {
    let (sleeper, waker) = sleeper();
    if let Poll::Ready(output) = poll(&mut future, &waker) {
        return output;
    }
    sleeper.0.park();
    match poll(&mut future, &waker) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("woken too soon"),
    }
}

/// Gives the promised value on another thread.
fn keep<T: Send + 'static>(mut promise: Promise<T>, value: T) -> crate::sync::explore::Thread {
    spawn(move || {
        // Refused if the future was cancelled.
        let _ = promise.set_result(value);
    })
}

/// A ends the task, while B polls its future, leaves a waker, and sleeps: B is woken, and finds the
/// future ready.
#[test]
fn waker_registered_while_finishing() {
    explore(3, || {
        let drops = Counter::new();
        let (promise, future) = Promise::new();
        let maker = keep(promise, Witness::new(&drops));
        block_on(future).unwrap().look();
        maker.join();
        assert_eq!(drops.get(), 1);
    });
}

/// A ends the task, while B, whose future has moved to another asynchronous task, leaves a second
/// waker in place of the first: if the future was still pending by then, the second one is woken.
#[test]
fn waker_replaced_while_finishing() {
    explore(3, || {
        let (promise, mut future) = Promise::new();
        let (_, first) = sleeper();
        let first = poll(&mut future, &first);
        assert!(first.is_pending());
        let maker = keep(promise, 42);
        assert_eq!(block_on(future).unwrap(), 42);
        maker.join();
    });
}

/// A ends the task, while B and C each poll a shared future with a waker of their own: both are
/// woken.
#[test]
fn two_readers_while_finishing() {
    explore(1, || {
        let (promise, future) = Promise::new();
        let one = future.shared();
        // Dropped after all other readers: their counter is not modelled, so the model would not know
        // that the last one comes after the others.
        let (other, _last) = (one.clone(), one.clone());
        let maker = keep(promise, 42);
        let reader = spawn(move || assert_eq!(block_on(other).unwrap(), 42));
        assert_eq!(block_on(one).unwrap(), 42);
        maker.join();
        reader.join();
    });
}

/// A ends the task, while B drops a future that has left a waker: the waker is woken or forgotten,
/// and nothing of it stays with a task that is not done.
#[test]
fn future_dropped_with_its_waker_while_finishing() {
    explore(3, || {
        let drops = Counter::new();
        let (promise, mut future) = Promise::new();
        let watched = future.task().unwrap().clone();
        let (sleeper, waker) = sleeper();
        assert!(poll(&mut future, &waker).is_pending());
        drop(waker);
        let maker = keep(promise, Witness::new(&drops));
        drop(future);
        let holders = Arc::strong_count(&sleeper);
        if !watched.snapshot().is_done() {
            assert_eq!(holders, 1, "the waker is still registered");
        }
        maker.join();
        drop(watched);
        assert_eq!((drops.get(), Arc::strong_count(&sleeper)), (1, 1));
    });
}

/// A drops a promise that it has not kept, while B waits for the future: B learns of it.
#[test]
fn promise_dropped_against_wait() {
    explore(3, || {
        let (promise, future) = Promise::<u32>::new();
        let maker = spawn(move || drop(promise));
        assert!(future.result().is_err());
        maker.join();
    });
}

/// A ends the source of a flattened future, while B cancels the flattened one: both forms end the
/// same way, the value is dropped once, and `cancel` told the truth.
#[test]
fn source_ended_while_flat_is_cancelled() {
    explore(2, || {
        let drops = Counter::new();
        let (mut promise, future) = Promise::<Result<Witness, std::fmt::Error>>::new();
        let flat = future.flatten();
        let (kept, value) = (Counter::new(), Ok(Witness::new(&drops)));
        let counter = kept.clone();
        let maker = spawn(move || {
            if promise.set_result(value).is_ok() {
                counter.add();
            }
        });
        let is_cancelled = flat.cancel();
        match flat.result() {
            Ok(value) => {
                assert!(!is_cancelled);
                value.look();
            }
            Err(error) => assert!(is_cancelled && error.is_cancelled()),
        }
        maker.join();
        assert_eq!((kept.get(), drops.get()), (usize::from(!is_cancelled), 1));
    });
}

/// A ends a task, while B makes another form of its future: the other form gets the outcome.
#[test]
fn flattened_while_finishing() {
    explore(2, || {
        let drops = Counter::new();
        let (promise, future) = Promise::<Result<Witness, std::fmt::Error>>::new();
        let maker = keep(promise, Ok(Witness::new(&drops)));
        future.flatten().result().unwrap().look();
        maker.join();
        assert_eq!(drops.get(), 1);
    });
}

/// A and B each end a task, while C takes both out of a completion queue: each comes once, and C
/// does not sleep through either.
#[test]
fn two_finishers_and_one_consumer() {
    explore(2, || {
        let (one, first) = Promise::new();
        let (other, second) = Promise::new();
        let mut queue: CompletionQueue<_> = [first, second].into_iter().collect();
        let makers = [keep(one, 1), keep(other, 2)];
        let sum: u32 = std::iter::from_fn(|| queue.pop()).map(|it| it.result().unwrap()).sum();
        assert_eq!(sum, 3);
        makers.into_iter().for_each(|maker| maker.join());
    });
}

/// A ends a task, while B pushes its future into a queue and waits there: it comes out once.
#[test]
fn pushed_while_finishing() {
    explore(3, || {
        let (promise, future) = Promise::new();
        let maker = keep(promise, 42);
        let mut queue = CompletionQueue::new();
        queue.push(future);
        assert_eq!(queue.pop().unwrap().result().unwrap(), 42);
        assert!(queue.pop().is_none());
        maker.join();
    });
}

/// A ends one of two tasks, while B drops the queue that holds references to both: neither is told
/// to a queue that is gone, and the task that is not done has no waiter left.
#[test]
fn queue_dropped_while_finishing() {
    explore(3, || {
        let (promise, future) = Promise::new();
        let (_pending, other) = Promise::<u32>::new();
        let queue: CompletionQueue<_> = [&future, &other].into_iter().collect();
        let inbox = queue.inbox_for_test();
        let maker = keep(promise, 42);
        drop(queue);
        maker.join();
        assert!(inbox.upgrade().is_none(), "a task that is not done still knows the queue");
        assert_eq!(future.result().unwrap(), 42);
    });
}

/// A ends a task, while B polls the queue as a stream, leaves a waker, and sleeps: B is woken.
#[test]
fn stream_polled_while_finishing() {
    struct Next(CompletionQueue<Future<u32>>);

    impl std::future::Future for Next {
        type Output = Option<Future<u32>>;

        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
            futures_core::Stream::poll_next(Pin::new(&mut self.0), context)
        }
    }

    explore(3, || {
        let (promise, future) = Promise::new();
        let mut queue = CompletionQueue::new();
        queue.push(future);
        let maker = keep(promise, 42);
        assert_eq!(block_on(Next(queue)).unwrap().result().unwrap(), 42);
        maker.join();
    });
}

/// A and B each end a task, while C waits for the first of them: C returns with one or both.
#[test]
fn wait_for_the_first_of_two() {
    explore(2, || {
        let (one, first) = Promise::new();
        let (other, second) = Promise::new();
        let makers = [keep(one, 1), keep(other, 2)];
        let waited = wait([first, second], ReturnWhen::FirstCompleted);
        assert!(!waited.done.is_empty());
        makers.into_iter().for_each(|maker| maker.join());
    });
}

/// A cancels a group, while B adds a task to it: the task is cancelled by one of them.
#[test]
fn group_cancelled_while_a_task_is_added() {
    explore(3, || {
        let group = Arc::new(Group::new());
        let theirs = Arc::clone(&group);
        let canceller = spawn(move || {
            theirs.cancel();
        });
        let (_promise, future) = Promise::<u32>::new();
        group.add(&future);
        canceller.join();
        assert!(future.cancelled());
    });
}
