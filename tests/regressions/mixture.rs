//! Everything at once and over and over, at random.

use crate::common::{eventually, occupy, within};
use concurrent_futures::{
    Order, ReturnWhen, ThreadPoolExecutor, ThreadPoolHandle, WhenFull, as_completed,
    block_in_place, wait,
};
use std::sync::Arc;
use std::time::Duration;

/// How often a pool of a random kind is made, used and shut down.
const ROUNDS: u64 = 40;

/// Xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    fn size_below(&mut self, n: u64) -> usize {
        self.below(n) as usize
    }
}

/// A task that submits another, and so on, `depth` of them, and waits for it in one of many ways, or
/// not at all. Each of them keeps the token until its end.
fn nest(pool: &ThreadPoolHandle, depth: u64, way: u64, token: Arc<()>) -> u64 {
    if depth == 0 {
        return 1;
    }
    let (next, its_token) = (pool.clone(), Arc::clone(&token));
    let future = pool.spawn(move || nest(&next, depth - 1, way, its_token));
    match way {
        0 => future.result().unwrap_or(0),
        1 => match future.result_timeout(Duration::from_micros(50)) {
            Ok(result) => result.unwrap_or(0),
            Err(late) => late.pending.result().unwrap_or(0),
        },
        2 => block_in_place(|| future.result().unwrap_or(0)),
        3 => {
            future.cancel();
            future.result().unwrap_or(0)
        }
        4 => as_completed([future, pool.spawn(|| 2)]).count() as u64,
        5 => pool.then(future, |n| n + 1).result().unwrap_or(0),
        6 => pool.scope(|scope| {
            let one = scope.spawn(|| 1);
            drop(scope.spawn(|| ()));
            one.result().unwrap_or(0)
        }),
        _ => pool.map(|n: u64| n, 0..3).map(|result| result.unwrap_or(0)).sum(),
    }
}

/// A pool of a random kind, and the capacity of its queue if there is one.
fn random_pool(random: &mut Random) -> (ThreadPoolExecutor, Option<usize>) {
    let order = [Order::Fifo, Order::Lifo, Order::Priority][random.size_below(3)];
    let capacity = (random.below(2) == 0).then(|| 1 + random.size_below(4));
    let mut builder = ThreadPoolExecutor::builder().order(order);
    builder = builder.max_workers(1 + random.size_below(3));
    if random.below(2) == 0 {
        builder = builder.keep_alive(Duration::from_micros(random.below(500)));
    }
    if let Some(capacity) = capacity {
        builder = builder.queue_capacity(capacity, WhenFull::Block);
    }
    (builder.build().unwrap(), capacity)
}

/// What one of the threads does that use the pool at once.
fn use_at_random(executor: &ThreadPoolExecutor, random: &mut Random, token: &Arc<()>) {
    let mut kept = Vec::new();
    for _ in 0..200 {
        let handle = executor.handle();
        let (depth, way) = (random.below(4), random.below(8));
        let token = Arc::clone(token);
        let future = executor.spawn(move || nest(&handle, depth, way, token));
        match random.below(6) {
            0 => _ = future.cancel(),
            1 => executor.resize(1 + random.size_below(3)).unwrap(),
            2 => _ = future.result(),
            _ => kept.push(future),
        }
    }
    kept.into_iter().for_each(|future| _ = future.result());
}

/// With the only worker held, exactly as many tasks find room as the queue should have.
fn assert_whole(executor: &ThreadPoolExecutor, capacity: usize) {
    executor.resize(1).unwrap();
    let gate = occupy(executor, 1);
    eventually(|| executor.stats().workers == 1);
    let taken: Vec<_> =
        (0..2 * capacity).filter_map(|n| executor.try_submit(drop, n).ok()).collect();
    assert_eq!(taken.len(), capacity);
    gate.open();
    wait(taken, ReturnWhen::AllCompleted);
}

fn play(seed: u64) {
    let mut random = Random(seed);
    let (executor, capacity) = random_pool(&mut random);
    // Kept by every task, also by those whose futures are dropped: they go on.
    let token = Arc::new(());
    std::thread::scope(|scope| {
        for thread in 1..=3 {
            let mut random = Random(seed ^ (thread << 40) | 1);
            let executor = &executor;
            let token = &token;
            scope.spawn(move || use_at_random(executor, &mut random, token));
        }
    });
    eventually(|| Arc::strong_count(&token) == 1);
    eventually(|| {
        let stats = executor.stats();
        (stats.queued, stats.running) == (0, 0)
    });
    if let Some(capacity) = capacity {
        assert_whole(&executor, capacity);
    }
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| executor.shutdown(true, seed % 2 == 0));
        }
    });
    let stats = executor.stats();
    assert_eq!((stats.queued, stats.running, stats.workers), (0, 0, 0));
}

/// Three threads submit, cancel, resize and wait in all ways, also within tasks, while threads of
/// the pool come and go: room in the queue was lost, tasks were left lying, and counts went wrong.
#[test]
fn a_mixture_of_everything_leaves_nothing() {
    for round in 1..=ROUNDS {
        let seed = 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(round);
        println!("seed {seed:#x}");
        within(move || play(seed));
    }
}
