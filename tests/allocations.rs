//! What tasks cost in memory, counted by an allocator, and that all of it comes back.
//!
//! Only what a test and the workers of its executor allocate is counted, wherever it is freed: a
//! thread says that it is to be counted, workers do so in their initializer, and each block
//! remembers whether it was. So the test harness and other tests do not disturb the counts, which
//! can therefore be exact.

mod common;

use common::{Latch, eventually, within};
use concurrent_futures::{
    Executor, Future, MapOptions, Order, Promise, TaskError, TaskOptions, ThreadPoolBuilder,
    ThreadPoolExecutor, WhenFull, as_completed,
};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Blocks that were allocated by counted threads so far.
static BLOCKS: AtomicUsize = AtomicUsize::new(0);
/// Bytes of them so far, freed or not.
static BYTES: AtomicUsize = AtomicUsize::new(0);
/// Bytes of them that have not been freed.
static LIVE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static IS_COUNTED: Cell<bool> = const { Cell::new(false) };
}

/// Stands before each block.
struct Tag {
    is_counted: bool,
}

/// A block with its tag, and where in it the block itself begins.
fn tagged(layout: Layout) -> Option<(Layout, usize)> {
    let (whole, offset) = Layout::new::<Tag>().extend(layout).ok()?;
    Some((whole.pad_to_align(), offset))
}

// SAFETY: every block comes from the system's allocator, is large and aligned enough for its tag
// and for what was asked for, and goes back with the layout that it came with.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some((whole, offset)) = tagged(layout) else { return std::ptr::null_mut() };
        // SAFETY: the tag makes it larger than nothing.
        let block = unsafe { System.alloc(whole) };
        if block.is_null() {
            return block;
        }
        let is_counted = IS_COUNTED.try_with(Cell::get).unwrap_or(false);
        if is_counted {
            BLOCKS.fetch_add(1, Ordering::SeqCst);
            BYTES.fetch_add(layout.size(), Ordering::SeqCst);
            LIVE.fetch_add(layout.size(), Ordering::SeqCst);
        }
        // SAFETY: the block begins with room for a tag.
        unsafe { block.cast::<Tag>().write(Tag { is_counted }) };
        // SAFETY: the block goes on for longer than that.
        unsafe { block.add(offset) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let Some((whole, offset)) = tagged(layout) else { return };
        // SAFETY: the pointer came from `alloc` with this layout, so its block begins there.
        let block = unsafe { pointer.sub(offset) };
        // SAFETY: and begins with its tag.
        let tag = unsafe { block.cast::<Tag>().read() };
        if tag.is_counted {
            LIVE.fetch_sub(layout.size(), Ordering::SeqCst);
        }
        // SAFETY: the block came from there with this layout.
        unsafe { System.dealloc(block, whole) };
    }
}

/// While it lives, this thread, and the workers of its executors, are counted, and no others.
struct Counted {
    _alone: MutexGuard<'static, ()>,
}

fn counted() -> Counted {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    // What a thread that waits for the first time allocates once is not to be counted.
    let (_promise, future) = Promise::<()>::new();
    assert!(!future.wait_timeout(Duration::from_millis(1)));
    IS_COUNTED.set(true);
    Counted { _alone: alone }
}

impl Drop for Counted {
    fn drop(&mut self) {
        IS_COUNTED.set(false);
    }
}

/// An executor with one worker, which is counted too.
fn builder() -> ThreadPoolBuilder {
    ThreadPoolExecutor::builder().max_workers(1).initializer(|| IS_COUNTED.set(true))
}

/// Last in, first out: this queue keeps its memory once it has it, so that only tasks are counted.
fn lifo() -> ThreadPoolExecutor {
    builder().order(Order::Lifo).build().unwrap()
}

