//! Values as bytes: by `serde` and `postcard`, with the reason in words where that does not work.

use super::words::why_not_encoded;
use crate::process::payload::{Arrived, Reader, Source, Window, Writer};
use crate::sync::Arc;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Decodes all of the bytes.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    decode_all(Reader::new(bytes))
}

/// Decodes all that has arrived.
pub(crate) fn receive<T: DeserializeOwned>(arrived: &Arrived<'_>) -> Result<T, String> {
    match arrived {
        Arrived::Here(bytes) => decode(bytes),
        Arrived::Kept(mapping, len) => {
            decode_all(Reader::new(Window::new(Arc::clone(mapping), *len)))
        }
    }
}

fn decode_all<T: DeserializeOwned>(mut reader: Reader<impl Source>) -> Result<T, String> {
    match reader.value() {
        Ok(value) if reader.left() == 0 => Ok(value),
        Ok(_) => Err(format!("{} bytes are left over", reader.left())),
        Err(failure) => Err(unsuited::<T>(failure.kind()).unwrap_or_else(|| failure.to_string())),
    }
}

/// Puts the encoded value behind what is in `into`, which may be left with a part of it. Shared memory
/// can only be a part of it within [`for_result`](crate::process::shared::for_result) or [`for_call`](crate::process::shared::for_call).
pub(crate) fn encode<T: Serialize>(value: &T, into: &mut Writer) -> Result<(), String> {
    postcard::serialize_with_flavor(value, into).map_err(|error| {
        unsuited::<T>(Some(&error))
            .or_else(|| why_not_encoded(value))
            .unwrap_or_else(|| error.to_string())
    })
}

/// The encoded value.
pub(crate) fn encoded<T: Serialize>(value: &T) -> Result<Vec<u8>, String> {
    let mut bytes = Writer::default();
    encode(value, &mut bytes)?;
    Ok(bytes.finish().expect("it stays where it is, as it was given no store").into_vec())
}

/// Why a type does not go through `postcard`, if that is what is wrong.
fn unsuited<T>(error: Option<&postcard::Error>) -> Option<String> {
    use postcard::Error::{SerializeSeqLengthUnknown, WontImplement};
    let why = match error? {
        WontImplement => {
            "asks what the data look like, as #[serde(untagged)], #[serde(tag)] and \
             #[serde(flatten)] do, and the encoding does not tell"
        }
        SerializeSeqLengthUnknown => {
            "has a sequence or map whose length is not known beforehand, as #[serde(flatten)] makes"
        }
        _ => return None,
    };
    Some(format!("`{}` {why}; send a type without it", std::any::type_name::<T>()))
}
