//! Calls of one function with many items, which travel in chunks.

use super::encoding::not_encoded;
use super::handle::ProcessPoolHandle;
use super::payload::{Arrived, Writer};
use super::shared::for_call;
use super::wire::chunk::{self, ItemOutcome};
use super::wire::{code, value};
use crate::error::{TaskError, TaskErrorKind, TransferError, TransferStage};
use crate::executor::{Chunk, ChunkOf, Each, Map, MapOptions};
use crate::future::Future;
use crate::sync::Arc;
use crate::task;
use serde::Serialize;
use serde::de::DeserializeOwned;

impl<S: 'static> ProcessPoolHandle<S> {
    /// Calls `function` with every item, and gives the results in the order of the items; see
    /// [`Map`] for what happens when.
    ///
    /// Items travel in chunks, and a chunk is one task: if its worker dies, all of its items fail.
    /// Give a [`chunksize`](MapOptions::chunksize) of one where that can happen.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ProcessPoolExecutor::new(2)?;
    /// let squares: Result<Vec<u64>, _> = executor.map(|n| n * n, 1..=4).collect();
    /// assert_eq!(squares?, [1, 4, 9, 16]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map<A, R, I>(&self, function: fn(A) -> R, items: I) -> Map<I::IntoIter, R>
    where
        A: Serialize + DeserializeOwned + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
        I: IntoIterator<Item = A>,
    {
        self.map_with(MapOptions::new(), function, items)
    }

    /// Like [`map`](Self::map), in the way that the options say.
    ///
    /// Blocks if the options ask for [`eager`](MapOptions::eager) submission and the queue is bounded and full;
    /// the iterator's `next` blocks until a result is there.
    ///
    /// # Python
    ///
    /// `map(fn, *iterables, timeout=, chunksize=, buffersize=)`. There is one input, which the caller zips;
    /// without options it is read as results are taken, and the size of chunks is found by measuring.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ProcessPoolExecutor::new(1)?;
    /// use concurrent_futures::MapOptions;
    /// use std::num::NonZeroUsize;
    ///
    /// // Items that may crash travel alone, so that each costs only itself.
    /// let apart = MapOptions::new().chunksize(NonZeroUsize::MIN);
    /// let halve = |n: u32| if n % 2 == 0 { n / 2 } else { std::process::abort() };
    /// let results = executor.map_with(apart, halve, [2, 3, 4]);
    /// assert_eq!(results.filter_map(Result::ok).collect::<Vec<_>>(), [1, 2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map_with<A, R, I>(
        &self,
        options: MapOptions,
        function: fn(A) -> R,
        items: I,
    ) -> Map<I::IntoIter, R>
    where
        A: Serialize + DeserializeOwned + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
        I: IntoIterator<Item = A>,
    {
        // A map keeps what it has in flight within bounds itself, so it waits for room.
        let handle = self.patient();
        let submit = move |chunk| handle.submit_chunk(function, chunk);
        Map::new(options, self.max_workers(), items.into_iter(), submit)
    }

    fn submit_chunk<A, R>(&self, function: fn(A) -> R, mut chunk: Chunk<A>) -> Future<ChunkOf<R>>
    where
        A: Serialize + DeserializeOwned + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
    {
        let mut writer = self.writer();
        let count = chunk.items.0.len();
        let (errors, references) = for_call(|| encode_items(&mut chunk, &mut writer));
        let label = self.options.label.clone().map(Arc::from);
        let decode =
            move |arrived: &Arrived<'_>| decode_chunk(arrived, count, errors, label.as_ref());
        match self.call(code::call_chunk(function), writer, references) {
            Ok(call) => self.enqueue_or_fail(call, decode),
            Err(error) => self.failed(error),
        }
    }
}

/// Puts all items that can be encoded behind each other. Those that cannot stay here, and their errors
/// are put where they belong.
fn encode_items<A: Serialize>(
    chunk: &mut Chunk<A>,
    into: &mut Writer,
) -> Vec<(usize, TaskErrorKind)> {
    chunk::put(&chunk.stride, into);
    let mut errors = Vec::new();
    let items = std::mem::take(&mut chunk.items.0);
    let mut begun = 0;
    // Where the item begins that is being encoded.
    let mut begin = into.len();
    while begun < items.len() {
        let encode_some = || {
            for item in &items[begun..] {
                begun += 1;
                begin = into.len();
                if let Err(error) = chunk::put_run(into, |into| value::encode(item, into)) {
                    errors.push((begun - 1, not_encoded(error)));
                }
            }
        };
        if let Err(panic) = task::catch(encode_some) {
            into.truncate(begin);
            errors.push((begun - 1, TaskErrorKind::Panicked(panic)));
        }
    }
    drop(Each(items));
    errors
}

fn decode_chunk<R: DeserializeOwned>(
    arrived: &Arrived<'_>,
    count: usize,
    errors: Vec<(usize, TaskErrorKind)>,
    label: Option<&Arc<str>>,
) -> Result<ChunkOf<R>, TransferError> {
    let error = |kind| Err(TaskError::labelled(kind, label.cloned()));
    let mut results = Each(Vec::with_capacity(count));
    // Decoding is the user's code, and may panic: for this item only.
    let read = chunk::read(arrived, |outcome| {
        results.0.push(match outcome {
            ItemOutcome::Value(bytes) => match value::decode(bytes) {
                Ok(value) => Ok(value),
                Err(cause) => error(not_decoded(cause)),
            },
            ItemOutcome::Panicked(panic) => error(TaskErrorKind::Panicked(panic)),
            ItemOutcome::NotTransferred(stage, cause) => {
                error(TaskErrorKind::NotTransferred(TransferError::new(stage.into(), cause)))
            }
        });
    });
    let elapsed =
        read.map_err(|failure| TransferError::new(TransferStage::DecodeResult, failure))?;
    for (index, kind) in errors {
        let index = index.min(results.0.len());
        results.0.insert(index, error(kind));
    }
    Ok(ChunkOf { results, elapsed })
}

fn not_decoded(cause: String) -> TaskErrorKind {
    TaskErrorKind::NotTransferred(TransferError::new(TransferStage::DecodeResult, cause))
}
