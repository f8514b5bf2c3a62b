//! What holds of everything that reads what another process has written, whatever bytes those are.
//!
//! Nothing panics, nothing takes more memory than has really arrived, and what decodes values says the same
//! as `postcard`, whose encoding it is: the same value, and as many bytes left over, or an error both. Each
//! function is called with random bytes by a test, and with bytes that are bred to reach all of the code by
//! the fuzzer (`fuzz/`).

use super::page::slots::Ticket;
#[cfg(test)]
use super::payload::Where;
use super::payload::{Arrived, Opened, Payload, Reader, Source, Store, Window, Writer};
use super::wire::chunk::{self, ItemOutcome};
use super::wire::frame::{FrameReader, HEADER, Kind};
use super::wire::message::{CallHead, Configure, DoneHead, Hello, Ready, read_message};
#[cfg(test)]
use super::wire::message::{Outcome, Output, Report, Stage, Usage, put_message};
use super::wire::value;
#[cfg(test)]
use crate::error::Captured;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A part of everything that a value can be made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Value {
    Nothing,
    Unit((), Marker),
    Truth(bool),
    Small(i8, u8, i16, u16),
    Large(i32, u32, i64, u64),
    Huge(i128, u128),
    Real(f32, f64),
    Sign(char),
    Text(String),
    Bytes(#[serde(with = "serde_bytes")] Vec<u8>),
    Each(Vec<u8>),
    Wide(Vec<u128>),
    Array([u16; 3]),
    Wrapped(Wrapper),
    Pair(Pair),
    Named { name: String, more: Option<bool> },
    Maybe(Option<Box<Value>>),
    Map(BTreeMap<String, Vec<u16>>),
    Set(BTreeSet<char>),
    Either(Result<u16, String>),
    Lasting(Duration),
    Several(Vec<Value>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Marker;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Wrapper(i64);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Pair(u8, String);

/// A stream of frames, which comes in pieces of a length that the first byte says.
pub(crate) fn frames(bytes: &[u8]) {
    let Some((cut, bytes)) = bytes.split_first() else { return };
    let mut reader = FrameReader::new(1 << 40);
    let mut left = bytes.len();
    for piece in bytes.chunks(usize::from(*cut).max(1)) {
        let space = reader.space();
        assert!(space.len() >= piece.len(), "there is always room");
        space[..piece.len()].copy_from_slice(piece);
        reader.filled(piece.len());
        loop {
            match reader.next() {
                Ok(Some((kind, body))) => {
                    assert!(HEADER + body.len() <= left, "more than has come");
                    left -= HEADER + body.len();
                    message(kind, body);
                }
                Ok(None) => break,
                Err(violation) => return drop(violation.to_string()),
            }
        }
    }
}

fn message(kind: Kind, body: &[u8]) {
    fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) {
        if let Ok((_, rest)) = read_message::<T>(body) {
            assert!(rest.len() <= body.len());
        }
    }
    match kind {
        Kind::Configure => read::<Configure>(body),
        Kind::Call => read::<CallHead<'_>>(body),
        Kind::Hello => read::<Hello>(body),
        Kind::Ready => read::<Ready>(body),
        Kind::Begun => read::<Ticket>(body),
        Kind::Done => read::<DoneHead>(body),
        Kind::Taken | Kind::Retire | Kind::Look => {}
    }
}

/// Values, from a slice.
pub(crate) fn values(bytes: &[u8]) {
    agrees::<Value>(bytes, Reader::new(bytes));
    agrees::<Vec<Value>>(bytes, Reader::new(bytes));
    agrees::<(String, Vec<u8>, BTreeMap<u32, Option<char>>)>(bytes, Reader::new(bytes));
}

/// The same from memory that is shared, behind so much that a piece of it may end anywhere.
pub(crate) fn shared_values(bytes: &[u8]) {
    let before = 16_384 - usize::from(bytes.first().copied().unwrap_or_default());
    let before = postcard::to_stdvec(&vec![1_u8; before]).expect("bytes can be encoded");
    let all = [&before, bytes].concat();
    let mut writer = Writer::new(&Store::new(1, 1));
    writer.extend(&all);
    let Payload::Kept(parcel) = Payload::from(writer) else { return };
    let opened = Opened::new(std::process::id());
    let Ok(Arrived::Kept(mapping, len)) = opened.at(parcel.place(false)) else { return };
    agrees::<(Vec<u8>, Value)>(&all, Reader::new(Window::new(mapping, len)));
}

/// What a reader reads is what `postcard` does.
fn agrees<T: Serialize + DeserializeOwned>(bytes: &[u8], mut reader: Reader<impl Source>) {
    let found = reader.value::<T>();
    match (postcard::take_from_bytes::<T>(bytes), found) {
        (Ok((expected, rest)), Ok(found)) => {
            // As bytes, for a number may be none.
            let encoded = |it: &T| postcard::to_stdvec(it).expect("it has been decoded");
            assert!(encoded(&expected) == encoded(&found), "another value");
            assert_eq!(rest.len(), reader.left(), "another length");
        }
        (Err(_), Err(failure)) => drop(failure.to_string()),
        (expected, found) => {
            let (expected, found) = (expected.err(), found.err());
            panic!("postcard says {expected:?}, and we {found:?}: {bytes:?}");
        }
    }
}

/// The items of a chunk, and what came back of them.
pub(crate) fn chunks(bytes: &[u8]) {
    let arrived = Arrived::Here(bytes);
    let mut items = 0;
    let read = chunk::read(&arrived, |outcome| {
        items += 1;
        if let ItemOutcome::Value(bytes) = outcome {
            drop(value::decode::<Value>(bytes));
        }
    });
    assert!(8 * items <= bytes.len(), "more items than can be there");
    drop(read);
    let mut into = Writer::default();
    drop(chunk::run(|value: Value| value, &arrived, &mut into));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::alloc::{GlobalAlloc, Layout, System};
    use std::cell::Cell;

    /// Remembers the most that a thread has asked for at once.
    struct Watching;

    thread_local! {
        static MOST: Cell<usize> = const { Cell::new(0) };
    }

    #[global_allocator]
    static ALLOCATOR: Watching = Watching;

    fn asked_for(bytes: usize) {
        let _ = MOST.try_with(|most| most.set(most.get().max(bytes)));
    }

    // SAFETY: it hands everything on to the system's allocator.
    unsafe impl GlobalAlloc for Watching {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            asked_for(layout.size());
            // SAFETY: the caller keeps the contract, which is the same.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
            // SAFETY: as above.
            unsafe { System.dealloc(memory, layout) }
        }

        unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            asked_for(size);
            // SAFETY: as above.
            unsafe { System.realloc(memory, layout, size) }
        }
    }

    /// The most that `work` has asked for at once.
    fn most(work: impl FnOnce()) -> usize {
        MOST.set(0);
        work();
        MOST.get()
    }

    /// Valid bytes with some of them changed, or any at all.
    fn spoilt(valid: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
        let changes = vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
        let changed = (valid, changes, any::<prop::sample::Index>(), any::<bool>());
        let changed = changed.prop_map(|(mut bytes, changes, cut, cuts)| {
            for (at, byte) in changes {
                if !bytes.is_empty() {
                    let at = at.index(bytes.len());
                    bytes[at] = byte;
                }
            }
            if cuts && !bytes.is_empty() {
                bytes.truncate(cut.index(bytes.len()));
            }
            bytes
        });
        prop_oneof![2 => changed, 1 => vec(any::<u8>(), 0..300)]
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Nothing),
            Just(Value::Unit((), Marker)),
            any::<bool>().prop_map(Value::Truth),
            any::<(i8, u8, i16, u16)>().prop_map(|(a, b, c, d)| Value::Small(a, b, c, d)),
            any::<(i32, u32, i64, u64)>().prop_map(|(a, b, c, d)| Value::Large(a, b, c, d)),
            any::<(i128, u128)>().prop_map(|(a, b)| Value::Huge(a, b)),
            any::<(f32, f64)>().prop_map(|(a, b)| Value::Real(a, b)),
            any::<char>().prop_map(Value::Sign),
            ".{0,20}".prop_map(Value::Text),
            vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
            vec(any::<u8>(), 0..40).prop_map(Value::Each),
            vec(any::<u128>(), 0..9).prop_map(Value::Wide),
            any::<[u16; 3]>().prop_map(Value::Array),
            any::<i64>().prop_map(|it| Value::Wrapped(Wrapper(it))),
            (any::<u8>(), ".{0,9}").prop_map(|(a, b)| Value::Pair(Pair(a, b))),
            (".{0,9}", any::<Option<bool>>()).prop_map(|(name, more)| Value::Named { name, more }),
            prop::collection::btree_map(".{0,5}", vec(any::<u16>(), 0..5), 0..5)
                .prop_map(Value::Map),
            prop::collection::btree_set(any::<char>(), 0..5).prop_map(Value::Set),
            any::<Result<u16, String>>().prop_map(Value::Either),
            any::<Duration>().prop_map(Value::Lasting),
        ];
        leaf.prop_recursive(3, 20, 5, |inner| {
            prop_oneof![
                proptest::option::of(inner.clone()).prop_map(|it| Value::Maybe(it.map(Box::new))),
                vec(inner, 0..5).prop_map(Value::Several),
            ]
        })
    }

    fn valid_value() -> impl Strategy<Value = Vec<u8>> {
        value().prop_map(|it| postcard::to_stdvec(&it).unwrap())
    }

    fn valid_frames() -> impl Strategy<Value = Vec<u8>> {
        let heads = vec((any::<u32>(), any::<u64>(), any::<bool>(), ".{0,20}"), 0..5);
        (any::<u8>(), heads).prop_map(|(cut, heads)| {
            let mut stream = vec![cut];
            for (ticket, nanoseconds, flag, text) in heads {
                let ticket = Ticket(ticket);
                let outcome = match flag {
                    true => Outcome::Value(Where::Here),
                    false => Outcome::NotTransferred(Stage::DecodeArgument, text),
                };
                let usage = Some(Usage { nanoseconds, peak_memory: flag.then_some(nanoseconds) });
                let bytes = nanoseconds.to_le_bytes().repeat(usize::from(cut));
                let captured = Captured { bytes, is_cut: flag };
                let output = Some(match cut.is_multiple_of(2) {
                    true => Output::Here([captured, Captured::default()]),
                    false => Output::InFiles([flag, !flag]),
                });
                let done = DoneHead {
                    ticket,
                    begun: nanoseconds,
                    nanoseconds,
                    is_worn: flag,
                    has_failed: !flag,
                    report: flag.then(|| Box::new(Report { output, usage })),
                    outcome,
                };
                put_message(&mut stream, Kind::Begun, &ticket, 0);
                put_message(&mut stream, Kind::Done, &done, 0);
                let hello = Hello { protocol: ticket.0, identity: vec![cut; 20] };
                put_message(&mut stream, Kind::Hello, &hello, 0);
            }
            stream
        })
    }

    fn valid_chunk() -> impl Strategy<Value = Vec<u8>> {
        (any::<bool>(), vec(valid_value(), 0..5)).prop_map(|(is_argument, items)| {
            let mut into = Writer::default();
            if is_argument {
                chunk::put(&1_usize, &mut into);
            }
            for item in items {
                into.extend(&(item.len() as u64).to_le_bytes());
                into.extend(&item);
            }
            into.finish().unwrap().into_vec()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

        #[test]
        fn any_stream_gives_frames_or_a_violation(bytes in spoilt(valid_frames())) {
            // What a frame promises takes a step of memory, and no more until it has come.
            let most = most(|| frames(&bytes));
            prop_assert!(most <= (2 << 20) + 2 * bytes.len(), "{most} bytes at once");
        }

        #[test]
        fn any_bytes_give_what_postcard_reads(bytes in spoilt(valid_value())) {
            values(&bytes);
            let most = most(|| drop(value::decode::<Value>(&bytes)));
            let part = size_of::<Value>();
            prop_assert!(most <= 512 + part * bytes.len(), "{most} bytes at once");
        }

        #[test]
        fn any_value_is_encoded_as_postcard_does_it(value in value(), text in ".{0,20}") {
            let plain = postcard::to_stdvec(&value).unwrap();
            prop_assert_eq!(value::encoded(&value), Ok(plain));
            // Text whose length is not known beforehand.
            let text = format_args!("{text:?} of {value:?}").to_string();
            let plain = postcard::to_stdvec(&format_args!("{text}")).unwrap();
            prop_assert_eq!(value::encoded(&format_args!("{text}")), Ok(plain));
        }

        #[test]
        fn any_chunk_gives_items_or_an_error(bytes in spoilt(valid_chunk())) {
            chunks(&bytes);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

        #[test]
        fn any_shared_bytes_give_what_postcard_reads(bytes in spoilt(valid_value())) {
            shared_values(&bytes);
        }
    }
}
