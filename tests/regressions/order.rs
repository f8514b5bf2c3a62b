//! The order in which queued tasks begin.

use crate::common::{occupy, within};
use concurrent_futures::{Future, ThreadPoolExecutor};
use std::sync::mpsc;

/// Thread A submitted while thread B cancelled so much that the queue was swept: what the sweep had
/// in its hands was put behind what A had submitted meanwhile.
#[test]
fn a_sweep_puts_nothing_behind_what_came_later() {
    within(|| {
        for round in 0..10 {
            let executor = ThreadPoolExecutor::new(1).unwrap();
            let gate = occupy(&executor, 1);
            let (begin, begun) = mpsc::channel();
            let (hand, handed) = mpsc::channel::<Future<()>>();
            let canceller = std::thread::spawn(move || {
                handed.into_iter().for_each(|future| assert!(future.cancel()));
            });
            for n in 0..6_000 {
                if n % 8 == 0 {
                    let begin = begin.clone();
                    drop(executor.spawn(move || begin.send(n).unwrap()));
                } else {
                    hand.send(executor.spawn(|| ())).unwrap();
                }
            }
            drop((hand, begin));
            canceller.join().unwrap();
            gate.open();
            let order: Vec<_> = begun.iter().collect();
            assert_eq!(order, Vec::from_iter((0..6_000).step_by(8)), "in round {round}");
        }
    });
}
