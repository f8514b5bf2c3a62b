//! The program: a pool of two workers, which has a bit of everything to do. It checks by itself what it
//! can see from within.

use super::held::{Held, shared_memory};
use crate::{
    Future, MapOptions, OnWorkerDeath, ProcessPoolExecutor, TaskError, TaskErrorKind, TaskOptions,
    TaskOutput, cancellation_requested,
};
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What it is to expect.
pub(super) const EXPECTED: &str = "CONCURRENT_FUTURES_SWEEP_EXPECTED";

/// Longer than anything that is not a hang, and shorter than whoever plays the program waits.
const BOUND: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// Every task ends as it would without the fault.
    All,
    /// One task is lost with its worker, or a chunk of them, and no other.
    OneLost,
    /// The large value may be lost on its way.
    LargeLost,
    /// Tasks that are with a worker that was stopped end when their time is over.
    Limited,
    /// The pool may be of no use, and says so.
    Any,
    /// The program does not come to its end.
    Death,
}

impl FromStr for Expected {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        use Expected::{All, Any, Death, LargeLost, Limited, OneLost};
        let all = [All, OneLost, LargeLost, Limited, Any, Death];
        all.into_iter().find(|it| format!("{it:?}") == text).ok_or(())
    }
}

/// Whether this process is to be the program.
pub(super) fn is_meant() -> bool {
    std::env::var_os(EXPECTED).is_some()
}

/// The program, or nothing.
#[test]
fn program() {
    let Ok(expected) = std::env::var(EXPECTED) else { return };
    let held = || (Held::now(), shared_memory());
    let before = held();
    let told = work(expected.parse().unwrap());
    let begun = Instant::now();
    // A thread that has ended is listed for a moment longer.
    while held() != before {
        let now = held();
        assert!(begun.elapsed() < BOUND, "left behind: {now:#?}, where there was {before:#?}");
        std::thread::yield_now();
    }
    for Told { name, called, .. } in told {
        assert_eq!(called.load(Ordering::SeqCst), 1, "calls of the callback of {name}");
    }
}

fn square(n: u32) -> u32 {
    println!("the square of {n}");
    n * n
}

/// More than a worker sends by itself.
fn long_text() -> String {
    "all the way back ".repeat(5_000)
}

fn reverse(mut bytes: Vec<u8>) -> Vec<u8> {
    print!("{}", long_text());
    bytes.reverse();
    bytes
}

fn heeds((): ()) {
    while !cancellation_requested() {
        // Others have something to do.
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

fn is_deaf((): ()) {
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
    loop {
        std::thread::park();
    }
}

/// What became of a task: its name, how it ended, and how often its callback was called.
struct Told {
    name: &'static str,
    ended: Result<(), TaskError>,
    called: Arc<AtomicUsize>,
    output: Option<TaskOutput>,
    /// What it should be.
    wrote: String,
}

/// A future that is watched.
struct Watched<T> {
    name: &'static str,
    future: Future<T>,
    called: Arc<AtomicUsize>,
    is_right: Box<dyn Fn(T) -> bool>,
    wrote: String,
}

fn watch<T: Send + Sync + 'static>(
    name: &'static str,
    future: Future<T>,
    wrote: String,
    is_right: impl Fn(T) -> bool + 'static,
) -> Watched<T> {
    let called = Arc::new(AtomicUsize::new(0));
    let calls = Arc::clone(&called);
    future.add_done_callback(move |_| {
        calls.fetch_add(1, Ordering::SeqCst);
    });
    Watched { name, future, called, is_right: Box::new(is_right), wrote }
}

impl<T: Send + 'static + std::fmt::Debug> Watched<T> {
    fn told(self) -> Told {
        let Watched { name, future, called, is_right, wrote } = self;
        assert!(future.wait_timeout(BOUND), "{name} never ends");
        let output = future.output();
        let Ok(result) = future.result_timeout(BOUND) else { panic!("{name} never settles") };
        let ended = result.map(|it| assert!(is_right(it), "the value of {name}"));
        Told { name, ended, called, output, wrote }
    }
}

