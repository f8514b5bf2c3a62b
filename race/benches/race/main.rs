//! The race: `concurrent-futures` against every peer, in interleaved rounds of one run.
//!
//! ```text
//! cargo bench                         # all tables
//! cargo bench -- T1 P4                # the workloads whose names begin so
//! cargo bench -- --rounds 3           # with fewer rounds
//! cargo bench -- --test               # only checks the results, in some seconds
//! ```
//!
//! The page of this package says what the tables mean.

mod harness;
mod machine;
mod options;
mod processes;
mod threads;
mod work;

use harness::Race;
use options::Options;

#[global_allocator]
static ALLOCATOR: machine::Counting = machine::Counting;

type Workload = fn(&Race<'_>);

/// All workloads, in the order of their tables.
const WORKLOADS: &[(&str, Workload)] = &[
    ("T0", threads::latency::start),
    ("T1s", threads::latency::one_processor),
    ("T1x", threads::latency::two_processors),
    ("T1f", threads::latency::free),
    ("T1c", threads::latency::after_silence),
    ("I1", threads::latency::idle_for_1_ms),
    ("I10", threads::latency::idle_for_10_ms),
    ("T2", threads::throughput::handles_kept),
    ("T2b", threads::throughput::bytes),
    ("T3", threads::throughput::from_inside),
    ("T4", threads::compute::map),
    ("T5", threads::compute::fork_join),
    ("T6", threads::compute::primes),
    ("T7", threads::compute::factorise),
    ("T8", threads::throughput::completion_order),
    ("T9", threads::throughput::four_submitters),
    ("P1s", processes::latency::one_processor),
    ("P1x", processes::latency::two_processors),
    ("P1f", processes::latency::free),
    ("P2", processes::throughput::one_call_each),
    ("P2m", processes::throughput::map),
    ("P3a", processes::throughput::echo_1_kib),
    ("P3b", processes::throughput::echo_64_kib),
    ("P3c", processes::throughput::echo_1_mib),
    ("P3d", processes::throughput::echo_64_mib),
    ("P4", processes::lifetime::start),
    ("P4m", processes::lifetime::memory),
    ("P5e", processes::lifetime::error_after_death),
    ("P5", processes::lifetime::strength_after_death),
    ("P6", processes::throughput::shared_table),
    ("G1", threads::growth::of_tasks),
    ("G2", threads::growth::of_workers),
    ("G4", threads::growth::of_submitters),
    ("G3", processes::growth::of_payloads),
    ("G5", processes::growth::of_workers),
];

fn main() {
    // The worker processes of some peers begin, and end, here.
    processes::run_as_worker();
    threads::limit_global_pool();
    let options = Options::from_arguments();
    if let Some((name, run)) = WORKLOADS.iter().find(|(name, _)| options.is_for(name)) {
        return run(&Race { name, options: &options });
    }
    // Each workload has a process of its own, so that no table depends on those before it.
    for (name, _) in WORKLOADS.iter().filter(|(name, _)| options.chooses(name)) {
        let status = options.command_for(name).status().expect("this program can be started");
        assert!(status.success(), "{name}: {status}");
    }
}
