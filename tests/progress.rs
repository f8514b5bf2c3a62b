//! The progress bar counts what comes, and ends when that does.

#![cfg(feature = "progress")]

use concurrent_futures::{ThreadPoolExecutor, as_completed};

fn executor() -> ThreadPoolExecutor {
    ThreadPoolExecutor::new(2).unwrap()
}

#[test]
fn a_bar_knows_how_many_there_are_if_the_input_does() {
    let executor = executor();
    let results = executor.map(|n: u32| n + 1, 0..100).progress();
    let bar = results.bar();
    assert_eq!((bar.position(), bar.length()), (0, Some(100)));
    assert_eq!(results.count(), 100);
    assert_eq!((bar.position(), bar.length()), (100, Some(100)));
    assert!(bar.is_finished());
}

#[test]
fn a_bar_learns_how_many_there_are_when_the_input_has_ended() {
    let executor = executor();
    // A filter does not know.
    let mut results = executor.map(|n: u32| n, (0..50).filter(|n| *n > 0)).progress();
    let bar = results.bar();
    assert_eq!(bar.length(), None);
    assert_eq!(results.by_ref().count(), 49);
    assert!(bar.is_finished());
    assert_eq!(bar.position(), 49);
}

#[test]
fn a_bar_tells_how_many_have_failed() {
    let executor = executor();
    std::panic::set_hook(Box::new(|_| ()));
    let results = executor.map(|n: u32| 12 / n, [1, 0, 3, 0]).progress();
    let bar = results.bar();
    results.for_each(drop);
    assert_eq!((bar.position(), bar.message().as_str()), (4, ", 2 failed"));
    let futures = [0, 1].map(|n| (n, executor.submit(|n: u32| 12 / n, n)));
    let completed = as_completed(futures).progress();
    let bar = completed.bar();
    assert_eq!(completed.len(), 2);
    completed.for_each(drop);
    assert_eq!((bar.position(), bar.message().as_str()), (2, ", 1 failed"));
}

#[test]
fn a_bar_that_is_dropped_stays_where_it_is() {
    let executor = executor();
    let mut results = executor.map(|n: u64| n, 0..).progress().label("endless");
    let bar = results.bar();
    assert!(results.by_ref().take(10).all(|it| it.is_ok()));
    drop(results);
    assert!(bar.is_finished());
    assert_eq!((bar.position(), bar.prefix().as_str()), (10, "endless "));
}
