//! Tasks that borrow: a scope ends when all of its tasks have ended, so they may use what lives
//! around it. No clone, no `Arc`, no `'static`.
//!
//! ```text
//! cargo run --release --example scope
//! ```

use concurrent_futures::{TaskError, ThreadPoolExecutor, as_completed};
use std::collections::BTreeMap;
use std::error::Error;

const TEXT: &str = "\
Tyger Tyger, burning bright,
In the forests of the night;
What immortal hand or eye,
Could frame thy fearful symmetry?";

fn letters(line: &str) -> BTreeMap<char, u32> {
    let mut counts = BTreeMap::new();
    for letter in line.chars().filter(|letter| letter.is_alphabetic()) {
        *counts.entry(letter.to_ascii_lowercase()).or_default() += 1;
    }
    counts
}

fn main() -> Result<(), Box<dyn Error>> {
    let executor = ThreadPoolExecutor::new(4)?;

    println!("Reading what is borrowed: the letters of each line, counted by a task of its own");
    let text = String::from(TEXT);
    let totals = executor.scope(|scope| {
        let futures: Vec<_> =
            text.lines().zip(1..).map(|(line, n)| (n, scope.submit(letters, line))).collect();
        let mut totals = BTreeMap::new();
        for (_, future) in as_completed(futures) {
            for (letter, count) in future.result()? {
                *totals.entry(letter).or_default() += count;
            }
        }
        Ok::<_, TaskError>(totals)
    })?;
    let mut by_count: Vec<(char, u32)> = totals.into_iter().collect();
    by_count.sort_by_key(|(letter, count)| (u32::MAX - count, *letter));
    let best: Vec<_> = by_count.iter().take(6).map(|(it, count)| format!("{it} {count}")).collect();
    println!("  the most frequent: {}", best.join(", "));
    assert_eq!(by_count[0], ('t', 11));

    println!("\nWriting what is borrowed: each task has a row of its own");
    let mut table = vec![[0_u32; 9]; 4];
    executor.scope(|scope| {
        for (row, factor) in table.iter_mut().zip(6..) {
            scope.spawn(move || {
                for (cell, n) in row.iter_mut().zip(1..) {
                    *cell = factor * n;
                }
            });
        }
    });
    for row in &table {
        println!("  {}", row.map(|n| format!("{n:3}")).join(""));
    }
    assert_eq!(table[3], [9, 18, 27, 36, 45, 54, 63, 72, 81]);

    println!("\nLeaving early: an `Err` cancels what has not begun, and the rest is waited for");
    let lines: Vec<&str> = vec!["12", "34", "five", "6"];
    let sum = executor.try_scope(|scope| {
        let futures: Vec<_> =
            lines.iter().map(|line| scope.spawn(|| line.parse::<u32>())).collect();
        let mut sum = 0;
        for future in futures {
            sum += future.result()??;
        }
        Ok::<_, Box<dyn Error>>(sum)
    });
    let error = sum.unwrap_err();
    println!("  {error}");
    assert!(error.is::<std::num::ParseIntError>());
    Ok(())
}
