//! Laws that hold for every input, and random scripts against a sequential model.

mod common;

use common::{BOUND, Drops, Latch, Token, eventually, hush, panic_quietly, within};
use concurrent_futures::{
    CompletionQueue, Future, FutureState, MapOptions, Order, ReturnWhen, TaskErrorKind,
    TaskOptions, ThreadPoolExecutor, cancellation_requested, wait, wait_timeout,
};
use proptest::collection::vec;
use proptest::prelude::*;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) }
}

fn non_zero(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

/// Keeps the only worker busy until the gate is opened.
fn occupied(executor: &ThreadPoolExecutor) -> Latch {
    let (begun, gate) = (Latch::new(), Latch::new());
    let (has_begun, may_end) = (begun.clone(), gate.clone());
    executor.spawn(move || {
        has_begun.open();
        may_end.pass();
    });
    begun.pass();
    gate
}

#[derive(Debug, Clone)]
struct MapCase {
    workers: usize,
    items: Vec<u32>,
    chunksize: Option<usize>,
    buffersize: Option<usize>,
    eager: bool,
}

impl MapCase {
    fn options(&self) -> MapOptions {
        let mut options = MapOptions::new();
        if let Some(items) = self.chunksize {
            options = options.chunksize(non_zero(items));
        }
        if let Some(items) = self.buffersize {
            options = options.buffersize(non_zero(items));
        }
        if self.eager { options.eager() } else { options }
    }
}

fn map_case() -> impl Strategy<Value = MapCase> {
    let size = || proptest::option::of(1..20_usize);
    (1..5_usize, vec(any::<u32>(), 0..120), size(), size(), any::<bool>()).prop_map(
        |(workers, items, chunksize, buffersize, eager)| MapCase {
            workers,
            items,
            chunksize,
            buffersize,
            eager,
        },
    )
}

fn double(n: u32) -> u64 {
    u64::from(n) * 2
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn map_keeps_the_order_of_its_input(case in map_case()) {
        let expected: Vec<u64> = case.items.iter().copied().map(double).collect();
        let results = within(move || {
            let executor = ThreadPoolExecutor::new(case.workers).unwrap();
            let map = executor.map_with(case.options(), double, case.items);
            map.collect::<Result<Vec<u64>, _>>().unwrap()
        });
        prop_assert_eq!(results, expected);
    }

    #[test]
    fn an_unordered_map_gives_the_same_results(case in map_case()) {
        let mut expected: Vec<u64> = case.items.iter().copied().map(double).collect();
        let mut results = within(move || {
            let executor = ThreadPoolExecutor::new(case.workers).unwrap();
            let map = executor.map_with(case.options().unordered(), double, case.items);
            map.collect::<Result<Vec<u64>, _>>().unwrap()
        });
        expected.sort();
        results.sort();
        prop_assert_eq!(results, expected);
    }

    #[test]
    fn a_lazy_map_never_has_more_items_on_their_way_than_its_buffer_holds(
        case in map_case(),
        unordered in any::<bool>(),
        buffersize in 1..20_usize,
    ) {
        let case = MapCase { eager: false, buffersize: Some(buffersize), ..case };
        let (most, total, handed_out) = within(move || {
            let executor = ThreadPoolExecutor::new(case.workers).unwrap();
            let options = case.options();
            let options = if unordered { options.unordered() } else { options };
            let (handed_out, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let (out, highest) = (Arc::clone(&handed_out), Arc::clone(&most));
            let total = case.items.len();
            let items = case.items.into_iter().enumerate().map(move |(index, item)| {
                // The input is read on this thread, so the two counts belong together.
                let buffered = index + 1 - out.load(Ordering::SeqCst);
                highest.fetch_max(buffered, Ordering::SeqCst);
                item
            });
            let mut map = executor.map_with(options, double, items);
            // A result that `next` has taken is handed out, although `next` goes on to refill.
            while {
                handed_out.fetch_add(1, Ordering::SeqCst);
                map.next().is_some()
            } {}
            (most.load(Ordering::SeqCst), total, handed_out.load(Ordering::SeqCst) - 1)
        });
        // What `next` is about to hand out has been counted out already.
        prop_assert!(most <= buffersize, "{} items for a buffer of {}", most, buffersize);
        prop_assert_eq!(handed_out, total);
    }

    #[test]
    fn every_task_runs_once_or_is_cancelled_and_never_both(
        workers in 1..4_usize,
        cancels in vec(any::<bool>(), 1..60),
        ends_early in any::<bool>(),
    ) {
        let outcomes = within(move || {
            let executor = ThreadPoolExecutor::new(workers).unwrap();
            let runs: Arc<Vec<AtomicUsize>> =
                Arc::new(cancels.iter().map(|_| AtomicUsize::new(0)).collect());
            let mut answers = vec![false; cancels.len()];
            let mut futures = Vec::new();
            for index in 0..cancels.len() {
                let runs = Arc::clone(&runs);
                futures.push(executor.submit(
                    move |index: usize| runs[index].fetch_add(1, Ordering::SeqCst),
                    index,
                ));
                // An older one, which may have begun meanwhile.
                if cancels[index] {
                    answers[index / 2] |= futures[index / 2].cancel();
                }
            }
            executor.shutdown(true, ends_early);
            let is_cancelled = futures.into_iter().map(|future| match future.result() {
                Ok(before) => {
                    assert_eq!(before, 0);
                    false
                }
                Err(error) => error.is_cancelled(),
            });
            let runs = runs.iter().map(|it| it.load(Ordering::SeqCst));
            let outcomes: Vec<_> = is_cancelled.zip(runs).zip(answers).collect();
            let stats = executor.stats();
            assert_eq!(stats.done(), outcomes.len());
            assert_eq!(stats.cancelled, outcomes.iter().filter(|((it, _), _)| *it).count());
            outcomes
        });
        for ((is_cancelled, runs), was_told_so) in outcomes {
            prop_assert_eq!(runs, usize::from(!is_cancelled));
            prop_assert!(is_cancelled || !was_told_so, "told to be cancelled, and ran");
            prop_assert!(ends_early || is_cancelled == was_told_so);
        }
    }

    #[test]
    fn wait_parts_its_input_into_done_and_not_done_and_keeps_the_order(
        done in vec(any::<bool>(), 0..40),
        when in 0..3_usize,
    ) {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let futures: Vec<(usize, Future<usize>)> =
            (0..done.len()).filter(|n| done[*n]).map(|n| (n, executor.submit(|n| n, n))).collect();
        wait(futures.iter().map(|(_, future)| future), ReturnWhen::AllCompleted);
        let gate = occupied(&executor);
        let mut all = futures;
        all.extend((0..done.len()).filter(|n| !done[*n]).map(|n| (n, executor.submit(|n| n, n))));
        all.sort_by_key(|(n, _)| *n);
        let when = [
            ReturnWhen::FirstCompleted,
            ReturnWhen::FirstException,
            ReturnWhen::AllCompleted,
        ][when];
        let waited = wait_timeout(all, when, Duration::ZERO);
        let keys = |part: &[(usize, Future<usize>)]| part.iter().map(|(n, _)| *n).collect::<Vec<_>>();
        let expected = |is: bool| (0..done.len()).filter(|n| done[*n] == is).collect::<Vec<_>>();
        prop_assert_eq!(keys(&waited.done), expected(true));
        prop_assert_eq!(keys(&waited.not_done), expected(false));
        gate.open();
        let waited = wait(waited.not_done, ReturnWhen::AllCompleted);
        prop_assert_eq!(keys(&waited.done), expected(false));
        prop_assert!(waited.not_done.is_empty());
    }

    #[test]
    fn tasks_begin_by_priority_and_among_equals_in_the_order_of_submission(
        priorities in vec(-3..4_i32, 0..60),
        order in 0..3_usize,
    ) {
        let order = [Order::Fifo, Order::Lifo, Order::Priority][order];
        let executor = ThreadPoolExecutor::builder().max_workers(1).order(order).build().unwrap();
        let gate = occupied(&executor);
        let begun = Arc::new(Mutex::new(Vec::new()));
        for (index, priority) in priorities.iter().enumerate() {
            let begun = Arc::clone(&begun);
            let handle = executor.with(TaskOptions::new().priority(*priority));
            handle.spawn(move || begun.lock().unwrap().push(index));
        }
        gate.open();
        executor.shutdown(true, false);
        let mut expected: Vec<usize> = (0..priorities.len()).collect();
        match order {
            Order::Priority => expected.sort_by_key(|index| -priorities[*index]),
            Order::Lifo => expected.reverse(),
            _ => {}
        }
        prop_assert_eq!(&*begun.lock().unwrap(), &expected);
    }
}

// ---- random scripts -------------------------------------------------------------------------

/// One step of a script. Numbers choose among the tasks that there are.
#[derive(Debug, Clone, Copy)]
enum Step {
    Submit(Code),
    /// Several tasks at once.
    SubmitAll(usize),
    /// A task that has to begin at once, while the workers are held up.
    SubmitLate,
    Cancel(usize),
    Abort(usize),
    Wait(usize),
    /// A wait that may not block.
    Poll(usize),
    Resize(usize),
    Drop(usize),
    CallBack(usize),
    /// The worker is held up until the next `Release`.
    Hold,
    Release,
    Shutdown(Ending),
}

/// What a task does besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    Nothing,
    /// Submits another task and waits for it.
    Nested,
    Panics,
    /// Ends only when it is told to, and has a limit.
    Endless,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Continue,
    Cancel,
    /// `shutdown_timeout`, with no time at all.
    AtOnce,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Submit(Code::Nothing)),
        3 => Just(Step::Submit(Code::Nested)),
        1 => Just(Step::Submit(Code::Panics)),
        1 => Just(Step::Submit(Code::Endless)),
        2 => (0..5_usize).prop_map(Step::SubmitAll),
        1 => Just(Step::SubmitLate),
        3 => any::<usize>().prop_map(Step::Cancel),
        2 => any::<usize>().prop_map(Step::Abort),
        2 => any::<usize>().prop_map(Step::Wait),
        2 => any::<usize>().prop_map(Step::Poll),
        1 => (1..4_usize).prop_map(Step::Resize),
        2 => any::<usize>().prop_map(Step::Drop),
        2 => any::<usize>().prop_map(Step::CallBack),
        3 => Just(Step::Hold),
        2 => Just(Step::Release),
        1 => prop_oneof![Just(Ending::Continue), Just(Ending::Cancel), Just(Ending::AtOnce)]
            .prop_map(Step::Shutdown),
    ]
}

