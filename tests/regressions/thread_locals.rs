//! Threads that are ending, and the destructors of their thread-locals.

use crate::common::{BOUND, Gate, Latch, eventually, within};
use crate::support::{Seen, survives};
use concurrent_futures::{Promise, ThreadPoolExecutor, ThreadPoolHandle};
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// Waits, so that what the crate itself keeps in this thread is made now. It goes first then, for
/// the thread-locals of a thread go in the reverse order.
fn use_the_crates_thread_locals() {
    let (_promise, future) = Promise::<()>::new();
    assert!(!future.wait_timeout(Duration::from_millis(1)));
}

/// An executor in a thread-local is shut down by its destructor; by then what the crate kept in
/// that thread was gone, and looking for it panicked, which ends the process.
#[test]
fn an_executor_can_live_in_a_thread_local() {
    thread_local! { static POOL: ThreadPoolExecutor = ThreadPoolExecutor::new(1).unwrap() }
    survives("thread_locals::an_executor_can_live_in_a_thread_local", || {
        let thread = std::thread::spawn(|| {
            POOL.with(|pool| pool.spawn(|| ()).wait());
            use_the_crates_thread_locals();
        });
        thread.join().unwrap();
    });
}

static IS_GONE: AtomicBool = AtomicBool::new(false);

/// What the tasks of a scope borrow.
struct Borrowed;

impl Drop for Borrowed {
    fn drop(&mut self) {
        IS_GONE.store(true, Ordering::SeqCst);
    }
}

/// Opens a scope when it is dropped. Its task waits at the gate, and then tells whether what it has
/// borrowed is gone.
struct OpensAScope {
    pool: ThreadPoolHandle,
    latch: Latch,
    scope_is_open: mpsc::Sender<Seen>,
    answer: mpsc::Sender<bool>,
}

impl Drop for OpensAScope {
    fn drop(&mut self) {
        let (latch, answer) = (&self.latch, &self.answer);
        let borrowed = Borrowed;
        let borrow = &borrowed;
        self.pool.scope(|scope| {
            drop(scope.spawn(move || {
                latch.pass();
                let _borrow = borrow;
                answer.send(IS_GONE.load(Ordering::SeqCst)).unwrap();
            }));
            self.scope_is_open.send(Seen::here()).unwrap();
        });
    }
}

/// A scope in such a destructor panicked in the wait for its tasks, and so ended before they did:
/// they went on with borrows of what was gone.
#[test]
fn a_scope_in_a_destructor_waits_for_its_tasks() {
    thread_local! { static LATE: RefCell<Option<OpensAScope>> = const { RefCell::new(None) } }
    survives("thread_locals::a_scope_in_a_destructor_waits_for_its_tasks", || {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = Gate::new();
        let (scope_is_open, is_open) = mpsc::channel();
        let (answer, is_gone) = mpsc::channel();
        let late =
            OpensAScope { pool: executor.handle(), latch: gate.latch(), scope_is_open, answer };
        let thread = std::thread::spawn(move || {
            LATE.set(Some(late));
            use_the_crates_thread_locals();
        });
        is_open.recv_timeout(BOUND).unwrap().until_asleep();
        gate.open();
        assert!(!is_gone.recv_timeout(BOUND).unwrap());
        thread.join().unwrap();
    });
}

/// Drops an executor, and tells that this has come to its end.
struct LastOwner(Option<Arc<ThreadPoolExecutor>>, mpsc::Sender<()>);

impl Drop for LastOwner {
    fn drop(&mut self) {
        drop(self.0.take());
        self.1.send(()).unwrap();
    }
}

/// The last owner of an executor was a thread-local of its own worker, which was not known as one
/// any more when it was ending, and so waited for its own end.
#[test]
fn a_workers_thread_local_can_be_the_last_owner() {
    thread_local! { static CACHE: RefCell<Option<LastOwner>> = const { RefCell::new(None) } }
    survives("thread_locals::a_workers_thread_local_can_be_the_last_owner", || {
        let builder = ThreadPoolExecutor::builder().max_workers(1);
        let executor = Arc::new(builder.keep_alive(Duration::from_millis(1)).build().unwrap());
        let (sender, is_over) = mpsc::channel();
        let last = LastOwner(Some(Arc::clone(&executor)), sender);
        executor.spawn(move || CACHE.set(Some(last))).result().unwrap();
        drop(executor);
        is_over.recv_timeout(BOUND).unwrap();
    });
}

/// Keeps its thread in the destructor until the gate is opened.
struct Stays(Latch, mpsc::Sender<()>);

impl Drop for Stays {
    fn drop(&mut self) {
        self.1.send(()).unwrap();
        self.0.pass();
    }
}

/// A thread had left and was in such a destructor, which took its time, when a submission had to
/// start another one: to tidy up, it joined the first and waited for the destructor.
#[test]
fn a_submission_does_not_wait_for_a_destructor() {
    thread_local! { static AT_THE_END: RefCell<Option<Stays>> = const { RefCell::new(None) } }
    within(|| {
        let builder = ThreadPoolExecutor::builder().max_workers(1);
        let executor = builder.keep_alive(Duration::from_millis(1)).build().unwrap();
        let gate = Gate::new();
        let (sender, is_ending) = mpsc::channel();
        let stays = Stays(gate.latch(), sender);
        executor.spawn(move || AT_THE_END.set(Some(stays))).result().unwrap();
        is_ending.recv_timeout(BOUND).unwrap();
        eventually(|| executor.stats().workers == 0);
        executor.spawn(|| ()).result().unwrap();
        gate.open();
    });
}
