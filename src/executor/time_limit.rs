//! What happens when the time of a running task is up.

use crate::sync::{Arc, Mutex, thread};
use crate::task::TaskRef;

/// Lets a task time out, on the timer's thread, which must not be held up by other people's code.
pub(crate) fn expire(task: &TaskRef) {
    if let Some(rest) = task.expire() {
        apart("timed out", rest);
    }
}

/// Does something that may take its time on a thread of its own, or here if there is none to be
/// had.
pub(crate) fn apart(name: &str, work: impl FnOnce() + Send + 'static) {
    // Shared, so that it can still be done here.
    let work = Arc::new(Mutex::new(Some(work)));
    let finish = move || {
        let work = work.lock().take();
        if let Some(work) = work {
            work();
        }
    };
    if thread::spawn(name.to_owned(), None, finish.clone()).is_err() {
        finish();
    }
}
