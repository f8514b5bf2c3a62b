//! What is written into the memory of values, and read out of it.

use super::*;

use crate::process::wire::value;
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt::Debug;

/// Bytes and texts, as such and element by element, between values without parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Value {
    Nothing,
    Number(i64),
    Half(f32),
    Sign(char),
    Text(String),
    Bytes(#[serde(with = "serde_bytes")] Vec<u8>),
    Each(Vec<u8>),
    Wide(Vec<u128>),
    Named { name: String, more: Option<bool> },
    Map(BTreeMap<String, Vec<u16>>),
    Several(Vec<Value>),
}

/// Lengths around those at which something changes.
fn length() -> impl Strategy<Value = usize> {
    prop_oneof![
        0..40_usize,
        8_100..8_300_usize,
        16_300..16_500_usize,
        32_700..33_000_usize,
        0..200_000_usize
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nothing),
        any::<i64>().prop_map(Value::Number),
        (-1e9..1e9_f32).prop_map(Value::Half),
        any::<char>().prop_map(Value::Sign),
        (length(), any::<char>())
            .prop_map(|(len, sign)| Value::Text(sign.to_string().repeat(len / 4))),
        (length(), any::<u8>()).prop_map(|(len, byte)| Value::Bytes(vec![byte; len])),
        (length(), any::<u8>()).prop_map(|(len, byte)| Value::Each(vec![byte; len])),
        prop::collection::vec(any::<u128>(), 0..2_000).prop_map(Value::Wide),
        (".{0,40}", any::<Option<bool>>()).prop_map(|(name, more)| Value::Named { name, more }),
        prop::collection::btree_map(".{0,9}", prop::collection::vec(any::<u16>(), 0..40), 0..40)
            .prop_map(Value::Map),
    ];
    prop::collection::vec(leaf, 0..6).prop_map(Value::Several)
}

fn written(value: &impl Serialize, store: &Arc<Store>) -> Payload {
    let mut writer = Writer::new(store);
    value::encode(value, &mut writer).unwrap();
    let len = writer.len();
    let payload = Payload::from(writer);
    match &payload {
        Payload::Short(bytes) => assert_eq!(bytes.len(), len),
        Payload::Long(bytes) => assert_eq!(bytes.len(), len),
        Payload::Kept(parcel) => assert_eq!(parcel.len(), len),
    }
    payload
}

fn read<T: DeserializeOwned>(payload: &Payload, opened: &Opened) -> Result<T, String> {
    match (payload, payload.place()) {
        (Payload::Short(bytes), Where::Here) => value::receive(&Arrived::Here(bytes)),
        (Payload::Long(bytes), Where::Here) => value::receive(&Arrived::Here(bytes)),
        (Payload::Kept(_), Where::Kept(place)) => value::receive(&opened.at(place).unwrap()),
        _ => panic!("it is not there"),
    }
}

fn here() -> Opened {
    Opened::new(std::process::id())
}

fn is_kept(payload: &Payload) -> bool {
    matches!(payload, Payload::Kept(_))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_written_is_read(values in prop::collection::vec(value(), 1..4)) {
        let (store, opened) = (Store::new(2, 2), here());
        for value in &values {
            // As `postcard` does it.
            let plain = postcard::to_stdvec(value).unwrap();
            prop_assert_eq!(&value::decode::<Value>(&plain).unwrap(), value);
            let payload = written(value, &store);
            prop_assert_eq!(is_kept(&payload), plain.len() > 16 << 10);
            prop_assert_eq!(&read::<Value>(&payload, &opened).unwrap(), value);
        }
    }

    #[test]
    fn any_bytes_give_a_value_or_an_error(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        before in 16_200..16_500_usize,
    ) {
        let _ = value::decode::<Value>(&bytes);
        // The same at the end of a piece.
        let store = Store::new(1, 1);
        let mut writer = Writer::new(&store);
        writer.extend(&postcard::to_stdvec(&vec![1_u8; before]).unwrap());
        writer.extend(&bytes);
        let _ = read::<(Vec<u8>, Value)>(&writer.into(), &here());
    }
}