/// What the model knows of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// It runs when the worker comes to it, or has done so.
    Runs,
    /// Nobody will ever begin it.
    Cancelled,
    NotBegun,
    Refused,
}

struct Played {
    future: Option<Future<Token>>,
    code: Code,
    known: Known,
    runs: Arc<AtomicUsize>,
    /// Its code is over, and so is what it waited for.
    ended: Latch,
    called_back: Arc<AtomicUsize>,
    callbacks: usize,
}

impl Played {
    /// A task and its future, of which the latter is still to come.
    fn new(code: Code, is_shut: bool) -> Played {
        Played {
            future: None,
            code,
            known: if is_shut { Known::Refused } else { Known::Runs },
            runs: Arc::default(),
            ended: Latch::new(),
            called_back: Arc::default(),
            callbacks: 0,
        }
    }

    /// What it is called with, and what it does.
    fn call(&self, executor: &ThreadPoolExecutor) -> impl FnOnce(Token) -> Token + Send + use<> {
        let (counted, ended) = (Arc::clone(&self.runs), self.ended.clone());
        let (code, handle) = (self.code, executor.handle());
        move |value| {
            counted.fetch_add(1, Ordering::SeqCst);
            match code {
                Code::Nothing | Code::Panics => {}
                Code::Nested => {
                    // Refused, if the executor is shut down by then.
                    let inner = handle.submit(|n: u32| n + 1, 1).result();
                    assert!(inner.is_ok_and(|n| n == 2) || handle.try_submit(|()| (), ()).is_err());
                }
                Code::Endless => {
                    while !cancellation_requested() {
                        std::thread::yield_now();
                    }
                }
            }
            ended.open();
            if code == Code::Panics {
                panic_quietly(value);
            }
            value
        }
    }

