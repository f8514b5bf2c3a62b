//! What values are decoded from.
//!
//! The encoding is `postcard`'s, which also reads all values that have no parts. Those that have are
//! taken apart here, for two reasons. The words of whoever has written a `Deserialize` are kept, however
//! deep the part lies that has said them. And a long run of bytes becomes a vector, or a string, right
//! where it will stay, even if it comes out of memory that another process might write to.

use crate::sync::Arc;
use crate::sys::Mapping;
use postcard::Error;
use postcard::de_flavors::Flavor;
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};
use std::fmt;

type Name = &'static str;

/// Decodes one value after the other.
pub(in crate::process) struct Reader<S>(S);

impl<S: Source> Reader<S> {
    pub(in crate::process) fn new(source: S) -> Self {
        Reader(source)
    }

    pub(in crate::process) fn value<T: DeserializeOwned>(&mut self) -> Result<T, Failure> {
        T::deserialize(&mut *self)
    }

    /// How many bytes are left.
    pub(in crate::process) fn left(&self) -> usize {
        self.0.left()
    }

    /// How many parts are to be expected, if so many can be there at all.
    fn at_most(&self, parts: usize) -> Option<usize> {
        (parts <= self.left()).then_some(parts)
    }

    /// The next value that has no parts.
    #[inline]
    fn read<T: DeserializeOwned>(&mut self) -> Result<T, Failure> {
        let mut scalars = postcard::Deserializer::from_flavor(Scalars(&mut self.0));
        T::deserialize(&mut scalars).map_err(Failure::Kind)
    }

    /// The next eight bytes, as a number.
    #[inline]
    pub(in crate::process) fn word(&mut self) -> Result<u64, Failure> {
        let bytes = self.0.look(8).and_then(|bytes| bytes.first_chunk());
        bytes.map_or(Err(END), |bytes| Ok(u64::from_le_bytes(*bytes)))
    }

    /// Shows the next `len` bytes.
    #[inline]
    pub(in crate::process) fn look<R>(
        &mut self,
        len: u64,
        look: impl FnOnce(&[u8]) -> R,
    ) -> Result<R, Failure> {
        let bytes = usize::try_from(len).ok().and_then(|len| self.0.look(len));
        bytes.map(look).ok_or(END)
    }

    /// The length of what follows, and that much of it.
    #[inline]
    fn run<R>(&mut self, take: impl FnOnce(&mut S, usize) -> Option<R>) -> Result<R, Failure> {
        let len = self.read()?;
        take(&mut self.0, len).ok_or(END)
    }
}

/// Why a value cannot be decoded: what `postcard` says, or the words of a `Deserialize`.
#[derive(Debug)]
pub(in crate::process) enum Failure {
    Kind(Error),
    Words(Box<str>),
}

const END: Failure = Failure::Kind(Error::DeserializeUnexpectedEnd);

impl Failure {
    pub(in crate::process) fn kind(&self) -> Option<&Error> {
        match self {
            Failure::Kind(error) => Some(error),
            Failure::Words(_) => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Kind(error) => error.fmt(f),
            Failure::Words(words) => words.fmt(f),
        }
    }
}

impl std::error::Error for Failure {}

impl de::Error for Failure {
    #[cold]
    fn custom<T: fmt::Display>(words: T) -> Self {
        Failure::Words(words.to_string().into())
    }
}

/// Where encoded bytes come from.
pub(in crate::process) trait Source {
    fn left(&self) -> usize;

    fn byte(&mut self) -> Option<u8>;

    /// The next `len` bytes, to be looked at.
    fn look(&mut self, len: usize) -> Option<&[u8]>;

    /// The next `len` bytes, to be kept.
    fn keep(&mut self, len: usize) -> Option<Vec<u8>>;
}

impl Source for &[u8] {
    fn left(&self) -> usize {
        self.len()
    }

    #[inline]
    fn byte(&mut self) -> Option<u8> {
        self.split_off_first().copied()
    }

    #[inline]
    fn look(&mut self, len: usize) -> Option<&[u8]> {
        self.split_off(..len)
    }

    #[inline]
    fn keep(&mut self, len: usize) -> Option<Vec<u8>> {
        self.look(len).map(<[u8]>::to_vec)
    }
}

/// Memory that somebody else can write to. Each byte of it is copied once, and only the copy is looked
/// at: what is found to be valid stays so.
#[derive(Debug)]
pub(in crate::process) struct Window {
    mapping: Arc<Mapping>,
    /// Where in the mapping the next piece begins, and where all ends.
    next: usize,
    end: usize,
    /// A piece that was copied, and how much of it has been read.
    piece: Vec<u8>,
    read: usize,
}