/// Calls `code`; gives how many blocks were allocated meanwhile, and how many bytes.
fn measured(code: impl FnOnce()) -> (usize, usize) {
    let before = (BLOCKS.load(Ordering::SeqCst), BYTES.load(Ordering::SeqCst));
    code();
    (BLOCKS.load(Ordering::SeqCst) - before.0, BYTES.load(Ordering::SeqCst) - before.1)
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

const TASKS: usize = 31 * 40;

/// Submits [`TASKS`] tasks to a busy worker, then lets them run and takes the results: what that
/// allocates from beginning to end, when it is done for the second time.
fn cost<R>(executor: &ThreadPoolExecutor, submit: impl Fn(u64) -> Future<R>) -> (usize, usize) {
    let mut futures = Vec::with_capacity(TASKS);
    let mut round = || {
        let gate = occupied(executor);
        let cost = measured(|| {
            for n in 0..TASKS as u64 {
                futures.push(submit(n));
            }
            gate.open();
            // All of them are waited for on the same parker, from the last to begin on.
            for future in futures.drain(..) {
                assert!(future.result().is_ok());
            }
        });
        eventually(|| executor.stats().idle == 1);
        cost
    };
    round();
    round()
}

#[test]
fn a_task_costs_one_allocation_from_submission_to_result() {
    let _counted = counted();
    let executor = lifo();
    let (blocks, _) = cost(&executor, |n| executor.submit(|n: u64| n + 1, n));
    assert_eq!(blocks, TASKS);
    let (blocks, _) = cost(&executor, |n| executor.spawn(move || n + 1));
    assert_eq!(blocks, TASKS);
    let (blocks, _) = cost(&executor, |n| executor.try_submit(|n: u64| n + 1, n).unwrap());
    assert_eq!(blocks, TASKS);
    let (blocks, _) = cost(&executor, |n| Executor::submit(&executor, |n: u64| n + 1, n));
    assert_eq!(blocks, TASKS);
}

#[test]
fn the_queue_of_the_default_order_adds_nothing() {
    let _counted = counted();
    let executor = builder().build().unwrap();
    let (blocks, _) = cost(&executor, |n| executor.submit(|n: u64| n + 1, n));
    assert_eq!(blocks, TASKS);
}

#[test]
fn options_and_a_bounded_queue_add_nothing_per_task() {
    let _counted = counted();
    let executor = lifo();
    let handle = executor.with(TaskOptions::new().label("page").priority(3));
    let (blocks, _) = cost(&executor, |n| handle.submit(|n: u64| n + 1, n));
    assert_eq!(blocks, TASKS);
    let watched = builder().order(Order::Lifo).on_unobserved_failure(|_| ()).build().unwrap();
    let (blocks, _) = cost(&watched, |n| watched.submit(|n: u64| n + 1, n));
    assert_eq!(blocks, TASKS);
    let bounded = builder().order(Order::Lifo).queue_capacity(TASKS, WhenFull::Block);
    let bounded = bounded.build().unwrap();
    let (blocks, _) = cost(&bounded, |n| bounded.submit(|n: u64| n + 1, n));
    assert_eq!(blocks, TASKS);
}

#[test]
fn a_time_limit_costs_its_alarm() {
    let _counted = counted();
    let executor = lifo();
    let handle = executor.with(TaskOptions::new().timeout(Duration::from_secs(3600)));
    let (blocks, _) = cost(&executor, |n| handle.submit(|n: u64| n + 1, n));
    // One for what is to be done then; and one for its place among the alarms, if there is none.
    assert!(blocks <= 3 * TASKS, "{blocks} blocks for {TASKS} tasks");
}

#[test]
fn a_pending_task_takes_a_header_and_its_closure_or_outcome() {
    let _counted = counted();
    let executor = lifo();
    let bytes_per_task = |submit: &dyn Fn(u64) -> Future<u64>| cost(&executor, submit).1 / TASKS;
    let outcome = size_of::<Result<u64, TaskError>>();
    let small = bytes_per_task(&|n| executor.submit(|n: u64| n + 1, n));
    assert!(small <= 64 + outcome, "{small} bytes for a task with an outcome of {outcome}");
    let large = bytes_per_task(&|n| {
        let captured = [n; 32];
        executor.spawn(move || captured.iter().sum())
    });
    assert!(large <= 64 + 256, "{large} bytes for a task that captures 256");
}

#[test]
fn tasks_submitted_together_cost_one_allocation_each() {
    let _counted = counted();
    let executor = lifo();
    let cost_of = |tasks: usize| {
        let round = || {
            let gate = occupied(&executor);
            let (blocks, _) = measured(|| {
                let futures = executor.submit_all(|n: usize| n + 1, 0..tasks);
                gate.open();
                futures.into_iter().for_each(|future| assert!(future.result().is_ok()));
            });
            eventually(|| executor.stats().idle == 1);
            blocks
        };
        round();
        round()
    };
    let (once, twice) = (cost_of(TASKS), cost_of(2 * TASKS));
    assert_eq!(twice - once, TASKS, "one for each task");
    let together = once - TASKS;
    assert!(together <= 6, "{together} for the function they share and the lists");
}

#[test]
fn waiting_allocates_nothing() {
    let _counted = counted();
    let executor = lifo();
    // The list of sleeping workers is allocated when the first one falls asleep.
    executor.spawn(|| 1).result().unwrap();
    eventually(|| executor.stats().idle == 1);
    let gate = occupied(&executor);
    let future = executor.spawn(|| 1);
    // Each of these waits in earnest: the worker is busy with another task.
    let wait = || assert!(!future.wait_timeout(Duration::from_millis(1)));
    wait();
    let (blocks, _) = measured(|| (0..10).for_each(|_| wait()));
    assert_eq!(blocks, 0);
    gate.open();
    let mut result = None;
    let (blocks, _) = measured(|| result = Some(future.result()));
    assert!(result.unwrap().is_ok());
    assert_eq!(blocks, 0);
}

#[test]
fn waiting_on_a_worker_allocates_nothing_but_the_nested_task() {
    let _counted = counted();
    let executor = lifo();
    let handle = executor.handle();
    let nested = move |rounds: usize| {
        for n in 0..rounds {
            assert_eq!(handle.submit(|n| n + 1, n).result().unwrap(), n + 1);
        }
    };
    // Fewer than make the pool sweep the entries of nested tasks out of its queue.
    let rounds = 500;
    let run = |rounds| executor.submit(nested.clone(), rounds).result().unwrap();
    run(rounds);
    eventually(|| executor.stats().idle == 1);
    let gate = occupied(&executor);
    let (blocks, _) = measured(|| {
        let future = executor.submit(nested.clone(), rounds);
        gate.open();
        future.result().unwrap();
    });
    assert_eq!(blocks, 1 + rounds);
}

#[test]
fn a_sleeping_worker_costs_at_most_one_allocation_to_wake() {
    let _counted = counted();
    let executor = lifo();
    let once = || {
        eventually(|| executor.stats().idle == 1);
        measured(|| assert!(executor.spawn(|| 1).result().is_ok())).0
    };
    executor.spawn(|| 1).result().unwrap();
    once();
    for _ in 0..50 {
        let blocks = once();
        assert!((1..=2).contains(&blocks), "{blocks} blocks for one task and one wake-up");
    }
}

#[test]
fn collecting_in_the_order_of_completion_costs_nothing_per_future() {
    let _counted = counted();
    let executor = lifo();
    let gate = occupied(&executor);
    let futures: Vec<_> = (0..TASKS).map(|n| executor.submit(|n| n, n)).collect();
    let (blocks, _) = measured(|| {
        let completed = as_completed(futures);
        gate.open();
        assert_eq!(completed.map(|future| future.result().unwrap()).max(), Some(TASKS - 1));
    });
    // A few lists, each of which doubles as it grows.
    assert!(blocks <= 50, "{blocks} blocks to collect {TASKS} futures");
}

/// Lets many tasks go every way that a task can go, on an executor that is dropped at the end.
fn every_way_to_go(executor: ThreadPoolExecutor) {
    const MANY: u64 = 100;
    let fails = |n: u64| -> Result<u64, std::fmt::Error> {
        if n.is_multiple_of(2) { Ok(n) } else { Err(std::fmt::Error) }
    };
    // A panic that the hook does not see: what backtraces keep for ever is not ours.
    let panics = |n: u64| -> Box<u64> { resume_unwind(Box::new(n)) };

    let run: Vec<_> = (0..MANY).map(|n| executor.submit(Box::new, n)).collect();
    (0..MANY).for_each(|n| drop(executor.submit(Box::new, n)));
    let panicked: Vec<_> = (0..MANY).map(|n| executor.submit(panics, n)).collect();
    (0..MANY).for_each(|n| drop(executor.submit(panics, n)));
    let flattened: Vec<_> = (0..MANY).map(|n| executor.submit(fails, n).flatten()).collect();
    let chained: Vec<_> = (0..MANY)
        .map(|n| executor.then(executor.submit(fails, n).flatten(), |n| vec![n]))
        .collect();
    drop(executor.then(executor.submit(Box::new, 1), |n| vec![n]));
    let retried = executor.retrying(3).try_call(fails, 1);
    let (sum, ignored) = (AtomicUsize::new(0), vec![1, 2, 3]);
    executor.scope(|scope| {
        for n in 0..MANY as usize {
            let (sum, ignored) = (&sum, &ignored);
            scope.spawn(move || sum.fetch_add(n * ignored.len(), Ordering::SeqCst));
        }
    });
    let mut map = executor.map(Box::new, 0..MANY);
    assert_eq!(map.next().unwrap().unwrap(), Box::new(0));
    drop(map);
    let ten = NonZeroUsize::new(10).unwrap();
    let unordered = MapOptions::new().unordered().chunksize(ten).eager();
    drop(executor.map_with(unordered, Box::new, 0..MANY));
    let shared = executor.submit(Box::new, 1).shared();
    shared.clone().add_done_callback(|result| drop(result.cloned().map_err(TaskError::clone)));
    let in_time = executor.with(TaskOptions::new().timeout(Duration::from_secs(3600)).label("l"));
    let limited: Vec<_> = (0..MANY).map(|n| in_time.submit(Box::new, n)).collect();
    let (kept, broken) = (Promise::<Box<u64>>::new(), Promise::<Box<u64>>::new());
    let mut promise = kept.0;
    promise.set_result(Box::new(1)).unwrap();
    drop((promise, broken.0));

    // Tasks that are cancelled, or lost with the executor, before they begin.
    eventually(|| run.iter().chain(&limited).chain(&panicked).all(Future::done));
    eventually(|| flattened.iter().all(Future::done) && chained.iter().all(Future::done));
    eventually(|| retried.done() && shared.done());
    let gate = Latch::new();
    let blockers: Vec<_> = (0..executor.max_workers())
        .map(|_| {
            let gate = gate.clone();
            executor.spawn(move || gate.pass())
        })
        .collect();
    eventually(|| blockers.iter().all(Future::running));
    let cancelled: Vec<_> = (0..MANY).map(|n| executor.submit(Box::new, n)).collect();
    assert!(cancelled.iter().all(Future::cancel));
    let aborted = executor.submit(Box::new, 1).cancel_on_drop();
    aborted.add_done_callback(|result| assert!(result.is_err()));
    drop(aborted);
    let late: Vec<_> = (0..MANY).map(|n| executor.submit(Box::new, n)).collect();
    executor.shutdown(false, true);
    let refused = executor.submit(Box::new, 1);
    gate.open();
    drop(executor);

    assert!(blockers.into_iter().all(|it| it.result().is_ok()));
    assert!(run.into_iter().all(|it| it.result().is_ok()));
    assert!(panicked.into_iter().all(|it| it.result().unwrap_err().is_panic()));
    assert_eq!(flattened.into_iter().filter_map(|it| it.result().ok()).count() as u64, MANY / 2);
    assert_eq!(as_completed(chained).filter_map(|it| it.result().ok()).count() as u64, MANY / 2);
    assert!(retried.result().is_err());
    assert_eq!(sum.into_inner() as u64, 3 * MANY * (MANY - 1) / 2);
    assert!(limited.into_iter().all(|it| it.result().is_ok()));
    assert_eq!(shared.result().unwrap(), Box::new(1));
    assert!(cancelled.iter().chain(&late).all(Future::cancelled));
    assert!(refused.result().unwrap_err().is_refused());
    assert_eq!((kept.1.result().unwrap(), broken.1.result().is_err()), (Box::new(1), true));
}

#[test]
fn nothing_is_left_when_an_executor_has_gone() {
    within(|| {
        let _counted = counted();
        let round = |order| {
            let executor = builder().max_workers(2).order(order).build().unwrap();
            every_way_to_go(executor);
        };
        let orders = [Order::Fifo, Order::Lifo, Order::Priority];
        // What is allocated once for each thread, or for the program, is so by then.
        orders.into_iter().for_each(round);
        let before = LIVE.load(Ordering::SeqCst);
        for order in orders.into_iter().cycle().take(12) {
            round(order);
        }
        // A timer's thread is not joined, and may take a moment to end.
        eventually(|| LIVE.load(Ordering::SeqCst) <= before);
    });
}

#[test]
fn a_scope_lets_go_of_its_tasks_when_it_ends() {
    let _counted = counted();
    let executor = lifo();
    let scope = || executor.scope(|scope| (0..31).for_each(|n| drop(scope.spawn(move || n))));
    scope();
    // A worker that sleeps for the first time enters a list, which allocates.
    eventually(|| executor.stats().idle == 1);
    let before = LIVE.load(Ordering::SeqCst);
    (0..10).for_each(|_| scope());
    // The worker may still have the last task in its hands.
    eventually(|| LIVE.load(Ordering::SeqCst) <= before);
}
