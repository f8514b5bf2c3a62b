//! Tasks that end their process, or do it harm.

use crate::common::workers::{
    Folder, death_of, is_alive, note, noted, pause_for_ever, pool, process_of, send_signal,
    until_gone,
};
use crate::common::{Address, FarGate, FarLatch, Mailbox, eventually};
use crate::postconditions::{Ledger, ends, goes_on_and_ends, scenario, scenario_with_program};
use concurrent_futures::{
    DeathCause, Future, ProcessPoolBuilder, ProcessPoolExecutor, TaskErrorKind, TaskOptions,
    TaskPanic, WorkerDeath,
};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::time::Duration;

/// A pool of one, whose worker is ended at once if its task does not stop.
fn one() -> ProcessPoolBuilder {
    ProcessPoolExecutor::builder().max_workers(1).grace(Duration::ZERO)
}

/// Looks at the panic that this future ends with.
#[track_caller]
fn check_panic<R: Send + std::fmt::Debug + 'static>(
    future: Future<R>,
    check: impl FnOnce(&TaskPanic),
) {
    let error = future.result().unwrap_err();
    let TaskErrorKind::Panicked(panic) = error.kind() else { panic!("{error}") };
    check(panic);
}

#[track_caller]
fn is_wanted(panic: &TaskPanic) {
    assert_eq!(panic.message(), "this is wanted");
}

#[test]
fn s017_a_panic_is_told_with_message_place_and_backtrace_and_its_worker_stays() {
    scenario(|ledger| {
        let executor = one().env("RUST_BACKTRACE", "1").build().unwrap();
        let worker = process_of(&executor);
        for n in 0..3 {
            let panics = |n: u32| assert_eq!(n, 100, "this is wanted");
            check_panic(ledger.watch(executor.submit(panics, n)), |panic| {
                assert!(panic.message().contains("this is wanted"), "{panic}");
                assert!(panic.message().contains(&format!("left: {n}")), "{panic}");
                assert!(panic.location().is_some_and(|it| it.contains("dying.rs")), "{panic}");
                assert!(panic.backtrace().is_some_and(|it| it.contains("dying")), "{panic}");
            });
        }
        assert_eq!(process_of(&executor), worker);
        goes_on_and_ends(executor);
    });
}

#[test]
fn s018_a_panic_whose_payload_is_no_text_says_so() {
    scenario(|ledger| {
        let executor = pool(1);
        let worker = process_of(&executor);
        let panics: fn(()) = |()| std::panic::panic_any(5_u64);
        check_panic(ledger.watch(executor.submit(panics, ())), |panic| {
            assert_eq!(panic.message(), "a payload that is not text");
            assert!(panic.location().is_some_and(|it| it.contains("dying.rs")), "{panic}");
        });
        assert_eq!(process_of(&executor), worker);
        goes_on_and_ends(executor);
    });
}

pub(crate) fn was_signalled(cause: &DeathCause, signals: &[i32]) -> bool {
    matches!(cause, DeathCause::Signalled { number, .. } if signals.contains(number))
}

#[track_caller]
pub(crate) fn tells_who_died(text: &str, death: &WorkerDeath, process: u32) {
    assert_eq!((death.worker_index(), death.process_id()), (0, process));
    assert!(text.starts_with("task `doomed` "), "{text}");
    assert!(text.contains(&format!("worker 0 (process {process}) {}", death.cause())), "{text}");
}

/// Sends `doomed` to the only worker of a pool, with others before and behind it, and gives its end.
/// All others run, once.
#[track_caller]
fn end_among_others(ledger: &Ledger, pool: ProcessPoolBuilder, doomed: fn(())) -> DeathCause {
    let executor = pool.build().unwrap();
    let folder = Folder::new();
    let path = |n: usize| folder.path(&n.to_string());
    let first = process_of(&executor);
    let before = ledger.watch_all((0..4).map(|n| executor.submit(note, path(n))));
    let labelled = executor.with(TaskOptions::new().label("doomed"));
    let doomed = ledger.watch(labelled.submit(doomed, ()));
    let behind = ledger.watch_all((4..8).map(|n| executor.submit(note, path(n))));

    let (error, death) = death_of(doomed);
    tells_who_died(&error.to_string(), &death, first);
    assert_eq!(error.label(), Some("doomed"));
    assert!(before.into_iter().all(|it| it.result().unwrap() == first));
    let second = process_of(&executor);
    assert_ne!(second, first);
    assert!(behind.into_iter().all(|it| it.result().unwrap() == second));
    (0..8).for_each(|n| assert_eq!(noted(&path(n)).len(), 1, "task {n} ran once"));
    assert_eq!(executor.stats().workers, 1);
    goes_on_and_ends(executor);
    death.cause().clone()
}

