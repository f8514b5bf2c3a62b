//! Shared data that nobody changes any more.

use super::plain::{Plain, bytes_of, numbers_of};
use super::region::{Memory, Region, Sent};
use crate::sync::Arc;
use crate::sys::MemoryFile;
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};
use std::any::type_name;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::mem::size_of;
use std::ops::Deref;

/// A slice of numbers in shared memory, which calls refer to instead of carrying it.
///
/// As a part of an argument it costs some 20 bytes on the wire (never more than 41), however large it
/// is. A worker maps the same memory, and reads it as a slice. It can be given to calls, to the items
/// of a `map`, to initializers and contexts, in tuples and in structs of your own, and workers can
/// pass it on to pools of theirs.
///
/// # Memory
///
/// [`new`](Self::new) copies the slice, once; whatever it was copied from can be dropped. The copy
/// exists once on the machine, in whole pages of 4 KiB, and counts as shared memory of the process
/// (or control group) that made it. Every process that holds it has it mapped and one descriptor
/// open.
///
/// It stays until the last of these is dropped: values and their clones, in whatever process; tasks
/// that it was given to and that are not over; pools whose initializer it was given to. So one's own
/// can be dropped right after submitting. A worker keeps the latest 16 that its calls have brought,
/// so as not to map them anew for the next one, until they have been dropped by those who sent them
/// and another one is brought, or until it has been idle for a tenth of a second.
///
/// # What cannot happen
///
/// The memory is sealed: no process, be it this one, can change its bytes or its length any more.
/// That is why it can be read as a slice, with no lock.
///
/// # Limits
///
/// Anything other than a pool that serialises it gets an error. So does a worker whose result has one
/// that was created in the worker, where nobody would keep it; those that came with a call, or that
/// an initializer was given, can be in the result.
///
/// # Python
///
/// `multiprocessing.shared_memory.SharedMemory`, without its names, `close` and `unlink`, and
/// read-only; `multiprocessing.Array` for what several processes change is not there.
///
/// # Examples
///
/// ```
/// use concurrent_futures::{ProcessPoolExecutor, SharedData};
///
/// fn sum((table, from, to): (SharedData<u64>, usize, usize)) -> u64 {
///     table[from..to].iter().sum()
/// }
///
/// let executor = ProcessPoolExecutor::builder().max_workers(2).max_message(64).build()?;
/// let numbers: Vec<u64> = (0..100_000).collect();
/// let table = SharedData::new(&numbers)?;
/// let first = executor.submit(sum, (table.clone(), 0, 50_000));
/// let second = executor.submit(sum, (table, 50_000, 100_000));
/// assert_eq!(first.result()? + second.result()?, numbers.iter().sum());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SharedData<T: Plain> {
    region: Arc<Region>,
    numbers: PhantomData<T>,
}

fn map(file: &MemoryFile) -> io::Result<Memory> {
    file.map_sealed().map(Memory::Sealed)
}

impl<T: Plain> SharedData<T> {
    /// Copies the slice into shared memory, and seals it.
    ///
    /// # Errors
    ///
    /// What the system says if it has no memory, or no descriptor, to give.
    ///
    /// # Examples
    ///
    /// Text is shared as its bytes:
    ///
    /// ```
    /// use concurrent_futures::SharedData;
    ///
    /// let text = SharedData::new("read by all".as_bytes())?;
    /// assert_eq!(str::from_utf8(&text)?, "read by all");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(numbers: &[T]) -> io::Result<Self> {
        let bytes = bytes_of(numbers);
        let file = MemoryFile::create("shared-data", bytes.len())?;
        file.write_all_at(bytes, 0)?;
        file.seal()?;
        Ok(SharedData { region: Region::create(file, map)?, numbers: PhantomData })
    }

    fn bytes(&self) -> &[u8] {
        match self.region.memory() {
            Memory::Sealed(mapping) => mapping.bytes(),
            Memory::Words(_) => &[],
        }
    }

    /// The one that was sent, if it is of this type and length.
    fn receive(sent: &Sent, (length, tag): (u64, u8)) -> Result<Self, String> {
        if tag != T::TAG {
            return Err(format!("the shared data does not consist of {}", type_name::<T>()));
        }
        let region = Region::receive(sent, map)?;
        let data = SharedData { region, numbers: PhantomData };
        let is_data = matches!(data.region.memory(), Memory::Sealed(_));
        if !is_data || length.checked_mul(size_of::<T>() as u64) != Some(data.bytes().len() as u64)
        {
            return Err("the shared data has another length than it was sent with".to_owned());
        }
        Ok(data)
    }
}

/// The numbers. Where it is read in a loop, borrow the slice once.
impl<T: Plain> Deref for SharedData<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        numbers_of(self.bytes())
    }
}

impl<T: Plain> AsRef<[T]> for SharedData<T> {
    fn as_ref(&self) -> &[T] {
        self
    }
}

/// Refers to the same memory.
impl<T: Plain> Clone for SharedData<T> {
    fn clone(&self) -> Self {
        SharedData { region: Arc::clone(&self.region), numbers: PhantomData }
    }
}

