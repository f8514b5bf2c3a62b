//! Values that leave out a field on their way to another process, or back.

use crate::common::workers::pool;
use crate::encoding::errors_of;
use crate::postconditions::{ends, goes_on_and_ends, scenario};
use concurrent_futures::{
    ProcessPoolExecutor, ProcessPoolHandle, TaskError, TaskErrorKind, TransferStage,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Leaves out a field, if that is `None`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Sparse {
    #[serde(skip_serializing_if = "Option::is_none")]
    a: Option<u32>,
    b: u32,
}

/// The same in a variant, and within others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Nested {
    Named {
        b: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        a: Option<u32>,
    },
    Some(Option<Box<Sparse>>),
    Each(Vec<Sparse>),
    Pair(u8, Sparse),
    Map(BTreeMap<u8, Sparse>),
}

const SPARSE: Sparse = Sparse { a: None, b: 1 };
const FULL: Sparse = Sparse { a: Some(2), b: 1 };

fn nested(sparse: Sparse) -> [Nested; 5] {
    [
        Nested::Named { b: sparse.b, a: sparse.a },
        Nested::Some(Some(Box::new(sparse.clone()))),
        Nested::Each(vec![FULL, sparse.clone()]),
        Nested::Pair(9, sparse.clone()),
        Nested::Map([(9, sparse)].into()),
    ]
}

#[track_caller]
fn leaves_out_a_field(error: &TaskError, of: &str, stage: TransferStage) {
    let TaskErrorKind::NotTransferred(transfer) = error.kind() else { panic!("{error}") };
    let words = format!(
        "`{of}` leaves out its field `a` (#[serde(skip_serializing_if)]), and the encoding has no names by which \
         a reader could tell; send a type that does not"
    );
    assert_eq!((transfer.stage(), transfer.cause()), (stage, &*words));
}

#[test]
fn s001_an_argument_that_leaves_out_a_field_reaches_no_worker() {
    scenario(|ledger| {
        let executor = pool(1);
        // Without names, what follows would be taken for the field: `(Sparse { a: Some(2), b: 9 }, [])`.
        let echo = |it: (Sparse, Vec<u8>)| it;
        let future = ledger.watch(executor.submit(echo, (SPARSE, vec![9, 0])));
        assert!(future.done() && executor.workers().is_empty());
        leaves_out_a_field(&future.result().unwrap_err(), "Sparse", TransferStage::EncodeArgument);
        for value in nested(SPARSE) {
            let of = if matches!(value, Nested::Named { .. }) { "Nested::Named" } else { "Sparse" };
            let error = executor.submit(|it: Nested| it, value).result().unwrap_err();
            leaves_out_a_field(&error, of, TransferStage::EncodeArgument);
        }
        assert!(executor.workers().is_empty());
        // Of a map, it is the item's error.
        let items = [FULL, SPARSE, FULL];
        let results: Vec<_> = executor.map(|it: Sparse| it.b, items.clone()).collect();
        assert_eq!((results[0].as_ref().ok(), results[2].as_ref().ok()), (Some(&1), Some(&1)));
        let error = results[1].as_ref().unwrap_err();
        leaves_out_a_field(error, "Sparse", TransferStage::EncodeArgument);
        // Where nothing is left out, it travels.
        assert_eq!(executor.submit(echo, (FULL, vec![9, 0])).result().unwrap(), (FULL, vec![9, 0]));
        let values = nested(FULL);
        assert_eq!(executor.submit(|it: [Nested; 5]| it, values.clone()).result().unwrap(), values);
        goes_on_and_ends(executor);
    });
}

#[test]
fn s001_an_argument_of_an_initializer_that_leaves_out_a_field_is_an_error_of_the_builder() {
    scenario(|_| {
        let builder = ProcessPoolExecutor::builder().max_workers(1);
        let error = builder.initializer(|_: Sparse| (), SPARSE).build().unwrap_err();
        assert!(error.to_string().contains("`Sparse` leaves out its field `a`"), "{error}");
        let builder = ProcessPoolExecutor::builder().max_workers(1);
        let executor = builder.context(|| SPARSE, |_, task| task()).build().unwrap();
        let error = executor.submit(|n: u32| n, 1).result().unwrap_err();
        leaves_out_a_field(&error, "Sparse", TransferStage::EncodeArgument);
        ends(executor);
    });
}

#[test]
fn s001_a_field_that_is_skipped_both_ways_travels_as_its_default() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Caching {
        before: u32,
        #[serde(skip)]
        cache: Vec<u32>,
        behind: u32,
    }
    scenario(|_| {
        let executor = pool(1);
        let value = Caching { before: 1, cache: vec![2, 3], behind: 4 };
        let passed = executor.submit(|it: Caching| (it.cache.len(), it), value).result().unwrap();
        assert_eq!(passed, (0, Caching { before: 1, cache: vec![], behind: 4 }));
        goes_on_and_ends(executor);
    });
}

#[test]
fn s007_a_result_that_leaves_out_a_field_fails_and_is_no_other_value() {
    fn gives(has_it: bool) -> (Sparse, Vec<u8>) {
        (if has_it { FULL } else { SPARSE }, vec![9, 0])
    }
    fn errs((): ()) -> Result<(), Sparse> {
        Err(SPARSE)
    }
    scenario(|ledger| {
        let check = |it: &_| leaves_out_a_field(it, "Sparse", TransferStage::EncodeResult);
        errors_of(ledger, |pool: &ProcessPoolHandle, _| pool.submit(gives, false), check, true);
        errors_of(ledger, |pool: &ProcessPoolHandle, _| pool.submit(errs, ()), check, true);
        let executor = pool(1);
        let results: Vec<_> = executor.map(gives, [true, false, true]).collect();
        check(results[1].as_ref().unwrap_err());
        let others = [&results[0], &results[2]];
        assert!(others.iter().all(|it| it.as_ref().ok() == Some(&(FULL, vec![9, 0]))));
        goes_on_and_ends(executor);
    });
}
