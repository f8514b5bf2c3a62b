//! Data, counters and flags that worker processes share: that they arrive, stay for as long as they
//! are needed, and no longer.
#![cfg(target_os = "linux")]

mod common;

use common::{eventually, in_child, printed, within};
use concurrent_futures::{
    Future, MapOptions, ProcessPoolExecutor, SharedCounter, SharedData, StopFlag, TaskError,
    TaskErrorKind, TransferStage, attempt,
};
use serde::de::Deserializer;
use serde::{Deserialize, Serialize, Serializer};
use std::num::NonZeroUsize;

fn pool(workers: usize) -> ProcessPoolExecutor {
    ProcessPoolExecutor::new(workers).unwrap()
}

fn table() -> SharedData<u64> {
    SharedData::new(&(0..100_000).collect::<Vec<_>>()).unwrap()
}

const TOTAL: u64 = 100_000 * 99_999 / 2;

fn sum(table: SharedData<u64>) -> u64 {
    table.iter().sum()
}

fn entry((table, index): (SharedData<u64>, usize)) -> u64 {
    table[index]
}

/// Keeps a worker at work until the flag is set; the counter says that it is.
fn hold((begun, stop): (SharedCounter, StopFlag)) {
    begun.add(1);
    while !stop.is_set() {
        std::thread::yield_now();
    }
}

/// Occupies the only worker; it is free again when the flag is set.
fn occupy(executor: &ProcessPoolExecutor) -> (Future<()>, StopFlag) {
    let (begun, stop) = (SharedCounter::new().unwrap(), StopFlag::new().unwrap());
    let future = executor.submit(hold, (begun.clone(), stop.clone()));
    eventually(|| begun.get() == 1);
    (future, stop)
}

#[track_caller]
fn not_transferred<R: std::fmt::Debug>(result: Result<R, TaskError>) -> (TransferStage, String) {
    match result.unwrap_err().kind() {
        TaskErrorKind::NotTransferred(error) => (error.stage(), error.cause().to_owned()),
        other => panic!("{other:?}"),
    }
}

// ---- arriving -------------------------------------------------------------------------------

#[test]
fn data_arrives_in_whatever_it_is_a_part_of() {
    #[derive(Serialize, Deserialize)]
    struct Model {
        name: String,
        weights: SharedData<f32>,
        bias: Option<SharedData<f64>>,
        columns: Vec<SharedData<i8>>,
    }

    fn describe(model: Model) -> (String, f32, Option<f64>, i8) {
        let bias = model.bias.map(|it| it[0]);
        (model.name, model.weights.iter().sum(), bias, model.columns[1][0])
    }

    within(|| {
        let executor = pool(1);
        let model = Model {
            name: "m".to_owned(),
            weights: SharedData::new(&[0.5; 1000]).unwrap(),
            bias: Some(SharedData::new(&[-1.0]).unwrap()),
            columns: vec![SharedData::new(&[1]).unwrap(), SharedData::new(&[2, 3]).unwrap()],
        };
        let described = executor.submit(describe, model).result().unwrap();
        assert_eq!(described, ("m".to_owned(), 500.0, Some(-1.0), 2));
        let nothing: SharedData<u64> = SharedData::new(&[]).unwrap();
        assert_eq!(executor.submit(sum, nothing).result().unwrap(), 0);
    });
}

#[test]
fn a_reference_fits_into_64_bytes_and_the_data_would_not() {
    within(|| {
        let executor =
            ProcessPoolExecutor::builder().max_workers(1).max_message(64).build().unwrap();
        let table = table();
        let future = executor.submit(sum, table.clone());
        assert_eq!(future.result().unwrap(), TOTAL);
        let future = executor.submit(|it: Vec<u64>| it.len(), table.to_vec());
        assert_eq!(not_transferred(future.result()).0, TransferStage::EncodeArgument);
    });
}

