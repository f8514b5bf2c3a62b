//! Both pools for as many tasks as you like, with random kills, cancels, timeouts, resizes and shutdowns;
//! and then an account: every task ended, once and in a way that it may, and nothing is left behind.
//!
//! ```text
//! cargo run --release --example soak
//! cargo run --release --example soak -- --threads 10000000 --processes 1000000 --kills 10000
//! cargo run --release --example soak -- --seed 7
//! ```
//!
//! The seed is printed, and repeats the choices (not the order in which threads get on). Ends with 1 if the
//! account does not add up, and with 2 if nothing has ended for a minute.

use concurrent_futures::{
    Future, OnWorkerDeath, Order, ProcessPoolExecutor, TaskError, TaskErrorKind, TaskOptions,
    ThreadPoolExecutor, WorkerState, cancellation_requested,
};
use std::collections::VecDeque;
use std::fs;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How many tasks are on their way at once, at most.
const IN_FLIGHT: usize = 1000;

/// How many tasks one pool gets, at most.
const MOST_OF_A_POOL: usize = 40_000;

/// More memory than before than this is a leak.
const MOST_GROWTH: usize = 48 << 20;

/// Nothing ends for so long: something hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// All tasks that have ended, for whoever watches.
static ENDED: AtomicUsize = AtomicUsize::new(0);
/// All callbacks that were called.
static CALLED: AtomicUsize = AtomicUsize::new(0);

/// Random numbers that a seed repeats (SplitMix64, by Steele, Lea and Flood).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// What a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nature {
    Quick,
    /// Takes some microseconds.
    Busy,
    Panics,
    /// Never ends of its own accord, and has a timeout.
    Endless,
    /// Has to begin within no time.
    Hurried,
}

impl Nature {
    fn any(random: &mut Random) -> Nature {
        match random.below(1000) {
            0 => Nature::Endless,
            1..4 => Nature::Panics,
            4..9 => Nature::Hurried,
            9..50 => Nature::Busy,
            _ => Nature::Quick,
        }
    }

    fn options(self, random: &mut Random) -> TaskOptions {
        let options = TaskOptions::new().priority(random.below(3) as i32);
        match self {
            Nature::Endless => options.timeout(Duration::from_millis(5)),
            Nature::Hurried => options.begin_within(Duration::from_micros(200)),
            _ => options,
        }
    }
}

fn value_of(n: u64) -> u64 {
    n.wrapping_mul(n) ^ 0x5555
}

/// A task, here or in another process.
fn work((nature, n): (u8, u64)) -> u64 {
    match nature {
        1 => {
            std::hint::black_box((0..n % 3000).map(std::hint::black_box).sum::<u64>());
        }
        // Without a word of the panic hook.
        2 => std::panic::resume_unwind(Box::new("as it should")),
        3 => {
            while !cancellation_requested() {
                thread::yield_now();
            }
        }
        _ => {}
    }
    value_of(n)
}

/// What became of all tasks.
#[derive(Debug, Default, Clone, Copy)]
struct Account {
    submitted: usize,
    finished: usize,
    failed: usize,
    cancelled: usize,
    expired: usize,
    lost: usize,
    refused: usize,
    kills: usize,
    /// Tasks that may be lost because of how their pool ended.
    mortal: usize,
    pools: usize,
    resizes: usize,
}

impl Account {
    fn ended(&self) -> usize {
        self.finished + self.failed + self.cancelled + self.expired + self.lost + self.refused
    }
}

/// A task on its way, and what is known of it.
struct Task {
    nature: Nature,
    n: u64,
    future: Future<u64>,
    /// Somebody has cancelled or aborted it; and was told that it never begins.
    may_be_cancelled: bool,
    never_begins: bool,
    /// The pool had been shut down.
    is_late: bool,
    runs: Option<Arc<AtomicU8>>,
}

/// Everything that is counted, and everything that is wrong.
struct Soak {
    random: Random,
    account: Account,
    faults: Vec<String>,
}

