//! Calls of one function with many items, which travel in chunks.

use super::code::{self, ChunkOutcome, ItemOutcome};
use super::handle::{ProcessPoolHandle, encode_contained};
use super::job::decode_result;
use super::shared::Kept;
use crate::error::{TaskError, TaskErrorKind, TransferError, TransferStage};
use crate::executor::{Chunk, ChunkOf, Each, Map, MapOptions};
use crate::future::Future;
use crate::sync::Arc;
use crate::task;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

impl<S: 'static> ProcessPoolHandle<S> {
    /// Calls `function` with every item, and gives the results in the order of the items; see
    /// [`Map`] for what happens when.
    ///
    /// Items travel in chunks, and a chunk is one task: if its worker dies, all of its items fail.
    /// Give [`chunksize(1)`](MapOptions::chunksize) where that can happen.
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
        // Items that cannot be encoded stay here, and their errors are put where they belong.
        let mut errors = Vec::new();
        let mut items = Vec::new();
        let mut kept = Kept::default();
        for (index, item) in std::mem::take(&mut chunk.items.0).into_iter().enumerate() {
            let mut bytes = Vec::new();
            match encode_contained(&item, &mut bytes) {
                Ok(of_item) => {
                    items.push(bytes);
                    kept.extend(of_item);
                }
                Err(error) => errors.push((index, error)),
            }
            task::contain(|| drop(item));
        }
        let label = self.options.label.clone().map(Arc::from);
        let decode = move |bytes: &[u8]| decode_chunk(bytes, errors, label.as_ref());
        let call = self.encode(code::call_chunk(function), &(chunk.stride, items));
        match call {
            Ok(mut call) => {
                call.kept.extend(kept);
                self.enqueue_or_fail(call, decode)
            }
            Err(error) => self.failed(error),
        }
    }
}

fn decode_chunk<R: DeserializeOwned>(
    bytes: &[u8],
    errors: Vec<(usize, TaskErrorKind)>,
    label: Option<&Arc<str>>,
) -> Result<ChunkOf<R>, TransferError> {
    let decoded: Result<ChunkOutcome<'_>, _> = postcard::from_bytes(bytes);
    let (elapsed, outcomes): (Duration, _) =
        decoded.map_err(|error| TransferError::new(TransferStage::DecodeResult, error))?;
    let error = |kind| Err(TaskError::labelled(kind, label.cloned()));
    let mut results: Vec<Result<R, TaskError>> = Vec::with_capacity(outcomes.len() + errors.len());
    for outcome in outcomes {
        results.push(match outcome {
            // Decoding is the user's code, and may panic: for this item only.
            ItemOutcome::Value(bytes) => match task::catch(|| decode_result(bytes)) {
                Ok(Ok(value)) => Ok(value),
                Ok(Err(fault)) => error(TaskErrorKind::NotTransferred(fault)),
                Err(panic) => error(TaskErrorKind::Panicked(panic)),
            },
            ItemOutcome::Panicked(panic) => error(TaskErrorKind::Panicked(panic.into())),
            ItemOutcome::NotTransferred(stage, cause) => {
                error(TaskErrorKind::NotTransferred(TransferError::new(stage.into(), cause)))
            }
        });
    }
    for (index, kind) in errors {
        results.insert(index.min(results.len()), error(kind));
    }
    Ok(ChunkOf { results: Each(results), elapsed })
}
