//! Every combination of how a task ends, what becomes of its handle, when it is cancelled, when and
//! how its executor ends, and who waits.
//!
//! A small reference function says what must come of each combination. Beside that, the same holds
//! for all of them: closure, captures and argument are dropped exactly once; the outcome is made at
//! most once, and dropped as often as it is made; the future ends once, for everybody who looks;
//! nobody hangs; the counts of the executor add up; and it goes on working, or refuses work if it
//! has been shut down.

#[path = "../common/mod.rs"]
mod common;

mod combination;
mod held;
mod stage;

use combination::{
    AfterDone, BeforeStart, Combination, End, Handle, Outcome, WhileRunning, combinations, predict,
};
use common::{BOUND, Drops, Latch, eventually, hush};
use concurrent_futures::{
    Future, FutureState, Group, Promise, TaskError, TaskOptions, cancellation_requested,
};
use held::{Got, drop_early, let_wait, use_up, wait_it_out};
use stage::Stage;
use std::panic::catch_unwind;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::Duration;

fn play(combination: Combination) {
    let Combination { outcome, handle, shutdown, waiter, .. } = combination;
    let predicted = predict(combination);
    let mut stage = Stage::new();
    let ledger = Arc::clone(&stage.ledger);

    let gate = stage.occupy();
    let future = stage.submit(outcome);
    stage.group.add(&future);
    if handle == Handle::CalledBackThenTaken {
        let (token, seen) = (ledger.callback.token(), Arc::clone(&ledger));
        future.add_done_callback(move |result| {
            let _token = token;
            seen.called_back.lock().unwrap().push(End::of(&result));
        });
    }
    assert_eq!(future.state(), FutureState::Pending);
    let mut held = let_wait(waiter, handle, future);
    let mut dropped_waker = None;

    stage.stop(combination, BeforeStart, held.future());
    stage.shut_down(shutdown, BeforeStart);
    if handle == Handle::DroppedBeforeStart {
        dropped_waker = drop_early(&mut held);
    }
    gate.open();

    if predicted.runs {
        stage.started.pass();
        if let Some(future) = held.future()
            && outcome != Outcome::TimesOut
        {
            assert_eq!(future.state(), FutureState::Running);
        }
        stage.stop(combination, WhileRunning, held.future());
        stage.shut_down(shutdown, WhileRunning);
        if handle == Handle::DroppedWhileRunning {
            dropped_waker = drop_early(&mut held);
        }
    }
    stage.release.open();

    let got = wait_it_out(held);
    match &got {
        Some(Got::Future(future)) => {
            assert_eq!(future.state(), predicted.end.state());
            assert_eq!(future.cancelled(), predicted.end == End::Cancelled);
            stage.stop(combination, AfterDone, Some(future));
            assert_eq!(future.state(), predicted.end.state(), "what is done stays as it is");
        }
        Some(Got::Result(_)) => stage.stop(combination, AfterDone, None),
        None => {
            stage.settle();
            stage.stop(combination, AfterDone, None);
        }
    }
    stage.shut_down(shutdown, AfterDone);
    if let Some(got) = got {
        use_up(combination, got);
    }
    stage.settle();
    stage.handle.shutdown(true, false);

    let once = |drops: &Drops| assert_eq!((drops.made(), drops.count()), (1, 1));
    once(&ledger.captured);
    once(&ledger.argument);
    let made = usize::from(predicted.runs);
    assert_eq!((ledger.outcome.made(), ledger.outcome.count()), (made, made));
    if handle == Handle::CalledBackThenTaken {
        // Callbacks of a task that timed out run on a thread that nobody here waits for.
        eventually(|| outcome != Outcome::TimesOut || ledger.callback.count() > 0);
        once(&ledger.callback);
        assert_eq!(*ledger.called_back.lock().unwrap(), [predicted.end]);
    }
    if let Some(waker) = dropped_waker {
        let ended_before_the_drop = !predicted.runs || outcome == Outcome::TimesOut;
        assert!(waker.woken.load(Ordering::SeqCst) <= usize::from(ended_before_the_drop));
        eventually(|| Arc::strong_count(&waker) == 1);
    }
    let stats = stage.handle.stats();
    let [finished, failed, cancelled] = predicted.counted;
    assert_eq!(
        (stats.finished, stats.failed, stats.cancelled),
        (finished + stage.others, failed, cancelled)
    );
    assert_eq!((stats.queued, stats.running, stats.workers), (0, 0, 0));
}

