//! Three deadlocks that are written in a minute, and that this pool does not have.
//!
//! Tasks that wait for tasks of their own pool: a worker that waits for a task which nobody has
//! begun runs it itself. In Python this hangs as soon as all workers wait. Tasks that wait for
//! something else: `block_in_place` lends the worker's place to another. And two locks that are
//! taken in different orders: a pool of one worker that owns what they guard needs none.
//!
//! ```text
//! cargo run --release --example deadlock
//! ```

use concurrent_futures::{TaskError, ThreadPoolExecutor, ThreadPoolHandle, block_in_place};
use std::error::Error;
use std::sync::mpsc;

/// The recursive definition, with a task for one of the two terms, which it waits for.
fn fibonacci(pool: &ThreadPoolHandle, n: u64) -> Result<u64, TaskError> {
    if n < 2 {
        return Ok(n);
    }
    let handle = pool.clone();
    let before = pool.spawn(move || fibonacci(&handle, n - 1));
    let before_that = fibonacci(pool, n - 2)?;
    Ok(before.result()?? + before_that)
}

fn tasks_that_wait_for_tasks() -> Result<(), Box<dyn Error>> {
    let executor = ThreadPoolExecutor::new(1)?;
    let handle = executor.handle();
    let answer = executor.spawn(move || fibonacci(&handle, 20)).result()??;
    executor.shutdown(true, false); // So that the last one has been counted too.
    let tasks = executor.stats().finished;
    println!("Tasks that wait for tasks, on one worker:");
    println!("  fibonacci(20) is {answer}, by {tasks} tasks, up to 20 of them within each other");
    assert_eq!((answer, tasks), (6_765, 10_946));
    Ok(())
}

fn tasks_that_wait_for_a_message() -> Result<(), Box<dyn Error>> {
    let executor = ThreadPoolExecutor::new(1)?;
    let (sender, receiver) = mpsc::channel();
    let waits = executor.spawn(move || block_in_place(|| receiver.recv()));
    let sends = executor.spawn(move || sender.send("hello"));
    println!("A task that waits for a message of one behind it, on one worker:");
    let message = waits.result()??;
    println!("  the message is {message:?}");
    sends.result()??;
    assert_eq!(message, "hello");
    Ok(())
}

/// What one account loses the other gains.
fn transfer(accounts: &mut [i64; 2], (from, to): (usize, usize)) {
    accounts[from] -= 1;
    accounts[to] += 1;
}

/// Many clerks who would have to lock two accounts for each transfer, in whichever order, ask the
/// one worker who has both.
fn accounts_without_locks() -> Result<(), Box<dyn Error>> {
    let bank =
        ThreadPoolExecutor::builder().max_workers(1).initializer(|| [1_000, 1_000]).build()?;
    let clerks = ThreadPoolExecutor::new(4)?;
    clerks.scope(|scope| {
        for clerk in 0..4 {
            let order = if clerk % 2 == 0 { (0, 1) } else { (1, 0) };
            let bank = &bank;
            scope.spawn(move || {
                (0..500).for_each(|_| drop(bank.submit_with_state(transfer, order)))
            });
        }
    });
    let [one, other] = bank.submit_with_state(|accounts, ()| *accounts, ()).result()?;
    println!("2,000 transfers between two accounts, half of them in each direction:");
    println!("  {one} and {other} are left, {} in all", one + other);
    assert_eq!([one, other], [1_000, 1_000]);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    tasks_that_wait_for_tasks()?;
    tasks_that_wait_for_a_message()?;
    accounts_without_locks()
}
