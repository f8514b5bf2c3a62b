//! Failures: what they say, and what they cost.

use crate::pools::{Handle, Pool};
use concurrent_futures::{Executor, TaskErrorKind, TaskOptions, attempt, current_label};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

on_both_pools! {
    a_panic_comes_back_with_message_and_location,
    a_panic_with_a_formatted_message_comes_back,
    a_panic_costs_no_worker,
    an_err_is_a_value,
    flatten_makes_an_err_a_failure_of_its_type,
    flatten_passes_a_panic_on,
    errors_and_futures_name_their_task,
    a_task_knows_its_label,
    a_call_is_tried_again,
    the_last_failure_of_a_retried_call_counts,
    a_call_that_succeeds_is_not_tried_again,
    a_call_that_gives_an_err_is_tried_again,
    the_last_err_of_a_retried_call_counts,
    an_err_is_a_value_for_a_call_that_is_not_asked_to_succeed,
    a_task_knows_how_often_it_was_begun,
}

fn fail(n: u32) -> u32 {
    panic!("wanted: {n}")
}

fn a_panic_comes_back_with_message_and_location<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let error = pool.submit(|()| -> () { panic!("just so") }, ()).result().unwrap_err();
    let line = line!() - 1;
    assert!(error.is_panic(), "{error}");
    let TaskErrorKind::Panicked(panic) = error.kind() else { panic!("{error}") };
    assert_eq!(panic.message(), "just so");
    let location = panic.location().expect("nobody has replaced the hook");
    assert!(location.starts_with(&format!("{}:{line}:", file!())), "{location}");
}

fn a_panic_with_a_formatted_message_comes_back<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let futures: Vec<_> = (0..20).map(|n| (n, pool.submit(fail, n))).collect();
    for (n, future) in futures {
        let text = future.result().unwrap_err().to_string();
        assert!(text.ends_with(&format!("wanted: {n}")), "{text}");
    }
}

fn a_panic_costs_no_worker<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let process = |()| (std::process::id(), format!("{:?}", std::thread::current().id()));
    pool.resize(1).unwrap();
    let before = pool.submit(process, ()).result().unwrap();
    assert!(pool.submit(fail, 1).result().unwrap_err().is_panic());
    assert_eq!(pool.submit(process, ()).result().unwrap(), before);
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Fault {
    OutOfPaper { tray: u32 },
    Jammed(String),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the printer says {self:?}")
    }
}

impl std::error::Error for Fault {}

fn print(tray: u32) -> Result<String, Fault> {
    match tray {
        0 => Ok("page".to_owned()),
        1 => Err(Fault::OutOfPaper { tray }),
        2 => Err(Fault::Jammed("roller".to_owned())),
        _ => panic!("there is no tray {tray}"),
    }
}

fn an_err_is_a_value<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    assert_eq!(pool.submit(print, 1).result().unwrap(), Err(Fault::OutOfPaper { tray: 1 }));
    assert!(pool.submit(print, 1).exception().is_none());
}

fn flatten_makes_an_err_a_failure_of_its_type<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    assert_eq!(pool.submit(print, 0).flatten().result().unwrap(), "page");
    let error = pool.submit(print, 2).flatten().result().unwrap_err();
    assert_eq!(error.failure::<Fault>(), Some(&Fault::Jammed("roller".to_owned())));
    assert_eq!(error.to_string(), "task failed: the printer says Jammed(\"roller\")");
}

fn flatten_passes_a_panic_on<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    assert!(pool.submit(print, 3).flatten().result().unwrap_err().is_panic());
}

fn errors_and_futures_name_their_task<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let future = pool.with(TaskOptions::new().label("page 7")).submit(fail, 7);
    assert_eq!(future.label(), Some("page 7"));
    let error = future.result().unwrap_err();
    assert_eq!(error.label(), Some("page 7"));
    assert!(error.to_string().starts_with("task `page 7` panicked at"), "{error}");
    assert_eq!(pool.submit(fail, 7).label(), None);
}

fn a_task_knows_its_label<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    for label in ["one", "two"] {
        let named = pool.with(TaskOptions::new().label(label));
        let seen = named.submit(|()| current_label(), ()).result().unwrap();
        assert_eq!(seen.as_deref(), Some(label));
    }
    assert_eq!(pool.submit(|()| current_label(), ()).result().unwrap(), None);
    assert_eq!(current_label(), None);
}

/// A file that does not exist yet, and does not any more when this is dropped.
struct NewFile(PathBuf);

impl NewFile {
    fn new() -> NewFile {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::SeqCst);
        let name = format!("concurrent-futures-test-{}-{count}", std::process::id());
        NewFile(std::env::temp_dir().join(name))
    }

    fn tries(&self) -> usize {
        std::fs::read(&self.0).map_or(0, |bytes| bytes.len())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// One byte for each try; succeeds as soon as there are enough.
fn try_until((path, enough): (PathBuf, usize)) -> usize {
    let mut bytes = std::fs::read(Path::new(&path)).unwrap_or_default();
    bytes.push(0);
    std::fs::write(&path, &bytes).unwrap();
    assert!(bytes.len() >= enough, "try {} of {enough}", bytes.len());
    bytes.len()
}

fn a_call_is_tried_again<P: Pool>(workers: usize) {
    let (pool, file) = (P::new(workers), NewFile::new());
    let future = pool.submit_retrying(5, try_until, (file.0.clone(), 3));
    assert_eq!(future.result().unwrap(), 3);
    assert_eq!(file.tries(), 3);
}

fn the_last_failure_of_a_retried_call_counts<P: Pool>(workers: usize) {
    let (pool, file) = (P::new(workers), NewFile::new());
    let error = pool.submit_retrying(2, try_until, (file.0.clone(), 9)).result().unwrap_err();
    assert!(error.to_string().ends_with("try 3 of 9"), "{error}");
    assert_eq!(file.tries(), 3);
}

fn a_call_that_succeeds_is_not_tried_again<P: Pool>(workers: usize) {
    let (pool, file) = (P::new(workers), NewFile::new());
    let future = pool.submit_retrying(5, try_until, (file.0.clone(), 1));
    assert_eq!(future.result().unwrap(), 1);
    pool.shutdown(true, false);
    assert_eq!(file.tries(), 1);
}

fn succeeds_at(least: u32) -> Result<u32, String> {
    if attempt() < least { Err(format!("attempt {}", attempt())) } else { Ok(attempt()) }
}

fn a_call_that_gives_an_err_is_tried_again<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    assert_eq!(pool.try_call_retrying(5, succeeds_at, 3).result().unwrap(), 3);
}

fn the_last_err_of_a_retried_call_counts<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let error = pool.try_call_retrying(2, succeeds_at, 9).result().unwrap_err();
    assert_eq!(error.to_string(), "task failed: attempt 3");
}

fn an_err_is_a_value_for_a_call_that_is_not_asked_to_succeed<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let result = pool.submit_retrying(2, succeeds_at, 9).result().unwrap();
    assert_eq!(result, Err("attempt 1".to_owned()));
}

fn a_task_knows_how_often_it_was_begun<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let tells = |least| {
        assert!(attempt() >= least, "not yet");
        attempt()
    };
    assert_eq!(pool.submit_retrying(5, tells, 4).result().unwrap(), 4);
    assert_eq!(pool.submit(tells, 1).result().unwrap(), 1, "the next one begins anew");
    assert_eq!(attempt(), 0);
}
