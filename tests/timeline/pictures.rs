//! The trace and the picture of a timeline.

use crate::common::panic_quietly;
use crate::endings::{on_processes, on_threads};
use concurrent_futures::{TaskOptions, ThreadPoolExecutor, Timeline};
use proptest::prelude::*;
use roxmltree::Document;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Instant;

fn trace(timeline: &Timeline) -> Vec<Value> {
    let mut bytes = Vec::new();
    timeline.write_trace(&mut bytes).unwrap();
    let whole: Value = serde_json::from_slice(&bytes).unwrap();
    whole["traceEvents"].as_array().unwrap().clone()
}

fn picture(timeline: &Timeline) -> String {
    let mut bytes = Vec::new();
    timeline.write_svg(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// So many tasks on so many workers, each of which has at least one.
fn many(workers: usize, tasks: usize) -> Timeline {
    let timeline = Timeline::new();
    let builder = ThreadPoolExecutor::builder().max_workers(workers).timeline(&timeline);
    let executor = builder.build().unwrap();
    let barrier = std::sync::Arc::new(std::sync::Barrier::new(workers));
    let meet = move |n: usize| {
        if n < workers {
            _ = barrier.wait();
        }
    };
    executor.submit_all(meet, 0..tasks).into_iter().for_each(|it| it.result().unwrap());
    timeline
}

#[test]
fn a_trace_has_one_event_for_each_task_with_its_ending() {
    let timeline = Timeline::new();
    let mut expected = on_threads(&timeline);
    expected.extend(on_processes(&timeline));
    let expected: Vec<_> = expected.into_iter().map(|(it, end)| (it, end.to_string())).collect();
    let events = trace(&timeline);
    let tasks = events.iter().filter(|it| ["X", "i"].contains(&it["ph"].as_str().unwrap()));
    let text = |event: &Value, key: &str| event["args"][key].as_str().unwrap().to_owned();
    let mut found: Vec<_> = tasks.map(|it| (text(it, "label"), text(it, "ending"))).collect();
    let mut expected: Vec<_> = expected.iter().map(|(a, b)| (a.to_string(), b.clone())).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    for event in events.iter().filter(|it| it["cat"] == "lost") {
        assert_eq!(event["name"], "crashes (lost)");
        assert_eq!(event["cname"], "terrible");
    }
}

#[test]
fn a_trace_has_a_named_lane_for_each_worker() {
    let timeline = many(3, 10);
    let events = trace(&timeline);
    let named = events.iter().filter(|it| it["name"] == "thread_name");
    let names: Vec<_> = named.map(|it| it["args"]["name"].as_str().unwrap()).collect();
    let workers = timeline.workers();
    assert_eq!(names, workers.iter().map(|it| &**it).collect::<Vec<_>>());
    let slices = events.iter().filter(|it| it["ph"] == "X");
    let lanes: BTreeSet<_> = slices.map(|it| it["tid"].as_u64().unwrap()).collect();
    assert_eq!(lanes, BTreeSet::from([2, 3, 4]));
}

/// Zero is the system's idle process and thread, of which Perfetto does not show everything.
#[test]
fn a_trace_numbers_processes_and_threads_from_one() {
    let events = trace(&many(3, 10));
    assert!(events.iter().all(|it| it["pid"].as_u64() > Some(0) && it["tid"].as_u64() > Some(0)));
}

#[test]
fn a_trace_counts_who_waits_until_nobody_does() {
    let events = trace(&many(2, 50));
    let counts: Vec<_> = events.iter().filter(|it| it["ph"] == "C").collect();
    assert!(counts.iter().any(|it| it["args"]["tasks"].as_i64().unwrap() > 1));
    assert_eq!(counts.last().unwrap()["args"]["tasks"], 0);
}

#[test]
fn a_picture_shows_every_ending() {
    let timeline = Timeline::new();
    on_threads(&timeline);
    on_processes(&timeline);
    let picture = picture(&timeline);
    let document = Document::parse(&picture).unwrap();
    let texts: Vec<_> = document.descendants().filter_map(|it| it.text()).collect();
    for legend in ["finished 4", "failed 2", "timed out 3", "cancelled 3", "lost 1", "retried 1"] {
        assert!(texts.contains(&legend), "{legend} is not in {texts:?}");
    }
    for told in ["crashes\nlost; waited ", "queued\ncancelled before it began; waited "] {
        assert!(texts.iter().any(|it| it.starts_with(told)), "{told} is not in {texts:?}");
    }
}

#[test]
fn a_bar_of_a_task_that_failed_says_which_it_is() {
    let timeline = Timeline::new();
    let builder = ThreadPoolExecutor::builder().max_workers(1).timeline(&timeline);
    let executor = builder.build().unwrap();
    let submitted = Instant::now();
    let fail = move || -> u32 {
        // As long as it has waited, so that its bar has half of the picture.
        let begun = Instant::now();
        while begun.elapsed() < begun - submitted {}
        panic_quietly(())
    };
    executor.with(TaskOptions::new().label("page 7")).spawn(fail).result().unwrap_err();
    let picture = picture(&timeline);
    let document = Document::parse(&picture).unwrap();
    let label = document.descendants().find(|it| it.text() == Some("page 7"));
    assert_eq!(label.unwrap().attribute("class"), Some("in in-failed"));
}

#[test]
fn a_picture_stays_small_however_many_tasks_and_workers_there_are() {
    for (workers, tasks) in [(3, 100_000), (300, 20_000)] {
        let picture = picture(&many(workers, tasks));
        assert!(picture.len() < 2_500_000, "{workers}, {tasks}: {} bytes", picture.len());
        let document = Document::parse(&picture).unwrap();
        let lanes = document.descendants().filter(|it| it.attribute("class") == Some("lane"));
        assert_eq!(lanes.count(), workers);
        let title = document.descendants().find(|it| it.attribute("class") == Some("title"));
        assert!(title.unwrap().text().unwrap().contains(&format!("on {workers} workers")));
    }
}

#[test]
fn nothing_is_a_picture_and_a_trace_too() {
    let timeline = Timeline::new();
    assert!(Document::parse(&picture(&timeline)).is_ok());
    assert_eq!(trace(&timeline).len(), 1);
}

#[test]
fn a_picture_and_a_trace_are_saved() {
    let directory = std::env::temp_dir().join(format!("timeline-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let timeline = many(1, 1);
    timeline.save_svg(directory.join("a.svg")).unwrap();
    timeline.save_trace(directory.join("a.json")).unwrap();
    let read = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap();
    assert_eq!(read("a.svg"), picture(&timeline));
    assert!(read("a.json").ends_with("]}\n"));
    std::fs::remove_dir_all(&directory).unwrap();
    assert!(timeline.save_svg(directory.join("gone/a.svg")).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_label_comes_through(label in any::<String>()) {
        let timeline = Timeline::new();
        let builder = ThreadPoolExecutor::builder().max_workers(1).timeline(&timeline);
        let executor = builder.build().unwrap();
        let options = TaskOptions::new().label(label.as_str());
        executor.with(options).spawn(|| ()).result().unwrap();
        let events = trace(&timeline);
        let slice = events.iter().find(|it| it["ph"] == "X").unwrap();
        prop_assert_eq!(slice["name"].as_str().unwrap(), label);
        prop_assert!(Document::parse(&picture(&timeline)).is_ok());
    }
}
