//! A task is lent the state that the initializer makes, and no other.

use concurrent_futures::ThreadPoolExecutor;

fn main() {
    let executor = ThreadPoolExecutor::builder().initializer(Vec::<u32>::new).build().unwrap();
    let future = executor.submit_with_state(|buffer: &mut String, text| buffer.push_str(text), "a");
    future.result().unwrap();
}
