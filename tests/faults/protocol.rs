//! What stands between two processes: values that fill it, and workers that say what no worker says.

use crate::common::workers::{death_of, pause_for_ever, pool, process_of, send_signal};
use crate::common::{FarGate, FarLatch, Gate, eventually};
use crate::dying::was_signalled;
use crate::postconditions::{Ledger, ends, goes_on, goes_on_and_ends, scenario};
use concurrent_futures::{
    DeathCause, Future, MapOptions, ProcessPoolBuilder, ProcessPoolExecutor, TaskOptions,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

fn same(text: String) -> String {
    text
}

fn one() -> ProcessPoolBuilder {
    ProcessPoolExecutor::builder().max_workers(1).grace(Duration::ZERO)
}

/// Holds the thread beside a worker up, by the callback of a task, until the gate is opened. Returns
/// when it is.
fn hold_up(executor: &ProcessPoolExecutor, gate: &Gate) -> Future<()> {
    let far = FarGate::new();
    let held = executor.submit(|latch: FarLatch| latch.pass(), far.latch());
    let (latch, (begun, begins)) = (gate.latch(), std::sync::mpsc::channel());
    held.add_done_callback(move |_| {
        begun.send(()).unwrap();
        latch.pass();
    });
    far.open();
    begins.recv().unwrap();
    held
}

#[test]
fn s049_both_directions_are_full_and_nobody_waits_for_the_other() {
    scenario(|ledger| {
        // Through the ring; through memory that is kept, or, where that is all in use, beside it.
        for (size, count) in [(15_000, 400), (40_000, 300), (300_000, 150)] {
            let (executor, gate) = (pool(1), Gate::new());
            process_of(&executor);
            // Its own thread takes no results meanwhile, so that they fill what they go through.
            let held = hold_up(&executor, &gate);
            let texts = (0..count).map(|n| n.to_string().repeat(size / 3));
            let futures = ledger.watch_all(texts.clone().map(|it| executor.submit(same, it)));
            gate.open();
            for (text, future) in texts.zip(futures) {
                // Not `assert_eq`, which would print them.
                assert!(future.result().unwrap() == text);
            }
            held.result().unwrap();
            goes_on_and_ends(executor);
        }
    });
}

/// What the descriptors of this process lead to.
fn descriptors(_: ()) -> BTreeMap<i32, String> {
    let all = std::fs::read_dir("/proc/self/fd").unwrap().map(|it| it.unwrap().path());
    let number = |path: &Path| path.file_name().unwrap().to_str().unwrap().parse().unwrap();
    // The one for the list itself is gone by now.
    let leads_to = |path: PathBuf| Some((number(&path), std::fs::read_link(&path).ok()?));
    let all = all.filter_map(leads_to);
    all.map(|(number, path)| (number, path.display().to_string())).collect()
}

/// Says something in the name of the worker that runs this.
fn say(bytes: &[u8]) {
    let sockets = descriptors(()).into_iter().filter(|(_, path)| path.starts_with("socket:"));
    let sockets: Vec<i32> = sockets.map(|(number, _)| number).collect();
    assert_eq!(sockets.len(), 1, "its connection, and no other");
    // SAFETY: the bytes are there.
    let written = unsafe { libc::write(sockets[0], bytes.as_ptr().cast(), bytes.len()) };
    assert_eq!(written, bytes.len().cast_signed());
}

/// A frame as it stands on the wire.
fn frame(length: u64, kind: u8, body: &[u8]) -> Vec<u8> {
    [&length.to_le_bytes(), &[kind][..], body].concat()
}

/// The kinds of frames that a worker sends.
const HELLO: u8 = 4;
const READY: u8 = 5;
const BEGUN: u8 = 6;
const DONE: u8 = 7;
const LOOK: u8 = 8;

/// The outcome of the call with this number, which ended in no time, with this as its value.
fn done(call: u8, value: &[u8]) -> Vec<u8> {
    let head = [call, 0, 0, 0, 0, 0, 0, 0];
    frame((head.len() + value.len()) as u64, DONE, &[&head, value].concat())
}

/// Says this, and never ends by itself.
fn says(bytes: Vec<u8>) {
    say(&bytes);
    pause_for_ever();
}

/// Why a worker was ended that said this.
#[track_caller]
fn fault_of(ledger: &Ledger, bytes: Vec<u8>) -> String {
    let executor = pool(1);
    let first = process_of(&executor);
    let (_, death) = death_of(ledger.watch(executor.submit(says, bytes)));
    assert_eq!(death.process_id(), first);
    let DeathCause::BrokeProtocol(fault) = death.cause().clone() else { panic!("{death}") };
    assert!(death.to_string().contains(&fault), "{death}");
    goes_on_and_ends(executor);
    fault
}

/// Bytes of address space, and of resident memory.
fn memory() -> (usize, usize) {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let mut pages = text.split(' ').map(|it| it.parse::<usize>().unwrap() * 4096);
    (pages.next().unwrap(), pages.next().unwrap())
}

#[test]
fn s050_a_frame_above_the_limit_ends_its_worker_and_takes_no_memory() {
    scenario(|ledger| {
        let before = memory();
        for length in [u64::MAX, 1 << 45, (1 << 30) + (1 << 20) + 1] {
            let fault = fault_of(ledger, frame(length, DONE, &[1, 2, 3]));
            assert!(fault.contains(&format!("a frame of {length} bytes")), "{fault}");
        }
        // Up to the limit it may come, and has what has come.
        let executor = pool(1);
        let process = process_of(&executor);
        let long = ledger.watch(executor.submit(says, frame(1 << 30, DONE, &[0; 10_000])));
        eventually(|| long.running());
        let others = ledger.watch_all(executor.submit_all(|n: u32| n, 0..3));
        send_signal(process, libc::SIGKILL);
        assert!(was_signalled(death_of(long).1.cause(), &[libc::SIGKILL]));
        assert!((0..).zip(others).all(|(n, it)| it.result().unwrap() == n));
        goes_on_and_ends(executor);
        let (space, resident) = memory();
        assert!(space < before.0 + (512 << 20), "{} bytes more", space - before.0);
        assert!(resident < before.1 + (64 << 20), "{} bytes more", resident - before.1);
    });
}

#[test]
fn s051_junk_ends_its_worker_and_the_error_says_that_it_broke_the_protocol() {
    const UNREADABLE: &str = "cannot be decoded";
    scenario(|ledger| {
        let junk: [(Vec<u8>, &str); 12] = [
            (frame(0, 200, &[]), "unknown kind 200"),
            (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "a frame of "),
            (vec![0xff; 1000], "unknown kind 255"),
            (vec![0; 9], "only a parent sends"),
            (frame(0, 1, &[]), "only a parent sends"),
            (frame(2, 3, &[1, 2]), "only a parent sends"),
            (frame(0, DONE, &[]), UNREADABLE),
            (frame(8, DONE, &[1, 0, 0, 0, 0, 0, 99, 0]), UNREADABLE),
            (frame(2, HELLO, &[9, 200]), UNREADABLE),
            (frame(1, READY, &[7]), UNREADABLE),
            (frame(2, BEGUN, &[0x80, 0x80]), UNREADABLE),
            (frame(0, HELLO, &[]), UNREADABLE),
        ];
        for (bytes, expected) in junk {
            let fault = fault_of(ledger, bytes);
            assert!(fault.contains(expected), "{fault}");
        }
    });
}

#[test]
fn s051_more_output_than_is_to_be_kept_ends_its_worker() {
    // What stands before the outcome: nine bytes of standard output, and none of standard error.
    let mut report = vec![1, 1, 0, 9];
    report.extend([7; 9]);
    report.extend([0, 0, 0, 0]);
    let head = [&[2, 0, 0, 0, 0][..], &report, &[0, 0]].concat();
    scenario(|ledger| {
        // That it is in the files is the other way to tell of it.
        let in_files = [&[2, 0, 0, 0, 0][..], &[1, 1, 1, 0, 0, 0], &[0, 0]].concat();
        for head in [&head, &in_files] {
            let fault = fault_of(ledger, frame(head.len() as u64, DONE, head));
            assert!(fault.contains("more output than it is to keep"), "{fault}");
        }
        let executor = one().capture_output(8).build().unwrap();
        process_of(&executor);
        let says_it = ledger.watch(executor.submit(says, frame(head.len() as u64, DONE, &head)));
        let (_, death) = death_of(says_it);
        assert!(matches!(death.cause(), DeathCause::BrokeProtocol(_)), "{death}");
        goes_on_and_ends(executor);
        // As much as is kept is believed.
        let executor = one().capture_output(9).build().unwrap();
        process_of(&executor);
        let says_it = ledger.watch(executor.submit(says, frame(head.len() as u64, DONE, &head)));
        says_it.wait();
        assert_eq!(says_it.output().unwrap().stdout_bytes(), [7; 9]);
        says_it.result().unwrap();
        executor.kill_workers();
    });
}

#[test]
fn s051_a_frame_that_its_worker_never_ends_is_forgotten_with_it() {
    fn says_and_dies(bytes: Vec<u8>) {
        say(&bytes);
        std::process::abort();
    }
    scenario(|ledger| {
        let whole = done(2, &[5; 1000]);
        for end in [1, 8, 9, 10, 14, 500, whole.len() - 1] {
            let executor = pool(1);
            let first = process_of(&executor);
            let doomed = ledger.watch(executor.submit(says_and_dies, whole[..end].to_vec()));
            let (_, death) = death_of(doomed);
            assert!(was_signalled(death.cause(), &[libc::SIGABRT]), "{death}");
            assert_ne!(process_of(&executor), first);
            goes_on_and_ends(executor);
        }
    });
}

/// Overwrites the memory that this worker shares with its parent.
fn scribble(pattern: fn(usize) -> u8) {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let line = maps.lines().find(|it| it.contains("worker-page")).unwrap();
    let (begin, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
    let [begin, end] = [begin, end].map(|it| usize::from_str_radix(it, 16).unwrap());
    for at in begin..end {
        let byte = std::ptr::with_exposed_provenance_mut::<u8>(at);
        // SAFETY: it is mapped for writing. Whoever reads it believes nothing of it.
        unsafe { byte.write_volatile(pattern(at - begin)) };
    }
}

#[test]
fn s051_a_worker_that_overwrites_what_it_shares_ends_no_other_and_not_the_program() {
    const ALL: usize = 5;
    fn scribbles(way: usize) {
        let patterns: [fn(usize) -> u8; ALL] = [
            |_| 0,
            |_| 0xff,
            |at| at as u8,
            |at| (at / 128) as u8,
            |at| (at.wrapping_mul(0x9e37_79b9) >> 16) as u8,
        ];
        scribble(patterns[way]);
        say(&frame(0, LOOK, &[]));
        pause_for_ever();
    }
    scenario(|ledger| {
        for way in 0..ALL {
            let executor = one().build().unwrap();
            process_of(&executor);
            let limited = executor.with(TaskOptions::new().timeout(Duration::from_millis(10)));
            let doomed = ledger.watch(limited.submit(scribbles, way));
            let behind = ledger.watch_all(executor.submit_all(|n: u32| n, 0..5));
            let error = doomed.result().unwrap_err();
            assert!(error.is_timed_out() || error.worker_death().is_some(), "{error}");
            for (n, future) in (0..).zip(behind) {
                // Whether a call that was sent ahead had begun stood in that memory too.
                match future.result() {
                    Ok(value) => assert_eq!(value, n),
                    Err(error) => assert!(error.worker_death().is_some(), "{error}"),
                }
            }
            goes_on_and_ends(executor);
        }
    });
}

#[test]
fn s052_news_of_a_call_that_a_worker_was_not_sent_end_it() {
    scenario(|ledger| {
        for call in [0, 1, 3, 100] {
            // The first has come back, and the second is the one that says it.
            let fault = fault_of(ledger, done(call, &[]));
            assert!(fault.contains("news of a call that it was not sent"), "{fault}");
        }
    });
}

#[test]
fn s053_of_two_results_for_one_call_the_first_counts_and_the_second_ends_the_worker() {
    /// The first call of its worker, so it knows its number.
    fn answers_twice((forged, latch): (u8, FarLatch)) -> u8 {
        say(&done(1, &[forged]));
        latch.pass();
        forged + 1
    }
    scenario(|ledger| {
        let (executor, gate) = (pool(1), FarGate::new());
        let future = ledger.watch(executor.submit(answers_twice, (7, gate.latch())));
        assert_eq!(future.result().unwrap(), 7);
        let first = executor.workers()[0].process_id;
        gate.open();
        eventually(|| executor.workers().first().is_none_or(|it| it.process_id != first));
        goes_on_and_ends(executor);
    });
}

/// Forks, and comes back twice, with text that differs.
fn comes_back_twice(size: usize) -> String {
    // SAFETY: the copy does what no copy should: it goes on.
    let is_copy = unsafe { libc::fork() } == 0;
    if is_copy { "y" } else { "x" }.repeat(size)
}

#[test]
fn s053_a_copy_of_its_process_that_comes_back_from_a_task_as_well_is_no_worker() {
    scenario(|ledger| {
        for size in [1, 1 << 20] {
            let executor = pool(1);
            let worker = process_of(&executor);
            for _ in 0..5 {
                let twice = ledger.watch(executor.submit(comes_back_twice, size));
                let other = |n: u32| (n, std::process::id());
                let behind = ledger.watch_all(executor.submit_all(other, 0..50));
                assert!(twice.result().unwrap() == "x".repeat(size));
                for (n, future) in (0..).zip(behind) {
                    assert_eq!(future.result().unwrap(), (n, worker));
                }
            }
            goes_on_and_ends(executor);
        }
    });
}

#[test]
fn s055_values_without_a_single_byte_travel() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Nothing;
    scenario(|_| {
        let executor = pool(2);
        executor.submit(|()| (), ()).result().unwrap();
        executor.spawn(|| ()).result().unwrap();
        assert_eq!(executor.submit(|it: Nothing| it, Nothing).result().unwrap(), Nothing);
        assert_eq!(executor.submit(|it: [u8; 0]| it, []).result().unwrap(), []);
        assert_eq!(executor.submit(same, String::new()).result().unwrap(), "");
        let none: Vec<u64> = Vec::new();
        assert_eq!(executor.submit(|it: Vec<u64>| it, none.clone()).result().unwrap(), none);
        for chunksize in [1, 7] {
            let options = MapOptions::new().chunksize(NonZeroUsize::new(chunksize).unwrap());
            assert_eq!(
                executor.map_with(options, |()| (), [(); 100]).filter(Result::is_ok).count(),
                100
            );
        }
        assert_eq!(executor.map(|()| (), [(); 0]).count(), 0);
        goes_on_and_ends(executor);
    });
}

#[test]
fn s056_a_hundred_thousand_cancels_in_a_burst_block_nobody() {
    const TASKS: u32 = 100_000;
    scenario(|_| {
        let (executor, far, near) = (pool(2), FarGate::new(), Gate::new());
        // One worker is at work, and the thread beside the other one is held up.
        let busy = executor.submit(|latch: FarLatch| latch.pass(), far.latch());
        far.await_arrivals(1);
        let held = hold_up(&executor, &near);
        let futures = executor.submit_all(|n: u32| n, 0..TASKS);
        let (one, other) = futures.split_at(TASKS as usize / 2);
        let cancelled = std::thread::scope(|scope| {
            let count = |futures: &[Future<u32>]| futures.iter().filter(|it| it.cancel()).count();
            let one = scope.spawn(move || count(one));
            count(other) + one.join().unwrap()
        });
        near.open();
        far.open();
        busy.result().unwrap();
        held.result().unwrap();
        for (n, future) in (0..).zip(futures) {
            match future.result() {
                Ok(value) => assert_eq!(value, n),
                Err(error) => assert!(error.is_cancelled(), "{error}"),
            }
        }
        let stats = executor.stats();
        assert_eq!((stats.cancelled, stats.submitted()), (cancelled, TASKS as usize + 2));
        assert!(cancelled > TASKS as usize / 2, "{cancelled} were cancelled");
        goes_on_and_ends(executor);
    });
}

/// From now on this process is interrupted a thousand times a second; never, if `pause` is zero.
fn interrupt_each(pause: libc::suseconds_t) {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: zeros are a set of no signals, and no flags: calls to the system are not taken up again.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as libc::sighandler_t;
    // SAFETY: the handler does nothing.
    unsafe { libc::sigaction(libc::SIGALRM, &raw const action, std::ptr::null_mut()) };
    let pause = libc::timeval { tv_sec: 0, tv_usec: pause };
    let timer = libc::itimerval { it_interval: pause, it_value: pause };
    // SAFETY: it reads from a place that is there.
    let answer =
        unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
    assert_eq!(answer, 0);
}

#[test]
fn s057_calls_to_the_system_that_are_interrupted_lose_nothing() {
    scenario(|ledger| {
        interrupt_each(1000);
        let builder = ProcessPoolExecutor::builder().max_workers(2);
        let executor = builder.initializer(interrupt_each, 1000).build().unwrap();
        let sizes = (0..300_usize).map(|n| (n * n * 7919) % (300 << 10));
        let texts = sizes.map(|size| "x".repeat(size));
        for round in 0..3 {
            let futures = ledger.watch_all(texts.clone().map(|it| executor.submit(same, it)));
            let dies: fn(()) = |()| std::process::abort();
            let dying = ledger.watch(executor.submit(dies, ()));
            assert!(texts.clone().zip(futures).all(|(text, it)| it.result().unwrap() == text));
            death_of(dying);
            let sum: u32 = executor.map(|n: u32| n + 1, 0..2000).map(|it| it.unwrap()).sum();
            assert_eq!(sum, 2_001_000, "round {round}");
        }
        goes_on_and_ends(executor);
        interrupt_each(0);
    });
}

#[test]
fn s058_neither_another_worker_nor_what_a_task_starts_has_a_descriptor_of_a_worker() {
    fn those_of_a_child(_: ()) -> usize {
        let script = "ls /proc/self/fd | wc -l";
        let output = Command::new("sh").args(["-c", script]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
    }
    scenario(|ledger| {
        let executor = pool(4);
        for held in ledger.watch_all(executor.submit_all(descriptors, [(); 40])) {
            let held = held.result().unwrap();
            for what in ["socket:", "anon_inode:[pidfd]", "/memfd:"] {
                let count = held.values().filter(|it| it.starts_with(what)).count();
                assert_eq!(count, 1, "{what} in {held:?}");
            }
            assert!(!held.values().any(|it| it.contains("eventfd")), "{held:?}");
        }
        let far = executor.submit(those_of_a_child, ()).result().unwrap();
        assert_eq!(far, those_of_a_child(()), "as many as a child of the program itself");
        goes_on_and_ends(executor);
    });
}

#[test]
fn s059_a_program_without_standard_streams_can_have_workers() {
    scenario(|ledger| {
        for closed in 0..8_u32 {
            let closed: Vec<i32> = (0..3).filter(|it| closed >> it & 1 == 1).collect();
            let save = |stream: &i32| {
                // SAFETY: it takes plain numbers.
                let saved = unsafe { libc::fcntl(*stream, libc::F_DUPFD_CLOEXEC, 100) };
                // SAFETY: what is printed from here on goes nowhere, or to whatever is opened next.
                unsafe { libc::close(*stream) };
                (*stream, saved)
            };
            let saved: Vec<(i32, i32)> = closed.iter().map(save).collect();
            let captures = ProcessPoolExecutor::builder().max_workers(1).capture_output(100);
            let captures = captures.build().unwrap();
            let prints = ledger.watch(captures.submit(|()| println!("text"), ()));
            prints.wait();
            let output = prints.output().map(|it| it.stdout().into_owned());
            drop((prints, captures));
            let executor = pool(2);
            let dies: fn(()) = |()| std::process::abort();
            let dying = ledger.watch(executor.submit(dies, ()));
            let large = "x".repeat(1 << 18);
            let same = ledger.watch(executor.submit(same, large.clone()));
            let lost = dying.result().unwrap_err().worker_death().is_some();
            let came_back = same.result().unwrap() == large;
            goes_on(&executor);
            ends(executor);
            for (stream, saved) in saved {
                // SAFETY: it takes plain numbers.
                unsafe { libc::dup2(saved, stream) };
                // SAFETY: nothing uses it but this.
                unsafe { libc::close(saved) };
            }
            assert!(lost && came_back, "without {closed:?}");
            assert_eq!(output.as_deref(), Some("text\n"), "without {closed:?}");
        }
    });
}
