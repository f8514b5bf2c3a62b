//! Whose output is whose, where attempts fail and descriptors are closed.

use super::output::{MOST, builder, pool, texts, texts_of};
use crate::common::{FarGate, FarLatch, within};
use concurrent_futures::{Order, TaskOptions, attempt};
use std::panic::resume_unwind;

#[test]
fn the_output_of_a_task_that_was_tried_again_is_that_of_the_last_attempt() {
    within(|| {
        let dies_at_first = |()| {
            println!("attempt {}", attempt());
            if attempt() < 3 {
                std::process::abort();
            }
        };
        let future = pool().retrying(2).submit(dies_at_first, ());
        assert_eq!(texts_of(&future), texts("attempt 3\n", ""));
        future.result().unwrap();
    });
}

/// What had failed and come back, was to be tried again, and never was, had no output.
#[test]
fn the_output_of_a_task_that_is_not_tried_again_after_all_is_that_of_the_last_attempt() {
    fn fails(latch: FarLatch) {
        println!("attempt {}", attempt());
        latch.pass();
        // Without the hook, which prints.
        resume_unwind(Box::new("wanted"));
    }
    within(|| {
        let executor = builder(MOST).order(Order::Priority).build().unwrap();
        let (gate, urgent_gate) = (FarGate::new(), FarGate::new());
        let future = executor.retrying(1).submit(fails, gate.latch());
        gate.await_arrivals(1);
        let urgent = executor.with(TaskOptions::new().priority(1));
        let urgent = urgent.submit(|latch: FarLatch| latch.pass(), urgent_gate.latch());
        gate.open();
        // So the other one waits to be tried again.
        urgent_gate.await_arrivals(1);
        assert!(future.abort());
        assert_eq!(texts_of(&future), texts("attempt 1\n", ""));
        assert!(future.result().unwrap_err().is_cancelled());
        urgent_gate.open();
        urgent.result().unwrap();
    });
}

/// It had that of the attempt before.
#[test]
fn a_last_attempt_whose_output_cannot_be_had_has_none() {
    fn closes_all_then(_: ()) {
        println!("attempt {}", attempt());
        if attempt() == 1 {
            std::process::abort();
        }
        // SAFETY: it takes plain numbers. Whoever has one of these expects it.
        unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) };
    }
    within(|| {
        let future = pool().retrying(1).submit(closes_all_then, ());
        future.wait();
        assert_eq!(future.output().map(|it| it.stdout().into_owned()), None);
        future.result().unwrap();
    });
}

/// What nobody could empty any more gathered, and was the output of whoever died next.
#[test]
fn what_a_task_wrote_that_has_closed_descriptors_is_not_the_output_of_another() {
    /// Those of the worker's own that have the lowest numbers stay.
    fn closes_most(latch: FarLatch) {
        println!("first");
        // SAFETY: it takes plain numbers. Whoever has one of these expects it.
        unsafe { libc::syscall(libc::SYS_close_range, 6, u32::MAX, 0) };
        latch.pass();
    }
    fn dies(_: ()) {
        println!("second");
        std::process::abort();
    }
    within(|| {
        for _ in 0..10 {
            let executor = pool();
            // So that the other one is sent ahead.
            executor.submit(|()| (), ()).result().unwrap();
            let gate = FarGate::new();
            let first = executor.submit(closes_most, gate.latch());
            gate.await_arrivals(1);
            let second = executor.submit(dies, ());
            gate.open();
            first.result().unwrap();
            assert_eq!(texts_of(&second), texts("second\n", ""));
        }
    });
}
