//! Workers that do not start, or not as they should.

use crate::common::workers::{
    Door, Folder, Visitor, death_of, pause_for_ever, pool, process_of, send_signal,
};
use crate::common::{FarGate, FarLatch, eventually, is_no_worker};
use crate::dying::was_signalled;
use crate::killed::stalling;
use crate::postconditions::{
    Ledger, ends, goes_on, goes_on_and_ends, name_of, named_scenario_with_program,
    says_that_it_is_broken, scenario,
};
use concurrent_futures::{
    BuildError, ProcessPoolBuilder, ProcessPoolExecutor, TaskErrorKind, TaskOptions,
};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const COPY: &str = "CONCURRENT_FUTURES_TEST_COPY";

/// Runs `program` as a program whose file is its own, which it is given.
fn scenario_of_own_file<P: FnOnce(&Path)>(program: P) {
    let name = name_of(&program);
    let run = || program(&PathBuf::from(std::env::var_os(COPY).unwrap()));
    named_scenario_with_program(&name, run, |_, program| {
        let folder = Folder::new();
        let copy = folder.path("program");
        // Not by this process, whose other children might hold it open for writing for a moment.
        let copied = Command::new("cp").arg(program.get_program()).arg(&copy).status();
        assert!(copied.unwrap().success());
        let mut command = Command::new(&copy);
        let variables = program.get_envs().filter_map(|(name, value)| Some((name, value?)));
        command.args(program.get_args()).envs(variables).env(COPY, &copy);
        assert!(command.status().unwrap().success());
    });
}

fn works_with_new_workers() {
    let executor = pool(2);
    let squares: Vec<u32> = executor.map(|n: u32| n * n, 0..50).map(|it| it.unwrap()).collect();
    assert!(squares.into_iter().eq((0..50).map(|n| n * n)));
    goes_on_and_ends(executor);
}

