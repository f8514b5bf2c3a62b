//! What a pool of threads is to the race, ours, and the ones made by hand.

use crate::harness::Side;
use crate::machine::stay_on;
use crate::work::WORKERS;
use concurrent_futures::ThreadPoolExecutor;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What a pool runs.
pub(crate) trait Task: FnOnce() -> u64 + Send + 'static {}

impl<F: FnOnce() -> u64 + Send + 'static> Task for F {}

/// A pool of [`WORKERS`] threads, used as its documentation says.
pub(crate) trait Pool: Send + Sync + 'static {
    const NAME: &'static str;
    const SIDE: Side = Side::Peer;

    fn new() -> Self;

    /// Runs a task, whose result is fetched through the handle.
    fn submit(&self, task: impl Task) -> impl Handle;
}

/// A pool that can run a closure whose result nobody fetches.
pub(crate) trait ClosurePool: Pool {
    fn execute(&self, task: impl FnOnce() + Send + 'static);
}

/// A pool whose handles are futures, and not of the other kind.
pub(crate) trait AsyncPool: Pool {
    fn start(&self, task: impl Task) -> impl Future<Output = u64> + Send + 'static;
}

/// The right to one result.
pub(crate) trait Handle: Send + 'static {
    fn result(self) -> u64;
}

/// Calls a function that is generic in a pool for every [`ClosurePool`], and makes a `Vec`.
macro_rules! with_closure_pools {
    ($function:ident($($argument:expr),*)) => {{
        use $crate::threads::{peers, pool};
        vec![
            $function::<pool::Ours>($($argument),*),
            $function::<pool::HandMade>($($argument),*),
            $function::<peers::Rayon>($($argument),*),
            $function::<peers::ThreadPool>($($argument),*),
            $function::<peers::ExecutorsChannel>($($argument),*),
            $function::<peers::ExecutorsStealing>($($argument),*),
            $function::<peers::RustyPool>($($argument),*),
        ]
    }};
}
pub(crate) use with_closure_pools;

/// The same for every [`AsyncPool`].
macro_rules! with_async_pools {
    ($function:ident($($argument:expr),*)) => {{
        use $crate::threads::peers;
        vec![
            $function::<peers::AffinityPool>($($argument),*),
            $function::<peers::TokioSpawn>($($argument),*),
            $function::<peers::TokioBlocking>($($argument),*),
            $function::<peers::AsyncExecutor>($($argument),*),
            $function::<peers::Blocking>($($argument),*),
            $function::<peers::FuturesPool>($($argument),*),
        ]
    }};
}
pub(crate) use with_async_pools;

/// The same for every [`Pool`] that there is.
macro_rules! with_every_pool {
    ($function:ident($($argument:expr),*)) => {{
        use $crate::threads::pool::{with_async_pools, with_closure_pools};
        let mut all = with_closure_pools!($function($($argument),*));
        all.extend(with_async_pools!($function($($argument),*)));
        all
    }};
}
pub(crate) use with_every_pool;

/// Moves the workers of a pool to `processors`, by tasks that wait for each other: so each worker
/// runs one of them, even if it has to be started first.
pub(crate) fn keep_workers_on(pool: &impl Pool, processors: &[usize]) {
    // A pool that starts threads one by one may believe that one will do. Then it is asked again.
    let is_done = (0..50).any(|_| each_worker_moves(pool, processors));
    assert!(is_done, "one worker takes all tasks");
}

fn each_worker_moves(pool: &impl Pool, processors: &[usize]) -> bool {
    let arrived = Arc::new(AtomicUsize::new(0));
    let task = || {
        let (arrived, processors) = (Arc::clone(&arrived), processors.to_vec());
        move || {
            stay_on(&processors);
            arrived.fetch_add(1, Ordering::SeqCst);
            let begun = Instant::now();
            while arrived.load(Ordering::SeqCst) < WORKERS {
                if begun.elapsed() > Duration::from_millis(200) {
                    return 0;
                }
                thread::yield_now();
            }
            1
        }
    };
    let handles: Vec<_> = (0..WORKERS).map(|_| pool.submit(task())).collect();
    // So that no caller who helps is moved.
    while arrived.load(Ordering::SeqCst) < WORKERS {
        thread::yield_now();
    }
    handles.into_iter().map(Handle::result).min() == Some(1)
}

// ---- ours -----------------------------------------------------------------------------------

/// `ThreadPoolExecutor` of this project.
pub(crate) struct Ours(pub(crate) ThreadPoolExecutor);

impl Pool for Ours {
    const NAME: &'static str = "submit, result";
    const SIDE: Side = Side::Ours;

    fn new() -> Self {
        Ours(ThreadPoolExecutor::new(WORKERS).expect("it can be built"))
    }

    fn submit(&self, task: impl Task) -> impl Handle {
        self.0.spawn(task)
    }
}

impl ClosurePool for Ours {
    fn execute(&self, task: impl FnOnce() + Send + 'static) {
        drop(self.0.spawn(task));
    }
}

/// The same, and whoever waits for a task runs it if nobody has begun it.
pub(crate) struct Helping(ThreadPoolExecutor);

impl Pool for Helping {
    const NAME: &'static str = "submit, result, caller helps";
    const SIDE: Side = Side::Ours;

    fn new() -> Self {
        let builder = ThreadPoolExecutor::builder().max_workers(WORKERS).caller_helps(true);
        Helping(builder.build().expect("it can be built"))
    }

    fn submit(&self, task: impl Task) -> impl Handle {
        self.0.spawn(task)
    }
}

impl Handle for concurrent_futures::Future<u64> {
    fn result(self) -> u64 {
        concurrent_futures::Future::result(self).expect("no task fails")
    }
}

// ---- made by hand ---------------------------------------------------------------------------

type Job = Box<dyn FnOnce() + Send>;

/// What one writes without a pool: threads that take boxed closures from one channel, and a small
/// channel for each result.
pub(crate) struct HandMade {
    jobs: Option<crossbeam_channel::Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool for HandMade {
    const NAME: &'static str = "crossbeam-channel by hand";
    const SIDE: Side = Side::Reference;

    fn new() -> Self {
        let (sender, jobs) = crossbeam_channel::unbounded::<Job>();
        let work = |jobs: crossbeam_channel::Receiver<Job>| jobs.iter().for_each(|job| job());
        let spawn = |_| {
            let jobs = jobs.clone();
            thread::spawn(move || work(jobs))
        };
        HandMade { jobs: Some(sender), threads: (0..WORKERS).map(spawn).collect() }
    }

    fn submit(&self, task: impl Task) -> impl Handle {
        let (job, result) = sending(task);
        self.execute(job);
        result
    }
}

impl ClosurePool for HandMade {
    fn execute(&self, task: impl FnOnce() + Send + 'static) {
        let jobs = self.jobs.as_ref().expect("it is there until the drop");
        jobs.send(Box::new(task)).expect("the threads receive until the drop");
    }
}

impl Drop for HandMade {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            thread.join().expect("no task panics");
        }
    }
}

/// A task that sends its result, for a pool that only runs closures.
pub(crate) fn sending(task: impl Task) -> (impl FnOnce() + Send + 'static, oneshot::Receiver<u64>) {
    let (sender, receiver) = oneshot::channel();
    let job = move || sender.send(task()).expect("the result is waited for");
    (job, receiver)
}

impl Handle for oneshot::Receiver<u64> {
    fn result(self) -> u64 {
        self.recv().expect("the task runs")
    }
}
