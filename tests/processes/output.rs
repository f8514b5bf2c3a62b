//! What tasks write is found in their futures.

use crate::common::workers::{Door, knock_only, pause_for_ever, send_signal};
use crate::common::{Held, eventually, in_child, printed, within};
use concurrent_futures::{
    Future, MapOptions, ProcessPoolBuilder, ProcessPoolExecutor, TaskOptions, TaskOutput,
};
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

pub(crate) const MOST: usize = 1 << 20;

pub(crate) fn builder(most: usize) -> ProcessPoolBuilder {
    ProcessPoolExecutor::builder().max_workers(1).capture_output(most)
}

pub(crate) fn pool() -> ProcessPoolExecutor {
    builder(MOST).build().unwrap()
}

#[track_caller]
pub(crate) fn output_of<R: Send + 'static>(future: &Future<R>) -> TaskOutput {
    future.wait();
    future.output().expect("it is captured")
}

/// Standard output and standard error of this task.
#[track_caller]
pub(crate) fn texts_of<R: Send + 'static>(future: &Future<R>) -> (String, String) {
    let output = output_of(future);
    assert!(!output.is_cut());
    (output.stdout().into_owned(), output.stderr().into_owned())
}

pub(crate) fn texts(stdout: &str, stderr: &str) -> (String, String) {
    (stdout.to_owned(), stderr.to_owned())
}

pub(crate) fn prints(text: String) {
    println!("{text}");
}

/// Lets the C library print.
fn puts(text: &std::ffi::CStr) {
    // SAFETY: it is a text with its end.
    unsafe { libc::printf(c"%s".as_ptr(), text.as_ptr()) };
}

#[test]
fn what_a_task_prints_is_in_its_future() {
    within(|| {
        let executor = pool();
        let future = executor.submit(
            |n: u32| {
                println!("to output");
                eprintln!("to errors");
                n + 1
            },
            1,
        );
        assert_eq!(texts_of(&future), texts("to output\n", "to errors\n"));
        assert_eq!(future.result().unwrap(), 2);
    });
}

#[test]
fn a_line_that_has_not_ended_belongs_to_the_task_that_began_it() {
    within(|| {
        let executor = pool();
        let rust = executor.submit(|()| print!("Rust"), ());
        assert_eq!(texts_of(&rust), texts("Rust", ""));
        let c = executor.submit(|()| puts(c"C"), ());
        assert_eq!(texts_of(&c), texts("C", ""));
    });
}

#[test]
fn what_another_process_of_the_task_writes_is_its_output() {
    within(|| {
        let executor = pool();
        let shell = |script: String| {
            assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
        };
        let future = executor.submit(shell, "echo one; echo two >&2; echo three".to_owned());
        assert_eq!(texts_of(&future), texts("one\nthree\n", "two\n"));
        let by_name = executor.submit(shell, "echo here > /dev/stdout".to_owned());
        assert_eq!(texts_of(&by_name), texts("here\n", ""));
    });
}

#[test]
fn what_a_pool_within_a_task_prints_is_the_output_of_that_task() {
    fn outer((): ()) {
        let within = ProcessPoolExecutor::new(1).unwrap();
        within.submit(prints, "through".to_owned()).result().unwrap();
        // A pool that captures keeps it from whoever is above.
        let captures = pool();
        let kept = captures.submit(prints, "kept".to_owned());
        kept.wait();
        assert_eq!(texts_of(&kept), texts("kept\n", ""));
    }
    within(|| {
        let future = pool().submit(outer, ());
        assert_eq!(texts_of(&future), texts("through\n", ""));
        future.result().unwrap();
    });
}

#[test]
fn bytes_that_are_no_text_are_kept_as_they_are() {
    fn all_bytes() -> Vec<u8> {
        (0..=255).cycle().take(100_000).collect()
    }
    within(|| {
        let executor = pool();
        let writes = |()| std::io::stdout().write_all(&all_bytes()).unwrap();
        let output = output_of(&executor.submit(writes, ()));
        assert!(output.stdout_bytes() == all_bytes());
        assert!(output.stdout().contains('\u{fffd}'));
    });
}

