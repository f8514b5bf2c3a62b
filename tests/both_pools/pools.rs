//! What the two pools have in common beyond the trait of executors, so that one text tests both.

use crate::common::{Address, BOUND, FarGate, FarLatch};
use concurrent_futures::{
    BuildError, Executor, Future, MapOptions, Order, Portable, ProcessPoolBuilder,
    ProcessPoolExecutor, ProcessPoolHandle, ShutdownReport, Stats, TaskError, TaskOptions,
    ThreadPoolBuilder, ThreadPoolExecutor, ThreadPoolHandle, TrySubmitError, WhenFull,
    cancellation_requested,
};
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::time::Duration;

/// An executor of either kind.
pub(crate) trait Pool:
    Executor + Deref<Target = Self::Handle> + Send + Sync + 'static
{
    type Handle: Handle;
    type Counting: Counting;

    fn built(setup: Setup) -> Self;

    fn new(workers: usize) -> Self
    where
        Self: Sized,
    {
        Self::built(Setup::new(workers))
    }

    fn handle(&self) -> Self::Handle;

    /// A pool that carries [`REQUEST`] from whoever submits to the task.
    fn carrying(workers: usize) -> Self;

    /// A pool whose workers each begin with this state.
    fn counting(workers: usize, first: Counter) -> Self::Counting;

    /// A pool whose initializer fails with these words.
    fn unlucky(workers: usize, words: String) -> Self::Counting;
}

/// What either pool is asked to do through its handle.
pub(crate) trait Handle: Executor + Clone + Send + Sync + 'static {
    fn with(&self, options: TaskOptions) -> Self;
    fn stats(&self) -> Stats;
    fn max_workers(&self) -> usize;
    fn resize(&self, workers: usize) -> Result<(), BuildError>;
    fn shutdown_timeout(&self, drain: Duration, grace: Duration) -> ShutdownReport;
    #[allow(clippy::type_complexity)] // The function, and its argument.
    fn try_submit<A: Portable, R: Portable>(
        &self,
        function: fn(A) -> R,
        argument: A,
    ) -> Result<Future<R>, TrySubmitError<fn(A) -> R, A>>;
    fn submit_all<A: Portable, R: Portable>(
        &self,
        function: fn(A) -> R,
        arguments: Vec<A>,
    ) -> Vec<Future<R>>;
    fn submit_retrying<A: Portable + Clone, R: Portable>(
        &self,
        retries: u32,
        function: fn(A) -> R,
        argument: A,
    ) -> Future<R>;
    fn try_call_retrying<A: Portable + Clone, R: Portable>(
        &self,
        retries: u32,
        function: fn(A) -> Result<R, String>,
        argument: A,
    ) -> Future<R>;
    fn spawn<R: Portable>(&self, function: fn() -> R) -> Future<R>;
    fn then<T: Portable, R: Portable>(&self, future: Future<T>, function: fn(T) -> R) -> Future<R>;
}

/// What a pool is built with.
pub(crate) struct Setup {
    pub(crate) workers: usize,
    pub(crate) queue: Option<(usize, WhenFull)>,
    pub(crate) order: Order,
    pub(crate) cancel_on_unwind: bool,
    #[allow(clippy::type_complexity)] // The hook.
    pub(crate) on_unobserved: Option<Box<dyn Fn(&TaskError) + Send + Sync>>,
}

impl Setup {
    pub(crate) fn new(workers: usize) -> Setup {
        Setup {
            workers,
            queue: None,
            order: Order::Fifo,
            cancel_on_unwind: true,
            on_unobserved: None,
        }
    }
}

macro_rules! set_up {
    ($builder:expr, $setup:ident) => {{
        let mut builder = $builder.max_workers($setup.workers).order($setup.order);
        if let Some((capacity, when_full)) = $setup.queue {
            builder = builder.queue_capacity(capacity, when_full);
        }
        if let Some(hook) = $setup.on_unobserved {
            builder = builder.on_unobserved_failure(hook);
        }
        builder.cancel_on_unwind($setup.cancel_on_unwind).build().unwrap()
    }};
}

/// The builder of a pool whose tasks have time enough to heed a request.
fn processes() -> ProcessPoolBuilder {
    ProcessPoolExecutor::builder().grace(BOUND)
}

fn threads() -> ThreadPoolBuilder {
    ThreadPoolExecutor::builder()
}

impl Pool for ThreadPoolExecutor {
    type Handle = ThreadPoolHandle;
    type Counting = ThreadPoolExecutor<Counter>;

    fn built(setup: Setup) -> Self {
        set_up!(threads(), setup)
    }

    fn handle(&self) -> ThreadPoolHandle {
        ThreadPoolExecutor::handle(self)
    }

    fn carrying(workers: usize) -> Self {
        threads().max_workers(workers).context(|| REQUEST.get(), within_request).build().unwrap()
    }

    fn counting(workers: usize, first: Counter) -> Self::Counting {
        let initializer = move || first.clone();
        let builder = threads().max_workers(workers).initializer(initializer);
        builder.finalizer(Counter::say_goodbye).build().unwrap()
    }

    fn unlucky(workers: usize, words: String) -> Self::Counting {
        let initializer = move || Err::<Counter, _>(words.clone());
        threads().max_workers(workers).try_initializer(initializer).build().unwrap()
    }
}

