//! The primitives of an ordinary build: the standard library and `parking_lot`, behind the few methods
//! that the model offers as well.

pub(crate) mod atomic {
    #[cfg(concurrent_futures_delays)]
    pub(crate) use crate::sync::delayed::AtomicUsize;
    #[cfg(not(concurrent_futures_delays))]
    pub(crate) use std::sync::atomic::AtomicUsize;
    pub(crate) use std::sync::atomic::{Ordering, fence};

    /// Reads an atomic that nobody else can reach any more. The model checks that it is so.
    pub(crate) fn exclusive(word: &mut AtomicUsize) -> usize {
        *word.get_mut()
    }
}

pub(crate) mod thread {
    //! Starting threads, and the thread-locals that go with them.

    pub(crate) use std::thread::{JoinHandle, yield_now};
    pub(crate) use std::thread_local;

    /// A thread-local whose first value is a constant.
    macro_rules! const_thread_local {
        ($(#[$doc:meta])* static $name:ident: $type:ty = $value:expr) => {
            std::thread_local! { $(#[$doc])* static $name: $type = const { $value } }
        };
    }
    pub(crate) use const_thread_local;

    /// Starts a thread; the operating system's refusal comes back as the error.
    pub(crate) fn spawn(
        name: String,
        stack_size: Option<usize>,
        body: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<JoinHandle<()>> {
        let mut builder = std::thread::Builder::new().name(name);
        if let Some(size) = stack_size {
            builder = builder.stack_size(size);
        }
        builder.spawn(body)
    }

    pub(crate) fn is_finished(handle: &JoinHandle<()>) -> bool {
        handle.is_finished()
    }
}

pub(crate) use parking_lot::MutexGuard;

/// A lock that a panic does not poison.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(parking_lot::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Mutex(parking_lot::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock()
    }
}

/// A condition variable whose waits hand the guard through.
#[derive(Debug, Default)]
pub(crate) struct Condvar(parking_lot::Condvar);

impl Condvar {
    pub(crate) const fn new() -> Self {
        Condvar(parking_lot::Condvar::new())
    }

    /// Waits until notified, or until `deadline` if there is one; the flag says whether the time ran
    /// out.
    pub(crate) fn wait_until<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        deadline: Option<std::time::Instant>,
    ) -> (MutexGuard<'a, T>, bool) {
        match deadline {
            None => {
                self.0.wait(&mut guard);
                (guard, false)
            }
            Some(deadline) => {
                let timed_out = self.0.wait_until(&mut guard, deadline).timed_out();
                (guard, timed_out)
            }
        }
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// A word on which a thread sleeps, in memory that several processes may share.
#[cfg(target_os = "linux")]
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Futex(std::sync::atomic::AtomicU32);

#[cfg(target_os = "linux")]
impl Futex {
    pub(crate) fn load(&self, order: atomic::Ordering) -> u32 {
        self.0.load(order)
    }

    pub(crate) fn store(&self, value: u32, order: atomic::Ordering) {
        self.0.store(value, order);
    }

    pub(crate) fn swap(&self, value: u32, order: atomic::Ordering) -> u32 {
        self.0.swap(value, order)
    }

    /// Blocks while the word has this value, until it is woken, or the time is up; may also return for
    /// no reason.
    pub(crate) fn wait(&self, value: u32, limit: Option<std::time::Duration>) {
        use rustix::thread::futex::{Flags, Timespec, wait};
        let limit = limit.and_then(|it| Timespec::try_from(it).ok());
        // It fails only if the word has another value, the time is up, or a signal has come.
        let _ = wait(&self.0, Flags::empty(), value, limit.as_ref());
    }

    /// Wakes the thread that waits, if one does.
    pub(crate) fn wake(&self) {
        use rustix::thread::futex::{Flags, wake};
        // It cannot fail for a word that is there.
        let _ = wake(&self.0, Flags::empty(), 1);
    }
}

/// Shared memory whose accesses the model can watch.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        UnsafeCell(std::cell::UnsafeCell::new(value))
    }

    /// Lends the pointer for reading.
    pub(crate) fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
        read(self.0.get())
    }

    /// Lends the pointer for writing.
    pub(crate) fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
        write(self.0.get())
    }
}

/// Nothing here; in the model, something whose leak is noticed.
#[derive(Debug)]
pub(crate) struct Tracked;

impl Tracked {
    pub(crate) const fn new() -> Self {
        Tracked
    }
}
