//! Values come back, each to whom it belongs.

use crate::pools::{Handle, Pool};
use concurrent_futures::{CompletionQueue, as_completed};
use futures::executor::block_on;
use futures::future::{join_all, select_all};
use std::collections::{BTreeMap, HashSet};

on_both_pools! {
    a_result_comes_back,
    a_call_may_have_no_argument,
    each_result_stands_with_its_submission,
    submit_all_keeps_the_order_of_the_arguments,
    arguments_and_results_may_be_large,
    whatever_serde_can_encode_may_travel,
    nothing_may_travel,
    generic_functions_and_methods_may_be_submitted,
    a_future_can_be_awaited,
    many_futures_can_be_awaited,
    a_shared_future_gives_its_value_to_everyone,
    as_completed_gives_each_future_once,
    a_completion_queue_takes_more_meanwhile,
}

fn a_result_comes_back<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let future = pool.submit(|(base, exponent)| u32::pow(base, exponent), (2, 8));
    assert_eq!(future.result().unwrap(), 256);
}

fn a_call_may_have_no_argument<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let calls: [fn() -> String; 2] = [String::new, || "said".to_owned()];
    let said: Vec<_> = calls.map(|call| pool.spawn(call)).into();
    let said: Vec<_> = said.into_iter().map(|it| it.result().unwrap()).collect();
    assert_eq!(said, ["", "said"]);
}

fn each_result_stands_with_its_submission<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let futures: Vec<_> = (0..300_u64).map(|n| (n, pool.submit(|n| n * n, n))).collect();
    for (n, future) in futures {
        assert_eq!(future.result().unwrap(), n * n);
    }
}

fn submit_all_keeps_the_order_of_the_arguments<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let futures = pool.submit_all(|n: u32| n + 1, (0..100).collect());
    let results: Vec<_> = futures.into_iter().map(|it| it.result().unwrap()).collect();
    assert_eq!(results, Vec::from_iter(1..101));
}

fn arguments_and_results_may_be_large<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let double = |text: String| text.repeat(2);
    let futures: Vec<_> = "abcd".chars().map(|c| (c, c.to_string().repeat(1 << 20))).collect();
    let futures: Vec<_> = futures.into_iter().map(|(c, it)| (c, pool.submit(double, it))).collect();
    for (c, future) in futures {
        let text = future.result().unwrap();
        assert!(text.len() == 2 << 20 && text.chars().all(|it| it == c));
    }
}

fn whatever_serde_can_encode_may_travel<P: Pool>(workers: usize) {
    type Tree = BTreeMap<String, Vec<Option<Result<(u8, i64), char>>>>;
    let pool = P::new(workers);
    let tree: Tree = BTreeMap::from([
        ("empty".to_owned(), vec![]),
        ("full".to_owned(), vec![None, Some(Ok((255, i64::MIN))), Some(Err('ß'))]),
    ]);
    let future = pool.submit(|tree: Tree| tree, tree.clone());
    assert_eq!(future.result().unwrap(), tree);
}

fn nothing_may_travel<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    pool.submit(|()| (), ()).result().unwrap();
}

fn generic_functions_and_methods_may_be_submitted<P: Pool>(workers: usize) {
    fn largest<T: Ord>(items: Vec<T>) -> Option<T> {
        items.into_iter().max()
    }
    let pool = P::new(workers);
    let number = pool.submit(largest::<u8>, vec![3, 9, 4]);
    let text = pool.submit(largest::<String>, vec!["a".to_owned(), "b".to_owned()]);
    let ones = pool.submit(u64::count_ones, 7);
    assert_eq!(number.result().unwrap(), Some(9));
    assert_eq!(text.result().unwrap().as_deref(), Some("b"));
    assert_eq!(ones.result().unwrap(), 3);
}

fn a_future_can_be_awaited<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let value = block_on(async {
        let first = pool.submit(|n: u32| n + 1, 1).await?;
        pool.submit(|n| n * 10, first).await
    });
    assert_eq!(value.unwrap(), 20);
}

fn many_futures_can_be_awaited<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let results = block_on(join_all((0..50).map(|n: u32| pool.submit(|n| n * 2, n))));
    let results: Result<Vec<_>, _> = results.into_iter().collect();
    assert_eq!(results.unwrap(), Vec::from_iter((0..50).map(|n| n * 2)));

    let (first, index, rest) = block_on(select_all((0..3_usize).map(|n| pool.submit(|n| n, n))));
    assert_eq!((first.unwrap(), rest.len()), (index, 2));
}

fn a_shared_future_gives_its_value_to_everyone<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let shared = pool.submit(|n: u32| n + 1, 1).shared();
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let shared = shared.clone();
            std::thread::spawn(move || shared.result().unwrap())
        })
        .collect();
    assert!(readers.into_iter().all(|reader| reader.join().unwrap() == 2));
}

fn as_completed_gives_each_future_once<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let futures: Vec<_> = (0..100_u32).map(|n| (n, pool.submit(|n| n + 1, n))).collect();
    let mut seen = HashSet::new();
    for (n, future) in as_completed(futures) {
        assert!(future.done());
        assert_eq!(future.result().unwrap(), n + 1);
        assert!(seen.insert(n));
    }
    assert_eq!(seen.len(), 100);
}

fn a_completion_queue_takes_more_meanwhile<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let mut queue = CompletionQueue::new();
    queue.push(pool.submit(|n: u32| n, 32));
    let mut results = 0;
    while let Some(future) = queue.pop() {
        results += 1;
        let n = future.result().unwrap();
        if n > 1 {
            (0..2).for_each(|_| queue.push(pool.submit(|n| n, n / 2)));
        }
    }
    assert_eq!(results, 63);
}
