//! A closure that must stay on its thread cannot be submitted to another.

use concurrent_futures::ThreadPoolExecutor;
use std::rc::Rc;

fn main() {
    let executor = ThreadPoolExecutor::new(1).unwrap();
    let local = Rc::new(1);
    executor.submit(move |n: i32| n + *local, 1);
}
