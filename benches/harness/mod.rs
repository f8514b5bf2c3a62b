//! Runs the rows of a workload in turns, checks their results, and prints medians and ratios.

#![allow(dead_code)] // Each bench uses its part.

use std::thread;
use std::time::Instant;

/// One way to do a workload. It gives a checksum.
pub(crate) struct Row<'a> {
    name: &'static str,
    work: Box<dyn FnMut() -> u64 + 'a>,
}

pub(crate) fn row<'a>(name: &'static str, work: impl FnMut() -> u64 + 'a) -> Row<'a> {
    Row { name, work: Box::new(work) }
}

pub(crate) const HAND_MADE: &str = "hand-made";
pub(crate) const ONE_THREAD: &str = "one thread";

const HEADING: &str = "\
way              ns each         (min to max)      M/s   speed : hand-made      : one thread";

pub(crate) struct Bench {
    /// Only checks the results.
    pub(crate) is_test: bool,
    filter: String,
    pub(crate) workers: usize,
}

impl Bench {
    pub(crate) fn from_arguments() -> Self {
        // `cargo bench` says `--bench`; `cargo test --benches` says nothing.
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
        let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
        Bench {
            is_test: has("--test") || !has("--bench"),
            filter: filter.cloned().unwrap_or_default(),
            workers: thread::available_parallelism().map_or(2, usize::from),
        }
    }

    pub(crate) fn size(&self, full: u64, test: u64) -> u64 {
        if self.is_test { test } else { full }
    }

    pub(crate) fn run(&self, name: &str, operations: u64, rounds: usize, mut rows: Vec<Row<'_>>) {
        if !name.contains(&self.filter) {
            return;
        }
        let expected: Vec<u64> = rows.iter_mut().map(|row| (row.work)()).collect(); // A warm-up.
        assert!(expected.iter().all(|sum| *sum == expected[0]), "{name}: {expected:?}");
        if self.is_test {
            println!("{name}: ok");
            return;
        }
        let mut times = vec![Vec::new(); rows.len()];
        for _ in 0..rounds {
            for (row, times) in rows.iter_mut().zip(&mut times) {
                let begun = Instant::now();
                let sum = (row.work)();
                times.push(begun.elapsed().as_nanos() as f64 / operations as f64);
                assert_eq!(sum, expected[0], "{name}, {}", row.name);
            }
        }
        println!("\n{name} ({operations} in each of {rounds} rounds)");
        println!("  {HEADING}");
        let times_of = |name| rows.iter().position(|row| row.name == name).map(|at| &times[at]);
        for (row, own) in rows.iter().zip(&times) {
            let (median, least, most) = spread(own.clone());
            let ratio = |base: Option<&Vec<f64>>| match base {
                Some(base) => {
                    let ratios = base.iter().zip(own).map(|(base, own)| base / own);
                    let (median, least, most) = spread(ratios.collect());
                    format!("{} ({} to {})", short(median), short(least), short(most))
                }
                None => "–".to_owned(),
            };
            println!(
                "  {:14} {median:>9.1} {:>20} {:>8.2}   {:22} {}",
                row.name,
                format!("({least:.1} to {most:.1})"),
                1e3 / median,
                ratio(times_of(HAND_MADE)),
                ratio(times_of(ONE_THREAD)),
            );
        }
    }
}

/// A ratio with the digits that matter.
pub(crate) fn short(ratio: f64) -> String {
    match ratio {
        ratio if ratio < 0.1 => format!("{ratio:.4}"),
        ratio if ratio < 100.0 => format!("{ratio:.2}"),
        ratio => format!("{ratio:.0}"),
    }
}

/// Median, smallest and largest.
pub(crate) fn spread(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    (values[values.len() / 2], values[0], values[values.len() - 1])
}