#[test]
fn s060_a_program_that_may_not_be_executed_any_more_refuses_at_once() {
    scenario_of_own_file(|own| {
        let set = |mode| {
            std::fs::set_permissions(own, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let executor = pool(2);
        for _ in 0..3 {
            set(0);
            for future in executor.submit_all(|n: u32| n, 0..10) {
                let error = future.result().unwrap_err();
                assert!(is_no_worker(&error), "{error}");
                assert!(error.to_string().contains("Permission denied"), "{error}");
            }
            eventually(|| executor.stats().workers == 0);
            set(0o755);
            goes_on(&executor);
            // So that it needs a new one.
            let process = process_of(&executor);
            send_signal(process, libc::SIGKILL);
            eventually(|| executor.stats().workers == 0);
        }
        ends(executor);
    });
}

#[test]
fn s061_a_program_whose_file_is_removed_and_replaced_still_starts_workers() {
    scenario_of_own_file(|own| {
        let executor = pool(2);
        process_of(&executor);
        std::fs::remove_file(own).unwrap();
        works_with_new_workers();
        // Something else has its name now, and would not be a worker.
        std::fs::copy("/bin/true", own).unwrap();
        works_with_new_workers();
        let gate = FarGate::new();
        // Both are needed, and one of them is new.
        let both = [(); 2].map(|()| executor.submit(|it: FarLatch| it.pass(), gate.latch()));
        gate.await_arrivals(2);
        gate.open();
        both.into_iter().for_each(|it| it.result().unwrap());
        goes_on_and_ends(executor);
    });
}

#[test]
fn s062_a_program_that_is_marked_as_a_worker_and_is_none_builds_no_pool() {
    scenario(|_| {
        // As if the hook had been dropped by a linker: then the mark is still there.
        let mark =
            format!("CONCURRENT_FUTURES_WORKER_{}", env!("CARGO_PKG_VERSION").replace('.', "_"));
        // SAFETY: this process has no other thread that looks at the environment.
        unsafe { std::env::set_var(mark, "1") };
        let error = ProcessPoolExecutor::new(1).unwrap_err();
        assert!(matches!(error, BuildError::NotBootstrapped), "{error}");
        assert!(error.to_string().contains("concurrent_futures::init()"), "{error}");
    });
}

/// What a pool says whose initializer fails.
#[track_caller]
fn said_by<S: 'static>(ledger: &Ledger, executor: ProcessPoolExecutor<S>) -> String {
    let futures = ledger.watch_all((0..10).map(|_| executor.submit(|()| (), ())));
    let mut causes = futures.into_iter().map(|it| {
        let error = it.result().unwrap_err();
        assert!(error.is_broken(), "{error}");
        match error.kind() {
            TaskErrorKind::Broken(cause) => cause.to_string(),
            // Submitted when it was known already.
            _ => String::new(),
        }
    });
    let cause = causes.next().unwrap();
    assert!(causes.all(|it| it == cause || it.is_empty()));
    let words = says_that_it_is_broken(&executor);
    assert!(words.contains(&cause), "{words}");
    ends(executor);
    cause
}

#[test]
fn s063_the_error_of_an_initializer_fails_what_is_queued_and_refuses_the_rest() {
    scenario(|ledger| {
        for workers in [1, 4] {
            let builder = ProcessPoolExecutor::builder().max_workers(workers);
            let fails = |n: u32| Err::<(), _>(format!("no device {n}"));
            let executor = builder.try_initializer(fails, 7).build().unwrap();
            assert_eq!(said_by(ledger, executor), "the initializer failed: no device 7");
        }
    });
}

#[test]
fn s064_the_panic_of_an_initializer_does_so_with_its_place() {
    scenario(|ledger| {
        for workers in [1, 4] {
            let builder = ProcessPoolExecutor::builder().max_workers(workers);
            let panics = |n: u32| assert_eq!(n, 8, "the device is missing");
            let cause = said_by(ledger, builder.initializer(panics, 7).build().unwrap());
            assert!(cause.starts_with("the initializer panicked: "), "{cause}");
            for part in ["the device is missing", "starting.rs"] {
                assert!(cause.contains(part), "{cause}");
            }
        }
    });
}

fn one() -> ProcessPoolBuilder {
    ProcessPoolExecutor::builder().max_workers(1)
}

#[test]
fn s065_a_process_that_says_nothing_at_its_start_is_ended_in_time() {
    scenario(|ledger| {
        let door = Door::new();
        // Two that say nothing, and one that does.
        let executor = stalling(one().start_timeout(Duration::from_millis(500)), 2, &door);
        let future = ledger.watch(executor.submit(|n: u32| n, 7));
        let silent = [door.open(), door.open()].map(Visitor::last_word);
        assert_eq!((silent, future.result().unwrap()), ([None, None], 7));
        goes_on_and_ends(executor);
        // All of them.
        let executor = stalling(one().start_timeout(Duration::from_millis(1)), usize::MAX, &door);
        let error = ledger.watch(executor.submit(|n: u32| n, 7)).result().unwrap_err();
        assert!(error.is_broken(), "{error}");
        let words = says_that_it_is_broken(&executor);
        assert!(words.contains("saying nothing for 1ms"), "{words}");
        ends(executor);
    });
}

#[test]
fn s065_an_initializer_that_hangs_can_be_given_up_and_ended() {
    fn hangs(latch: FarLatch) {
        latch.pass();
        pause_for_ever();
    }
    scenario(|ledger| {
        for by_kill in [false, true] {
            let gate = FarGate::new();
            // That process has said that it is there, and may take its time.
            let builder = one().grace(Duration::ZERO).start_timeout(Duration::from_secs(1));
            let executor = builder.initializer(hangs, gate.latch()).build().unwrap();
            let waiting = ledger.watch(executor.submit(|n: u32| n, 7));
            let limited = TaskOptions::new().begin_within(Duration::from_millis(1));
            let limited = ledger.watch(executor.with(limited).submit(|n: u32| n, 7));
            gate.await_arrivals(1);
            let error = limited.result().unwrap_err();
            assert!(matches!(error.kind(), TaskErrorKind::NotBegun { .. }), "{error}");
            assert!(!waiting.done());
            if by_kill {
                executor.kill_workers();
            } else {
                executor.shutdown_timeout(Duration::ZERO, Duration::ZERO);
            }
            assert!(waiting.result().unwrap_err().is_cancelled());
            ends(executor);
        }
    });
}

#[test]
fn s067_a_pool_whose_first_start_works_and_no_other_goes_on_with_one_worker() {
    scenario(|ledger| {
        let (folder, gate) = (Folder::new(), FarGate::new());
        let place = folder.path("there for a while");
        std::fs::create_dir(&place).unwrap();
        let builder = ProcessPoolExecutor::builder().max_workers(8);
        let executor = builder.current_dir(&place).build().unwrap();
        let first = process_of(&executor);
        std::fs::remove_dir(&place).unwrap();
        let busy = ledger.watch(executor.submit(|it: FarLatch| it.pass(), gate.latch()));
        gate.await_arrivals(1);
        // Each of these could have a worker of its own.
        let process = |_| std::process::id();
        let futures = ledger.watch_all(executor.submit_all(process, 0..50));
        gate.open();
        busy.result().unwrap();
        assert!(futures.into_iter().all(|it| it.result().unwrap() == first));
        eventually(|| executor.stats().workers == 1);
        // Nor is there one if that dies.
        send_signal(first, libc::SIGKILL);
        eventually(|| executor.stats().workers == 0);
        let error = ledger.watch(executor.submit(|n: u32| n, 7)).result().unwrap_err();
        assert!(is_no_worker(&error), "{error}");
        std::fs::create_dir(&place).unwrap();
        goes_on_and_ends(executor);
    });
}

#[test]
fn s068_a_large_pool_starts_no_more_workers_than_it_has_tasks() {
    scenario(|ledger| {
        let (executor, gate) = (pool(64), FarGate::new());
        assert_eq!(executor.stats().workers, 0);
        let tasks = (0..3).map(|_| executor.submit(|it: FarLatch| it.pass(), gate.latch()));
        let tasks = ledger.watch_all(tasks);
        gate.await_arrivals(3);
        assert_eq!(executor.stats().workers, 3);
        gate.open();
        tasks.into_iter().for_each(|it| it.result().unwrap());
        assert_eq!(executor.stats().workers, 3);
        goes_on_and_ends(executor);
    });
}

#[test]
fn s069_workers_start_and_end_while_other_threads_start_programs_and_fork() {
    scenario(|ledger| {
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let is_over = &is_over;
            let goes_on = move || !is_over.load(Ordering::SeqCst);
            scope.spawn(move || {
                while goes_on() {
                    assert!(Command::new("true").status().unwrap().success());
                }
            });
            // Copies of this process, with all that it has open at that moment.
            let copies = scope.spawn(move || {
                let mut copies = Vec::new();
                while goes_on() && copies.len() < 100 {
                    // SAFETY: the copy calls nothing but what may be called there.
                    let copy = unsafe { libc::fork() };
                    if copy == 0 {
                        // It is not to outlive a test that fails.
                        // SAFETY: it takes plain numbers.
                        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
                        loop {
                            // SAFETY: it takes nothing.
                            unsafe { libc::pause() };
                        }
                    }
                    copies.push(copy);
                }
                copies
            });
            for _ in 0..20 {
                let executor = pool(2);
                let dies: fn(()) = |()| std::process::abort();
                let dying = ledger.watch(executor.submit(dies, ()));
                let futures = ledger.watch_all(executor.submit_all(|n: u32| n, 0..20));
                let (_, death) = death_of(dying);
                assert!(was_signalled(death.cause(), &[libc::SIGABRT]), "{death}");
                assert!((0..).zip(futures).all(|(n, it)| it.result().unwrap() == n));
                goes_on_and_ends(executor);
            }
            is_over.store(true, Ordering::SeqCst);
            for copy in copies.join().unwrap() {
                send_signal(copy.cast_unsigned(), libc::SIGKILL);
                // SAFETY: it takes plain numbers, and a place that is not there.
                assert_eq!(unsafe { libc::waitpid(copy, std::ptr::null_mut(), 0) }, copy);
            }
        });
    });
}

