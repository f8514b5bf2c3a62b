//! Every combination of how a task ends, what becomes of its handle, when it is cancelled, when and
//! how its executor ends, and who waits.
//!
//! A small reference function says what must come of each combination. Beside that, the same holds
//! for all of them: closure, captures and argument are dropped exactly once; the outcome is made at
//! most once, and dropped as often as it is made; the future ends once, for everybody who looks;
//! nobody hangs; the counts of the executor add up; and it goes on working, or refuses work if it
//! has been shut down.

mod support;

use concurrent_futures::{
    AsCompleted, Future, FutureState, Group, Promise, Refusal, ReturnWhen, TaskError,
    TaskErrorKind, TaskOptions, ThreadPoolExecutor, ThreadPoolHandle, as_completed,
    cancellation_requested, wait,
};
use futures::executor::block_on;
use futures::task::{ArcWake, waker};
use std::borrow::Borrow;
use std::future::Future as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;
use support::{Gate, HANG, Tally, Token, hush, panic_quietly, until};

/// What the task's code does when it is let.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
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
enum Handle {
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
enum Moment {
    BeforeStart,
    WhileRunning,
    AfterDone,
}

use Moment::{AfterDone, BeforeStart, WhileRunning};

const CANCELS: [Option<Moment>; 4] = [None, Some(BeforeStart), Some(WhileRunning), Some(AfterDone)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shutdown {
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
    fn moment(self) -> Option<Moment> {
        match self {
            Shutdown::Never => None,
            Shutdown::Drain(at) | Shutdown::Cancel(at) | Shutdown::Drop(at) => Some(at),
        }
    }
}

/// Who waits, from before the task begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiter {
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
struct Combination {
    outcome: Outcome,
    handle: Handle,
    cancel: Option<Moment>,
    shutdown: Shutdown,
    waiter: Waiter,
}

/// What must come of a combination.
#[derive(Debug, PartialEq, Eq)]
struct Prediction {
    runs: bool,
    end: End,
    /// In the executor's counts: finished, failed, cancelled.
    counted: [usize; 3],
}

/// How a future can end, as its owner sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Value,
    Panicked,
    Failed,
    TimedOut,
    Cancelled,
}

impl End {
    fn state(self) -> FutureState {
        match self {
            End::Value => FutureState::Finished,
            End::Panicked | End::Failed | End::TimedOut => FutureState::Failed,
            End::Cancelled => FutureState::Cancelled,
        }
    }

