//! The races of a pool: who sleeps, who is woken, who leaves, and what becomes of the tasks.
//!
//! Most models run the pool itself. A task that is left lying while everybody sleeps is a deadlock
//! that the model reports, since somebody waits for the task before the pool is shut down.

use super::ThreadPoolExecutor;
use super::crew::{Crew, Rest};
use super::scope;
use crate::error::TaskError;
use crate::queue::{Lane, Order, Queue, Tour};
use crate::sync::explore::{Counter, Letter, Thread, explore, spawn};
use crate::sync::{Arc, Parker};
use crate::task::{Blocking, block_in_place};

fn pool(max_workers: usize) -> ThreadPoolExecutor {
    ThreadPoolExecutor::new(max_workers).unwrap()
}

/// Submits a task on another thread, while the pool is shut down. Either way to end is right, but it
/// is one of the two: a task that was refused has not run, and one that runs does so before the
/// shutdown is over.
fn submit_during_shutdown(executor: &ThreadPoolExecutor, is_over: &Counter) -> Thread {
    let (handle, is_over) = (executor.handle(), is_over.clone());
    spawn(move || {
        let runs = Counter::new();
        let ran = runs.clone();
        let future = handle.spawn(move || {
            ran.add();
            assert_eq!(is_over.get(), 0, "the shutdown is over");
        });
        match future.result() {
            Ok(()) => assert_eq!(runs.get(), 1),
            Err(error) => {
                assert!(error.is_refused() || error.is_cancelled(), "{error}");
                assert_eq!(runs.get(), 0);
            }
        }
    })
}

// ---- the crew alone, with workers that are told what to do ----------------------------------

/// A crew and its queue; the word of a task is only counted.
struct Yard {
    crew: Crew,
    queue: Queue<()>,
    /// Woken for each task that has been run.
    ran: Parker,
    /// Woken for each worker that has left.
    left: Parker,
}

impl Yard {
    fn new(limit: usize) -> Arc<Yard> {
        Arc::new(Yard {
            crew: Crew::new(limit),
            queue: Queue::new(Order::Fifo, limit - 1),
            ran: Parker::new(),
            left: Parker::new(),
        })
    }

    /// As `Pool::enqueue`; how many threads the caller has to start.
    #[must_use]
    fn push(&self) -> usize {
        self.push_into(None)
    }

    #[must_use]
    fn push_into(&self, lane: Option<Lane>) -> usize {
        self.queue.push((), 0, lane);
        self.summon()
    }

    fn summon(&self) -> usize {
        let summons = self.crew.summon(|| self.queue.len());
        summons.wake.iter().for_each(|seat| seat.parker.unpark());
        assert!(!summons.is_stranded);
        summons.start
    }

    /// As `Worker::serve`, for one task; the worker has been counted as searching. With `retire` its
    /// keep-alive is over as soon as it sleeps. How many threads it has to start in its place.
    fn work(&self, retire: bool) -> usize {
        let seat = self.crew.join();
        loop {
            if self.queue.pop(&mut Tour::default()).is_some() {
                let is_last = self.crew.found();
                let start = if is_last && self.queue.len() > 0 { self.summon() } else { 0 };
                self.ran.unpark();
                return start;
            }
            match self.crew.rest(&seat, || self.queue.len() == 0) {
                Rest::GoOn => {}
                Rest::Leave(others) => {
                    self.left.unpark();
                    return if others && self.queue.len() > 0 { self.summon() } else { 0 };
                }
                Rest::Sleep if retire => match self.crew.retire(&seat, || self.queue.len() == 0) {
                    Rest::GoOn => {}
                    Rest::Leave(_) => return 0,
                    Rest::Sleep => seat.parker.park(),
                },
                Rest::Sleep => seat.parker.park(),
            }
        }
    }

    /// Has one more worker counted as searching, as if it had been started for a task that somebody
    /// else took.
    fn enlist(&self) {
        assert_eq!(self.crew.summon(|| 1).start, 1);
    }
}

/// A worker finds nothing and goes to sleep, while a task is pushed: it sees the task in its last
/// look, or whoever pushes sees it asleep.
#[test]
fn worker_falls_asleep_while_a_task_comes() {
    explore(3, || {
        let yard = Yard::new(1);
        yard.enlist();
        let theirs = Arc::clone(&yard);
        let worker = spawn(move || assert_eq!(theirs.work(false), 0));
        assert_eq!(yard.push(), 0);
        yard.ran.park();
        worker.join();
    });
}

