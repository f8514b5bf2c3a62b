//! The type of the state is known from the builder.

use concurrent_futures::ThreadPoolExecutor;

fn main() {
    let executor = ThreadPoolExecutor::builder().initializer(Vec::<u32>::new).build().unwrap();
    let future = executor.submit_with_state(|buffer, n| buffer.push(n), 1);
    future.result().unwrap();
}
