//! A worker, as the machine keeps it.

use super::policy::Rules;
use super::task::TaskId;
use crate::process::page::slots::{SLOTS, Ticket};
use std::collections::VecDeque;
use std::time::Duration;

/// One worker process; a number is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct WorkerId(pub(crate) u64);

/// As many calls are sent ahead as take about this long: somewhat longer than the parent waits until it looks
/// for outcomes, so that a worker does not run out of calls before. Of calls of 100 µs, two workers ran 1.87
/// times as many as one process alone, with 1500 here 1.78 times, with 400 1.64 times; of 350 µs 1.87, 1.82
/// and 1.75 times.
const AHEAD_MICROSECONDS: f64 = 3000.0;
/// One that runs, and one that lies ready.
const LEAST_WINDOW: usize = 2;
/// With a window below this, what was sent when it was larger is asked back. One short call that was interrupted
/// makes none so small, so tiny ones need not go back and forth.
const SMALL_WINDOW: usize = 12;
/// A call that takes less than this is short: more than one of them is sent ahead.
const SHORT_MICROSECONDS: f64 = AHEAD_MICROSECONDS / 2.0;

/// Whoever waits for a call that takes less than this need not fall asleep.
const QUICK_MICROSECONDS: f64 = 50.0;

/// How far a worker has come: see the diagram of the [machine](super).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Starting,
    Up,
    /// It was told to leave, and had nothing to do.
    Retired,
}

#[derive(Debug)]
pub(super) struct Worker {
    pub(super) index: usize,
    pub(super) stage: Stage,
    /// The calls on their way, in the order in which they were sent.
    pub(super) sent: VecDeque<(Ticket, TaskId)>,
    last: Ticket,
    window: usize,
    /// Smoothed duration of its short calls, in microseconds.
    pace: f64,
    /// Which of the last eight calls were short, a bit for each.
    short: u8,
    /// Its last call took less than [`QUICK_MICROSECONDS`].
    pub(super) is_quick: bool,
    /// Nothing has been heard of it for long, so its call may take for ever.
    pub(super) is_silent: bool,
    /// How many calls have come back.
    done: usize,
    /// The running call was asked to stop, so the process may end soon: nothing is sent ahead.
    pub(super) on_notice: Option<Ticket>,
    /// How often it has been given something to do after it had nothing.
    pub(super) rounds: usize,
    /// In which round its idle time is being watched.
    pub(super) watched: Option<usize>,

    // Why it gets nothing more:
    /// There is one too many. May be taken back until it is told to leave.
    pub(super) is_surplus: bool,
    /// It has served its time, grown too large, or been idle for too long.
    pub(super) is_worn: bool,
    /// Its process is being ended because it breaks the rules; that counts as a death.
    pub(super) is_expelled: bool,
    /// Its process is being ended by the pool for reasons of its own.
    pub(super) is_ending: bool,
}

impl Worker {
    pub(super) fn new(index: usize) -> Self {
        Worker {
            index,
            stage: Stage::Starting,
            sent: VecDeque::new(),
            last: Ticket::NONE,
            // Until it is known how long calls take, none is sent ahead.
            window: 1,
            pace: SHORT_MICROSECONDS,
            short: 0,
            is_quick: false,
            is_silent: false,
            done: 0,
            on_notice: None,
            rounds: 0,
            watched: None,
            is_surplus: false,
            is_worn: false,
            is_expelled: false,
            is_ending: false,
        }
    }

    /// Whether it goes on to serve.
    pub(super) fn is_staying(&self) -> bool {
        !self.is_surplus && self.could_stay()
    }

    /// Whether it would, if it were not one too many.
    pub(super) fn could_stay(&self) -> bool {
        self.stage != Stage::Retired && !self.is_worn && !self.is_expelled && !self.is_ending
    }

    /// How many more calls it may be sent.
    pub(super) fn room(&self, rules: &Rules) -> usize {
        let takes_none = self.on_notice.is_some() || self.is_silent;
        if self.stage != Stage::Up || !self.is_staying() || takes_none {
            return 0;
        }
        let left = rules
            .max_tasks_per_worker
            .map_or(usize::MAX, |most| most.saturating_sub(self.done + self.sent.len()));
        self.window.saturating_sub(self.sent.len()).min(left).min(self.free_slots())
    }

    pub(super) fn is_idle(&self) -> bool {
        self.stage == Stage::Up && self.sent.is_empty()
    }

    /// How many calls wait behind the one that runs.
    pub(super) fn waiting(&self) -> usize {
        self.sent.len().saturating_sub(1)
    }

    /// How many calls are enough, if it has been sent far more: its calls have become longer, and what is urgent
    /// would wait for all of them.
    pub(super) fn enough(&self) -> Option<usize> {
        let has_far_more = self.sent.len() > 2 * self.window;
        (self.window < SMALL_WINDOW && has_far_more).then_some(self.window)
    }

    /// How many calls can be sent until one has the slot of the oldest that is on its way.
    fn free_slots(&self) -> usize {
        match self.sent.front() {
            None => SLOTS,
            Some((oldest, _)) => SLOTS.saturating_sub(self.last.since(*oldest) + 1),
        }
    }

    /// Puts a call on its way. There must be room for it.
    pub(super) fn send(&mut self, task: TaskId) -> Ticket {
        self.last = self.last.next();
        self.rounds += usize::from(self.sent.is_empty());
        self.sent.push_back((self.last, task));
        self.last
    }

    /// A call is not on its way any more, for whatever reason.
    pub(super) fn unsend(&mut self, ticket: Ticket) {
        // Mostly the first.
        if let Some(at) = self.sent.iter().position(|(it, _)| *it == ticket) {
            self.sent.remove(at);
        }
        self.on_notice = self.on_notice.filter(|it| *it != ticket);
        self.is_silent &= !self.sent.is_empty();
    }

    /// Its running call is asked to stop.
    pub(super) fn give_notice(&mut self, ticket: Ticket) {
        self.on_notice = Some(ticket);
    }

    /// A call has come back, after this time.
    pub(super) fn has_done(&mut self, ticket: Ticket, duration: Duration, rules: &Rules) {
        self.unsend(ticket);
        self.done += 1;
        self.is_worn |= rules.max_tasks_per_worker.is_some_and(|most| self.done >= most);
        self.is_silent = false;
        let micros = duration.as_secs_f64() * 1e6;
        let is_short = micros < SHORT_MICROSECONDS;
        self.is_quick = micros < QUICK_MICROSECONDS;
        self.short = self.short << 1 | u8::from(is_short);
        if is_short {
            self.pace += (micros - self.pace) / 8.0;
        }
        // A long one now and then does not change what the others are.
        self.window = match self.short.count_ones() {
            0..4 => LEAST_WINDOW,
            _ => ((AHEAD_MICROSECONDS / self.pace.max(1.0)) as usize).clamp(LEAST_WINDOW, SLOTS),
        };
    }
}

/// A worker, for whoever wants to know.
pub(crate) struct WorkerView {
    pub(crate) id: WorkerId,
    pub(crate) index: usize,
    pub(crate) is_up: bool,
    pub(crate) is_leaving: bool,
    pub(crate) sent: Vec<(Ticket, TaskId)>,
}
