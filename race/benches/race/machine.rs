//! What is asked of the machine: processors, processor time, and bytes allocated.

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering};
use std::time::Duration;

/// The processor time of all threads of this process so far.
pub(crate) fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The processors that this thread may run on.
pub(crate) fn processors() -> Vec<usize> {
    let set = sched_getaffinity(None::<Pid>).expect("a thread can ask for its own");
    (0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect()
}

/// Keeps this thread, and the threads and processes that it starts from now on, on `processors`.
pub(crate) fn stay_on(processors: &[usize]) {
    sched_setaffinity(None::<Pid>, &set_of(processors)).expect("the processors are there");
}

/// Keeps the one thread of another process on `processors`.
pub(crate) fn keep_on(process: u32, processors: &[usize]) {
    let process = Pid::from_raw(process as i32);
    sched_setaffinity(process, &set_of(processors)).expect("the processors are there");
}

fn set_of(processors: &[usize]) -> CpuSet {
    let mut set = CpuSet::new();
    processors.iter().for_each(|processor| set.set(*processor));
    set
}

/// Where the threads and processes of a workload may run.
pub(crate) struct Placement {
    pub(crate) submitter: Vec<usize>,
    pub(crate) workers: Vec<usize>,
}

impl Placement {
    /// The system decides.
    pub(crate) fn anywhere() -> Self {
        Placement { submitter: processors(), workers: processors() }
    }

    /// Both on the same processor.
    pub(crate) fn together() -> Self {
        let one = vec![processors()[0]];
        Placement { submitter: one.clone(), workers: one }
    }

    /// Each on its own processor, if there are two.
    pub(crate) fn apart() -> Option<Self> {
        let [first, second, ..] = processors()[..] else { return None };
        Some(Placement { submitter: vec![first], workers: vec![second] })
    }

    /// Runs `race` with this thread at the submitter's place, and puts it back.
    pub(crate) fn run(&self, race: impl FnOnce()) {
        let before = processors();
        stay_on(&self.submitter);
        race();
        stay_on(&before);
    }
}

/// Counts the bytes that are allocated and not freed, while it is told to.
pub(crate) struct Counting;

static IS_COUNTING: AtomicBool = AtomicBool::new(false);
static LIVE: AtomicIsize = AtomicIsize::new(0);

fn count(bytes: isize) {
    if IS_COUNTING.load(Ordering::Relaxed) {
        LIVE.fetch_add(bytes, Ordering::Relaxed);
    }
}

// SAFETY: everything is done by the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the same contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller keeps the same contract, and the block came from the same allocator.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: the caller keeps the same contract, and the block came from the same allocator.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// The bytes that `work` allocates and that are still there at its end, whichever thread did it.
pub(crate) fn bytes_kept<R>(work: impl FnOnce() -> R) -> (R, isize) {
    LIVE.store(0, Ordering::SeqCst);
    IS_COUNTING.store(true, Ordering::SeqCst);
    let result = work();
    IS_COUNTING.store(false, Ordering::SeqCst);
    (result, LIVE.load(Ordering::SeqCst))
}
