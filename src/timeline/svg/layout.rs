//! What is to be seen of the tasks of one worker: bars, heaps of bars that are too thin, and marks.

use crate::timeline::Ending;
use crate::timeline::snapshot::{Snapshot, Task};
use std::collections::BTreeMap;

/// No more pieces than about this are drawn.
const MOST_PIECES: usize = 10_000;

/// How wide the lanes are.
pub(super) const WIDTH: f64 = 1_040.0;

/// Tasks that run within others are drawn so many deep.
const MOST_DEPTH: usize = 3;

/// In so many shades a heap tells how busy the worker was.
pub(super) const SHADES: usize = 5;

/// Marks of one kind that are nearer than this are one.
const BETWEEN_MARKS: f64 = 8.0;

/// From when to when the picture goes.
#[derive(Clone, Copy)]
pub(super) struct Range {
    pub(super) begin: u64,
    pub(super) end: u64,
}

impl Range {
    pub(super) fn of(snapshot: &Snapshot) -> Option<Range> {
        let all = || snapshot.lanes.iter().flat_map(|row| &row.tasks).chain(&snapshot.not_begun);
        let begin = all().map(Task::queued).min()?;
        let end = all().map(Task::ended).max()?;
        Some(Range { begin, end: end.max(begin + 1) })
    }

    pub(super) fn length(self) -> u64 {
        self.end - self.begin
    }

    pub(super) fn x(self, at: u64) -> f64 {
        at.saturating_sub(self.begin) as f64 / self.length() as f64 * WIDTH
    }
}

/// One task that is wide enough to be seen.
pub(super) struct Bar<'a> {
    pub(super) task: &'a Task,
    pub(super) x: f64,
    pub(super) width: f64,
    pub(super) depth: usize,
    /// So much of it is not behind another.
    pub(super) free: f64,
}

/// Several that are not.
pub(super) struct Heap<'a> {
    pub(super) x: f64,
    pub(super) width: f64,
    pub(super) depth: usize,
    /// From one.
    pub(super) shade: usize,
    pub(super) tasks: usize,
    /// Which part of the time they took.
    pub(super) busy: f64,
    pub(super) first: &'a Task,
}

/// By their depth, and from the left.
type Columns<'a> = BTreeMap<(usize, usize), Column<'a>>;

/// A part of a lane, and what is there of tasks that are too thin.
struct Column<'a> {
    /// How much of it they fill.
    busy: f64,
    /// How many begin there.
    tasks: usize,
    first: &'a Task,
}

/// Tasks that ended in a way that should not go unseen.
pub(super) struct Mark<'a> {
    pub(super) x: f64,
    pub(super) ending: Ending,
    pub(super) count: usize,
    /// The first of them.
    pub(super) task: &'a Task,
}

/// What is drawn of one lane.
pub(super) struct Pieces<'a> {
    pub(super) bars: Vec<Bar<'a>>,
    pub(super) heaps: Vec<Heap<'a>>,
    pub(super) marks: Vec<Mark<'a>>,
}

impl Pieces<'_> {
    fn count(&self) -> usize {
        self.bars.len() + self.heaps.len() + self.marks.len()
    }
}

/// All lanes, in so much detail as is good for them.
pub(super) fn lay_out(snapshot: &Snapshot, range: Range) -> Vec<Pieces<'_>> {
    let mut least = 1.0;
    loop {
        let lanes = snapshot.lanes.iter().map(|row| lane(&row.tasks, range, least));
        let lanes: Vec<_> = lanes.collect();
        let pieces: usize = lanes.iter().map(Pieces::count).sum();
        if pieces <= MOST_PIECES.max(4 * lanes.len()) || least > WIDTH {
            return lanes;
        }
        least *= 2.0;
    }
}

/// One lane, in which nothing is thinner than `least`.
fn lane(tasks: &[Task], range: Range, least: f64) -> Pieces<'_> {
    let mut bars: Vec<Bar<'_>> = Vec::new();
    let mut columns: Columns<'_> = BTreeMap::new();
    // The ends of the tasks that this one is within.
    let mut around: Vec<u64> = Vec::new();
    for task in tasks {
        around.retain(|end| *end > task.begun());
        let depth = around.len().min(MOST_DEPTH);
        around.push(task.ended());
        let (x, end) = (range.x(task.begun()), range.x(task.ended()));
        let width = end - x;
        if width >= least {
            if let Some(outer) = bars.last_mut().filter(|it| it.depth < depth) {
                outer.free = outer.free.min(x - outer.x);
            }
            bars.push(Bar { task, x, width, depth, free: width });
            continue;
        }
        // It is in two columns at the most, and is counted where it begins.
        let at = (x / least) as usize;
        let border = (at + 1) as f64 * least;
        let new = || Column { busy: 0.0, tasks: 0, first: task };
        let column = columns.entry((depth, at)).or_insert_with(new);
        column.busy += end.min(border) - x;
        column.tasks += 1;
        if end > border {
            columns.entry((depth, at + 1)).or_insert_with(new).busy += end - border;
        }
    }
    Pieces { bars, heaps: heaps(columns, least), marks: marks(tasks, range) }
}

/// Columns beside each other that look alike are one heap.
fn heaps(columns: Columns<'_>, width: f64) -> Vec<Heap<'_>> {
    let mut heaps: Vec<Heap<'_>> = Vec::new();
    for ((depth, at), Column { busy, tasks, first }) in columns {
        let part = (busy / width).min(1.0);
        let shade = ((part * SHADES as f64).ceil() as usize).clamp(1, SHADES);
        let x = at as f64 * width;
        match heaps.last_mut() {
            Some(last)
                if last.depth == depth
                    && last.shade == shade
                    && (last.x + last.width - x).abs() < width / 2.0 =>
            {
                last.busy = (last.busy * last.width + part * width) / (last.width + width);
                last.width += width;
                last.tasks += tasks;
            }
            _ => heaps.push(Heap { x, width, depth, shade, tasks, busy: part, first }),
        }
    }
    heaps
}

/// The tasks that did not end well, where they ended.
pub(super) fn marks(tasks: &[Task], range: Range) -> Vec<Mark<'_>> {
    let mut marks: Vec<Mark<'_>> = Vec::new();
    for ending in Ending::ALL.into_iter().filter(|it| *it != Ending::Finished) {
        let mut of_kind: Vec<_> = tasks.iter().filter(|it| it.ending() == Some(ending)).collect();
        of_kind.sort_by_key(|task| task.ended());
        let begin = marks.len();
        for task in of_kind {
            // Within its bar, if that has room for it.
            let (begun, end) = (range.x(task.begun()), range.x(task.ended()));
            let x = end - ((end - begun) / 2.0).min(7.0);
            match marks[begin..].last_mut() {
                Some(last) if x - last.x < BETWEEN_MARKS => last.count += 1,
                _ => marks.push(Mark { x, ending, count: 1, task }),
            }
        }
    }
    marks
}