/// Pieces stay in the processor's cache.
const PIECE: usize = 16 << 10;

impl Window {
    /// Of the first `len` bytes, which are mapped.
    pub(in crate::process) fn new(mapping: Arc<Mapping>, len: usize) -> Window {
        Window { end: len.min(mapping.len()), mapping, next: 0, piece: Vec::new(), read: 0 }
    }

    /// Has at least `len` bytes in its piece, if there are as many.
    #[cold]
    fn refill(&mut self, len: usize) -> Option<()> {
        if len > self.left() {
            return None;
        }
        self.piece.drain(..self.read);
        self.read = 0;
        let more = len.saturating_sub(self.piece.len()).max(PIECE).min(self.end - self.next);
        self.mapping.copy_to(&mut self.piece, self.next, more);
        self.next += more;
        Some(())
    }
}

impl Source for Window {
    fn left(&self) -> usize {
        self.piece.len() - self.read + self.end - self.next
    }

    #[inline]
    fn byte(&mut self) -> Option<u8> {
        if self.read == self.piece.len() {
            self.refill(1)?;
        }
        self.read += 1;
        Some(self.piece[self.read - 1])
    }

    #[inline]
    fn look(&mut self, len: usize) -> Option<&[u8]> {
        if len > self.piece.len() - self.read {
            self.refill(len)?;
        }
        self.read += len;
        Some(&self.piece[self.read - len..self.read])
    }

    fn keep(&mut self, len: usize) -> Option<Vec<u8>> {
        if len > self.left() {
            return None;
        }
        let here = len.min(self.piece.len() - self.read);
        let mut bytes = Vec::new();
        if here == len {
            bytes.extend_from_slice(self.look(len)?);
            return Some(bytes);
        }
        // Right from where it lies, and not through the piece.
        let rest = len - here;
        if here == 0 {
            self.mapping.copy_to(&mut bytes, self.next, rest);
        } else {
            // The beginning has been copied, and is not looked for anew.
            self.mapping.copy_to(&mut bytes, self.next - here, len);
            bytes[..here].copy_from_slice(&self.piece[self.read..self.read + here]);
        }
        self.read = self.piece.len();
        self.next += rest;
        Some(bytes)
    }
}

/// What values without parts are read from.
struct Scalars<'a, S>(&'a mut S);

impl<'a, S: Source> Flavor<'a> for Scalars<'a, S> {
    type Remainder = ();
    type Source = ();

    #[inline]
    fn pop(&mut self) -> postcard::Result<u8> {
        self.0.byte().ok_or(Error::DeserializeUnexpectedEnd)
    }

    /// For runs that stay, which such values do not have.
    fn try_take_n(&mut self, _: usize) -> postcard::Result<&'a [u8]> {
        Err(Error::WontImplement)
    }

    #[inline]
    fn try_take_n_temp<'b>(&'b mut self, len: usize) -> postcard::Result<&'b [u8]>
    where
        'a: 'b,
    {
        self.0.look(len).ok_or(Error::DeserializeUnexpectedEnd)
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

macro_rules! read {
    ($($method:ident: $visit:ident($value:ty);)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
            visitor.$visit(self.read::<$value>()?)
        }
    )*};
}

impl<'de, S: Source> Deserializer<'de> for &mut Reader<S> {
    type Error = Failure;

