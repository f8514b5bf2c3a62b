//! Trouble of the program that has the pool.

use crate::common::workers::{is_alive, pool, process_of, send_signal, until_gone};
use crate::common::{FarGate, FarLatch, eventually};
use crate::postconditions::{ends, goes_on, goes_on_and_ends, scenario};
use concurrent_futures::{ProcessPoolExecutor, TaskOptions};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

fn pass(latch: FarLatch) -> u32 {
    latch.pass();
    std::process::id()
}

#[test]
fn s085_an_interrupt_from_the_terminal_reaches_the_program_and_no_worker() {
    static HEARD: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn hear(_: libc::c_int) {
        HEARD.fetch_add(1, Ordering::SeqCst);
    }
    scenario(|ledger| {
        // As the terminal does it: to all of a group.
        // SAFETY: it takes plain numbers.
        assert_eq!(unsafe { libc::setpgid(0, 0) }, 0);
        let handler = hear as extern "C" fn(libc::c_int);
        // SAFETY: the handler only counts.
        unsafe { libc::signal(libc::SIGINT, handler as libc::sighandler_t) };
        let executor = pool(2);
        let gate = FarGate::new();
        let running = ledger.watch(executor.submit(pass, gate.latch()));
        gate.await_arrivals(1);
        // SAFETY: it takes plain numbers; zero is the own group.
        assert_eq!(unsafe { libc::kill(0, libc::SIGINT) }, 0);
        eventually(|| HEARD.load(Ordering::SeqCst) == 1);
        goes_on(&executor);
        gate.open();
        assert!(is_alive(running.result().unwrap()));
        goes_on_and_ends(executor);
    });
}

/// The catalogue stops the program for a minute. Nothing here counts on being on time, so the length of the
/// pause does not matter; it is longer than all that the pool does at intervals.
#[test]
fn s086_a_program_that_was_stopped_for_a_while_goes_on() {
    scenario(|ledger| {
        let executor = pool(2);
        goes_on(&executor);
        let gate = FarGate::new();
        let running = ledger.watch(executor.submit(pass, gate.latch()));
        gate.await_arrivals(1);
        let limited = executor.with(TaskOptions::new().timeout(Duration::from_secs(3600)));
        let futures = limited.submit_all(|n: u32| n, 0..200);
        let own = std::process::id();
        let script = format!("kill -STOP {own} && sleep 0.3; kill -CONT {own}");
        assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
        let futures = ledger.watch_all(futures);
        assert!((0..).zip(futures).all(|(n, it)| it.result().unwrap() == n));
        gate.open();
        assert!(is_alive(running.result().unwrap()));
        goes_on_and_ends(executor);
    });
}

#[test]
fn s087_workers_outlive_the_thread_that_has_started_them() {
    scenario(|ledger| {
        let gate = FarGate::new();
        let latch = gate.latch();
        let begins = move || {
            let executor = ProcessPoolExecutor::new(1).unwrap();
            let running = executor.submit(pass, latch);
            (executor, running)
        };
        let (executor, running) = std::thread::spawn(begins).join().unwrap();
        let running = ledger.watch(running);
        gate.await_arrivals(1);
        gate.open();
        let process = running.result().unwrap();
        assert_eq!(process_of(&executor), process);
        ends(executor);
    });
}

#[test]
fn s088_a_fork_of_the_program_without_exec_holds_up_nothing() {
    scenario(|ledger| {
        let executor = pool(1);
        goes_on(&executor);
        // It has all that the pool has open, and touches nothing of it.
        // SAFETY: the child only waits for a signal.
        let fork = match unsafe { libc::fork() } {
            0 => loop {
                // SAFETY: it takes nothing.
                unsafe { libc::pause() };
            },
            child => child.cast_unsigned(),
        };
        let gate = FarGate::new();
        let running = ledger.watch(executor.submit(pass, gate.latch()));
        gate.await_arrivals(1);
        gate.open();
        let first = running.result().unwrap();
        // The end of a worker is heard although its connection is open in the fork as well.
        send_signal(first, libc::SIGKILL);
        until_gone(first);
        goes_on(&executor);
        ends(executor);
        send_signal(fork, libc::SIGKILL);
        // SAFETY: it writes to no place.
        let waited = unsafe { libc::waitpid(fork.cast_signed(), std::ptr::null_mut(), 0) };
        assert_eq!(waited, fork.cast_signed());
    });
}
