//! Work that is worth two processors: T4 to T7.

use super::peers::Rayon;
use super::pool::{Handle, Ours, Pool, with_every_pool};
use crate::harness::{Contestant, ONE_THREAD, Race, Unit, Workload, ours, peer, reference};
use crate::work::{WORKERS, factors, fibonacci, in_any_order, is_prime};
use concurrent_futures::{ThreadPoolExecutor, ThreadPoolHandle};
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::ops::Range;

// ---- the same function for every number of a range ------------------------------------------

type Function = fn(u64) -> u64;

fn sum(function: Function, numbers: Range<u64>) -> u64 {
    in_any_order(numbers.map(|n| function(black_box(n))))
}

fn one_thread(function: Function, first: u64) -> Contestant<'static> {
    reference(ONE_THREAD, move |count| sum(function, first..first + count))
}

fn our_map(function: Function, first: u64) -> Contestant<'static> {
    let pool = Ours::new();
    ours("map", move |count| {
        let results = pool.0.map(function, first..first + count);
        in_any_order(results.map(|result| result.expect("no task fails")))
    })
}

fn par_iter(function: Function, first: u64) -> Contestant<'static> {
    let pool = Rayon::new();
    peer("rayon par_iter", move |count| {
        let numbers = first..first + count;
        let map_and_sum = || numbers.into_par_iter().map(function).reduce(|| 0, u64::wrapping_add);
        pool.0.install(map_and_sum)
    })
}

/// A range is halved and joined until few numbers are left.
fn halves(range: &Range<u64>, least: u64) -> Option<[Range<u64>; 2]> {
    let length = range.end - range.start;
    let middle = range.start + length / 2;
    (length > least).then_some([range.start..middle, middle..range.end])
}

fn chili_halves(function: Function, first: u64, least: u64) -> Contestant<'static> {
    fn go(scope: &mut chili::Scope<'_>, function: Function, range: Range<u64>, least: u64) -> u64 {
        let Some([low, high]) = halves(&range, least) else { return sum(function, range) };
        let (low, high) =
            scope.join(|it| go(it, function, low, least), |it| go(it, function, high, least));
        low.wrapping_add(high)
    }
    let pool = chili_pool();
    peer("chili join", move |count| go(&mut pool.scope(), function, first..first + count, least))
}

fn forte_halves(function: Function, first: u64, least: u64) -> Contestant<'static> {
    fn go(worker: &forte::Worker, function: Function, range: Range<u64>, least: u64) -> u64 {
        let Some([low, high]) = halves(&range, least) else { return sum(function, range) };
        let (low, high) =
            worker.join(|it| go(it, function, low, least), |it| go(it, function, high, least));
        low.wrapping_add(high)
    }
    let pool = Forte::new();
    peer("forte join", move |count| {
        pool.0.with_worker(|worker| go(worker, function, first..first + count, least))
    })
}

/// One submit for each piece of the range.
fn submitting<P: Pool>(function: Function, first: u64, piece: u64) -> Contestant<'static> {
    let pool = P::new();
    let name = if piece == 1 { P::NAME.to_owned() } else { format!("{}, {piece} a task", P::NAME) };
    Contestant::new(P::SIDE, name, move |count| {
        let end = first + count;
        let one = |start: u64| pool.submit(move || sum(function, start..end.min(start + piece)));
        let handles: Vec<_> = (first..end).step_by(piece as usize).map(one).collect();
        in_any_order(handles.into_iter().map(Handle::result))
    })
}

/// Everyone's way to do the same for each number from `first` on.
fn all_ways(function: Function, first: u64, piece: u64, least: u64) -> Vec<Contestant<'static>> {
    let mut contestants = with_every_pool!(submitting(function, first, piece));
    contestants.push(our_map(function, first));
    contestants.push(par_iter(function, first));
    contestants.push(chili_halves(function, first, least));
    contestants.push(forte_halves(function, first, least));
    contestants.push(one_thread(function, first));
    contestants
}

// ---- T4 -------------------------------------------------------------------------------------

fn prime(n: u64) -> u64 {
    u64::from(is_prime(n))
}

pub(crate) fn map(race: &Race<'_>) {
    let workload = Workload {
        title: "is_prime of each number from 0: map where there is one, else 1,000 a task",
        unit: Unit::Time,
        count: race.size(1_000_000, 10_000),
        rounds: 15,
        expected: |count| sum(prime, 0..count),
    };
    race.run(workload, all_ways(prime, 0, 1_000, 1_000));
}

// ---- T5 -------------------------------------------------------------------------------------

fn chili_pool() -> chili::ThreadPool {
    // The thread that calls `join` is one of the workers.
    let thread_count = NonZeroUsize::new(WORKERS);
    chili::ThreadPool::with_config(chili::Config { thread_count, ..Default::default() })
}

