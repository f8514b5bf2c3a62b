//! Workers that are killed from outside.

use crate::common::workers::{
    Door, Folder, death_of, is_alive, is_stopped, knock, knock_for_ever, note, noted, pool,
    process_of, send_signal, until_gone,
};
use crate::common::{FarGate, FarLatch, eventually};
use crate::dying::{tells_who_died, was_signalled};
use crate::postconditions::{
    Ledger, ends, goes_on, goes_on_and_ends, says_that_it_is_broken, scenario,
};
use concurrent_futures::{
    DeathCause, Future, OnWorkerDeath, ProcessPoolBuilder, ProcessPoolExecutor, ProcessPoolHandle,
    TaskOptions, WorkerDeath, WorkerState, attempt, worker_index,
};
use serde::{Deserialize, Serialize, Serializer};
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// As if killed by somebody who knows only a number, which may be nobody's by now.
fn kill(process: u32) {
    // SAFETY: it takes plain numbers.
    unsafe { libc::kill(process.cast_signed(), libc::SIGKILL) };
}

fn processes<S: 'static>(pool: &ProcessPoolHandle<S>) -> Vec<u32> {
    pool.workers().iter().filter_map(|it| it.process_id).collect()
}

/// The same without those that have not been up yet: five of them in a row would break the pool.
fn processes_that_are_up<S: 'static>(pool: &ProcessPoolHandle<S>) -> Vec<u32> {
    let workers = pool.workers();
    let up = workers.iter().filter(|it| it.state != WorkerState::Starting);
    up.filter_map(|it| it.process_id).collect()
}

#[track_caller]
fn was_killed(death: &WorkerDeath) {
    assert!(was_signalled(death.cause(), &[libc::SIGKILL]), "{death}");
}

/// However many die, each is replaced.
fn builder(max_workers: usize) -> ProcessPoolBuilder {
    let always = OnWorkerDeath::Replace { most: usize::MAX, within: Duration::from_secs(1) };
    ProcessPoolExecutor::builder().max_workers(max_workers).on_worker_death(always)
}

#[test]
fn s036_a_running_worker_that_is_killed_costs_its_task_and_is_replaced() {
    scenario(|ledger| {
        let (here, there, folder) = (Door::new(), Door::new(), Folder::new());
        let executor = pool(2);
        let doomed = ledger
            .watch(executor.with(TaskOptions::new().label("doomed")).submit(knock, here.path()));
        let dead = here.open();
        let stays = ledger.watch(executor.submit(knock, there.path()));
        let neighbour = there.open();
        let behind = (0..20).map(|n| executor.submit(note, folder.path(&n.to_string())));
        let behind = ledger.watch_all(behind);
        send_signal(dead.process, libc::SIGKILL);
        let (error, death) = death_of(doomed);
        tells_who_died(&error.to_string(), &death, dead.process);
        was_killed(&death);
        for future in behind {
            assert!(![dead.process, neighbour.process].contains(&future.result().unwrap()));
        }
        (0..20).for_each(|n| assert_eq!(noted(&folder.path(&n.to_string())).len(), 1));
        // The new worker has the index of the dead one.
        let index = executor.submit(|()| worker_index().unwrap(), ()).result().unwrap();
        assert_eq!(index, death.worker_index());
        let process = neighbour.process;
        drop(neighbour);
        assert_eq!(stays.result().unwrap(), process);
        assert_eq!(executor.stats().workers, 2);
        goes_on_and_ends(executor);
    });
}

#[test]
fn s037_an_idle_worker_that_is_killed_is_missed_by_nobody() {
    scenario(|ledger| {
        let executor = pool(1);
        for _ in 0..20 {
            let process = process_of(&executor);
            send_signal(process, libc::SIGKILL);
            // Sent before the death is known, or after: either way it runs.
            let next = ledger.watch(executor.submit(|()| std::process::id(), ()));
            assert_ne!(next.result().unwrap(), process);
        }
        let stats = executor.stats();
        assert_eq!((stats.finished, stats.failed, stats.workers), (40, 0, 1));
        goes_on_and_ends(executor);
    });
}

