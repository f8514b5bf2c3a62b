//! How long one task takes: T0, T1 and what an idle pool costs.

use super::peers::Blocking;
use super::pool::{Handle, Helping, Pool, keep_workers_on, with_every_pool};
use crate::harness::{Contestant, Outcome, Race, Side, Unit, Workload, reference};
use crate::machine::{Placement, processor_time, stay_on};
use crate::work::{in_order, tiny, tiny_in_order};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

// ---- T0 -------------------------------------------------------------------------------------

fn starting<P: Pool>() -> Contestant<'static> {
    let one = |n| P::new().submit(move || tiny(n)).result();
    Contestant::new(P::SIDE, P::NAME, move |count| in_order((0..count).map(one)))
}

pub(crate) fn start(race: &Race<'_>) {
    let workload = Workload {
        title: "create a pool of two, first result, drop",
        unit: Unit::Time,
        count: race.size(20, 2),
        rounds: 15,
        expected: tiny_in_order,
    };
    let mut contestants = with_every_pool!(starting());
    // Its pool is there already.
    contestants.retain(|it| it.name != Blocking::NAME);
    // Not a pool: a thread for every task.
    contestants.push(reference("std thread", |count| {
        let one = |n| thread::spawn(move || tiny(n)).join().expect("no task panics");
        in_order((0..count).map(one))
    }));
    race.run(workload, contestants);
}

// ---- T1 -------------------------------------------------------------------------------------

fn round_trip<P: Pool>(placement: &Placement) -> Contestant<'static> {
    let pool = P::new();
    keep_workers_on(&pool, &placement.workers);
    let one = move |n| pool.submit(move || tiny(n)).result();
    Contestant::new(P::SIDE, P::NAME, move |count| in_order((0..count).map(&one)))
}

/// What a hand-over costs if both sides sleep: a thread that is unparked, and unparks back.
fn park_and_unpark(placement: &Placement) -> Contestant<'static> {
    /// Odd while the other side has something to do; the number of the task, doubled.
    struct Ball {
        at: AtomicU64,
        result: AtomicU64,
    }
    const END: u64 = u64::MAX;

    struct Partner {
        ball: Arc<Ball>,
        thread: Option<thread::JoinHandle<()>>,
    }
    impl Drop for Partner {
        fn drop(&mut self) {
            self.ball.at.store(END, Ordering::SeqCst);
            let thread = self.thread.take().expect("only the drop takes it");
            thread.thread().unpark();
            thread.join().expect("it does not panic");
        }
    }

    let ball = Arc::new(Ball { at: AtomicU64::new(0), result: AtomicU64::new(0) });
    let (shared, workers) = (Arc::clone(&ball), placement.workers.clone());
    let submitter: Thread = thread::current();
    let answer = move || {
        stay_on(&workers);
        loop {
            match shared.at.load(Ordering::SeqCst) {
                END => return,
                at if at % 2 == 1 => {
                    shared.result.store(tiny(at / 2), Ordering::SeqCst);
                    shared.at.store(at + 1, Ordering::SeqCst);
                    submitter.unpark();
                }
                _ => thread::park(),
            }
        }
    };
    let partner = Partner { ball, thread: Some(thread::spawn(answer)) };
    reference("park and unpark", move |count| {
        let ball = &partner.ball;
        let other = partner.thread.as_ref().expect("it is there until the drop").thread();
        in_order((0..count).map(|n| {
            ball.at.store(2 * n + 1, Ordering::SeqCst);
            other.unpark();
            while ball.at.load(Ordering::SeqCst) == 2 * n + 1 {
                thread::park();
            }
            ball.result.load(Ordering::SeqCst)
        }))
    })
}

fn round_trips(race: &Race<'_>, title: &'static str, full: u64, placement: &Placement) {
    let workload = Workload {
        title,
        unit: Unit::Time,
        count: race.size(full, 20),
        rounds: 15,
        expected: tiny_in_order,
    };
    placement.run(|| {
        let mut contestants = with_every_pool!(round_trip(placement));
        contestants.push(round_trip::<Helping>(placement));
        contestants.push(park_and_unpark(placement));
        race.run(workload, contestants);
    });
}

pub(crate) fn one_processor(race: &Race<'_>) {
    let title = "submit and result, all threads on one processor";
    round_trips(race, title, 20_000, &Placement::together());
}

pub(crate) fn two_processors(race: &Race<'_>) {
    let title = "submit and result, submitter and workers apart";
    match Placement::apart() {
        Some(placement) => round_trips(race, title, 2_000, &placement),
        None => race.skip("there is only one processor"),
    }
}

pub(crate) fn free(race: &Race<'_>) {
    let title = "submit and result, threads placed by the system";
    round_trips(race, title, 5_000, &Placement::anywhere());
}

/// The median of round trips, each of which finds everybody asleep.
fn rare_round_trip<P: Pool>() -> Contestant<'static> {
    let pool = P::new();
    Contestant::measuring(P::SIDE, P::NAME, move |count| {
        let mut times = Vec::new();
        let results: Vec<u64> = (0..count)
            .map(|n| {
                thread::sleep(Duration::from_millis(1));
                let begun = Instant::now();
                let result = pool.submit(move || tiny(n)).result();
                times.push(begun.elapsed().as_nanos() as f64);
                result
            })
            .collect();
        times.sort_by(f64::total_cmp);
        Outcome { sum: in_order(results), cost: times[times.len() / 2] }
    })
}

pub(crate) fn after_silence(race: &Race<'_>) {
    let workload = Workload {
        title: "submit and result, after 1 ms of silence each (medians within the rounds)",
        unit: Unit::Time,
        count: race.size(100, 3),
        rounds: 9,
        expected: tiny_in_order,
    };
    let mut contestants = with_every_pool!(rare_round_trip());
    contestants.push(rare_round_trip::<Helping>());
    race.run(workload, contestants);
}

// ---- idle -----------------------------------------------------------------------------------

/// Sleeps, and then does `one`, again and again; the cost is the share of a processor that this
/// takes.
fn now_and_then(
    side: Side,
    name: &'static str,
    pause: Duration,
    one: impl Fn(u64) -> u64 + 'static,
) -> Contestant<'static> {
    Contestant::measuring(side, name, move |count| {
        let (begun, processor) = (Instant::now(), processor_time());
        let sum = in_order((0..count).map(|n| {
            thread::sleep(pause);
            one(n)
        }));
        let used = (processor_time() - processor).as_secs_f64();
        Outcome { sum, cost: 100.0 * used / begun.elapsed().as_secs_f64() }
    })
}

fn idling<P: Pool>(pause: Duration) -> Contestant<'static> {
    let pool = P::new();
    now_and_then(P::SIDE, P::NAME, pause, move |n| pool.submit(move || tiny(n)).result())
}

fn idle(race: &Race<'_>, title: &'static str, pause: Duration, full: u64) {
    let workload = Workload {
        title,
        unit: Unit::Other("% of one"),
        count: race.size(full, 2),
        rounds: 5,
        expected: tiny_in_order,
    };
    let mut contestants = with_every_pool!(idling(pause));
    contestants.push(idling::<Helping>(pause));
    contestants.push(now_and_then(Side::Reference, "only the pauses", pause, tiny));
    race.run(workload, contestants);
}

pub(crate) fn idle_for_1_ms(race: &Race<'_>) {
    let title = "processor time with one task each millisecond";
    idle(race, title, Duration::from_millis(1), 200);
}

pub(crate) fn idle_for_10_ms(race: &Race<'_>) {
    let title = "processor time with one task each 10 milliseconds";
    idle(race, title, Duration::from_millis(10), 30);
}