/// A worker submits into its own lane, and is busy from then on, while another one goes to sleep:
/// that one comes for the task.
#[test]
fn worker_falls_asleep_while_another_submits() {
    explore(3, || {
        let yard = Yard::new(2);
        assert_eq!(yard.crew.summon(|| 2).start, 2);
        // The one that submits is this thread; it has found something to do.
        assert!(!yard.crew.found());
        let theirs = Arc::clone(&yard);
        let worker = spawn(move || assert_eq!(theirs.work(false), 0));
        assert_eq!(yard.push_into(yard.queue.take_lane()), 0);
        yard.ran.park();
        worker.join();
    });
}

/// Two producers each push a task, while the workers go to sleep: both tasks are run, by one worker
/// or by two.
#[test]
fn two_producers_and_falling_asleep() {
    explore(2, || {
        let yard = Yard::new(1);
        yard.enlist();
        let theirs = Arc::clone(&yard);
        let worker = spawn(move || {
            assert_eq!(theirs.work(false), 0);
            theirs.crew.search();
            assert_eq!(theirs.work(false), 0);
        });
        let theirs = Arc::clone(&yard);
        let producer = spawn(move || assert_eq!(theirs.push(), 0));
        assert_eq!(yard.push(), 0);
        worker.join();
        producer.join();
    });
}

/// A worker that has slept for its keep-alive leaves, while a task is pushed: the worker stays for
/// it, or whoever pushes starts another.
#[test]
fn worker_retires_while_a_task_comes() {
    explore(3, || {
        let yard = Yard::new(1);
        yard.enlist();
        let theirs = Arc::clone(&yard);
        let worker = spawn(move || assert_eq!(theirs.work(true), 0));
        for _ in 0..yard.push() {
            yard.work(false);
        }
        yard.ran.park();
        worker.join();
    });
}

/// The pool is made smaller while two workers go to sleep and a task is pushed: one may leave, and
/// the task is run all the same.
#[test]
fn resized_while_a_task_comes() {
    explore(2, || {
        let yard = Yard::new(2);
        assert_eq!(yard.crew.summon(|| 2).start, 2);
        let workers = [(); 2].map(|()| {
            let theirs = Arc::clone(&yard);
            spawn(move || assert_eq!(theirs.work(false), 0))
        });
        let theirs = Arc::clone(&yard);
        let producer = spawn(move || assert_eq!(theirs.push(), 0));
        yard.crew.resize(1).iter().for_each(|seat| seat.parker.unpark());
        yard.ran.park();
        yard.crew.close(false).iter().for_each(|seat| seat.parker.unpark());
        producer.join();
        workers.into_iter().for_each(|worker| worker.join());
    });
}

/// The pool is made smaller while two workers go to sleep: one of them leaves, without being asked
/// by a task.
#[test]
fn resized_while_workers_fall_asleep() {
    explore(3, || {
        let yard = Yard::new(2);
        assert_eq!(yard.crew.summon(|| 2).start, 2);
        let workers = [(); 2].map(|()| {
            let theirs = Arc::clone(&yard);
            spawn(move || assert_eq!(theirs.work(false), 0))
        });
        yard.crew.resize(1).iter().for_each(|seat| seat.parker.unpark());
        yard.left.park();
        yard.crew.close(false).iter().for_each(|seat| seat.parker.unpark());
        workers.into_iter().for_each(|worker| worker.join());
    });
}

/// A worker that searches finds a task, while another is pushed by somebody who relies on that very
/// worker because it still searches: somebody else is summoned for the second task.
#[test]
fn searcher_finds_one_task_while_another_comes() {
    explore(3, || {
        let yard = Yard::new(2);
        yard.enlist();
        yard.queue.push((), 0, None);
        let theirs = Arc::clone(&yard);
        let worker = spawn(move || {
            for _ in 0..theirs.work(false) {
                theirs.work(false);
            }
        });
        for _ in 0..yard.push() {
            yard.work(false);
        }
        worker.join();
        assert_eq!(yard.queue.len(), 0);
    });
}

