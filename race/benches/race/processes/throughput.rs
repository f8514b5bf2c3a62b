//! Many calls, and large ones: P2 and P3.

use super::peers::{
    Ipc, Message, Pipe, echo, memory_of, next, next_of_each, our_pool, procspawn_pool, procspawned,
    result, sum_of,
};
use super::python;
use crate::harness::{Race, Unit, Workload, ours, peer, reference};
use crate::work::{WORKERS, in_order};
use concurrent_futures::SharedData;
use serde_bytes::ByteBuf;
use std::hint::black_box;
use std::thread;

// ---- P2 -------------------------------------------------------------------------------------

fn expected(count: u64) -> u64 {
    in_order((0..count).map(next))
}

pub(crate) fn one_call_each(race: &Race<'_>) {
    let workload = Workload {
        title: "many tiny calls, one submit each, results in order",
        unit: Unit::Time,
        count: race.size(100_000, 500),
        rounds: 9,
        expected,
    };
    let submitting = our_pool(WORKERS);
    let submitting_all = our_pool(WORKERS);
    let procspawn = procspawn_pool(WORKERS);
    let ipc = Ipc::new();
    let mut pipe = Pipe::new(64 * 64);
    let mut contestants = vec![
        ours("submit", move |count| {
            let futures: Vec<_> = (0..count).map(|n| submitting.submit(next, n)).collect();
            in_order(futures.into_iter().map(result))
        }),
        ours("submit_all", move |count| {
            in_order(submitting_all.submit_all(next, 0..count).into_iter().map(result))
        }),
        peer("procspawn", move |count| {
            let handles: Vec<_> = (0..count).map(|n| procspawn.spawn(n, next)).collect();
            in_order(handles.into_iter().map(|it| it.join().expect("no call fails")))
        })
        .doing_one_in(20),
        peer("ipc-channel, no pool", move |count| {
            let (sender, receiver) = ipc.ends();
            let sender = sender.clone();
            let send_all = move || {
                (0..count).for_each(|n| sender.send(Message::Number(n)).expect("it is received"));
            };
            thread::scope(|scope| {
                scope.spawn(send_all);
                in_order((0..count).map(|_| match receiver.recv() {
                    Ok(Message::Number(result)) => result,
                    _ => panic!("a number is answered by a number"),
                }))
            })
        })
        .doing_one_in(2),
        reference("64 at once through bare pipes", move |count| {
            let mut message = vec![0; 64 * 64];
            let mut results = Vec::new();
            for first in (0..count).step_by(64) {
                let numbers = first..count.min(first + 64);
                for (n, place) in numbers.clone().zip(message.chunks_exact_mut(64)) {
                    place[..8].copy_from_slice(&n.to_le_bytes());
                }
                let answers = pipe.exchange(&message).chunks_exact(64);
                results.extend(numbers.zip(answers).map(|(_, answer)| {
                    next(u64::from_le_bytes(answer[..8].try_into().expect("there are eight")))
                }));
            }
            in_order(results)
        }),
    ];
    contestants.extend(python::row(race, &["one_call_each"]).map(|it| it.doing_one_in(10)));
    race.run(workload, contestants);
}

pub(crate) fn map(race: &Race<'_>) {
    const CHUNK: usize = 1_000;
    let workload = Workload {
        title: "many tiny calls through map; by hand or in Python, 1,000 at once",
        unit: Unit::Time,
        count: race.size(100_000, 5_000),
        rounds: 9,
        expected,
    };
    let pool = our_pool(WORKERS);
    let procspawn = procspawn_pool(WORKERS);
    let mut contestants = vec![
        ours("map", move |count| {
            in_order(pool.map(next, 0..count).map(|result| result.expect("no call fails")))
        }),
        peer("procspawn by hand", move |count| {
            let numbers: Vec<u64> = (0..count).collect();
            let one = |chunk: &[u64]| procspawn.spawn(chunk.to_vec(), next_of_each);
            let handles: Vec<_> = numbers.chunks(CHUNK).map(one).collect();
            let results = handles.into_iter().map(|it| it.join().expect("no call fails"));
            in_order(results.flatten())
        }),
    ];
    contestants.extend(python::row(race, &["map"]));
    race.run(workload, contestants);
}

// ---- P3 -------------------------------------------------------------------------------------

fn payload_byte(at: usize) -> u8 {
    (at * 31) as u8
}

