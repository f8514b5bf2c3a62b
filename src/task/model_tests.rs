//! The races of one task: between whoever runs it, waits for it, cancels it, and lets go of it.
//!
//! That the allocation is freed is checked by the model itself (`Tracked`), and that nobody touches
//! it any more by then, too (`State::last`).

use super::handle::{Fresh, Handle};
use super::owner::OwnerId;
use super::task_ref::{Cancelled, TaskRef};
use super::waiters::Waiter;
use super::{Blocking, Body, Extras, TaskSettings, Unobserved, promised, while_blocked};
use crate::sync::explore::{Counter, Letter, Witness, explore, spawn};
use crate::sync::{Arc, Mutex, Parker};

struct Job<F>(F);

impl<F: FnOnce() -> R, R> Body for Job<F> {
    type Output = R;
    type Guard = ();

    fn guard(&mut self) {}

    fn run(self) -> R {
        (self.0)()
    }
}

fn job<F, R>(function: F) -> (TaskRef, Handle<R>)
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    Fresh::new(Job(function), OwnerId::NOBODY, None).split()
}

/// A task whose outcome is a witness, and how often that has been dropped.
fn witnessed() -> (TaskRef, Handle<Witness>, Counter) {
    let drops = Counter::new();
    let inside = drops.clone();
    let (entry, handle) = job(move || Witness::new(&inside));
    (entry, handle, drops)
}

/// As a worker does with an entry that it has popped.
fn run(entry: TaskRef) {
    if let Ok(begun) = entry.begin_last() {
        begun.run();
    }
}

fn expiring(on_unobserved: &Counter) -> Option<Arc<Extras>> {
    let reports = on_unobserved.clone();
    let on_unobserved: Unobserved = Arc::new(move |_| reports.add());
    TaskSettings { on_unobserved: Some(on_unobserved), ..TaskSettings::default() }.shared()
}

/// Sleeps until the task has settled; one token must do.
fn sleep_until_settled(task: &TaskRef) {
    let parker = Arc::new(Parker::new());
    if task.add_waiter(Waiter::Settled(parker.clone(), 0)).is_ok() {
        parker.park();
    }
    assert!(task.snapshot().is_settled());
}

/// A runs the task, while B registers as waiter, sleeps, and takes the outcome: B is woken, whether
/// it came before, during or after the end.
#[test]
fn finish_against_wait() {
    explore(3, || {
        let (entry, handle, drops) = witnessed();
        let runner = spawn(move || run(entry));
        sleep_until_settled(handle.task());
        handle.take().unwrap().look();
        assert_eq!(drops.get(), 1);
        runner.join();
    });
}

/// A runs the task, while B only glances at its state and takes the outcome if it is there: what A
/// put into the slot is visible to whoever has seen that it is there.
#[test]
fn finish_against_glance() {
    explore(3, || {
        let (entry, handle, drops) = witnessed();
        let runner = spawn(move || run(entry));
        if handle.task().snapshot().is_settled() {
            handle.take().unwrap().look();
        } else {
            drop(handle);
        }
        runner.join();
        assert_eq!(drops.get(), 1);
    });
}

/// A runs the task, while B drops the handle: one of them drops the outcome, and whoever is last
/// frees the memory, when the other has done with it.
#[test]
fn finish_against_handle_drop() {
    explore(3, || {
        let (entry, handle, drops) = witnessed();
        let runner = spawn(move || run(entry));
        drop(handle);
        runner.join();
        assert_eq!(drops.get(), 1);
    });
}

/// A cancels the task, while B begins it: the closure is run or dropped, and never both, and
/// whoever waits is told in either case.
#[test]
fn cancel_against_begin() {
    explore(3, || {
        let (runs, drops) = (Counter::new(), Counter::new());
        let (ran, captured) = (runs.clone(), Witness::new(&drops));
        let (entry, handle) = job(move || {
            captured.look();
            ran.add();
        });
        let runner = spawn(move || run(entry));
        let is_cancelled = handle.task().try_cancel() == Cancelled::Now;
        sleep_until_settled(handle.task());
        // The closure is gone at once for the canceller, and before the end for everyone else.
        assert_eq!(drops.get(), 1);
        assert_eq!(runs.get(), usize::from(!is_cancelled));
        assert_eq!(handle.take().is_ok(), !is_cancelled);
        runner.join();
        assert_eq!(drops.get(), 1);
    });
}

