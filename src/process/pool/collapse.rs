//! What becomes of a pool when a thread of its own panics.
//!
//! That is a fault of this crate, for whatever users give is called where its panics are expected. The
//! thread may have left the books half written, so nothing is asked of them any more but whom they hold.
//! The pool is broken, with the panic as its cause; every task that has not ended fails with that cause;
//! and all processes are killed. Other lines find their workers dead, and end as ever. Nobody waits for what
//! the thread would have done.

use super::Pool;
use super::line::Line;
use super::state::State;
use crate::error::{BrokenCause, TaskErrorKind, TaskPanic};
use crate::sync::{Arc, Mutex};
use crate::sys::child::Signal;
use crate::task;
use std::collections::VecDeque;

impl Pool {
    /// Gives up everything, because a thread of the pool's own has panicked.
    pub(crate) fn collapse(&self, panic: TaskPanic) {
        let panic = task::panicked(task::told(panic));
        let cause = BrokenCause::new(BrokenCause::OWN_PANIC, panic);
        let (jobs, lines, cause) = {
            let mut state = self.state.lock();
            let State { machine, lines, doomed, broken, .. } = &mut *state;
            let cause = broken.get_or_insert(cause).clone();
            doomed.extend(machine.workers().map(|it| it.id).filter(|it| !lines.contains_key(it)));
            let jobs = machine.abandon();
            let lines: Vec<Arc<Line>> = lines.values().cloned().collect();
            state.failed += jobs.len();
            (jobs, lines, cause)
        };
        lines.iter().for_each(|line| line.signal(Signal::Kill));
        self.close_queue();
        let jobs = Mutex::new(VecDeque::from(jobs));
        task::one_after_the_other(move || {
            let mut job = jobs.lock().pop_front()?;
            let kind = TaskErrorKind::Broken(cause.clone());
            Some(move || job.fail(kind))
        });
        self.look_whether_gone();
    }

    /// Does what is left to do for a line whose thread has panicked, on that thread.
    pub(crate) fn clean_up_after(self: &Arc<Self>, line: &Arc<Line>, turn: usize) {
        if line.turn() != turn {
            // Somebody else serves it.
            let mut state = self.state.lock();
            state.relieved = state.relieved.saturating_sub(1);
            drop(state);
            return self.look_whether_gone();
        }
        // What has come back ends as it would have.
        let finished = Arc::clone(line);
        task::one_after_the_other(move || {
            let next = finished.finished.lock().pop_front();
            next.map(|finished| move || finished.conclude())
        });
        // It may not have been known yet.
        line.signal(Signal::Kill);
        self.died(line);
    }

    fn look_whether_gone(&self) {
        if self.state.lock().is_gone() {
            self.say_that_it_is_gone();
        }
    }
}

#[cfg(all(test, not(concurrent_futures_loom)))]
mod tests {
    //! Each thread that a pool of processes has for itself panics at a place where others depend on it.

    use crate::error::TaskError;
    use crate::executor::TaskOptions;
    use crate::future::Future;
    use crate::process::ProcessPoolExecutor;
    use crate::sync::{Arc, traps};
    use std::path::Path;
    use std::time::{Duration, Instant};

    const AN_HOUR: u64 = 3600;

    fn pool(max_workers: usize) -> ProcessPoolExecutor {
        ProcessPoolExecutor::new(max_workers).unwrap()
    }

    fn sleeps(seconds: u64) -> u64 {
        std::thread::sleep(Duration::from_secs(seconds));
        seconds
    }

    /// How the threads of the pool are called.
    fn name_of(pool: &ProcessPoolExecutor) -> String {
        format!("{}_", pool.handle.pool().settings.name)
    }

    /// The threads beside the workers look at them.
    fn ring(pool: &ProcessPoolExecutor) {
        let lines: Vec<_> = pool.handle.pool().state.lock().lines.values().cloned().collect();
        lines.iter().for_each(|line| {
            line.disarm();
            line.mind();
        });
    }

    fn processes(pool: &ProcessPoolExecutor) -> Vec<u32> {
        pool.workers().iter().filter_map(|it| it.process_id).collect()
    }

    /// Tasks that run on both workers, lie ready behind those, and wait in the queue; and the processes.
    fn busy(pool: &ProcessPoolExecutor) -> (Vec<Future<u64>>, Vec<u32>) {
        // So that something is sent ahead.
        pool.submit_all(sleeps, [0; 40])
            .into_iter()
            .for_each(|it| assert_eq!(it.result().unwrap(), 0));
        let futures = pool.submit_all(sleeps, [AN_HOUR; 200]);
        while pool.stats().running < pool.max_workers() {
            std::thread::yield_now();
        }
        (futures, processes(pool))
    }

    #[track_caller]
    fn says_so(error: &TaskError) {
        let text = error.to_string();
        assert!(
            error.is_broken() && text.contains("thread of the executor's own panicked"),
            "{text}"
        );
    }

    #[track_caller]
    fn all_say_so(futures: Vec<Future<u64>>) {
        futures.into_iter().for_each(|it| says_so(&it.result().unwrap_err()));
    }