impl Soak {
    fn expect(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            let what = what();
            println!("WRONG: {what}");
            self.faults.push(what);
        }
    }

    fn settle(&mut self, task: Task, ends_with_cancel: bool) {
        let Task { nature, n, future, may_be_cancelled, never_begins, is_late, runs } = task;
        let result = future.result();
        ENDED.fetch_add(1, Ordering::Relaxed);
        let runs = runs.map(|it| it.load(Ordering::SeqCst));
        let account = &mut self.account;
        let is_right = match &result {
            Ok(value) => {
                account.finished += 1;
                *value == value_of(n) && nature != Nature::Panics && runs.is_none_or(|it| it == 1)
            }
            Err(error) => match error.kind() {
                TaskErrorKind::Panicked(_) => {
                    account.failed += 1;
                    nature == Nature::Panics && runs.is_none_or(|it| it == 1)
                }
                TaskErrorKind::Cancelled => {
                    account.cancelled += 1;
                    may_be_cancelled || ends_with_cancel
                }
                TaskErrorKind::TimedOut { .. } => {
                    account.expired += 1;
                    nature == Nature::Endless
                }
                TaskErrorKind::NotBegun { .. } => {
                    account.expired += 1;
                    nature == Nature::Hurried && runs.is_none_or(|it| it == 0)
                }
                TaskErrorKind::WorkerDied(_) => {
                    account.lost += 1;
                    runs.is_none()
                }
                TaskErrorKind::Refused(_) => {
                    account.refused += 1;
                    is_late
                }
                _ => false,
            },
        };
        let is_right = is_right
            && runs.is_none_or(|it| it <= 1)
            && !(never_begins && (result.is_ok() || runs.is_some_and(|it| it > 0)))
            && is_late == result.as_ref().is_err_and(TaskError::is_refused);
        self.expect(is_right, || {
            format!(
                "a task that is {nature:?} gave {result:?}; cancelled: {may_be_cancelled}, for good: \
                 {never_begins}, late: {is_late}, runs: {runs:?}"
            )
        });
    }

    /// Cancels or aborts somebody.
    fn disturb(&mut self, tasks: &mut VecDeque<Task>) {
        let chosen = self.random.below(tasks.len().max(1));
        let is_abort = self.random.one_in(3);
        let Some(task) = tasks.get_mut(chosen) else { return };
        task.may_be_cancelled = true;
        if is_abort {
            task.future.abort();
        } else {
            task.never_begins |= task.future.cancel();
        }
    }

    fn submit(
        &mut self,
        tasks: &mut VecDeque<Task>,
        is_late: bool,
        runs: Option<Arc<AtomicU8>>,
        submit: impl FnOnce(TaskOptions, (u8, u64)) -> Future<u64>,
    ) {
        let nature = Nature::any(&mut self.random);
        let n = self.random.next();
        let future = submit(nature.options(&mut self.random), (nature as u8, n));
        future.add_done_callback(|_| {
            CALLED.fetch_add(1, Ordering::Relaxed);
        });
        self.account.submitted += 1;
        let (may_be_cancelled, never_begins) = (false, false);
        tasks.push_back(Task { nature, n, future, may_be_cancelled, never_begins, is_late, runs });
        if tasks.len() > IN_FLIGHT
            && let Some(oldest) = tasks.pop_front()
        {
            self.settle(oldest, is_late);
        }
    }

    fn order(&mut self) -> Order {
        [Order::Fifo, Order::Lifo, Order::Priority][self.random.below(3)]
    }

    /// One life of a pool of threads.
    fn threads(&mut self, count: usize) {
        let workers = 1 + self.random.below(4);
        let order = self.order();
        let executor =
            ThreadPoolExecutor::builder().max_workers(workers).order(order).build().unwrap();
        let (before, mut tasks) = (self.account, VecDeque::new());
        let submit = |soak: &mut Soak, tasks: &mut VecDeque<Task>, is_late| {
            let runs = Arc::new(AtomicU8::new(0));
            let counted = Arc::clone(&runs);
            soak.submit(tasks, is_late, Some(runs), |options, what| {
                let call = move |what| {
                    counted.fetch_add(1, Ordering::SeqCst);
                    work(what)
                };
                executor.with(options).submit(call, what)
            });
        };
        for _ in 0..count {
            submit(self, &mut tasks, false);
            if self.random.one_in(50) {
                self.disturb(&mut tasks);
            }
            if self.random.one_in(2000) {
                executor.resize(1 + self.random.below(6)).unwrap();
                self.account.resizes += 1;
            }
        }
        let with_cancel = self.random.one_in(2);
        match self.random.below(3) {
            0 => {
                executor.shutdown_timeout(Duration::from_millis(2), Duration::from_millis(20));
            }
            _ => executor.shutdown(self.random.one_in(2), with_cancel),
        }
        (0..3).for_each(|_| submit(self, &mut tasks, true));
        executor.shutdown(true, false);
        for task in tasks {
            // `shutdown_timeout` cancels, too.
            self.settle(task, true);
        }
        self.compare(before, executor.stats());
    }

    /// One life of a pool of processes.
    fn processes(&mut self, count: usize, kills: usize) {
        let workers = 1 + self.random.below(3);
        let executor = ProcessPoolExecutor::builder()
            .max_workers(workers)
            .order(self.order())
            .grace(Duration::from_millis(50))
            .on_worker_death(OnWorkerDeath::Replace { most: usize::MAX, within: PATIENCE })
            .build()
            .unwrap();
        let (before, mut tasks) = (self.account, VecDeque::new());
        let submit = |soak: &mut Soak, tasks: &mut VecDeque<Task>, is_late| {
            soak.submit(tasks, is_late, None, |options, what| {
                executor.with(options).submit(work, what)
            });
        };
        let mut most_workers = workers;
        let mut to_kill = kills;
        for done in 0..count {
            submit(self, &mut tasks, false);
            if self.random.one_in(50) {
                self.disturb(&mut tasks);
            }
            if self.random.one_in(2000) {
                let workers = 1 + self.random.below(4);
                most_workers = most_workers.max(workers);
                executor.resize(workers).unwrap();
                self.account.resizes += 1;
            }
            // Spread over the life of the pool.
            if to_kill > 0 && done * kills >= (kills - to_kill) * count {
                to_kill -= usize::from(self.kill_one(&executor));
            }
        }
        while to_kill > 0 {
            to_kill -= usize::from(self.kill_one(&executor));
            submit(self, &mut tasks, false);
        }
        let with_cancel = self.random.one_in(2);
        match self.random.below(5) {
            0 => {
                executor.shutdown_timeout(Duration::from_millis(2), Duration::from_millis(60));
                self.account.mortal += most_workers;
            }
            1 => {
                executor.terminate_workers();
                self.account.mortal += most_workers;
            }
            2 => {
                executor.kill_workers();
                self.account.mortal += most_workers;
            }
            _ => executor.shutdown(self.random.one_in(2), with_cancel),
        }
        (0..3).for_each(|_| submit(self, &mut tasks, true));
        executor.shutdown(true, false);
        for task in tasks {
            self.settle(task, true);
        }
        self.compare(before, executor.stats());
    }

    /// Kills a worker that is up. Whether there was one.
    fn kill_one(&mut self, executor: &ProcessPoolExecutor) -> bool {
        let mut workers = executor.workers();
        workers.retain(|it| [WorkerState::Busy, WorkerState::Idle].contains(&it.state));
        let chosen = self.random.below(workers.len().max(1));
        let Some(process) = workers.get(chosen).and_then(|it| it.process_id) else { return false };
        // It may have ended meanwhile, but it is waited for only when its pool has noticed.
        // SAFETY: it takes plain numbers.
        let has_killed = unsafe { libc::kill(process.cast_signed(), libc::SIGKILL) } == 0;
        self.account.kills += usize::from(has_killed);
        has_killed
    }

    /// The pool's own numbers are those of this account.
    fn compare(&mut self, before: Account, stats: concurrent_futures::Stats) {
        self.account.pools += 1;
        let now = self.account;
        let taken = (now.submitted - now.refused) - (before.submitted - before.refused);
        let failed = |it: &Account| it.failed + it.expired + it.lost;
        let expected = (
            now.finished - before.finished,
            failed(&now) - failed(&before),
            now.cancelled - before.cancelled,
        );
        let found = (stats.finished, stats.failed, stats.cancelled);
        let rest = (stats.queued, stats.running, stats.workers, stats.submitted());
        self.expect(found == expected && rest == (0, 0, 0, taken), || {
            format!("the pool counts {stats:?}, where {taken} were taken, and ended {expected:?}")
        });
    }
}