#[test]
fn what_a_task_wrote_before_it_crashed_is_in_its_future_and_its_error() {
    within(|| {
        let executor = pool();
        let dies = |()| {
            println!("first");
            eprint!("{}", "long\n".repeat(50_000));
            eprintln!("it hurts");
            eprint!("here");
            std::process::abort();
        };
        // Often, for the system may be at its output just then.
        for _ in 0..30 {
            let future: Future<()> = executor.submit(dies, ());
            let (stdout, stderr) = texts_of(&future);
            assert_eq!((&*stdout, stderr.len()), ("first\n", 250_000 + 13));
            assert!(stderr.ends_with("it hurts\nhere"));
            let error = future.result().unwrap_err();
            assert_eq!(error.output().unwrap().stderr(), stderr);
            let text = error.to_string();
            assert!(text.ends_with("(SIGABRT); its last words: here"), "{text}");
        }
    });
}

#[test]
fn what_a_task_wrote_before_it_exits_is_kept() {
    within(|| {
        let executor = pool();
        let future: Future<()> = executor.submit(
            |()| {
                print!("Rust");
                puts(c"C");
                std::process::exit(3)
            },
            (),
        );
        let (stdout, _) = texts_of(&future);
        assert!(stdout.contains("Rust") && stdout.contains('C'), "{stdout}");
    });
}

#[test]
fn c_prints_each_line_at_once_so_that_a_crash_does_not_take_it_along() {
    within(|| {
        let future: Future<()> = pool().submit(
            |()| {
                puts(c"a line\n");
                std::process::abort()
            },
            (),
        );
        assert_eq!(texts_of(&future), texts("a line\n", ""));
    });
}

fn says_and_hangs((): ()) {
    eprintln!("waiting for the lock");
    pause_for_ever();
}

#[test]
fn a_task_that_has_timed_out_tells_what_it_had_written_while_it_goes_on() {
    const AN_HOUR: Duration = Duration::from_secs(3600);
    within(|| {
        // If the machine is very busy, its output may come later than its timeout.
        eventually(|| {
            let executor = builder(MOST).grace(AN_HOUR).build().unwrap();
            let options = TaskOptions::new().timeout(Duration::from_millis(200));
            let future = executor.with(options).submit(says_and_hangs, ());
            assert!(future.exception().unwrap().is_timed_out());
            let output = output_of(&future);
            let text = future.result().unwrap_err().to_string();
            executor.kill_workers();
            output.stderr() == "waiting for the lock\n"
                && text.ends_with("; its last words: waiting for the lock")
        });
    });
}

#[test]
fn a_task_that_has_timed_out_tells_all_that_it_had_written_when_its_process_has_ended() {
    within(|| {
        let executor = builder(MOST).grace(Duration::ZERO).build().unwrap();
        let options = TaskOptions::new().timeout(Duration::from_millis(50));
        let limited = executor.with(options);
        // Until one is begun early enough to say something.
        eventually(|| {
            let future = limited.submit(says_and_hangs, ());
            assert!(future.exception().unwrap().is_timed_out());
            executor.submit(|()| (), ()).result().unwrap();
            future.output().is_some_and(|it| it.stderr() == "waiting for the lock\n")
        });
    });
}

#[test]
fn a_panic_is_in_the_output_and_in_its_error() {
    within(|| {
        let future = pool().submit(|()| panic!("no such page"), ());
        let (_, stderr) = texts_of::<()>(&future);
        assert!(stderr.contains("no such page"), "{stderr}");
        let error = future.result().unwrap_err();
        assert_eq!(error.output().unwrap().stderr(), stderr);
        assert!(!error.to_string().contains("last words"), "{error}");
    });
}

#[test]
fn tasks_of_many_workers_never_get_the_output_of_others() {
    within(|| {
        let executor = builder(MOST).max_workers(3).build().unwrap();
        let writes = |n: u32| {
            for line in 0..n % 7 {
                println!("{n} {line}");
            }
            eprint!("{n}");
        };
        let futures = executor.submit_all(writes, 0..3000);
        for (n, future) in (0..).zip(&futures) {
            let lines: String = (0..n % 7).map(|line| format!("{n} {line}\n")).collect();
            assert_eq!(texts_of(future), (lines, n.to_string()));
        }
    });
}

#[test]
fn a_chunk_of_a_map_is_one_task_and_its_error_has_its_output() {
    within(|| {
        let executor = pool();
        let chunks = MapOptions::new().chunksize(NonZeroUsize::new(2).unwrap());
        let dies_at = |n: u32| {
            eprintln!("item {n}");
            if n == 3 {
                std::process::abort();
            }
        };
        let results: Vec<_> = executor.map_with(chunks, dies_at, 0..4).collect();
        assert!(results[0].is_ok() && results[1].is_ok());
        for lost in &results[2..] {
            let error = lost.as_ref().unwrap_err();
            assert_eq!(error.output().unwrap().stderr(), "item 2\nitem 3\n");
        }
    });
}

