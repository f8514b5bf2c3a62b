//! What always holds, whatever has happened, and what holds at the end.
//!
//! - A task is in one place until it is over: queued, or sent to one worker in one slot; it is over once.
//! - The machine knows the workers that there are, and no others.
//! - No task waits beside a worker that has room, nor behind another while a worker is idle, nor while
//!   there could be more workers; a task that is to stop is not forgotten.
//! - There are never more workers that stay than were asked for; all of them, if all are to be started;
//!   and whoever is not to stay, and has nothing to do, was told to leave.

use super::{Fate, World};
use crate::process::machine::TaskId;
use crate::process::machine::task::Stop;
use crate::process::machine::worker::{Stage, Worker};
use std::collections::BTreeSet;

impl World {
    pub(super) fn check(&self) {
        let machine = &self.machine;
        let workers = &machine.workers;
        assert!(workers.keys().eq(self.processes.keys()), "a worker is forgotten");

        // Every task is in one place until it is over.
        let kept: BTreeSet<TaskId> = machine.tasks.keys().copied().collect();
        for (task, story) in &self.stories {
            let is_over = story.fate.is_some();
            assert!(is_over != kept.contains(task) || story.is_rumour, "task {task}: {story:?}");
        }
        for (id, task) in &machine.tasks {
            assert_eq!(machine.queue.get(&task.key) == Some(id), task.sent.is_none());
            let holders = workers.iter().flat_map(|(worker, it)| {
                it.sent.iter().filter(|(_, it)| it == id).map(|(ticket, _)| (*worker, *ticket))
            });
            assert_eq!(holders.collect::<Vec<_>>(), Vec::from_iter(task.sent));
            assert!(task.stop == Stop::No || task.begun, "task {id} was to stop, and waits");
            let has_grace = task
                .sent
                .is_some_and(|(worker, ticket)| self.graces.contains(&(*id, worker, ticket)));
            let is_waiting = matches!(task.stop, Stop::Asked | Stop::Overtaken | Stop::Ended);
            assert!(!is_waiting || has_grace, "nobody comes back to task {id}");
        }
        assert_eq!(
            machine.queue.len(),
            machine.tasks.values().filter(|it| it.sent.is_none()).count()
        );

        // Nothing waits that need not.
        let is_open = |it: &Worker| it.room(&machine.rules) > 0;
        let told = |task: &&TaskId| !self.stories[*task].is_rumour;
        let queued = machine.queue.values().filter(told).count();
        let is_served = |it: &Worker| is_open(it) && (it.is_idle() || machine.is_complete());
        if workers.values().any(is_served) {
            assert_eq!(queued, 0, "a worker has room, and a task waits");
        }
        if workers.values().any(|it| is_open(it) && it.is_idle()) {
            let behind = workers.values().flat_map(|it| it.sent.iter().skip(1));
            let lent = behind.filter(|(_, task)| machine.lent(*task).is_some());
            assert_eq!(lent.count(), 0, "a call waits behind another, and a worker is idle");
        }
        let staying = workers.values().filter(|it| it.is_staying()).count();
        assert!(staying <= machine.max_workers, "too many stay");
        if workers.len() < machine.max_workers && !machine.is_refused && !machine.is_winding_up() {
            let behind: usize = workers.values().map(Worker::waiting).sum();
            let starting = workers.values().filter(|it| it.stage == Stage::Starting).count();
            assert!(behind + queued <= starting, "there could be more workers");
            let all = machine.rules.start_all && machine.is_open();
            assert!(!all, "not all workers were started");
        }
        if machine.is_refused && machine.is_open() {
            assert!(machine.queue.is_empty() || !workers.is_empty(), "nobody comes");
        }

        for (id, worker) in workers {
            let process = &self.processes[id];
            let may_end = !worker.is_staying() && !worker.is_expelled;
            if worker.is_silent {
                let behind = worker.sent.iter().skip(1);
                let lent = behind.filter(|(_, task)| machine.lent(*task).is_some());
                assert_eq!(lent.count(), 0, "{id:?} is silent, and a call waits behind its own");
            }
            if may_end || worker.on_notice.is_some() {
                let lent = worker.sent.iter().filter(|(_, task)| machine.lent(*task).is_some());
                assert_eq!(lent.count(), 0, "{id:?} may end, and holds what it has not begun");
            }
            if worker.is_idle() && !worker.is_expelled {
                assert!(worker.is_staying(), "{id:?} is to leave, and stays");
                let is_over = !machine.is_open() && machine.queue.is_empty();
                assert!(!is_over, "{id:?} was not told to leave");
                let watched = machine.rules.retires_idle && !machine.rules.start_all;
                let is_watched = self.idles.contains(&(*id, worker.rounds));
                assert!(!watched || is_watched, "the idle time of {id:?} is not watched");
            }
            if let Some(most) = machine.rules.max_tasks_per_worker {
                assert!(process.returned + worker.sent.len() <= most, "{id:?} serves too long");
            }
        }
    }

    /// After the pool was closed and the world has come to rest.
    pub(in crate::process::machine) fn check_end(&self) {
        assert!(self.machine.is_gone() && self.processes.is_empty(), "somebody is left");
        for (task, story) in &self.stories {
            assert!(story.fate.is_some(), "task {task} never ends");
            let did_run = story.runs > 0;
            match story.fate {
                Some(Fate::Succeeded | Fate::Failed | Fate::Lost) => assert!(did_run),
                Some(Fate::Withdrawn) if story.retries == 0 => assert!(!did_run),
                _ => {}
            }
        }
    }
}