/// A cancels the task, while B registers as waiter and sleeps: B is woken.
#[test]
fn cancel_against_wait() {
    explore(3, || {
        let (entry, handle, drops) = witnessed();
        let canceller = spawn(move || assert_eq!(entry.try_cancel(), Cancelled::Now));
        sleep_until_settled(handle.task());
        assert!(handle.take().unwrap_err().is_cancelled());
        canceller.join();
        assert_eq!(drops.get(), 0);
    });
}

/// A cancels the task, while B does the same: one of them wins and drops the closure, and both
/// learn that it is cancelled.
#[test]
fn cancel_against_cancel() {
    explore(3, || {
        let drops = Counter::new();
        let captured = Witness::new(&drops);
        let (entry, handle) = job(move || captured.look());
        let wins = Counter::new();
        let won = wins.clone();
        let cancel = move |task: &TaskRef, won: &Counter| match task.try_cancel() {
            Cancelled::Now => won.add(),
            Cancelled::Before => {}
            Cancelled::No => unreachable!("nobody begins it"),
        };
        let canceller = spawn(move || cancel(&entry, &won));
        cancel(handle.task(), &wins);
        canceller.join();
        drop(handle);
        assert_eq!((wins.get(), drops.get()), (1, 1));
    });
}

/// A, which has begun the task, finishes it, while B tries to cancel it: B comes too late in any
/// order, and the outcome is there.
#[test]
fn cancel_against_finish() {
    explore(3, || {
        let (entry, handle, drops) = witnessed();
        let canceller = entry.clone();
        let canceller = {
            // Begun before the race: only the end of the task is left to happen.
            let begun = entry.begin().unwrap();
            let canceller = spawn(move || assert_eq!(canceller.try_cancel(), Cancelled::No));
            begun.run();
            canceller
        };
        drop(entry);
        handle.take().unwrap().look();
        canceller.join();
        assert_eq!(drops.get(), 1);
    });
}

/// A pops the entry of a task that was cancelled, and drops it, while B drops the handle: whoever is
/// last frees the memory, and the other has done with it by then.
#[test]
fn stale_entry_against_handle_drop() {
    explore(3, || {
        let (entry, handle, drops) = witnessed();
        assert_eq!(handle.task().try_cancel(), Cancelled::Now);
        let runner = spawn(move || run(entry));
        drop(handle);
        runner.join();
        assert_eq!(drops.get(), 0);
    });
}

/// A drops the last queue entry of a pending task without running it, while B drops the handle: the
/// closure goes with the memory.
#[test]
fn forgotten_entry_against_handle_drop() {
    explore(3, || {
        let drops = Counter::new();
        let captured = Witness::new(&drops);
        let (entry, handle) = job(move || captured.look());
        let forgetful = spawn(move || drop(entry));
        drop(handle);
        forgetful.join();
        assert_eq!(drops.get(), 1);
    });
}

/// As the pool's alarm does: what is left to be told is told by the same thread here.
fn expire(task: &TaskRef) {
    if let Some(rest) = task.expire() {
        rest();
    }
}

/// The timer lets a running task time out, while the handle's owner drops the handle without having
/// looked: the failure is reported once, by one of them.
#[test]
fn expire_against_handle_drop() {
    explore(3, || {
        let (reports, drops) = (Counter::new(), Counter::new());
        let inside = drops.clone();
        let extras = expiring(&reports);
        let fresh = Fresh::new(Job(move || Witness::new(&inside)), OwnerId::NOBODY, extras);
        let (entry, handle) = fresh.split();
        let begun = entry.begin().unwrap();
        let late = entry.clone();
        let timer = spawn(move || expire(&late));
        drop(handle);
        timer.join();
        // The code returns long after, and nobody wants its outcome.
        begun.run();
        assert_eq!((reports.get(), drops.get()), (1, 1));
    });
}

