//! An atomic that now and then lets other threads pass before it is read or written.
//!
//! For a build of the tests with `--cfg concurrent_futures_delays`: what is almost never interrupted between
//! two steps is interrupted there all the time. The order of memory is the processor's; for that there are
//! the models.

use super::atomic::Ordering;
use std::cell::Cell;
use std::time::Duration;

#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct AtomicUsize(std::sync::atomic::AtomicUsize);

macro_rules! accesses {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        $(
            pub(crate) fn $name(&self, $($argument: $type),*) -> $result {
                perhaps_delay();
                self.0.$name($($argument),*)
            }
        )*
    };
}

impl AtomicUsize {
    pub(crate) const fn new(value: usize) -> Self {
        AtomicUsize(std::sync::atomic::AtomicUsize::new(value))
    }

    pub(crate) fn get_mut(&mut self) -> &mut usize {
        self.0.get_mut()
    }

    accesses! {
        load(order: Ordering) -> usize;
        store(value: usize, order: Ordering) -> ();
        swap(value: usize, order: Ordering) -> usize;
        fetch_add(value: usize, order: Ordering) -> usize;
        fetch_sub(value: usize, order: Ordering) -> usize;
        fetch_or(value: usize, order: Ordering) -> usize;
        compare_exchange(old: usize, new: usize, done: Ordering, not: Ordering) -> Result<usize, usize>;
    }

    pub(crate) fn fetch_update(
        &self,
        done: Ordering,
        not: Ordering,
        mut change: impl FnMut(usize) -> Option<usize>,
    ) -> Result<usize, usize> {
        perhaps_delay();
        self.0.fetch_update(done, not, |value| {
            let changed = change(value);
            perhaps_delay();
            changed
        })
    }
}

/// Yields once in 32 times, and sleeps once in 1024: so that some thread is nearly always somewhere in between.
fn perhaps_delay() {
    thread_local! { static STATE: Cell<u64> = const { Cell::new(0) } }

    let drawn = STATE.try_with(|state| {
        let seed = std::ptr::from_ref(state).addr() as u64 | 1;
        // Marsaglia's xorshift.
        let mut drawn = if state.get() == 0 { seed } else { state.get() };
        drawn ^= drawn << 13;
        drawn ^= drawn >> 7;
        drawn ^= drawn << 17;
        state.set(drawn);
        drawn >> 20
    });
    match drawn.unwrap_or(1) {
        it if it % 1024 == 0 => std::thread::sleep(Duration::from_micros(50)),
        it if it % 32 == 0 => std::thread::yield_now(),
        _ => {}
    }
}
