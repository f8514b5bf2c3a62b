//! Tasks that must not begin, or not go on.

use crate::common::workers::{
    Door, Folder, is_alive, knock, knock_for_ever, knock_only, note, noted, pause_for_ever, pool,
    process_of, until_gone,
};
use crate::common::{eventually, within};
use concurrent_futures::{
    FutureState, ProcessPoolExecutor, TaskErrorKind, TaskOptions, cancellation_requested,
};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

/// Longer than any test.
const AN_HOUR: Duration = Duration::from_secs(3600);
const A_MOMENT: Duration = Duration::from_millis(10);

/// A pool whose workers are ended at once if their tasks do not stop.
fn impatient(max_workers: usize) -> ProcessPoolExecutor {
    let builder = ProcessPoolExecutor::builder().max_workers(max_workers);
    builder.grace(Duration::ZERO).build().unwrap()
}

/// A pool whose tasks are asked to stop, and nothing else.
fn patient(max_workers: usize) -> ProcessPoolExecutor {
    let builder = ProcessPoolExecutor::builder().max_workers(max_workers);
    builder.grace(AN_HOUR).build().unwrap()
}

fn within_a_moment() -> TaskOptions {
    TaskOptions::new().label("short").timeout(A_MOMENT)
}

/// A task that stops when it is asked to.
fn works_until_asked(door: PathBuf) {
    let _stream = knock_only(door);
    while !cancellation_requested() {
        std::thread::yield_now();
    }
}

/// A task that takes no notice of a signal to terminate, nor of anything else.
fn is_stubborn(door: PathBuf) {
    // SAFETY: nobody else has a handler for it.
    unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
    knock_for_ever(door);
}

/// Tells what it was ended by, if that lets it.
fn tells_its_end(door: PathBuf) {
    static DOOR: std::sync::OnceLock<std::os::unix::net::UnixStream> = std::sync::OnceLock::new();
    extern "C" fn on_terminate(_: libc::c_int) {
        let _ = DOOR.get().unwrap().write_all(b"t");
        // SAFETY: it ends the process, and may be called here.
        unsafe { libc::_exit(0) };
    }
    let handler = on_terminate as extern "C" fn(libc::c_int);
    DOOR.set(knock_only(door.clone())).unwrap();
    // SAFETY: the handler only writes, and ends the process.
    unsafe { libc::signal(libc::SIGTERM, handler as libc::sighandler_t) };
    let _ready = knock_only(door);
    pause_for_ever();
}

#[test]
fn a_task_that_was_sent_ahead_can_be_cancelled_and_never_runs() {
    within(|| {
        let (door, folder) = (Door::new(), Folder::new());
        let executor = pool(1);
        let busy = executor.submit(knock, door.path());
        let visitor = door.open();
        let ahead: Vec<_> =
            (0..4).map(|n| executor.submit(note, folder.path(&n.to_string()))).collect();
        for future in &ahead {
            assert!(!future.running());
            assert_eq!(future.state(), FutureState::Pending);
        }
        assert!(busy.running() && !busy.cancel());
        assert!(ahead.iter().all(|future| future.cancel() && future.cancelled()));
        drop(visitor);
        busy.result().unwrap();
        // Whatever was sent before this has been read by now.
        process_of(&executor);
        (0..4).for_each(|n| assert!(noted(&folder.path(&n.to_string())).is_empty()));
        assert_eq!(executor.stats().cancelled, 4);
    });
}

#[test]
fn a_task_that_has_begun_cannot_be_cancelled() {
    within(|| {
        let door = Door::new();
        let executor = pool(1);
        let begun = executor.submit(knock, door.path());
        let visitor = door.open();
        assert!(!begun.cancel() && begun.running() && !begun.cancelled());
        let process = visitor.process;
        drop(visitor);
        assert_eq!(begun.result().unwrap(), process);
    });
}

#[test]
fn cancelling_races_with_beginning_and_each_task_is_one_of_both() {
    within(|| {
        let folder = Folder::new();
        let executor = pool(2);
        for round in 0..200 {
            let path = folder.path(&round.to_string());
            let future = executor.submit(note, path.clone());
            let behind = executor.submit(|()| (), ());
            let was_cancelled = future.cancel();
            assert_eq!(future.result().is_err(), was_cancelled);
            behind.result().unwrap();
            assert_eq!(noted(&path).len(), usize::from(!was_cancelled));
        }
    });
}