#[test]
fn a_map_reads_the_table_in_chunks_of_any_size() {
    within(|| {
        let executor = pool(2);
        let table = table();
        for chunk in [1, 7, 1000] {
            let options = MapOptions::new().chunksize(NonZeroUsize::new(chunk).unwrap());
            let own = table.clone();
            let items = (0..1000).map(move |index| (own.clone(), index));
            let read: Result<Vec<u64>, _> = executor.map_with(options, entry, items).collect();
            assert!(read.unwrap().into_iter().eq(0..1000));
        }
    });
}

#[test]
fn what_came_with_a_call_comes_home_in_its_result() {
    within(|| {
        let executor = pool(1);
        let table = table();
        let came: SharedData<u64> = executor.submit(|it| it, table.clone()).result().unwrap();
        assert_eq!(came.as_ptr(), table.as_ptr());
        // Also if the caller has none any more.
        let again = SharedData::new(&[7u8]).unwrap();
        let came: SharedData<u8> = executor.submit(|it| it, again).result().unwrap();
        assert_eq!(*came, [7]);
    });
}

#[test]
fn what_a_worker_has_created_cannot_be_in_its_result() {
    within(|| {
        let executor = pool(1);
        let future = executor.submit(|()| SharedData::new(&[1u8]).unwrap(), ());
        let (stage, cause) = not_transferred(future.result());
        assert_eq!(stage, TransferStage::EncodeResult);
        assert!(cause.contains("created in a worker"), "{cause}");
        assert_eq!(executor.submit(sum, table()).result().unwrap(), TOTAL);
    });
}

#[test]
fn nothing_but_a_pool_can_encode_it() {
    assert!(postcard::to_stdvec(&table()).is_err());
    assert!(postcard::to_stdvec(&SharedCounter::new().unwrap()).is_err());
    assert!(postcard::to_stdvec(&StopFlag::new().unwrap()).is_err());
}

#[test]
fn a_pool_within_a_worker_passes_it_on() {
    fn below((table, count): (SharedData<u64>, SharedCounter)) -> (u64, bool) {
        let executor = pool(1);
        let own = SharedData::new(&[1u64, 2, 3]).unwrap();
        let of_own = executor.submit(sum, own).result().unwrap();
        let passed_on = |(table, count): (SharedData<u64>, SharedCounter)| {
            count.add(table.iter().sum());
            table
        };
        let home = executor.submit(passed_on, (table.clone(), count)).result().unwrap();
        (of_own, home.as_ptr() == table.as_ptr())
    }

    within(|| {
        let executor = pool(1);
        let count = SharedCounter::new().unwrap();
        let future = executor.submit(below, (table(), count.clone()));
        assert_eq!(future.result().unwrap(), (6, true));
        assert_eq!(count.get(), TOTAL);
    });
}

// ---- staying --------------------------------------------------------------------------------

#[test]
fn ones_own_can_be_dropped_right_after_submitting() {
    within(|| {
        let executor = pool(1);
        let (occupied, stop) = occupy(&executor);
        let futures: Vec<_> = (0..50).map(|_| executor.submit(sum, table())).collect();
        let mapped = executor.map(entry, (0..50).map(|index| (table(), index)));
        stop.set();
        occupied.result().unwrap();
        assert!(futures.into_iter().all(|it| it.result().unwrap() == TOTAL));
        assert!(mapped.map(Result::unwrap).eq(0..50));
    });
}

#[test]
fn a_task_that_is_tried_again_still_finds_it() {
    fn crashes_at_first((table, count): (SharedData<u64>, SharedCounter)) -> u64 {
        count.add(1);
        if attempt() < 3 {
            std::process::abort();
        }
        table.iter().sum()
    }

    within(|| {
        let executor = pool(1);
        let count = SharedCounter::new().unwrap();
        let future = executor.retrying(2).submit(crashes_at_first, (table(), count.clone()));
        assert_eq!(future.result().unwrap(), TOTAL);
        assert_eq!(count.get(), 3);
    });
}

#[test]
fn a_worker_that_dies_takes_nothing_with_it() {
    within(|| {
        let executor = pool(2);
        let table = table();
        for round in 0..3 {
            let dies = executor.submit(|_: SharedData<u64>| std::process::abort(), table.clone());
            let lives = executor.submit(entry, (table.clone(), round));
            let _: Result<(), TaskError> = dies.result();
            assert_eq!(lives.result().unwrap(), round as u64);
        }
        assert_eq!(table.iter().sum::<u64>(), TOTAL);
    });
}

