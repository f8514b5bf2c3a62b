//! The harness: contestants do the same work in turns, every result is checked, and a table says how
//! they compare.
//!
//! All contestants of a workload live in one process at the same time, and each round runs every one
//! of them once, in an order that is shuffled anew. So whatever disturbs the machine disturbs all of
//! them, and medians of one table can be compared. Those of two runs cannot.

use crate::machine::processor_time;
use crate::options::Options;
use std::hash::{BuildHasher, RandomState};
use std::time::Instant;

/// Whose a contestant is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Ours,
    Peer,
    /// A point of reference: made by hand, or the least that the machine asks for.
    Reference,
}

/// What came out of a round.
pub(crate) struct Outcome {
    /// A checksum of the results.
    pub(crate) sum: u64,
    /// What one operation cost, in the unit of the workload; less is better.
    pub(crate) cost: f64,
}

/// One way to do a workload.
pub(crate) struct Contestant<'a> {
    pub(crate) name: String,
    side: Side,
    /// It does only this part of the operations of the others.
    part: u64,
    round: Box<dyn FnMut(u64) -> Outcome + 'a>,
}

impl<'a> Contestant<'a> {
    /// A contestant whose cost is the time of a round. `work` is told the number of operations, and
    /// gives a checksum of their results.
    pub(crate) fn new(
        side: Side,
        name: impl Into<String>,
        mut work: impl FnMut(u64) -> u64 + 'a,
    ) -> Self {
        Self::measuring(side, name, move |count| {
            let begun = Instant::now();
            let sum = work(count);
            Outcome { sum, cost: begun.elapsed().as_nanos() as f64 / count as f64 }
        })
    }

    /// A contestant that finds out itself what an operation costs.
    pub(crate) fn measuring(
        side: Side,
        name: impl Into<String>,
        round: impl FnMut(u64) -> Outcome + 'a,
    ) -> Self {
        Contestant { name: name.into(), side, part: 1, round: Box::new(round) }
    }

    /// For one that is so slow that a part of the operations shows as much.
    pub(crate) fn doing_one_in(mut self, part: u64) -> Self {
        self.part = part;
        self
    }
}

pub(crate) fn ours<'a>(
    name: impl Into<String>,
    work: impl FnMut(u64) -> u64 + 'a,
) -> Contestant<'a> {
    Contestant::new(Side::Ours, name, work)
}

pub(crate) fn peer<'a>(
    name: impl Into<String>,
    work: impl FnMut(u64) -> u64 + 'a,
) -> Contestant<'a> {
    Contestant::new(Side::Peer, name, work)
}

pub(crate) fn reference<'a>(
    name: impl Into<String>,
    work: impl FnMut(u64) -> u64 + 'a,
) -> Contestant<'a> {
    Contestant::new(Side::Reference, name, work)
}

/// The name of the row that speed-ups are counted from.
pub(crate) const ONE_THREAD: &str = "one thread";

/// What costs are counted in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Nanoseconds, which are shown as whatever fits.
    Time,
    Other(&'static str),
}

/// What the contestants of one table do.
pub(crate) struct Workload {
    /// What it is, and what one operation of it is.
    pub(crate) title: &'static str,
    pub(crate) unit: Unit,
    /// The number of operations in a round.
    pub(crate) count: u64,
    pub(crate) rounds: usize,
    /// The checksum of so many operations.
    pub(crate) expected: fn(u64) -> u64,
}

/// What a contestant has shown so far.
#[derive(Default)]
struct Shown {
    costs: Vec<f64>,
    processor_times: Vec<f64>,
}

/// One workload of the run.
pub(crate) struct Race<'a> {
    pub(crate) name: &'a str,
    pub(crate) options: &'a Options,
}

impl Race<'_> {
    /// The number of operations: less in a test.
    pub(crate) fn size(&self, full: u64, test: u64) -> u64 {
        if self.options.is_test { test } else { full }
    }

    /// Runs all rounds, and prints the table.
    ///
    /// # Panics
    ///
    /// If the result of a round is wrong.
    pub(crate) fn run(&self, workload: Workload, mut contestants: Vec<Contestant<'_>>) {
        let rounds = match self.options.rounds {
            _ if self.options.is_test => 0,
            Some(rounds) => rounds,
            None => workload.rounds,
        };
        let mut shown: Vec<Shown> = contestants.iter().map(|_| Shown::default()).collect();
        for round in 0..=rounds {
            for at in shuffled(contestants.len()) {
                let contestant = &mut contestants[at];
                let count = (workload.count / contestant.part).max(1);
                let processor = processor_time();
                let outcome = (contestant.round)(count);
                let processor = processor_time() - processor;
                let expected = (workload.expected)(count);
                assert_eq!(outcome.sum, expected, "{}: {}", self.name, contestant.name);
                // The first round warms up.
                if round > 0 {
                    shown[at].costs.push(outcome.cost);
                    shown[at].processor_times.push(processor.as_nanos() as f64 / count as f64);
                }
            }
        }
        if rounds == 0 {
            println!("{:5} {} contestants agree", self.name, contestants.len());
        } else {
            self.print(&workload, rounds, &contestants, shown);
        }
    }

    /// Says why there is no table.
    pub(crate) fn skip(&self, why: &str) {
        println!("{:5} skipped: {why}", self.name);
    }

    fn print(
        &self,
        workload: &Workload,
        rounds: usize,
        contestants: &[Contestant<'_>],
        shown: Vec<Shown>,
    ) {
        let mut rows: Vec<_> = contestants.iter().zip(shown).map(Row::new).collect();
        rows.sort_by(|one, other| one.cost.median.total_cmp(&other.cost.median));
        let median_of = |is: &dyn Fn(&Row<'_>) -> bool| {
            rows.iter().find(|row| is(row)).map(|row| row.cost.median)
        };
        let best_peer = median_of(&|row| row.contestant.side == Side::Peer);
        let alone = median_of(&|row| row.contestant.name == ONE_THREAD);
        let scale = match workload.unit {
            Unit::Time => Scale::of_time(rows[0].cost.median),
            Unit::Other(name) => Scale { name, divisor: 1.0 },
        };
        let is_time = workload.unit == Unit::Time;

        println!("\n{}  {} ({rounds} rounds of {})", self.name, workload.title, workload.count);
        let ratio = if best_peer.is_some() { ": best peer" } else { "" };
        let speed_up = if alone.is_some() { "speed-up" } else { "" };
        let processor = if is_time { "processor" } else { "" };
        let unit = scale.name;
        let width = rows.iter().map(|row| row.contestant.name.len()).max().unwrap_or_default();
        println!(
            "  {:width$} {unit:>10} {:>10} {:>10} {processor:>10} {ratio:>12} {speed_up:>9}",
            "", "min", "max"
        );
        for row in &rows {
            let mark = match row.contestant.side {
                Side::Ours => '*',
                Side::Peer => ' ',
                Side::Reference => '-',
            };
            let optional = |value: Option<f64>| value.map_or(String::new(), short);
            println!(
                "{mark} {:width$} {:>10} {:>10} {:>10} {:>10} {:>12} {:>9}",
                row.contestant.name,
                scale.show(row.cost.median),
                scale.show(row.cost.least),
                scale.show(row.cost.most),
                if is_time { scale.show(row.processor_time) } else { String::new() },
                optional(best_peer.map(|best| row.cost.median / best)),
                optional(alone.map(|alone| alone / row.cost.median)),
            );
        }
    }
}

