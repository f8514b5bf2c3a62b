//! The races at a parker.

use super::explore::{Letter, explore, spawn};
use super::{Arc, Parker};

/// A writes a letter and unparks, while B parks: the token comes before, during or after B's way
/// to sleep. B always returns, and can read the letter.
#[test]
fn unpark_before_during_and_after_park() {
    explore(None, || {
        let shared = Arc::new((Parker::new(), Letter::new()));
        let theirs = Arc::clone(&shared);
        let waker = spawn(move || {
            theirs.1.write(42);
            theirs.0.unpark();
        });
        shared.0.park();
        assert_eq!(shared.1.read(), 42);
        waker.join();
    });
}

/// A and B each write a letter and unpark, while C waits for both. One token may swallow the other,
/// but not what came before it: C reads both letters and never sleeps for ever.
#[test]
fn two_unparks_and_one_token() {
    explore(3, || {
        let shared = Arc::new((Parker::new(), [Letter::new(), Letter::new()]));
        let wakers = [0, 1].map(|number| {
            let theirs = Arc::clone(&shared);
            spawn(move || {
                theirs.1[number].write(42);
                theirs.0.unpark();
            })
        });
        while shared.1.iter().any(|letter| letter.read() == 0) {
            shared.0.park();
        }
        wakers.into_iter().for_each(|waker| waker.join());
    });
}

/// A wakes B, which takes the token and answers, whereupon A wakes it again. The first token is
/// gone by then: B's second sleep ends by the second one and not before.
#[test]
fn a_token_is_taken_once() {
    explore(3, || {
        let shared = Arc::new((Parker::new(), Parker::new(), Letter::new()));
        let theirs = Arc::clone(&shared);
        let waker = spawn(move || {
            theirs.0.unpark();
            theirs.1.park();
            theirs.2.write(42);
            theirs.0.unpark();
        });
        shared.0.park();
        shared.1.unpark();
        shared.0.park();
        assert_eq!(shared.2.read(), 42);
        waker.join();
    });
}
