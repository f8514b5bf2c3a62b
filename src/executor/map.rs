//! `map`: one call for each item of an input, with the results as an iterator.
//!
//! Items travel in chunks, one task a chunk. A [`Map`] keeps chunks in flight up to its bound,
//! hands out results, and submits the next chunk as room appears. Unless it is told a size, it
//! finds one: the workers measure how long a chunk takes, and the next one is made to last about
//! [`CHUNK_TARGET`].

use crate::error::{TaskError, TaskErrorKind, WaitTimeout};
use crate::future::{CompletionQueue, Future};
use crate::sync::{Arc, deadline_after};
use crate::task::{self, cancellation_requested};
use std::collections::VecDeque;
use std::fmt;
use std::iter::{Fuse, FusedIterator};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::time::{Duration, Instant};

/// How long a chunk should keep a worker busy. Long against the cost of handing a chunk over (a few
/// microseconds, some tens if a sleeping thread has to be woken), short against the time that is
/// lost when one worker still has a chunk and the others have none.
const CHUNK_TARGET: Duration = Duration::from_micros(500);

/// By how much a chunk may be longer than the one that was measured.
const GROWTH: usize = 8;

/// A chunk that is found by measuring never has more items than this, whatever was measured.
const MAX_CHUNK: usize = 1 << 14;

/// Of what is left of an input of known length, a chunk takes at most this part of each worker's
/// share, so that the workers end together even if some items take much longer than others.
const SHARES: usize = 8;

/// How often a worker looks, in a chunk whose items were measured, whether the map has been cancelled.
const LOOKS_PER_CHUNK: usize = 64;

/// How many chunks are in flight for each worker, unless a `buffersize` says otherwise: enough for
/// the workers to go on while the results of a chunk are being read.
const CHUNKS_PER_WORKER: usize = 4;

/// How a [`Map`] goes about its work. Everything is optional.
///
/// # Examples
///
/// ```
/// use concurrent_futures::{MapOptions, ThreadPoolExecutor};
/// use std::num::NonZeroUsize;
///
/// let executor = ThreadPoolExecutor::new(2)?;
/// let ten = NonZeroUsize::new(10).unwrap();
/// // Endless input is safe: at most ten items are on their way at any time.
/// let options = MapOptions::new().buffersize(ten);
/// let squares = executor.map_with(options, |n: u64| n * n, 1..);
/// assert_eq!(squares.map(Result::unwrap).take(3).collect::<Vec<_>>(), [1, 4, 9]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Python
///
/// The keyword arguments of `map`; `eager` is what Python does without a `buffersize`, `unordered` has no
/// counterpart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "options do nothing until they are given to a map"]
pub struct MapOptions {
    chunksize: Option<NonZeroUsize>,
    buffersize: Option<NonZeroUsize>,
    timeout: Option<Duration>,
    eager: bool,
    unordered: bool,
}

impl MapOptions {
    /// In input order, lazily, with chunks of a size that is found by measuring, no deadline.
    pub fn new() -> Self {
        MapOptions::default()
    }

