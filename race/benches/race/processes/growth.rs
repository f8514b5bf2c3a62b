//! How the cost of a call grows with the length of what it carries: G3.

use super::peers::{echo, our_pool, procspawn_pool, procspawned, result};
use crate::harness::{Race, Side, growth};
use serde_bytes::ByteBuf;

/// From a byte to 256 MiB, there and back, one call at a time.
pub(crate) fn of_payloads(race: &Race<'_>) {
    let most = if race.options.is_test { 1 << 16 } else { 1 << 28 };
    let pool = our_pool(1);
    let procspawn = procspawn_pool(1);
    let payload = vec![7_u8; most];
    let argument = |length: usize| ByteBuf::from(&payload[..length]);
    growth(
        race,
        "cost of a byte, there and back, by the length of what is sent (ns)",
        &[0, 4, 8, 10, 12, 13, 14, 15, 16, 17, 18, 20, 22, 24, 26, 28]
            .map(|power| 1 << power)
            .into_iter()
            .filter(|length| *length <= most)
            .collect::<Vec<usize>>(),
        &mut [
            (Side::Ours, "submit, result", &mut |length| {
                let answer = result(pool.submit(echo, argument(length)));
                assert_eq!(answer.len(), length);
            }),
            (Side::Peer, "procspawn", &mut |length| {
                let answer = procspawned(&procspawn, echo, argument(length));
                assert_eq!(answer.len(), length);
            }),
            (Side::Reference, "copied twice", &mut |length| {
                let copy = argument(length);
                assert_eq!(std::hint::black_box(&copy).clone().len(), length);
            }),
        ],
    );
}