#[test]
fn other_forms_of_a_future_have_its_output() {
    within(|| {
        let executor = pool();
        let fails = |()| -> Result<(), String> {
            println!("tried");
            Err("in vain".to_owned())
        };
        let flat = executor.try_call(fails, ());
        assert_eq!(texts_of(&flat), texts("tried\n", ""));
        assert_eq!(flat.result().unwrap_err().output().unwrap().stdout(), "tried\n");
        let shared = executor.submit(prints, "shared".to_owned()).shared();
        shared.wait();
        assert_eq!(shared.output().unwrap().stdout(), "shared\n");
        let first = executor.submit(|()| println!("first"), ());
        let second = executor.then(first, |()| println!("second"));
        assert_eq!(texts_of(&second), texts("second\n", ""));
    });
}

#[test]
fn a_task_that_never_began_or_is_not_done_has_no_output() {
    within(|| {
        let door = Door::new();
        let executor = pool();
        let says_and_knocks = |door: PathBuf| {
            println!("begun");
            drop(std::io::Read::read(&mut knock_only(door), &mut [0]));
        };
        let running = executor.submit(says_and_knocks, door.path());
        let queued = executor.submit(prints, "never".to_owned());
        let visitor = door.open();
        assert_eq!(running.output(), None);
        assert!(queued.cancel());
        assert_eq!(queued.output(), None);
        drop(visitor);
        assert_eq!(texts_of(&running), texts("begun\n", ""));
    });
}

#[test]
fn a_task_that_closes_its_descriptors_loses_its_output_and_no_file_of_its_own() {
    within(|| {
        let folder = crate::common::workers::Folder::new();
        let writes = |path: PathBuf| {
            println!("gone");
            // SAFETY: it takes plain numbers.
            unsafe { libc::syscall(libc::SYS_close_range, 0_u32, u32::MAX, 0_u32) };
            let files: Vec<_> = (0..40).map(|n| (n, path.with_extension(n.to_string()))).collect();
            let files = files.into_iter().map(|(n, path)| {
                let mut file = std::fs::File::create(path).unwrap();
                // Not under the numbers that everybody may write to.
                if n >= 3 {
                    file.write_all(b"precious").unwrap();
                }
                file
            });
            std::mem::forget(files.collect::<Vec<_>>());
            42
        };
        let path = folder.path("file");
        let executor = pool();
        let future = executor.submit(writes, path.clone());
        assert_eq!(future.result().unwrap(), 42);
        drop(executor);
        for n in 3..40 {
            let kept = std::fs::read(path.with_extension(n.to_string())).unwrap();
            assert_eq!(kept, b"precious", "{n}");
        }
    });
}

#[test]
fn a_task_that_closes_its_descriptors_can_go_on_writing() {
    within(|| {
        let writes = |()| {
            // SAFETY: it takes plain numbers.
            unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32) };
            println!("{}", "x".repeat(1 << 20));
            42
        };
        assert_eq!(pool().submit(writes, ()).result().unwrap(), 42);
    });
}

#[test]
fn a_thread_that_keeps_standard_output_locked_holds_up_neither_outcomes_nor_the_end() {
    let locks = |()| {
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut output = std::io::stdout().lock();
            writeln!(output, "locked").unwrap();
            sender.send(()).unwrap();
            pause_for_ever();
        });
        receiver.recv().unwrap();
    };
    within(move || {
        let executor = pool();
        let future = executor.submit(locks, ());
        assert_eq!(texts_of(&future), texts("locked\n", ""));
        let next = executor.submit(|()| eprintln!("next"), ());
        assert_eq!(texts_of(&next), texts("", "next\n"));
        executor.shutdown(true, false);
    });
}

#[test]
fn a_line_that_has_not_ended_is_written_though_other_threads_are_there() {
    within(|| {
        let executor = pool();
        let stays = |()| drop(std::thread::spawn(|| pause_for_ever()));
        executor.submit(stays, ()).result().unwrap();
        for n in 0..100 {
            let future = executor.submit(|n: u32| print!("{n}"), n);
            assert_eq!(texts_of(&future), texts(&n.to_string(), ""));
        }
    });
}

