//! What is known of a task in another process besides its outcome: what it wrote, and what it needed.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What was written to one stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Captured {
    #[serde(with = "serde_bytes")]
    pub(crate) bytes: Vec<u8>,
    /// There was more.
    pub(crate) is_cut: bool,
}

/// What a task wrote to its standard output and standard error.
///
/// From [`Future::output`](crate::Future::output) or [`TaskError::output`](crate::TaskError::output), if the
/// pool [captures](crate::ProcessPoolBuilder::capture_output) it. Cheap to clone.
///
/// # Examples
///
/// ```
/// use concurrent_futures::ProcessPoolExecutor;
///
/// let executor = ProcessPoolExecutor::builder().max_workers(1).capture_output(1 << 20).build()?;
/// let future = executor.submit(|name: String| println!("hello {name}"), "world".to_owned());
/// future.wait();
/// let output = future.output().expect("it is captured");
/// assert_eq!(output.stdout(), "hello world\n");
/// assert_eq!(output.stderr_bytes(), b"");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct TaskOutput(Arc<[Captured; 2]>);

impl TaskOutput {
    pub(crate) fn new(streams: [Captured; 2]) -> Self {
        TaskOutput(Arc::new(streams))
    }

    /// The text that it wrote to standard output; bytes that are none are replaced.
    pub fn stdout(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.stdout_bytes())
    }

    /// The text that it wrote to standard error; bytes that are none are replaced.
    ///
    /// # Examples
    ///
    /// See [`TaskError::output`](crate::TaskError::output).
    pub fn stderr(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.stderr_bytes())
    }

    /// What it wrote to standard output.
    ///
    /// # Examples
    ///
    /// See [`TaskOutput`].
    pub fn stdout_bytes(&self) -> &[u8] {
        &self.0[0].bytes
    }

    /// What it wrote to standard error.
    pub fn stderr_bytes(&self) -> &[u8] {
        &self.0[1].bytes
    }

    /// Whether it wrote more to one of them than is kept. What is missing is the end.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ProcessPoolExecutor;
    ///
    /// let executor = ProcessPoolExecutor::builder().max_workers(1).capture_output(5).build()?;
    /// let future = executor.submit(|()| println!("hello world"), ());
    /// future.wait();
    /// let output = future.output().expect("it is captured");
    /// assert_eq!(output.stdout(), "hello");
    /// assert!(output.is_cut());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_cut(&self) -> bool {
        self.0.iter().any(|it| it.is_cut)
    }

    /// The last line of standard error that says something, if it is not missing; what a terminal would do instead
    /// of showing it is escaped. That there might be more to read, which Rust adds to a panic that ends a process,
    /// says nothing.
    pub(crate) fn last_words(&self) -> Option<String> {
        const MOST: usize = 200;
        let errors = &self.0[1];
        let text = String::from_utf8_lossy(&errors.bytes);
        let says_something = |line: &&str| {
            const NOTES: [&str; 2] =
                ["note: run with `RUST_BACKTRACE=", "note: Some details are omitted"];
            !line.is_empty() && !NOTES.iter().any(|it| line.starts_with(it))
        };
        let text = before_backtrace(&text);
        let line = text.lines().rev().map(str::trim).find(says_something)?;
        let is_long = line.chars().nth(MOST).is_some();
        let mut words = String::new();
        for one in line.chars().take(MOST) {
            match is_obeyed(one) {
                true => words.extend(one.escape_default()),
                false => words.push(one),
            }
        }
        if is_long {
            words.push('…');
        }
        (!errors.is_cut).then_some(words)
    }
}

/// What stands before a backtrace with which the text ends: nothing but its lines, which are numbered or indented, and
/// notes follow.
fn before_backtrace(text: &str) -> &str {
    const TITLE: &str = "stack backtrace:\n";
    let Some((before, trace)) = text.rsplit_once(TITLE) else { return text };
    let is_of_trace = |line: &str| {
        let number = line.trim_start().split(':').next().unwrap_or_default();
        line.starts_with("  ") || line.starts_with("note: ") || number.parse::<u32>().is_ok()
    };
    if trace.lines().all(is_of_trace) { before } else { text }
}

