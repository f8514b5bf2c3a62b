//! No ceremony: a pool works in every program, and its workers are what they were told to be.

use crate::common::workers::{Folder, pool, process_of};
use crate::common::{in_child, printed, within};
use concurrent_futures::ProcessPoolExecutor;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

fn builder() -> concurrent_futures::ProcessPoolBuilder {
    ProcessPoolExecutor::builder().max_workers(2)
}

#[test]
fn several_threads_have_pools_of_their_own_and_share_them() {
    within(|| {
        let shared = pool(2);
        std::thread::scope(|scope| {
            for thread in 0..4_u32 {
                let shared = &shared;
                scope.spawn(move || {
                    let own = pool(1);
                    for n in 0..50 {
                        let one = own.submit(|(a, b): (u32, u32)| a * b, (thread, n));
                        let other = shared.submit(|(a, b): (u32, u32)| a + b, (thread, n));
                        assert_eq!(one.result().unwrap(), thread * n);
                        assert_eq!(other.result().unwrap(), thread + n);
                    }
                });
            }
        });
    });
}

#[test]
fn a_pool_can_be_used_by_another_thread_than_built_it_and_dropped_by_a_third() {
    within(|| {
        let executor = std::thread::spawn(|| pool(1)).join().unwrap();
        let (executor, process) = std::thread::spawn(move || {
            let process = process_of(&executor);
            (executor, process)
        })
        .join()
        .unwrap();
        // The thread that the worker was started for is gone, and the worker is not.
        assert_eq!(process_of(&executor), process);
        std::thread::spawn(move || drop(executor)).join().unwrap();
    });
}

fn variable(name: String) -> Option<String> {
    std::env::var(name).ok()
}

#[test]
fn workers_have_the_variables_that_they_were_given() {
    within(|| {
        let executor = ProcessPoolExecutor::builder()
            .max_workers(1)
            .env("FIRST", "of all")
            .env("SECOND", "of all")
            .env_of_worker(|index| [("SECOND", format!("of worker {index}"))])
            .build()
            .unwrap();
        let variable = |name: &str| executor.submit(variable, name.to_owned()).result().unwrap();
        assert_eq!(variable("FIRST").as_deref(), Some("of all"));
        assert_eq!(variable("SECOND").as_deref(), Some("of worker 0"));
        assert_eq!(variable("PATH"), std::env::var("PATH").ok());
        assert_eq!(std::env::var("FIRST").ok(), None);
    });
}

#[test]
fn workers_are_where_they_were_told_to_be() {
    within(|| {
        let folder = Folder::new();
        let place = std::fs::canonicalize(folder.path(".")).unwrap();
        let executor = builder().current_dir(&place).build().unwrap();
        let found = executor.submit(|()| std::env::current_dir().unwrap(), ());
        assert_eq!(found.result().unwrap(), place);
        let found = pool(1).submit(|()| std::env::current_dir().unwrap(), ()).result().unwrap();
        assert_eq!(found, std::env::current_dir().unwrap());
    });
}

#[test]
fn workers_are_as_urgent_as_they_were_told_to_be() {
    fn niceness(_: ()) -> i32 {
        // SAFETY: it takes plain numbers.
        unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) }
    }
    within(|| {
        let executor = builder().niceness(7).build().unwrap();
        assert_eq!(executor.submit(niceness, ()).result().unwrap(), 7);
        // Threads of the task too.
        let of_thread = |()| std::thread::spawn(|| niceness(())).join().unwrap();
        assert_eq!(executor.submit(of_thread, ()).result().unwrap(), 7);
    });
}

#[test]
fn workers_run_on_the_processors_that_they_were_told() {
    fn allowed(_: ()) -> String {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let list = status.lines().find_map(|it| it.strip_prefix("Cpus_allowed_list:"));
        list.unwrap().trim().to_owned()
    }
    within(|| {
        let own = allowed(());
        let first: usize = own.split([',', '-']).next().unwrap().parse().unwrap();
        let executor = builder().affinity_of_worker(move |_| vec![first]).build().unwrap();
        assert_eq!(executor.submit(allowed, ()).result().unwrap(), first.to_string());
        assert_eq!(pool(1).submit(allowed, ()).result().unwrap(), own);
    });
}

