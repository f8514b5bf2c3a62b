//! How the cost of a tiny task grows with the number of tasks, workers and submitters: G1, G2 and G4.

use super::peers::Rayon;
use super::pool::{HandMade, Handle, Ours, Pool, sending};
use crate::harness::{Race, Side, growth};
use crate::work::{in_order, tiny, tiny_in_order};
use concurrent_futures::ThreadPoolExecutor;
use std::thread;

fn sizes(race: &Race<'_>, all: &[usize], most_in_test: usize) -> Vec<usize> {
    let most = if race.options.is_test { most_in_test } else { usize::MAX };
    all.iter().copied().filter(|size| *size <= most).collect()
}

/// Tasks with these numbers, all handles kept, results in order.
fn tasks(pool: &impl Pool, numbers: impl Iterator<Item = u64>) -> u64 {
    let handles: Vec<_> = numbers.map(|n| pool.submit(move || tiny(n))).collect();
    in_order(handles.into_iter().map(Handle::result))
}

fn checked_tasks(pool: &impl Pool, count: usize) -> usize {
    assert_eq!(tasks(pool, 0..count as u64), tiny_in_order(count as u64));
    count
}

/// From ten tasks to ten million.
pub(crate) fn of_tasks(race: &Race<'_>) {
    let (ours, rayon, by_hand) = (Ours::new(), Rayon::new(), HandMade::new());
    growth(
        race,
        "cost of a tiny task, by the number of tasks whose handles are kept (ns)",
        &sizes(race, &[10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000], 1_000),
        &mut [
            (Side::Ours, Ours::NAME, &mut |count| checked_tasks(&ours, count)),
            (Side::Peer, Rayon::NAME, &mut |count| checked_tasks(&rayon, count)),
            (Side::Reference, "channel by hand", &mut |count| checked_tasks(&by_hand, count)),
        ],
    );
}

/// A pool that is made anew when another number of workers is asked for.
fn kept<P>(slot: &mut Option<(usize, P)>, workers: usize, new: impl FnOnce(usize) -> P) -> &P {
    if slot.as_ref().is_none_or(|(of, _)| *of != workers) {
        *slot = None;
        *slot = Some((workers, new(workers)));
    }
    &slot.as_ref().expect("it has just been filled").1
}

/// From one worker to 64, on as many processors as there are.
pub(crate) fn of_workers(race: &Race<'_>) {
    let count = race.size(100_000, 100);
    let (mut ours, mut rayon) = (None, None);
    growth(
        race,
        "cost of a tiny task, by the number of workers (ns)",
        &sizes(race, &[1, 2, 4, 8, 16, 32, 64], 4),
        &mut [
            (Side::Ours, Ours::NAME, &mut |workers| {
                let new = |workers| ThreadPoolExecutor::new(workers).expect("it can be built");
                let pool = kept(&mut ours, workers, new);
                let handles: Vec<_> = (0..count).map(|n| pool.submit(tiny, n)).collect();
                let sum = in_order(handles.into_iter().map(Handle::result));
                assert_eq!(sum, tiny_in_order(count));
                count as usize
            }),
            (Side::Peer, Rayon::NAME, &mut |workers| {
                let new = |workers| {
                    let builder = rayon::ThreadPoolBuilder::new().num_threads(workers);
                    builder.build().expect("it can be built")
                };
                let pool = kept(&mut rayon, workers, new);
                let submit = |n| {
                    let (job, result) = sending(move || tiny(n));
                    pool.spawn(job);
                    result
                };
                let handles: Vec<_> = (0..count).map(submit).collect();
                let sum = in_order(handles.into_iter().map(Handle::result));
                assert_eq!(sum, tiny_in_order(count));
                count as usize
            }),
        ],
    );
}

fn tasks_of_submitters(pool: &impl Pool, submitters: usize, count: u64) -> usize {
    thread::scope(|scope| {
        for submitter in 0..submitters as u64 {
            scope.spawn(move || {
                let numbers = || (submitter..count).step_by(submitters);
                assert_eq!(tasks(pool, numbers()), in_order(numbers().map(tiny)));
            });
        }
    });
    count as usize
}

/// From one submitter to 16.
pub(crate) fn of_submitters(race: &Race<'_>) {
    let count = race.size(160_000, 160);
    let (ours, rayon, by_hand) = (Ours::new(), Rayon::new(), HandMade::new());
    growth(
        race,
        "cost of a tiny task, by the number of threads that submit and wait (ns)",
        &sizes(race, &[1, 2, 4, 8, 16], 4),
        &mut [
            (Side::Ours, Ours::NAME, &mut |it| tasks_of_submitters(&ours, it, count)),
            (Side::Peer, Rayon::NAME, &mut |it| tasks_of_submitters(&rayon, it, count)),
            (Side::Reference, "channel by hand", &mut |it| {
                tasks_of_submitters(&by_hand, it, count)
            }),
        ],
    );
}
