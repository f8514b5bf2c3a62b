//! A live view of executors in the terminal.
//!
//! `sources` says what can be looked at, `view` is what was seen at one moment, and `render` draws that on the
//! `screen`; here is who looks again and again.

mod render;
mod screen;
mod sources;
mod view;

pub use sources::Watched;

use crate::sync::Arc;
use crate::sync::global::{AtomicUsize, Ordering};
use crate::sync::thread::{self, JoinHandle};
use crate::sys;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyModifiers};
use screen::Screen;
use sources::Source;
use std::fmt;
use std::io;
use std::time::Duration;
use view::History;

/// How often it is drawn anew.
const FRAME: Duration = Duration::from_millis(125);

/// A live view of executors, in the terminal. Only with the feature `monitor`.
///
/// It shows of each executor how many tasks wait and are done, how many are done in a second, and how many did
/// not end well; what each worker is at and since when, with its process; and the latest failures. It reads
/// that some times a second, from [`stats`](crate::ThreadPoolHandle::stats) and from the executor's
/// [`Timeline`](crate::Timeline). Without one of these, little can be said of a pool of threads but numbers.
///
/// The view takes the whole terminal, until it ends or somebody types `q` or Esc; the work goes on. Then, and if the
/// program panics, the terminal is as it was before. Ctrl-C interrupts the program as ever. What the program, or a worker process, prints
/// meanwhile disturbs the picture: print it afterwards. The panic hook is not called meanwhile for panics in tasks,
/// which are in their futures. Where standard output or input is no terminal, or another view has it, nothing is shown.
///
/// # Python
///
/// There is no counterpart.
///
/// # Examples
///
/// ```
/// use concurrent_futures::{Monitor, ThreadPoolExecutor, Timeline};
///
/// let timeline = Timeline::new();
/// let executor = ThreadPoolExecutor::builder().max_workers(2).timeline(&timeline).build()?;
/// let view = Monitor::new().executor("squares", &executor).run_in_background()?;
/// let squares: Result<Vec<u64>, _> = executor.map(|n| n * n, 1..=1000).collect();
/// drop(view);
/// assert_eq!(squares?.len(), 1000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a monitor shows nothing until it runs"]
#[derive(Default)]
pub struct Monitor {
    sources: Vec<(String, Source)>,
}

impl Monitor {
    /// A view of nothing yet.
    pub fn new() -> Self {
        Monitor::default()
    }

    /// Shows this executor too, under this name. Does not keep it going.
    ///
    /// # Examples
    ///
    /// See [`Monitor`].
    pub fn executor(mut self, name: impl Into<String>, executor: &impl Watched) -> Self {
        self.sources.push((name.into(), executor.source()));
        self
    }

    /// Shows the view until `is_over` says so, or somebody types `q`. Blocks that long; `is_over` is asked some
    /// times a second. Where there is no terminal, returns at once.
    ///
    /// # Errors
    ///
    /// Those of the terminal.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ThreadPoolExecutor::new(1)?;
    /// use concurrent_futures::Monitor;
    ///
    /// let future = executor.spawn(|| 42);
    /// Monitor::new().executor("answers", &executor).run_until(|| future.done())?;
    /// assert_eq!(future.result()?, 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn run_until(self, mut is_over: impl FnMut() -> bool) -> io::Result<()> {
        let Some(mut screen) = Screen::take()? else { return Ok(()) };
        let mut history = History::new(self.sources.iter().map(|(name, _)| name.clone()).collect());
        while !is_over() {
            let view = history.look(self.sources.iter().map(|(_, source)| source.as_look()));
            if !screen.draw(|area, buffer| render::render(&view, area, buffer))? {
                break;
            }
            if event::poll(FRAME)?
                && let Event::Key(key) = event::read()?
            {
                match key.code {
                    KeyCode::Char('q') | KeyCode::Esc => break,
                    KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                        drop(screen);
                        sys::interrupt();
                        break;
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Shows the view on a thread of its own, until what this gives is dropped, or somebody types `q`.
    ///
    /// # Errors
    ///
    /// The thread cannot be started. What the terminal says comes from [`MonitorView::close`].
    ///
    /// # Examples
    ///
    /// See [`Monitor`].
    pub fn run_in_background(self) -> io::Result<MonitorView> {
        let (told, error) = (Arc::new(AtomicUsize::new(0)), Arc::default());
        let is_over = Arc::clone(&told);
        let into: Arc<crate::sync::global::Mutex<Option<io::Error>>> = Arc::clone(&error);
        let show = move || {
            // ORDERING: relaxed; nothing is published with it.
            let result = self.run_until(|| is_over.load(Ordering::Relaxed) != 0);
            *into.lock() = result.err();
        };
        let thread = Some(thread::spawn("monitor".to_owned(), None, show)?);
        Ok(MonitorView { told, error, thread })
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.sources.iter().map(|(name, _)| name).collect();
        f.debug_struct("Monitor").field("executors", &names).finish()
    }
}

/// A [`Monitor`] that runs in the background. It ends when this is dropped, which blocks until the terminal is as
/// it was before.
///
/// # Examples
///
/// See [`Monitor`].
#[must_use = "the view ends when this is dropped"]
pub struct MonitorView {
    told: Arc<AtomicUsize>,
    error: Arc<crate::sync::global::Mutex<Option<io::Error>>>,
    thread: Option<JoinHandle<()>>,
}

impl MonitorView {
    /// Ends the view, as a drop does.
    ///
    /// # Errors
    ///
    /// What has gone wrong with the terminal.
    ///
    /// # Examples
    ///
    /// ```
    /// let view = concurrent_futures::Monitor::new().run_in_background()?;
    /// view.close()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn close(mut self) -> io::Result<()> {
        self.end();
        self.error.lock().take().map_or(Ok(()), Err)
    }

    fn end(&mut self) {
        // ORDERING: relaxed; nothing is published with it.
        self.told.store(1, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for MonitorView {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for MonitorView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MonitorView").finish_non_exhaustive()
    }
}