    /// How many items make one task. Default: found by measuring.
    ///
    /// With one, a [timeout](crate::TaskOptions::timeout) or the death of a worker process costs one
    /// item, and not all of its chunk.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::{MapOptions, ThreadPoolExecutor};
    /// use std::num::NonZeroUsize;
    ///
    /// let executor = ThreadPoolExecutor::new(2)?;
    /// // Each item is a task of its own, so that a failure, or a time limit, concerns no other.
    /// let single = MapOptions::new().chunksize(NonZeroUsize::MIN);
    /// let results: Vec<_> = executor.map_with(single, |n: u32| 12 / n, [3, 0, 4]).collect();
    /// assert!(results[1].is_err());
    /// assert_eq!(results.into_iter().flatten().sum::<u32>(), 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn chunksize(mut self, items: NonZeroUsize) -> Self {
        self.chunksize = Some(items);
        self
    }

    /// How many items may have been taken from the input and not yet been handed out as results.
    /// The bound is never exceeded; a `chunksize` larger than it is reduced to it.
    pub fn buffersize(mut self, items: NonZeroUsize) -> Self {
        self.buffersize = Some(items);
        self
    }

    /// Takes and submits the whole input within the call, as Python does unless it is given a
    /// `buffersize`. The input must end. Dropping the map still cancels what has not begun.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::{MapOptions, ThreadPoolExecutor};
    ///
    /// let executor = ThreadPoolExecutor::new(2)?;
    /// let squares = executor.map_with(MapOptions::new().eager(), |n| n * n, 0..1000_u64);
    /// executor.shutdown(true, false); // all have been submitted by now
    /// assert_eq!(squares.sum::<Result<u64, _>>()?, 332_833_500);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn eager(mut self) -> Self {
        self.eager = true;
        self
    }

    /// Gives results in the order in which their chunks are done. With a `chunksize` of one this is
    /// the order of completion.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::{MapOptions, ThreadPoolExecutor};
    ///
    /// let executor = ThreadPoolExecutor::new(2)?;
    /// let squares = executor.map_with(MapOptions::new().unordered(), |n: u32| n * n, 1..=100);
    /// assert_eq!(squares.filter_map(Result::ok).sum::<u32>(), 338_350);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn unordered(mut self) -> Self {
        self.unordered = true;
        self
    }

    /// A deadline for the whole iteration, counted from the call of `map`. When a result is not
    /// ready by then, the iterator gives [`DeadlinePassed`](TaskErrorKind::DeadlinePassed) once and
    /// ends, and what has not begun is cancelled. A result that is ready is handed out even later.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::{MapOptions, TaskErrorKind, ThreadPoolExecutor};
    /// use std::sync::mpsc;
    /// use std::time::Duration;
    ///
    /// let executor = ThreadPoolExecutor::new(1)?;
    /// let (release, is_released) = mpsc::channel::<()>();
    /// let is_released = std::sync::Mutex::new(is_released);
    /// let wait = move |_| drop(is_released.lock().unwrap().recv());
    /// let options = MapOptions::new().timeout(Duration::from_millis(1));
    /// let mut results = executor.map_with(options, wait, [()]);
    /// let error = results.next().unwrap().unwrap_err();
    /// assert!(matches!(error.kind(), TaskErrorKind::DeadlinePassed { .. }));
    /// assert!(results.next().is_none());
    /// drop(release);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }
}

/// What a task that ran a chunk gives.
#[derive(Debug)]
pub(crate) struct ChunkOf<R> {
    pub(crate) results: Each<Result<R, TaskError>>,
    /// How long it took.
    pub(crate) elapsed: Duration,
}

/// Items on their way to a worker.
#[derive(Debug)]
pub(crate) struct Chunk<A> {
    pub(crate) items: Each<A>,
    /// How many items may begin between two looks at whether the chunk is still wanted.
    pub(crate) stride: usize,
}

/// Runs a chunk on a worker, with `call` for each item. Stops early when it is not wanted any more.
///
/// A panic is the outcome of its item, and the next one follows. What catches it stands around all
/// items up to the next panic, for it costs more than a small item does.
pub(crate) fn run_chunk<A, R>(chunk: Chunk<A>, mut call: impl FnMut(A) -> R) -> ChunkOf<R> {
    let begun = Instant::now();
    let Chunk { mut items, stride } = chunk;
    let mut results = Each(Vec::with_capacity(items.0.len()));
    let mut items = std::mem::take(&mut items.0).into_iter();
    let (mut is_wanted, mut has_begun) = (true, false);
    while is_wanted
        && let Err(panic) = task::catch(|| {
            while items.len() > 0 {
                if std::mem::replace(&mut has_begun, true) && cancellation_requested() {
                    is_wanted = false;
                    return;
                }
                // No division for each item: it would cost more than a small one does.
                items.by_ref().take(stride).for_each(|item| results.0.push(Ok(call(item))));
            }
        })
    {
        let label = task::current_label().map(Arc::from);
        results.0.push(Err(TaskError::labelled(TaskErrorKind::Panicked(panic), label)));
    }
    drop(Each(items.collect()));
    ChunkOf { results, elapsed: begun.elapsed() }
}

/// Values of the user's, each of which is dropped for itself: two panics in the drop of one
/// collection would end the program.
#[derive(Debug)]
pub(crate) struct Each<T>(pub(crate) Vec<T>);

impl<T> Drop for Each<T> {
    fn drop(&mut self) {
        for value in self.0.drain(..) {
            task::contain(|| drop(value));
        }
    }
}

