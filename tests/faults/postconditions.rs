//! What has to hold after every fault: each future has ended once, and within a bound; the pool goes
//! on, or says clearly that it does not; and a pool that is gone has left nothing behind.

use crate::common::{
    BOUND, Held, eventually, in_child, printed, processes_of_this_child, shared_memory,
};
use concurrent_futures::{Future, ProcessPoolExecutor, ProcessPoolHandle};
use std::any::type_name_of_val;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Runs a scenario in a program of its own, which fails if it takes longer than a bound that only a
/// hang reaches. When the scenario is over, and with it all of its pools, every future that it has
/// let the ledger watch must have ended exactly once, and neither a process, its remains, a thread,
/// a descriptor nor a mapping of shared memory may be left that was not there before.
///
/// To be called as the only thing in a test, with a closure: its type's name is the test's.
#[track_caller]
pub(crate) fn scenario<S: FnOnce(&Ledger)>(scenario: S) {
    run(&name_of(&scenario), scenario);
}

/// As [`scenario`], with a command for one more program, which does `program` and ends as it likes.
/// What it leaves behind is the scenario's.
#[track_caller]
pub(crate) fn scenario_with_program(
    program: impl FnOnce(),
    scenario: impl FnOnce(&Ledger, Command),
) {
    named_scenario_with_program(&name_of(&program), program, scenario);
}

/// The same for the test with this name, where `program` does not stand in it itself.
#[track_caller]
pub(crate) fn named_scenario_with_program(
    name: &str,
    program: impl FnOnce(),
    scenario: impl FnOnce(&Ledger, Command),
) {
    const PROGRAM: &str = "CONCURRENT_FUTURES_TEST_PROGRAM";
    if std::env::var_os(PROGRAM).is_some() {
        return program();
    }
    run(name, |ledger| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([name, "--exact", "--nocapture", "--test-threads=1"]).env(PROGRAM, "1");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        scenario(ledger, command);
    });
}

/// The name of the test that this closure stands in.
pub(crate) fn name_of<T>(closure: &T) -> String {
    let name = type_name_of_val(closure);
    let name = name.strip_prefix(concat!(env!("CARGO_CRATE_NAME"), "::")).unwrap_or(name);
    name.split("::{{closure}}").next().unwrap_or_default().to_owned()
}

#[track_caller]
fn run(name: &str, scenario: impl FnOnce(&Ledger)) {
    let output = in_child(name, || {
        let (held, mapped) = (Held::now(), shared_memory());
        let ledger = Ledger::default();
        scenario(&ledger);
        ledger.check();
        leaves_nothing(&held, &mapped);
    });
    output.as_ref().map(printed);
}

/// Waits until the process holds what it held before; threads and processes that have been ended are
/// there for a moment longer.
#[track_caller]
fn leaves_nothing(held: &Held, mapped: &[String]) {
    let begun = Instant::now();
    loop {
        let (now, now_mapped) = (Held::now(), shared_memory());
        let processes = processes_of_this_child();
        if now == *held && now_mapped == mapped && processes.is_empty() {
            return;
        }
        // Sooner than whoever waits for this program gives up, so that it can say why.
        assert!(
            begun.elapsed() < BOUND / 3,
            "left: {now:?}, {now_mapped:?}, processes {processes:?}; before: {held:?}, {mapped:?}"
        );
        std::thread::yield_now();
    }
}

/// The futures of a scenario, and how often each has ended.
#[derive(Default)]
pub(crate) struct Ledger(std::cell::RefCell<Vec<Arc<AtomicUsize>>>);

impl Ledger {
    /// Counts the ends of this future.
    pub(crate) fn watch<R: Send + Sync + 'static>(&self, future: Future<R>) -> Future<R> {
        let ends = Arc::new(AtomicUsize::new(0));
        self.0.borrow_mut().push(Arc::clone(&ends));
        future.add_done_callback(move |_| {
            ends.fetch_add(1, Ordering::SeqCst);
        });
        future
    }

    /// The same for each of these.
    pub(crate) fn watch_all<R: Send + Sync + 'static>(
        &self,
        futures: impl IntoIterator<Item = Future<R>>,
    ) -> Vec<Future<R>> {
        futures.into_iter().map(|it| self.watch(it)).collect()
    }

    #[track_caller]
    fn check(&self) {
        for (number, ends) in self.0.borrow().iter().enumerate() {
            // A result may be taken a moment before the last callback has returned.
            eventually(|| ends.load(Ordering::SeqCst) > 0);
            assert_eq!(ends.load(Ordering::SeqCst), 1, "the ends of future {number}");
        }
    }
}

/// The pool works.
#[track_caller]
pub(crate) fn goes_on<S: 'static>(pool: &ProcessPoolHandle<S>) {
    assert_eq!(pool.submit(|n: u32| n + 1, 41).result().expect("the pool goes on"), 42);
}

/// The pool says that it is broken; its words.
#[track_caller]
pub(crate) fn says_that_it_is_broken<S: 'static>(pool: &ProcessPoolHandle<S>) -> String {
    let error = pool.submit(|n: u32| n + 1, 41).result().unwrap_err();
    assert!(error.is_broken() && error.is_refused(), "{error}");
    error.to_string()
}

/// Shuts the pool down. Its workers are gone when that returns, without remains, and every task has
/// been counted as over.
#[track_caller]
pub(crate) fn ends<S: 'static>(pool: ProcessPoolExecutor<S>) {
    let workers = pool.workers();
    pool.shutdown(true, false);
    for process in workers.iter().filter_map(|it| it.process_id) {
        assert!(!Path::new(&format!("/proc/{process}")).exists(), "process {process} is left");
    }
    let stats = pool.stats();
    assert_eq!((stats.queued, stats.running, stats.workers), (0, 0, 0), "{stats:?}");
}

/// The pool works, and then ends: what most scenarios come to.
#[track_caller]
pub(crate) fn goes_on_and_ends<S: 'static>(pool: ProcessPoolExecutor<S>) {
    goes_on(&pool);
    ends(pool);
}
