//! A progress bar for what gives results one after the other.

use super::Map;
use crate::error::TaskError;
use crate::future::{AsCompleted, Waitable};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use std::fmt;
use std::iter::FusedIterator;
use std::time::Duration;

/// How often the times are brought up to date while nothing comes.
const TICK: Duration = Duration::from_millis(250);

/// An iterator that shows in the terminal how far it has come; from [`Map::progress`] and
/// [`AsCompleted::progress`]. Only with the feature `progress`.
///
/// A bar with the number of items and of all of them, how many come in a second, and how long it may still
/// take; without the latter two if nobody knows how many there will be. How many have failed is told too.
/// It is drawn on standard error, some times a second, and not at all if that is no terminal. At the end, or
/// when the iterator is dropped before, it stays as it is then.
///
/// What is printed meanwhile would tear the bar apart: print it within `suspend` of the [`bar`](Self::bar), or
/// by its `println`.
///
/// # Python
///
/// `tqdm(executor.map(...))`.
///
/// # Examples
///
/// ```
/// use concurrent_futures::ThreadPoolExecutor;
///
/// let executor = ThreadPoolExecutor::new(2)?;
/// let squares: Result<Vec<u64>, _> = executor.map(|n| n * n, 1..=1000).progress().collect();
/// assert_eq!(squares?.len(), 1000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "an iterator does nothing until it is read"]
pub struct Progress<I: Iterator> {
    items: I,
    has_failed: fn(&I::Item) -> bool,
    failed: u64,
    label: String,
    bar: ProgressBar,
}

impl<I: Iterator> Progress<I> {
    fn new(items: I, has_failed: fn(&I::Item) -> bool) -> Self {
        let bar = ProgressBar::no_length();
        let mut progress = Progress { items, has_failed, failed: 0, label: String::new(), bar };
        progress.style("{spinner} {prefix}{human_pos} in {elapsed}{msg}");
        progress.learn_length();
        if !progress.bar.is_hidden() {
            progress.bar.enable_steady_tick(TICK);
        }
        progress
    }

    fn style(&self, template: &str) {
        let rate = |state: &ProgressState, into: &mut dyn fmt::Write| {
            let rate = state.per_sec();
            let places = if rate < 10.0 { 1 } else { 0 };
            let _ = write!(into, "{rate:.places$}/s");
        };
        match ProgressStyle::with_template(template) {
            Ok(style) => self.bar.set_style(style.progress_chars("━╸─").with_key("rate", rate)),
            Err(error) => unreachable!("the template is well-formed: {error}"),
        }
    }

    /// Looks whether it is known by now how many there will be.
    fn learn_length(&mut self) {
        if self.bar.length().is_some() {
            return;
        }
        if let (least, Some(most)) = self.items.size_hint()
            && least == most
        {
            self.bar.set_length(self.bar.position() + least as u64);
            self.style(
                "{prefix}{wide_bar} {human_pos}/{human_len}, {rate}, {elapsed}, {eta} left{msg}",
            );
        }
    }

    /// The bar stays as it is.
    fn finish(&mut self) {
        if self.bar.is_finished() {
            return;
        }
        if self.bar.length().is_some() {
            self.style("{prefix}{wide_bar} {human_pos}/{human_len}, {rate}, {elapsed}{msg}");
        }
        self.bar.abandon();
    }

    /// Puts a word before the bar.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ThreadPoolExecutor::new(2)?;
    /// let pages = executor.map(|page: u32| page + 1, 0..10).progress().label("pages");
    /// assert_eq!(pages.count(), 10);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self.bar.set_prefix(format!("{} ", self.label));
        self
    }

    /// The bar, of the crate `indicatif`. Clones are the same bar.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ThreadPoolExecutor::new(2)?;
    /// let results = executor.map(|n: u32| 12 / n, [1, 0, 3]).progress();
    /// let bar = results.bar();
    /// for result in results {
    ///     if let Err(error) = result {
    ///         bar.suspend(|| eprintln!("{error}"));
    ///     }
    /// }
    /// assert_eq!((bar.position(), bar.is_finished()), (3, true));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn bar(&self) -> ProgressBar {
        self.bar.clone()
    }
}

impl<I: Iterator, R> Map<I, R> {
    /// Shows in the terminal how far it has come; see [`Progress`]. Only with the feature `progress`.
    ///
    /// # Examples
    ///
    /// See [`Progress`].
    pub fn progress(self) -> Progress<Self> {
        Progress::new(self, Result::<R, TaskError>::is_err)
    }
}

impl<W: Waitable> AsCompleted<W> {
    /// Shows in the terminal how far it has come; see [`Progress`]. Only with the feature `progress`.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::as_completed;
    /// # let executor = concurrent_futures::ThreadPoolExecutor::new(2)?;
    /// let futures = executor.submit_all(|n| n * n, [1, 2, 3]);
    /// let mut sum = 0;
    /// for future in as_completed(futures).progress() {
    ///     sum += future.result()?;
    /// }
    /// assert_eq!(sum, 14);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn progress(self) -> Progress<Self> {
        Progress::new(self, |item| {
            item.awaited().task().is_some_and(|task| task.snapshot().is_failed())
        })
    }
}

impl<I: Iterator> Iterator for Progress<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        let Some(item) = self.items.next() else {
            self.finish();
            return None;
        };
        if (self.has_failed)(&item) {
            self.failed += 1;
            self.bar.set_message(format!(", {} failed", self.failed));
        }
        self.bar.inc(1);
        self.learn_length();
        Some(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.size_hint()
    }
}

impl<I: ExactSizeIterator> ExactSizeIterator for Progress<I> {}
impl<I: FusedIterator> FusedIterator for Progress<I> {}

impl<I: Iterator> Drop for Progress<I> {
    fn drop(&mut self) {
        self.finish();
    }
}

impl<I: Iterator + fmt::Debug> fmt::Debug for Progress<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress")
            .field("items", &self.items)
            .field("position", &self.bar.position())
            .finish_non_exhaustive()
    }
}