    fn of<T, E: Borrow<TaskError>>(outcome: &Result<T, E>) -> End {
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
fn predict(combination: Combination) -> Prediction {
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

fn combinations(outcome: Outcome) -> Vec<Combination> {
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

/// Counts what each part of one task went through.
#[derive(Default)]
struct Ledger {
    captured: Arc<Tally>,
    argument: Arc<Tally>,
    outcome: Arc<Tally>,
    callback: Arc<Tally>,
    called_back: Mutex<Vec<End>>,
}

/// An error that is counted.
#[derive(Debug, thiserror::Error)]
#[error("a deliberate failure")]
struct Failure(#[allow(dead_code)] Token);

type Answer = Result<Token, Failure>;

/// What one combination is played on.
struct Stage {
    executor: Option<ThreadPoolExecutor>,
    handle: ThreadPoolHandle,
    dropper: Option<JoinHandle<()>>,
    ledger: Arc<Ledger>,
    started: Gate,
    release: Gate,
    group: Group,
    /// Tasks that the executor took beside the one that it is about, and all of which finish.
    others: usize,
    is_shut: bool,
}

impl Stage {
    fn new() -> Self {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        Stage {
            handle: executor.handle(),
            executor: Some(executor),
            dropper: None,
            ledger: Arc::default(),
            started: Gate::new(),
            release: Gate::new(),
            group: Group::new(),
            others: 0,
            is_shut: false,
        }
    }

    /// Keeps the only worker busy until the gate is opened.
    fn occupy(&mut self) -> Gate {
        let (begun, gate) = (Gate::new(), Gate::new());
        let (has_begun, may_end) = (begun.clone(), gate.clone());
        let occupied = self.handle.spawn(move || {
            has_begun.open();
            may_end.wait();
        });
        begun.wait();
        drop(occupied);
        self.others += 1;
        gate
    }

    fn submit(&self, outcome: Outcome) -> Future<Token> {
        let (started, release) = (self.started.clone(), self.release.clone());
        let (captured, made) = (self.ledger.captured.token(), Arc::clone(&self.ledger.outcome));
        let call = move |argument: Token| -> Answer {
            let _dropped_at_the_end = (captured, argument);
            started.open();
            release.wait();
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
                    until(cancellation_requested);
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

    fn shut_down(&mut self, shutdown: Shutdown, now: Moment) {
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
                until(|| match self.handle.try_submit(|()| (), ()) {
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
    fn stop(&self, combination: Combination, now: Moment, future: Option<&Future<Token>>) {
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
            let released = [&self.ledger.captured, &self.ledger.argument].map(|it| it.dropped());
            assert_eq!(released, [1, 1], "`cancel` releases closure and argument at once");
        }
    }

    /// Waits until the worker is done with the task, whoever has its future.
    fn settle(&mut self) {
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

/// The future, in the hands of whoever waits.
enum Held {
    Gone,
    Plain(Future<Token>),
    Lent(Arc<Future<Token>>, JoinHandle<()>),
    Taking(JoinHandle<Result<Token, TaskError>>),
    Completing(AsCompleted<Future<Token>>),
    Polled(Future<Token>, Arc<CountedWaker>),
}

impl Held {
    fn future(&self) -> Option<&Future<Token>> {
        match self {
            Held::Plain(future) | Held::Polled(future, _) => Some(future),
            Held::Lent(future, _) => Some(future),
            Held::Gone | Held::Taking(_) | Held::Completing(_) => None,
        }
    }
}

#[derive(Default)]
struct CountedWaker {
    woken: AtomicUsize,
    first: Gate,
}

impl ArcWake for CountedWaker {
    fn wake_by_ref(this: &Arc<Self>) {
        this.woken.fetch_add(1, Ordering::SeqCst);
        this.first.open();
    }
}

impl CountedWaker {
    fn poll(self: &Arc<Self>, future: &mut Future<Token>) -> Poll<Result<Token, TaskError>> {
        let waker = waker(Arc::clone(self));
        Pin::new(future).poll(&mut Context::from_waker(&waker))
    }
}

fn let_wait(waiter: Waiter, handle: Handle, mut future: Future<Token>) -> Held {
    match waiter {
        Waiter::Nobody => Held::Plain(future),
        Waiter::Thread if matches!(handle, Handle::Taken | Handle::CalledBackThenTaken) => {
            Held::Taking(std::thread::spawn(move || future.result()))
        }
        Waiter::Thread if handle == Handle::Awaited => {
            Held::Taking(std::thread::spawn(move || block_on(future)))
        }
        Waiter::Thread => {
            let lent = Arc::new(future);
            let borrowed = Arc::clone(&lent);
            let thread = std::thread::spawn(move || {
                borrowed.wait();
                assert!(borrowed.done());
            });
            Held::Lent(lent, thread)
        }
        Waiter::Wait => {
            let lent = Arc::new(future);
            let borrowed = Arc::clone(&lent);
            let thread = std::thread::spawn(move || {
                let waited = wait([&*borrowed], ReturnWhen::AllCompleted);
                assert_eq!((waited.done.len(), waited.not_done.len()), (1, 0));
            });
            Held::Lent(lent, thread)
        }
        Waiter::AsCompleted => Held::Completing(as_completed([future])),
        Waiter::Waker => {
            let waker = Arc::new(CountedWaker::default());
            assert!(waker.poll(&mut future).is_pending());
            Held::Polled(future, waker)
        }
    }
}

/// What the owner gets in the end.
enum Got {
    Future(Future<Token>),
    Result(Result<Token, TaskError>),
}

/// Ends the waiting, which must end; gives what can still be used.
fn wait_it_out(held: Held) -> Option<Got> {
    Some(match held {
        Held::Gone => return None,
        Held::Plain(future) => {
            assert!(future.wait_timeout(HANG), "the future never ended");
            Got::Future(future)
        }
        Held::Lent(future, thread) => {
            thread.join().unwrap();
            Got::Future(Arc::into_inner(future).expect("the thread has ended"))
        }
        Held::Taking(thread) => Got::Result(thread.join().unwrap()),
        Held::Completing(mut completed) => {
            let future = completed.next().expect("one future was put in");
            assert!(completed.next().is_none(), "and one comes out");
            Got::Future(future)
        }
        Held::Polled(future, waker) => {
            waker.first.wait();
            assert_eq!(waker.woken.load(Ordering::SeqCst), 1, "a waker is woken once");
            // It is not kept either: only whoever is waking has it for a moment longer.
            until(|| Arc::strong_count(&waker) == 1);
            Got::Future(future)
        }
    })
}

/// Drops what panics when it is dropped, if it holds the outcome.
fn drop_quietly(value: impl Sized, may_panic: bool) {
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(value)));
    assert!(may_panic || dropped.is_ok(), "a drop panicked that has no reason to");
}

/// Drops the future before its task is done, in whichever form it is.
fn drop_early(held: &mut Held) -> Option<Arc<CountedWaker>> {
    match std::mem::replace(held, Held::Gone) {
        Held::Plain(future) => drop(future),
        Held::Completing(completed) => drop(completed),
        Held::Polled(future, waker) => {
            drop(future);
            return Some(waker);
        }
        Held::Gone | Held::Lent(..) | Held::Taking(_) => unreachable!("it makes no sense"),
    }
    None
}

/// Uses the future up in the way that the combination says.
fn use_up(combination: Combination, got: Got) {
    let end = predict(combination).end;
    let panics = combination.outcome == Outcome::DropPanics && end == End::Value;
    let taken = |result: Result<Token, TaskError>| {
        assert_eq!(End::of(&result), end);
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(result)));
        assert_eq!(dropped.is_err(), panics, "the panic of a drop goes to whoever has the value");
    };
    match (got, combination.handle) {
        (Got::Result(result), _) => taken(result),
        (Got::Future(future), Handle::Taken | Handle::CalledBackThenTaken) => {
            taken(future.result());
        }
        (Got::Future(mut future), Handle::Awaited) if combination.waiter == Waiter::Waker => {
            match Arc::new(CountedWaker::default()).poll(&mut future) {
                Poll::Ready(result) => taken(result),
                Poll::Pending => panic!("woken before the result could be taken"),
            }
        }
        (Got::Future(future), Handle::Awaited) => taken(block_on(future)),
        (Got::Future(future), Handle::DroppedAfterDone) => drop_quietly(future, panics),
        (Got::Future(future), Handle::PeekedThenDropped) => {
            assert_eq!(End::of(&future.peek().expect("it is done")), end);
            drop_quietly(future, panics);
        }
        (Got::Future(_), Handle::DroppedBeforeStart | Handle::DroppedWhileRunning) => {
            unreachable!("dropped before")
        }
    }
}

fn play(combination: Combination) {
    let Combination { outcome, handle, shutdown, waiter, .. } = combination;
    let predicted = predict(combination);
    let mut stage = Stage::new();
    let ledger = Arc::clone(&stage.ledger);

    let gate = stage.occupy();
    let future = stage.submit(outcome);
    stage.group.add(&future);
    if handle == Handle::CalledBackThenTaken {
        let (token, seen) = (ledger.callback.token(), Arc::clone(&ledger));
        future.add_done_callback(move |result| {
            let _token = token;
            seen.called_back.lock().unwrap().push(End::of(&result));
        });
    }
    assert_eq!(future.state(), FutureState::Pending);
    let mut held = let_wait(waiter, handle, future);
    let mut dropped_waker = None;

    stage.stop(combination, BeforeStart, held.future());
    stage.shut_down(shutdown, BeforeStart);
    if handle == Handle::DroppedBeforeStart {
        dropped_waker = drop_early(&mut held);
    }
    gate.open();

    if predicted.runs {
        stage.started.wait();
        if let Some(future) = held.future()
            && outcome != Outcome::TimesOut
        {
            assert_eq!(future.state(), FutureState::Running);
        }
        stage.stop(combination, WhileRunning, held.future());
        stage.shut_down(shutdown, WhileRunning);
        if handle == Handle::DroppedWhileRunning {
            dropped_waker = drop_early(&mut held);
        }
    }
    stage.release.open();

    let got = wait_it_out(held);
    match &got {
        Some(Got::Future(future)) => {
            assert_eq!(future.state(), predicted.end.state());
            assert_eq!(future.cancelled(), predicted.end == End::Cancelled);
            stage.stop(combination, AfterDone, Some(future));
            assert_eq!(future.state(), predicted.end.state(), "what is done stays as it is");
        }
        Some(Got::Result(_)) => stage.stop(combination, AfterDone, None),
        None => {
            stage.settle();
            stage.stop(combination, AfterDone, None);
        }
    }
    stage.shut_down(shutdown, AfterDone);
    if let Some(got) = got {
        use_up(combination, got);
    }
    stage.settle();
    stage.handle.shutdown(true, false);

    let once = |tally: &Tally| assert_eq!((tally.made(), tally.dropped()), (1, 1));
    once(&ledger.captured);
    once(&ledger.argument);
    let made = usize::from(predicted.runs);
    assert_eq!((ledger.outcome.made(), ledger.outcome.dropped()), (made, made));
    if handle == Handle::CalledBackThenTaken {
        // Callbacks of a task that timed out run on a thread that nobody here waits for.
        until(|| outcome != Outcome::TimesOut || ledger.callback.dropped() > 0);
        once(&ledger.callback);
        assert_eq!(*ledger.called_back.lock().unwrap(), [predicted.end]);
    }
    if let Some(waker) = dropped_waker {
        let ended_before_the_drop = !predicted.runs || outcome == Outcome::TimesOut;
        assert!(waker.woken.load(Ordering::SeqCst) <= usize::from(ended_before_the_drop));
        until(|| Arc::strong_count(&waker) == 1);
    }
    let stats = stage.handle.stats();
    let [finished, failed, cancelled] = predicted.counted;
    assert_eq!(
        (stats.finished, stats.failed, stats.cancelled),
        (finished + stage.others, failed, cancelled)
    );
    assert_eq!((stats.queued, stats.running, stats.workers), (0, 0, 0));
}

/// Plays every combination with one outcome, and fails if one of them hangs.
fn play_all(outcome: Outcome) -> usize {
    hush();
    let (sender, receiver) = mpsc::channel();
    let player = std::thread::spawn(move || {
        for combination in combinations(outcome) {
            sender.send(combination).unwrap();
            let played = catch_unwind(|| play(combination));
            assert!(played.is_ok(), "in this combination: {combination:?}");
        }
    });
    let mut played = 0;
    let mut last = None;
    loop {
        match receiver.recv_timeout(HANG) {
            Ok(combination) => {
                played += 1;
                last = Some(combination);
            }
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("this combination hangs: {last:?}"),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    player.join().expect("a combination failed");
    played
}

/// How many combinations make sense for one outcome, whichever it is.
const COMBINATIONS: usize = 1089;

#[test]
fn a_task_that_gives_a_value() {
    assert_eq!(play_all(Outcome::Value), COMBINATIONS);
}

#[test]
fn a_task_that_panics() {
    assert_eq!(play_all(Outcome::Panic), COMBINATIONS);
}

#[test]
fn a_task_whose_err_is_flattened() {
    assert_eq!(play_all(Outcome::FlattenedErr), COMBINATIONS);
}

#[test]
fn a_task_whose_value_panics_when_it_is_dropped() {
    assert_eq!(play_all(Outcome::DropPanics), COMBINATIONS);
}

#[test]
fn a_task_that_heeds_a_request_to_stop() {
    assert_eq!(play_all(Outcome::HeedsAbort), COMBINATIONS);
}

#[test]
fn a_task_that_exceeds_its_time_limit() {
    assert_eq!(play_all(Outcome::TimesOut), COMBINATIONS);
}

/// Whether `result` returns although a callback, of which `called` tells that it runs, is held by
/// `held`, until this has been seen.
fn result_returns_before_the_callback(future: Future<()>, called: &Gate, held: &Gate) -> TaskError {
    called.wait();
    let (sender, receiver) = mpsc::channel();
    let taker = std::thread::spawn(move || sender.send(future.result()).unwrap());
    let result = receiver.recv_timeout(HANG);
    held.open();
    taker.join().unwrap();
    result.expect("`result` waits for a callback that has no value to look at").unwrap_err()
}

/// A callback that is held, and the gates that tell of it and hold it.
fn held_callback(future: &Future<()>) -> [Gate; 2] {
    let [called, held] = [Gate::new(), Gate::new()];
    let (is_called, may_return) = (called.clone(), held.clone());
    future.add_done_callback(move |_| {
        is_called.open();
        may_return.wait();
    });
    [called, held]
}

#[test]
fn result_of_a_cancelled_future_does_not_wait_for_its_callbacks() {
    let (_promise, future) = Promise::<()>::new();
    let group = Group::new();
    group.add(&future);
    let [called, held] = held_callback(&future);
    let canceller = std::thread::spawn(move || group.cancel());
    let error = result_returns_before_the_callback(future, &called, &held);
    canceller.join().unwrap();
    assert!(error.is_cancelled());
}

#[test]
fn result_of_a_future_that_timed_out_does_not_wait_for_its_callbacks() {
    let mut stage = Stage::new();
    let occupied = stage.occupy();
    let hasty = stage.handle.with(TaskOptions::new().timeout(Duration::ZERO));
    let future = hasty.spawn(|| until(cancellation_requested));
    let [called, held] = held_callback(&future);
    occupied.open();
    let error = result_returns_before_the_callback(future, &called, &held);
    assert!(error.is_timed_out());
}
