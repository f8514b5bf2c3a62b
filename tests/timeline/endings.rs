//! Tasks that end in every way, on both pools.

use crate::common::{FarGate, FarLatch, Gate, eventually, panic_quietly};
use concurrent_futures::{
    Ending, ProcessPoolExecutor, TaskOptions, TaskRecord, ThreadPoolExecutor, Timeline,
    cancellation_requested,
};
use std::time::Duration;

/// The label of each task, and how it ended. One thread.
pub(crate) fn on_threads(timeline: &Timeline) -> Vec<(&'static str, Ending)> {
    let builder = ThreadPoolExecutor::builder().max_workers(1).thread_name_prefix("thread");
    let executor = builder.timeline(timeline).build().unwrap();
    let named = |label: &str| executor.with(TaskOptions::new().label(label));
    assert!(named("gives").spawn(|| 1).result().is_ok());
    assert!(named("panics").spawn(|| -> u32 { panic_quietly(()) }).result().is_err());

    let limit = Duration::from_millis(1);
    let slow = executor.with(TaskOptions::new().label("slow").timeout(limit));
    assert!(slow.spawn(|| while !cancellation_requested() {}).result().is_err());

    let asked = named("asked").spawn(|| while !cancellation_requested() {});
    eventually(|| asked.running());
    let late = executor.with(TaskOptions::new().label("late").begin_within(limit));
    assert!(late.spawn(|| ()).result().is_err());
    let queued = named("queued").spawn(|| ());
    assert!(queued.cancel());
    assert!(asked.abort());
    assert!(asked.result().is_err());
    vec![
        ("gives", Ending::Finished),
        ("panics", Ending::Failed),
        ("slow", Ending::TimedOut),
        ("asked", Ending::Cancelled),
        ("late", Ending::TimedOut),
        ("queued", Ending::Cancelled),
    ]
}

/// The same on one process, which is replaced when it has died.
pub(crate) fn on_processes(timeline: &Timeline) -> Vec<(&'static str, Ending)> {
    let executor =
        ProcessPoolExecutor::builder().max_workers(1).timeline(timeline).build().unwrap();
    let named = |label: &str| executor.with(TaskOptions::new().label(label));
    assert!(named("far gives").spawn(|| 1).result().is_ok());
    let panics = || -> u32 { panic_quietly(()) };
    assert!(named("far panics").spawn(panics).result().is_err());
    let limit = Duration::from_millis(1);
    let hangs = executor.with(TaskOptions::new().label("hangs").timeout(limit));
    assert!(
        hangs
            .spawn(|| -> u32 {
                loop {
                    std::thread::yield_now()
                }
            })
            .result()
            .is_err()
    );
    assert!(named("crashes").spawn(|| -> u32 { std::process::abort() }).result().is_err());
    let again = |()| {
        if concurrent_futures::attempt() == 1 {
            std::process::abort()
        }
    };
    assert!(named("again").retrying(1).submit(again, ()).result().is_ok());

    let gate = FarGate::new();
    let busy = named("busy").submit(|latch: FarLatch| latch.pass(), gate.latch());
    gate.await_arrivals(1);
    let queued = named("far queued").spawn(|| 1);
    assert!(queued.cancel());
    gate.open();
    assert!(busy.result().is_ok());
    executor.shutdown(true, false);
    vec![
        ("far gives", Ending::Finished),
        ("far panics", Ending::Failed),
        ("hangs", Ending::TimedOut),
        ("crashes", Ending::Lost),
        ("again", Ending::Retried),
        ("again", Ending::Finished),
        ("busy", Ending::Finished),
        ("far queued", Ending::Cancelled),
    ]
}

fn told(tasks: &[TaskRecord]) -> Vec<(&str, Ending)> {
    tasks.iter().map(|it| (it.label.as_str(), it.ending.expect("it has ended"))).collect()
}

#[test]
fn each_ending_of_a_task_on_a_thread_is_told() {
    let timeline = Timeline::new();
    let expected = on_threads(&timeline);
    assert_eq!(told(&timeline.tasks()), expected);
}

#[test]
fn each_ending_of_a_task_on_a_process_is_told() {
    let timeline = Timeline::new();
    let expected = on_processes(&timeline);
    assert_eq!(told(&timeline.tasks()), expected);
}

#[test]
fn what_never_began_has_no_worker() {
    let timeline = Timeline::new();
    on_threads(&timeline);
    for task in timeline.tasks() {
        let has_begun = !["late", "queued"].contains(&task.label.as_str());
        assert_eq!(task.worker.is_some(), has_begun, "{task:?}");
        assert_eq!(task.begun.is_some(), has_begun, "{task:?}");
    }
}

#[test]
fn a_task_that_is_running_has_no_end_yet() {
    let timeline = Timeline::new();
    let executor =
        ThreadPoolExecutor::builder().max_workers(1).timeline(&timeline).build().unwrap();
    let gate = Gate::new();
    let latch = gate.latch();
    let running = executor.spawn(move || latch.pass());
    eventually(|| running.running() && !timeline.tasks().is_empty());
    let task = &timeline.tasks()[0];
    assert!(task.begun.is_some() && task.ended.is_none() && task.ending.is_none(), "{task:?}");
    gate.open();
    running.result().unwrap();
    assert_eq!(timeline.tasks()[0].ending, Some(Ending::Finished));
}

#[test]
fn what_a_shutdown_cancels_is_told_as_cancelled_however_much_it_is() {
    let (near, far) = (Timeline::new(), Timeline::new());
    let threads = ThreadPoolExecutor::builder().max_workers(1).timeline(&near).build().unwrap();
    let processes = ProcessPoolExecutor::builder().max_workers(1).timeline(&far).build().unwrap();
    let gate = FarGate::new();
    let pass = |latch: FarLatch| latch.pass();
    let busy = [threads.submit(pass, gate.latch()), processes.submit(pass, gate.latch())];
    gate.await_arrivals(2);
    let mut queued = threads.submit_all(|n: u32| n, 0..1000);
    queued.extend(processes.submit_all(|n: u32| n, 0..1000));
    threads.shutdown(false, true);
    processes.shutdown(false, true);
    queued.into_iter().for_each(|it| assert!(it.result().unwrap_err().is_cancelled()));
    gate.open();
    busy.into_iter().for_each(|it| it.result().unwrap());
    for timeline in [near, far] {
        let tasks = timeline.tasks();
        let cancelled = tasks.iter().filter(|it| it.ending == Some(Ending::Cancelled));
        assert_eq!((tasks.len(), cancelled.count()), (1001, 1000));
    }
}

#[test]
fn a_task_that_is_lost_has_the_process_that_it_was_lost_with() {
    let timeline = Timeline::new();
    let executor =
        ProcessPoolExecutor::builder().max_workers(1).timeline(&timeline).build().unwrap();
    for _ in 0..10 {
        let lost = executor.spawn(|| -> u32 { std::process::abort() }).result().unwrap_err();
        let process = lost.worker_death().unwrap().process_id();
        let tasks = timeline.tasks();
        let task = tasks.last().unwrap();
        assert_eq!((task.ending, task.process_id), (Some(Ending::Lost), Some(process)));
        assert!(task.begun <= task.ended, "{task:?}");
    }
}