#[test]
fn a_kill_neither_loses_nor_doubles_what_was_written() {
    within(|| {
        let executor = pool();
        let counts = |(door, first): (PathBuf, u64)| {
            (0..first).for_each(|n| println!("{n}"));
            let _stream = knock_only(door);
            for n in first.. {
                println!("{n}");
            }
        };
        for round in 0..20 {
            let door = Door::new();
            let future = executor.submit(counts, (door.path(), round * 1000));
            let visitor = door.open();
            send_signal(visitor.process, libc::SIGKILL);
            let output = output_of(&future);
            let text = output.stdout();
            // The last line may have come in part, or been cut.
            let (lines, _) = text.rsplit_once('\n').unwrap_or_default();
            let lines: Vec<u64> = lines.lines().map(|it| it.parse().unwrap()).collect();
            assert!(lines.len() as u64 >= round * 1000);
            assert!((0..).zip(&lines).all(|(n, it)| n == *it), "{text}");
        }
    });
}

#[test]
fn without_the_option_workers_write_where_their_parent_does() {
    let name = "output::without_the_option_workers_write_where_their_parent_does";
    let output = in_child(name, || {
        let executor = ProcessPoolExecutor::new(1).unwrap();
        let future = executor.submit(prints, "through".to_owned());
        future.wait();
        assert_eq!((future.output(), future.usage()), (None, None));
    });
    let Some(output) = output else { return };
    assert!(printed(&output).contains("through\n"));
}

#[test]
fn initializer_and_finalizer_write_where_the_parent_does() {
    let name = "output::initializer_and_finalizer_write_where_the_parent_does";
    let output = in_child(name, || {
        let executor = builder(MOST)
            .initializer(|()| println!("the initializer"), ())
            .finalizer(|()| println!("the finalizer"))
            .build()
            .unwrap();
        let future = executor.submit(prints, "the task".to_owned());
        assert_eq!(texts_of(&future), texts("the task\n", ""));
    });
    let Some(output) = output else { return };
    let printed = printed(&output);
    assert!(printed.contains("the initializer\n") && printed.contains("the finalizer\n"));
    assert!(!printed.contains("the task"), "{printed}");
}

#[test]
fn output_that_was_fetched_leaves_nothing() {
    let output = in_child("output::output_that_was_fetched_leaves_nothing", || {
        let executor = builder(MOST).max_workers(2).build().unwrap();
        let work = |count: u32| {
            for future in executor.submit_all(|n: u32| println!("{n:0500}"), 0..count) {
                assert_eq!(output_of(&future).stdout().len(), 501);
            }
        };
        work(100);
        let held = Held::now();
        work(10_000);
        assert_eq!(Held::with_threads(held.threads), held);
        // Nor the files of memory in which it lies.
        for descriptor in held.descriptors.keys() {
            let length = std::fs::metadata(descriptor).map_or(0, |it| it.len());
            assert!(length < 1 << 20, "{descriptor}: {length}");
        }
    });
    output.as_ref().map(printed);
}

#[test]
fn the_output_of_a_parent_without_standard_streams_is_not_that_of_its_tasks() {
    let name = "output::the_output_of_a_parent_without_standard_streams_is_not_that_of_its_tasks";
    let output = in_child(name, || {
        let standard = [1, 2].map(Closed::new);
        let executor = pool();
        let future = executor.submit(prints, "first".to_owned());
        assert_eq!(texts_of(&future), texts("first\n", ""));
        // Whoever has nothing there may open something, and prints.
        drop(standard);
        println!("the parent");
        let dies = |()| {
            println!("before");
            eprint!("its end");
            std::process::abort();
        };
        let future: Future<()> = executor.submit(dies, ());
        assert_eq!(texts_of(&future), texts("before\n", "its end"));
    });
    let Some(output) = output else { return };
    assert!(printed(&output).contains("the parent\n"));
}

/// A descriptor that is closed until this is dropped.
struct Closed {
    number: i32,
    kept: i32,
}

impl Closed {
    fn new(number: i32) -> Self {
        // SAFETY: it takes plain numbers.
        let kept = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 100) };
        assert!(kept > 2);
        // SAFETY: nobody else uses it by this number but to print.
        assert_eq!(unsafe { libc::close(number) }, 0);
        Closed { number, kept }
    }
}

impl Drop for Closed {
    fn drop(&mut self) {
        // SAFETY: it takes plain numbers; whoever has a file by the first of them expects that it is replaced.
        unsafe { libc::dup2(self.kept, self.number) };
        // SAFETY: it is nobody else's.
        unsafe { libc::close(self.kept) };
    }
}
