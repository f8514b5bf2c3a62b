//! Calls that are repeated.

use crate::common::within;
use concurrent_futures::ThreadPoolExecutor;
use std::panic::panic_any;

/// Panics when it is dropped.
#[derive(Debug)]
struct Grenade;

impl Drop for Grenade {
    fn drop(&mut self) {
        panic!("a failure that panics when it is dropped");
    }
}

impl From<Grenade> for Box<dyn std::error::Error + Send + Sync> {
    fn from(grenade: Grenade) -> Self {
        std::mem::forget(grenade);
        "the last failure".into()
    }
}

/// A call panicked with a payload that panicked itself when it was dropped to make room for the next
/// try: there was no next try.
#[test]
fn a_panic_that_panics_when_it_is_dropped_is_followed_by_another_try() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let mut tries = 0;
        let third_time = executor.retrying(2).submit(
            move |()| {
                tries += 1;
                if tries < 3 { panic_any(Grenade) } else { tries }
            },
            (),
        );
        assert_eq!(third_time.result().unwrap(), 3);
    });
}

/// The same with a call that returns such an error, or panics.
#[test]
fn an_error_that_panics_when_it_is_dropped_is_followed_by_another_try() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let mut tries = 0;
        let third_time = executor.retrying(2).try_call(
            move |()| {
                tries += 1;
                match tries {
                    1 => Err(Grenade),
                    2 => panic_any(Grenade),
                    _ => Ok(tries),
                }
            },
            (),
        );
        assert_eq!(third_time.result().unwrap(), 3);
    });
}
