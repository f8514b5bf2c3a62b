//! The sweep: a small program with a pool of processes is run once for each step that a call takes from
//! one process to another and back, and each thing that can happen there. Whatever it is, every future
//! ends, once; the pool goes on, or says that it does not; and nothing is left of it.
//!
//! The steps are those of `Point`, which are marked in the code, and are nothing in any build but that of
//! the crate's own unit tests. So this is one of those, although it uses only what is public, but for the
//! processes of [`play`].

#[allow(dead_code)] // They belong to all tests, and this one uses some of them.
#[path = "../common/bounds.rs"]
mod bounds;
#[allow(dead_code)] // The same.
#[path = "../common/held.rs"]
mod held;
mod play;
mod program;

use crate::sys::faults::{Fault, Kind, Point};
use bounds::eventually;
use play::play;
use program::Expected;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Names some of the runs, to play only those: a part of what they print.
const ONLY: &str = "CONCURRENT_FUTURES_SWEEP";

/// Most of the time they wait.
const AT_ONCE: usize = 6;

/// The program with one fault.
#[derive(Debug, Clone, Copy)]
struct Run {
    fault: Fault,
    /// What else happens, so that the program comes to this step.
    besides: Option<Fault>,
    expected: Expected,
    /// Whoever is stopped is let go on.
    continues: bool,
    /// The program comes to this step often enough.
    is_certain: bool,
}

impl Run {
    fn new(point: Point, kind: Kind, after: Option<usize>, expected: Expected) -> Run {
        let besides = match point {
            // Results come through the socket only if there is no shared memory for them.
            Point::OutcomeHalfSent => Some((Point::ValueStoring, Kind::Refuse, None)),
            Point::LinkEnded => Some((Point::Idle, Kind::Kill, Some(0))),
            _ => None,
        };
        let besides = besides.map(|(point, kind, after)| Fault { point, kind, after });
        let fault = Fault { point, kind, after };
        // That the process has ended is sometimes seen before that its link has.
        let is_certain = point != Point::LinkEnded;
        Run { fault, besides, expected, continues: false, is_certain }
    }
}

/// What happens to a worker at this step.
fn of_worker(point: Point) -> Vec<Run> {
    let run = |kind, after, expected| Run::new(point, kind, after, expected);
    vec![
        run(Kind::Kill, Some(0), Expected::OneLost),
        Run { is_certain: false, ..run(Kind::Kill, Some(3), Expected::OneLost) },
        run(Kind::Kill, None, Expected::Any),
        run(Kind::Exit, Some(0), Expected::OneLost),
        run(Kind::Close, Some(0), Expected::OneLost),
        // On a busy machine, time may be up for what would have come to this step.
        Run { is_certain: false, ..run(Kind::Stop, Some(0), Expected::Limited) },
        Run { continues: true, ..run(Kind::Stop, Some(0), Expected::All) },
        run(Kind::Pause, None, Expected::All),
        run(Kind::KillParent, Some(0), Expected::Death),
    ]
}

/// What happens to the parent at this step.
fn of_parent(point: Point) -> Vec<Run> {
    let run = |kind, after, expected| Run::new(point, kind, after, expected);
    vec![
        run(Kind::Kill, Some(0), Expected::Death),
        Run { is_certain: false, ..run(Kind::Kill, Some(3), Expected::Death) },
        run(Kind::Exit, Some(0), Expected::Death),
        Run { continues: true, ..run(Kind::Stop, Some(0), Expected::All) },
        run(Kind::Pause, None, Expected::All),
    ]
}

/// What the system can refuse.
fn refusals() -> Vec<Run> {
    let start = [
        Point::ThreadStarting,
        Point::PageMaking,
        Point::TranscriptMaking,
        Point::LinkMaking,
        Point::BellMaking,
        Point::ProcessStarting,
        Point::ProcessStarted,
        Point::PageOpening,
        Point::OutputOpening,
    ];
    let mut runs = Vec::new();
    for point in start {
        runs.push(Run::new(point, Kind::Refuse, Some(0), Expected::All));
        runs.push(Run::new(point, Kind::Refuse, None, Expected::Any));
    }
    for point in [Point::ArgumentOpening, Point::OutcomeMapping] {
        runs.push(Run::new(point, Kind::Refuse, Some(0), Expected::LargeLost));
        runs.push(Run::new(point, Kind::Refuse, None, Expected::LargeLost));
    }
    // First the parent's, then the worker's.
    for after in [Some(0), Some(1), None] {
        runs.push(Run::new(Point::ValueStoring, Kind::Refuse, after, Expected::All));
    }
    for point in [Point::InboxTaken, Point::LinkSending, Point::LinkReceiving] {
        runs.push(Run::new(point, Kind::Short, None, Expected::All));
    }
    runs
}

fn all_runs() -> Vec<Run> {
    let mut runs = refusals();
    for point in Point::all() {
        match point {
            // Nothing but the length of what passes there.
            Point::LinkSending | Point::ValueStoring => {}
            _ if point.is_of_worker() => runs.extend(of_worker(point)),
            _ => runs.extend(of_parent(point)),
        }
    }
    runs
}

#[test]
fn whatever_happens_at_whichever_step_every_future_ends_and_nothing_is_left() {
    if program::is_meant() {
        return;
    }
    let only = std::env::var(ONLY).unwrap_or_default();
    let mut runs = all_runs();
    runs.retain(|run| format!("{} {:?}", run.fault, run.expected).contains(&only));
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(run) = runs.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let result = play(run);
                    results.lock().unwrap().push((*run, result));
                }
            });
        }
    });
    let results = results.into_inner().unwrap();
    let mut failures = Vec::new();
    let mut reached: BTreeMap<Point, bool> = BTreeMap::new();
    for (run, result) in &results {
        let has_happened = match result {
            Ok(has_happened) => *has_happened,
            Err(what) => {
                let name = format!("{} ({:?})", run.fault, run.expected);
                failures.push(format!("---- {name}\n{what}"));
                true
            }
        };
        *reached.entry(run.fault.point).or_default() |= has_happened;
    }
    let kinds: BTreeSet<Kind> = results.iter().map(|(run, _)| run.fault.kind).collect();
    let missed: Vec<Point> = reached.iter().filter(|it| !it.1).map(|it| *it.0).collect();
    // The test program keeps what is printed otherwise.
    let _ = writeln!(
        std::io::stderr(),
        "the sweep: {} steps, {} kinds of faults, {} runs, {} of them as they should be",
        reached.len(),
        kinds.len(),
        results.len(),
        results.len() - failures.len(),
    );
    assert!(missed.is_empty(), "nothing ever came to {missed:?}");
    assert!(failures.is_empty(), "{} runs:\n{}", failures.len(), failures.join("\n"));
    assert!(!only.is_empty() || reached.len() == Point::all().count(), "some steps have no run");
}
