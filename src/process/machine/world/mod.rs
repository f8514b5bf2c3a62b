//! A small world for the machine: processes that do what real ones could do, in an order that the
//! test decides, and a record of what has become of each task.
//!
//! What the record has to agree with, and what must be so at any time, is in [`promises`].

mod promises;

use super::{Action, Machine, OnWorkerDeath, Return, Rules, TaskId, Verdict, WorkerId};
use crate::process::page::slots::{Slots, Ticket};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// What a process finds in its inbox.
#[derive(Debug)]
enum Frame {
    Call(TaskId, Ticket),
    Retire,
}

/// A call that has ended in its process, and is not yet known to have.
#[derive(Debug)]
struct Done {
    ticket: Ticket,
    how: Return,
    duration: Duration,
    is_too_large: bool,
}

#[derive(Debug)]
struct Process {
    index: usize,
    is_up: bool,
    inbox: VecDeque<Frame>,
    page: Slots,
    running: Option<(TaskId, Ticket)>,
    outbox: VecDeque<Done>,
    /// It is about to end: killed, asked to end and heeding it, or told to leave.
    is_dying: bool,
    /// It does not heed a request to end.
    is_deaf: bool,
    was_told_to_leave: bool,
    returned: usize,
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Succeeded,
    Failed,
    /// By its owner, before it was known to have begun.
    Withdrawn,
    Cancelled,
    Lost,
    GivenUp,
}

#[derive(Debug)]
struct Story {
    retries: usize,
    /// In how many processes it has been begun.
    runs: usize,
    /// The parent knows that it has begun.
    is_known: bool,
    is_stopping: bool,
    /// It was cancelled while it was queued, and its pool is about to be told.
    is_rumour: bool,
    fate: Option<Fate>,
}

pub(super) struct World {
    /// What belongs to a task is its own name.
    pub(super) machine: Machine<TaskId>,
    processes: BTreeMap<WorkerId, Process>,
    stories: BTreeMap<TaskId, Story>,
    graces: Vec<(TaskId, WorkerId, Ticket)>,
    idles: Vec<(WorkerId, usize)>,
    now: Duration,
    is_broken: bool,
    is_cancelling: bool,
    /// In the order in which processes began them.
    pub(super) begun: Vec<TaskId>,
}

fn nth<T>(mut from: impl Iterator<Item = T> + Clone, n: usize) -> Option<T> {
    let count = from.clone().count();
    from.nth(n.checked_rem(count)?)
}

impl World {
    pub(super) fn new(rules: Rules, max_workers: usize) -> World {
        let mut world = World {
            machine: Machine::new(rules, max_workers),
            processes: BTreeMap::new(),
            stories: BTreeMap::new(),
            graces: Vec::new(),
            idles: Vec::new(),
            now: Duration::ZERO,
            is_broken: false,
            is_cancelling: false,
            begun: Vec::new(),
        };
        world.act();
        world
    }

    // ---- what is seen of it ---------------------------------------------------------------------

    pub(super) fn fate(&self, task: TaskId) -> Option<Fate> {
        self.stories[&task].fate
    }

    pub(super) fn runs(&self, task: TaskId) -> usize {
        self.stories[&task].runs
    }

    pub(super) fn worker(&self, n: usize) -> Option<WorkerId> {
        nth(self.processes.keys().copied(), n)
    }

    pub(super) fn workers(&self) -> usize {
        self.processes.len()
    }

    pub(super) fn indices(&self) -> Vec<usize> {
        self.processes.values().map(|it| it.index).collect()
    }

    pub(super) fn running(&self, worker: WorkerId) -> Option<TaskId> {
        self.processes.get(&worker)?.running.map(|(task, _)| task)
    }

    /// How many frames it has not looked at.
    pub(super) fn unread(&self, worker: WorkerId) -> usize {
        self.processes[&worker].inbox.len()
    }

    fn find(&self, n: usize, which: impl Fn(&Process) -> bool) -> Option<WorkerId> {
        let found: Vec<_> =
            self.processes.iter().filter(|(_, it)| which(it)).map(|(id, _)| *id).collect();
        nth(found.iter().copied(), n)
    }

    pub(super) fn starting(&self, n: usize) -> Option<WorkerId> {
        self.find(n, |it| !it.is_up)
    }

    /// A process that can look into its inbox, or is at a call, or has news.
    pub(super) fn receiving(&self, n: usize) -> Option<WorkerId> {
        self.find(n, |it| it.is_up && it.running.is_none() && !it.inbox.is_empty())
    }

