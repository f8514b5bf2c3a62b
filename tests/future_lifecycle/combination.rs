//! Every combination that makes sense, and what must come of it.

use concurrent_futures::{FutureState, TaskError, TaskErrorKind};
use std::borrow::Borrow;
use std::time::Duration;

/// What the task's code does when it is let.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Value,
    Panic,
    /// It returns an `Err`, and the future is flattened.
    FlattenedErr,
    /// It returns a value whose drop panics.
    DropPanics,
    /// It asks whether it should stop, and is stopped by `abort` instead of `cancel`.
    HeedsAbort,
    /// It goes on until its timeout tells it to stop.
    TimesOut,
}

/// What becomes of the future.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handle {
    Taken,
    DroppedBeforeStart,
    DroppedWhileRunning,
    DroppedAfterDone,
    Awaited,
    PeekedThenDropped,
    /// It has a callback, and its result is taken.
    CalledBackThenTaken,
}

const HANDLES: [Handle; 7] = [
    Handle::Taken,
    Handle::DroppedBeforeStart,
    Handle::DroppedWhileRunning,
    Handle::DroppedAfterDone,
    Handle::Awaited,
    Handle::PeekedThenDropped,
    Handle::CalledBackThenTaken,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    BeforeStart,
    WhileRunning,
    AfterDone,
}

pub(crate) use Moment::{AfterDone, BeforeStart, WhileRunning};

const CANCELS: [Option<Moment>; 4] = [None, Some(BeforeStart), Some(WhileRunning), Some(AfterDone)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shutdown {
    Never,
    /// `shutdown` that lets queued tasks run.
    Drain(Moment),
    /// `shutdown` that cancels queued tasks.
    Cancel(Moment),
    /// The executor is dropped, elsewhere, while handles are left.
    Drop(Moment),
}

const SHUTDOWNS: [Shutdown; 10] = [
    Shutdown::Never,
    Shutdown::Drain(BeforeStart),
    Shutdown::Drain(WhileRunning),
    Shutdown::Drain(AfterDone),
    Shutdown::Cancel(BeforeStart),
    Shutdown::Cancel(WhileRunning),
    Shutdown::Cancel(AfterDone),
    Shutdown::Drop(BeforeStart),
    Shutdown::Drop(WhileRunning),
    Shutdown::Drop(AfterDone),
];

impl Shutdown {
    pub(crate) fn moment(self) -> Option<Moment> {
        match self {
            Shutdown::Never => None,
            Shutdown::Drain(at) | Shutdown::Cancel(at) | Shutdown::Drop(at) => Some(at),
        }
    }
}

/// Who waits, from before the task begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiter {
    Nobody,
    /// A thread in `Future::wait`; or in `result` or `.await`, if that is how the future is used.
    Thread,
    /// A thread in the function `wait`.
    Wait,
    AsCompleted,
    /// An asynchronous task that has polled once.
    Waker,
}

const WAITERS: [Waiter; 5] =
    [Waiter::Nobody, Waiter::Thread, Waiter::Wait, Waiter::AsCompleted, Waiter::Waker];

#[derive(Debug, Clone, Copy)]
pub(crate) struct Combination {
    pub(crate) outcome: Outcome,
    pub(crate) handle: Handle,
    pub(crate) cancel: Option<Moment>,
    pub(crate) shutdown: Shutdown,
    pub(crate) waiter: Waiter,
}

/// What must come of a combination.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Prediction {
    pub(crate) runs: bool,
    pub(crate) end: End,
    /// In the executor's counts: finished, failed, cancelled.
    pub(crate) counted: [usize; 3],
}

/// How a future can end, as its owner sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Value,
    Panicked,
    Failed,
    TimedOut,
    Cancelled,
}

impl End {
    pub(crate) fn state(self) -> FutureState {
        match self {
            End::Value => FutureState::Finished,
            End::Panicked | End::Failed | End::TimedOut => FutureState::Failed,
            End::Cancelled => FutureState::Cancelled,
        }
    }

    pub(crate) fn of<T, E: Borrow<TaskError>>(outcome: &Result<T, E>) -> End {
        match outcome.as_ref().map_err(|error| error.borrow().kind()) {
            Ok(_) => End::Value,
            Err(TaskErrorKind::Cancelled) => End::Cancelled,
            Err(TaskErrorKind::Panicked(_)) => End::Panicked,
            Err(TaskErrorKind::Failed(_)) => End::Failed,
            Err(TaskErrorKind::TimedOut { limit }) => {
                assert_eq!(*limit, Duration::ZERO, "the limit is the one that was set");
                End::TimedOut
            }
            Err(kind) => panic!("no task here can end as {kind:?}"),
        }
    }
}

/// The whole of the expected behaviour.
pub(crate) fn predict(combination: Combination) -> Prediction {
    let Combination { outcome, cancel, shutdown, .. } = combination;
    if cancel == Some(BeforeStart) || shutdown == Shutdown::Cancel(BeforeStart) {
        return Prediction { runs: false, end: End::Cancelled, counted: [0, 0, 1] };
    }
    let (end, counted) = match outcome {
        Outcome::Value | Outcome::DropPanics => (End::Value, [1, 0, 0]),
        Outcome::Panic => (End::Panicked, [0, 1, 0]),
        // For the executor the call has given a value, which happens to be an `Err`.
        Outcome::FlattenedErr => (End::Failed, [1, 0, 0]),
        Outcome::HeedsAbort if cancel == Some(WhileRunning) => (End::Cancelled, [0, 0, 1]),
        Outcome::HeedsAbort => (End::Value, [1, 0, 0]),
        Outcome::TimesOut => (End::TimedOut, [0, 1, 0]),
    };
    Prediction { runs: true, end, counted }
}

/// A combination that cannot come about: something is to happen while the task is running, which
/// it never is; or somebody waits by a future that has been dropped.
fn makes_sense(combination: Combination) -> bool {
    let Combination { handle, cancel, shutdown, waiter, .. } = combination;
    let needs_running = handle == Handle::DroppedWhileRunning
        || cancel == Some(WhileRunning)
        || shutdown.moment() == Some(WhileRunning);
    let is_dropped_early =
        matches!(handle, Handle::DroppedBeforeStart | Handle::DroppedWhileRunning);
    let blocks = matches!(waiter, Waiter::Thread | Waiter::Wait);
    let is_impossible =
        (needs_running && !predict(combination).runs) || (is_dropped_early && blocks);
    !is_impossible
}

pub(crate) fn combinations(outcome: Outcome) -> Vec<Combination> {
    let mut all = Vec::new();
    for handle in HANDLES {
        for cancel in CANCELS {
            for shutdown in SHUTDOWNS {
                for waiter in WAITERS {
                    all.push(Combination { outcome, handle, cancel, shutdown, waiter });
                }
            }
        }
    }
    all.retain(|it| makes_sense(*it));
    all
}