#[test]
fn s038_workers_that_kill_each_other_fail_their_own_tasks_only() {
    /// Kills all of its friends, and perhaps itself, when all are there.
    fn kills((latch, friends, index): (FarLatch, Vec<u32>, usize)) {
        latch.pass();
        friends.iter().cycle().skip(index).take(friends.len()).for_each(|it| kill(*it));
    }
    scenario(|ledger| {
        for friends in [2, 5, 13] {
            for _ in 0..3 {
                let executor = builder(friends).start_all().build().unwrap();
                eventually(|| executor.stats().idle == friends);
                let victims = processes(&executor);
                let gate = FarGate::new();
                let tasks = (0..friends)
                    .map(|n| executor.submit(kills, (gate.latch(), victims.clone(), n)));
                let tasks = ledger.watch_all(tasks);
                gate.await_arrivals(friends);
                let others = ledger.watch_all(executor.submit_all(|n: u32| n, 0..50));
                gate.open();
                for task in tasks {
                    was_killed(&death_of(task).1);
                }
                assert!((0..).zip(others).all(|(n, it)| it.result().unwrap() == n));
                eventually(|| executor.stats().idle == friends);
                goes_on_and_ends(executor);
            }
        }
    });
}

#[test]
fn s039_all_workers_are_killed_at_once_and_new_ones_do_what_was_queued() {
    scenario(|ledger| {
        let gate = FarGate::new();
        let executor = pool(4);
        let running = (0..4).map(|_| executor.submit(|it: FarLatch| it.pass(), gate.latch()));
        let running = ledger.watch_all(running);
        gate.await_arrivals(4);
        let queued = ledger.watch_all(executor.submit_all(|n: u32| n, 0..1000));
        processes(&executor).into_iter().for_each(kill);
        for future in running {
            was_killed(&death_of(future).1);
        }
        assert!((0..).zip(queued).all(|(n, it)| it.result().unwrap() == n));
        let stats = executor.stats();
        assert_eq!((stats.finished, stats.failed), (1000, 4));
        goes_on_and_ends(executor);
    });
}

/// Kills a worker of the pool again and again while `work` is done, and counts how often it tried.
fn amid_kills<R>(
    executor: &ProcessPoolExecutor,
    work: impl FnOnce(&AtomicUsize) -> R,
) -> (R, usize) {
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let (is_over, kills) = (AtomicBool::new(false), AtomicUsize::new(0));
    let result = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut chance: usize = 12_345;
            while !is_over.load(Ordering::SeqCst) {
                chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let workers = processes_that_are_up(executor);
                if !workers.is_empty() {
                    kill(workers[(chance >> 33) % workers.len()]);
                    kills.fetch_add(1, Ordering::SeqCst);
                }
                // The rhythm of the kills, which nothing depends on.
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let _over = Over(&is_over);
        work(&kills)
    });
    (result, kills.into_inner())
}

/// Adds its number, and at which attempt it is, to a file, and gives the number back.
fn tells((path, n): (PathBuf, usize)) -> usize {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    // At once, or not at all.
    file.write_all(format!("{n} {}\n", attempt()).as_bytes()).unwrap();
    n
}

/// How often each of so many tasks has begun, and at which attempts.
fn told(path: PathBuf, tasks: usize) -> Vec<Vec<u32>> {
    let mut all = vec![Vec::new(); tasks];
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let (n, attempt) = line.split_once(' ').unwrap();
        all[n.parse::<usize>().unwrap()].push(attempt.parse().unwrap());
    }
    all
}

#[test]
fn s040_a_task_whose_worker_is_killed_as_it_begins_is_lost_or_tried_again_and_never_both() {
    const TASKS: usize = 3000;
    scenario(|ledger| {
        let folder = Folder::new();
        for retries in [0, 1000] {
            let executor = builder(2).build().unwrap();
            let path = folder.path(&retries.to_string());
            let handle = executor.retrying(retries);
            let (results, _) = amid_kills(&executor, |_| {
                let calls = (0..TASKS).map(|n| handle.submit(tells, (path.clone(), n)));
                let futures = ledger.watch_all(calls);
                futures.into_iter().map(Future::result).collect::<Vec<_>>()
            });
            for (n, (result, told)) in results.into_iter().zip(told(path, TASKS)).enumerate() {
                match result {
                    Ok(value) => {
                        assert_eq!(value, n);
                        // Each attempt once, in turn; one may have been killed before it told.
                        assert!(!told.is_empty() && told.is_sorted_by(|a, b| a < b), "{told:?}");
                        assert!(retries > 0 || told == [1], "{told:?}");
                    }
                    Err(error) => {
                        assert!(error.worker_death().is_some() && retries == 0, "{error}");
                        assert!(told.is_empty() || told == [1], "{told:?}");
                    }
                }
            }
            goes_on_and_ends(executor);
        }
    });
}

/// A value of some size that waits at a gate in the midst of being encoded.
struct WaitsInTheMidst(usize, FarLatch);

impl Serialize for WaitsInTheMidst {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Waits<'a>(&'a FarLatch);
        impl Serialize for Waits<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.pass();
                serializer.serialize_str("")
            }
        }
        ("x".repeat(self.0), Waits(&self.1)).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for WaitsInTheMidst {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        unreachable!("it never comes so far");
    }
}

