//! A large table that all worker processes read where it lies, and a progress counter that they
//! share: 60 questions to 4 million numbers.
//!
//! An argument is copied to the worker with every call. For a table that is the larger part of the
//! work, so here it is put into shared memory once, and a call carries a reference of some 20 bytes.
//!
//! ```text
//! cargo run --release --example shared_table
//! ```

use concurrent_futures::{ProcessPoolExecutor, SharedCounter, SharedData, TaskError};
use std::error::Error;
use std::time::{Duration, Instant};

const HEIGHTS: u32 = 4_000_000;
const QUESTIONS: u32 = 60;
/// So many of them are asked once more with a copy of the table each.
const COPIES: usize = 6;

/// A mountain path: the height above the sea after each metre.
fn path() -> Vec<f64> {
    let height = |metre: u32| {
        let x = f64::from(metre) / 1000.0;
        1500.0 + 700.0 * (x / 90.0).sin() + 120.0 * (x * 1.7).sin() + 15.0 * (x * 40.0).cos()
    };
    (0..HEIGHTS).map(height).collect()
}

/// How many steps of the path go from below this height to above it.
fn crossings(path: &[f64], height: f64) -> usize {
    path.windows(2).filter(|step| step[0] < height && step[1] >= height).count()
}

fn with_shared_path((path, done, height): (SharedData<f64>, SharedCounter, f64)) -> usize {
    let count = crossings(&path, height);
    done.add(1);
    count
}

fn with_copied_path((path, height): (Vec<f64>, f64)) -> usize {
    crossings(&path, height)
}

fn heights() -> impl Iterator<Item = f64> {
    (0..QUESTIONS).map(|n| 700.0 + 25.0 * f64::from(n))
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = path();
    let megabytes = size_of_val(&*path) / 1_000_000;
    println!("{QUESTIONS} questions to a table of {megabytes} MB, each in another process:");
    let executor = ProcessPoolExecutor::builder().start_all().build()?;
    executor.submit(|()| (), ()).result()?; // The workers have started.

    let begun = Instant::now();
    let table = SharedData::new(&path)?;
    let done = SharedCounter::new()?;
    let futures: Vec<_> = heights()
        .map(|height| executor.submit(with_shared_path, (table.clone(), done.clone(), height)))
        .collect();
    drop(table); // The calls keep it until they are over.
    while futures.iter().any(|it| !it.done()) {
        std::thread::sleep(Duration::from_millis(50));
        println!("  {:2} of {QUESTIONS} answered, as the workers have counted", done.get());
    }
    assert_eq!(done.get(), u64::from(QUESTIONS));
    let answers: Result<Vec<usize>, TaskError> =
        futures.into_iter().map(|it| it.result()).collect();
    let (answers, shared) = (answers?, begun.elapsed());

    let begun = Instant::now();
    let few = heights().take(COPIES).map(|height| (path.clone(), height));
    let copied: Result<Vec<usize>, TaskError> = executor.map(with_copied_path, few).collect();
    assert_eq!(copied?, answers[..COPIES]);
    let copied = begun.elapsed();

    let expected: Vec<usize> = heights().map(|height| crossings(&path, height)).collect();
    assert_eq!(answers, expected);
    let (most, height) = answers.iter().zip(heights()).max_by_key(|it| it.0).ok_or("no answers")?;
    println!("The path climbs past {height} m most often: {most} times.");
    let (each, each_copied) = (shared / QUESTIONS, copied / COPIES as u32);
    println!("{each:.1?} for each call with the table shared, {each_copied:.1?} with a copy.");
    Ok(())
}