    /// The pool says that it is broken, and why; and then nothing is left of it.
    #[track_caller]
    fn is_broken_and_ends(pool: ProcessPoolExecutor, processes: &[u32]) {
        says_so(&pool.submit(|()| (), ()).result().unwrap_err());
        pool.shutdown(true, false);
        let is_there = |it: &&u32| Path::new(&format!("/proc/{it}")).exists();
        assert_eq!(processes.iter().filter(is_there).collect::<Vec<_>>(), Vec::<&u32>::new());
        let stats = pool.stats();
        assert_eq!((stats.queued, stats.running, stats.workers), (0, 0, 0), "{stats:?}");
        let inner = Arc::downgrade(pool.handle.pool());
        drop(pool);
        let begun = Instant::now();
        while inner.strong_count() > 0 {
            assert!(begun.elapsed() < Duration::from_secs(60), "somebody still holds the pool");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_panic_of_the_thread_beside_a_worker_ends_every_task() {
        let pool = pool(2);
        let (futures, processes) = busy(&pool);
        traps::set("hear", &name_of(&pool));
        ring(&pool);
        all_say_so(futures);
        is_broken_and_ends(pool, &processes);
    }

    #[test]
    fn a_panic_with_an_outcome_in_hand_ends_that_task_too() {
        let pool = pool(1);
        pool.submit(sleeps, 0).result().unwrap();
        traps::set("conclude", &name_of(&pool));
        let (says, said) = std::sync::mpsc::channel();
        // Nobody but the thread beside the worker brings an outcome for which there is a callback.
        let told = pool.submit(|()| sleeps(0), ());
        told.add_done_callback(move |outcome| says.send(outcome.err().cloned()).unwrap());
        let processes = processes(&pool);
        says_so(&said.recv_timeout(Duration::from_secs(60)).unwrap().unwrap());
        is_broken_and_ends(pool, &processes);
    }

    #[test]
    fn a_panic_at_the_burial_of_a_worker_ends_every_task() {
        let pool = pool(2);
        let (futures, processes) = busy(&pool);
        traps::set("bury", &name_of(&pool));
        let killed = rustix::process::Pid::from_raw(processes[0].cast_signed()).unwrap();
        rustix::process::kill_process(killed, rustix::process::Signal::KILL).unwrap();
        all_say_so(futures);
        is_broken_and_ends(pool, &processes);
    }

    #[test]
    fn a_panic_before_a_worker_is_known_ends_every_task() {
        let pool = pool(2);
        traps::set("connect", &name_of(&pool));
        let futures = pool.submit_all(sleeps, [AN_HOUR; 20]);
        all_say_so(futures);
        is_broken_and_ends(pool, &[]);
    }

    #[test]
    fn a_panic_of_a_stand_in_ends_every_task() {
        let pool = pool(1);
        let name = name_of(&pool);
        let first = pool.submit(sleeps, 0);
        let others = pool.submit_all(sleeps, [AN_HOUR; 20]);
        let (says, said) = std::sync::mpsc::channel();
        let awaited = pool.submit(sleeps, 1);
        first.add_done_callback(move |_| {
            traps::set("hear", &name);
            says.send(awaited.result().unwrap_err()).unwrap();
        });
        says_so(&said.recv_timeout(Duration::from_secs(60)).unwrap());
        all_say_so(others);
        is_broken_and_ends(pool, &[]);
    }

    #[test]
    fn a_panic_of_the_timers_thread_ends_every_task() {
        let pool = pool(2);
        let (futures, processes) = busy(&pool);
        pool.handle.pool().timer.set(Instant::now(), || panic!("an alarm")).unwrap();
        all_say_so(futures);
        is_broken_and_ends(pool, &processes);
    }

    #[test]
    fn a_panic_of_the_thread_that_gives_a_task_up_ends_that_task() {
        let pool = pool(1);
        let long = pool.submit(sleeps, AN_HOUR);
        traps::set("not begun, processes", "not begun");
        let options = TaskOptions::new().begin_within(Duration::from_millis(1));
        says_so(&pool.with(options).submit(sleeps, 0).result().unwrap_err());
        // It had no part in what others do.
        pool.kill_workers();
        assert!(long.result().is_err());
    }

    #[test]
    fn callbacks_that_wait_for_each_other_are_told_of_a_panic() {
        let pool = pool(2);
        let (mut futures, processes) = busy(&pool);
        let (last, first) = (futures.pop().unwrap(), futures.remove(0));
        let (says, said) = std::sync::mpsc::channel();
        let handle = pool.handle();
        first.add_done_callback(move |_| {
            let error = last.result().unwrap_err();
            handle.shutdown(true, false);
            says.send(error).unwrap();
        });
        traps::set("hear", &name_of(&pool));
        ring(&pool);
        says_so(&said.recv_timeout(Duration::from_secs(60)).unwrap());
        all_say_so(futures);
        is_broken_and_ends(pool, &processes);
    }
}