#[test]
fn a_task_that_heeds_an_abort_ends_cancelled_and_its_worker_stays() {
    within(|| {
        let door = Door::new();
        let executor = patient(1);
        let future = executor.submit(works_until_asked, door.path());
        let visitor = door.open();
        assert!(future.abort());
        assert!(future.result().unwrap_err().is_cancelled());
        assert_eq!(process_of(&executor), visitor.process);
    });
}

#[test]
fn a_request_to_stop_reaches_no_other_task() {
    within(|| {
        let door = Door::new();
        let executor = patient(1);
        for _ in 0..20 {
            let future = executor.submit(works_until_asked, door.path());
            let behind = executor.submit(|()| cancellation_requested(), ());
            let _visitor = door.open();
            assert!(future.abort());
            assert!(future.result().unwrap_err().is_cancelled());
            assert!(!behind.result().unwrap());
        }
    });
}

#[test]
fn a_task_that_does_not_heed_an_abort_is_ended_and_its_neighbour_is_not() {
    within(|| {
        let (here, there, folder) = (Door::new(), Door::new(), Folder::new());
        let executor = impatient(2);
        let neighbour = executor.submit(knock, here.path());
        let near = here.open();
        let endless = executor.submit(knock_for_ever, there.path());
        let ended = there.open();
        let behind: Vec<_> =
            (0..6).map(|n| executor.submit(note, folder.path(&n.to_string()))).collect();
        assert!(endless.abort());
        let error = endless.result().unwrap_err();
        assert!(error.is_cancelled(), "{error}");
        until_gone(ended.process);
        for (n, future) in behind.into_iter().enumerate() {
            assert_ne!(future.result().unwrap(), ended.process);
            assert_eq!(noted(&folder.path(&n.to_string())).len(), 1);
        }
        assert!(is_alive(near.process));
        let process = near.process;
        drop(near);
        assert_eq!(neighbour.result().unwrap(), process);
        assert_eq!(executor.stats().workers, 2);
    });
}

#[test]
fn a_process_is_asked_to_terminate_before_it_is_killed() {
    within(|| {
        let door = Door::new();
        // Far more than a signal handler takes.
        let executor = ProcessPoolExecutor::builder()
            .max_workers(1)
            .grace(Duration::from_secs(1))
            .build()
            .unwrap();
        let future = executor.submit(tells_its_end, door.path());
        let first = door.open();
        let _ready = door.open();
        assert!(future.abort());
        assert_eq!(first.last_word(), Some(b't'));
        assert!(future.result().unwrap_err().is_cancelled());
        process_of(&executor);
    });
}

#[test]
fn a_task_that_exceeds_its_timeout_and_heeds_it_keeps_its_worker() {
    within(|| {
        let door = Door::new();
        let executor = patient(1);
        let future = executor.with(within_a_moment()).submit(works_until_asked, door.path());
        let visitor = door.open();
        let error = future.result().unwrap_err();
        assert!(error.is_timed_out() && error.label() == Some("short"), "{error}");
        assert_eq!(process_of(&executor), visitor.process);
    });
}

/// What the pool says of itself at its end: finished, failed and cancelled tasks.
fn numbers(executor: &ProcessPoolExecutor) -> (usize, usize, usize) {
    executor.shutdown(true, false);
    let stats = executor.stats();
    (stats.finished, stats.failed, stats.cancelled)
}

#[test]
fn a_task_that_exceeds_its_timeout_and_heeds_it_counts_as_failed() {
    within(|| {
        let door = Door::new();
        let executor = patient(1);
        let future = executor.with(within_a_moment()).submit(works_until_asked, door.path());
        assert!(future.result().unwrap_err().is_timed_out());
        assert_eq!(numbers(&executor), (0, 1, 0));
    });
}

#[test]
fn a_task_whose_process_is_ended_for_its_timeout_counts_as_failed() {
    within(|| {
        let door = Door::new();
        let executor = impatient(1);
        let future = executor.with(within_a_moment()).submit(is_stubborn, door.path());
        assert!(future.result().unwrap_err().is_timed_out());
        assert_eq!(numbers(&executor), (0, 1, 0));
    });
}

#[test]
fn a_task_whose_process_is_ended_because_it_was_aborted_counts_as_cancelled() {
    within(|| {
        let door = Door::new();
        let executor = impatient(1);
        let future = executor.submit(is_stubborn, door.path());
        let _visitor = door.open();
        assert!(future.abort());
        assert!(future.result().is_err());
        assert_eq!(numbers(&executor), (0, 0, 1));
    });
}

