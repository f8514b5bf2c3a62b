//! The pools of others. Those that give no handle get the smallest channel there is, `oneshot`.

use super::pool::{AsyncPool, ClosurePool, Handle, Pool, Task, sending};
use crate::work::WORKERS;
use executors::Executor as _;
use executors::crossbeam_workstealing_pool::small_pool;
use executors::parker::{SmallThreadData, StaticParker};
use futures::executor::block_on;
use futures::task::SpawnExt as _;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A future that is waited for by blocking.
struct Blocked<F>(F);

impl<F: Future<Output = u64> + Send + 'static> Handle for Blocked<F> {
    fn result(self) -> u64 {
        block_on(self.0)
    }
}

// ---- pools that only run closures -----------------------------------------------------------

macro_rules! submit_by_sending {
    () => {
        fn submit(&self, task: impl Task) -> impl Handle {
            let (job, result) = sending(task);
            self.execute(job);
            result
        }
    };
}

pub(crate) struct Rayon(pub(crate) rayon::ThreadPool);

impl Pool for Rayon {
    const NAME: &'static str = "rayon";

    fn new() -> Self {
        let builder = rayon::ThreadPoolBuilder::new().num_threads(WORKERS);
        Rayon(builder.build().expect("it can be built"))
    }

    submit_by_sending!();
}

impl ClosurePool for Rayon {
    fn execute(&self, task: impl FnOnce() + Send + 'static) {
        self.0.spawn(task);
    }
}

pub(crate) struct ThreadPool(threadpool::ThreadPool);

impl Pool for ThreadPool {
    const NAME: &'static str = "threadpool";

    fn new() -> Self {
        ThreadPool(threadpool::ThreadPool::new(WORKERS))
    }

    submit_by_sending!();
}

impl ClosurePool for ThreadPool {
    fn execute(&self, task: impl FnOnce() + Send + 'static) {
        self.0.execute(task);
    }
}

pub(crate) struct ExecutorsChannel(executors::crossbeam_channel_pool::ThreadPool);

impl Pool for ExecutorsChannel {
    const NAME: &'static str = "executors channel";

    fn new() -> Self {
        ExecutorsChannel(executors::crossbeam_channel_pool::ThreadPool::new(WORKERS))
    }

    submit_by_sending!();
}

impl ClosurePool for ExecutorsChannel {
    fn execute(&self, task: impl FnOnce() + Send + 'static) {
        self.0.execute(task);
    }
}

impl Drop for ExecutorsChannel {
    fn drop(&mut self) {
        self.0.shutdown_borrowed().expect("it shuts down");
    }
}

pub(crate) struct ExecutorsStealing(
    executors::crossbeam_workstealing_pool::ThreadPool<StaticParker<SmallThreadData>>,
);

impl Pool for ExecutorsStealing {
    const NAME: &'static str = "executors workstealing";

    fn new() -> Self {
        ExecutorsStealing(small_pool(WORKERS))
    }

    submit_by_sending!();
}

impl ClosurePool for ExecutorsStealing {
    fn execute(&self, task: impl FnOnce() + Send + 'static) {
        self.0.execute(task);
    }
}

impl Drop for ExecutorsStealing {
    fn drop(&mut self) {
        self.0.shutdown_borrowed().expect("it shuts down");
    }
}

// ---- pools with handles ---------------------------------------------------------------------

pub(crate) struct RustyPool(rusty_pool::ThreadPool);

impl Pool for RustyPool {
    const NAME: &'static str = "rusty_pool";

    fn new() -> Self {
        RustyPool(rusty_pool::ThreadPool::new(WORKERS, WORKERS, Duration::from_secs(60)))
    }

    fn submit(&self, task: impl Task) -> impl Handle {
        self.0.evaluate(task)
    }
}

impl ClosurePool for RustyPool {
    fn execute(&self, task: impl FnOnce() + Send + 'static) {
        self.0.execute(task);
    }
}

impl Handle for rusty_pool::JoinHandle<u64> {
    fn result(self) -> u64 {
        self.await_complete()
    }
}

macro_rules! submit_by_start {
    () => {
        fn submit(&self, task: impl Task) -> impl Handle {
            Blocked(self.start(task))
        }
    };
}

pub(crate) struct AffinityPool(affinitypool::Threadpool);

