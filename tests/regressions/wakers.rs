//! Wakers that are somebody else's code.

use concurrent_futures::{CompletionQueue, Promise};
use futures::Stream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

struct Angry;

impl Wake for Angry {
    fn wake(self: Arc<Self>) {
        panic!("a waker that panics");
    }
}

/// A future that was done was pushed, which wakes whoever polls the queue; the waker panicked before
/// the future had its place, and the queue gave out a place with nothing in it.
#[test]
fn a_panicking_waker_leaves_a_completion_queue_whole() {
    let (_promise, pending) = Promise::<u32>::new();
    let mut queue = CompletionQueue::new();
    queue.push(pending);
    let waker = Waker::from(Arc::new(Angry));
    let mut context = Context::from_waker(&waker);
    assert!(Pin::new(&mut queue).poll_next(&mut context).is_pending());
    let (mut promise, done) = Promise::new();
    promise.set_result(7).unwrap();
    queue.push(done);
    assert_eq!(queue.try_pop().unwrap().result().unwrap(), 7);
}