    fn options(&self) -> TaskOptions {
        match self.code {
            Code::Endless => TaskOptions::new().timeout(Duration::from_millis(1)),
            _ => TaskOptions::new(),
        }
    }
}

/// Plays a script on an executor and on the model, and compares after each step. The executor is
/// held up whenever the model has to know that a task has not begun, so that nothing is left to
/// chance but what must not matter.
fn play(script: &[Step]) {
    hush();
    let executor = ThreadPoolExecutor::new(1).unwrap();
    let values = Drops::new();
    let mut tasks: Vec<Played> = Vec::new();
    let mut holds: Vec<Latch> = Vec::new();
    // The first task that waits behind the hold that is in force.
    let mut held_from = None;
    let mut is_shut = false;
    let mut workers = 1;
    for step in script {
        let chosen = |n: usize, tasks: &[Played]| (!tasks.is_empty()).then(|| n % tasks.len());
        match *step {
            Step::Submit(code) => {
                let mut task = Played::new(code, is_shut);
                let handle = executor.with(task.options());
                task.future = Some(handle.submit(task.call(&executor), values.token()));
                tasks.push(task);
            }
            Step::SubmitAll(count) => {
                let first = tasks.len();
                tasks.extend((0..count).map(|_| Played::new(Code::Nothing, is_shut)));
                let calls = tasks[first..].iter().map(|it| (it.call(&executor), values.token()));
                let calls: Vec<_> = calls.collect();
                let futures = executor.submit_all(|(call, value)| call(value), calls);
                assert_eq!(futures.len(), count);
                for (task, future) in tasks[first..].iter_mut().zip(futures) {
                    task.future = Some(future);
                }
            }
            Step::SubmitLate => {
                if held_from.is_some() {
                    let mut task = Played::new(Code::Nothing, is_shut);
                    let handle = executor.with(TaskOptions::new().begin_within(Duration::ZERO));
                    let future = handle.submit(task.call(&executor), values.token());
                    assert!(future.wait_timeout(BOUND));
                    if !is_shut {
                        task.known = Known::NotBegun;
                    }
                    task.future = Some(future);
                    tasks.push(task);
                }
            }
            Step::Cancel(n) | Step::Abort(n) => {
                let Some(index) = chosen(n, &tasks) else { continue };
                let is_held = held_from.is_some_and(|from| index >= from);
                let task = &mut tasks[index];
                let Some(future) = &task.future else { continue };
                if !is_held {
                    assert!(future.wait_timeout(BOUND));
                }
                let answer =
                    if matches!(step, Step::Cancel(_)) { future.cancel() } else { future.abort() };
                if is_held && task.known == Known::Runs {
                    task.known = Known::Cancelled;
                }
                assert_eq!(answer, task.known == Known::Cancelled);
            }
            Step::Wait(n) => {
                let Some(index) = chosen(n, &tasks) else { continue };
                let is_held = held_from.is_some_and(|from| index >= from);
                if let Some(future) = &tasks[index].future
                    && (!is_held || tasks[index].known != Known::Runs)
                {
                    assert!(future.wait_timeout(BOUND));
                    let mut queue: CompletionQueue<_> = [future].into_iter().collect();
                    assert!(queue.pop().is_some_and(Future::done));
                }
            }
            Step::Poll(n) => {
                let Some(index) = chosen(n, &tasks) else { continue };
                let is_held = held_from.is_some_and(|from| index >= from);
                if let Some(future) = &tasks[index].future {
                    let done = future.wait_timeout(Duration::ZERO);
                    if is_held {
                        assert_eq!(done, tasks[index].known != Known::Runs);
                        assert_eq!(future.state() == FutureState::Pending, !done);
                    }
                }
            }
            Step::Resize(n) => {
                // More workers would run what is held; only an executor that is not held grows.
                if held_from.is_none() {
                    executor.resize(n).unwrap();
                    workers = n;
                    assert_eq!(executor.max_workers(), n);
                }
            }
            Step::Drop(n) => {
                if let Some(index) = chosen(n, &tasks) {
                    tasks[index].future = None;
                }
            }
            Step::CallBack(n) => {
                let Some(index) = chosen(n, &tasks) else { continue };
                let task = &mut tasks[index];
                if let Some(future) = &task.future {
                    let called = Arc::clone(&task.called_back);
                    future.add_done_callback(move |_| {
                        called.fetch_add(1, Ordering::SeqCst);
                    });
                    task.callbacks += 1;
                }
            }
            Step::Hold => {
                if held_from.is_none() && !is_shut {
                    holds = (0..workers).map(|_| occupied(&executor)).collect();
                    held_from = Some(tasks.len());
                }
            }
            Step::Release => {
                holds.drain(..).for_each(|gate| gate.open());
                held_from = None;
            }
            Step::Shutdown(ending) => {
                let cancel = ending != Ending::Continue;
                // What has not begun is known only of what is held.
                if cancel && held_from.is_none() {
                    for task in tasks.iter().filter(|task| task.known == Known::Runs) {
                        task.ended.pass();
                        if let Some(future) = &task.future {
                            assert!(future.wait_timeout(BOUND));
                        }
                    }
                }
                if ending == Ending::AtOnce {
                    executor.shutdown_timeout(Duration::ZERO, Duration::ZERO);
                } else {
                    executor.shutdown(false, cancel);
                }
                is_shut = true;
                if let Some(from) = held_from
                    && cancel
                {
                    let lost = tasks[from..].iter_mut().filter(|task| task.known == Known::Runs);
                    lost.for_each(|task| task.known = Known::Cancelled);
                }
            }
        }
    }
    holds.drain(..).for_each(|gate| gate.open());
    // Leaving it is the same as shutting it down.
    let handle = executor.handle();
    drop(executor);

    let stats = handle.stats();
    assert_eq!((stats.queued, stats.running, stats.workers), (0, 0, 0));
    let count = |is: &dyn Fn(&Played) -> bool| tasks.iter().filter(|it| is(it)).count();
    let cancelled = count(&|it| it.known == Known::Cancelled);
    let has_failed = |it: &Played| {
        let runs_badly =
            it.known == Known::Runs && [Code::Panics, Code::Endless].contains(&it.code);
        runs_badly || it.known == Known::NotBegun
    };
    assert_eq!((stats.cancelled, stats.failed), (cancelled, count(&has_failed)));
    for task in tasks {
        assert_eq!(task.runs.load(Ordering::SeqCst), usize::from(task.known == Known::Runs));
        // Those of a task whose time was up are called apart.
        eventually(|| task.called_back.load(Ordering::SeqCst) >= task.callbacks);
        assert_eq!(task.called_back.load(Ordering::SeqCst), task.callbacks);
        let Some(future) = task.future else { continue };
        match (future.result(), task.known, task.code) {
            (Ok(_), Known::Runs, Code::Nothing | Code::Nested) => {}
            (Err(error), Known::Runs, Code::Panics) => assert!(error.is_panic()),
            (Err(error), Known::Runs, Code::Endless) => assert!(error.is_timed_out()),
            (Err(error), Known::Cancelled, _) => assert!(error.is_cancelled()),
            (Err(error), Known::Refused, _) => assert!(error.is_refused()),
            (Err(error), Known::NotBegun, _) => {
                assert!(matches!(error.kind(), TaskErrorKind::NotBegun { .. }));
            }
            (result, known, code) => panic!("{result:?} of {code:?} that is {known:?}"),
        }
    }
    // A panic's payload goes with the last who knows of it.
    eventually(|| values.made() == values.count());
    assert_eq!(values.made(), values.count(), "every value is dropped once");
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn a_random_script_ends_as_its_sequential_model_does(script in vec(step(), 0..60)) {
        within(move || play(&script));
    }
}