type Submit<A, R> = Box<dyn FnMut(Chunk<A>) -> Future<ChunkOf<R>> + Send>;

/// The results of a `map`, as an iterator.
///
/// Made by an executor's `map`. Each result is `Ok`, or an error; those after it follow. A panic is
/// the error of that one call. But a chunk is one task: if it runs out of its
/// [time](crate::TaskOptions::timeout), or its worker process dies, all of its items fail.
///
/// Unless it was asked to be [eager](MapOptions::eager), only some items are on their way at
/// a time, and taking a result submits the next: endless input is safe, and an iterator that is not
/// read does not get far. [`close`](Self::close) or dropping it cancels what has not begun and asks
/// what is running to stop, whether or not iteration had begun. An executor that refuses a task
/// (because it has been shut down, say) ends the iteration, after the errors that say so.
///
/// `next` blocks until a result is there; on a worker of the same pool it runs the chunk itself if
/// nobody has begun it. The input is read on the thread that calls `map` and `next`; if it panics,
/// the panic goes through and everything on its way is cancelled as the iterator is dropped.
///
/// # Python
///
/// `Executor.map` with the semantics of Python 3.16, where iteration goes on after an error. Bounded
/// by default. In Python a map that is dropped before it was read runs all the same; here it is
/// cancelled, so read it to its end. Several inputs are zipped by the caller.
///
/// # Examples
///
/// ```
/// # let executor = concurrent_futures::ThreadPoolExecutor::new(2)?;
/// let mut results = executor.map(|n: u32| 12 / n, [1, 0, 3]);
/// assert_eq!(results.next().unwrap()?, 12);
/// assert!(results.next().unwrap().unwrap_err().is_panic()); // division by zero
/// assert_eq!(results.next().unwrap()?, 4);
/// assert!(results.next().is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping a map cancels what has not begun: read it to its end, for instance by \
              `for_each(drop)`, or use `submit_all`"]
pub struct Map<I: Iterator, R> {
    items: Fuse<I>,
    submit: Submit<I::Item, R>,
    in_flight: InFlight<R>,
    /// Results of one chunk, on their way out.
    ready: std::vec::IntoIter<Result<R, TaskError>>,
    /// Which item the first of them belongs to.
    next_item: usize,
    /// How many of them failed together, as a chunk; one if each has a result of its own.
    failed_together: usize,
    /// Items taken from the input so far.
    taken: usize,
    /// Of these, how many have not been handed out yet.
    buffered: usize,
    sizes: Sizes,
    deadline: Option<Deadline>,
    /// Something has been handed out, or has arrived, since the input was last looked at.
    has_room: bool,
    is_closed: bool,
    /// Nothing more is submitted: the executor has refused a chunk.
    is_refused: bool,
}

struct Sizes {
    chunk: usize,
    is_measured: bool,
    max_items: usize,
    is_bounded_by_items: bool,
    max_chunks: usize,
    workers: usize,
}

impl Sizes {
    /// How many items to put into the next chunk, when the input still has `left` of them.
    fn next(&self, left: (usize, Option<usize>)) -> usize {
        match left {
            // Towards a known end the chunks get smaller, so that the workers end together.
            (least, Some(most)) if self.is_measured && least == most => {
                self.chunk.min((most / (SHARES * self.workers)).max(1))
            }
            _ => self.chunk,
        }
    }
}

struct Deadline {
    at: Option<Instant>,
    limit: Duration,
}

/// A chunk that was waited for.
enum Popped<R> {
    /// Which items, and what became of them.
    Chunk(Range<usize>, Result<ChunkOf<R>, TaskError>),
    DeadlinePassed,
}

enum InFlight<R> {
    Ordered(VecDeque<(Range<usize>, Future<ChunkOf<R>>)>),
    Unordered(CompletionQueue<(Range<usize>, Future<ChunkOf<R>>)>),
}

impl<R> InFlight<R> {
    fn len(&self) -> usize {
        match self {
            InFlight::Ordered(chunks) => chunks.len(),
            InFlight::Unordered(chunks) => chunks.len(),
        }
    }

    fn push(&mut self, chunk: (Range<usize>, Future<ChunkOf<R>>)) {
        match self {
            InFlight::Ordered(chunks) => chunks.push_back(chunk),
            InFlight::Unordered(chunks) => chunks.push(chunk),
        }
    }

