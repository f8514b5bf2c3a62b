//! What a value says about its own failure to be encoded.
//!
//! `postcard` forgets the words of whoever has written a `Serialize`. So a value that has failed is
//! asked once more, by a serializer that writes nothing. Its error keeps the words, however deep the
//! part lies that has said them. (What decodes values keeps them by itself, see `payload::Reader`.)

use serde::de::value::Error as Words;
use serde::{Serialize, Serializer, ser};

pub(crate) fn why_not_encoded<T: Serialize>(value: &T) -> Option<String> {
    value.serialize(Listener).err().map(|words| words.to_string())
}

/// Takes everything and keeps nothing.
#[derive(Clone, Copy)]
struct Listener;

macro_rules! hear {
    ($($method:ident($($value:ty),*))*) => {$(
        fn $method(self, $(_: $value),*) -> Result<(), Words> {
            Ok(())
        }
    )*};
}

macro_rules! hear_parts {
    ($($method:ident($($value:ty),*))*) => {$(
        fn $method(self, $(_: $value),*) -> Result<Self, Words> {
            Ok(self)
        }
    )*};
}

type Name = &'static str;

impl Serializer for Listener {
    type Ok = ();
    type Error = Words;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    hear! {
        serialize_bool(bool) serialize_char(char) serialize_str(&str) serialize_bytes(&[u8])
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64)
        serialize_i128(i128) serialize_u128(u128) serialize_f32(f32) serialize_f64(f64)
        serialize_none() serialize_unit() serialize_unit_struct(Name)
        serialize_unit_variant(Name, u32, Name)
    }

    hear_parts! {
        serialize_seq(Option<usize>) serialize_map(Option<usize>) serialize_tuple(usize)
        serialize_tuple_struct(Name, usize) serialize_tuple_variant(Name, u32, Name, usize)
        serialize_struct(Name, usize) serialize_struct_variant(Name, u32, Name, usize)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Words> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: Name,
        value: &T,
    ) -> Result<(), Words> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: Name,
        _: u32,
        _: Name,
        value: &T,
    ) -> Result<(), Words> {
        value.serialize(self)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

macro_rules! listen_to_parts {
    ($($whole:ident: $($part:ident($($name:ty)?)),*;)*) => {$(
        impl ser::$whole for Listener {
            type Ok = ();
            type Error = Words;

            $(fn $part<T: Serialize + ?Sized>(
                &mut self,
                $(_: $name,)?
                part: &T,
            ) -> Result<(), Words> {
                part.serialize(*self)
            })*

            fn end(self) -> Result<(), Words> {
                Ok(())
            }
        }
    )*};
}

listen_to_parts! {
    SerializeSeq: serialize_element();
    SerializeTuple: serialize_element();
    SerializeTupleStruct: serialize_field();
    SerializeTupleVariant: serialize_field();
    SerializeMap: serialize_key(), serialize_value();
    SerializeStruct: serialize_field(Name);
    SerializeStructVariant: serialize_field(Name);
}
