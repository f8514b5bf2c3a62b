//! The same program on threads or on processes: the user of the program chooses.
//!
//! ```text
//! cargo run --release --example any_executor -- threads:4
//! cargo run --release --example any_executor -- processes:4
//! ```

use concurrent_futures::{AnyExecutor, Executor, TaskError};
use serde::{Deserialize, Serialize};
use std::error::Error;

#[derive(Serialize, Deserialize)]
struct Text {
    title: String,
    body: String,
}

#[derive(Serialize, Deserialize)]
struct Statistics {
    title: String,
    words: usize,
    longest: String,
    process: u32,
}

fn analyse(text: Text) -> Statistics {
    let longest = text.body.split_whitespace().max_by_key(|word| word.len()).unwrap_or_default();
    Statistics {
        words: text.body.split_whitespace().count(),
        longest: longest.to_owned(),
        process: std::process::id(),
        title: text.title,
    }
}

/// Knows nothing of threads or processes.
fn analyse_all(executor: &impl Executor, texts: Vec<Text>) -> Result<Vec<Statistics>, TaskError> {
    executor.map(analyse, texts).collect()
}

fn texts() -> Vec<Text> {
    [
        ("primes", "a number that is divisible by itself and one only"),
        ("threads", "several paths of execution through one program"),
        ("processes", "programs that the operating system keeps apart"),
    ]
    .map(|(title, body)| Text { title: title.to_owned(), body: body.to_owned() })
    .into()
}

fn main() -> Result<(), Box<dyn Error>> {
    let chosen: Vec<String> = match std::env::args().nth(1) {
        Some(kind) => vec![kind],
        None => vec!["threads:2".to_owned(), "processes:2".to_owned()],
    };
    for kind in chosen {
        let executor: AnyExecutor = kind.parse()?;
        println!("{kind} (the program is process {})", std::process::id());
        let all = analyse_all(&executor, texts())?;
        for Statistics { title, words, longest, process } in &all {
            println!("  {title:10} {words} words, the longest is {longest} (process {process})");
        }
        assert_eq!(all.iter().map(|it| it.words).collect::<Vec<_>>(), [10, 7, 7]);
    }
    Ok(())
}