type Task = fn(());

fn touch_foreign_memory() {
    let nowhere = std::ptr::without_provenance_mut::<u8>(16);
    // SAFETY: not at all, which is the point: the system ends the process here.
    unsafe { nowhere.write_volatile(1) };
}

fn overflow_the_stack() {
    fn deep(n: u64) -> u64 {
        let room = std::hint::black_box([n; 64]);
        if n == u64::MAX { 0 } else { deep(n + 1) + room[3] }
    }
    std::hint::black_box(deep(0));
}

fn raise(signal: i32) {
    // SAFETY: it takes plain numbers.
    unsafe { libc::raise(signal) };
}

#[test]
fn s019_a_panic_in_a_destructor_during_a_panic_is_lost_by_an_abort() {
    struct PanicsToo;
    impl Drop for PanicsToo {
        fn drop(&mut self) {
            panic!("one more");
        }
    }
    scenario(|ledger| {
        let cause = end_among_others(ledger, one(), |()| {
            let _panics = PanicsToo;
            panic!("the first");
        });
        assert!(was_signalled(&cause, &[libc::SIGABRT]), "{cause}");
    });
}

#[test]
fn s021_exit_zero_in_a_task_is_lost_and_not_success() {
    scenario(|ledger| {
        let zero = DeathCause::Exited { code: 0 };
        assert_eq!(end_among_others(ledger, one(), |()| std::process::exit(0)), zero);
        // SAFETY: it takes a plain number, and ends the process.
        assert_eq!(end_among_others(ledger, one(), |()| unsafe { libc::_exit(0) }), zero);
        let in_a_thread = |()| {
            std::thread::spawn(|| std::process::exit(0)).join().unwrap();
        };
        assert_eq!(end_among_others(ledger, one(), in_a_thread), zero);
    });
}

#[test]
fn s022_the_code_of_an_exit_is_told() {
    scenario(|ledger| {
        let cause = end_among_others(ledger, one(), |()| std::process::exit(42));
        assert_eq!(cause, DeathCause::Exited { code: 42 });
        assert_eq!(cause.to_string(), "exited with code 42");
    });
}

#[test]
fn s023_the_name_of_the_signal_of_a_crash_is_told() {
    scenario(|ledger| {
        let crashes: [(Task, &str); 6] = [
            (|()| touch_foreign_memory(), "SIGSEGV"),
            (|()| std::process::abort(), "SIGABRT"),
            (|()| raise(libc::SIGBUS), "SIGBUS"),
            (|()| raise(libc::SIGILL), "SIGILL"),
            (|()| raise(libc::SIGFPE), "SIGFPE"),
            (|()| raise(libc::SIGTERM), "SIGTERM"),
        ];
        for (crash, expected) in crashes {
            let cause = end_among_others(ledger, one(), crash);
            let DeathCause::Signalled { name, .. } = cause else { panic!("{cause}") };
            assert_eq!(name, Some(expected));
            assert!(cause.to_string().contains(expected), "{cause}");
        }
    });
}

#[test]
fn s024_a_stack_overflow_is_lost_with_its_signal() {
    scenario(|ledger| {
        let overflows: [Task; 2] = [
            |()| overflow_the_stack(),
            |()| std::thread::spawn(overflow_the_stack).join().unwrap(),
        ];
        for overflow in overflows {
            let cause = end_among_others(ledger, one(), overflow);
            assert!(was_signalled(&cause, &[libc::SIGSEGV, libc::SIGABRT]), "{cause}");
        }
    });
}

#[test]
fn s026_memory_beyond_a_limit_of_the_address_space_is_lost_by_an_abort() {
    scenario(|ledger| {
        let cause = end_among_others(ledger, one().address_space_limit(1 << 30), |()| {
            drop(std::hint::black_box(vec![1_u8; 2 << 30]));
        });
        assert!(was_signalled(&cause, &[libc::SIGABRT]), "{cause}");
    });
}

