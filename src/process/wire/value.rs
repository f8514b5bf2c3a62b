//! Values as bytes: by `serde` and `postcard`, with the reason in words where that does not work.

use super::encoder::Encoder;
use crate::process::payload::{Arrived, Failure, Reader, Source, Window, Writer};
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
        Err(failure) => Err(in_words::<T>(failure)),
    }
}

/// Puts the encoded value behind what is in `into`, which may be left with a part of it. Shared memory
/// can only be a part of it within [`for_result`](crate::process::shared::for_result) or [`for_call`](crate::process::shared::for_call).
pub(crate) fn encode<T: Serialize>(value: &T, into: &mut Writer) -> Result<(), String> {
    value.serialize(Encoder(into)).map_err(|it| in_words::<T>(*it.0))
}

/// The encoded value.
pub(crate) fn encoded<T: Serialize>(value: &T) -> Result<Vec<u8>, String> {
    let mut bytes = Writer::default();
    encode(value, &mut bytes)?;
    Ok(bytes.finish().expect("it stays where it is, as it was given no store").into_vec())
}

/// Why a value does not go through `postcard`, which may be due to its type.
#[cold]
fn in_words<T>(failure: Failure) -> String {
    use postcard::Error::{SerializeSeqLengthUnknown, WontImplement};
    let why = match failure.kind() {
        Some(WontImplement) => {
            "asks what the data look like, as #[serde(untagged)], #[serde(tag)] and \
             #[serde(flatten)] do, and the encoding does not tell"
        }
        Some(SerializeSeqLengthUnknown) => {
            "has a sequence or map whose length is not known beforehand, as #[serde(flatten)] makes"
        }
        _ => return failure.to_string(),
    };
    format!("`{}` {why}; send a type without it", std::any::type_name::<T>())
}