#[test]
fn s070_a_worker_has_the_environment_that_there_was_when_it_was_started() {
    const NAME: &str = "CONCURRENT_FUTURES_TEST_CHANGING";
    scenario(|ledger| {
        let value = |()| std::env::var(NAME).ok();
        // SAFETY: all of this crate looks at the environment by the standard library.
        let set = |n: usize| unsafe { std::env::set_var(NAME, n.to_string()) };
        let stays = pool(1);
        process_of(&stays);
        let each_its_own = one().max_tasks_per_child(1).build().unwrap();
        for n in 0..5 {
            // Of the last task; from then on the next may be started.
            eventually(|| each_its_own.stats().workers == 0);
            set(n);
            let now = ledger.watch(each_its_own.submit(value, ())).result().unwrap();
            assert_eq!(now, Some(n.to_string()));
            assert_eq!(stays.submit(value, ()).result().unwrap(), None);
        }
        // While workers are being started, it is one value or another.
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| (0..).take_while(|_| !is_over.load(Ordering::SeqCst)).for_each(set));
            let values = ledger.watch_all(each_its_own.submit_all(value, [(); 50]));
            for found in values {
                assert!(found.result().unwrap().is_some_and(|it| it.parse::<usize>().is_ok()));
            }
            is_over.store(true, Ordering::SeqCst);
        });
        ends(each_its_own);
        goes_on_and_ends(stays);
    });
}
