//! What the system refuses: threads, processes, memory, room for files.
//!
//! Each test takes a limit away from a program of its own, leaves a little of it, then a little more, and
//! so on. Wherever that comes to an end within the pool, each task gives its value or says who refused what,
//! and when the limit is gone the pool works. Descriptors are in `tests/processes/limits.rs`.

use crate::common::workers::pool;
use crate::common::{in_child, occupy, printed};
use crate::postconditions::{Ledger, ends, goes_on, scenario};
use concurrent_futures::{
    Future, ProcessPoolExecutor, Refusal, SharedData, TaskError, TaskErrorKind, TaskOptions,
    ThreadPoolExecutor,
};
use std::time::Duration;

const AN_HOUR: Duration = Duration::from_secs(3600);

/// From now on this process, and what it starts, may have only so much of it. What it had before.
fn limit(resource: libc::__rlimit_resource_t, most: u64) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: it writes to a place that is there.
    assert_eq!(unsafe { libc::getrlimit(resource, &raw mut limit) }, 0);
    let before = std::mem::replace(&mut limit.rlim_cur, most.min(limit.rlim_max));
    // SAFETY: it reads from a place that is there.
    assert_eq!(unsafe { libc::setrlimit(resource, &raw const limit) }, 0);
    before
}

/// Becomes a user of whom nobody else is, if it may. The system refuses nobody threads who may do
/// everything, and counts those of a user together.
pub(crate) fn become_somebody() {
    let user = 1_000_000 + std::process::id();
    // SAFETY: it takes plain numbers, and no other thread of this process cares.
    if unsafe { libc::setresuid(user, user, user) } == 0 {
        // SAFETY: it takes plain numbers. Who has changed may not look at itself otherwise.
        assert_eq!(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0) }, 0);
    }
}

/// How many threads this user has, in all processes.
fn threads_of_user() -> u64 {
    // SAFETY: it cannot fail.
    let user = unsafe { libc::getuid() };
    let is_own = |entry: &std::fs::DirEntry| {
        use std::os::unix::fs::MetadataExt;
        entry.metadata().is_ok_and(|it| it.uid() == user)
    };
    let processes = std::fs::read_dir("/proc").unwrap().flatten().filter(is_own);
    let threads =
        |it: std::fs::DirEntry| Some(std::fs::read_dir(it.path().join("task")).ok()?.count());
    processes.filter_map(threads).sum::<usize>() as u64
}

/// Threads and processes, which the system counts together.
pub(crate) fn leave_threads(room: u64) {
    limit(libc::RLIMIT_NPROC, threads_of_user() + room);
}

pub(crate) fn leave_all_threads() {
    limit(libc::RLIMIT_NPROC, u64::MAX);
}

/// Its value, or a refusal with one of these answers of the system.
#[track_caller]
fn unless_refused<R>(result: Result<R, TaskError>, answers: &[i32]) -> Option<R> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            let TaskErrorKind::Refused(Refusal::NoWorker(cause)) = error.kind() else {
                panic!("{error}")
            };
            let answer = cause.raw_os_error();
            assert!(answer.is_some_and(|it| answers.contains(&it)), "{error}");
            None
        }
    }
}

#[track_caller]
fn values_or_refusals(ledger: &Ledger, futures: Vec<Future<u32>>, answers: &[i32]) -> usize {
    let results = ledger.watch_all(futures).into_iter().map(|it| it.result());
    let values = results.map(|it| unless_refused(it, answers));
    (0..)
        .zip(values)
        .filter(|(n, value)| {
            value.is_some_and(|it| {
                assert_eq!(it, *n);
                true
            })
        })
        .count()
}

#[test]
fn threads_are_refused_to_a_pool_of_threads() {
    scenario(|ledger| {
        become_somebody();
        for room in 0..6 {
            let executor = ThreadPoolExecutor::new(4).unwrap();
            leave_threads(room);
            let futures = (0..8).map(|n| executor.submit(|n: u32| n, n)).collect();
            let values = values_or_refusals(ledger, futures, &[libc::EAGAIN]);
            assert!(if room == 0 { values == 0 } else { values == 8 }, "{values} with {room}");
            leave_all_threads();
            assert_eq!(executor.submit(|n: u32| n, 5).result().unwrap(), 5);
        }
    });
}

