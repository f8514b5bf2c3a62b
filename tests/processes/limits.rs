//! Pools in programs to which the system gives little, or that ask it for something unusual.
//!
//! Each is a process of its own, where nobody else opens files.

use crate::common::workers::{death_of, is_alive, pool, process_of, until_gone};
use crate::common::{in_child, printed};
use crate::death::aborts;
use concurrent_futures::{DeathCause, Refusal, TaskError, TaskErrorKind};
use std::collections::BTreeSet;

/// More descriptors than any of the pools here needs.
const ENOUGH: usize = 40;

/// As many as any system allows.
const MANY: u64 = 256;

/// From now on this process, and what it starts, can open so many more descriptors.
fn leave_room_for(descriptors: usize) {
    set_limit(MANY);
    let listed: Vec<_> =
        std::fs::read_dir("/proc/self/fd").unwrap().map(|it| it.unwrap().path()).collect();
    // The one for the list itself is gone by now.
    let open = listed.iter().filter(|it| it.read_link().is_ok());
    let open: BTreeSet<u64> =
        open.map(|it| it.file_name().unwrap().to_str().unwrap().parse().unwrap()).collect();
    let limit = (0..).filter(|number| !open.contains(number)).nth(descriptors).unwrap();
    set_limit(limit);
}

fn set_limit(descriptors: u64) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: it writes to a place that is there.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) }, 0);
    limit.rlim_cur = descriptors;
    // SAFETY: it reads from a place that is there.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
}

/// A result that is there, or is missing because no worker could be started.
#[track_caller]
fn unless_refused<R>(result: Result<R, TaskError>) -> Option<R> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            let TaskErrorKind::Refused(Refusal::NoWorker(cause)) = error.kind() else {
                panic!("{error}")
            };
            assert_eq!(cause.raw_os_error(), Some(libc::EMFILE), "{error}");
            None
        }
    }
}

#[test]
fn a_pool_that_gets_no_descriptors_says_so_and_works_when_it_gets_them() {
    let name = "limits::a_pool_that_gets_no_descriptors_says_so_and_works_when_it_gets_them";
    let output = in_child(name, || {
        for room in 0..ENOUGH {
            leave_room_for(room);
            let executor = pool(2);
            let futures = executor.submit_all(|n: u32| n, 0..4);
            for (n, future) in (0..).zip(futures) {
                let result = unless_refused(future.result());
                assert!(if room == 0 { result.is_none() } else { result.is_none_or(|it| it == n) });
            }
            set_limit(MANY);
            assert_eq!(executor.submit(|n: u32| n, 5).result().unwrap(), 5);
        }
    });
    output.as_ref().map(printed);
}

#[test]
fn a_pool_that_gets_descriptors_for_fewer_workers_goes_on_with_those() {
    let name = "limits::a_pool_that_gets_descriptors_for_fewer_workers_goes_on_with_those";
    let output = in_child(name, || {
        for room in 0..ENOUGH {
            let executor = pool(2);
            let first = process_of(&executor);
            leave_room_for(room);
            let futures = executor.submit_all(|_| std::process::id(), 0..40);
            for future in futures {
                let process = future.result().unwrap();
                assert!(room > 0 || process == first);
            }
            executor.shutdown(true, false);
            set_limit(MANY);
        }
    });
    output.as_ref().map(printed);
}

#[test]
fn a_pool_whose_worker_dies_when_there_are_no_descriptors_says_so_or_goes_on() {
    let name = "limits::a_pool_whose_worker_dies_when_there_are_no_descriptors_says_so_or_goes_on";
    let output = in_child(name, || {
        for room in 0..ENOUGH {
            let executor = pool(1);
            process_of(&executor);
            leave_room_for(room);
            let dies = executor.submit(aborts, ());
            let behind = executor.submit_all(|n: u32| n, 0..4);
            death_of(dies);
            for (n, future) in (0..).zip(behind) {
                assert!(unless_refused(future.result()).is_none_or(|it| it == n));
            }
            set_limit(MANY);
            assert_eq!(executor.submit(|n: u32| n, 5).result().unwrap(), 5);
        }
    });
    output.as_ref().map(printed);
}

#[test]
fn a_large_value_for_which_there_is_no_descriptor_costs_its_own_task_only() {
    let name = "limits::a_large_value_for_which_there_is_no_descriptor_costs_its_own_task_only";
    let output = in_child(name, || {
        let large = "x".repeat(2 << 20);
        for room in 0..8 {
            for lowers_that_of_the_worker in [false, true] {
                let executor = pool(1);
                process_of(&executor);
                let lower = |room: u32| leave_room_for(room as usize);
                if lowers_that_of_the_worker {
                    executor.submit(lower, room).result().unwrap();
                } else {
                    lower(room);
                }
                match executor.submit(|it: String| it, large.clone()).result() {
                    Ok(value) => assert!(value == large),
                    Err(error) => {
                        assert!(
                            matches!(error.kind(), TaskErrorKind::NotTransferred(_)),
                            "{error}"
                        );
                    }
                }
                assert_eq!(executor.submit(|n: u32| n, 5).result().unwrap(), 5);
                set_limit(MANY);
            }
        }
    });
    output.as_ref().map(printed);
}

#[test]
fn a_program_that_ignores_the_ends_of_its_children_hears_of_those_of_workers() {
    let name = "limits::a_program_that_ignores_the_ends_of_its_children_hears_of_those_of_workers";
    let output = in_child(name, || {
        // SAFETY: no handler is installed, and nothing else refers to the one that was.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
        let executor = pool(2);
        let squares: Vec<u32> = executor.map(|n: u32| n * n, 0..50).map(|it| it.unwrap()).collect();
        assert!(squares.into_iter().eq((0..50).map(|n| n * n)));
        for _ in 0..3 {
            let (_, death) = death_of(executor.submit(aborts, ()));
            assert_eq!(death.cause(), &DeathCause::Unknown);
            until_gone(death.process_id());
        }
        let process = process_of(&executor);
        executor.shutdown(true, false);
        assert!(!is_alive(process));
    });
    output.as_ref().map(printed);
}