impl Pool for ProcessPoolExecutor {
    type Handle = ProcessPoolHandle;
    type Counting = ProcessPoolExecutor<Counter>;

    fn built(setup: Setup) -> Self {
        set_up!(processes(), setup)
    }

    fn handle(&self) -> ProcessPoolHandle {
        ProcessPoolExecutor::handle(self)
    }

    fn carrying(workers: usize) -> Self {
        processes().max_workers(workers).context(|| REQUEST.get(), within_request).build().unwrap()
    }

    fn counting(workers: usize, first: Counter) -> Self::Counting {
        let builder = processes().max_workers(workers).initializer(|first| first, first);
        builder.finalizer(Counter::say_goodbye).build().unwrap()
    }

    fn unlucky(workers: usize, words: String) -> Self::Counting {
        let initializer: fn(String) -> Result<Counter, String> = Err;
        processes().max_workers(workers).try_initializer(initializer, words).build().unwrap()
    }
}

macro_rules! handle {
    ($handle:ty) => {
        impl Handle for $handle {
            fn with(&self, options: TaskOptions) -> Self {
                self.with(options)
            }

            fn stats(&self) -> Stats {
                self.stats()
            }

            fn max_workers(&self) -> usize {
                self.max_workers()
            }

            fn resize(&self, workers: usize) -> Result<(), BuildError> {
                self.resize(workers)
            }

            fn shutdown_timeout(&self, drain: Duration, grace: Duration) -> ShutdownReport {
                self.shutdown_timeout(drain, grace)
            }

            fn try_submit<A: Portable, R: Portable>(
                &self,
                function: fn(A) -> R,
                argument: A,
            ) -> Result<Future<R>, TrySubmitError<fn(A) -> R, A>> {
                self.try_submit(function, argument)
            }

            fn submit_all<A: Portable, R: Portable>(
                &self,
                function: fn(A) -> R,
                arguments: Vec<A>,
            ) -> Vec<Future<R>> {
                self.submit_all(function, arguments)
            }

            fn submit_retrying<A: Portable + Clone, R: Portable>(
                &self,
                retries: u32,
                function: fn(A) -> R,
                argument: A,
            ) -> Future<R> {
                self.retrying(retries).submit(function, argument)
            }

            fn try_call_retrying<A: Portable + Clone, R: Portable>(
                &self,
                retries: u32,
                function: fn(A) -> Result<R, String>,
                argument: A,
            ) -> Future<R> {
                self.retrying(retries).try_call(function, argument)
            }

            fn spawn<R: Portable>(&self, function: fn() -> R) -> Future<R> {
                self.spawn(function)
            }

            fn then<T: Portable, R: Portable>(
                &self,
                future: Future<T>,
                function: fn(T) -> R,
            ) -> Future<R> {
                self.then(future, function)
            }
        }
    };
}

handle!(ThreadPoolHandle);
handle!(ProcessPoolHandle);

thread_local! {
    /// What a carrying pool carries.
    pub(crate) static REQUEST: Cell<u32> = const { Cell::new(0) };
}

fn within_request(request: u32, task: &mut dyn FnMut()) {
    let before = REQUEST.replace(request);
    task();
    REQUEST.set(before);
}

/// The state of a worker, which tells how far it has counted when it ends.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Counter {
    pub(crate) count: u32,
    pub(crate) farewell: Address,
}

impl Counter {
    fn add(&mut self, step: u32) -> u32 {
        self.count += step;
        self.count
    }

    fn say_goodbye(self) {
        self.farewell.send(&self.count.to_string());
    }
}

/// A pool with a counter in each worker.
pub(crate) trait Counting: Executor {
    fn count(&self, step: u32) -> Future<u32>;
}

impl Counting for ThreadPoolExecutor<Counter> {
    fn count(&self, step: u32) -> Future<u32> {
        self.submit_with_state(Counter::add, step)
    }
}

impl Counting for ProcessPoolExecutor<Counter> {
    fn count(&self, step: u32) -> Future<u32> {
        self.submit_with_state(Counter::add, step)
    }
}

pub(crate) fn items(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

/// One task for each item.
pub(crate) fn one_by_one() -> MapOptions {
    MapOptions::new().chunksize(items(1))
}

/// A task that waits at a gate.
pub(crate) fn pass(latch: FarLatch) {
    latch.pass();
}

/// A task that tells its number.
pub(crate) fn tell((address, number): (Address, u32)) -> u32 {
    address.send(&number.to_string());
    number
}

/// A task that goes on until it is asked to stop, and tells that it began and that it stops.
pub(crate) fn until_asked(address: Address) {
    address.send("begun");
    while !cancellation_requested() {
        std::thread::yield_now();
    }
    address.send("stopped");
}

/// Keeps so many workers at it until the gate is opened, and returns when they are.
pub(crate) fn occupy(executor: &impl Executor, workers: usize) -> (FarGate, Vec<Future<()>>) {
    let gate = FarGate::new();
    let futures = (0..workers).map(|_| executor.submit(pass, gate.latch())).collect();
    gate.await_arrivals(workers);
    (gate, futures)
}