/// A worker comes back from a block, one worker is too many, and one of two sleepers is woken to
/// leave. Meanwhile a task is pushed by somebody who relies on the one that was woken: it takes the
/// task, or it wakes the other sleeper before it leaves.
fn one_too_many_leaves_while_a_task_comes(leaves_in_rest: bool) {
    explore(3, move || {
        let yard = Yard::new(2);
        yard.enlist();
        assert!(yard.crew.found());
        assert_eq!(yard.crew.begin_blocking(Blocking::InPlace, || 0).start, 0);
        assert_eq!(yard.crew.summon(|| 2).start, 2);
        let [_, woken] = [(); 2].map(|()| {
            let seat = yard.crew.join();
            assert_eq!(yard.crew.rest(&seat, || true), Rest::Sleep);
            seat
        });
        assert!(Arc::ptr_eq(&yard.crew.end_blocking(Blocking::InPlace).unwrap(), &woken));

        let theirs = Arc::clone(&yard);
        let worker = spawn(move || {
            let is_empty = || theirs.queue.len() == 0;
            let rest = if !leaves_in_rest {
                theirs.crew.leave_if_too_many(&woken, true)
            } else if theirs.queue.pop(&mut Tour::default()).is_some() {
                assert!(theirs.crew.found());
                return;
            } else {
                theirs.crew.rest(&woken, is_empty)
            };
            assert_eq!(rest, Rest::Leave(true));
            if !is_empty() {
                assert_eq!(theirs.summon(), 0);
            }
        });
        assert_eq!(yard.push(), 0);
        worker.join();
        let (_, _, idle) = yard.crew.tally();
        assert!(yard.queue.len() == 0 || idle == 0, "nobody comes for the task");
    });
}

/// The one too many finds that out between two tasks.
#[test]
fn one_too_many_leaves_at_once_while_a_task_comes() {
    one_too_many_leaves_while_a_task_comes(false);
}

/// The one too many finds that out when it has looked for a task in vain.
#[test]
fn one_too_many_leaves_instead_of_sleeping_while_a_task_comes() {
    one_too_many_leaves_while_a_task_comes(true);
}

/// A worker says that it will block, while a task is pushed: somebody is started in its place.
#[test]
fn worker_blocks_while_a_task_comes() {
    explore(3, || {
        let yard = Yard::new(1);
        yard.enlist();
        assert!(yard.crew.found());
        let theirs = Arc::clone(&yard);
        let worker = spawn(move || {
            let summons = theirs.crew.begin_blocking(Blocking::Waiting, || theirs.queue.len());
            for _ in 0..summons.start {
                theirs.work(false);
            }
            theirs.ran.park();
            assert!(theirs.crew.end_blocking(Blocking::Waiting).is_none());
        });
        for _ in 0..yard.push() {
            yard.work(false);
        }
        worker.join();
    });
}

// ---- the pool -------------------------------------------------------------------------------

/// A task is submitted while the only worker ends the one before, searches, or falls asleep: it is
/// run.
#[test]
fn one_producer_and_one_worker() {
    explore(1, || {
        let executor = pool(1);
        executor.spawn(|| ()).result().unwrap();
        executor.spawn(|| ()).result().unwrap();
    });
}

/// Two threads submit at once, the first tasks of the pool: one worker is started, and runs both.
#[test]
fn two_producers_and_growth() {
    explore(1, || {
        let executor = pool(1);
        let handle = executor.handle();
        let producer = spawn(move || handle.spawn(|| ()).result().unwrap());
        executor.spawn(|| ()).result().unwrap();
        producer.join();
        assert_eq!(executor.stats().workers, 1);
    });
}

/// The only worker blocks in its task, while the task is submitted that it waits for: a spare comes.
#[test]
fn only_worker_blocks_while_a_task_comes() {
    explore(1, || {
        let executor = pool(1);
        let parker = Arc::new(Parker::new());
        let theirs = Arc::clone(&parker);
        let first = executor.spawn(move || block_in_place(|| theirs.park()));
        let second = executor.spawn(move || parker.unpark());
        first.result().unwrap();
        second.result().unwrap();
    });
}

/// A task on the only worker submits another and waits for it: it runs it itself.
#[test]
fn nested_on_one_worker() {
    explore(2, || {
        let executor = pool(1);
        let handle = executor.handle();
        let outer = executor.spawn(move || {
            let value = handle.spawn(|| 42).result().unwrap();
            (value, handle.stats().workers)
        });
        assert_eq!(outer.result().unwrap(), (42, 1));
    });
}

/// A worker waits for a task and runs it itself, while another worker pops it: it runs once.
#[test]
fn helped_while_another_worker_pops() {
    explore(1, || {
        let executor = pool(2);
        let handle = executor.handle();
        let runs = Counter::new();
        let ran = runs.clone();
        let outer = executor.spawn(move || handle.spawn(move || ran.add()).result());
        outer.result().unwrap().unwrap();
        assert_eq!(runs.get(), 1);
    });
}