    pub(super) fn busy(&self, n: usize) -> Option<WorkerId> {
        self.find(n, |it| it.running.is_some())
    }

    pub(super) fn telling(&self, n: usize) -> Option<WorkerId> {
        self.find(n, |it| !it.outbox.is_empty())
    }

    pub(super) fn dying(&self, n: usize) -> Option<WorkerId> {
        self.find(n, |it| it.is_dying)
    }

    pub(super) fn unfinished(&self, n: usize) -> Option<TaskId> {
        let open: Vec<_> =
            self.stories.iter().filter(|(_, it)| it.fate.is_none()).map(|(id, _)| *id).collect();
        nth(open.iter().copied(), n)
    }

    // ---- what can happen ------------------------------------------------------------------------

    pub(super) fn submit(&mut self, priority: i32, retries: u32) -> Option<TaskId> {
        self.machine.is_open().then(|| self.enter(priority, retries))
    }

    /// What goes on with a task that has come back, on the very thread that has brought it: its worker
    /// is not gone, and a pool that was closed takes it, unless it is winding up.
    pub(super) fn go_on(&mut self) -> Option<TaskId> {
        let may = !self.processes.is_empty() && self.machine.may_continue();
        (self.machine.is_open() || may).then(|| self.enter(0, 0))
    }

    fn enter(&mut self, priority: i32, retries: u32) -> TaskId {
        let task = self.stories.len();
        let story = Story {
            retries: retries as usize,
            runs: 0,
            is_known: false,
            is_stopping: false,
            is_rumour: false,
            fate: None,
        };
        self.stories.insert(task, story);
        self.machine.submit(task, task, priority, retries);
        self.act();
        task
    }

    pub(super) fn ready(&mut self, worker: WorkerId) {
        self.processes.get_mut(&worker).unwrap().is_up = true;
        self.machine.started(worker);
        self.act();
    }

    pub(super) fn refuse(&mut self, worker: WorkerId) {
        self.processes.remove(&worker);
        self.machine.refused(worker);
        self.act();
    }

    /// The process takes the first frame out of its inbox.
    pub(super) fn receive(&mut self, worker: WorkerId) {
        let process = self.processes.get_mut(&worker).unwrap();
        match process.inbox.pop_front().unwrap() {
            Frame::Retire => process.is_dying = true,
            Frame::Call(task, ticket) if process.page.claim(ticket) => {
                process.running = Some((task, ticket));
                let story = self.stories.get_mut(&task).unwrap();
                story.runs += 1;
                assert_eq!(story.fate, None, "task {task} runs, and is over");
                assert!(story.runs <= story.retries + 1, "task {task} runs too often");
                let runners = self.processes.values().filter(|it| it.runs(task)).count();
                assert_eq!(runners, 1, "task {task} runs in two places");
                self.begun.push(task);
            }
            Frame::Call(..) => {}
        }
    }

    /// The parent hears that the running call has begun.
    pub(super) fn announce(&mut self, worker: WorkerId) {
        if let Some((task, ticket)) = self.processes[&worker].running {
            assert_eq!(self.machine.task_of(worker, ticket), Some(task));
            self.stories.get_mut(&task).unwrap().is_known = true;
            self.machine.begun(task);
            self.act();
        }
    }

    /// The running call ends, which its parent does not know yet.
    pub(super) fn finish(&mut self, worker: WorkerId, how: Return, micros: u64, too_large: bool) {
        let process = self.processes.get_mut(&worker).unwrap();
        if let Some((_, ticket)) = process.running.take() {
            let duration = Duration::from_micros(micros);
            process.outbox.push_back(Done { ticket, how, duration, is_too_large: too_large });
        }
    }

    /// The parent hears of a call that has ended.
    pub(super) fn tell(&mut self, worker: WorkerId) {
        let process = self.processes.get_mut(&worker).unwrap();
        let Some(done) = process.outbox.pop_front() else { return };
        process.returned += 1;
        let task = self.machine.task_of(worker, done.ticket).expect("a call that was sent");
        let story = &self.stories[&task];
        let runs_again =
            done.how == Return::Failed && story.runs <= story.retries && !story.is_stopping;
        let verdict =
            self.machine.returned(worker, done.ticket, done.how, done.duration, done.is_too_large);
        assert_eq!(verdict, if runs_again { Verdict::Again } else { Verdict::Over(task) });
        if !runs_again {
            let failed = done.how == Return::Failed;
            self.end(task, if failed { Fate::Failed } else { Fate::Succeeded });
        }
        self.act();
    }