impl<T: Plain> fmt::Debug for SharedData<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedData")
            .field("type", &format_args!("{}", type_name::<T>()))
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl<T: Plain> Serialize for SharedData<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.region.send((self.len() as u64, T::TAG), serializer)
    }
}

impl<'de, T: Plain> Deserialize<'de> for SharedData<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (sent, what) = Deserialize::deserialize(deserializer)?;
        SharedData::receive(&sent, what).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{SharedCounter, StopFlag, for_call};
    use super::*;
    use crate::process::wire::value::{decode, encoded};
    use proptest::prelude::*;

    /// As it travels, and what keeps it meanwhile.
    fn sent(value: &impl Serialize) -> (Vec<u8>, impl Sized) {
        let (bytes, references) = for_call(|| encoded(value));
        (bytes.unwrap(), references)
    }

    #[test]
    fn it_arrives_whatever_it_is_of() {
        fn arrives<T: Plain + PartialEq>(numbers: &[T]) {
            let data = SharedData::new(numbers).unwrap();
            let (bytes, _kept) = sent(&data);
            assert!(bytes.len() <= 41);
            let received: SharedData<T> = decode(&bytes).unwrap();
            assert_eq!(*received, *numbers);
            assert_eq!(received.as_ptr(), data.as_ptr());
        }
        arrives(&[1u8, 2, 255]);
        arrives(&[i16::MIN, -1]);
        arrives(&[u32::MAX; 1000]);
        arrives(&[usize::MAX]);
        arrives(&[0.5f32, f32::INFINITY]);
        arrives(&[f64::MAX; 10_000]);
        arrives::<u64>(&[]);
    }

    #[test]
    fn every_reference_is_short() {
        let longest = (u32::MAX, i32::MIN, (u64::MAX, u64::MAX), u64::MAX, u8::MAX);
        assert_eq!(postcard::to_stdvec(&longest).unwrap().len(), 5 + 5 + 10 + 10 + 10 + 1);
    }

    #[test]
    fn what_was_sent_as_something_else_is_an_error() {
        let data = SharedData::new(&[1u64, 2]).unwrap();
        let (counter, stop) = (SharedCounter::new().unwrap(), StopFlag::new().unwrap());
        let (as_data, _kept) = sent(&data);
        let (as_counter, _kept) = sent(&counter);
        let (as_stop, _kept) = sent(&stop);
        assert!(decode::<SharedData<i64>>(&as_data).unwrap_err().contains("consist of i64"));
        assert!(decode::<SharedCounter>(&as_stop).unwrap_err().contains("something else"));
        assert!(decode::<StopFlag>(&as_counter).unwrap_err().contains("something else"));
        assert!(decode::<SharedCounter>(&as_data[..as_data.len() - 2]).is_err());
        for (length, tag) in [(1, 4), (3, 4), (u64::MAX, 4), (1 << 61, 4), (2, 5), (16, 1)] {
            let forged = [&as_data[..as_data.len() - 2], &sent(&(length, tag)).0].concat();
            let received = decode::<SharedData<u64>>(&forged);
            assert!(received.is_err(), "{length} {tag}: {received:?}");
        }
        let forged = [&*as_counter, &sent(&(2u64, 4u8)).0].concat();
        assert!(decode::<SharedData<u64>>(&forged).unwrap_err().contains("another length"));
    }

    #[test]
    fn files_that_are_not_ours_are_refused() {
        use std::os::fd::AsRawFd;
        use std::os::unix::fs::MetadataExt;
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        let status = file.metadata().unwrap();
        let key = (status.dev(), status.ino());
        let reference = (std::process::id(), file.as_raw_fd(), key);
        let (bytes, _) = sent(&(reference, (status.len(), 1u8)));
        assert!(decode::<SharedData<u8>>(&bytes).unwrap_err().contains("cannot be mapped"));
        let (bytes, _) = sent(&(reference, ()));
        assert!(decode::<SharedCounter>(&bytes).unwrap_err().contains("cannot be mapped"));
        // Of the right length, and without a mark.
        let words = MemoryFile::create("test", 16).unwrap();
        let reference = (std::process::id(), words.number(), words.key().unwrap());
        let (bytes, _) = sent(&(reference, ()));
        assert!(decode::<StopFlag>(&bytes).unwrap_err().contains("something else"));
    }

    proptest! {
        #[test]
        fn no_bytes_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode::<SharedData<f64>>(&bytes);
            let _ = decode::<SharedCounter>(&bytes);
            let _ = decode::<StopFlag>(&bytes);
        }

        #[test]
        fn nor_do_those_that_name_a_descriptor_of_ours(
            number in -1..40i32,
            key in (0..40u64, 0..2000u64),
            length in any::<u64>(),
        ) {
            let reference = (std::process::id(), number, key);
            let _ = decode::<SharedData<u8>>(&sent(&(reference, (length, 1u8))).0);
            let _ = decode::<SharedCounter>(&sent(&reference).0);
        }
    }
}