    /// Waits for the next chunk and takes it; `None` if there is none.
    fn pop(&mut self, remaining: Option<Duration>) -> Option<Popped<R>> {
        let (items, future) = match (self, remaining) {
            (InFlight::Ordered(chunks), _) => chunks.pop_front()?,
            (InFlight::Unordered(chunks), None) => chunks.pop()?,
            (InFlight::Unordered(chunks), Some(remaining)) => {
                if chunks.is_empty() {
                    return None;
                }
                match chunks.pop_timeout(remaining) {
                    Some(chunk) => chunk,
                    None => return Some(Popped::DeadlinePassed),
                }
            }
        };
        let Some(remaining) = remaining else {
            return Some(Popped::Chunk(items, future.result()));
        };
        match future.result_timeout(remaining) {
            Ok(outcome) => Some(Popped::Chunk(items, outcome)),
            // It was done in time, and its worker is about to let go of it.
            Err(WaitTimeout { pending, .. }) if pending.done() => {
                Some(Popped::Chunk(items, pending.result()))
            }
            Err(WaitTimeout { pending, .. }) => {
                pending.abort();
                Some(Popped::DeadlinePassed)
            }
        }
    }

    fn abort(&mut self) {
        let chunks: Vec<_> = match self {
            InFlight::Ordered(chunks) => chunks.drain(..).collect(),
            InFlight::Unordered(chunks) => std::mem::take(chunks).into_items(),
        };
        // First all that have not begun: a worker that stops for us must not begin another of them.
        chunks.iter().for_each(|(_, future)| _ = future.cancel());
        chunks.iter().for_each(|(_, future)| _ = future.abort());
        drop(Each(chunks));
    }
}

impl<I: Iterator, R> Map<I, R> {
    pub(crate) fn new(
        options: MapOptions,
        workers: usize,
        items: I,
        submit: impl FnMut(Chunk<I::Item>) -> Future<ChunkOf<R>> + Send + 'static,
    ) -> Self {
        let deadline = options.timeout.map(|limit| Deadline { at: deadline_after(limit), limit });
        let max_items = options.buffersize.map_or(usize::MAX, NonZeroUsize::get);
        let is_bounded_by_items = options.buffersize.is_some() || options.eager;
        let sizes = Sizes {
            chunk: options.chunksize.map_or(1, NonZeroUsize::get).min(max_items),
            is_measured: options.chunksize.is_none(),
            max_items: if options.eager { usize::MAX } else { max_items },
            is_bounded_by_items,
            max_chunks: if is_bounded_by_items { usize::MAX } else { CHUNKS_PER_WORKER * workers },
            workers,
        };
        let mut map = Map {
            items: items.fuse(),
            submit: Box::new(submit),
            in_flight: if options.unordered {
                InFlight::Unordered(CompletionQueue::new())
            } else {
                InFlight::Ordered(VecDeque::new())
            },
            ready: Vec::new().into_iter(),
            taken: 0,
            next_item: 0,
            failed_together: 1,
            buffered: 0,
            sizes,
            deadline,
            has_room: false,
            is_closed: false,
            is_refused: false,
        };
        map.refill();
        map
    }