#[test]
fn memory_is_used_again_and_found_where_it_was() {
    let (store, opened) = (Store::new(2, 2), here());
    let place_of = |payload: &Payload| match payload.place() {
        Where::Kept(place) => (place.number, place.descriptor),
        Where::Here => panic!("it is large"),
    };
    let mut places = Vec::new();
    for len in [20_000, 3_000_000, 17_000, 9_000_000, 1_000_000] {
        let text = "x".repeat(len);
        let payload = written(&text, &store);
        assert!(read::<String>(&payload, &opened).unwrap() == text);
        places.push(place_of(&payload));
    }
    assert!(places.iter().all(|it| *it == places[0]), "{places:?}");
    assert!(store.reserved() >= 9_000_000);
}

#[test]
fn where_there_is_no_more_memory_the_bytes_stay() {
    let (store, opened) = (Store::new(1, 1), here());
    let text = "y".repeat(100_000);
    let first = written(&text, &store);
    let second = written(&text, &store);
    assert!(is_kept(&first) && !is_kept(&second));
    for payload in [first, second] {
        assert!(read::<String>(&payload, &opened).unwrap() == text);
    }
    assert!(is_kept(&written(&text, &store)));
}

#[test]
fn what_is_put_in_later_may_have_moved() {
    let store = Store::new(1, 1);
    for len in [0, 100, 20_000, 200_000] {
        let mut writer = Writer::new(&store);
        writer.extend(&[1; 9]);
        writer.extend(&vec![2; len]);
        writer.overwrite(3, &[7, 8]);
        writer.extend(&[3; 5]);
        writer.truncate(9 + len + 2);
        let expected = [&[1, 1, 1, 7, 8, 1, 1, 1, 1][..], &vec![2; len], &[3; 2]].concat();
        match writer.finish() {
            Ok(bytes) => assert!(bytes.as_slice() == expected),
            Err(parcel) => assert!(parcel.bytes() == expected),
        }
        let mut writer = Writer::new(&store);
        writer.extend(&vec![2; len]);
        writer.truncate(len / 2);
        writer.extend(&[3]);
        assert_eq!(writer.len(), len / 2 + 1);
    }
}

#[test]
fn a_place_that_is_not_there_is_an_error() {
    let store = Store::new(1, 1);
    let payload = written(&"z".repeat(50_000), &store);
    let Where::Kept(place) = payload.place() else { panic!("it is large") };
    let opened = here();
    for wrong in [
        Place { len: usize::MAX, ..place },
        Place { len: 10 << 20, ..place },
        Place { descriptor: -1, number: 7, ..place },
        Place { descriptor: i32::MAX, number: 7, ..place },
        Place { descriptor: 0, number: 7, ..place },
    ] {
        assert!(opened.at(wrong).is_err(), "{wrong:?}");
    }
    opened.at(place).unwrap();
}

#[test]
fn what_is_shorter_than_it_says_takes_no_memory() {
    fn refused<T: DeserializeOwned + Debug>(bytes: &[u8]) {
        assert!(value::decode::<T>(bytes).unwrap_err().contains("end of buffer"));
    }
    let long = postcard::to_stdvec(&(1_u64 << 60)).unwrap();
    refused::<String>(&long);
    refused::<Vec<u8>>(&long);
    refused::<Vec<u64>>(&long);
    refused::<BTreeMap<u8, u8>>(&long);
}

#[test]
fn memory_that_is_not_used_goes_back() {
    let store = Store::new(2, 2);
    assert!(store.give_back().is_none());
    let payload = written(&"x".repeat(1 << 20), &store);
    assert!(store.wants_to_be_minded());
    assert!(!store.wants_to_be_minded());
    assert_eq!(store.give_back(), Some(KEEP), "it is used");
    drop(payload);
    assert!(store.give_back_unused_since(KEEP).is_none());
    assert_eq!(store.reserved(), 0);
    assert!(store.wants_to_be_minded(), "nobody does any more");
    let text = "y".repeat(1 << 20);
    assert!(read::<String>(&written(&text, &store), &here()).unwrap() == text);
}
