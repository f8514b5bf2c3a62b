//! What a value says about its own failure to be encoded or decoded.
//!
//! `postcard` forgets the words of whoever has written a `Serialize` or `Deserialize`. So a value that
//! has failed is asked once more: by a serializer that writes nothing, or by a deserializer that reads
//! the same bytes. Their error keeps the words, however deep the part lies that has said them.

use postcard::de_flavors::Slice;
use serde::de::value::Error as Words;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer, de, ser};

pub(super) fn why_not_encoded<T: Serialize>(value: &T) -> Option<String> {
    value.serialize(Listener).err().map(|words| words.to_string())
}

pub(super) fn why_not_decoded<T: DeserializeOwned>(bytes: &[u8]) -> Option<String> {
    let mut reader = Reader(postcard::Deserializer::from_bytes(bytes));
    T::deserialize(&mut reader).err().map(|words| words.to_string())
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

/// Reads what `postcard` has written.
struct Reader<'de>(postcard::Deserializer<'de, Slice<'de>>);

impl<'de> Reader<'de> {
    /// The next value that has no parts.
    fn read<T: Deserialize<'de>>(&mut self) -> Result<T, Words> {
        T::deserialize(&mut self.0).map_err(de::Error::custom)
    }
}

macro_rules! read {
    ($($method:ident: $visit:ident($value:ty);)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Words> {
            visitor.$visit(self.read::<$value>()?)
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Words;

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
        deserialize_str: visit_borrowed_str(&'de str);
        deserialize_string: visit_borrowed_str(&'de str);
        deserialize_bytes: visit_borrowed_bytes(&'de [u8]);
        deserialize_byte_buf: visit_borrowed_bytes(&'de [u8]);
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Words> {
        match self.read::<u8>()? {
            0 => visitor.visit_none(),
            1 => visitor.visit_some(self),
            _ => Err(de::Error::custom(postcard::Error::DeserializeBadOption)),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Words> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V>(self, _: Name, visitor: V) -> Result<V::Value, Words>
    where
        V: Visitor<'de>,
    {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V>(self, _: Name, visitor: V) -> Result<V::Value, Words>
    where
        V: Visitor<'de>,
    {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Words> {
        let left = self.read()?;
        visitor.visit_seq(Parts { reader: self, left })
    }

    fn deserialize_tuple<V>(self, left: usize, visitor: V) -> Result<V::Value, Words>
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
    ) -> Result<V::Value, Words>
    where
        V: Visitor<'de>,
    {
        self.deserialize_tuple(fields, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Words> {
        let left = self.read()?;
        visitor.visit_map(Parts { reader: self, left })
    }

    fn deserialize_struct<V>(
        self,
        _: Name,
        fields: &'static [Name],
        visitor: V,
    ) -> Result<V::Value, Words>
    where
        V: Visitor<'de>,
    {
        self.deserialize_tuple(fields.len(), visitor)
    }

    fn deserialize_enum<V>(self, _: Name, _: &'static [Name], visitor: V) -> Result<V::Value, Words>
    where
        V: Visitor<'de>,
    {
        visitor.visit_enum(self)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Words> {
        Err(de::Error::custom(postcard::Error::WontImplement))
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    serde::forward_to_deserialize_any! { identifier ignored_any }
}

/// What is left of a sequence, tuple or map.
struct Parts<'a, 'de> {
    reader: &'a mut Reader<'de>,
    left: usize,
}

impl<'de> Parts<'_, 'de> {
    fn next<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Words> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

impl<'de> de::SeqAccess<'de> for Parts<'_, 'de> {
    type Error = Words;

    fn next_element_seed<T>(&mut self, seed: T) -> Result<Option<T::Value>, Words>
    where
        T: DeserializeSeed<'de>,
    {
        self.next(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'de> de::MapAccess<'de> for Parts<'_, 'de> {
    type Error = Words;

    fn next_key_seed<K>(&mut self, seed: K) -> Result<Option<K::Value>, Words>
    where
        K: DeserializeSeed<'de>,
    {
        self.next(seed)
    }

    fn next_value_seed<V>(&mut self, seed: V) -> Result<V::Value, Words>
    where
        V: DeserializeSeed<'de>,
    {
        seed.deserialize(&mut *self.reader)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'de> de::EnumAccess<'de> for &mut Reader<'de> {
    type Error = Words;
    type Variant = Self;

    fn variant_seed<V>(self, seed: V) -> Result<(V::Value, Self), Words>
    where
        V: DeserializeSeed<'de>,
    {
        let index: u32 = self.read()?;
        Ok((seed.deserialize(index.into_deserializer())?, self))
    }
}

impl<'de> de::VariantAccess<'de> for &mut Reader<'de> {
    type Error = Words;

    fn unit_variant(self) -> Result<(), Words> {
        Ok(())
    }

    fn newtype_variant_seed<T>(self, seed: T) -> Result<T::Value, Words>
    where
        T: DeserializeSeed<'de>,
    {
        seed.deserialize(self)
    }

    fn tuple_variant<V>(self, fields: usize, visitor: V) -> Result<V::Value, Words>
    where
        V: Visitor<'de>,
    {
        self.deserialize_tuple(fields, visitor)
    }

    fn struct_variant<V>(self, fields: &'static [Name], visitor: V) -> Result<V::Value, Words>
    where
        V: Visitor<'de>,
    {
        self.deserialize_tuple(fields.len(), visitor)
    }
}