/// Checks the length, and some of the bytes.
fn checksum(length: usize, byte: impl Fn(usize) -> u8) -> u64 {
    (0..length).step_by(4097).fold(length as u64, |sum, at| sum + u64::from(byte(at)))
}

fn checksums<A: AsRef<[u8]>>(answers: impl Iterator<Item = A>) -> u64 {
    answers.map(|it| checksum(it.as_ref().len(), |at| it.as_ref()[at])).sum()
}

/// A call with so many bytes, which come back; one at a time.
fn echoes<const LENGTH: usize>(race: &Race<'_>, title: &'static str, full: u64, rounds: usize) {
    let workload = Workload {
        title,
        unit: Unit::Time,
        count: race.size(full, 1),
        rounds,
        expected: |count| count * checksum(LENGTH, payload_byte),
    };
    let payload: Vec<u8> = (0..LENGTH).map(payload_byte).collect();
    let argument = || ByteBuf::from(payload.clone());
    let pool = our_pool(1);
    let procspawn = procspawn_pool(1);
    let ipc = Ipc::new();
    let mut pipe = Pipe::new(LENGTH);
    let mut contestants = vec![
        ours("submit, result", |count| {
            checksums((0..count).map(|_| result(pool.submit(echo, argument()))))
        }),
        peer("procspawn", |count| {
            checksums((0..count).map(|_| procspawned(&procspawn, echo, argument())))
        }),
        peer("ipc-channel, no pool", |count| {
            checksums((0..count).map(|_| match ipc.exchange(Message::Bytes(argument())) {
                Message::Bytes(bytes) => bytes,
                Message::Number(_) => unreachable!("bytes are answered by bytes"),
            }))
        }),
        reference("bare pipes", |count| {
            (0..count).map(|_| checksums([pipe.exchange(&payload)].into_iter())).sum()
        }),
        reference("copied twice in memory", |count| {
            checksums((0..count).map(|_| black_box(black_box(&payload).clone()).clone()))
        }),
    ];
    contestants.extend(python::row(race, &["echo", &LENGTH.to_string()]));
    race.run(workload, contestants);
}

pub(crate) fn echo_1_kib(race: &Race<'_>) {
    echoes::<{ 1 << 10 }>(race, "1 KiB to a process and back", 1_000, 9);
}

pub(crate) fn echo_64_kib(race: &Race<'_>) {
    echoes::<{ 64 << 10 }>(race, "64 KiB to a process and back", 200, 9);
}

pub(crate) fn echo_1_mib(race: &Race<'_>) {
    echoes::<{ 1 << 20 }>(race, "1 MiB to a process and back", 30, 9);
}

pub(crate) fn echo_64_mib(race: &Race<'_>) {
    echoes::<{ 64 << 20 }>(race, "64 MiB to a process and back", 1, 7);
}

// ---- P6 -------------------------------------------------------------------------------------

/// A table that two workers read at the same time, each one half; and one thread of this process, all.
pub(crate) fn shared_table(race: &Race<'_>) {
    let workload = Workload {
        title: "the sum of a shared table of 1 GiB, by two workers; the cost of a word",
        unit: Unit::Time,
        count: race.size(1 << 27, 1 << 10),
        rounds: 7,
        expected: |words| words * (words - 1) / 2,
    };
    let numbers: Vec<u64> = (0..workload.count).collect();
    let table = SharedData::new(&numbers).expect("there is memory");
    drop(numbers);
    let pool = our_pool(WORKERS);
    let of_workers = |words: u64| {
        let half = words / 2;
        let halves = [(table.clone(), 0, half), (table.clone(), half, words)];
        halves.map(|it| pool.submit(sum_of, it)).into_iter().map(result).sum()
    };
    let contestants = vec![
        ours("SharedData, two workers", of_workers),
        reference("a slice, two threads", |words| {
            let (first, second) = table[..words as usize].split_at(words as usize / 2);
            thread::scope(|scope| {
                let first = scope.spawn(|| first.iter().sum::<u64>());
                second.iter().sum::<u64>() + first.join().expect("it does not panic")
            })
        }),
        reference("a slice, one thread", |words| table[..words as usize].iter().sum()),
    ];
    race.run(workload, contestants);
    if !race.options.is_test {
        let workers = pool.workers().into_iter().filter_map(|it| it.process_id);
        let memory: u64 = workers.chain([std::process::id()]).map(memory_of).sum();
        println!("  memory of this process and its workers: {} MiB", memory >> 10);
    }
}