/// What this process holds.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    threads: usize,
    descriptors: usize,
    children: usize,
    mappings: usize,
}

impl Held {
    fn now() -> Held {
        let count = |folder: &str| fs::read_dir(folder).map_or(0, Iterator::count);
        let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        let children = threads.map(|thread| {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            children.split_whitespace().count()
        });
        let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
        Held {
            children: children.sum(),
            threads: count("/proc/self/task"),
            descriptors: count("/proc/self/fd"),
            mappings: maps.lines().filter(|it| it.contains("/memfd:")).count(),
        }
    }
}

fn resident_memory() -> usize {
    let text = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|it| it.parse::<usize>().ok()).unwrap_or(0) * 4096
}

/// Ends the program if nothing ends any more.
fn watch() {
    thread::spawn(|| {
        let mut last = (0, Instant::now());
        loop {
            thread::sleep(Duration::from_secs(1));
            let ended = ENDED.load(Ordering::Relaxed);
            if ended != last.0 {
                last = (ended, Instant::now());
            } else if last.1.elapsed() > PATIENCE {
                println!("HANGS: {ended} tasks have ended, and none for {PATIENCE:?}");
                std::process::exit(2);
            }
        }
    });
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |name: &str, otherwise: u64| {
        let at = arguments.iter().position(|it| it == name);
        let value = at.and_then(|at| arguments.get(at + 1));
        value.map_or(otherwise, |it| it.parse().expect("a number"))
    };
    let by_clock = std::time::UNIX_EPOCH.elapsed().map_or(0, |it| it.as_nanos() as u64);
    let seed = argument("--seed", by_clock);
    let threads = argument("--threads", 200_000) as usize;
    let processes = argument("--processes", 20_000) as usize;
    let kills = argument("--kills", 100) as usize;
    println!("--seed {seed} --threads {threads} --processes {processes} --kills {kills}");
    watch();

    let mut soak = Soak { random: Random(seed), account: Account::default(), faults: Vec::new() };
    // What is made once is made before it is counted.
    soak.threads(2000);
    soak.processes(500, 0);
    let (held, memory) = (Held::now(), resident_memory());
    let begun = Instant::now();
    let (mut threads_left, mut processes_left, mut kills_left) = (threads, processes, kills);
    let mut told = 0;
    while threads_left + processes_left > 0 {
        let count = (1 + soak.random.below(MOST_OF_A_POOL)).min(threads_left);
        threads_left -= count;
        if count > 0 {
            soak.threads(count);
        }
        let count = (1 + soak.random.below(MOST_OF_A_POOL / 10)).min(processes_left);
        if count > 0 {
            // Its share of what is left.
            let kills = kills_left * count / processes_left;
            processes_left -= count;
            kills_left -= kills;
            soak.processes(count, kills);
        }
        let done = 10 * (threads + processes - threads_left - processes_left);
        if done / (threads + processes) > told {
            told = done / (threads + processes);
            println!("{:>3} %  {:>6.1} s", told * 10, begun.elapsed().as_secs_f64());
        }
    }

    let account = soak.account;
    println!("{account:#?}");
    soak.expect(account.submitted == account.ended(), || "tasks are missing".to_owned());
    let may_be_lost = account.kills + account.mortal;
    soak.expect(account.lost <= may_be_lost, || format!("more than {may_be_lost} are lost"));
    let since = Instant::now();
    let has_all = || {
        let called = CALLED.load(Ordering::Relaxed) == account.submitted;
        called && Held::now() == held
    };
    // A thread that has ended is listed for a moment longer.
    while !has_all() && since.elapsed() < PATIENCE {
        thread::yield_now();
    }
    let (now, called) = (Held::now(), CALLED.load(Ordering::Relaxed));
    println!("held before: {held:?}\nheld now:    {now:?}");
    soak.expect(now == held, || "something is left behind".to_owned());
    soak.expect(called == account.submitted, || format!("{called} callbacks were called"));
    let grown = resident_memory().saturating_sub(memory);
    println!("memory before: {} KiB, more now: {} KiB", memory >> 10, grown >> 10);
    soak.expect(grown < MOST_GROWTH, || "memory is left behind".to_owned());
    match soak.faults.len() {
        0 => {
            println!("It adds up.");
            ExitCode::SUCCESS
        }
        count => {
            println!("{count} faults, with --seed {seed}.");
            ExitCode::FAILURE
        }
    }
}
