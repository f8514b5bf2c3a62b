//! Tasks that write much, and limits on it.

use crate::common::{Held, eventually, in_child, printed, within};
use crate::output::{builder, output_of, pool, prints, texts, texts_of};
use crate::support::{Door, knock_only, pause_for_ever};
use concurrent_futures::TaskOptions;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

#[test]
fn what_is_beyond_the_limit_is_cut_and_said_to_be() {
    within(|| {
        let executor = builder(1000).build().unwrap();
        let prints = |n| print!("{}", "x".repeat(n));
        for (length, kept, is_cut) in [(999, 999, false), (1000, 1000, false), (1001, 1000, true)] {
            let output = output_of(&executor.submit(prints, length));
            assert_eq!((output.stdout().len(), output.is_cut()), (kept, is_cut), "{length}");
        }
        // Long before it ends, nobody has room for it.
        let output = output_of(&executor.submit(prints, 20 << 20));
        assert_eq!((output.stdout().len(), output.is_cut()), (1000, true));
        let output = output_of(&executor.submit(prints, 1));
        assert_eq!((output.stdout().len(), output.is_cut()), (1, false));
    });
}

#[test]
fn who_writes_without_end_takes_no_memory_and_can_be_stopped() {
    let name = "long_output::who_writes_without_end_takes_no_memory_and_can_be_stopped";
    let output = in_child(name, || {
        let executor = builder(1000).build().unwrap();
        let door = Door::new();
        let writes = |door: PathBuf| -> u32 {
            let line = "x".repeat(10_000);
            (0..10_000).for_each(|_| println!("{line}"));
            let _stream = knock_only(door);
            loop {
                println!("{line}");
            }
        };
        let future = executor.submit(writes, door.path());
        let _visitor = door.open();
        // 100 MB have been written.
        let descriptors = Held::now().descriptors;
        let kept = descriptors.iter().filter(|it| it.1.contains("memfd:output"));
        let lengths: Vec<u64> = kept.map(|it| std::fs::metadata(it.0).unwrap().len()).collect();
        assert_eq!(lengths, [1001]);
        assert!(future.abort());
        future.wait();
        assert_eq!((future.cancelled(), output_of(&future).is_cut()), (true, true));
        assert_eq!(texts_of(&executor.submit(prints, "next".to_owned())), texts("next\n", ""));
    });
    output.as_ref().map(printed);
}

#[test]
fn many_lines_come_in_their_order() {
    within(|| {
        let counts = |n: u32| (0..n).for_each(|it| println!("{it}"));
        let future = pool().submit(counts, 50_000);
        let (stdout, _) = texts_of(&future);
        assert!(stdout.lines().map(|it| it.parse::<u32>().unwrap()).eq(0..50_000_u32));
    });
}

#[test]
fn a_large_result_and_a_large_output_come_together() {
    within(|| {
        let executor = pool();
        let both = |n: usize| {
            println!("{}", "x".repeat(n));
            vec![7_u8; n]
        };
        for length in [10, 100_000, 900_000, 10] {
            let future = executor.submit(both, length);
            assert_eq!(texts_of(&future).0.len(), length + 1);
            assert_eq!(future.result().unwrap(), vec![7; length]);
        }
    });
}

#[test]
fn output_that_is_larger_than_the_memory_of_its_worker_is_kept() {
    const LENGTH: usize = 200 << 20;
    within(|| {
        let executor = builder(1 << 30).address_space_limit(256 << 20).build().unwrap();
        let prints = |length: usize| {
            let piece = [b'x'; 1 << 20];
            (0..length >> 20).for_each(|_| std::io::stdout().write_all(&piece).unwrap());
            std::process::id()
        };
        let future = executor.submit(prints, LENGTH);
        let output = output_of(&future);
        let own = future.result().unwrap();
        assert_eq!((output.stdout_bytes().len(), output.is_cut()), (LENGTH, false));
        // The same worker goes on.
        assert_eq!(executor.submit(prints, 0).result().unwrap(), own);
    });
}

#[test]
fn long_output_stays_until_it_has_been_read() {
    within(|| {
        let executor = pool();
        // More than a worker sends by itself, with the next one behind it.
        let text = |n: u32| format!("{n:06}\n").repeat(20_000);
        let futures = executor.submit_all(|n| (0..20_000).for_each(|_| println!("{n:06}")), 0..30);
        for (n, future) in (0..).zip(&futures) {
            assert!(texts_of(future) == texts(&text(n), ""), "{n}");
        }
    });
}

#[test]
fn a_limit_on_files_cuts_output_and_ends_nothing() {
    within(|| {
        let executor = builder(100_000).build().unwrap();
        let limits = |bytes| {
            let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
            // SAFETY: it reads a limit that is there.
            assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) }, 0);
            println!("{}", "x".repeat(90_000));
        };
        // Above what a worker sends by itself, and below.
        for limit in [80_000, 4096] {
            let output = output_of(&executor.submit(limits, limit));
            let length = output.stdout().len();
            assert!(output.is_cut() && length as u64 <= limit, "{length}");
        }
        assert_eq!(texts_of(&executor.submit(prints, "next".to_owned())), texts("next\n", ""));
    });
}

#[test]
fn reading_the_output_of_a_task_that_timed_out_makes_no_other_late() {
    fn hangs((): ()) {
        pause_for_ever()
    }
    fn writes_much_and_hangs((): ()) {
        let piece = vec![b'x'; 1 << 20];
        (0..300).for_each(|_| std::io::stdout().write_all(&piece).unwrap());
        pause_for_ever()
    }
    within(|| {
        let executor = builder(1 << 30).max_workers(2).grace(Duration::ZERO).build().unwrap();
        let limited = executor.with(TaskOptions::new().timeout(Duration::from_secs(1)));
        // On a busy machine it begins too late, or the other has not written much by then.
        eventually(|| {
            let long = limited.submit(writes_much_and_hangs, ());
            eventually(|| long.running());
            // It is due later, by hardly more than that took.
            let next = limited.submit(hangs, ());
            next.wait();
            let is_in_time = !long.done();
            assert!(long.exception().unwrap().is_timed_out());
            is_in_time
        });
    });
}