    /// Ends the iteration: cancels what has not begun, and asks what is running to stop. The
    /// iterator gives nothing more. Never blocks.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ThreadPoolExecutor::new(1)?;
    /// let mut results = executor.map(|n: u64| n * n, 1..);
    /// assert_eq!(results.next().unwrap()?, 1);
    /// results.close();
    /// assert!(results.next().is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close(&mut self) {
        self.is_closed = true;
        self.has_room = false;
        self.buffered = 0;
        // What is on its way first, for a result that is ready may panic when it is dropped.
        self.in_flight.abort();
        drop(Each(std::mem::take(&mut self.ready).collect()));
    }

    /// Submits chunks as long as there is room.
    fn refill(&mut self) {
        self.has_room = false;
        while !self.is_refused && self.in_flight.len() < self.sizes.max_chunks {
            let room = self.sizes.max_items - self.buffered;
            let chunk = self.sizes.next(self.items.size_hint());
            // A chunk that does not fit waits for room, so that chunks do not shrink to nothing.
            if room < chunk && self.buffered > 0 || room == 0 {
                return;
            }
            let items: Vec<_> = self.items.by_ref().take(chunk.min(room)).collect();
            if items.is_empty() {
                return;
            }
            let len = items.len();
            let stride = if self.sizes.is_measured { len.div_ceil(LOOKS_PER_CHUNK) } else { 1 };
            let future = (self.submit)(Chunk { items: Each(items), stride });
            self.is_refused = matches!(future.peek(), Some(Err(error)) if error.is_refused());
            self.buffered += len;
            self.in_flight.push((self.taken..self.taken + len, future));
            self.taken += len;
        }
    }

    /// Waits for the next chunk, and makes its results ready.
    fn receive(&mut self) -> Option<Result<(), TaskError>> {
        let remaining = self.deadline.as_ref().map(|deadline| match deadline.at {
            Some(at) => at.saturating_duration_since(Instant::now()),
            None => Duration::MAX,
        });
        let popped = self.in_flight.pop(remaining)?;
        self.has_room = true;
        match popped {
            Popped::Chunk(items, Ok(chunk)) => {
                let len = items.len();
                self.measure(len, chunk.elapsed);
                let mut results = chunk.results;
                let results = std::mem::take(&mut results.0);
                debug_assert_eq!(results.len(), len, "only an unwanted chunk stops early");
                self.buffered -= len - results.len();
                self.next_item = items.start;
                self.failed_together = 1;
                self.ready = results.into_iter();
            }
            Popped::Chunk(items, Err(error)) => {
                // The whole chunk failed: every item of it did.
                self.next_item = items.start;
                self.failed_together = items.len();
                self.ready =
                    vec![error; items.len()].into_iter().map(Err).collect::<Vec<_>>().into_iter();
            }
            Popped::DeadlinePassed => {
                let limit = self.deadline.as_ref().map_or(Duration::ZERO, |it| it.limit);
                self.close();
                return Some(Err(TaskError::new(TaskErrorKind::DeadlinePassed { limit })));
            }
        }
        Some(Ok(()))
    }

    /// Chooses the size of the next chunks by how long this one took.
    fn measure(&mut self, len: usize, elapsed: Duration) {
        if !self.sizes.is_measured {
            return;
        }
        let per_item = elapsed.as_nanos().max(1) / len.max(1) as u128;
        let fitting = CHUNK_TARGET.as_nanos() / per_item.max(1);
        let fitting = usize::try_from(fitting).unwrap_or(MAX_CHUNK);
        // With a bound on items, leave several chunks in it, so that the workers can share.
        let most = MAX_CHUNK.min((self.sizes.max_items / CHUNKS_PER_WORKER).max(1));
        self.sizes.chunk = fitting.min(len.saturating_mul(GROWTH)).clamp(1, most);
    }
}

impl<I: Iterator, R> Iterator for Map<I, R> {
    type Item = Result<R, TaskError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        // What was handed out before makes room now, and not while it was in the caller's hands: so
        // the bound also holds for whoever counts from outside.
        if self.has_room {
            self.refill();
        }
        loop {
            if let Some(result) = self.ready.next() {
                let item = self.next_item;
                self.next_item += 1;
                self.buffered -= 1;
                self.has_room |= self.sizes.is_bounded_by_items;
                let together = self.failed_together;
                return Some(result.map_err(|error| error.of_item(item, together)));
            }
            if self.is_closed {
                return None;
            }
            if let Err(error) = self.receive()? {
                return Some(Err(error));
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        if self.is_closed {
            return (0, Some(0));
        }
        let (least, most) = self.items.size_hint();
        let most = most.and_then(|most| most.checked_add(self.buffered));
        if self.deadline.is_some() || self.is_refused {
            // It may end early, and with one more error.
            return (0, most.and_then(|most| most.checked_add(1)));
        }
        (self.buffered.saturating_add(least), most)
    }
}

impl<I: Iterator, R> FusedIterator for Map<I, R> {}

impl<I: Iterator, R> Drop for Map<I, R> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<I: Iterator, R> fmt::Debug for Map<I, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map")
            .field("buffered", &self.buffered)
            .field("chunks_in_flight", &self.in_flight.len())
            .field("closed", &self.is_closed)
            .finish_non_exhaustive()
    }
}
