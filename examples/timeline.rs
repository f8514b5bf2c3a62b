//! What did the workers do all the time? A timeline of two executors, drawn as a picture and saved as a trace.
//!
//! ```sh
//! cargo run --release --example timeline            # writes into the directory for temporary files
//! cargo run --release --example timeline -- .       # writes here
//! ```
//!
//! Open `timeline.svg` in a browser, and `timeline.json` in <https://ui.perfetto.dev>.

use concurrent_futures::{
    Ending, ProcessPoolExecutor, TaskOptions, ThreadPoolExecutor, Timeline, cancellation_requested,
};
use std::error::Error;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

/// Stands for a download that takes so long.
fn fetch(milliseconds: u64) -> u64 {
    sleep(Duration::from_millis(milliseconds));
    milliseconds
}

/// Stands for work on what was downloaded, some of which is bad.
fn parse(page: u64) -> u64 {
    sleep(Duration::from_millis(20 + page * 37 % 60));
    match page {
        5 => std::process::abort(),
        9 => panic!("page 9 makes no sense"),
        page => page * page,
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let timeline = Timeline::new();

    let threads = ThreadPoolExecutor::builder().max_workers(4).thread_name_prefix("fetch");
    let threads = threads.timeline(&timeline).build()?;
    let processes = ProcessPoolExecutor::builder().max_workers(3).timeline(&timeline).build()?;
    let named = |name: &str, page: u64| TaskOptions::new().label(format!("{name} {page}"));

    let fetched: Vec<_> = (0..12)
        .map(|page| threads.with(named("page", page)).submit(fetch, 10 + page * 29 % 50))
        .collect();
    let parsed: Vec<_> =
        (0..12).map(|page| processes.with(named("parse", page)).submit(parse, page)).collect();
    let limit = TaskOptions::new().label("too slow").timeout(Duration::from_millis(40));
    let slow = threads.with(limit).spawn(|| {
        while !cancellation_requested() {
            sleep(Duration::from_millis(1));
        }
    });
    let unwanted = threads.with(named("page", 13)).submit(fetch, 10);
    unwanted.cancel();

    let good = parsed.into_iter().filter_map(|it| it.result().ok()).count();
    assert_eq!((good, slow.result().is_err()), (10, true));
    assert!(fetched.into_iter().all(|it| it.result().is_ok()));

    for ending in
        [Ending::Finished, Ending::Failed, Ending::TimedOut, Ending::Cancelled, Ending::Lost]
    {
        let tasks = timeline.tasks();
        let labels: Vec<_> =
            tasks.iter().filter(|it| it.ending == Some(ending)).map(|it| &it.label).collect();
        match labels.len() {
            0..=3 => println!("{:>2} {ending}: {labels:?}", labels.len()),
            many => println!("{many:>2} {ending}"),
        }
        assert_eq!(labels.len(), if ending == Ending::Finished { 22 } else { 1 });
    }

    timeline.save_svg(directory.join("timeline.svg"))?;
    timeline.save_trace(directory.join("timeline.json"))?;
    println!("See {0}/timeline.svg, and {0}/timeline.json in Perfetto.", directory.display());
    Ok(())
}