fn close_all_descriptors() {
    // SAFETY: nothing here uses them afterwards but the worker, which has to bear it.
    assert_eq!(unsafe { libc::close_range(3, libc::c_uint::MAX, 0) }, 0);
}

#[test]
fn s027_a_task_that_closes_all_descriptors_costs_a_worker_and_itself_at_most() {
    scenario(|ledger| {
        // A small value has another way.
        let executor = pool(1);
        let first = process_of(&executor);
        let future = ledger.watch(executor.submit(
            |()| {
                close_all_descriptors();
                "done".to_owned()
            },
            (),
        ));
        assert_eq!(future.result().unwrap(), "done");
        assert_ne!(process_of(&executor), first);
        ends(executor);
        // So has a panic.
        let executor = pool(1);
        let panics: fn(()) = |()| {
            close_all_descriptors();
            panic!("this is wanted");
        };
        check_panic(ledger.watch(executor.submit(panics, ())), is_wanted);
        goes_on_and_ends(executor);
        // A large value has not, and ends with its worker.
        let executor = pool(1);
        let large: fn(()) -> String = |()| {
            close_all_descriptors();
            "x".repeat(1 << 20)
        };
        death_of(ledger.watch(executor.submit(large, ())));
        goes_on_and_ends(executor);
        // One that never returns is ended in time, as any other.
        let executor = one().build().unwrap();
        let limited = executor.with(TaskOptions::new().timeout(Duration::from_millis(10)));
        let endless: fn(()) = |()| {
            close_all_descriptors();
            pause_for_ever();
        };
        let error = ledger.watch(limited.submit(endless, ())).result().unwrap_err();
        assert!(error.is_timed_out(), "{error}");
        goes_on_and_ends(executor);
    });
}

#[test]
fn s027_a_worker_whose_task_has_closed_all_descriptors_ends_with_its_program() {
    fn closes_and_tells(address: Address) {
        close_all_descriptors();
        address.send("closed");
        pause_for_ever();
    }
    let program = || {
        let mail = Mailbox::new();
        let executor = pool(1);
        let _endless = executor.submit(closes_and_tells, mail.address());
        assert_eq!(mail.next(), "closed");
        std::process::abort();
    };
    scenario_with_program(program, |_, mut program| {
        assert_eq!(program.status().unwrap().signal(), Some(libc::SIGABRT));
    });
}

#[test]
fn s028_junk_on_the_standard_output_does_no_harm() {
    fn prints(n: usize) -> usize {
        let junk: Vec<u8> = (0..=255).cycle().take(n).collect();
        std::io::stdout().write_all(&junk).unwrap();
        // Past all buffers of the standard library, too.
        for descriptor in [1, 2] {
            // SAFETY: the bytes are there.
            unsafe { libc::write(descriptor, junk.as_ptr().cast(), junk.len()) };
        }
        n
    }
    scenario(|ledger| {
        let executor = pool(2);
        let sizes = (0..60).map(|n| n * 511);
        let futures = ledger.watch_all(executor.submit_all(prints, sizes.clone()));
        assert!(sizes.zip(futures).all(|(n, it)| it.result().unwrap() == n));
        goes_on_and_ends(executor);
        // What comes behind it is read by whoever counts the tests.
        println!();
    });
}

#[test]
fn s029_a_task_that_reads_its_standard_input_finds_its_end() {
    scenario(|ledger| {
        let read = |()| {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map(|_| text).map_err(|it| it.to_string())
        };
        let executor = pool(1);
        for _ in 0..3 {
            let found = ledger.watch(executor.submit(read, ())).result().unwrap();
            assert_eq!(found, Ok(String::new()));
        }
        goes_on_and_ends(executor);
    });
}