#[test]
fn what_workers_print_comes_where_the_program_prints_and_once() {
    fn prints(_: ()) {
        println!("printed by a task");
        eprintln!("warned by a task");
        print!("without an end of line;");
    }
    let output =
        in_child("ceremony::what_workers_print_comes_where_the_program_prints_and_once", || {
            println!("printed by the program");
            let executor = pool(1);
            print!("not yet flushed;");
            executor.submit(prints, ()).result().unwrap();
            executor.shutdown(true, false);
        });
    let Some(output) = output else { return };
    let (out, err) = (printed(&output), String::from_utf8_lossy(&output.stderr).into_owned());
    let all = [
        "printed by the program",
        "printed by a task",
        "without an end of line;",
        "not yet flushed;",
    ];
    for text in all {
        assert_eq!(out.matches(text).count(), 1, "{text}: {out}");
    }
    assert_eq!(err.matches("warned by a task").count(), 1, "{err}");
}

fn outcome(mut command: Command) -> Output {
    within(move || command.output().unwrap())
}

/// The variable that marks a worker, as the documentation of the error says it is removed at once.
fn mark() -> String {
    format!("CONCURRENT_FUTURES_WORKER_{}", env!("CARGO_PKG_VERSION").replace('.', "_"))
}

#[test]
fn a_mark_without_a_parent_leads_to_no_worker() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("--list").env(mark(), "1").stdin(Stdio::null());
    let output = outcome(command);
    assert_eq!(output.status.code(), Some(70));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.stdout.is_empty() && said.contains("cannot begin"), "{said}");
}

#[test]
fn init_can_be_called_in_an_ordinary_process_at_any_time() {
    within(|| {
        concurrent_futures::init();
        let executor = pool(1);
        assert_eq!(executor.submit(|n: u32| n + 1, 1).result().unwrap(), 2);
        concurrent_futures::init();
        assert_eq!(executor.submit(|n: u32| n + 1, 2).result().unwrap(), 3);
        let in_worker = |()| concurrent_futures::init();
        executor.submit(in_worker, ()).result().unwrap();
    });
}

#[test]
fn a_worker_knows_how_its_program_was_called() {
    within(|| {
        let name = |()| std::env::args().next();
        assert_eq!(pool(1).submit(name, ()).result().unwrap(), std::env::args().next());
        let program = |()| std::env::current_exe().unwrap();
        let found: PathBuf = pool(1).submit(program, ()).result().unwrap();
        assert_eq!(found, std::env::current_exe().unwrap());
    });
}

#[test]
fn a_signal_that_a_task_waits_for_is_its_own() {
    // As programs do that have a thread for their signals.
    let waits = |()| {
        // SAFETY: it is a plain array of bits.
        let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
        let mut found = 0;
        // SAFETY: it writes to a set that is there.
        unsafe { libc::sigaddset(&raw mut set, libc::SIGUSR1) };
        // SAFETY: it reads a set that is there.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
        // SAFETY: it takes plain numbers.
        unsafe { libc::kill(std::process::id().cast_signed(), libc::SIGUSR1) };
        // SAFETY: it reads a set that is there, and writes to a number.
        unsafe { libc::sigwait(&raw const set, &raw mut found) };
        found
    };
    within(move || {
        assert_eq!(pool(1).submit(waits, ()).result().unwrap(), libc::SIGUSR1);
        let captures = builder().capture_output(1000).build().unwrap();
        assert_eq!(captures.submit(waits, ()).result().unwrap(), libc::SIGUSR1);
    });
}

#[test]
fn what_is_printed_to_a_closed_standard_output_is_in_no_result() {
    within(|| {
        let executor = pool(1);
        // SAFETY: it takes a plain number.
        executor.submit(|()| unsafe { libc::close(1) }, ()).result().unwrap();
        let large = |()| vec![7_u8; 100_000];
        // Its memory has been made, and is known to this process.
        for _ in 0..2 {
            executor.submit(large, ()).result().unwrap();
        }
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let first = executor.submit(|()| (), ());
        // Until everything is over, the thread that would take the result out of that memory is busy.
        first.add_done_callback(move |_| _ = receiver.recv_timeout(Duration::from_millis(300)));
        let future = executor.submit(large, ());
        let prints = executor.submit(|()| println!("{}", "x".repeat(1000)), ());
        assert!(future.result().unwrap() == [7; 100_000]);
        prints.result().unwrap();
        drop(sender);
    });
}
