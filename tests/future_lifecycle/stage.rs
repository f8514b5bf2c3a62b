//! The executor and the task that a combination is played with.

use crate::combination::{
    AfterDone, BeforeStart, Combination, End, Moment, Outcome, Shutdown, WhileRunning, predict,
};
use crate::common::{Drops, Latch, Token, eventually, panic_quietly};
use concurrent_futures::{
    Future, Group, Refusal, TaskOptions, ThreadPoolExecutor, ThreadPoolHandle,
    cancellation_requested,
};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Counts what each part of one task went through.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) captured: Drops,
    pub(crate) argument: Drops,
    pub(crate) outcome: Drops,
    pub(crate) callback: Drops,
    pub(crate) called_back: Mutex<Vec<End>>,
}

/// An error that is counted.
#[derive(Debug, thiserror::Error)]
#[error("a deliberate failure")]
struct Failure(#[allow(dead_code)] Token);

type Answer = Result<Token, Failure>;

/// What one combination is played on.
pub(crate) struct Stage {
    executor: Option<ThreadPoolExecutor>,
    pub(crate) handle: ThreadPoolHandle,
    dropper: Option<JoinHandle<()>>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) started: Latch,
    pub(crate) release: Latch,
    pub(crate) group: Group,
    /// Tasks that the executor took beside the one that it is about, and all of which finish.
    pub(crate) others: usize,
    is_shut: bool,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        Stage {
            handle: executor.handle(),
            executor: Some(executor),
            dropper: None,
            ledger: Arc::default(),
            started: Latch::new(),
            release: Latch::new(),
            group: Group::new(),
            others: 0,
            is_shut: false,
        }
    }

    /// Keeps the only worker busy until the gate is opened.
    pub(crate) fn occupy(&mut self) -> Latch {
        let (begun, gate) = (Latch::new(), Latch::new());
        let (has_begun, may_end) = (begun.clone(), gate.clone());
        let occupied = self.handle.spawn(move || {
            has_begun.open();
            may_end.pass();
        });
        begun.pass();
        drop(occupied);
        self.others += 1;
        gate
    }

    pub(crate) fn submit(&self, outcome: Outcome) -> Future<Token> {
        let (started, release) = (self.started.clone(), self.release.clone());
        let (captured, made) = (self.ledger.captured.token(), self.ledger.outcome.clone());
        let call = move |argument: Token| -> Answer {
            let _dropped_at_the_end = (captured, argument);
            started.open();
            release.pass();
            match outcome {
                Outcome::Value => Ok(made.token()),
                Outcome::Panic => panic_quietly(made.token()),
                Outcome::FlattenedErr => Err(Failure(made.token())),
                Outcome::DropPanics => Ok(made.panicking_token()),
                Outcome::HeedsAbort => {
                    cancellation_requested();
                    Ok(made.token())
                }
                Outcome::TimesOut => {
                    eventually(cancellation_requested);
                    Ok(made.token())
                }
            }
        };
        let argument = self.ledger.argument.token();
        let options = match outcome {
            Outcome::TimesOut => TaskOptions::new().timeout(Duration::ZERO),
            _ => TaskOptions::new(),
        };
        let handle = self.handle.with(options);
        if outcome == Outcome::FlattenedErr {
            return handle.submit(call, argument).flatten();
        }
        let unfailing = move |argument| match call(argument) {
            Ok(token) => token,
            Err(_) => unreachable!("only the flattened task returns an error"),
        };
        handle.submit(unfailing, argument)
    }

    pub(crate) fn shut_down(&mut self, shutdown: Shutdown, now: Moment) {
        if shutdown.moment() != Some(now) {
            return;
        }
        self.is_shut = true;
        let wait = now == AfterDone;
        match shutdown {
            Shutdown::Never => {}
            Shutdown::Drain(_) => self.handle.shutdown(wait, false),
            Shutdown::Cancel(_) => self.handle.shutdown(wait, true),
            Shutdown::Drop(_) => {
                let executor = self.executor.take();
                self.dropper = Some(std::thread::spawn(move || drop(executor)));
                eventually(|| match self.handle.try_submit(|()| (), ()) {
                    Ok(_) => {
                        self.others += 1;
                        false
                    }
                    Err(_) => true,
                });
            }
        }
    }

    /// Stops the task by way of its future, if that is at hand, or of the group it is in. The
    /// answers must be right.
    pub(crate) fn stop(
        &self,
        combination: Combination,
        now: Moment,
        future: Option<&Future<Token>>,
    ) {
        if combination.cancel != Some(now) {
            return;
        }
        let aborts = combination.outcome == Outcome::HeedsAbort;
        let is_cancelled = match now {
            BeforeStart => true,
            WhileRunning => aborts,
            AfterDone => predict(combination).end == End::Cancelled,
        };
        match future {
            Some(future) if aborts => assert_eq!(future.abort(), is_cancelled),
            Some(future) => assert_eq!(future.cancel(), is_cancelled),
            // A group counts only what it stops itself.
            None if aborts => {
                let stopped = self.group.abort();
                assert_eq!(stopped.cancelled, usize::from(now == BeforeStart));
                assert_eq!(stopped.asked, usize::from(now == WhileRunning));
            }
            None => assert_eq!(self.group.cancel(), usize::from(now == BeforeStart)),
        }
        if now == BeforeStart {
            let released = [&self.ledger.captured, &self.ledger.argument].map(|it| it.count());
            assert_eq!(released, [1, 1], "`cancel` releases closure and argument at once");
        }
    }

    /// Waits until the worker is done with the task, whoever has its future.
    pub(crate) fn settle(&mut self) {
        if let Some(dropper) = self.dropper.take() {
            dropper.join().unwrap();
            return;
        }
        // With one worker and one queue, this task begins when the other is entirely over.
        match self.handle.try_submit(|n: usize| n + 1, 6) {
            Ok(future) => {
                assert!(!self.is_shut, "an executor that was shut down takes nothing");
                assert_eq!(future.result().unwrap(), 7, "another one goes on working");
                self.others += 1;
            }
            Err(refused) => {
                assert!(self.is_shut && matches!(refused.reason, Refusal::ShutDown));
                assert_eq!(refused.argument, 6, "a refused argument comes back");
                self.handle.shutdown(true, false);
            }
        }
    }
}