/// The timer lets the task time out, while A finishes it and B waits: B is told once of one end and
/// gets the value or the timeout; the value is dropped once in either case.
#[test]
fn expire_against_finish() {
    explore(2, || {
        let (entry, handle, drops) = witnessed();
        let late = entry.clone();
        let timer = spawn(move || expire(&late));
        let runner = spawn(move || run(entry));
        sleep_until_settled(handle.task());
        match handle.take() {
            Ok(value) => value.look(),
            Err(error) => assert!(error.is_timed_out()),
        }
        timer.join();
        runner.join();
        assert_eq!(drops.get(), 1);
    });
}

/// A finishes the task and shows the outcome to a callback, while B drops the handle: the outcome
/// stays until the callback has returned, and is then dropped, once.
#[test]
fn callback_looks_while_the_handle_is_dropped() {
    explore(3, || {
        let (entry, handle, drops) = witnessed();
        let calls = Counter::new();
        let (called, gone) = (calls.clone(), drops.clone());
        handle.add_callback(move |outcome| {
            let value = outcome.unwrap();
            value.look();
            assert_eq!(gone.get(), 0);
            called.add();
        });
        let runner = spawn(move || run(entry));
        drop(handle);
        runner.join();
        assert_eq!((calls.get(), drops.get()), (1, 1));
    });
}

/// A finishes the task and shows the outcome to a callback, while B registers to take it: B sleeps
/// until the callback has returned, and is woken then.
#[test]
fn callback_looks_while_a_taker_registers() {
    explore(3, || {
        let (entry, handle, drops) = witnessed();
        let calls = Counter::new();
        let (called, gone) = (calls.clone(), drops.clone());
        handle.add_callback(move |outcome| {
            outcome.unwrap().look();
            assert_eq!(gone.get(), 0);
            called.add();
        });
        let runner = spawn(move || run(entry));
        sleep_until_settled(handle.task());
        let value = handle.take().unwrap();
        assert_eq!(calls.get(), 1);
        value.look();
        drop(value);
        runner.join();
        assert_eq!(drops.get(), 1);
    });
}

/// A finishes the task, while B adds a callback: it is called once, by A or by B, and sees the
/// outcome.
#[test]
fn callback_against_finish() {
    explore(3, || {
        let (entry, handle, drops) = witnessed();
        let runner = spawn(move || run(entry));
        let calls = Counter::new();
        let called = calls.clone();
        handle.add_callback(move |outcome| {
            outcome.unwrap().look();
            called.add();
        });
        runner.join();
        assert_eq!(calls.get(), 1);
        drop(handle);
        assert_eq!(drops.get(), 1);
    });
}

/// A finishes the task, while B and C register as waiters, one for the end and one for the outcome:
/// both are told.
#[test]
fn finish_against_two_waiters() {
    explore(2, || {
        let (entry, handle, drops) = witnessed();
        let watched = entry.clone();
        let runner = spawn(move || run(entry));
        let watcher = spawn(move || {
            let parker = Arc::new(Parker::new());
            if watched.add_waiter(Waiter::Done(parker.clone(), 0)).is_ok() {
                parker.park();
            }
            assert!(watched.snapshot().is_done());
        });
        sleep_until_settled(handle.task());
        handle.take().unwrap().look();
        runner.join();
        watcher.join();
        assert_eq!(drops.get(), 1);
    });
}

/// A finishes the task, while B, which can wait no longer, takes its waiter out again and then drops
/// the handle: the waiter is told or forgotten, and nothing of it is left.
#[test]
fn finish_against_an_impatient_waiter() {
    explore(3, || {
        let (entry, handle, drops) = witnessed();
        let parker = Arc::new(Parker::new());
        let observer: Arc<dyn super::Observer> = parker.clone();
        let left = Arc::downgrade(&parker);
        let is_registered =
            handle.task().add_waiter(Waiter::Settled(Arc::clone(&observer), 7)).is_ok();
        assert!(is_registered);
        let runner = spawn(move || run(entry));
        handle.task().remove_observer(&observer, 7);
        let holders = Arc::strong_count(&parker);
        if !handle.task().snapshot().is_done() {
            assert_eq!(holders, 2, "it was nobody else who took the waiter out");
        }
        drop(handle);
        runner.join();
        drop((parker, observer));
        assert!(left.upgrade().is_none());
        assert_eq!(drops.get(), 1);
    });
}

