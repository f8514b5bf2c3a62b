//! A live view of two executors in the terminal: what each worker is at, how fast it goes, what has failed.
//!
//! ```sh
//! cargo run --release --features monitor --example monitor             # for some seconds; q quits before
//! cargo run --release --features monitor --example monitor -- 300 60   # 300 threads, for a minute
//! ```
//!
//! Where there is no terminal, nothing is shown, and all else is the same.

use concurrent_futures::{
    Monitor, ProcessPoolExecutor, TaskOptions, ThreadPoolExecutor, Timeline, as_completed,
};
use std::error::Error;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Stands for a download; now and then the server is not there.
fn fetch(page: u64) -> u64 {
    sleep(Duration::from_millis(20 + page * 7919 % 400));
    assert!(page % 97 != 13, "page {page} is not there");
    page
}

/// Stands for work in code that crashes now and then.
fn parse(page: u64) -> u64 {
    sleep(Duration::from_millis(50 + page * 104_729 % 700));
    if page % 19 == 7 {
        std::process::abort();
    }
    page * page
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut numbers = std::env::args().skip(1).map(|it| it.parse());
    let threads = numbers.next().unwrap_or(Ok(6))? as usize;
    let limit = Duration::from_secs(numbers.next().unwrap_or(Ok(4))?);
    std::panic::set_hook(Box::new(|_| ()));

    let timeline = Timeline::new();
    let fetching = ThreadPoolExecutor::builder().max_workers(threads).thread_name_prefix("fetch");
    let fetching = fetching.timeline(&timeline).build()?;
    let parsing = ProcessPoolExecutor::builder().max_workers(3).timeline(&timeline).build()?;

    let view = Monitor::new().executor("fetch", &fetching).executor("parse", &parsing);
    let view = view.run_in_background()?;

    let begun = Instant::now();
    let (mut pages, mut parsed, mut lost) = (0.., 0, 0);
    while begun.elapsed() < limit {
        let named = |name: &str, page| TaskOptions::new().label(format!("{name} {page}"));
        let fetched: Vec<_> = pages
            .by_ref()
            .take(threads * 3)
            .map(|page| fetching.with(named("page", page)).submit(fetch, page))
            .collect();
        let texts: Vec<_> = as_completed(fetched)
            .filter_map(|future| future.result().ok())
            .take(6)
            .map(|page| parsing.with(named("text", page)).submit(parse, page))
            .collect();
        for text in texts {
            match text.result() {
                Ok(_) => parsed += 1,
                Err(error) => lost += usize::from(error.worker_death().is_some()),
            }
        }
    }
    view.close()?;

    let stats = fetching.stats();
    println!("{} pages fetched, {parsed} parsed, {lost} lost with a worker", stats.finished);
    assert!(stats.finished > 0 && parsed > 0);
    Ok(())
}
