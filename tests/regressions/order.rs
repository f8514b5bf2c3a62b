//! The order in which queued tasks begin.

use crate::common::{occupy, within};
use concurrent_futures::ThreadPoolExecutor;
use std::sync::mpsc;

/// Thread A submits while thread B cancels so much that the queue is swept: what the sweep has in
/// its hands must not end up behind what A submits meanwhile. Nobody takes tasks out at that time.
#[test]
fn a_sweep_puts_nothing_behind_what_comes_later() {
    within(|| {
        for round in 0..10 {
            let executor = ThreadPoolExecutor::new(1).unwrap();
            let gate = occupy(&executor, 1);
            let (begin, begun) = mpsc::channel();
            let submit = |n: usize| {
                let begin = begin.clone();
                drop(executor.spawn(move || begin.send(n).unwrap()));
            };
            let mut to_cancel = Vec::new();
            for n in 0..1_000 {
                submit(n);
                to_cancel.extend((0..8).map(|_| executor.spawn(|| ())));
            }
            let canceller = std::thread::spawn(move || {
                to_cancel.into_iter().for_each(|future| assert!(future.cancel()));
            });
            (1_000..).take_while(|_| !canceller.is_finished()).for_each(submit);
            canceller.join().unwrap();
            drop(begin);
            gate.open();
            let order: Vec<_> = begun.iter().collect();
            assert!(order.is_sorted(), "in round {round}");
        }
    });
}