#[test]
fn an_initializer_finds_it_in_every_worker_that_is_ever_started() {
    within(|| {
        let executor = ProcessPoolExecutor::builder()
            .max_workers(1)
            .max_tasks_per_child(1)
            .initializer(|table: SharedData<u64>| table, table())
            .build()
            .unwrap();
        for index in [1, 10, 100] {
            let future = executor.submit_with_state(|table, index: usize| table[index], index);
            assert_eq!(future.result().unwrap(), index as u64);
        }
        // It is home, so it can be in a result.
        let future = executor.submit_with_state(|table, ()| table.clone(), ());
        assert_eq!(future.result().unwrap()[5], 5);
    });
}

#[test]
fn what_a_context_captures_is_found() {
    use std::cell::Cell;
    thread_local! { static FIRST: Cell<u64> = const { Cell::new(0) } }

    within(|| {
        let executor = ProcessPoolExecutor::builder()
            .max_workers(1)
            .context(
                || SharedData::new(&[41u64]).unwrap(),
                |captured, task| {
                    FIRST.set(captured[0]);
                    task();
                },
            )
            .build()
            .unwrap();
        let (occupied, stop) = occupy(&executor);
        let future = executor.submit(|n| FIRST.get() + n, 1);
        stop.set();
        occupied.result().unwrap();
        assert_eq!(future.result().unwrap(), 42);
    });
}

// ---- counting and stopping ------------------------------------------------------------------

#[test]
fn additions_in_processes_and_threads_are_all_counted() {
    fn count_from_threads((count, times): (SharedCounter, u64)) -> u64 {
        std::thread::scope(|scope| {
            let adding = || (0..times).filter(|_| count.add(1) % 2 == 0).count() as u64;
            let (one, other) = (scope.spawn(adding), scope.spawn(adding));
            one.join().unwrap() + other.join().unwrap()
        })
    }

    within(|| {
        let executor = pool(2);
        let count = SharedCounter::new().unwrap();
        let futures: Vec<_> =
            (0..8).map(|_| executor.submit(count_from_threads, (count.clone(), 5000))).collect();
        let own = (0..10_000).filter(|_| count.add(1) % 2 == 0).count() as u64;
        let even: u64 = own + futures.into_iter().map(|it| it.result().unwrap()).sum::<u64>();
        assert_eq!(count.get(), 90_000);
        assert_eq!(even, 45_000, "each number is given to one of them");
        assert_eq!(format!("{count:?}"), "SharedCounter(90000)");
    });
}

#[test]
fn a_flag_stops_all_that_look_at_it() {
    within(|| {
        let executor = pool(2);
        let (begun, stop) = (SharedCounter::new().unwrap(), StopFlag::new().unwrap());
        let futures = executor.submit_all(hold, vec![(begun.clone(), stop.clone()); 2]);
        eventually(|| begun.get() == 2);
        assert!(futures.iter().all(|it| !it.done()));
        assert!(!stop.is_set());
        stop.set();
        assert!(futures.into_iter().all(|it| it.result().is_ok()));
    });
}

#[test]
fn a_worker_can_set_a_flag_too() {
    within(|| {
        let executor = pool(1);
        let stop = StopFlag::new().unwrap();
        executor.submit(|it: StopFlag| it.set(), stop.clone()).result().unwrap();
        assert!(stop.is_set());
    });
}

// ---- what cannot be -------------------------------------------------------------------------

/// Shared data, or a reference to what never was, which looks the same on the wire.
struct Claimed(Result<SharedData<u64>, (u32, i32, u64)>);

impl Serialize for Claimed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Ok(data) => data.serialize(serializer),
            Err((process, number, inode)) => {
                ((process, number, (1u64, inode)), (1u64, 4u8)).serialize(serializer)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Claimed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        SharedData::deserialize(deserializer).map(|data| Claimed(Ok(data)))
    }
}

