//! One problem, four programs side by side: texts that have to be fetched, then counted, then put
//! together. One after the other, on threads, on processes, and in async code.
//!
//! The functions are the same, and know nothing of how they are called. On a pool `then` leads from
//! one step to the next, in async code it is `.await`; so each text goes on as soon as it can.
//!
//! ```text
//! cargo run --release --example pipeline
//! ```

use concurrent_futures::{AnyExecutor, TaskError, ThreadPoolExecutor};
use futures::executor::block_on;
use futures::future::try_join_all;
use std::collections::BTreeMap;
use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

const TEXTS: usize = 24;
const LENGTH: usize = 20_000;
const WORKERS: usize = 8;

type Counts = BTreeMap<String, usize>;

/// Waits, as for an answer from afar, and gives a text.
fn fetch(number: usize) -> String {
    thread::sleep(Duration::from_millis(20));
    let words = ["never", "odd", "or", "even", "no", "lemon"];
    let text: Vec<_> = (0..LENGTH).map(|n| words[n * number % words.len()]).collect();
    text.join(" ")
}

/// How often each word is in the text.
fn count(text: String) -> Counts {
    let mut counts = Counts::new();
    for word in text.split(' ') {
        *counts.entry(word.to_owned()).or_default() += 1;
    }
    counts
}

/// The counts of all texts together.
fn combine(all: impl IntoIterator<Item = Counts>) -> Counts {
    let mut total = Counts::new();
    for (word, count) in all.into_iter().flatten() {
        *total.entry(word).or_default() += count;
    }
    total
}

fn one_after_the_other() -> Counts {
    combine((0..TEXTS).map(|number| count(fetch(number))))
}

/// On threads or on processes: the text says which.
fn on_pool(kind: &str) -> Result<Counts, Box<dyn Error>> {
    let executor: AnyExecutor = format!("{kind}:{WORKERS}").parse()?;
    let texts = executor.submit_all(fetch, 0..TEXTS);
    let counts: Vec<_> = texts.into_iter().map(|text| executor.then(text, count)).collect();
    let counts: Result<Vec<_>, TaskError> = counts.into_iter().map(|it| it.result()).collect();
    Ok(combine(counts?))
}

/// In async code, which must not block: what blocks or computes is awaited from a pool.
async fn in_async_code() -> Result<Counts, Box<dyn Error>> {
    let executor = &ThreadPoolExecutor::new(WORKERS)?;
    let counts = (0..TEXTS).map(|number| async move {
        let text = executor.submit(fetch, number).await?;
        executor.submit(count, text).await
    });
    Ok(combine(try_join_all(counts).await?))
}

/// Runs one of the programs and tells how long it took.
fn report(
    name: &str,
    run: impl FnOnce() -> Result<Counts, Box<dyn Error>>,
) -> Result<Counts, Box<dyn Error>> {
    let begun = Instant::now();
    let counts = run()?;
    println!("  {name:20} {:>4} ms", begun.elapsed().as_millis());
    Ok(counts)
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("The words of {TEXTS} texts, with {WORKERS} workers:");
    let expected = report("one after the other", || Ok(one_after_the_other()))?;
    let threads = report("on threads", || on_pool("threads"))?;
    let processes = report("on processes", || on_pool("processes"))?;
    let in_async_code = report("in async code", || block_on(in_async_code()))?;
    for counts in [threads, processes, in_async_code] {
        assert_eq!(counts, expected);
    }
    let words: Vec<_> = expected.iter().map(|(word, count)| format!("{word} {count}")).collect();
    println!("The same in all four: {}.", words.join(", "));
    assert_eq!(expected.values().sum::<usize>(), TEXTS * LENGTH);
    Ok(())
}