impl Pool for AffinityPool {
    const NAME: &'static str = "affinitypool";

    fn new() -> Self {
        AffinityPool(affinitypool::Threadpool::new(WORKERS))
    }

    submit_by_start!();
}

impl AsyncPool for AffinityPool {
    fn start(&self, task: impl Task) -> impl Future<Output = u64> + Send + 'static {
        self.0.spawn(task)
    }
}

/// Tokio's own threads, and tasks that do not block.
pub(crate) struct TokioSpawn(pub(crate) tokio::runtime::Runtime);

fn tokio_runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let builder = builder.worker_threads(WORKERS).max_blocking_threads(WORKERS);
    builder.build().expect("it can be built")
}

impl Pool for TokioSpawn {
    const NAME: &'static str = "tokio spawn";

    fn new() -> Self {
        TokioSpawn(tokio_runtime())
    }

    submit_by_start!();
}

impl AsyncPool for TokioSpawn {
    fn start(&self, task: impl Task) -> impl Future<Output = u64> + Send + 'static {
        let handle = self.0.spawn(async { task() });
        async { handle.await.expect("no task fails") }
    }
}

/// Tokio's threads for calls that block.
pub(crate) struct TokioBlocking(tokio::runtime::Runtime);

impl Pool for TokioBlocking {
    const NAME: &'static str = "tokio spawn_blocking";

    fn new() -> Self {
        TokioBlocking(tokio_runtime())
    }

    submit_by_start!();
}

impl AsyncPool for TokioBlocking {
    fn start(&self, task: impl Task) -> impl Future<Output = u64> + Send + 'static {
        let handle = self.0.spawn_blocking(task);
        async { handle.await.expect("no task fails") }
    }
}

/// `async-executor`, run by threads that are made here.
pub(crate) struct AsyncExecutor {
    executor: Arc<async_executor::Executor<'static>>,
    stop: Vec<oneshot::Sender<()>>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool for AsyncExecutor {
    const NAME: &'static str = "async-executor";

    fn new() -> Self {
        let executor = Arc::new(async_executor::Executor::new());
        let start = |_| {
            let (stop, stopped) = oneshot::channel::<()>();
            let executor = Arc::clone(&executor);
            let run = move || {
                // It stops when the sender is gone.
                let _ = block_on(executor.run(stopped.into_future()));
            };
            (stop, thread::spawn(run))
        };
        let (stop, threads) = (0..WORKERS).map(start).unzip();
        AsyncExecutor { executor, stop, threads }
    }

    submit_by_start!();
}

impl AsyncPool for AsyncExecutor {
    fn start(&self, task: impl Task) -> impl Future<Output = u64> + Send + 'static {
        self.executor.spawn(async { task() })
    }
}

impl Drop for AsyncExecutor {
    fn drop(&mut self) {
        self.stop.clear();
        for thread in self.threads.drain(..) {
            thread.join().expect("no task panics");
        }
    }
}

/// The one pool of the crate `blocking`.
pub(crate) struct Blocking;

/// Gives the pools that a program has only once as many threads as the others have. To be called
/// before they are used.
pub(crate) fn limit_global_pool() {
    let workers = NonZeroUsize::new(WORKERS).expect("there are some");
    blocking::set_max_blocking_threads(workers);
}

impl Pool for Blocking {
    const NAME: &'static str = "blocking";

    fn new() -> Self {
        Blocking
    }

    submit_by_start!();
}

impl AsyncPool for Blocking {
    fn start(&self, task: impl Task) -> impl Future<Output = u64> + Send + 'static {
        blocking::unblock(task)
    }
}

/// The pool of `futures`.
pub(crate) struct FuturesPool(futures::executor::ThreadPool);

impl Pool for FuturesPool {
    const NAME: &'static str = "futures ThreadPool";

    fn new() -> Self {
        let mut builder = futures::executor::ThreadPool::builder();
        FuturesPool(builder.pool_size(WORKERS).create().expect("it can be built"))
    }

    submit_by_start!();
}

impl AsyncPool for FuturesPool {
    fn start(&self, task: impl Task) -> impl Future<Output = u64> + Send + 'static {
        self.0.spawn_with_handle(async { task() }).expect("it runs until the drop")
    }
}