fn same(text: String) -> String {
    text
}

/// Large values in both directions, while workers are killed.
fn large_values_amid_kills(ledger: &Ledger, retries: u32) {
    let executor = builder(2).build().unwrap();
    let handle = executor.retrying(retries);
    let texts = (0..60_usize).map(|n| "x".repeat((n * 50_021) % (1 << 20)));
    let (lost, kills) = amid_kills(&executor, |_| {
        let futures = ledger.watch_all(texts.clone().map(|text| handle.submit(same, text)));
        let mut lost = 0;
        for (future, text) in futures.into_iter().zip(texts) {
            match future.result() {
                Ok(value) => assert!(value == text),
                Err(error) => {
                    assert!(error.worker_death().is_some() && retries == 0, "{error}");
                    lost += 1;
                }
            }
        }
        lost
    });
    assert!(lost <= kills, "{lost} tasks are lost by {kills} kills");
    goes_on_and_ends(executor);
}

#[test]
fn s041_a_worker_that_is_killed_in_the_midst_of_a_large_result_leaves_no_part_of_it() {
    fn gives((size, latch): (usize, FarLatch)) -> WaitsInTheMidst {
        WaitsInTheMidst(size, latch)
    }
    scenario(|ledger| {
        for size in [0, 10_000, 100_000, 4 << 20] {
            let (executor, gate) = (pool(1), FarGate::new());
            // So that its memory has been used before.
            assert_eq!(executor.submit(same, "y".repeat(size)).result().unwrap().len(), size);
            let future = ledger.watch(executor.submit(gives, (size, gate.latch())));
            gate.await_arrivals(1);
            processes(&executor).into_iter().for_each(kill);
            let error = future.exception().expect("it is lost");
            was_killed(error.worker_death().expect("its worker died"));
            assert!(executor.submit(same, "z".repeat(size)).result().unwrap() == "z".repeat(size));
            goes_on_and_ends(executor);
        }
        large_values_amid_kills(ledger, 0);
    });
}

#[test]
fn s042_a_worker_that_is_killed_before_it_has_read_a_large_argument_costs_nothing() {
    scenario(|ledger| {
        let executor = pool(1);
        let first = process_of(&executor);
        // It reads nothing, so the argument fills all there is, and the rest is still to be written.
        send_signal(first, libc::SIGSTOP);
        eventually(|| is_stopped(first));
        let sizes = (0..200).map(|n| if n % 2 == 0 { 300_000 } else { 15_000 });
        let futures = sizes.clone().map(|size| executor.submit(same, "x".repeat(size)));
        let futures = ledger.watch_all(futures);
        send_signal(first, libc::SIGKILL);
        assert!(sizes.zip(futures).all(|(size, it)| it.result().unwrap().len() == size));
        assert_eq!(executor.stats().failed, 0);
        goes_on_and_ends(executor);
        large_values_amid_kills(ledger, 1000);
    });
}

/// The path of a door at which a worker knocks before it is one, and then stays.
const STALL: &str = "CONCURRENT_FUTURES_TEST_STALL";

/// Runs before `main`, and before a worker has said that it is there.
extern "C" fn stall() {
    if let Some(door) = std::env::var_os(STALL) {
        knock_for_ever(door.into());
    }
}

// SAFETY: the system calls what is listed here when the program begins, as a C function.
#[used]
#[unsafe(link_section = ".init_array")]
static BEGIN: extern "C" fn() = stall;

/// The first so many workers of the pool knock, and get no further.
pub(crate) fn stalling(
    builder: ProcessPoolBuilder,
    most: usize,
    door: &Door,
) -> ProcessPoolExecutor {
    let (starts, path) = (AtomicUsize::new(0), door.path());
    let environment = move |_| {
        let stalls = starts.fetch_add(1, Ordering::SeqCst) < most;
        stalls.then(|| (STALL, path.clone()))
    };
    builder.env_of_worker(environment).build().unwrap()
}

#[test]
fn s044_workers_that_are_killed_before_they_are_up_are_replaced_until_five_in_a_row() {
    scenario(|ledger| {
        for stillbirths in 1..=5 {
            let door = Door::new();
            let executor = stalling(builder(1), stillbirths, &door);
            let futures = ledger.watch_all(executor.submit_all(|n: u32| n, 0..10));
            for _ in 0..stillbirths {
                send_signal(door.open().process, libc::SIGKILL);
            }
            if stillbirths < 5 {
                assert!((0..).zip(futures).all(|(n, it)| it.result().unwrap() == n));
                goes_on_and_ends(executor);
            } else {
                for future in futures {
                    let error = future.result().unwrap_err();
                    assert!(error.is_broken(), "{error}");
                }
                let words = says_that_it_is_broken(&executor);
                assert!(words.contains("before it could take a task"), "{words}");
                assert!(words.contains("SIGKILL"), "{words}");
                ends(executor);
            }
        }
    });
}