/// Changes all that a process can change of itself and still go on.
fn spoil_the_process(_: ()) {
    std::env::set_current_dir("/").unwrap();
    // SAFETY: no other thread of this process looks at the environment.
    unsafe { std::env::set_var("SPOILT", "yes") };
    std::panic::set_hook(Box::new(|_| ()));
    for descriptor in 0..3 {
        // SAFETY: what is printed from here on goes nowhere, or to whatever is opened next.
        unsafe { libc::close(descriptor) };
    }
    // SAFETY: it takes a plain number.
    unsafe { libc::umask(0o777) };
    for signal in 1..32 {
        // SAFETY: no handler is installed. Two of them cannot be ignored, and that is told.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    // SAFETY: it is made of numbers, and zeros are a set.
    let mut all: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: it writes to a place that is there.
    unsafe { libc::sigfillset(&raw mut all) };
    // SAFETY: it reads from a place that is there.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, std::ptr::null_mut()) };
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: it reads from a place that is there.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
    // Out of the group that it leads, into that of the program.
    // SAFETY: it takes a plain number.
    let group = unsafe { libc::getpgid(std::os::unix::process::parent_id().cast_signed()) };
    // SAFETY: it takes plain numbers.
    unsafe { libc::setpgid(0, group) };
}

#[test]
fn s030_what_a_task_changes_of_its_process_is_there_for_the_next_one_and_the_worker_goes_on() {
    scenario(|ledger| {
        let executor = one().build().unwrap();
        let worker = process_of(&executor);
        executor.submit(spoil_the_process, ()).result().unwrap();
        let changed = |()| (std::env::current_dir().unwrap(), std::env::var("SPOILT").ok());
        let found = executor.submit(changed, ()).result().unwrap();
        assert_eq!(found, (PathBuf::from("/"), Some("yes".to_owned())));
        // All the rest is as it was: values of each size, panics, and limits.
        let large = "x".repeat(1 << 20);
        let same = executor.submit(|it: String| it, large.clone());
        assert!(ledger.watch(same).result().unwrap() == large);
        let panics: fn(()) = |()| panic!("this is wanted");
        check_panic(ledger.watch(executor.submit(panics, ())), is_wanted);
        assert_eq!(process_of(&executor), worker);
        let limited = executor.with(TaskOptions::new().timeout(Duration::from_millis(10)));
        let endless: fn(()) = |()| pause_for_ever();
        let error = ledger.watch(limited.submit(endless, ())).result().unwrap_err();
        assert!(error.is_timed_out(), "{error}");
        // Another worker knows nothing of it.
        let found = executor.submit(changed, ()).result().unwrap();
        assert_eq!(found, (std::env::current_dir().unwrap(), None));
        ends(executor);
    });
}

#[test]
fn s030_a_spoilt_worker_leaves_when_the_pool_is_shut_down() {
    scenario(|_| {
        let executor = pool(1);
        executor.submit(spoil_the_process, ()).result().unwrap();
        goes_on_and_ends(executor);
    });
}

#[test]
fn s031_a_task_that_stops_its_process_is_ended_by_its_limit() {
    scenario(|ledger| {
        let folder = Folder::new();
        let executor = one().build().unwrap();
        let first = process_of(&executor);
        let options = TaskOptions::new().label("stopped").timeout(Duration::from_millis(10));
        let stops: fn(()) = |()| raise(libc::SIGSTOP);
        let stopped = ledger.watch(executor.with(options).submit(stops, ()));
        let behind = ledger.watch(executor.submit(note, folder.path("behind")));
        let error = stopped.result().unwrap_err();
        assert!(error.is_timed_out() && error.label() == Some("stopped"), "{error}");
        assert_ne!(behind.result().unwrap(), first);
        assert_eq!(noted(&folder.path("behind")).len(), 1);
        assert!(!is_alive(first));
        goes_on_and_ends(executor);
    });
}

#[test]
fn s031_a_task_that_stops_its_process_without_a_limit_holds_up_no_other_and_can_be_ended() {
    scenario(|ledger| {
        let executor = ProcessPoolExecutor::builder().max_workers(2).build().unwrap();
        let stops: fn(()) = |()| raise(libc::SIGSTOP);
        let stopped = ledger.watch(executor.submit(stops, ()));
        let others = ledger.watch_all(executor.submit_all(|n: u32| n, 0..100));
        assert!((0..).zip(others).all(|(n, it)| it.result().unwrap() == n));
        assert!(!stopped.done());
        executor.kill_workers();
        assert_eq!(death_of(stopped).1.cause(), &DeathCause::Ended);
        ends(executor);
    });
}

#[test]
fn s032_an_endless_task_holds_up_no_other_and_can_be_ended() {
    scenario(|ledger| {
        let endless: fn(()) = |()| {
            loop {
                std::hint::spin_loop();
            }
        };
        for is_killed in [false, true] {
            let executor = pool(2);
            let running = ledger.watch(executor.submit(endless, ()));
            eventually(|| running.running());
            let others = ledger.watch_all(executor.submit_all(|n: u32| n, 0..100));
            assert!((0..).zip(others).all(|(n, it)| it.result().unwrap() == n));
            if is_killed {
                executor.kill_workers()
            } else {
                executor.terminate_workers()
            }
            assert_eq!(death_of(running).1.cause(), &DeathCause::Ended);
            ends(executor);
        }
    });
}

#[test]
fn s033_a_thread_that_a_task_leaves_running_keeps_its_worker_from_nothing() {
    fn leaves_threads(gate: FarLatch) -> u32 {
        let (begun, begins) = std::sync::mpsc::channel();
        let began = begun.clone();
        std::thread::spawn(move || {
            // Held when the process leaves, which would print what is still to be printed.
            let _locked = std::io::stdout().lock();
            began.send(()).unwrap();
            pause_for_ever();
        });
        std::thread::spawn(move || {
            begun.send(()).unwrap();
            loop {
                drop(std::hint::black_box(vec![1_u8; 1000]));
            }
        });
        std::thread::spawn(move || gate.pass());
        (0..2).for_each(|_| begins.recv().unwrap());
        7
    }
    scenario(|ledger| {
        let gate = FarGate::new();
        let executor = pool(1);
        let future = ledger.watch(executor.submit(leaves_threads, gate.latch()));
        assert_eq!(future.result().unwrap(), 7);
        goes_on_and_ends(executor);
        // One that ends the process later takes with it what runs then.
        let executor = pool(1);
        let exits_later = |latch: FarLatch| {
            std::thread::spawn(move || {
                latch.pass();
                std::process::exit(9);
            });
        };
        ledger.watch(executor.submit(exits_later, gate.latch())).result().unwrap();
        let endless: fn(()) = |()| pause_for_ever();
        let running = ledger.watch(executor.submit(endless, ()));
        eventually(|| running.running());
        gate.open();
        assert_eq!(death_of(running).1.cause(), &DeathCause::Exited { code: 9 });
        goes_on_and_ends(executor);
    });
}

/// Leaves a copy of the process behind, which has the same descriptors open, and aborts.
fn fork_and_abort((own_session, address): (bool, Address)) {
    // SAFETY: the copy calls nothing but what may be called there.
    let copy = unsafe { libc::fork() };
    if copy == 0 {
        if own_session {
            // SAFETY: it takes nothing.
            unsafe { libc::setsid() };
        }
        loop {
            // SAFETY: it takes nothing.
            unsafe { libc::pause() };
        }
    }
    // It is known what it does when it has a session, or none.
    // SAFETY: it takes a plain number.
    eventually(|| !own_session || unsafe { libc::getsid(copy) } == copy);
    address.send(&copy.to_string());
    std::process::abort();
}

#[test]
fn s034_a_death_is_seen_although_a_grandchild_has_the_connection_open() {
    scenario(|ledger| {
        for own_session in [false, true] {
            let mail = Mailbox::new();
            let executor = pool(1);
            let future =
                ledger.watch(executor.submit(fork_and_abort, (own_session, mail.address())));
            let (_, death) = death_of(future);
            assert!(was_signalled(death.cause(), &[libc::SIGABRT]), "{death}");
            let copy: u32 = mail.next().parse().unwrap();
            if own_session {
                // One that makes itself the leader of a session escapes.
                assert!(is_alive(copy));
                send_signal(copy, libc::SIGKILL);
            }
            until_gone(copy);
            goes_on_and_ends(executor);
        }
    });
}

#[test]
fn s035_a_worker_whose_connection_ends_before_it_does_is_waited_for_and_its_code_told() {
    fn disconnects_and_exits(_: ()) {
        close_all_descriptors();
        // Something that takes time.
        (0..100).for_each(|_| std::thread::yield_now());
        std::process::exit(77);
    }
    scenario(|ledger| {
        let executor = pool(1);
        let (_, death) = death_of(ledger.watch(executor.submit(disconnects_and_exits, ())));
        assert_eq!(death.cause(), &DeathCause::Exited { code: 77 });
        goes_on_and_ends(executor);
    });
}