#[test]
fn a_task_that_exceeds_its_timeout_and_goes_on_is_ended() {
    within(|| {
        let (door, folder) = (Door::new(), Folder::new());
        let executor = impatient(1);
        for task in [knock_for_ever as fn(PathBuf), is_stubborn] {
            let process = process_of(&executor);
            // It may be over before it has knocked.
            let future = executor.with(within_a_moment()).submit(task, door.path());
            let behind = executor.submit(note, folder.path("behind"));
            assert!(future.result().unwrap_err().is_timed_out());
            assert_ne!(behind.result().unwrap(), process);
            until_gone(process);
        }
        assert_eq!(noted(&folder.path("behind")).len(), 2);
    });
}

#[test]
fn a_timeout_counts_from_the_beginning_and_not_from_the_submission() {
    within(|| {
        let door = Door::new();
        let executor = pool(1);
        let busy = executor.submit(knock, door.path());
        let visitor = door.open();
        let waits = executor.with(within_a_moment()).submit(|()| 5, ());
        // A timeout that began with this one's submission would be over before that of the other.
        let later = executor.with(TaskOptions::new().begin_within(A_MOMENT * 2)).submit(|()| 6, ());
        assert!(matches!(later.result().unwrap_err().kind(), TaskErrorKind::NotBegun { .. }));
        drop(visitor);
        busy.result().unwrap();
        assert_eq!(waits.result().unwrap(), 5);
    });
}

#[test]
fn a_task_that_was_not_begun_in_time_never_is() {
    within(|| {
        let (door, folder) = (Door::new(), Folder::new());
        let executor = pool(1);
        let busy = executor.submit(knock, door.path());
        let visitor = door.open();
        let late = executor.with(TaskOptions::new().label("late").begin_within(A_MOMENT));
        // Some are sent ahead, others are still queued.
        let late: Vec<_> = (0..6).map(|_| late.submit(note, folder.path("late"))).collect();
        for future in late {
            let error = future.result().unwrap_err();
            assert!(
                matches!(error.kind(), TaskErrorKind::NotBegun { limit } if *limit == A_MOMENT)
            );
            assert_eq!(error.label(), Some("late"));
        }
        drop(visitor);
        busy.result().unwrap();
        process_of(&executor);
        assert!(noted(&folder.path("late")).is_empty());
    });
}

#[test]
fn a_task_that_begins_in_time_may_take_its_time() {
    within(|| {
        let (door, other) = (Door::new(), Door::new());
        let executor = pool(2);
        process_of(&executor);
        let in_time = executor.with(TaskOptions::new().begin_within(AN_HOUR));
        let future = in_time.submit(knock, door.path());
        let visitor = door.open();
        // Seen to be running, so that a limit on waiting has no hold on it.
        eventually(|| future.running());
        let busy = executor.submit(knock, other.path());
        drop(other.open());
        busy.result().unwrap();
        drop(visitor);
        future.result().unwrap();
    });
}

#[test]
fn killing_the_workers_ends_what_runs_and_cancels_what_waits() {
    within(|| {
        let door = Door::new();
        let executor = pool(1);
        let running = executor.submit(is_stubborn, door.path());
        let visitor = door.open();
        let waiting: Vec<_> = (0..8).map(|_| executor.submit(|()| (), ())).collect();
        executor.kill_workers();
        assert!(running.result().unwrap_err().worker_death().is_some());
        assert!(waiting.into_iter().all(|it| it.result().unwrap_err().is_cancelled()));
        executor.shutdown(true, false);
        assert!(!is_alive(visitor.process));
    });
}

#[test]
fn a_shutdown_with_a_deadline_ends_stubborn_tasks() {
    within(|| {
        let door = Door::new();
        let executor = pool(2);
        let tasks = [knock_for_ever as fn(PathBuf), is_stubborn];
        let futures = tasks.map(|task| executor.submit(task, door.path()));
        let visitors = [door.open(), door.open()];
        let report = executor.shutdown_timeout(Duration::ZERO, A_MOMENT);
        assert_eq!((report.asked, report.running, report.cancelled), (2, 0, 0));
        assert!(visitors.iter().all(|it| !is_alive(it.process)));
        assert!(futures.into_iter().all(|it| it.result().is_err()));
    });
}
