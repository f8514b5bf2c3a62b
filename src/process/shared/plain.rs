//! Numbers as bytes, and bytes as numbers.

use std::fmt::Debug;
use std::mem::size_of;
use std::slice;

/// What [`SharedData`](crate::SharedData) can hold: the primitive integers of up to 64 bits, and the
/// floating-point numbers. Nothing else can implement it.
///
/// Other data can be shared in such numbers: text as its bytes, a table of records as a column for
/// each field.
///
/// # Examples
///
/// See [`SharedData`](crate::SharedData).
pub trait Plain: sealed::Plain {}

impl<T: sealed::Plain> Plain for T {}

mod sealed {
    /// # Safety
    ///
    /// A type without padding, not of size zero, for which every sequence of bytes is a valid value.
    pub unsafe trait Plain: Copy + Send + Sync + super::Debug + 'static {
        /// Tells the types from each other on the wire.
        const TAG: u8;
    }
}

macro_rules! plain {
    ($($number:ident $tag:literal),*) => {$(
        // SAFETY: it is a primitive number.
        unsafe impl sealed::Plain for $number {
            const TAG: u8 = $tag;
        }
    )*};
}

plain!(u8 1, u16 2, u32 3, u64 4, usize 5, i8 6, i16 7, i32 8, i64 9, isize 10, f32 11, f64 12);

/// The numbers, as they lie in memory.
pub(super) fn bytes_of<T: Plain>(numbers: &[T]) -> &[u8] {
    let length = size_of_val(numbers);
    // SAFETY: they take up so many bytes, all of them initialized, as there is no padding.
    unsafe { slice::from_raw_parts(numbers.as_ptr().cast(), length) }
}

/// The numbers that lie in the bytes; none unless these are aligned for them, which only an empty
/// mapping is not.
pub(super) fn numbers_of<T: Plain>(bytes: &[u8]) -> &[T] {
    let start = bytes.as_ptr().cast::<T>();
    if !start.is_aligned() {
        return &[];
    }
    // SAFETY: so many fit into the bytes, which are aligned, initialized and borrowed for as long,
    // and are valid numbers whatever they are.
    unsafe { slice::from_raw_parts(start, bytes.len() / size_of::<T>()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_bytes_and_numbers_again() {
        let numbers = [1.5, f64::NAN, -0.0];
        let bytes = bytes_of(&numbers);
        assert_eq!(bytes.len(), 24);
        assert_eq!(bytes[..8], 1.5f64.to_ne_bytes());
        let again: &[f64] = numbers_of(bytes);
        assert_eq!(
            again.iter().map(|it| it.to_bits()).collect::<Vec<_>>(),
            numbers.map(f64::to_bits)
        );
        assert!(numbers_of::<u16>(&[]).is_empty());
    }

    #[test]
    fn what_is_left_over_or_not_aligned_is_left_out() {
        let words = [1u64, 2];
        let bytes = bytes_of(&words);
        assert_eq!(numbers_of::<u64>(&bytes[..15]).len(), 1);
        assert_eq!(numbers_of::<u64>(&bytes[1..9]).len(), 0);
    }

    #[test]
    fn every_type_has_a_tag_of_its_own() {
        use sealed::Plain as P;
        let tags = [
            u8::TAG,
            u16::TAG,
            u32::TAG,
            u64::TAG,
            usize::TAG,
            i8::TAG,
            i16::TAG,
            i32::TAG,
            i64::TAG,
            <isize as P>::TAG,
            f32::TAG,
            f64::TAG,
        ];
        let different: std::collections::BTreeSet<u8> = tags.into_iter().collect();
        assert_eq!(different.len(), tags.len());
    }
}