/// A pool of `forte`, which has to live for ever. So do its threads: this version hangs when it is
/// told to end them, and so the heart of the pool beats on until the table is done.
struct Forte(&'static forte::ThreadPool);

impl Forte {
    fn new() -> Self {
        let pool: &forte::ThreadPool = Box::leak(Box::new(forte::ThreadPool::new()));
        // The thread that calls `join` is one of the workers.
        pool.resize_to(WORKERS - 1);
        Forte(pool)
    }
}

/// With a pool that lives as long as the program, as one in a `static` does.
fn submitted_fibonacci(pool: &'static ThreadPoolHandle, n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let future = pool.spawn(move || submitted_fibonacci(pool, n - 1));
    let other = submitted_fibonacci(pool, n - 2);
    Handle::result(future) + other
}

/// With a handle for each task, whose counter the workers fetch from each other.
fn cloned_fibonacci(pool: &ThreadPoolHandle, n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let handle = pool.clone();
    let future = pool.spawn(move || cloned_fibonacci(&handle, n - 1));
    let other = cloned_fibonacci(pool, n - 2);
    Handle::result(future) + other
}

fn joined_fibonacci(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let join = concurrent_futures::join;
    let (one, other) = join(|| joined_fibonacci(n - 1), || joined_fibonacci(n - 2));
    one + other
}

fn rayon_fibonacci(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (one, other) = rayon::join(|| rayon_fibonacci(n - 1), || rayon_fibonacci(n - 2));
    one + other
}

fn chili_fibonacci(scope: &mut chili::Scope<'_>, n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (one, other) = scope.join(|it| chili_fibonacci(it, n - 1), |it| chili_fibonacci(it, n - 2));
    one + other
}

fn forte_fibonacci(worker: &forte::Worker, n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (one, other) =
        worker.join(|it| forte_fibonacci(it, n - 1), |it| forte_fibonacci(it, n - 2));
    one + other
}

/// The number whose Fibonacci number needs `additions` additions.
fn argument(additions: u64) -> u64 {
    (2..).find(|n| fibonacci(n + 1) - 1 == additions).expect("it is the number of some argument")
}

pub(crate) fn fork_join(race: &Race<'_>) {
    let n = race.size(28, 12);
    let workload = Workload {
        title: "recursive Fibonacci, a fork and a join for every addition",
        unit: Unit::Time,
        count: fibonacci(n + 1) - 1,
        rounds: 9,
        expected: |additions| fibonacci(argument(additions)),
    };
    let pool = Ours::new();
    let submitting = Ours::new();
    let lasting: &'static ThreadPoolHandle = Box::leak(Box::new(submitting.0.handle()));
    let rayon = Rayon::new();
    let chili = chili_pool();
    let forte = Forte::new();
    let joining = Ours::new();
    // The thread that calls `join` is one of the workers.
    let caller = ThreadPoolExecutor::new(WORKERS - 1).expect("it can be built");
    let contestants = vec![
        ours("join", move |_| {
            let (one, other) = caller.join(|| joined_fibonacci(n - 1), || joined_fibonacci(n - 2));
            one + other
        }),
        ours("join in a task", move |_| {
            Handle::result(joining.0.spawn(move || joined_fibonacci(n)))
        }),
        ours("submit, result", move |_| {
            Handle::result(lasting.spawn(move || submitted_fibonacci(lasting, n)))
        }),
        ours("submit, result, a handle for each", move |_| {
            let handle = pool.0.handle();
            Handle::result(pool.0.spawn(move || cloned_fibonacci(&handle, n)))
        }),
        peer("rayon join", move |_| rayon.0.install(|| rayon_fibonacci(n))),
        peer("chili join", move |_| chili_fibonacci(&mut chili.scope(), n)),
        peer("forte join", move |_| forte.0.with_worker(|worker| forte_fibonacci(worker, n))),
        reference(ONE_THREAD, move |_| fibonacci(n)),
    ];
    race.run(workload, contestants);
}

// ---- T6, T7 ---------------------------------------------------------------------------------

const FROM_10_TO_THE_13: u64 = 10_000_000_000_000;

pub(crate) fn primes(race: &Race<'_>) {
    let workload = Workload {
        title: "which of the numbers from 10^13 are prime, one submit each",
        unit: Unit::Time,
        count: race.size(500, 20),
        rounds: 15,
        expected: |count| sum(prime, FROM_10_TO_THE_13..FROM_10_TO_THE_13 + count),
    };
    race.run(workload, all_ways(prime, FROM_10_TO_THE_13, 1, 1));
}

pub(crate) fn factorise(race: &Race<'_>) {
    const FIRST: u64 = 10_000_000;
    let workload = Workload {
        title: "prime factors of the numbers from ten million, one submit each",
        unit: Unit::Time,
        count: race.size(10_000, 100),
        rounds: 15,
        expected: |count| sum(factors, FIRST..FIRST + count),
    };
    race.run(workload, all_ways(factors, FIRST, 1, 10));
}