/// Whether a terminal does what this says, instead of showing it: it moves the cursor, or changes the order of
/// what stands around it, so that something else seems to be said.
fn is_obeyed(one: char) -> bool {
    let reorders = matches!(one, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    one.is_control() || reorders
}

impl fmt::Debug for TaskOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskOutput")
            .field("stdout", &self.stdout())
            .field("stderr", &self.stderr())
            .field("is_cut", &self.is_cut())
            .finish()
    }
}

/// What a task needed: from [`Future::usage`](crate::Future::usage), if the pool
/// [measures](crate::ProcessPoolBuilder::measure_usage) it.
///
/// # Examples
///
/// ```
/// use concurrent_futures::ProcessPoolExecutor;
///
/// let executor = ProcessPoolExecutor::builder().max_workers(1).measure_usage().build()?;
/// let future = executor.submit(|n: u64| (0..n).filter(|n| n.is_power_of_two()).count(), 1_000_000);
/// future.wait();
/// let usage = future.usage().expect("it is measured");
/// println!("{:?} of processor time, {:?} bytes at most", usage.cpu_time(), usage.peak_memory());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskUsage {
    pub(crate) cpu_time: Duration,
    pub(crate) peak_memory: Option<u64>,
}

impl TaskUsage {
    /// How long processors worked for it: on all threads of the worker's process, in user code and in the
    /// system, while the call was decoded, run, and its result encoded. Other processes that it started
    /// do not count.
    pub fn cpu_time(&self) -> Duration {
        self.cpu_time
    }

    /// The most resident memory that its worker had while it ran, in bytes; what the worker had before
    /// counts too. None if the system cannot tell it for this task alone.
    pub fn peak_memory(&self) -> Option<u64> {
        self.peak_memory
    }
}

#[cfg(all(test, not(concurrent_futures_loom)))]
mod tests {
    use super::*;

    fn last_words(errors: &[u8], is_cut: bool) -> Option<String> {
        let errors = Captured { bytes: errors.to_vec(), is_cut };
        TaskOutput::new([Captured::default(), errors]).last_words()
    }

    #[test]
    fn the_last_words_are_the_last_line_that_says_something() {
        assert_eq!(last_words(b"first\n  second \n\n \n", false).as_deref(), Some("second"));
        assert_eq!(last_words(b"\xffbroken", false).as_deref(), Some("\u{fffd}broken"));
        assert_eq!(last_words(b"\n\n", false), None);
        let panics = b"out of it\nnote: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n";
        assert_eq!(last_words(panics, false).as_deref(), Some("out of it"));
        assert_eq!(last_words(b"", false), None);
    }

    #[test]
    fn where_a_process_was_when_it_ended_is_not_its_last_words() {
        let trace =
            "stack backtrace:\n   0: std::process::abort\n             at lib.rs:1\n  43: _start\n";
        let told = format!("out of memory\n{trace}note: Some details are omitted\n");
        assert_eq!(last_words(told.as_bytes(), false).as_deref(), Some("out of memory"));
        let told = format!("first\n{trace}and last\n");
        assert_eq!(last_words(told.as_bytes(), false).as_deref(), Some("and last"));
    }

    #[test]
    fn words_that_others_have_followed_are_not_the_last() {
        assert_eq!(last_words(b"not the last", true), None);
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        let words = |text: &str| last_words(text.as_bytes(), false).unwrap();
        assert_eq!(words("\x1b[2Jall is \x1b[32mwell"), r"\u{1b}[2Jall is \u{1b}[32mwell");
        assert_eq!(words("lost\rwell\x08\u{9b}1m"), r"lost\rwell\u{8}\u{9b}1m");
        assert_eq!(words("a \u{202e}txt.exe"), r"a \u{202e}txt.exe");
        let harmless = "it's \"ä\" e\u{301} \\ 日本";
        assert_eq!(words(harmless), harmless);
    }

    #[test]
    fn long_words_are_shortened() {
        let words = last_words("ä".repeat(1000).as_bytes(), false).unwrap();
        assert_eq!(words.chars().count(), 201);
        assert!(words.ends_with("ä…"));
    }
}