#[test]
fn the_thread_that_minds_the_time_is_refused_to_a_pool_of_threads() {
    scenario(|ledger| {
        become_somebody();
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = occupy(&executor, 1);
        leave_threads(0);
        let late = executor.with(TaskOptions::new().begin_within(AN_HOUR));
        let limited = executor.with(TaskOptions::new().timeout(AN_HOUR));
        let futures = vec![late.submit(|n: u32| n, 0), limited.submit(|n: u32| n, 1)];
        gate.open();
        assert_eq!(values_or_refusals(ledger, futures, &[libc::EAGAIN]), 0);
        leave_all_threads();
        assert_eq!(limited.submit(|n: u32| n, 5).result().unwrap(), 5);
    });
}

/// The limit on a task's time was forgotten without a word if there was no thread to mind it.
#[test]
fn the_thread_that_minds_the_time_is_refused_to_a_pool_of_processes() {
    scenario(|ledger| {
        become_somebody();
        let builder = ProcessPoolExecutor::builder().max_workers(1);
        // Or the thread would be there since the start of the worker.
        let executor = builder.start_timeout(Duration::MAX).build().unwrap();
        goes_on(&executor);
        leave_threads(0);
        let late = executor.with(TaskOptions::new().begin_within(AN_HOUR));
        let limited = executor.with(TaskOptions::new().timeout(AN_HOUR));
        let futures = vec![late.submit(|n: u32| n, 0), limited.submit(|n: u32| n, 1)];
        assert_eq!(values_or_refusals(ledger, futures, &[libc::EAGAIN]), 0);
        goes_on(&executor);
        leave_all_threads();
        assert_eq!(limited.submit(|n: u32| n, 5).result().unwrap(), 5);
        ends(executor);
    });
}

#[test]
fn threads_and_processes_are_refused_to_a_pool_of_processes() {
    scenario(|ledger| {
        become_somebody();
        for room in 0..10 {
            let executor = pool(2);
            leave_threads(room);
            let mut values = 0;
            for (n, future) in (0..4).zip(ledger.watch_all(executor.submit_all(|n: u32| n, 0..4))) {
                match future.result() {
                    // A worker for whose own thread there is no room dies before it is up.
                    Err(error) if error.is_broken() => {
                        assert!(
                            error.to_string().contains("before it could take a task"),
                            "{error}"
                        );
                    }
                    result => {
                        let value = unless_refused(result, &[libc::EAGAIN]);
                        values += usize::from(value.inspect(|it| assert_eq!(*it, n)).is_some());
                    }
                }
            }
            assert!(
                if room == 0 { values == 0 } else { room < 9 || values == 4 },
                "{values}, {room}"
            );
            leave_all_threads();
            match executor.submit(|n: u32| n, 5).result() {
                Err(error) if room > 0 && error.is_broken() => {}
                result => assert_eq!(result.unwrap(), 5),
            }
            ends(executor);
        }
    });
}

#[test]
fn a_worker_that_cannot_be_replaced_for_want_of_threads_is_not_forgotten() {
    scenario(|ledger| {
        become_somebody();
        let executor = pool(1);
        goes_on(&executor);
        leave_threads(0);
        let dies = ledger.watch(executor.submit(|()| std::process::abort(), ()));
        let futures = executor.submit_all(|n: u32| n, 0..4);
        let result: Result<(), _> = dies.result();
        assert!(result.unwrap_err().worker_death().is_some());
        // The dead one has left a little room.
        for future in ledger.watch_all(futures) {
            let error = future.result().err();
            assert!(error.is_none_or(|it| it.is_refused() || it.is_broken()));
        }
        leave_all_threads();
        let error = executor.submit(|n: u32| n, 5).result().err();
        assert!(error.is_none_or(|it| it.is_broken()));
        ends(executor);
    });
}

