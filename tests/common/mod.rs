//! What the tests share: bounds that only a hang can reach, gates, and counters of drops.
//!
//! No test sleeps until something has probably happened. It waits for the event itself, and the
//! bound on that wait is so generous that only something which never happens can exceed it.

#![allow(dead_code)] // Each test program uses some of it.

use concurrent_futures::{Refusal, TaskError, TaskErrorKind, ThreadPoolHandle};
use std::panic::resume_unwind;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// Longer than anything that is not a hang.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

/// Runs `test` on a thread of its own, and fails if it is not over within [`BOUND`].
#[track_caller]
pub(crate) fn within<R: Send + 'static>(test: impl FnOnce() -> R + Send + 'static) -> R {
    let (over, is_over) = mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        let _over = over;
        test()
    });
    if is_over.recv_timeout(BOUND) == Err(RecvTimeoutError::Timeout) {
        panic!("this hangs: it was not over within {BOUND:?}");
    }
    thread.join().unwrap_or_else(|payload| resume_unwind(payload))
}

/// Looks again and again until `condition` holds, and fails if it does not within [`BOUND`].
#[track_caller]
pub(crate) fn eventually(mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < BOUND, "this never became true");
        std::thread::yield_now();
    }
}

/// Lets other threads get on, so that a mistake of theirs has a chance to show. No test depends on
/// how far they get.
pub(crate) fn let_others_get_on() {
    (0..20).for_each(|_| std::thread::yield_now());
}

/// Waits until the pool has exactly `workers` threads and all of them are asleep. A result can be
/// seen a moment before its worker is idle.
#[track_caller]
pub(crate) fn until_idle<S: 'static>(pool: &ThreadPoolHandle<S>, workers: usize) {
    eventually(|| {
        let stats = pool.stats();
        stats.workers == workers && stats.idle == workers && stats.running == 0
    });
}

/// Something that stays closed until it is opened, or its owner is gone.
pub(crate) struct Gate(Arc<Latch>);

/// The side of a [`Gate`] that waits for it.
#[derive(Default)]
pub(crate) struct Latch {
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Gate(Arc::default())
    }

    pub(crate) fn latch(&self) -> Arc<Latch> {
        Arc::clone(&self.0)
    }

    pub(crate) fn open(&self) {
        *self.0.is_open.lock().unwrap() = true;
        self.0.opened.notify_all();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.open();
    }
}

impl Latch {
    /// Blocks until the gate is open.
    pub(crate) fn pass(&self) {
        let is_open = self.is_open.lock().unwrap();
        drop(self.opened.wait_while(is_open, |is_open| !*is_open).unwrap());
    }
}

/// Keeps `workers` of the pool's threads busy until the gate is opened. Returns when they are.
pub(crate) fn occupy<S: 'static>(pool: &ThreadPoolHandle<S>, workers: usize) -> Gate {
    let gate = Gate::new();
    let (begun, has_begun) = mpsc::channel();
    for _ in 0..workers {
        let (latch, begun) = (gate.latch(), begun.clone());
        drop(pool.spawn(move || {
            begun.send(()).unwrap();
            latch.pass();
        }));
    }
    for _ in 0..workers {
        has_begun.recv_timeout(BOUND).expect("the pool has a worker for each of these");
    }
    gate
}

/// Counts how many of its [`Token`]s have been dropped.
#[derive(Clone, Default)]
pub(crate) struct Drops(Arc<AtomicUsize>);

/// Something whose drop is counted.
pub(crate) struct Token(Drops);

impl Drops {
    pub(crate) fn new() -> Self {
        Drops::default()
    }

    pub(crate) fn token(&self) -> Token {
        Token(self.clone())
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Something that panics when it is dropped.
pub(crate) struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("a drop that panics");
        }
    }
}

pub(crate) fn is_shut_down(error: &TaskError) -> bool {
    matches!(error.kind(), TaskErrorKind::Refused(Refusal::ShutDown))
}

pub(crate) fn is_queue_full(error: &TaskError) -> bool {
    matches!(error.kind(), TaskErrorKind::Refused(Refusal::QueueFull { .. }))
}

pub(crate) fn is_no_worker(error: &TaskError) -> bool {
    matches!(error.kind(), TaskErrorKind::Refused(Refusal::NoWorker(_)))
}

pub(crate) fn is_broken(error: &TaskError) -> bool {
    matches!(error.kind(), TaskErrorKind::Broken(_) | TaskErrorKind::Refused(Refusal::Broken(_)))
}

/// The names of this process's threads that begin with `prefix`, as the operating system has them.
#[cfg(target_os = "linux")]
pub(crate) fn threads_named(prefix: &str) -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux lists the threads of a process");
    // A thread may end between being listed and being read.
    let names = tasks.filter_map(|it| std::fs::read_to_string(it.ok()?.path().join("comm")).ok());
    names.map(|it| it.trim_end().to_owned()).filter(|it| it.starts_with(prefix)).collect()
}

const CHILD: &str = "CONCURRENT_FUTURES_TEST_CHILD";

/// Runs this test program again, only the test `name`, in a process of its own that does `child`.
///
/// In that process it does `child` and gives `None`: then the test just returns, and the program
/// ends as any program does.
pub(crate) fn in_child(name: &str, child: impl FnOnce()) -> Option<Output> {
    in_limited_child(name, None, child)
}

/// As [`in_child`], with an address space of so many KiB.
pub(crate) fn in_limited_child(
    name: &str,
    address_space: Option<usize>,
    child: impl FnOnce(),
) -> Option<Output> {
    if std::env::var_os(CHILD).is_some() {
        child();
        return None;
    }
    let program = std::env::current_exe().unwrap();
    let mut command = match address_space {
        None => Command::new(program),
        Some(kib) => {
            let mut shell = Command::new("sh");
            shell.args(["-c", &format!("ulimit -v {kib} && exec \"$0\" \"$@\"")]).arg(program);
            shell
        }
    };
    command.args([name, "--exact", "--nocapture", "--test-threads=1"]).env(CHILD, "1");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let begun = Instant::now();
    while process.try_wait().unwrap().is_none() {
        if begun.elapsed() > BOUND {
            process.kill().unwrap();
            panic!("the child hangs: {:?}", process.wait_with_output().unwrap());
        }
        std::thread::yield_now();
    }
    Some(process.wait_with_output().unwrap())
}

/// Fails unless the child has ended well; what it printed.
#[track_caller]
pub(crate) fn printed(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{text}\n{errors}", output.status);
    assert!(text.contains("1 passed"), "the child ran another number of tests: {text}");
    text
}
