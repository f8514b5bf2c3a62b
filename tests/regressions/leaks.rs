//! Memory that nobody could reach any more, or that was kept for longer than it was of use.

use crate::common::Drops;
use crate::support::survives;
use concurrent_futures::ThreadPoolExecutor;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering};

static LIVE: AtomicIsize = AtomicIsize::new(0);

struct Counting;

// SAFETY: all that is asked of an allocator is done by the system's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as isize, Ordering::SeqCst);
        // SAFETY: as the caller vouches.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as isize, Ordering::SeqCst);
        // SAFETY: as the caller vouches.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A scope kept its tasks, each task the hook for failures, and the hook the scope: a circle that
/// kept the executor's own hook too, when executor and scope had long gone.
#[test]
fn a_scope_lets_go_of_the_executors_hook() {
    let drops = Drops::new();
    let token = drops.token();
    let executor = ThreadPoolExecutor::builder()
        .max_workers(1)
        .on_unobserved_failure(move |_| _ = &token)
        .build()
        .unwrap();
    executor.scope(|scope| drop(scope.spawn(|| ())));
    drop(executor);
    assert_eq!(drops.count(), 1);
}

/// A task that came after another kept it, and so all before it, although they were done, their
/// results taken and their futures gone: a loop that goes on with `then` grew without end.
#[test]
fn a_chain_of_then_keeps_only_its_last_link() {
    survives("leaks::a_chain_of_then_keeps_only_its_last_link", || {
        const STEPS: isize = 2_000;
        type State = [u64; 128];
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let mut state = executor.spawn(|| -> State { [0; 128] });
        state.wait();
        let before = LIVE.load(Ordering::SeqCst);
        for _ in 0..STEPS {
            state = executor.then(state, |state| state);
            state.wait();
        }
        let grown = LIVE.load(Ordering::SeqCst) - before;
        let all = STEPS * size_of::<State>() as isize;
        assert!(grown < all / 4, "one link of {STEPS} is alive, and {grown} bytes are held");
    });
}
