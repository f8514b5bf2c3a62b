//! How long one call to another process takes: P1. All with one worker.

use super::peers::{Ipc, Message, Pipe, next, procspawn_pool, procspawned, result, stay};
use super::python;
use crate::harness::{Contestant, Race, Unit, Workload, ours, peer, reference};
use crate::machine::Placement;
use crate::work::in_order;
use concurrent_futures::ProcessPoolExecutor;

fn our_row(placement: &Placement) -> Contestant<'static> {
    let workers = placement.workers.clone();
    let builder = ProcessPoolExecutor::builder().max_workers(1);
    let pool = builder.affinity_of_worker(move |_| workers.clone()).build();
    let pool = pool.expect("it can be built");
    ours("submit, result", move |count| in_order((0..count).map(|n| result(pool.submit(next, n)))))
}

fn procspawn(placement: &Placement) -> Contestant<'static> {
    let pool = procspawn_pool(1);
    procspawned(&pool, stay, placement.workers.clone());
    peer("procspawn", move |count| in_order((0..count).map(|n| procspawned(&pool, next, n))))
}

fn ipc_channel(placement: &Placement) -> Contestant<'static> {
    let ipc = Ipc::new();
    ipc.keep_on(&placement.workers);
    peer("ipc-channel, no pool", move |count| {
        in_order((0..count).map(|n| match ipc.exchange(Message::Number(n)) {
            Message::Number(result) => result,
            Message::Bytes(_) => unreachable!("a number is answered by a number"),
        }))
    })
}

/// What the system asks for: 64 bytes there and back.
fn bare_pipe(placement: &Placement) -> Contestant<'static> {
    let mut pipe = Pipe::new(64);
    pipe.keep_on(&placement.workers);
    reference("64 bytes through bare pipes", move |count| {
        in_order((0..count).map(|n| {
            let mut message = [0; 64];
            message[..8].copy_from_slice(&n.to_le_bytes());
            let answer = pipe.exchange(&message);
            next(u64::from_le_bytes(answer[..8].try_into().expect("there are eight")))
        }))
    })
}

fn round_trips(race: &Race<'_>, title: &'static str, placement: &Placement) {
    let workload = Workload {
        title,
        unit: Unit::Time,
        count: race.size(2_000, 20),
        rounds: 15,
        expected: |count| in_order((0..count).map(next)),
    };
    placement.run(|| {
        let mut contestants = vec![
            our_row(placement),
            procspawn(placement),
            ipc_channel(placement),
            bare_pipe(placement),
        ];
        let workers: Vec<_> = placement.workers.iter().map(usize::to_string).collect();
        contestants.extend(python::row(race, &["round_trip", &workers.join(",")]));
        race.run(workload, contestants);
    });
}

pub(crate) fn one_processor(race: &Race<'_>) {
    let title = "call and result, everything on one processor";
    round_trips(race, title, &Placement::together());
}

pub(crate) fn two_processors(race: &Race<'_>) {
    let title = "call and result, submitter and worker apart";
    match Placement::apart() {
        Some(placement) => round_trips(race, title, &placement),
        None => race.skip("there is only one processor"),
    }
}

pub(crate) fn free(race: &Race<'_>) {
    let title = "call and result, placed by the system";
    round_trips(race, title, &Placement::anywhere());
}
