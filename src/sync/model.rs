//! The primitives of a model build: loom's, with the same methods as in [`real`](super).
//!
//! Timed waits never time out here.

pub(crate) mod atomic {
    //! Loom's atomics, with a turnstile before each access.
    //!
    //! Loom decides which orders are worth trying by the latest access to each atomic, and a thread
    //! that reads before it writes (as every `fetch_update` does) thereby hides from it that another
    //! thread has read before: the order in which the write comes first is then never tried. A
    //! condition variable that nobody waits for is a point where threads may change places, which
    //! loom always tries both ways, and it orders no memory.

    pub(crate) use loom::sync::atomic::{Ordering, fence};

    #[derive(Debug)]
    pub(crate) struct AtomicUsize {
        value: loom::sync::atomic::AtomicUsize,
        turnstile: loom::sync::Condvar,
    }

    macro_rules! accesses {
        ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
            $(
                pub(crate) fn $name(&self, $($argument: $type),*) -> $result {
                    self.turnstile.notify_one();
                    self.value.$name($($argument),*)
                }
            )*
        };
    }

    impl AtomicUsize {
        pub(crate) fn new(value: usize) -> Self {
            AtomicUsize {
                value: loom::sync::atomic::AtomicUsize::new(value),
                turnstile: loom::sync::Condvar::new(),
            }
        }

        accesses! {
            load(order: Ordering) -> usize;
            store(value: usize, order: Ordering) -> ();
            swap(value: usize, order: Ordering) -> usize;
            fetch_add(value: usize, order: Ordering) -> usize;
            fetch_sub(value: usize, order: Ordering) -> usize;
            fetch_or(value: usize, order: Ordering) -> usize;
            compare_exchange(old: usize, new: usize, success: Ordering, failure: Ordering)
                -> Result<usize, usize>;
            fetch_update(success: Ordering, failure: Ordering, f: impl FnMut(usize) -> Option<usize>)
                -> Result<usize, usize>;
        }
    }

    /// Reads an atomic that nobody else can reach any more; every earlier access must have happened
    /// before, or the model fails.
    pub(crate) fn exclusive(word: &mut AtomicUsize) -> usize {
        word.value.with_mut(|word| *word)
    }
}

pub(crate) mod thread {
    //! Threads of the model; names and stack sizes mean nothing to it.

    pub(crate) use loom::thread::{JoinHandle, yield_now};
    pub(crate) use loom::thread_local;

    macro_rules! const_thread_local {
        ($(#[$doc:meta])* static $name:ident: $type:ty = $value:expr) => {
            loom::thread_local! { $(#[$doc])* static $name: $type = $value }
        };
    }
    pub(crate) use const_thread_local;

    pub(crate) fn spawn(
        _name: String,
        _stack_size: Option<usize>,
        body: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<JoinHandle<()>> {
        Ok(loom::thread::spawn(body))
    }

    pub(crate) fn is_finished(_handle: &JoinHandle<()>) -> bool {
        false
    }
}

pub(crate) use loom::sync::MutexGuard;

#[derive(Debug)]
pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Mutex::new(T::default())
    }
}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Mutex(loom::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Condvar(loom::sync::Condvar);

impl Condvar {
    pub(crate) fn new() -> Self {
        Condvar(loom::sync::Condvar::new())
    }

    pub(crate) fn wait_until<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        _deadline: Option<std::time::Instant>,
    ) -> (MutexGuard<'a, T>, bool) {
        (self.0.wait(guard).unwrap(), false)
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// The system's lock, under which a word is compared before a thread sleeps on it, is a lock here.
#[derive(Debug)]
pub(crate) struct Futex {
    word: atomic::AtomicUsize,
    queue: Mutex<()>,
    woken: Condvar,
}

impl Futex {
    pub(crate) fn new(value: u32) -> Self {
        let word = atomic::AtomicUsize::new(value as usize);
        Futex { word, queue: Mutex::new(()), woken: Condvar::new() }
    }

    pub(crate) fn load(&self, order: atomic::Ordering) -> u32 {
        self.word.load(order) as u32
    }

    pub(crate) fn store(&self, value: u32, order: atomic::Ordering) {
        self.word.store(value as usize, order);
    }

    pub(crate) fn swap(&self, value: u32, order: atomic::Ordering) -> u32 {
        self.word.swap(value as usize, order) as u32
    }

    pub(crate) fn wait(&self, value: u32, _limit: Option<std::time::Duration>) {
        let queue = self.queue.lock();
        // ORDERING: relaxed; the system promises no more, and the lock orders it with `wake`.
        if self.word.load(atomic::Ordering::Relaxed) == value as usize {
            drop(self.woken.wait_until(queue, None));
        }
    }

    pub(crate) fn wake(&self) {
        let _queue = self.queue.lock();
        self.woken.notify_one();
    }
}

#[derive(Debug)]
pub(crate) struct UnsafeCell<T>(loom::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) fn new(value: T) -> Self {
        UnsafeCell(loom::cell::UnsafeCell::new(value))
    }

    pub(crate) fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
        self.0.with(read)
    }

    pub(crate) fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
        self.0.with_mut(write)
    }
}

/// Whoever ends the cell must have seen every access to it.
impl<T> Drop for UnsafeCell<T> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.0.with_mut(|_| ());
        }
    }
}

/// Something that must be dropped before the model ends, or the model fails.
pub(crate) struct Tracked(#[allow(dead_code)] loom::alloc::Track<()>);

impl Tracked {
    pub(crate) fn new() -> Self {
        Tracked(loom::alloc::Track::new(()))
    }
}
