//! What values are encoded with: `postcard`, and two things that it lacks.
//!
//! *A value that leaves out a field* (`#[serde(skip_serializing_if)]`) is no error of `postcard`'s. But without
//! names, nobody who reads can tell that the field is missing: what follows would be taken for it, and the value
//! would arrive as another one. So it fails. `serde` tells of such a field by `skip_field`; of one that is always
//! left out (`#[serde(skip)]`, which is not read either, but also `#[serde(skip_serializing)]`), and of one that a
//! struct without names leaves out, it does not tell.
//!
//! *The words of whoever has written a `Serialize`* are kept, however deep the part lies that has said them, as
//! `payload::Reader` keeps those of a `Deserialize`.
//!
//! The bytes are `postcard`'s, which puts all that stands before the parts of a value, and all values without
//! parts.

use crate::process::payload::{Failure, Writer};
use serde::ser::{self, Serialize, Serializer};
use std::fmt;

type Name = &'static str;

/// Why a value cannot be encoded. In a box, so that what every part gives back is one word: with two, structs
/// of ten fields took up to a tenth longer.
#[derive(Debug)]
pub(super) struct Unencoded(pub(super) Box<Failure>);

impl Unencoded {
    #[cold]
    fn by(failure: Failure) -> Self {
        Unencoded(Box::new(failure))
    }
}

impl fmt::Display for Unencoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Unencoded {}

impl ser::Error for Unencoded {
    #[cold]
    fn custom<T: fmt::Display>(words: T) -> Self {
        Unencoded::by(Failure::Words(words.to_string().into()))
    }
}

pub(super) struct Encoder<'a>(pub(super) &'a mut Writer);

impl Encoder<'_> {
    /// Has `postcard` put a value without parts, or what stands before the parts.
    #[inline]
    fn put(
        self,
        put: impl FnOnce(&mut postcard::Serializer<&mut Writer>) -> postcard::Result<()>,
    ) -> Result<Self, Unencoded> {
        match put(&mut postcard::Serializer { output: &mut *self.0 }) {
            Ok(()) => Ok(self),
            Err(error) => Err(Unencoded::by(Failure::Kind(error))),
        }
    }
}

macro_rules! put_whole {
    ($($method:ident($($name:ident: $value:ty),*))*) => {$(
        #[inline]
        fn $method(self, $($name: $value),*) -> Result<(), Unencoded> {
            self.put(|plain| plain.$method($($name),*)).map(|_| ())
        }
    )*};
}

macro_rules! put_parts {
    ($($method:ident($($name:ident: $value:ty),*))*) => {$(
        #[inline]
        fn $method(self, $($name: $value),*) -> Result<Self, Unencoded> {
            self.put(|plain| plain.$method($($name),*).map(|_| ()))
        }
    )*};
}

impl<'a> Serializer for Encoder<'a> {
    type Ok = ();
    type Error = Unencoded;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Fields<'a>;

    put_whole! {
        serialize_bool(it: bool) serialize_char(it: char)
        serialize_str(it: &str) serialize_bytes(it: &[u8])
        serialize_i8(it: i8) serialize_i16(it: i16) serialize_i32(it: i32) serialize_i64(it: i64)
        serialize_u8(it: u8) serialize_u16(it: u16) serialize_u32(it: u32) serialize_u64(it: u64)
        serialize_i128(it: i128) serialize_u128(it: u128)
        serialize_f32(it: f32) serialize_f64(it: f64)
        serialize_none() serialize_unit() serialize_unit_struct(name: Name)
        serialize_unit_variant(name: Name, index: u32, variant: Name)
    }

    put_parts! {
        serialize_seq(len: Option<usize>) serialize_map(len: Option<usize>)
        serialize_tuple(len: usize) serialize_tuple_struct(name: Name, len: usize)
        serialize_tuple_variant(name: Name, index: u32, variant: Name, len: usize)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unencoded> {
        value.serialize(self.put(|plain| plain.serialize_some(&()))?)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: Name,
        value: &T,
    ) -> Result<(), Unencoded> {
        value.serialize(self.put(|plain| plain.serialize_newtype_struct(name, &()))?)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: Name,
        index: u32,
        variant: Name,
        value: &T,
    ) -> Result<(), Unencoded> {
        let put = self.put(|plain| plain.serialize_newtype_variant(name, index, variant, &()))?;
        value.serialize(put)
    }

    #[inline]
    fn serialize_struct(self, name: Name, len: usize) -> Result<Fields<'a>, Unencoded> {
        let put = self.put(|plain| plain.serialize_struct(name, len).map(|_| ()))?;
        Ok(Fields { into: put.0, name, variant: None })
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        name: Name,
        index: u32,
        variant: Name,
        len: usize,
    ) -> Result<Fields<'a>, Unencoded> {
        let put = self
            .put(|plain| plain.serialize_struct_variant(name, index, variant, len).map(|_| ()))?;
        Ok(Fields { into: put.0, name, variant: Some(variant) })
    }

    #[inline]
    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<(), Unencoded> {
        self.put(|plain| plain.collect_str(value)).map(|_| ())
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }
}

/// What the fields of a struct are encoded with, or those of a variant that has names for them.
pub(super) struct Fields<'a> {
    into: &'a mut Writer,
    name: Name,
    variant: Option<Name>,
}

impl Fields<'_> {
    #[cold]
    fn left_out(&self, field: Name) -> Unencoded {
        let (name, variant) = (self.name, self.variant);
        let variant = variant.map(|it| format!("::{it}")).unwrap_or_default();
        ser::Error::custom(format_args!(
            "`{name}{variant}` leaves out its field `{field}` (#[serde(skip_serializing_if)]), and the \
             encoding has no names by which a reader could tell; send a type that does not"
        ))
    }
}

macro_rules! encode_parts {
    ($($whole:ident for $encoder:ident($writer:tt): $($part:ident($($name:ty)?)),* $(=> $skip:ident)?;)*) => {$(
        impl ser::$whole for $encoder<'_> {
            type Ok = ();
            type Error = Unencoded;

            $(#[inline]
            fn $part<T: Serialize + ?Sized>(
                &mut self,
                $(_: $name,)?
                part: &T,
            ) -> Result<(), Unencoded> {
                part.serialize(Encoder(self.$writer))
            })*

            $(#[cold]
            fn $skip(&mut self, field: Name) -> Result<(), Unencoded> {
                Err(self.left_out(field))
            })?

            #[inline]
            fn end(self) -> Result<(), Unencoded> {
                Ok(())
            }
        }
    )*};
}

encode_parts! {
    SerializeSeq for Encoder(0): serialize_element();
    SerializeTuple for Encoder(0): serialize_element();
    SerializeTupleStruct for Encoder(0): serialize_field();
    SerializeTupleVariant for Encoder(0): serialize_field();
    SerializeMap for Encoder(0): serialize_key(), serialize_value();
    SerializeStruct for Fields(into): serialize_field(Name) => skip_field;
    SerializeStructVariant for Fields(into): serialize_field(Name) => skip_field;
}