/// Plays every combination with one outcome, and fails if one of them hangs.
fn play_all(outcome: Outcome) -> usize {
    hush();
    let (sender, receiver) = mpsc::channel();
    let player = std::thread::spawn(move || {
        for combination in combinations(outcome) {
            sender.send(combination).unwrap();
            let played = catch_unwind(|| play(combination));
            assert!(played.is_ok(), "in this combination: {combination:?}");
        }
    });
    let mut played = 0;
    let mut last = None;
    loop {
        match receiver.recv_timeout(BOUND) {
            Ok(combination) => {
                played += 1;
                last = Some(combination);
            }
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("this combination hangs: {last:?}"),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    player.join().expect("a combination failed");
    played
}

/// How many combinations make sense for one outcome, whichever it is.
const COMBINATIONS: usize = 1089;

#[test]
fn a_task_that_gives_a_value() {
    assert_eq!(play_all(Outcome::Value), COMBINATIONS);
}

#[test]
fn a_task_that_panics() {
    assert_eq!(play_all(Outcome::Panic), COMBINATIONS);
}

#[test]
fn a_task_whose_err_is_flattened() {
    assert_eq!(play_all(Outcome::FlattenedErr), COMBINATIONS);
}

#[test]
fn a_task_whose_value_panics_when_it_is_dropped() {
    assert_eq!(play_all(Outcome::DropPanics), COMBINATIONS);
}

#[test]
fn a_task_that_heeds_a_request_to_stop() {
    assert_eq!(play_all(Outcome::HeedsAbort), COMBINATIONS);
}

#[test]
fn a_task_that_exceeds_its_time_limit() {
    assert_eq!(play_all(Outcome::TimesOut), COMBINATIONS);
}

/// Whether `result` returns although a callback, of which `called` tells that it runs, is held by
/// `held`, until this has been seen.
fn result_returns_before_the_callback(
    future: Future<()>,
    called: &Latch,
    held: &Latch,
) -> TaskError {
    called.pass();
    let (sender, receiver) = mpsc::channel();
    let taker = std::thread::spawn(move || sender.send(future.result()).unwrap());
    let result = receiver.recv_timeout(BOUND);
    held.open();
    taker.join().unwrap();
    result.expect("`result` waits for a callback that has no value to look at").unwrap_err()
}

/// A callback that is held, and the gates that tell of it and hold it.
fn held_callback(future: &Future<()>) -> [Latch; 2] {
    let [called, held] = [Latch::new(), Latch::new()];
    let (is_called, may_return) = (called.clone(), held.clone());
    future.add_done_callback(move |_| {
        is_called.open();
        may_return.pass();
    });
    [called, held]
}

#[test]
fn result_of_a_cancelled_future_does_not_wait_for_its_callbacks() {
    let (_promise, future) = Promise::<()>::new();
    let group = Group::new();
    group.add(&future);
    let [called, held] = held_callback(&future);
    let canceller = std::thread::spawn(move || group.cancel());
    let error = result_returns_before_the_callback(future, &called, &held);
    canceller.join().unwrap();
    assert!(error.is_cancelled());
}

#[test]
fn result_of_a_future_that_timed_out_does_not_wait_for_its_callbacks() {
    let mut stage = Stage::new();
    let occupied = stage.occupy();
    let hasty = stage.handle.with(TaskOptions::new().timeout(Duration::ZERO));
    let future = hasty.spawn(|| eventually(cancellation_requested));
    let [called, held] = held_callback(&future);
    occupied.open();
    let error = result_returns_before_the_callback(future, &called, &held);
    assert!(error.is_timed_out());
}