fn work(expected: Expected) -> Vec<Told> {
    let is_limited = expected == Expected::Limited;
    let start_timeout = Duration::from_millis(if is_limited { 700 } else { 60_000 });
    let executor = ProcessPoolExecutor::builder()
        .max_workers(2)
        .start_all()
        .grace(Duration::from_millis(30))
        .start_timeout(start_timeout)
        // By default a pool puts up with a hundred deaths a second.
        .on_worker_death(OnWorkerDeath::Replace { most: 20, within: BOUND })
        .capture_output(100_000)
        .measure_usage()
        .initializer(|n: u32| n, 5)
        .finalizer(drop)
        .build()
        .unwrap();
    // A call that a stopped worker has, and has not begun, stays there until its time is over.
    let plain = match is_limited {
        true => TaskOptions::new().begin_within(Duration::from_millis(1500)),
        false => TaskOptions::new(),
    };
    let hurried = executor.with(plain.clone().timeout(Duration::from_millis(60)));
    let limited = plain.clone().timeout(Duration::from_millis(700));
    let handle = executor.with(if is_limited { limited } else { plain });
    let squares = |name, count: u32| -> Vec<Watched<u32>> {
        let futures = (0..count).map(|n| (n, handle.submit(square, n)));
        let wrote = |n| format!("the square of {n}\n");
        futures.map(|(n, it)| watch(name, it, wrote(n), move |value| value == n * n)).collect()
    };
    let bytes: Vec<u8> = (0..1 << 20).map(|n: u32| n.to_le_bytes()[1]).collect();
    let mut expected_bytes = bytes.clone();
    expected_bytes.reverse();

    let mut told: Vec<Told> = squares("small", 8).into_iter().map(Watched::told).collect();
    let large = handle.submit(reverse, bytes);
    told.push(watch("large", large, long_text(), move |it| it == expected_bytes).told());
    // One worker each, and what is sent behind them is taken back.
    let heeding = watch("heeding", hurried.submit(heeds, ()), String::new(), |()| false);
    let deaf = watch("deaf", hurried.submit(is_deaf, ()), String::new(), |()| false);
    let behind = squares("behind", 6);
    let chunks = MapOptions::new().chunksize(NonZeroUsize::new(5).unwrap()).eager();
    let map = handle.map_with(chunks, square, 0..20_u32);
    told.extend([heeding.told(), deaf.told()]);
    told.extend(behind.into_iter().map(Watched::told));
    let mapped: Vec<Result<u32, TaskError>> = map.collect();
    // It submits nothing more when a chunk was refused.
    let is_whole = mapped.len() == 20;
    assert!(is_whole || expected == Expected::Any && mapped.iter().any(Result::is_err));
    for (n, value) in (0..).zip(&mapped) {
        assert!(value.as_ref().is_ok_and(|it| *it == n * n) || value.is_err());
    }
    // Both at once, so that one goes to each worker.
    told.extend(squares("last", 2).into_iter().map(Watched::told));

    if is_limited {
        executor.shutdown_timeout(Duration::from_millis(500), Duration::from_millis(30));
    }
    drop(executor);
    judge(expected, &told, &mapped);
    told
}

fn judge(expected: Expected, told: &[Told], mapped: &[Result<u32, TaskError>]) {
    for Told { name, called, .. } in told {
        // That of a task whose time was up is called apart, and perhaps a moment later.
        let begun = Instant::now();
        while called.load(Ordering::SeqCst) == 0 {
            assert!(begun.elapsed() < BOUND, "the callback of {name} is never called");
            std::thread::yield_now();
        }
    }
    for Told { name, ended, output, wrote, .. } in told.iter().filter(|it| it.ended.is_ok()) {
        // One that has closed its descriptors has none, or has written where nobody reads.
        let may_lack = expected != Expected::All;
        let is_right = output
            .as_ref()
            .map_or(may_lack, |it| it.stdout() == **wrote || may_lack && it.stdout().is_empty());
        assert!(is_right, "{name}: {ended:?}, and wrote {output:?}");
    }
    let is_hurried = |it: &&Told| ["heeding", "deaf"].contains(&it.name);
    for Told { name, ended, .. } in told.iter().filter(is_hurried) {
        let error = ended.as_ref().unwrap_err();
        let is_lost = error.worker_death().is_some() && expected == Expected::OneLost;
        let is_limited = is_ended_by_limit(error) && expected == Expected::Limited;
        let is_right = error.is_timed_out() || is_lost || is_limited || expected == Expected::Any;
        assert!(is_right, "{name}: {error}");
    }
    let plain = told.iter().filter(|it| !is_hurried(it));
    let failed: Vec<(&str, &TaskError)> =
        plain.filter_map(|it| Some((it.name, it.ended.as_ref().err()?))).collect();
    let unmapped: Vec<&TaskError> = mapped.iter().filter_map(|it| it.as_ref().err()).collect();
    let errors = || failed.iter().map(|it| it.1).chain(unmapped.iter().copied());
    let is_right = match expected {
        Expected::All | Expected::Death => failed.is_empty() && unmapped.is_empty(),
        Expected::OneLost => {
            let hurried = told.iter().filter(is_hurried);
            let lost = hurried.filter(|it| it.ended.as_ref().is_err_and(|it| !it.is_timed_out()));
            // A chunk has five items.
            failed.len() + lost.count() + unmapped.len().div_ceil(5) <= 1
                && errors().all(|it| it.worker_death().is_some())
        }
        Expected::LargeLost => {
            let is_untransferred =
                |it: &TaskError| matches!(it.kind(), TaskErrorKind::NotTransferred(_));
            failed.iter().all(|it| it.0 == "large" && is_untransferred(it.1)) && unmapped.is_empty()
        }
        Expected::Limited => {
            let last = failed.iter().filter(|it| it.0 == "last").count();
            last < 2 && errors().all(is_ended_by_limit)
        }
        Expected::Any => {
            errors().all(|it| it.worker_death().is_some() || it.is_broken() || it.is_refused())
        }
    };
    assert!(is_right, "{expected:?}, and failed: {failed:?}, of the map: {unmapped:?}");
}

fn is_ended_by_limit(error: &TaskError) -> bool {
    let is_late = matches!(error.kind(), TaskErrorKind::NotBegun { .. });
    is_late || error.is_timed_out() || error.worker_death().is_some()
}
