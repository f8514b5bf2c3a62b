//! Responsiveness is not speed: short questions need not wait behind a long one.
//!
//! Are these three numbers prime? The first takes a while. One after the other, the short ones wait
//! for it; on a pool they answer at once, and the program can say meanwhile what is going on. So
//! can an async program, in which such a question would otherwise hold up everything else.
//!
//! ```text
//! cargo run --release --example responsive
//! ```

use concurrent_futures::{CompletionQueue, TaskError, ThreadPoolExecutor, as_completed};
use futures::executor::block_on;
use futures::future::try_join_all;
use std::cell::RefCell;
use std::error::Error;
use std::time::{Duration, Instant};

const NUMBERS: [u64; 3] = [9_637_529_763_296_797, 427_920_331, 157];

/// Trial division by the odd numbers up to the root.
fn is_prime(n: u64) -> bool {
    if n < 4 || n % 2 == 0 {
        return n == 2 || n == 3;
    }
    let mut divisor = 3;
    while divisor <= n / divisor {
        if n % divisor == 0 {
            return false;
        }
        divisor += 2;
    }
    true
}

/// Prints answers with the time, and notes of which numbers.
struct Answers {
    begun: Instant,
    order: RefCell<Vec<u64>>,
}

impl Answers {
    fn begin(title: &str) -> Self {
        println!("{title}");
        Answers { begun: Instant::now(), order: RefCell::default() }
    }

    fn say(&self, text: &str) {
        println!("  {:>4} ms  {text}", self.begun.elapsed().as_millis());
    }

    fn answer(&self, n: u64, is_prime: bool) {
        self.say(&format!("{n} is {}", if is_prime { "prime" } else { "not prime" }));
        self.order.borrow_mut().push(n);
    }

    /// The long question must not have held up the short ones.
    fn check(self) {
        assert_eq!(self.order.into_inner()[2], NUMBERS[0]);
        println!();
    }
}

async fn ask(executor: &ThreadPoolExecutor, n: u64, answers: &Answers) -> Result<(), TaskError> {
    answers.answer(n, executor.submit(is_prime, n).await?);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let answers = Answers::begin("One after the other:");
    for n in NUMBERS {
        answers.answer(n, is_prime(n));
    }
    assert_eq!(answers.order.take(), NUMBERS);

    let executor = ThreadPoolExecutor::new(3)?;
    let answers = Answers::begin("\nOn a pool, in the order of completion:");
    let futures = NUMBERS.map(|n| (n, executor.submit(is_prime, n)));
    for (n, future) in as_completed(futures) {
        answers.answer(n, future.result()?);
    }
    answers.check();

    let answers = Answers::begin("The same with news every 30 ms:");
    let futures = NUMBERS.map(|n| (n, executor.submit(is_prime, n)));
    let mut queue = CompletionQueue::from_iter(futures);
    while !queue.is_empty() {
        match queue.pop_timeout(Duration::from_millis(30)) {
            Some((n, future)) => answers.answer(n, future.result()?),
            None => answers.say(&format!("… {} still running", executor.stats().running)),
        }
    }
    answers.check();

    let answers = Answers::begin("In an async program, on a single thread besides the pool:");
    block_on(try_join_all(NUMBERS.map(|n| ask(&executor, n, &answers))))?;
    answers.check();
    Ok(())
}
