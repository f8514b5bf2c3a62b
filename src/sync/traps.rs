//! Where unit tests let a thread of the crate's own panic, to see that nobody waits for it in vain.
//!
//! The sweep's faults, in `sys`, are not for that. They are told to a whole program by a variable, so that its workers
//! know of them too, and befall whichever process comes to a step first. A panic befalls one thread, of one pool,
//! while other tests go on beside it; and threads are there on every system.

use super::global::Mutex;

/// The place, and the beginning of the thread's name.
static SET: Mutex<Vec<(&str, String)>> = Mutex::new(Vec::new());

/// The next thread with such a name that comes to the place panics, once.
pub(crate) fn set(place: &'static str, thread: &str) {
    SET.lock().push((place, thread.to_owned()));
}

/// A place of which [`set`] may speak.
pub(crate) fn spring(place: &str) {
    let current = std::thread::current();
    let Some(name) = current.name() else { return };
    let mut set = SET.lock();
    let found = set.iter().position(|(at, thread)| *at == place && name.starts_with(thread));
    if let Some(found) = found {
        set.swap_remove(found);
        drop(set);
        panic!("a trap at {place}");
    }
}
