//! A connection for each worker: made before its first task, used by all of its tasks, closed when
//! the worker ends.
//!
//! Python's `initializer` has to leave such things in globals. Here it returns them, and a task
//! submitted with `submit_with_state` is lent the one of its worker. It never leaves its thread, so
//! it need not be `Send`, and needs no lock.
//!
//! ```text
//! cargo run --release --example worker_state
//! ```

use concurrent_futures::ThreadPoolExecutor;
use std::error::Error;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

/// Stands in for a connection to a database: dear to make, not for two threads at once.
struct Connection {
    session: Rc<str>, // Makes it one that cannot be sent to another thread.
    queries: u32,
}

impl Connection {
    fn open() -> Result<Self, String> {
        static OPENED: AtomicU32 = AtomicU32::new(0);
        let number = 1 + OPENED.fetch_add(1, Ordering::Relaxed);
        let session = Rc::from(format!("session {number}"));
        println!("  {session} opened by {}", thread_name());
        Ok(Connection { session, queries: 0 })
    }

    fn query(&mut self, customer: u32) -> String {
        thread::sleep(Duration::from_millis(5)); // Stands in for the way to the database.
        self.queries += 1;
        format!("customer {customer}, answered in {}", self.session)
    }

    fn close(self) {
        println!("  {} closed after {} queries", self.session, self.queries);
    }
}

fn thread_name() -> String {
    thread::current().name().unwrap_or("a thread without a name").to_owned()
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("Nine queries over two connections:");
    let executor = ThreadPoolExecutor::builder()
        .max_workers(2)
        .thread_name_prefix("database")
        .try_initializer(Connection::open)
        .finalizer(Connection::close)
        .build()?;
    let futures: Vec<_> =
        (1..=9).map(|customer| executor.submit_with_state(Connection::query, customer)).collect();
    for (customer, future) in (1..).zip(futures) {
        let answer = future.result()?;
        println!("  {answer}");
        assert!(answer.starts_with(&format!("customer {customer}, answered in session ")));
    }
    drop(executor); // Leaving Python's `with` block: the workers end, and close what they have.

    println!("\nIf it cannot be opened, nothing hangs, and every future says why:");
    let executor = ThreadPoolExecutor::builder()
        .max_workers(2)
        .try_initializer(|| Err::<Connection, _>("the database is closed on Sundays"))
        .build()?;
    for customer in 1..=2 {
        let error = executor.submit_with_state(Connection::query, customer).result().unwrap_err();
        println!("  {error}");
        assert!(error.is_broken());
    }
    Ok(())
}