    /// The process ends, and its parent hears of that, after all that it had to say.
    pub(super) fn die(&mut self, worker: WorkerId) {
        while !self.processes[&worker].outbox.is_empty() {
            self.tell(worker);
        }
        let process = self.processes.remove(&worker).unwrap();
        self.machine.died(worker, |ticket| process.page.has_begun(ticket), self.now);
        self.act();
    }

    pub(super) fn expel(&mut self, worker: WorkerId) {
        self.machine.expel(worker);
        self.act();
    }

    /// As a future that is cancelled: what is not known to have begun is taken back first. With
    /// `late`, the pool hears of it only when it is [told](Self::spread).
    pub(super) fn cancel(&mut self, task: TaskId, late: bool) -> bool {
        let story = self.stories.get_mut(&task).unwrap();
        if story.is_known || story.fate.is_some() || story.is_rumour {
            return false;
        }
        if let Some((worker, ticket)) = self.machine.lent(task) {
            if !self.processes[&worker].page.take_back(ticket) {
                story.is_known = true;
                self.machine.begun(task);
                self.act();
                return false;
            }
            self.machine.taken_back(task);
        }
        story.is_rumour = true;
        if !late {
            self.spread();
        }
        true
    }

    /// The pool is told of the tasks that were cancelled.
    pub(super) fn spread(&mut self) {
        let rumours: Vec<TaskId> =
            self.stories.iter().filter(|(_, it)| it.is_rumour).map(|(id, _)| *id).collect();
        for task in rumours {
            let story = self.stories.get_mut(&task).unwrap();
            story.is_rumour = false;
            // The pool may have ended it meanwhile; a task that has ended is not ended again.
            if story.fate.is_none() {
                self.end(task, Fate::Withdrawn);
            }
            self.machine.forget(task);
            self.act();
        }
    }

    /// As a future that is aborted: only what is known to have begun.
    pub(super) fn stop(&mut self, task: TaskId) {
        let story = self.stories.get_mut(&task).unwrap();
        if story.is_known && story.fate.is_none() {
            story.is_stopping = true;
            self.machine.stop(task);
            self.act();
        }
    }

    pub(super) fn grace(&mut self, n: usize) {
        if let Some(n) = n.checked_rem(self.graces.len()) {
            let (task, worker, ticket) = self.graces.remove(n);
            self.machine.grace_is_over(task, worker, ticket);
            self.act();
        }
    }

    pub(super) fn idle(&mut self, n: usize) {
        if let Some(n) = n.checked_rem(self.idles.len()) {
            let (worker, since) = self.idles.remove(n);
            self.machine.idle_time_is_over(worker, since);
            self.act();
        }
    }

    pub(super) fn silence(&mut self, worker: WorkerId) {
        self.machine.fell_silent(worker);
        self.act();
    }

    pub(super) fn resize(&mut self, max_workers: usize) {
        self.machine.resize(max_workers);
        self.act();
    }

    pub(super) fn close(&mut self, cancel: bool) {
        self.is_cancelling |= cancel;
        self.machine.close(cancel);
        self.act();
    }

    /// As when an initializer has failed.
    pub(super) fn break_down(&mut self) {
        self.is_broken = true;
        self.machine.break_down(false);
        self.act();
    }

    pub(super) fn end_all(&mut self, hard: bool) {
        self.close(true);
        self.machine.end_all(hard);
        self.act();
    }

    pub(super) fn wait(&mut self) {
        self.now += Duration::from_secs(1);
    }

    /// Lets everybody do what is left to be done, without further accidents. Whether anything was.
    pub(super) fn rest(&mut self) {
        for _ in 0..10_000 {
            self.spread();
            if let Some(worker) = self.dying(0) {
                self.die(worker);
            } else if let Some(worker) = self.starting(0) {
                self.ready(worker);
            } else if let Some(worker) = self.telling(0) {
                self.tell(worker);
            } else if let Some(worker) = self.receiving(0) {
                self.receive(worker);
            } else if let Some(worker) = self.busy(0) {
                self.finish(worker, Return::Succeeded, 100, false);
            } else {
                return;
            }
        }
        panic!("the world does not come to rest");
    }

    // ---- what the machine wants -----------------------------------------------------------------

    fn end(&mut self, task: TaskId, fate: Fate) {
        let story = self.stories.get_mut(&task).unwrap();
        assert_eq!(story.fate, None, "task {task} is over, and now {fate:?}");
        story.fate = Some(fate);
        if !matches!(fate, Fate::Succeeded | Fate::Failed) {
            let runs = self.processes.values().any(|it| it.runs(task));
            assert!(!runs, "task {task} is {fate:?} and runs");
        }
    }

