//! What holds on every pool, whatever its workers are: written once, and run on threads and on
//! processes, with one worker, two and eight.

#![cfg(target_os = "linux")]

#[path = "../common/mod.rs"]
mod common;

/// Makes tests of generic functions `fn name<P: Pool>(workers: usize)`: one for each pool and each
/// number of workers.
macro_rules! on_both_pools {
    ($($test:ident),+ $(,)?) => {
        on_both_pools! { @each [$($test)+]
            threads_1: concurrent_futures::ThreadPoolExecutor, 1;
            threads_2: concurrent_futures::ThreadPoolExecutor, 2;
            threads_8: concurrent_futures::ThreadPoolExecutor, 8;
            processes_1: concurrent_futures::ProcessPoolExecutor, 1;
            processes_2: concurrent_futures::ProcessPoolExecutor, 2;
            processes_8: concurrent_futures::ProcessPoolExecutor, 8;
        }
    };
    (@each $tests:tt $($name:ident: $pool:ty, $workers:literal;)+) => {
        $(on_both_pools! { @pool $tests $name $pool, $workers })+
    };
    (@pool [$($test:ident)+] $name:ident $pool:ty, $workers:literal) => {
        mod $name {
            $(#[test]
            fn $test() {
                crate::common::within(|| super::$test::<$pool>($workers));
            })+
        }
    };
}

mod any_executor;
mod callbacks;
mod cancelling;
mod chains;
mod errors;
mod hooks;
mod map;
mod order;
mod pools;
mod queue;
mod results;
mod shutdown;
mod stats;
mod timeouts;
mod waiting;
