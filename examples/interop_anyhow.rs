//! Errors: `anyhow` and `?` on threads, an error type of one's own on processes.
//!
//! A task that returns a `Result` gives a future with two errors in each other: its own, and that of
//! the pool. `flatten` makes one of both. Between threads every error travels as it is. To another
//! process it has to be encoded, which `anyhow::Error` cannot be, and a type with `serde` can.
//!
//! ```text
//! cargo run --release --example interop_anyhow
//! ```

use anyhow::{Context, ensure};
use concurrent_futures::{ProcessPoolExecutor, TaskError, TaskOptions, ThreadPoolExecutor};
use serde::{Deserialize, Serialize};
use std::num::ParseFloatError;

/// The height of a peak, from a line of a table: `Eiger 3967`.
fn height(line: &str) -> anyhow::Result<f64> {
    let (name, metres) = line.rsplit_once(' ').context("no space in the line")?;
    let metres: f64 = metres.parse().with_context(|| format!("the height of {name}"))?;
    ensure!(metres < 9_000.0, "{name} would be the highest peak of all");
    Ok(metres)
}

/// What goes to a process and comes back: types that `serde` can encode.
#[derive(Serialize, Deserialize)]
struct Line {
    number: usize,
    text: String,
}

/// An error that keeps its type on the way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
enum LineError {
    #[error("line {0} is empty")]
    Empty(usize),
    #[error("line {number}: {reason}")]
    Unreadable { number: usize, reason: String },
}

fn height_in_process(line: Line) -> Result<f64, LineError> {
    let Line { number, text } = line;
    if text.is_empty() {
        return Err(LineError::Empty(number));
    }
    let unreadable =
        |error: anyhow::Error| LineError::Unreadable { number, reason: format!("{error:#}") };
    height(&text).map_err(unreadable)
}

/// One `?` for the error of the pool and that of the task.
fn highest(executor: &ThreadPoolExecutor, lines: [&'static str; 3]) -> anyhow::Result<f64> {
    let futures = lines.map(|line| {
        let named = executor.with(TaskOptions::new().label(line));
        named.submit(height, line).flatten()
    });
    let mut highest = 0.0;
    for future in futures {
        highest = future.result()?.max(highest);
    }
    Ok(highest)
}

fn main() -> anyhow::Result<()> {
    println!("On threads, errors of any type:");
    let threads = ThreadPoolExecutor::new(2)?;
    let metres = highest(&threads, ["Eiger 3967", "Mönch 4110", "Jungfrau 4158"])?;
    println!("  the highest of three is {metres} m high");
    assert_eq!(metres, 4158.0);
    for bad in ["Matterhorn", "Piz Bernina high", "Olympus Mons 21229"] {
        let error = highest(&threads, ["Eiger 3967", bad, "Jungfrau 4158"]).unwrap_err();
        println!("  {error}");
        let task_error: &TaskError = error.downcast_ref().context("an error of the pool's")?;
        assert_eq!(task_error.label(), Some(bad));
        if let Some(cause) = error.root_cause().downcast_ref::<ParseFloatError>() {
            println!("    and the cause of that: {cause}");
        }
    }

    println!("On processes, errors that can be encoded:");
    let processes = ProcessPoolExecutor::new(2)?;
    let lines = ["Eiger 3967", "", "Piz Bernina high"].map(str::to_owned);
    let lines = (1..).zip(lines).map(|(number, text)| Line { number, text });
    let futures: Vec<_> =
        lines.map(|line| processes.submit(height_in_process, line).flatten()).collect();
    let mut own_errors = Vec::new();
    for future in futures {
        match future.result() {
            Ok(metres) => println!("  {metres} m"),
            Err(error) => {
                println!("  {error}");
                own_errors.extend(error.failure::<LineError>().cloned());
            }
        }
    }
    let reason = "the height of Piz Bernina: invalid float literal".to_owned();
    assert_eq!(own_errors, [LineError::Empty(2), LineError::Unreadable { number: 3, reason }]);
    Ok(())
}
