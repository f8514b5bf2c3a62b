//! Python's own `ProcessPoolExecutor`: a program in Python that does the workloads, and measures
//! itself.

use crate::harness::{Contestant, Outcome, Race, Side};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The program, beside the page of this package.
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/pool.py");

/// A running Python that waits for orders.
struct Python {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Python {
    fn start(workload: &[&str]) -> Option<Self> {
        let mut command = Command::new("python3");
        command.arg(PROGRAM).args(workload).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().ok()?;
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take()?);
        Some(Python { child, orders, answers })
    }

    /// Orders a round of so many operations.
    fn round(&mut self, count: u64) -> Outcome {
        let orders = self.orders.as_mut().expect("it is there until the drop");
        writeln!(orders, "{count}").expect("it is read");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("it is answered");
        let mut words = answer.split_whitespace();
        let sum = words.next().and_then(|it| it.parse().ok()).expect("first a checksum");
        let cost = words.next().and_then(|it| it.parse().ok()).expect("then what it cost");
        Outcome { sum, cost }
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        self.orders = None;
        let _ = self.child.wait();
    }
}

/// Python's row for a workload of the program and its argument, if there is a Python, and this is no test.
pub(crate) fn row(race: &Race<'_>, workload: &[&str]) -> Option<Contestant<'static>> {
    if race.options.is_test {
        return None;
    }
    let Some(mut python) = Python::start(workload) else {
        println!("\n{}: there is no python3, and so no row of Python's", race.name);
        return None;
    };
    let round = move |count| python.round(count);
    Some(Contestant::measuring(Side::Peer, "Python ProcessPoolExecutor", round))
}
