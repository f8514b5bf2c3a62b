//! A task that ends its process costs its own future, and no other.

use crate::common::{eventually, within};
use crate::support::{
    Door, Folder, death_of, is_alive, knock, note, noted, pool, process_of, send_signal,
    until_gone, was_signalled,
};
use concurrent_futures::{
    DeathCause, ProcessPoolExecutor, TaskOptions, WorkerDeath, attempt, worker_index,
};
use std::path::PathBuf;
use std::time::Duration;

pub(crate) fn aborts(_: ()) {
    std::process::abort();
}

fn labelled(executor: &ProcessPoolExecutor) -> concurrent_futures::ProcessPoolHandle {
    executor.with(TaskOptions::new().label("doomed"))
}

/// Sends `doomed` to the only worker of a pool, with others before and behind it, and gives its end.
#[track_caller]
fn end_among_others(executor: ProcessPoolExecutor, doomed: fn(())) -> DeathCause {
    within(move || {
        let folder = Folder::new();
        let path = |n: usize| folder.path(&n.to_string());
        let first = process_of(&executor);
        let before: Vec<_> = (0..4).map(|n| executor.submit(note, path(n))).collect();
        let doomed = labelled(&executor).submit(doomed, ());
        let behind: Vec<_> = (4..8).map(|n| executor.submit(note, path(n))).collect();

        let (error, death) = death_of(doomed);
        tells_who_died(&error.to_string(), &death, first);
        assert_eq!(error.label(), Some("doomed"));
        for future in before {
            assert_eq!(future.result().unwrap(), first);
        }
        let mut second = Vec::new();
        for future in behind {
            second.push(future.result().unwrap());
        }
        second.dedup();
        assert!(second.len() == 1 && second[0] != first, "{first}, then {second:?}");
        (0..8).for_each(|n| assert_eq!(noted(&path(n)).len(), 1, "task {n} ran once"));
        assert_eq!(process_of(&executor), second[0]);
        assert_eq!(executor.stats().workers, 1);
        death.cause().clone()
    })
}

#[track_caller]
fn tells_who_died(text: &str, death: &WorkerDeath, process: u32) {
    assert_eq!((death.worker_index(), death.process_id()), (0, process));
    assert!(text.starts_with("task `doomed` "), "{text}");
    assert!(text.contains(&format!("worker 0 (process {process}) {}", death.cause())), "{text}");
}

#[test]
fn a_task_that_exits_costs_its_own_future_only() {
    let cause = end_among_others(pool(1), |()| std::process::exit(0));
    assert_eq!(cause, DeathCause::Exited { code: 0 });
    let cause = end_among_others(pool(1), |()| std::process::exit(3));
    assert_eq!(cause, DeathCause::Exited { code: 3 });
}

#[test]
fn a_task_that_aborts_costs_its_own_future_only() {
    let cause = end_among_others(pool(1), aborts);
    assert!(was_signalled(&cause, &[libc::SIGABRT]), "{cause}");
}

#[test]
fn a_task_that_touches_foreign_memory_costs_its_own_future_only() {
    let cause = end_among_others(pool(1), |()| {
        let nowhere = std::ptr::without_provenance_mut::<u8>(16);
        // SAFETY: not at all, which is the point: the system ends the process here.
        unsafe { nowhere.write_volatile(1) };
    });
    assert!(was_signalled(&cause, &[libc::SIGSEGV]), "{cause}");
}

#[test]
fn a_task_that_overflows_its_stack_costs_its_own_future_only() {
    fn deep(n: u64) -> u64 {
        let room = std::hint::black_box([n; 64]);
        if n == u64::MAX { 0 } else { deep(n + 1) + room[3] }
    }
    let cause = end_among_others(pool(1), |()| {
        std::hint::black_box(deep(0));
    });
    assert!(was_signalled(&cause, &[libc::SIGSEGV, libc::SIGABRT]), "{cause}");
}

#[test]
fn a_task_that_wants_more_memory_than_allowed_costs_its_own_future_only() {
    let builder = ProcessPoolExecutor::builder().max_workers(1).address_space_limit(1 << 30);
    let cause = end_among_others(builder.build().unwrap(), |()| {
        drop(std::hint::black_box(vec![1u8; 2 << 30]));
    });
    assert!(was_signalled(&cause, &[libc::SIGABRT]), "{cause}");
}

#[test]
fn a_task_that_closes_all_descriptors_gives_its_value_and_costs_a_worker() {
    within(|| {
        let executor = pool(1);
        let first = process_of(&executor);
        let closing = executor.submit(
            |()| {
                // SAFETY: nothing here uses them afterwards but the worker, which has to bear it.
                assert_eq!(unsafe { libc::close_range(3, libc::c_uint::MAX, 0) }, 0);
                "done".to_owned()
            },
            (),
        );
        assert_eq!(closing.result().unwrap(), "done");
        assert_ne!(process_of(&executor), first);
    });
}

