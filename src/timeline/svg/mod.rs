//! A timeline as a picture: an SVG that stands for itself, for any browser.
//!
//! `layout` decides what is to be seen, which is never more than a page can bear; `draw` writes it down;
//! `style` says what it looks like.

mod draw;
mod layout;
mod style;

use super::Timeline;
use super::trace::save;
use std::io::{self, Write};
use std::path::Path;

impl Timeline {
    /// Draws what is recorded, as an SVG.
    ///
    /// A lane for each worker, in it a bar for each task, and over them how many tasks waited. What failed, took
    /// too long, was cancelled or lost is marked. A browser tells more of what the mouse points at, and shows
    /// all of it light or dark, as its user likes.
    ///
    /// Bars that would be too thin to be seen are drawn together, in a shade that tells how busy the worker was:
    /// the picture has one or two megabytes at the most, however many tasks and workers there are.
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
    /// let mut picture = Vec::new();
    /// timeline.write_svg(&mut picture)?;
    /// assert!(String::from_utf8(picture)?.starts_with("<svg"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_svg(&self, writer: impl Write) -> io::Result<()> {
        draw::draw(&self.snapshot(), writer)
    }

    /// The same into a file, which is replaced if it is there.
    ///
    /// # Errors
    ///
    /// The file cannot be created or written.
    ///
    /// # Examples
    ///
    /// See [`write_svg`](Self::write_svg).
    pub fn save_svg(&self, path: impl AsRef<Path>) -> io::Result<()> {
        save(path.as_ref(), |file| self.write_svg(file))
    }
}
