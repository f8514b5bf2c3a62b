//! The races for room in a bounded queue.

use super::ThreadPoolExecutor;
use super::crew::Crew;
use crate::executor::{Admission, Bound, Patience, WhenFull};
use crate::future::Promise;
use crate::queue::{Order, Queue, Tour};
use crate::sync::explore::{explore, spawn};
use crate::sync::{Arc, Parker};

/// Two submitters want the only place, while a worker takes out whatever is in: both get in, one
/// after the other, and there are never two.
#[test]
fn two_submitters_and_one_place() {
    explore(2, || {
        let shared =
            Arc::new((Bound::new(1, WhenFull::Block), Queue::new(Order::Fifo, 0), Parker::new()));
        let submit = |shared: &(Bound, Queue<()>, Parker)| {
            let (bound, queue, pushed) = shared;
            let push = || {
                assert_eq!(queue.len(), 0);
                queue.push((), 0, None);
                true
            };
            let admission = bound.admit(Patience::Policy, || false, push);
            assert_eq!(admission, Admission::Admitted);
            pushed.unpark();
        };
        let theirs = Arc::clone(&shared);
        let submitter = spawn(move || submit(&theirs));
        let theirs = Arc::clone(&shared);
        let worker = spawn(move || {
            let (bound, queue, pushed) = &*theirs;
            let mut left = 2;
            while left > 0 {
                if queue.pop(&mut Tour::default()).is_some() {
                    left -= 1;
                    bound.release(1);
                } else {
                    pushed.park();
                }
            }
        });
        submit(&shared);
        submitter.join();
        worker.join();
    });
}

/// A submitter waits for room, while the queued task is cancelled: the submitter gets its place.
#[test]
fn cancel_frees_the_place_of_a_blocked_submitter() {
    explore(1, || {
        let executor = ThreadPoolExecutor::builder()
            .max_workers(1)
            .queue_capacity(1, WhenFull::Block)
            .build()
            .unwrap();
        let (promise, gate) = Promise::<()>::new();
        let busy = executor.spawn(move || drop(gate.result()));
        // Admitted once the worker has begun the first task, which then waits.
        let queued = executor.spawn(|| ());
        let handle = executor.handle();
        let submitter = spawn(move || {
            let admitted = handle.spawn(|| ());
            drop(promise);
            admitted.result().unwrap();
        });
        queued.cancel();
        submitter.join();
        busy.result().unwrap();
    });
}

/// A submitter waits for room, while the pool is closed: it goes away with a refusal.
#[test]
fn close_releases_a_blocked_submitter() {
    explore(3, || {
        let shared = Arc::new((Bound::new(1, WhenFull::Block), Crew::new(1)));
        let first = shared.0.admit(Patience::Policy, || false, || true);
        assert_eq!(first, Admission::Admitted);
        let theirs = Arc::clone(&shared);
        let submitter = spawn(move || {
            let is_closed = || theirs.1.is_closed();
            let admission =
                theirs.0.admit(Patience::Policy, is_closed, || unreachable!("it is full"));
            assert_eq!(admission, Admission::Closed);
        });
        assert!(shared.1.close(false).is_empty());
        shared.0.close();
        submitter.join();
    });
}