#[test]
fn a_task_that_is_killed_from_outside_costs_its_own_future_only() {
    within(|| {
        let (door, folder) = (Door::new(), Folder::new());
        let executor = pool(1);
        let doomed = labelled(&executor).submit(knock, door.path());
        let visitor = door.open();
        let behind = executor.submit(note, folder.path("behind"));
        send_signal(visitor.process, libc::SIGKILL);
        let (error, death) = death_of(doomed);
        tells_who_died(&error.to_string(), &death, visitor.process);
        assert!(was_signalled(death.cause(), &[libc::SIGKILL]));
        assert_ne!(behind.result().unwrap(), visitor.process);
        assert_eq!(noted(&folder.path("behind")).len(), 1);
    });
}

#[test]
fn only_the_worker_that_dies_is_replaced() {
    within(|| {
        let (here, there) = (Door::new(), Door::new());
        let executor = pool(2);
        let stays = executor.submit(knock, here.path());
        let neighbour = here.open();
        let doomed = executor.submit(knock, there.path());
        let dead = there.open();
        send_signal(dead.process, libc::SIGKILL);
        let (_, death) = death_of(doomed);
        let index = executor.submit(|()| worker_index().unwrap(), ()).result().unwrap();
        assert_eq!(index, death.worker_index(), "the new worker has the index of the dead one");
        let process = neighbour.process;
        drop(neighbour);
        assert_eq!(stays.result().unwrap(), process);
        assert_eq!(executor.stats().workers, 2);
    });
}

#[test]
fn a_worker_that_is_killed_when_idle_is_not_missed() {
    within(|| {
        let executor = pool(1);
        for _ in 0..20 {
            let process = process_of(&executor);
            send_signal(process, libc::SIGKILL);
            // Sent before the death is known, or after: either way it runs.
            assert_ne!(process_of(&executor), process);
        }
        let stats = executor.stats();
        assert_eq!((stats.finished, stats.failed, stats.workers), (40, 0, 1));
    });
}

#[test]
fn a_pool_that_starts_all_replaces_an_idle_worker_that_dies() {
    within(|| {
        let executor = ProcessPoolExecutor::builder().max_workers(2).start_all().build().unwrap();
        eventually(|| executor.stats().idle == 2);
        let processes =
            || executor.workers().iter().filter_map(|it| it.process_id).collect::<Vec<_>>();
        let before = processes();
        send_signal(before[0], libc::SIGKILL);
        eventually(|| !processes().contains(&before[0]) && executor.stats().idle == 2);
        assert!(processes().contains(&before[1]));
    });
}

#[test]
fn a_task_that_stops_its_process_is_ended_after_its_timeout() {
    within(|| {
        let folder = Folder::new();
        let executor =
            ProcessPoolExecutor::builder().max_workers(1).grace(Duration::ZERO).build().unwrap();
        let first = process_of(&executor);
        let options = TaskOptions::new().label("stopped").timeout(Duration::from_millis(10));
        let stopped = executor.with(options).submit(
            |()| {
                // SAFETY: it takes plain numbers.
                unsafe { libc::raise(libc::SIGSTOP) };
            },
            (),
        );
        let behind = executor.submit(note, folder.path("behind"));
        let error = stopped.result().unwrap_err();
        assert!(error.is_timed_out() && error.label() == Some("stopped"), "{error}");
        assert_ne!(behind.result().unwrap(), first);
        assert_eq!(noted(&folder.path("behind")).len(), 1);
        assert!(!is_alive(first));
    });
}

#[test]
fn a_task_is_tried_again_as_often_as_was_said() {
    fn dies_until((path, last): (PathBuf, u32)) -> u32 {
        note(path);
        if attempt() < last {
            std::process::abort();
        }
        attempt()
    }
    within(|| {
        let folder = Folder::new();
        let executor = pool(1);
        let patient = executor.retrying(2);
        let third = patient.submit(dies_until, (folder.path("third"), 3));
        assert_eq!(third.result().unwrap(), 3);
        assert_eq!(noted(&folder.path("third")).len(), 3);
        let (_, death) = death_of(patient.submit(dies_until, (folder.path("fourth"), 4)));
        let processes = noted(&folder.path("fourth"));
        assert_eq!(processes.len(), 3);
        assert_eq!(death.process_id(), processes[2], "the last failure is the one that counts");
    });
}

#[test]
fn a_task_that_was_only_sent_to_a_dead_worker_is_at_its_first_attempt() {
    within(|| {
        let executor = pool(1);
        let _doomed = executor.submit(aborts, ());
        let behind = executor.submit(|()| attempt(), ());
        assert_eq!(behind.result().unwrap(), 1);
    });
}

#[test]
fn the_remains_of_a_dead_worker_are_removed() {
    within(|| {
        let executor = pool(1);
        let process = process_of(&executor);
        send_signal(process, libc::SIGKILL);
        eventually(|| !std::path::Path::new(&format!("/proc/{process}")).exists());
        until_gone(process);
    });
}
