//! Tasks that wait for tasks of their own pool, which has a single worker (G14).

use crate::common::{BOUND, within};
use concurrent_futures::{
    CompletionQueue, ReturnWhen, ThreadPoolExecutor, ThreadPoolHandle, as_completed, attempt,
    first_success, wait,
};

/// Runs `task` on the only worker of a pool, with a handle of that pool.
fn on_the_only_worker<R: Send + 'static>(
    task: impl FnOnce(ThreadPoolHandle) -> R + Send + 'static,
) -> R {
    within(move || {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let handle = executor.handle();
        executor.submit(task, handle).result().unwrap()
    })
}

fn fibonacci((pool, n): (ThreadPoolHandle, u64)) -> u64 {
    if n < 2 {
        return n;
    }
    let one = pool.submit(fibonacci, (pool.clone(), n - 1));
    let other = pool.submit(fibonacci, (pool.clone(), n - 2));
    one.result().unwrap() + other.result().unwrap()
}

/// G14: a recursive task that submits its own parts and waits for them.
#[test]
fn recursive_fibonacci_needs_one_worker() {
    assert_eq!(on_the_only_worker(|pool| fibonacci((pool, 15))), 610);
}

fn depth((pool, levels): (ThreadPoolHandle, u32)) -> u32 {
    match levels {
        0 => 0,
        _ => 1 + pool.submit(depth, (pool.clone(), levels - 1)).result().unwrap(),
    }
}

/// G14: a chain of ten thousand tasks, each of which waits for the next.
#[test]
fn a_chain_may_be_ten_thousand_tasks_deep() {
    assert_eq!(on_the_only_worker(|pool| depth((pool, 10_000))), 10_000);
}

/// G14: `wait`, for all and for the first.
#[test]
fn wait_inside_a_worker() {
    for return_when in
        [ReturnWhen::AllCompleted, ReturnWhen::FirstCompleted, ReturnWhen::FirstException]
    {
        let done = on_the_only_worker(move |pool| {
            let futures = pool.submit_all(|n: u32| n, 0..10);
            wait(futures, return_when).done.len()
        });
        assert!(done > 0, "{return_when:?} returned with nothing done");
    }
}

/// G14: `as_completed`.
#[test]
fn as_completed_inside_a_worker() {
    let sum = on_the_only_worker(|pool| {
        let futures = pool.submit_all(|n: u32| n, 0..200);
        as_completed(futures).map(|future| future.result().unwrap()).sum::<u32>()
    });
    assert_eq!(sum, 19_900);
}

/// G14: `map`, ordered and not.
#[test]
fn map_inside_a_worker() {
    let sums = on_the_only_worker(|pool| {
        let options = concurrent_futures::MapOptions::new().unordered();
        let ordered: u32 = pool.map(|n: u32| n, 0..200).map(Result::unwrap).sum();
        let unordered: u32 = pool.map_with(options, |n: u32| n, 0..200).map(Result::unwrap).sum();
        (ordered, unordered)
    });
    assert_eq!(sums, (19_900, 19_900));
}

/// G14, G27: a completion queue that is added to while it is drained.
#[test]
fn completion_queue_inside_a_worker() {
    let steps = on_the_only_worker(|pool| {
        let mut queue = CompletionQueue::new();
        queue.push(pool.submit(|n: u32| n, 100));
        let mut steps = 0;
        while let Some(future) = queue.pop() {
            steps += 1;
            if let Some(next) = future.result().unwrap().checked_sub(1) {
                queue.push(pool.submit(|n| n, next));
            }
        }
        steps
    });
    assert_eq!(steps, 101);
}

/// G14: a chain made with `then`.
#[test]
fn then_inside_a_worker() {
    let value = on_the_only_worker(|pool| {
        let first = pool.spawn(|| 1);
        let chain = (0..20).fold(first, |future, _| pool.then(future, |n| n * 2));
        chain.result().unwrap()
    });
    assert_eq!(value, 1 << 20);
}

/// G14: a future that was flattened.
#[test]
fn flatten_inside_a_worker() {
    let value =
        on_the_only_worker(|pool| pool.submit(str::parse::<u32>, "42").flatten().result().unwrap());
    assert_eq!(value, 42);
}

/// G14: a wait with a limit, for which the worker cannot run the task itself.
#[test]
fn result_timeout_inside_a_worker() {
    let value = on_the_only_worker(|pool| {
        let future = pool.spawn(|| 42);
        future.result_timeout(BOUND).expect("another thread runs it meanwhile").unwrap()
    });
    assert_eq!(value, 42);
}

/// G14: a future with several readers.
#[test]
fn a_shared_future_inside_a_worker() {
    assert_eq!(on_the_only_worker(|pool| pool.spawn(|| 42).shared().result().unwrap()), 42);
}

/// G14: the first success of several.
#[test]
fn first_success_inside_a_worker() {
    let value = on_the_only_worker(|pool| {
        let parse = |text| pool.submit(str::parse::<u32>, text).flatten();
        first_success(["bad", "worse", "42"].map(parse)).unwrap()
    });
    assert_eq!(value, 42);
}

/// G14: a scope within a scope within a task.
#[test]
fn a_nested_scope_inside_a_worker() {
    let sum = on_the_only_worker(|pool| {
        let numbers = [1, 2, 3, 4];
        let (left, right) = numbers.split_at(2);
        pool.scope(|outer| {
            let left = outer.spawn(|| {
                pool.scope(|inner| {
                    let [one, other] = [0, 1].map(|n| inner.spawn(move || left[n]));
                    one.result().unwrap() + other.result().unwrap()
                })
            });
            left.result().unwrap() + right.iter().sum::<u32>()
        })
    });
    assert_eq!(sum, 10);
}

/// G14: two pools of one worker each, whose tasks wait for each other's.
#[test]
fn two_pools_may_wait_for_each_other() {
    fn ping((here, there, left): (ThreadPoolHandle, ThreadPoolHandle, u32)) -> u32 {
        match left {
            0 => 0,
            _ => 1 + there.submit(ping, (there.clone(), here, left - 1)).result().unwrap(),
        }
    }
    within(|| {
        let pools = [(); 2].map(|()| ThreadPoolExecutor::new(1).unwrap());
        let [here, there] = [0, 1].map(|n| pools[n].handle());
        assert_eq!(pools[0].submit(ping, (here, there, 50)).result().unwrap(), 50);
    });
}

/// G14: many tasks at once that all wait for tasks of their own.
#[test]
fn more_waiting_tasks_than_workers() {
    within(|| {
        let executor = ThreadPoolExecutor::new(2).unwrap();
        let handle = executor.handle();
        let outer = move |n: u32| handle.submit(|n| n * 2, n).result().unwrap();
        let futures = executor.submit_all(outer, 0..500);
        let sum: u32 = futures.into_iter().map(|future| future.result().unwrap()).sum();
        assert_eq!(sum, 249_500);
    });
}

/// A retried task that runs another one while it waits keeps its own count of attempts.
#[test]
fn attempts_of_nested_tasks_are_counted_apart() {
    let seen = on_the_only_worker(|pool| {
        let own = pool.clone();
        let outer = move |()| {
            let plain = own.spawn(attempt).result().unwrap();
            let inner = own.retrying(2).submit(
                |()| {
                    assert_eq!(attempt(), 3);
                    attempt()
                },
                (),
            );
            let inner = inner.result().unwrap();
            assert_eq!(attempt(), 2);
            [plain, inner, attempt()]
        };
        pool.retrying(1).submit(outer, ()).result().unwrap()
    });
    assert_eq!(seen, [1, 3, 2]);
}
