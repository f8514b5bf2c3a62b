//! What is recorded of each task, and of how many.

use crate::common::{FarGate, FarLatch, eventually};
use concurrent_futures::{Executor, ProcessPoolExecutor, ThreadPoolExecutor, Timeline};
use std::collections::BTreeSet;

fn threads(timeline: &Timeline, workers: usize) -> ThreadPoolExecutor {
    let builder = ThreadPoolExecutor::builder().max_workers(workers).thread_name_prefix("t");
    builder.timeline(timeline).build().unwrap()
}

#[test]
fn times_follow_each_other() {
    let timeline = Timeline::new();
    let executor = threads(&timeline, 2);
    executor.submit_all(|n| n + 1, 0..100).into_iter().for_each(|it| drop(it.result()));
    let far = ProcessPoolExecutor::builder().max_workers(2).timeline(&timeline).build().unwrap();
    far.submit_all(|n: u32| n + 1, 0..100).into_iter().for_each(|it| drop(it.result()));
    let tasks = timeline.tasks();
    assert_eq!(tasks.len(), 200);
    for task in tasks {
        let (begun, ended) = (task.begun.unwrap(), task.ended.unwrap());
        assert!(task.submitted <= begun && begun <= ended, "{task:?}");
    }
}

#[test]
fn a_process_is_at_one_task_at_a_time() {
    let timeline = Timeline::new();
    let far = ProcessPoolExecutor::builder().max_workers(1).timeline(&timeline).build().unwrap();
    far.submit_all(|n: u32| n + 1, 0..1000).into_iter().for_each(|it| drop(it.result()));
    let mut tasks = timeline.tasks();
    tasks.sort_by_key(|it| it.begun);
    for pair in tasks.windows(2) {
        assert!(pair[0].ended <= pair[1].begun, "{pair:?}");
    }
}

#[test]
fn a_task_without_a_label_is_called_like_its_function() {
    fn add_one(n: u32) -> u32 {
        n + 1
    }
    let timeline = Timeline::new();
    let executor = threads(&timeline, 1);
    let last = |expected: &str| assert_eq!(timeline.tasks().last().unwrap().label, expected);
    executor.submit(add_one, 1).result().unwrap();
    last("add_one");
    executor.spawn(|| 1).result().unwrap();
    last("closure in a_task_without_a_label_is_called_like_its_function");
    executor.map(add_one, [1]).for_each(drop);
    last("add_one");
    executor.retrying(1).submit(add_one, 1).result().unwrap();
    last("add_one");
    let numbers = [1];
    executor.scope(|scope| scope.submit(|it: &u32| add_one(*it), &numbers[0]).result()).unwrap();
    last("closure in a_task_without_a_label_is_called_like_its_function");
    executor.submit_with(&Default::default(), add_one as fn(u32) -> u32, 1).result().unwrap();
    last("task 6");
}

#[test]
fn there_is_a_lane_for_each_worker_and_no_more() {
    let timeline = Timeline::new();
    let near = threads(&timeline, 3);
    let barrier = std::sync::Arc::new(std::sync::Barrier::new(3));
    let meet = move |()| _ = barrier.wait();
    near.submit_all(meet, [(); 3]).into_iter().for_each(|it| it.result().unwrap());
    let far = ProcessPoolExecutor::builder().max_workers(2).timeline(&timeline);
    let far = far.max_tasks_per_child(1).build().unwrap();
    let gate = FarGate::new();
    let pass = |latch: FarLatch| latch.pass();
    let both: Vec<_> = (0..2).map(|_| far.submit(pass, gate.latch())).collect();
    gate.await_arrivals(2);
    gate.open();
    both.into_iter().for_each(|it| it.result().unwrap());
    // Each of these has a process of its own.
    far.submit_all(|n: u32| n, 0..6).into_iter().for_each(|it| drop(it.result()));
    let workers = timeline.workers();
    assert_eq!(workers[..3], ["t_0".into(), "t_1".into(), "t_2".into()]);
    assert_eq!(workers.len(), 5, "{workers:?}");
    let processes: BTreeSet<_> = timeline.tasks().iter().map(|it| it.process_id).collect();
    assert_eq!(processes.len(), 1 + 8, "{processes:?}");
}

#[test]
fn a_thread_that_replaces_another_goes_on_with_its_lane() {
    let timeline = Timeline::new();
    let builder = ThreadPoolExecutor::builder().max_workers(1).thread_name_prefix("t");
    let builder = builder.keep_alive(std::time::Duration::from_nanos(1)).timeline(&timeline);
    let executor = builder.build().unwrap();
    for _ in 0..3 {
        executor.spawn(|| ()).result().unwrap();
        eventually(|| executor.stats().workers == 0);
    }
    assert_eq!(timeline.workers(), ["t_0".into()]);
    assert_eq!(timeline.tasks().len(), 3);
}

#[test]
fn a_caller_that_helps_has_a_lane_of_its_own() {
    let timeline = Timeline::new();
    let builder = ThreadPoolExecutor::builder().max_workers(1).caller_helps(true);
    let executor = builder.timeline(&timeline).build().unwrap();
    let gate = crate::common::Gate::new();
    let latch = gate.latch();
    let busy = executor.spawn(move || latch.pass());
    eventually(|| busy.running());
    let (timeline_here, handle) = (timeline.clone(), executor.handle());
    let caller = std::thread::Builder::new().name("me".into());
    let caller = caller.spawn(move || handle.spawn(|| 7).result().unwrap()).unwrap();
    assert_eq!(caller.join().unwrap(), 7);
    assert!(timeline_here.workers().contains(&"me".into()));
}

#[test]
fn the_oldest_are_dropped_and_counted() {
    let timeline = Timeline::with_capacity(1000);
    let executor = threads(&timeline, 2);
    executor.submit_all(|n| n, 0..10_000).into_iter().for_each(|it| drop(it.result()));
    let kept = timeline.tasks();
    assert!((1000..=1000 + 3 * 256).contains(&kept.len()), "{}", kept.len());
    assert_eq!(kept.len() + timeline.dropped(), 10_000);
    // The last one is there.
    let latest = kept.iter().map(|it| it.submitted).max();
    assert_eq!(kept.last().unwrap().submitted, latest.unwrap());
}

#[test]
fn nothing_is_missing_when_it_is_looked_at_while_it_is_written() {
    let timeline = Timeline::new();
    let executor = threads(&timeline, 2);
    let futures = executor.submit_all(|n| n, 0..4000);
    let mut done = 0;
    for future in futures {
        future.result().unwrap();
        done += 1;
        if done % 400 == 0 {
            let ended = timeline.tasks().iter().filter(|it| it.ended.is_some()).count();
            assert!((done..=4000).contains(&ended), "{ended} of at least {done}");
        }
    }
}