/// A line of the table.
struct Row<'a> {
    contestant: &'a Contestant<'a>,
    cost: Spread,
    processor_time: f64,
}

impl<'a> Row<'a> {
    fn new((contestant, shown): (&'a Contestant<'a>, Shown)) -> Self {
        let processor_time = Spread::of(shown.processor_times).median;
        Row { contestant, cost: Spread::of(shown.costs), processor_time }
    }
}

struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Spread {
            median: values[values.len() / 2],
            least: values[0],
            most: values[values.len() - 1],
        }
    }
}

/// The unit of a table, and what to divide by.
struct Scale {
    name: &'static str,
    divisor: f64,
}

impl Scale {
    /// That in which the least time is not below one.
    fn of_time(nanoseconds: f64) -> Self {
        match nanoseconds {
            it if it < 1e3 => Scale { name: "ns", divisor: 1.0 },
            it if it < 1e6 => Scale { name: "µs", divisor: 1e3 },
            _ => Scale { name: "ms", divisor: 1e6 },
        }
    }

    fn show(&self, value: f64) -> String {
        short(value / self.divisor)
    }
}

/// A number with the digits that matter.
fn short(value: f64) -> String {
    match value.abs() {
        it if it < 0.1 => format!("{value:.3}"),
        it if it < 10.0 => format!("{value:.2}"),
        it if it < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// The numbers below `length`, in a random order.
fn shuffled(length: usize) -> Vec<usize> {
    let random = RandomState::new();
    let mut order: Vec<usize> = (0..length).collect();
    order.sort_by_key(|at| random.hash_one(at));
    order
}

/// One way to do work of any size, which says how many operations that was.
pub(crate) type Growing<'a, 'b> = (Side, &'static str, &'a mut (dyn FnMut(usize) -> usize + 'b));

/// Prints what one operation costs by the size of the work: so much for each, and no knee, if cost grows in
/// proportion. Contestants take turns; the median of their rounds is shown, in nanoseconds.
pub(crate) fn growth(
    race: &Race<'_>,
    title: &str,
    sizes: &[usize],
    contestants: &mut [Growing<'_, '_>],
) {
    /// How long the work of one size goes on, for each contestant, and how often at least and at most.
    const LIMIT: f64 = 400e6;
    const ROUNDS: std::ops::RangeInclusive<usize> = 7..=200;
    if !race.options.is_test {
        println!("\n{}  {title}", race.name);
        print!("{:>12}", "size");
        for (side, name, _) in contestants.iter() {
            let mark = if *side == Side::Ours { "* " } else { "" };
            print!(" {:>16}", format!("{mark}{name}"));
        }
        println!();
    }
    for &size in sizes {
        let mut costs = vec![Vec::new(); contestants.len()];
        let (least, most) = match race.options.rounds {
            _ if race.options.is_test => (1, 1),
            Some(rounds) => (rounds, rounds),
            None => (*ROUNDS.start(), *ROUNDS.end()),
        };
        let begun = Instant::now();
        // The first round warms up.
        for round in 0..=most {
            for at in shuffled(contestants.len()) {
                let begun = Instant::now();
                let operations = (contestants[at].2)(size);
                if round > 0 {
                    costs[at].push(begun.elapsed().as_nanos() as f64 / operations as f64);
                }
            }
            let spent = begun.elapsed().as_nanos() as f64;
            if round >= least && spent > LIMIT * contestants.len() as f64 {
                break;
            }
        }
        if !race.options.is_test {
            print!("{size:>12}");
            costs.into_iter().for_each(|it| print!(" {:>16}", short(Spread::of(it).median)));
            println!();
        }
    }
    if race.options.is_test {
        println!("{:5} {} contestants agree", race.name, contestants.len());
    }
}
