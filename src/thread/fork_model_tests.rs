//! The races of a fork: between its maker, who comes back for it, and whoever takes it.

use super::{ThreadPoolExecutor, join};
use crate::sync::explore::{Counter, Letter, explore, spawn};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn pool() -> ThreadPoolExecutor {
    ThreadPoolExecutor::new(1).unwrap()
}

/// The maker comes back for a fork while a worker takes it: one of them runs it, and the maker has what
/// it did.
#[test]
fn fork_taken_while_its_maker_comes_back() {
    explore(2, || {
        let executor = pool();
        let runs = Counter::new();
        let letter = Letter::new();
        let ((), result) = executor.join(
            || (),
            || {
                runs.add();
                letter.write(7);
                42
            },
        );
        assert_eq!((runs.get(), letter.read(), result), (1, 7, 42));
        executor.shutdown(true, false);
    });
}

/// The maker waits for a fork that forks itself: it gets a part of it, or not, and nothing is run
/// twice or left.
#[test]
fn waiting_maker_asks_for_a_part() {
    explore(2, || {
        let executor = pool();
        let letters = [Letter::new(), Letter::new()];
        executor.join(|| (), || join(|| letters[0].write(1), || letters[1].write(2)));
        assert_eq!([letters[0].read(), letters[1].read()], [1, 2]);
        executor.shutdown(true, false);
    });
}

/// The maker unwinds while a worker takes the fork: what it borrows is there until the fork is over.
#[test]
fn fork_taken_while_its_maker_unwinds() {
    explore(2, || {
        let executor = pool();
        let runs = Counter::new();
        {
            let letter = Letter::new();
            let a = || std::panic::resume_unwind(Box::new("no"));
            let b = || {
                runs.add();
                letter.write(7);
            };
            let unwound = catch_unwind(AssertUnwindSafe(|| executor.join(a, b)));
            let ((), ()) = unwound.map_err(drop).unwrap_or(((), ()));
            assert_eq!(letter.read() == 7, runs.get() == 1);
        }
        executor.shutdown(true, false);
    });
}

/// The pool is shut down, and what is queued is cancelled, while a fork is shared: it is run all the
/// same, and once.
#[test]
fn fork_shared_while_the_pool_cancels() {
    explore(2, || {
        let executor = pool();
        let handle = executor.handle();
        let closer = spawn(move || handle.shutdown(false, true));
        let runs = Counter::new();
        executor.join(|| (), || runs.add());
        assert_eq!(runs.get(), 1);
        closer.join();
        executor.shutdown(true, false);
    });
}