    fn act(&mut self) {
        let mut patience = 10_000;
        while let Some(action) = self.machine.next_action() {
            self.carry_out(action);
            patience -= 1;
            assert!(patience > 0, "the machine never rests");
        }
        self.check();
    }

    fn carry_out(&mut self, action: Action<TaskId>) {
        match action {
            Action::Start { worker, index } => {
                assert!(index < self.machine.max_workers(), "an index too high");
                assert!(self.processes.values().all(|it| it.index != index), "an index twice");
                assert!(self.processes.len() < self.machine.max_workers(), "too many processes");
                assert!(!self.is_broken && !self.is_cancelling, "a process for nothing");
                let process = Process {
                    index,
                    is_up: false,
                    inbox: VecDeque::new(),
                    page: Slots::new(),
                    running: None,
                    outbox: VecDeque::new(),
                    is_dying: false,
                    is_deaf: worker.0 % 3 == 0,
                    was_told_to_leave: false,
                    returned: 0,
                };
                assert!(self.processes.insert(worker, process).is_none());
            }
            Action::Send { task, worker, ticket, attempt } => {
                let story = &self.stories[&task];
                if story.is_rumour {
                    self.machine.forget(task);
                    return;
                }
                assert_eq!(story.fate, None, "task {task} is sent, and over");
                assert!(!story.is_stopping, "task {task} is sent, and was to stop");
                assert_eq!(attempt as usize, story.runs + 1, "attempts of task {task}");
                let runs = self.processes.values().any(|it| it.runs(task));
                assert!(!runs, "task {task} is sent, and runs");
                let process = self.processes.get_mut(&worker).expect("a worker that exists");
                assert!(process.is_up && !process.was_told_to_leave, "{worker:?} gets a call");
                process.page.offer(ticket);
                process.inbox.push_back(Frame::Call(task, ticket));
            }
            Action::TakeBack { task, worker, ticket } => {
                assert_eq!(self.machine.lent(task), Some((worker, ticket)));
                let was_kept = self.processes[&worker].page.take_back(ticket);
                self.stories.get_mut(&task).unwrap().is_known |= !was_kept;
                if was_kept {
                    self.machine.taken_back(task);
                } else {
                    self.machine.begun(task);
                }
            }
            Action::Retire { worker } => {
                let process = self.processes.get_mut(&worker).expect("a worker that exists");
                assert!(process.is_up && process.running.is_none() && process.outbox.is_empty());
                assert!(!std::mem::replace(&mut process.was_told_to_leave, true), "told twice");
                process.inbox.push_back(Frame::Retire);
            }
            Action::AskToStop { task, worker, ticket } => {
                assert!(self.stories[&task].is_stopping && self.stories[&task].is_known);
                assert_eq!(self.machine.sent(task), Some((worker, ticket)));
                self.graces.push((task, worker, ticket));
            }
            Action::AwaitOutcome { task, worker, ticket } => {
                assert_eq!(self.machine.sent(task), Some((worker, ticket)));
                self.graces.push((task, worker, ticket));
            }
            Action::End { task, worker, ticket, hard } => {
                let process = self.processes.get_mut(&worker).expect("a worker that exists");
                // Before it is up it has no way of not heeding it.
                process.is_dying |= hard || !process.is_deaf || !process.is_up;
                if let (Some(task), Some(ticket), false) = (task, ticket, hard) {
                    self.graces.push((task, worker, ticket));
                }
            }
            Action::WatchIdle { worker, since } => self.idles.push((worker, since)),
            Action::Lose { job: task } => {
                assert!(self.stories[&task].runs > 0, "task {task} is lost, and never ran");
                self.end(task, Fate::Lost);
            }
            Action::Cancel { job: task } => {
                assert!(self.is_cancelling || self.stories[&task].is_stopping);
                self.end(task, Fate::Cancelled);
            }
            Action::GiveUp { job: task } => {
                assert!(self.is_broken || self.processes.is_empty(), "task {task} is given up");
                self.end(task, Fate::GivenUp);
            }
            Action::Broken => self.is_broken = true,
        }
    }
}

impl Process {
    fn runs(&self, task: TaskId) -> bool {
        self.running.is_some_and(|(it, _)| it == task)
    }
}

/// The rules of a plain pool.
pub(super) fn plain() -> Rules {
    Rules {
        order: crate::queue::Order::Fifo,
        start_all: false,
        max_tasks_per_worker: None,
        on_worker_death: OnWorkerDeath::default(),
        retires_idle: false,
    }
}
