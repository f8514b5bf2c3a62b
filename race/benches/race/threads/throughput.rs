//! Many tiny tasks: T2, T3, T8 and T9.

use super::pool::{
    AsyncPool, ClosurePool, Handle, Ours, Pool, with_async_pools, with_closure_pools,
    with_every_pool,
};
use crate::harness::{
    Contestant, ONE_THREAD, Outcome, Race, Side, Unit, Workload, ours, reference,
};
use crate::machine::bytes_kept;
use crate::work::{in_any_order, in_order, tiny, tiny_in_any_order, tiny_in_order};
use concurrent_futures::as_completed;
use futures::executor::block_on_stream;
use futures::stream::FuturesUnordered;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

fn one_thread() -> Contestant<'static> {
    reference(ONE_THREAD, tiny_in_order)
}

// ---- T2 -------------------------------------------------------------------------------------

fn keeping_handles<P: Pool>() -> Contestant<'static> {
    let pool = P::new();
    Contestant::new(P::SIDE, P::NAME, move |count| {
        let handles: Vec<_> = (0..count).map(|n| pool.submit(move || tiny(n))).collect();
        in_order(handles.into_iter().map(Handle::result))
    })
}

pub(crate) fn handles_kept(race: &Race<'_>) {
    let workload = Workload {
        title: "many tiny tasks, all handles kept, results in order",
        unit: Unit::Time,
        count: race.size(1_000_000, 1_000),
        rounds: 7,
        expected: tiny_in_order,
    };
    let mut contestants = with_every_pool!(keeping_handles());
    let pool = Ours::new();
    contestants.push(ours("submit_all", move |count| {
        let futures = pool.0.submit_all(tiny, 0..count);
        in_order(futures.into_iter().map(Handle::result))
    }));
    contestants.push(one_thread());
    race.run(workload, contestants);
}

/// The bytes that a finished task and its handle hold.
fn holding<P: Pool>() -> Contestant<'static> {
    let pool = P::new();
    Contestant::measuring(P::SIDE, P::NAME, move |count| {
        let done = Arc::new(AtomicU64::new(0));
        let task = |n| {
            let done = Arc::clone(&done);
            move || {
                done.fetch_add(1, Ordering::SeqCst);
                tiny(n)
            }
        };
        let (handles, bytes) = bytes_kept(|| {
            let handles: Vec<_> = (0..count).map(|n| pool.submit(task(n))).collect();
            while done.load(Ordering::SeqCst) < count {
                thread::sleep(Duration::from_millis(1));
            }
            // The last ones have still to hand over their results.
            thread::sleep(Duration::from_millis(1));
            handles
        });
        // A growing `Vec` may have room to spare.
        let spare = (handles.capacity() - handles.len()) * size_of_val(&handles[0]);
        let sum = in_order(handles.into_iter().map(Handle::result));
        Outcome { sum, cost: (bytes as f64 - spare as f64) / count as f64 }
    })
}

pub(crate) fn bytes(race: &Race<'_>) {
    let workload = Workload {
        title: "what is held of a tiny task that is done: its handle, and what that refers to",
        unit: Unit::Other("bytes"),
        count: race.size(100_000, 1_000),
        rounds: 3,
        expected: tiny_in_order,
    };
    race.run(workload, with_every_pool!(holding()));
}

// ---- T3 -------------------------------------------------------------------------------------

/// The tasks that each task submits.
const INNER: u64 = 1_000;

fn submitting_inside<P: Pool>() -> Contestant<'static> {
    let pool = Arc::new(P::new());
    Contestant::new(P::SIDE, P::NAME, move |count| {
        // Not every pool can return handles as the result of a task, so they come through a channel.
        let (sender, submitted) = mpsc::channel::<Box<dyn FnOnce() -> u64 + Send>>();
        let outer = |first| {
            let (pool, sender) = (Arc::clone(&pool), sender.clone());
            move || {
                let inner = first..first + INNER;
                let handles: Vec<_> = inner.map(|n| pool.submit(move || tiny(n))).collect();
                let collect = move || in_any_order(handles.into_iter().map(Handle::result));
                sender.send(Box::new(collect)).expect("they are waited for");
                first
            }
        };
        let outer: Vec<_> =
            (0..count).step_by(INNER as usize).map(|first| pool.submit(outer(first))).collect();
        drop(sender);
        let inner = in_any_order(submitted.iter().map(|collect| collect()));
        outer.into_iter().map(Handle::result).fold(inner, u64::wrapping_add)
    })
}