/// A submits, while B shuts the pool down and waits: the task is run or refused, and never left
/// lying.
#[test]
fn submit_against_shutdown() {
    explore(2, || {
        let executor = pool(1);
        let is_over = Counter::new();
        let producer = submit_during_shutdown(&executor, &is_over);
        executor.shutdown(true, false);
        is_over.add();
        producer.join();
    });
}

/// A submits a second task to a pool whose worker sleeps or is about to, while B shuts the pool down:
/// the task is run or refused.
#[test]
fn submit_to_an_idle_worker_against_shutdown() {
    explore(1, || {
        let executor = pool(1);
        executor.spawn(|| ()).result().unwrap();
        let is_over = Counter::new();
        let producer = submit_during_shutdown(&executor, &is_over);
        executor.shutdown(true, false);
        is_over.add();
        producer.join();
    });
}

/// A submits, while B shuts the pool down and cancels what is queued: the task is run, refused or
/// cancelled.
#[test]
fn submit_against_cancelling_shutdown() {
    explore(2, || {
        let executor = pool(1);
        let is_over = Counter::new();
        let producer = submit_during_shutdown(&executor, &is_over);
        executor.shutdown(true, true);
        is_over.add();
        producer.join();
    });
}

/// The first worker's initializer fails and breaks the pool, while another task is submitted: both
/// tasks fail, and say why.
#[test]
fn submit_against_break_down() {
    explore(2, || {
        let executor = ThreadPoolExecutor::builder()
            .max_workers(1)
            .try_initializer(|| {
                Err::<(), _>(TaskError::new(crate::error::TaskErrorKind::Cancelled))
            })
            .build()
            .unwrap();
        let first = executor.spawn(|| ());
        let second = executor.spawn(|| ());
        assert!(first.result().is_err());
        assert!(second.result().is_err());
    });
}

/// The last task of a scope lets go of what it borrows, while the scope waits for it: what the task
/// did is visible when the scope is over, and nobody sleeps for ever.
#[test]
fn last_guard_against_the_end_of_the_scope() {
    explore(3, || {
        let shared = Arc::new((Arc::new(scope::Shared::new()), Letter::new()));
        let theirs = Arc::clone(&shared);
        let guard = shared.0.guard();
        let task = spawn(move || {
            theirs.1.write(42);
            drop(guard);
        });
        shared.0.wait();
        assert_eq!(shared.1.read(), 42);
        task.join();
    });
}

// ---- callers that help ----------------------------------------------------------------------

fn pool_with_guests() -> ThreadPoolExecutor {
    ThreadPoolExecutor::builder().max_workers(1).caller_helps(true).build().unwrap()
}

/// A caller waits for its task and runs it itself, while a worker pops it: it runs once.
#[test]
fn guest_and_worker_begin_the_same_task() {
    explore(1, || {
        let executor = pool_with_guests();
        let runs = Counter::new();
        let ran = runs.clone();
        executor.spawn(move || ran.add()).result().unwrap();
        assert_eq!(runs.get(), 1);
    });
}

/// A caller runs its task itself, while the pool is shut down: the shutdown waits for it, or the task
/// is left to the last worker, or refused.
#[test]
fn guest_against_shutdown() {
    explore(3, || {
        let executor = pool_with_guests();
        let is_over = Counter::new();
        let caller = submit_during_shutdown(&executor, &is_over);
        executor.shutdown(true, false);
        is_over.add();
        caller.join();
    });
}

/// A task is submitted that nobody waits for, while the worker finds that the one before was run by its
/// caller, and dozes, falls asleep or still searches: it is run, although a stale entry lies before it.
#[test]
fn task_without_a_caller_after_one_with_a_guest() {
    explore(3, || {
        let executor = pool_with_guests();
        executor.spawn(|| ()).result().unwrap();
        let ran = Arc::new(Parker::new());
        let theirs = Arc::clone(&ran);
        drop(executor.spawn(move || theirs.unpark()));
        ran.park();
    });
}

/// A scope ends after its tasks: nothing of them is kept.
#[test]
fn scope_keeps_no_task() {
    // One order will do, and others would drop the scope's shared part on the worker, whose `Arc` the
    // model does not see through.
    explore(0, || {
        let executor = pool(1);
        let letter = Letter::new();
        executor.scope(|scope| drop(scope.spawn(|| letter.write(42))));
        assert_eq!(letter.read(), 42);
    });
}