    read! {
        deserialize_bool: visit_bool(bool);
        deserialize_char: visit_char(char);
        deserialize_i8: visit_i8(i8);
        deserialize_i16: visit_i16(i16);
        deserialize_i32: visit_i32(i32);
        deserialize_i64: visit_i64(i64);
        deserialize_i128: visit_i128(i128);
        deserialize_u8: visit_u8(u8);
        deserialize_u16: visit_u16(u16);
        deserialize_u32: visit_u32(u32);
        deserialize_u64: visit_u64(u64);
        deserialize_u128: visit_u128(u128);
        deserialize_f32: visit_f32(f32);
        deserialize_f64: visit_f64(f64);
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let visit = |text: &[u8]| match str::from_utf8(text) {
            Ok(text) => visitor.visit_str(text),
            Err(_) => Err(Failure::Kind(Error::DeserializeBadUtf8)),
        };
        self.run(|source, len| source.look(len).map(visit))?
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match String::from_utf8(self.run(S::keep)?) {
            Ok(text) => visitor.visit_string(text),
            Err(_) => Err(Failure::Kind(Error::DeserializeBadUtf8)),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.run(|source, len| source.look(len).map(|bytes| visitor.visit_bytes(bytes)))?
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_byte_buf(self.run(S::keep)?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.read::<u8>()? {
            0 => visitor.visit_none(),
            1 => visitor.visit_some(self),
            _ => Err(Failure::Kind(Error::DeserializeBadOption)),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V>(self, _: Name, visitor: V) -> Result<V::Value, Failure>
    where
        V: Visitor<'de>,
    {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V>(self, _: Name, visitor: V) -> Result<V::Value, Failure>
    where
        V: Visitor<'de>,
    {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let left = self.read()?;
        visitor.visit_seq(Parts { reader: self, left })
    }

    fn deserialize_tuple<V>(self, left: usize, visitor: V) -> Result<V::Value, Failure>
    where
        V: Visitor<'de>,
    {
        visitor.visit_seq(Parts { reader: self, left })
    }

    fn deserialize_tuple_struct<V>(
        self,
        _: Name,
        fields: usize,
        visitor: V,
    ) -> Result<V::Value, Failure>
    where
        V: Visitor<'de>,
    {
        self.deserialize_tuple(fields, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let left = self.read()?;
        visitor.visit_map(Parts { reader: self, left })
    }

    fn deserialize_struct<V>(
        self,
        _: Name,
        fields: &'static [Name],
        visitor: V,
    ) -> Result<V::Value, Failure>
    where
        V: Visitor<'de>,
    {
        self.deserialize_tuple(fields.len(), visitor)
    }

    fn deserialize_enum<V>(
        self,
        _: Name,
        _: &'static [Name],
        visitor: V,
    ) -> Result<V::Value, Failure>
    where
        V: Visitor<'de>,
    {
        visitor.visit_enum(self)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Failure> {
        Err(Failure::Kind(Error::WontImplement))
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    serde::forward_to_deserialize_any! { identifier ignored_any }
}

/// What is left of a sequence, tuple or map.
struct Parts<'a, S> {
    reader: &'a mut Reader<S>,
    left: usize,
}

impl<S: Source> Parts<'_, S> {
    #[inline]
    fn next<'de, T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Failure> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

impl<'de, S: Source> de::SeqAccess<'de> for Parts<'_, S> {
    type Error = Failure;

    fn next_element_seed<T>(&mut self, seed: T) -> Result<Option<T::Value>, Failure>
    where
        T: DeserializeSeed<'de>,
    {
        self.next(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.reader.at_most(self.left)
    }
}

impl<'de, S: Source> de::MapAccess<'de> for Parts<'_, S> {
    type Error = Failure;

    fn next_key_seed<K>(&mut self, seed: K) -> Result<Option<K::Value>, Failure>
    where
        K: DeserializeSeed<'de>,
    {
        self.next(seed)
    }

    fn next_value_seed<V>(&mut self, seed: V) -> Result<V::Value, Failure>
    where
        V: DeserializeSeed<'de>,
    {
        seed.deserialize(&mut *self.reader)
    }

    fn size_hint(&self) -> Option<usize> {
        self.reader.at_most(self.left)
    }
}

impl<'de, S: Source> de::EnumAccess<'de> for &mut Reader<S> {
    type Error = Failure;
    type Variant = Self;

    fn variant_seed<V>(self, seed: V) -> Result<(V::Value, Self), Failure>
    where
        V: DeserializeSeed<'de>,
    {
        let index: u32 = self.read()?;
        Ok((seed.deserialize(index.into_deserializer())?, self))
    }
}

impl<'de, S: Source> de::VariantAccess<'de> for &mut Reader<S> {
    type Error = Failure;

    fn unit_variant(self) -> Result<(), Failure> {
        Ok(())
    }

    fn newtype_variant_seed<T>(self, seed: T) -> Result<T::Value, Failure>
    where
        T: DeserializeSeed<'de>,
    {
        seed.deserialize(self)
    }

    fn tuple_variant<V>(self, fields: usize, visitor: V) -> Result<V::Value, Failure>
    where
        V: Visitor<'de>,
    {
        self.deserialize_tuple(fields, visitor)
    }

    fn struct_variant<V>(self, fields: &'static [Name], visitor: V) -> Result<V::Value, Failure>
    where
        V: Visitor<'de>,
    {
        self.deserialize_tuple(fields.len(), visitor)
    }
}
