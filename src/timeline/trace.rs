//! A timeline as a file for Chrome's tracing and Perfetto: JSON in the Trace Event Format.
//!
//! It is written by hand: it has one shape, in which only strings need care, and whoever uses the crate would
//! otherwise build a library for a file that few write.

use super::snapshot::{Snapshot, Task};
use super::{Ending, Timeline, text};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// No more values than this are written of how many tasks waited.
const MOST_COUNTS: usize = 4000;

/// The number of the group of tasks that have no worker, and of its only thread; those of the pools and workers
/// follow. Not zero: Perfetto takes a process of that number for the system's idle one.
const TASKS: usize = 1;

impl Timeline {
    /// Writes what is recorded as a trace in Chrome's format.
    ///
    /// [Perfetto](https://ui.perfetto.dev) and `chrome://tracing` open it. Each executor is a process there,
    /// each worker a thread of it, and each task a slice, which tells how long it waited and how it ended; tasks
    /// that did not finish are marked in their name as well. Tasks that never began are instants of the group
    /// `tasks`, where also stands how many tasks waited.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::{ThreadPoolExecutor, Timeline};
    ///
    /// let timeline = Timeline::new();
    /// let executor = ThreadPoolExecutor::builder().max_workers(1).timeline(&timeline).build()?;
    /// executor.submit(str::len, "some words").result()?;
    /// let mut trace = Vec::new();
    /// timeline.write_trace(&mut trace)?;
    /// assert!(String::from_utf8(trace)?.starts_with("{\"displayTimeUnit\""));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_trace(&self, mut writer: impl Write) -> io::Result<()> {
        write(&self.snapshot(), &mut writer)
    }

    /// The same into a file, which is replaced if it is there.
    ///
    /// # Errors
    ///
    /// The file cannot be created or written.
    ///
    /// # Examples
    ///
    /// See [`write_trace`](Self::write_trace).
    pub fn save_trace(&self, path: impl AsRef<Path>) -> io::Result<()> {
        save(path.as_ref(), |file| self.write_trace(file))
    }
}

/// Writes a file.
pub(super) fn save(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    write(&mut file)?;
    file.flush()
}

fn write(snapshot: &Snapshot, into: &mut impl Write) -> io::Result<()> {
    let mut pools: Vec<&str> = Vec::new();
    write!(into, "{{\"displayTimeUnit\":\"ms\",\"traceEvents\":[")?;
    write!(into, "\n{}", Meta { kind: "process_name", pid: TASKS, tid: TASKS, name: "tasks" })?;
    for (tid, row) in (TASKS + 1..).zip(&snapshot.lanes) {
        if pools.last() != Some(&row.pool.name.as_str()) {
            pools.push(&row.pool.name);
            let (kind, name) = ("process_name", &row.pool.name);
            write!(into, ",\n{}", Meta { kind, pid: TASKS + pools.len(), tid, name })?;
        }
        let (pid, name) = (TASKS + pools.len(), &row.worker);
        write!(into, ",\n{}", Meta { kind: "thread_name", pid, tid, name })?;
        write!(
            into,
            ",\n{{\"ph\":\"M\",\"name\":\"thread_sort_index\",\"pid\":{pid},\"tid\":{tid},\
             \"args\":{{\"sort_index\":{tid}}}}}"
        )?;
        for task in &row.tasks {
            slice(task, pid, tid, into)?;
        }
    }
    for task in &snapshot.not_begun {
        instant(task, into)?;
    }
    for (at, waiting) in waiting(snapshot) {
        let at = Micros(at);
        write!(
            into,
            ",\n{{\"ph\":\"C\",\"name\":\"waiting\",\"pid\":{TASKS},\"tid\":{TASKS},\"ts\":{at},\
             \"args\":{{\"tasks\":{waiting}}}}}"
        )?;
    }
    writeln!(into, "\n]}}")
}

