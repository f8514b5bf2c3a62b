//! How the cost of a call grows with the length of what it carries, and that of a pool with its workers: G3, G5.

use super::peers::{echo, next, our_pool, procspawn_pool, procspawned, result};
use crate::harness::{Race, Side, growth};
use concurrent_futures::ProcessPoolExecutor;
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
                length
            }),
            (Side::Peer, "procspawn", &mut |length| {
                let answer = procspawned(&procspawn, echo, argument(length));
                assert_eq!(answer.len(), length);
                length
            }),
            (Side::Reference, "copied twice", &mut |length| {
                let copy = argument(length);
                assert_eq!(std::hint::black_box(&copy).clone().len(), length);
                length
            }),
        ],
    );
}

/// Pools of up to 100 processes: all are started, each has a call, and all are ended.
pub(crate) fn of_workers(race: &Race<'_>) {
    let most = if race.options.is_test { 2 } else { 100 };
    growth(
        race,
        "cost of a process: start a pool of so many, a call for each, end it (ns)",
        &[1, 2, 5, 10, 25, 50, 100]
            .into_iter()
            .filter(|workers| *workers <= most)
            .collect::<Vec<usize>>(),
        &mut [
            (Side::Ours, "submit, result", &mut |workers| {
                let pool = ProcessPoolExecutor::builder().max_workers(workers).start_all();
                let pool = pool.build().expect("it can be built");
                let futures: Vec<_> = (0..workers as u64).map(|n| pool.submit(next, n)).collect();
                for (n, future) in (0..).zip(futures) {
                    assert_eq!(result(future), next(n));
                }
                workers
            }),
            (Side::Peer, "procspawn", &mut |workers| {
                let pool = procspawn_pool(workers);
                for n in 0..workers as u64 {
                    assert_eq!(procspawned(&pool, next, n), next(n));
                }
                pool.shutdown();
                workers
            }),
        ],
    );
}