fn total(claimed: Claimed) -> u64 {
    claimed.0.map_or(0, sum)
}

#[test]
fn what_is_gone_fails_the_task_that_needs_it_and_no_other() {
    within(|| {
        let executor = pool(1);
        let before = executor.submit(total, Claimed(Ok(table())));
        // A process that does not exist; descriptors of this one that are another file, or none.
        for forged in
            [(i32::MAX as u32, 3, 1), (std::process::id(), 0, 1), (std::process::id(), -1, 1)]
        {
            let future = executor.submit(total, Claimed(Err(forged)));
            let (stage, cause) = not_transferred(future.result());
            assert_eq!(stage, TransferStage::DecodeArgument);
            assert!(cause.contains("the shared memory is gone"), "{cause}");
        }
        assert_eq!(before.result().unwrap(), TOTAL);
        let items = [Claimed(Ok(table())), Claimed(Err((0, 0, 0))), Claimed(Ok(table()))];
        let results: Vec<_> = executor.map(total, items).collect();
        assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    });
}

// ---- and no longer --------------------------------------------------------------------------

/// How many of our mappings a process has.
fn mappings_of(process: u32) -> usize {
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let is_ours = |it: &&str| {
        ["shared-data", "shared-counter", "stop-flag"].iter().any(|name| it.contains(name))
    };
    maps.lines().filter(is_ours).count()
}

fn descriptors_of(process: u32) -> usize {
    std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().count()
}

#[test]
fn descriptors_and_mappings_are_given_back() {
    let output = in_child("descriptors_and_mappings_are_given_back", || {
        let executor = pool(1);
        let worker = executor.submit(|()| std::process::id(), ()).result().unwrap();
        let own = std::process::id();
        let counts = || [descriptors_of(own), descriptors_of(worker)];
        let before = counts();
        assert_eq!([mappings_of(own), mappings_of(worker)], [0, 0]);

        let (occupied, stop) = occupy(&executor);
        let count = SharedCounter::new().unwrap();
        let futures: Vec<_> = (0..40).map(|_| executor.submit(sum, table())).collect();
        let cancelled = executor.submit(sum, table());
        assert!(cancelled.cancel());
        assert!(mappings_of(own) > 40);
        stop.set();
        occupied.result().unwrap();
        assert!(futures.into_iter().all(|it| it.result().unwrap() == TOTAL));
        drop((count, stop, cancelled));

        // An idle worker lets go of what it has kept for other calls.
        eventually(|| mappings_of(own) == 0 && mappings_of(worker) == 0);
        eventually(|| counts() == before);
    });
    if let Some(output) = output {
        printed(&output);
    }
}

#[test]
fn a_worker_keeps_few_that_it_does_not_use() {
    within(|| {
        let executor = pool(1);
        let tables: Vec<_> = (0..50).map(|_| table()).collect();
        for table in &tables {
            let future = executor.submit(
                |table: SharedData<u64>| (table.len(), mappings_of(std::process::id())),
                table.clone(),
            );
            let (_, mapped) = future.result().unwrap();
            assert!(mapped <= 17, "{mapped}");
        }
        let worker = executor.workers()[0].process_id.unwrap();
        eventually(|| mappings_of(worker) == 0);
        // And finds them again.
        assert_eq!(executor.submit(sum, tables[0].clone()).result().unwrap(), TOTAL);
    });
}

#[test]
fn tasks_that_never_run_keep_nothing() {
    let output = in_child("tasks_that_never_run_keep_nothing", || {
        let executor = pool(1);
        let (occupied, stop) = occupy(&executor);
        let dropped = executor.submit(sum, table());
        executor.shutdown(false, true);
        assert!(dropped.cancelled());
        stop.set();
        occupied.result().unwrap();
        executor.shutdown(true, false);
        assert!(executor.submit(sum, table()).result().is_err());
        drop((executor, stop));
        eventually(|| mappings_of(std::process::id()) == 0);
    });
    if let Some(output) = output {
        printed(&output);
    }
}