fn slice(task: &Task, pid: usize, tid: usize, into: &mut impl Write) -> io::Result<()> {
    let (begun, ended) = (task.begun(), task.ended());
    write!(
        into,
        ",\n{{\"ph\":\"X\",{},\"pid\":{pid},\"tid\":{tid},\"ts\":{},\"dur\":{},{}",
        Named(task),
        Micros(begun),
        Micros(ended - begun),
        Args(task),
    )?;
    // Chrome's tracing knows some colours by name; Perfetto does not, and shows the name.
    let colour = match task.ending() {
        Some(Ending::Failed | Ending::Lost) => "terrible",
        Some(Ending::TimedOut | Ending::Retried) => "bad",
        Some(Ending::Cancelled) => "grey",
        Some(Ending::Finished) | None => return write!(into, "}}"),
    };
    write!(into, ",\"cname\":\"{colour}\"}}")
}

fn instant(task: &Task, into: &mut impl Write) -> io::Result<()> {
    write!(
        into,
        ",\n{{\"ph\":\"i\",\"s\":\"t\",{},\"pid\":{TASKS},\"tid\":{TASKS},\"ts\":{},{}}}",
        Named(task),
        Micros(task.ended()),
        Args(task),
    )
}

/// How many tasks waited from some moment on, of all that have begun or ended meanwhile.
pub(super) fn waiting(snapshot: &Snapshot) -> Vec<(u64, i64)> {
    let all = snapshot.lanes.iter().flat_map(|row| &row.tasks).chain(&snapshot.not_begun);
    let mut changes: BTreeMap<u64, i64> = BTreeMap::new();
    for task in all {
        *changes.entry(task.queued()).or_default() += 1;
        *changes.entry(task.begun()).or_default() -= 1;
    }
    let mut waiting = 0;
    let totals = changes.into_iter().map(|(at, change)| {
        waiting += change;
        (at, waiting)
    });
    let totals: Vec<_> = totals.collect();
    // Of several that are left out, the highest is the one that somebody wants to see.
    let share = totals.len().div_ceil(MOST_COUNTS).max(1);
    let last = totals.last().copied();
    let highest =
        totals.chunks(share).filter_map(|some| some.iter().max_by_key(|it| it.1).copied());
    highest.chain(last).collect()
}

struct Meta<'a> {
    kind: &'static str,
    pid: usize,
    tid: usize,
    name: &'a str,
}

impl fmt::Display for Meta<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Meta { kind, pid, tid, name } = self;
        let name = Quoted(name);
        write!(
            f,
            "{{\"ph\":\"M\",\"name\":\"{kind}\",\"pid\":{pid},\"tid\":{tid},\
             \"args\":{{\"name\":{name}}}}}"
        )
    }
}

/// What a task is called, and under which heading it can be found.
struct Named<'a>(&'a Task);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.name();
        let ending = ending(self.0);
        match self.0.ending() {
            Some(Ending::Finished) | None => write!(f, "\"name\":{}", Quoted(&name))?,
            Some(_) => write!(f, "\"name\":{}", Quoted(&format!("{name} ({ending})")))?,
        }
        write!(f, ",\"cat\":\"{ending}\"")
    }
}

/// What is told of a task when it is looked at.
struct Args<'a>(&'a Task);

impl fmt::Display for Args<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let task = self.0;
        let waited = text::time(task.begun() - task.queued());
        let name = task.name();
        write!(f, "\"args\":{{\"label\":{},\"ending\":\"{}\"", Quoted(&name), ending(task))?;
        write!(f, ",\"waited\":\"{waited}\"")?;
        if let Some(id) = task.process_id() {
            write!(f, ",\"process\":{id}")?;
        }
        write!(f, "}}")
    }
}

pub(super) fn ending(task: &Task) -> &'static str {
    task.ending().map_or("running", Ending::word)
}

/// Nanoseconds, as the microseconds that the format wants.
struct Micros(u64);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

/// A string in JSON.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for part in self.0.chars() {
            match part {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\0'..' ' => write!(f, "\\u{:04x}", u32::from(part))?,
                _ => write!(f, "{part}")?,
            }
        }
        f.write_str("\"")
    }
}
