//! Pools, and workers of theirs that are kept busy.

use super::{BOUND, Gate, eventually};
use concurrent_futures::{Future, ThreadPoolExecutor, ThreadPoolHandle};
use std::sync::mpsc::{self, Receiver, Sender};

/// A pool of so many threads.
pub(crate) fn pool(max_workers: usize) -> ThreadPoolExecutor {
    ThreadPoolExecutor::new(max_workers).expect("the number of workers is positive")
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

/// A task that has begun, and goes on when it is let go (or when this is dropped).
pub(crate) struct Occupied {
    /// Gives 0 when it is let go.
    pub(crate) future: Future<u32>,
    release: Sender<()>,
}

impl Occupied {
    /// Lets the task go on, and waits for it.
    pub(crate) fn release(self) {
        drop(self.release);
        assert_eq!(self.future.result().expect("it only waits"), 0);
    }
}

/// Keeps one worker of the pool busy, with a task of which there is a future.
pub(crate) fn occupy_one(pool: &ThreadPoolExecutor) -> Occupied {
    let (release, released) = mpsc::channel::<()>();
    let (future, has_begun) = begun(pool, move || {
        let _ = released.recv();
        0
    });
    has_begun.recv().expect("the task begins");
    Occupied { future, release }
}

/// A task, and what tells that it has begun.
pub(crate) fn begun<R: Send + 'static>(
    pool: &ThreadPoolExecutor,
    task: impl FnOnce() -> R + Send + 'static,
) -> (Future<R>, Receiver<()>) {
    let (begins, has_begun) = mpsc::channel();
    let future = pool.spawn(move || {
        begins.send(()).expect("the test waits for it");
        task()
    });
    (future, has_begun)
}
