//! What is left of pools that are gone: nothing.
//!
//! All of it is done in a process of its own, where nobody else opens files or starts threads.

use crate::common::workers::{death_of, pause_for_ever, pool};
use crate::common::{Held, eventually, in_child, printed};
use crate::death::aborts;
use concurrent_futures::{ProcessPoolExecutor, TaskOptions};
use std::fs;
use std::time::Duration;

/// Bytes of resident memory.
fn memory() -> usize {
    let text = fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// One of several lives that a pool can have.
fn one_pool(round: usize) {
    match round % 4 {
        0 => {
            let executor = pool(2);
            let futures = executor.submit_all(|n: usize| n + 1, 0..20);
            let sum: usize = futures.into_iter().map(|it| it.result().unwrap()).sum();
            assert_eq!(sum, 210);
        }
        1 => {
            let executor = pool(1);
            death_of(executor.submit(aborts, ()));
            let large = "x".repeat(1 << 18);
            assert_eq!(executor.submit(|it: String| it, large.clone()).result().unwrap(), large);
        }
        2 => {
            let executor = ProcessPoolExecutor::builder()
                .max_workers(1)
                .grace(Duration::ZERO)
                .build()
                .unwrap();
            let options = TaskOptions::new().timeout(Duration::from_millis(1));
            let endless = executor.with(options).submit(|()| pause_for_ever(), ());
            let result: Result<(), _> = endless.result();
            assert!(result.unwrap_err().is_timed_out());
        }
        _ => {
            let executor = pool(2);
            let futures = executor.submit_all(|n: usize| n, 0..10);
            executor.shutdown(false, true);
            drop(futures);
            executor.kill_workers();
        }
    }
}

#[test]
fn pools_that_are_gone_leave_nothing() {
    let output = in_child("leaks::pools_that_are_gone_leave_nothing", || {
        let threads = Held::now().threads;
        // What is made once, and what the allocator keeps.
        (0..20).for_each(one_pool);
        let (held, before) = (Held::with_threads(threads), memory());
        assert!(held.children.is_empty(), "{held:?}");
        (0..200).for_each(one_pool);
        assert_eq!(Held::with_threads(threads), held);
        let grown = memory().saturating_sub(before);
        assert!(grown < 8 << 20, "{grown} bytes more than before");
    });
    output.as_ref().map(printed);
}

#[test]
fn tasks_that_are_done_leave_nothing() {
    let output = in_child("leaks::tasks_that_are_done_leave_nothing", || {
        let executor = pool(2);
        let work = || {
            let futures =
                executor.submit_all(|text: String| text.len(), vec!["x".repeat(500); 2000]);
            futures.into_iter().for_each(|it| assert_eq!(it.result().unwrap(), 500));
        };
        (0..3).for_each(|_| work());
        let (held, before) = (Held::now(), memory());
        (0..10).for_each(|_| work());
        assert_eq!(Held::with_threads(held.threads), held);
        let grown = memory().saturating_sub(before);
        assert!(grown < 8 << 20, "{grown} bytes more than before");
    });
    output.as_ref().map(printed);
}

#[test]
fn workers_that_die_leave_nothing() {
    let output = in_child("leaks::workers_that_die_leave_nothing", || {
        let executor = pool(1);
        let dies = || {
            death_of(executor.submit(aborts, ()));
            executor.submit(|()| (), ()).result().unwrap();
        };
        (0..5).for_each(|_| dies());
        let held = Held::now();
        (0..60).for_each(|_| dies());
        // One child has taken the place of another.
        eventually(|| {
            let now = Held::now();
            now.threads <= held.threads
                && now.descriptors.len() <= held.descriptors.len()
                && now.children.len() == 1
        });
    });
    output.as_ref().map(printed);
}
