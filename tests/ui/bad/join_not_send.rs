//! A half may run on another thread.

use concurrent_futures::join;
use std::rc::Rc;

fn main() {
    let shared = Rc::new(1);
    join(|| (), || println!("{shared}"));
}