/// A asks a running task to stop and waits for it, while B, which runs it, asks whether it should:
/// if B was told, the task ends as cancelled, and its value is dropped; otherwise the value counts.
/// A is woken in either case.
#[test]
fn stop_against_finish() {
    explore(3, || {
        let told = Arc::new(Letter::new());
        let (note, drops) = (Arc::clone(&told), Counter::new());
        let inside = drops.clone();
        let (entry, handle) = job(move || {
            if super::cancellation_requested() {
                note.write(1);
            }
            Witness::new(&inside)
        });
        let aborter = entry.clone();
        let begun = entry.begin().unwrap();
        let aborter = spawn(move || {
            if aborter.request_stop() {
                sleep_until_settled(&aborter);
            }
        });
        begun.run();
        assert_eq!(handle.task().snapshot().is_cancelled(), told.read() == 1);
        match handle.take() {
            Ok(value) => value.look(),
            Err(error) => assert!(error.is_cancelled()),
        }
        aborter.join();
        drop(entry);
        assert_eq!(drops.get(), 1);
    });
}

/// The producer of a promised task concludes it, while the future's owner cancels: one of them ends
/// it, the other learns that it came too late.
#[test]
fn conclude_against_cancel() {
    explore(3, || {
        let drops = Counter::new();
        let (mut producer, handle) = promised(OwnerId::NOBODY, None);
        let concluded = Counter::new();
        let (value, kept) = (Witness::new(&drops), concluded.clone());
        let maker = spawn(move || {
            if producer.conclude(Ok(value)).is_ok() {
                kept.add();
            }
        });
        let is_cancelled = handle.task().try_cancel() == Cancelled::Now;
        sleep_until_settled(handle.task());
        match handle.take() {
            Ok(value) => value.look(),
            Err(error) => assert!(is_cancelled && error.is_cancelled()),
        }
        maker.join();
        assert_eq!((concluded.get(), drops.get()), (usize::from(!is_cancelled), 1));
    });
}

/// A submission is refused and takes its closure back, while a worker that came late begins the
/// task: the closure is run, or it is given back.
#[test]
fn reclaim_against_begin() {
    explore(3, || {
        let (runs, drops) = (Counter::new(), Counter::new());
        let (ran, captured) = (runs.clone(), Witness::new(&drops));
        let body = Job(move || {
            captured.look();
            ran.add();
        });
        let fresh = Fresh::new(body, OwnerId::NOBODY, None);
        let entry = fresh.entry();
        let runner = spawn(move || run(entry));
        let is_reclaimed = match fresh.reclaim() {
            Ok(Job(function)) => {
                assert_eq!(drops.get(), 0);
                drop(function);
                true
            }
            Err(handle) => {
                drop(handle);
                false
            }
        };
        runner.join();
        assert_eq!((runs.get(), drops.get()), (usize::from(!is_reclaimed), 1));
    });
}

/// Of two things that are done one after the other, the first waits for the second, which a stand-in
/// does: when it is over, both are done, and what they did is seen.
#[test]
fn stand_in_goes_on_while_the_first_waits() {
    explore(3, || {
        let letters = Arc::new([Letter::new(), Letter::new()]);
        let (parker, left, written) =
            (Arc::new(Parker::new()), Mutex::new(0..2), Arc::clone(&letters));
        super::one_after_the_other(move || {
            let turn = left.lock().next()?;
            let (parker, written) = (Arc::clone(&parker), Arc::clone(&written));
            Some(move || {
                match turn {
                    0 => while_blocked(Blocking::Waiting, || parker.park()),
                    _ => parker.unpark(),
                }
                written[turn].write(1);
            })
        });
        assert_eq!([letters[0].read(), letters[1].read()], [1, 1]);
    });
}
