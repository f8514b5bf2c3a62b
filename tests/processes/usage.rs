//! What tasks need is found in their futures.

use crate::common::within;
use crate::common::workers::{Door, knock};
use concurrent_futures::ProcessPoolExecutor;
use std::time::Duration;

fn processor_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes to a place that is there.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap())
}

#[test]
fn a_task_that_works_needs_more_processor_time_than_one_that_waits() {
    within(|| {
        let executor =
            ProcessPoolExecutor::builder().max_workers(1).measure_usage().build().unwrap();
        let works = executor.submit(
            |()| {
                let begin = processor_time();
                while processor_time() - begin < Duration::from_millis(100) {}
            },
            (),
        );
        works.wait();
        let door = Door::new();
        let waits = executor.submit(knock, door.path());
        drop(door.open());
        waits.wait();
        let [works, waits] =
            [works.usage(), waits.usage()].map(|it| it.expect("it is measured").cpu_time());
        assert!(works >= Duration::from_millis(100), "{works:?}");
        assert!(works > waits, "{works:?} and {waits:?}");
    });
}

#[test]
fn the_peak_of_memory_is_that_of_the_task() {
    within(|| {
        let executor =
            ProcessPoolExecutor::builder().max_workers(1).measure_usage().build().unwrap();
        let touches = |bytes: usize| std::hint::black_box(vec![1_u8; bytes]).len();
        let large = executor.submit(touches, 256 << 20);
        let small = executor.submit(touches, 1);
        let [large, small] = [large, small].map(|it| {
            it.wait();
            it.usage().unwrap().peak_memory().expect("the system can tell it")
        });
        assert!(large >= 256 << 20, "{large}");
        assert!(small < 256 << 20, "{small}");
    });
}

#[test]
fn a_task_whose_worker_died_has_no_usage() {
    within(|| {
        let executor =
            ProcessPoolExecutor::builder().max_workers(1).measure_usage().build().unwrap();
        let future = executor.submit(crate::death::aborts, ());
        future.wait();
        assert_eq!((future.usage(), future.output()), (None, None));
    });
}