pub(crate) fn from_inside(race: &Race<'_>) {
    let workload = Workload {
        title: "tasks that submit 1,000 tiny tasks each",
        unit: Unit::Time,
        count: race.size(500, 2) * INNER,
        rounds: 9,
        expected: |count| {
            let outer = (0..count).step_by(INNER as usize);
            in_any_order(outer.chain((0..count).map(tiny)))
        },
    };
    race.run(workload, with_every_pool!(submitting_inside()));
}

// ---- T8 -------------------------------------------------------------------------------------

/// No handles: all results come through one channel.
fn through_one_channel<P: ClosurePool>() -> Contestant<'static> {
    let pool = P::new();
    // Without its handles ours is only a point of reference.
    let side = if P::SIDE == Side::Ours { Side::Reference } else { P::SIDE };
    let name = if P::SIDE == Side::Ours { "ours" } else { P::NAME };
    Contestant::new(side, format!("{name}, one channel"), move |count| {
        let (sender, results) = mpsc::channel();
        for n in 0..count {
            let sender = sender.clone();
            pool.execute(move || sender.send((n, tiny(n))).expect("it is waited for"));
        }
        drop(sender);
        in_any_order(results.iter().map(|(n, result)| n ^ result))
    })
}

fn unordered<P: AsyncPool>() -> Contestant<'static> {
    let pool = P::new();
    Contestant::new(P::SIDE, format!("{}, unordered", P::NAME), move |count| {
        let futures: FuturesUnordered<_> = (0..count)
            .map(|n| {
                let future = pool.start(move || tiny(n));
                async move { n ^ future.await }
            })
            .collect();
        in_any_order(block_on_stream(futures))
    })
}

pub(crate) fn completion_order(race: &Race<'_>) {
    let workload = Workload {
        title: "many tiny tasks in the order of completion",
        unit: Unit::Time,
        count: race.size(100_000, 1_000),
        rounds: 15,
        expected: tiny_in_any_order,
    };
    let mut contestants = with_closure_pools!(through_one_channel());
    contestants.extend(with_async_pools!(unordered()));
    let pool = Ours::new();
    contestants.push(ours("submit, as_completed", move |count| {
        let futures: Vec<_> = (0..count).map(|n| (n, pool.0.submit(tiny, n))).collect();
        in_any_order(as_completed(futures).map(|(n, future)| n ^ Handle::result(future)))
    }));
    let pool = Ours::new();
    contestants.push(ours("submit_all, as_completed", move |count| {
        let futures = (0..count).zip(pool.0.submit_all(tiny, 0..count));
        in_any_order(as_completed(futures).map(|(n, future)| n ^ Handle::result(future)))
    }));
    contestants.push(reference(ONE_THREAD, tiny_in_any_order));
    race.run(workload, contestants);
}

// ---- T9 -------------------------------------------------------------------------------------

const SUBMITTERS: u64 = 4;

/// Each submitter has the numbers from its own on, in steps of as many as there are.
fn of_submitter(submitter: u64, count: u64) -> impl Iterator<Item = u64> {
    (submitter..count).step_by(SUBMITTERS as usize)
}

fn sum_of_submitters(of_one: impl Fn(u64) -> u64) -> u64 {
    in_any_order((0..SUBMITTERS).map(of_one))
}

fn many_submitters<P: Pool>() -> Contestant<'static> {
    let pool = P::new();
    Contestant::new(P::SIDE, P::NAME, move |count| {
        let submit_and_collect = |submitter| {
            let numbers = of_submitter(submitter, count);
            let handles: Vec<_> = numbers.map(|n| pool.submit(move || tiny(n))).collect();
            in_order(handles.into_iter().map(Handle::result))
        };
        thread::scope(|scope| {
            let submitters: Vec<_> = (0..SUBMITTERS)
                .map(|submitter| scope.spawn(move || submit_and_collect(submitter)))
                .collect();
            in_any_order(submitters.into_iter().map(|it| it.join().expect("it does not panic")))
        })
    })
}

pub(crate) fn four_submitters(race: &Race<'_>) {
    let workload = Workload {
        title: "four threads submit tiny tasks, and collect their results in order",
        unit: Unit::Time,
        count: race.size(1_000_000, 1_000),
        rounds: 7,
        expected: |count| {
            sum_of_submitters(|submitter| in_order(of_submitter(submitter, count).map(tiny)))
        },
    };
    race.run(workload, with_every_pool!(many_submitters()));
}