#[test]
fn s045_a_pool_whose_workers_all_die_at_their_start_breaks_with_the_reason() {
    fn dies((path, how): (PathBuf, u8)) {
        note(path);
        match how {
            0 => std::process::abort(),
            1 => std::process::exit(0),
            _ => std::process::exit(3),
        }
    }
    scenario(|ledger| {
        for (how, expected) in [(0, "SIGABRT"), (1, "code 0"), (2, "code 3")] {
            let folder = Folder::new();
            let executor = ProcessPoolExecutor::builder()
                .max_workers(2)
                .initializer(dies, (folder.path("starts"), how))
                .build()
                .unwrap();
            let futures = ledger.watch_all((0..10).map(|_| executor.submit(|()| (), ())));
            for future in futures {
                let error = future.result().unwrap_err();
                assert!(error.is_broken(), "{error}");
            }
            let words = says_that_it_is_broken(&executor);
            assert!(words.contains("before it could take a task"), "{words}");
            assert!(words.contains(expected) && !words.contains("while it ran"), "{words}");
            ends(executor);
            let starts = noted(&folder.path("starts")).len();
            assert!((2..=10).contains(&starts), "{starts} workers were started");
        }
    });
}

#[test]
fn s046_ten_thousand_tasks_that_are_tried_again_all_end_while_workers_are_killed_at_random() {
    fn spins(n: u64) -> u64 {
        (0..5_000).fold(n, |it, _| std::hint::black_box(it))
    }
    const TASKS: u64 = 10_000;
    scenario(|ledger| {
        let executor = builder(2).build().unwrap();
        let handle = executor.retrying(u32::MAX);
        let (rounds, _) = amid_kills(&executor, |kills| {
            let mut rounds = 0;
            // Once more, if it went too fast for many.
            while rounds == 0 || kills.load(Ordering::SeqCst) < 30 {
                let futures = ledger.watch_all(handle.submit_all(spins, 0..TASKS));
                let sum: u64 = futures.into_iter().map(|it| it.result().unwrap()).sum();
                assert_eq!(sum, TASKS * (TASKS - 1) / 2);
                rounds += 1;
            }
            rounds
        });
        let stats = executor.stats();
        assert_eq!((stats.finished, stats.failed, stats.cancelled), (rounds * 10_000, 0, 0));
        goes_on_and_ends(executor);
    });
}

#[test]
fn s047_a_worker_that_ignores_the_signal_to_terminate_is_killed_after_the_grace() {
    fn is_stubborn(door: PathBuf) {
        // SAFETY: nobody else has a handler for it.
        unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
        knock_for_ever(door);
    }
    let impatient =
        || ProcessPoolExecutor::builder().max_workers(1).grace(Duration::ZERO).build().unwrap();
    scenario(|ledger| {
        let door = Door::new();
        let executor = impatient();
        let aborted = ledger.watch(executor.submit(is_stubborn, door.path()));
        let first = door.open().process;
        assert!(aborted.abort());
        assert!(aborted.result().unwrap_err().is_cancelled());
        until_gone(first);
        let limited = executor.with(TaskOptions::new().timeout(Duration::from_millis(10)));
        let limited = ledger.watch(limited.submit(is_stubborn, door.path()));
        let second = door.open().process;
        assert!(limited.result().unwrap_err().is_timed_out());
        until_gone(second);
        goes_on(&executor);
        let running = ledger.watch(executor.submit(is_stubborn, door.path()));
        let third = door.open().process;
        executor.shutdown_timeout(Duration::ZERO, Duration::ZERO);
        assert_eq!(death_of(running).1.cause(), &DeathCause::Ended);
        assert!(!is_alive(third));
        ends(executor);

        // To terminate is only a request, which can be followed by more.
        for by_kill in [true, false] {
            let executor = impatient();
            let running = ledger.watch(executor.submit(is_stubborn, door.path()));
            let last = door.open().process;
            executor.terminate_workers();
            if by_kill {
                executor.kill_workers();
            } else {
                executor.shutdown_timeout(Duration::ZERO, Duration::ZERO);
            }
            assert_eq!(death_of(running).1.cause(), &DeathCause::Ended);
            until_gone(last);
            ends(executor);
        }
    });
}