/// Bytes of address space that this process has.
fn address_space() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').next().unwrap().parse::<u64>().unwrap() * 4096
}

/// Lets the allocator have some memory in hand, so that only what is mapped is refused.
fn provide_memory() -> Box<[u8; 1024]> {
    let pieces: Vec<Box<[u8; 1024]>> = (0..16 << 10).map(|_| Box::new([1; 1024])).collect();
    // The last one keeps those before it from being given back to the system.
    pieces.into_iter().next_back().unwrap()
}

#[test]
fn address_space_is_refused() {
    scenario(|ledger| {
        let _kept = provide_memory();
        let answers = [libc::ENOMEM, libc::EAGAIN];
        for room in [0, 1, 2, 3, 5, 9, 17, 33] {
            let threads = ThreadPoolExecutor::new(2).unwrap();
            let processes = pool(2);
            limit(libc::RLIMIT_AS, address_space() + (room << 20));
            let futures = (0..4).map(|n| threads.submit(|n: u32| n, n)).collect();
            let few = values_or_refusals(ledger, futures, &answers);
            assert!(room > 0 || few == 0);
            let futures = processes.submit_all(|n: u32| n, 0..4);
            let few = values_or_refusals(ledger, futures, &answers);
            assert!(room > 0 || few == 0);
            limit(libc::RLIMIT_AS, u64::MAX);
            assert_eq!(threads.submit(|n: u32| n, 5).result().unwrap(), 5);
            goes_on(&processes);
            ends(processes);
        }
    });
}

/// A file that would grow beyond the limit is refused with a signal that ends the program; and what
/// processes share are files for the system.
#[test]
fn room_for_files_is_refused() {
    scenario(|ledger| {
        let large = vec![7_u8; 1 << 20];
        for room in [0, 1, 4, 64, 256, 512, 1024, 1100, 4096] {
            let executor = pool(1);
            let before = limit(libc::RLIMIT_FSIZE, room << 10);
            let first = ledger.watch(executor.submit(|n: u32| n, 5)).result();
            let is_refused = unless_refused(first, &[libc::EFBIG]).is_none();
            assert!(room > 0 || is_refused);
            let sum = |it: Vec<u8>| (it.len(), it);
            let both = ledger.watch(executor.submit(sum, large.clone())).result();
            // Where there is no memory for a value, it travels through the socket.
            match unless_refused(both, &[libc::EFBIG]) {
                Some((length, back)) => assert!(length == large.len() && back == large),
                None => assert!(is_refused),
            }
            if let Err(error) = SharedData::<u8>::new(&large) {
                assert_eq!(error.raw_os_error(), Some(libc::EFBIG), "{error}");
                assert!(room <= 1024);
            }
            limit(libc::RLIMIT_FSIZE, before);
            goes_on(&executor);
            ends(executor);
        }
    });
}

#[test]
fn nothing_is_refused_to_a_pool_of_threads_without_standard_descriptors() {
    let name = "refused::nothing_is_refused_to_a_pool_of_threads_without_standard_descriptors";
    let output = in_child(name, || {
        let kept: Vec<i32> = (0..3)
            .map(|descriptor| {
                // SAFETY: it takes plain numbers.
                let kept = unsafe { libc::fcntl(descriptor, libc::F_DUPFD_CLOEXEC, 100) };
                // SAFETY: it takes a plain number; what is printed meanwhile goes nowhere.
                unsafe { libc::close(descriptor) };
                kept
            })
            .collect();
        let threads = ThreadPoolExecutor::new(2).unwrap();
        let values: Vec<u32> = threads.map(|n: u32| n + 1, 0..100).map(|it| it.unwrap()).collect();
        assert!(values.into_iter().eq(1..101));
        drop(threads);
        let processes = pool(2);
        goes_on(&processes);
        ends(processes);
        for (descriptor, kept) in (0..).zip(kept) {
            // SAFETY: it takes plain numbers.
            assert_eq!(unsafe { libc::dup2(kept, descriptor) }, descriptor);
        }
    });
    output.as_ref().map(printed);
}
