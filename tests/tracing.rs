//! A span of `tracing` for each task, as a subscriber sees it.

#![cfg(all(feature = "tracing", target_os = "linux"))]

mod common;

use common::{Gate, eventually, panic_quietly};
use concurrent_futures::{ProcessPoolExecutor, TaskOptions, ThreadPoolExecutor};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, LazyLock, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber, info, info_span};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

/// What a subscriber has been told of one span.
#[derive(Debug, Clone, Default)]
struct Told {
    name: &'static str,
    target: String,
    parent: Option<u64>,
    fields: BTreeMap<&'static str, String>,
    events: usize,
    is_closed: bool,
}

impl Visit for Told {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }
}

#[derive(Clone, Default)]
struct Notes(Arc<Mutex<BTreeMap<u64, Told>>>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Notes {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let meta = attributes.metadata();
        let parent = context.span(id).unwrap().parent().map(|it| it.id().into_u64());
        let mut told =
            Told { name: meta.name(), target: meta.target().into(), parent, ..Told::default() };
        attributes.record(&mut told);
        self.0.lock().unwrap().insert(id.into_u64(), told);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        values.record(self.0.lock().unwrap().get_mut(&id.into_u64()).unwrap());
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if let Some(span) = context.event_span(event) {
            self.0.lock().unwrap().get_mut(&span.id().into_u64()).unwrap().events += 1;
        }
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        self.0.lock().unwrap().get_mut(&id.into_u64()).unwrap().is_closed = true;
    }
}

/// The subscriber of this program.
fn notes() -> Notes {
    static NOTES: LazyLock<Notes> = LazyLock::new(|| {
        let notes = Notes::default();
        let subscriber = Registry::default().with(notes.clone());
        tracing::subscriber::set_global_default(subscriber).unwrap();
        notes
    });
    NOTES.clone()
}

/// The span of the task with this label, of which there is one.
fn told(label: &str) -> Told {
    let all = notes().0.lock().unwrap().values().cloned().collect::<Vec<_>>();
    let mut tasks =
        all.into_iter().filter(|it| it.fields.get("label").is_some_and(|it| it == label));
    let told = tasks.next().unwrap();
    assert_eq!(tasks.count(), 0);
    assert_eq!((told.name, told.target.as_str()), ("task", "concurrent_futures"));
    told
}

fn threads() -> ThreadPoolExecutor {
    ThreadPoolExecutor::builder().max_workers(1).thread_name_prefix("t").build().unwrap()
}

fn named(label: &str) -> TaskOptions {
    TaskOptions::new().label(label)
}

#[test]
fn a_task_has_a_span_below_that_of_its_submitter() {
    let _notes = notes();
    let executor = threads();
    let request = info_span!("request");
    let inside = || executor.with(named("child")).spawn(|| info!("from inside"));
    request.in_scope(inside).result().unwrap();
    let told = told("child");
    assert_eq!(told.parent, request.id().map(|it| it.into_u64()));
    assert_eq!(told.events, 1, "the task is within it");
    assert!(told.is_closed);
    assert_eq!(told.fields["executor"], "t");
    assert_eq!(told.fields["worker"], "t_0");
    assert_eq!(told.fields["ending"], "finished");
    assert!(told.fields["function"].ends_with("::{{closure}}"), "{told:?}");
}

#[test]
fn a_span_tells_how_its_task_ended() {
    let _notes = notes();
    let executor = threads();
    drop(executor.with(named("bad")).spawn(|| -> u32 { panic_quietly(()) }).result());
    assert_eq!(told("bad").fields["ending"], "failed");

    let gate = Gate::new();
    let latch = gate.latch();
    let busy = executor.with(named("busy")).spawn(move || latch.pass());
    eventually(|| busy.running());
    assert!(!told("busy").is_closed);
    let queued = executor.with(named("queued")).spawn(|| ());
    assert!(queued.cancel());
    let queued = told("queued");
    assert!(queued.is_closed && !queued.fields.contains_key("worker"));
    assert_eq!(queued.fields["ending"], "cancelled");
}

#[test]
fn a_task_in_another_process_has_a_span_here() {
    let _notes = notes();
    let executor = ProcessPoolExecutor::new(1).unwrap();
    let process = executor.with(named("far")).spawn(std::process::id).result().unwrap();
    let far = told("far");
    assert_eq!(far.fields["process"], process.to_string());
    assert!(far.is_closed);
    drop(executor.with(named("crash")).spawn(|| -> u32 { std::process::abort() }).result());
    assert_eq!(told("crash").fields["ending"], "lost");
}
