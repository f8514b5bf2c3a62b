//! The promises, one at a time.

use super::worker::{Stage, Worker};
use super::world::{Fate, World, plain};
use super::{OnWorkerDeath, Return, Rules, TaskId, WorkerId};
use crate::process::page::slots::SLOTS;
use crate::queue::Order;
use std::time::Duration;

fn with_order(order: Order) -> Rules {
    Rules { order, ..plain() }
}

/// A world whose workers are up.
fn world(rules: Rules, workers: usize) -> World {
    let mut world = World::new(Rules { start_all: true, ..rules }, workers);
    while let Some(worker) = world.starting(0) {
        world.ready(worker);
    }
    world
}

fn submit(world: &mut World) -> TaskId {
    world.submit(0, 0).unwrap()
}

fn retrying(world: &mut World) -> TaskId {
    world.submit(0, 1).unwrap()
}

fn first(world: &World) -> WorkerId {
    world.worker(0).unwrap()
}

fn finish(world: &mut World, worker: WorkerId) {
    world.finish(worker, Return::Succeeded, 100, false);
    world.tell(worker);
}

fn fail(world: &mut World, worker: WorkerId) {
    world.finish(worker, Return::Failed, 100, false);
    world.tell(worker);
}

fn end(mut world: World) {
    world.close(false);
    world.rest();
    world.check_end();
}

// ---- order ----------------------------------------------------------------------------------

fn begun(order: Order, priorities: [i32; 5]) -> Vec<TaskId> {
    let mut world = World::new(with_order(order), 1);
    for priority in priorities {
        world.submit(priority, 0);
    }
    world.rest();
    world.begun
}

#[test]
fn tasks_begin_in_the_order_that_was_asked_for() {
    assert_eq!(begun(Order::Fifo, [0, 2, 1, 2, 0]), [0, 1, 2, 3, 4]);
    assert_eq!(begun(Order::Lifo, [0, 2, 1, 2, 0]), [4, 3, 2, 1, 0]);
    assert_eq!(begun(Order::Priority, [0, 2, 1, 2, 0]), [1, 3, 2, 0, 4]);
}

#[test]
fn what_is_taken_back_gets_its_old_place() {
    let mut world = world(with_order(Order::Lifo), 1);
    let worker = first(&world);
    for _ in 0..4 {
        submit(&mut world);
    }
    world.receive(worker);
    // The running one dies with its worker; 1 lay ready there.
    world.die(worker);
    world.rest();
    assert_eq!(world.begun, [0, 3, 2, 1]);
}

// ---- where tasks go -------------------------------------------------------------------------

#[test]
fn a_call_that_was_taken_back_has_not_been_an_attempt() {
    let mut world = world(plain(), 2);
    let tasks: Vec<_> = (0..4).map(|_| submit(&mut world)).collect();
    // The world checks the number of each attempt: the two that lie ready go elsewhere.
    let worker = first(&world);
    world.receive(worker);
    world.die(worker);
    world.rest();
    assert_eq!(world.runs(tasks[2]), 1);
    end(world);
}

#[test]
fn a_call_keeps_its_slot_while_others_come_and_go_behind_it() {
    let mut worker = Worker::new(0);
    worker.stage = Stage::Up;
    for _ in 0..8 {
        let short = worker.send(0);
        worker.has_done(short, Duration::ZERO, &plain());
    }
    let first = worker.send(0);
    while worker.room(&plain()) > 0 {
        let behind = worker.send(1);
        assert!(behind.since(first) < SLOTS, "it would have the slot of the first");
        worker.unsend(behind);
    }
    worker.unsend(first);
    assert!(worker.room(&plain()) > 0);
}

#[test]
fn an_idle_worker_gets_what_lies_ready_elsewhere() {
    let mut world = world(plain(), 2);
    for _ in 0..4 {
        submit(&mut world);
    }
    let (one, two) = (first(&world), world.worker(1).unwrap());
    world.receive(one);
    for _ in 0..3 {
        while world.running(two).is_none() {
            world.receive(two);
        }
        finish(&mut world, two);
    }
    assert!(world.running(one).is_some());
    assert_eq!(world.begun.len(), 4, "all but the long one have run on the other worker");
    end(world);
}

#[test]
fn an_idle_worker_gets_what_would_begin_next_elsewhere() {
    let mut world = world(plain(), 2);
    // So that it is known of both that calls are short, and several are sent ahead.
    for _ in 0..16 {
        submit(&mut world);
        submit(&mut world);
        world.rest();
    }
    let tasks: Vec<TaskId> = (0..6).map(|_| submit(&mut world)).collect();
    let (one, two) = (first(&world), world.worker(1).unwrap());
    world.receive(one);
    for _ in 0..3 {
        while world.running(two).is_none() {
            world.receive(two);
        }
        finish(&mut world, two);
    }
    while world.running(two).is_none() {
        world.receive(two);
    }
    let begun = [world.running(one), world.running(two)];
    assert!(begun.contains(&Some(tasks[0])) || begun.contains(&Some(tasks[1])));
    assert!(begun.contains(&Some(tasks[2])) || begun.contains(&Some(tasks[3])), "{begun:?}");
    end(world);
}

/// Of a worker that had begun nothing within the time of silence (it was stopped, or the machine was very
/// busy) all was taken back, so it seemed to have nothing to do, and was sent the same calls once more,
/// fifty times a second: more of them than it could look at when it went on slowly, and without end while
/// it did not.
#[test]
fn a_worker_that_begins_nothing_is_not_sent_the_same_calls_again_and_again() {
    let mut world = world(plain(), 2);
    let workers = [world.worker(0).unwrap(), world.worker(1).unwrap()];
    for _ in 0..2 {
        submit(&mut world);
    }
    for worker in workers {
        world.receive(worker);
        finish(&mut world, worker);
    }
    for _ in 0..6 {
        submit(&mut world);
    }
    assert_eq!(workers.map(|it| world.unread(it)), [2, 2]);
    for _ in 0..10 {
        workers.into_iter().for_each(|it| world.silence(it));
    }
    let sent = workers.map(|it| world.unread(it)).iter().sum::<usize>();
    assert!(sent <= 6, "{sent} calls were sent");
    world.rest();
    end(world);
}

/// A worker whose calls had been tiny had been sent up to a thousand more, which were long: not so long that nothing
/// was heard of it, but what was urgent came after all of them.
#[test]
fn what_is_urgent_does_not_wait_for_all_that_was_sent_ahead_when_calls_become_longer() {
    for (micros, most) in [(10_000, 5), (1_000, 30)] {
        let mut world = world(with_order(Order::Priority), 1);
        let worker = first(&world);
        let run = |world: &mut World, micros| {
            while world.running(worker).is_none() {
                world.receive(worker);
            }
            world.finish(worker, Return::Succeeded, micros, false);
            world.tell(worker);
        };
        for _ in 0..50 {
            submit(&mut world);
            run(&mut world, 1);
        }
        for _ in 0..100 {
            submit(&mut world);
        }
        assert_eq!(world.unread(worker), 100);
        for _ in 0..8 {
            run(&mut world, micros);
        }
        let urgent = world.submit(1, 0).unwrap();
        let before = world.begun.len();
        while world.runs(urgent) == 0 {
            run(&mut world, micros);
        }
        let before = world.begun.len() - before - 1;
        assert!(before <= most, "{before} calls of {micros} µs were before it");
        world.rest();
        end(world);
    }
}

#[test]
fn what_lies_ready_is_shared_after_the_pool_was_closed() {
    let mut world = world(plain(), 2);
    for _ in 0..4 {
        submit(&mut world);
    }
    let (one, two) = (first(&world), world.worker(1).unwrap());
    world.receive(one);
    world.close(false);
    for _ in 0..3 {
        while world.running(two).is_none() {
            world.receive(two);
        }
        finish(&mut world, two);
    }
    assert_eq!(world.begun.len(), 4, "the idle one did not leave while something lay ready");
    world.rest();
    world.check_end();
}

#[test]
fn a_worker_is_started_for_what_lies_behind_a_long_task() {
    let mut world = World::new(plain(), 8);
    for most in [1, 2, 4] {
        while world.unfinished(most - 1).is_none() || world.workers() < most {
            submit(&mut world);
        }
        while let Some(worker) = world.starting(0) {
            world.ready(worker);
        }
        while let Some(worker) = world.receiving(0) {
            world.receive(worker);
        }
        let busy = (0..world.workers()).filter_map(|n| world.worker(n));
        let busy = busy.filter(|it| world.running(*it).is_some()).count();
        assert_eq!(busy, world.workers(), "each task runs");
        assert_eq!(busy, world.begun.len());
    }
    end(world);
}

// ---- death ----------------------------------------------------------------------------------

#[test]
fn a_death_costs_the_running_task_only() {
    let mut world = world(plain(), 1);
    let tasks = [submit(&mut world), submit(&mut world), submit(&mut world)];
    let worker = first(&world);
    world.receive(worker);
    world.die(worker);
    assert_eq!(world.fate(tasks[0]), Some(Fate::Lost));
    world.rest();
    assert_eq!(tasks.map(|it| world.runs(it)), [1, 1, 1]);
    assert_eq!(world.fate(tasks[2]), Some(Fate::Succeeded));
}

#[test]
fn a_lost_task_is_tried_again_as_often_as_it_may_be() {
    let mut world = World::new(plain(), 1);
    let task = retrying(&mut world);
    for _ in 0..2 {
        assert_eq!(world.fate(task), None);
        let worker = first(&world);
        world.ready(worker);
        world.receive(worker);
        world.die(worker);
    }
    assert_eq!((world.fate(task), world.runs(task)), (Some(Fate::Lost), 2));
    end(world);
}

#[test]
fn five_workers_in_a_row_that_never_come_up_break_the_pool() {
    let mut world = World::new(plain(), 1);
    let task = submit(&mut world);
    for _ in 0..5 {
        assert!(world.machine.is_open());
        world.die(first(&world));
    }
    assert_eq!(world.fate(task), Some(Fate::GivenUp));
    assert!(world.machine.is_gone());
}

#[test]
fn a_worker_that_comes_up_ends_the_row_of_those_that_did_not() {
    let mut world = World::new(plain(), 1);
    submit(&mut world);
    for _ in 0..3 {
        for _ in 0..4 {
            world.die(first(&world));
        }
        world.ready(first(&world));
        world.die(first(&world));
    }
    assert!(world.machine.is_open());
    end(world);
}

#[test]
fn a_worker_that_was_expelled_while_idle_counts_as_dead() {
    let on_worker_death = OnWorkerDeath::Break;
    let mut world = world(Rules { on_worker_death, ..plain() }, 1);
    let worker = first(&world);
    world.expel(worker);
    world.rest();
    assert!(!world.machine.is_open());
}

#[test]
fn what_dies_is_replaced_if_all_were_to_be_started() {
    let mut world = world(plain(), 3);
    world.die(first(&world));
    assert_eq!(world.workers(), 3);
    assert_eq!(world.indices().len(), 3);
    end(world);
}

// ---- start ----------------------------------------------------------------------------------

#[test]
fn when_nobody_can_be_started_the_queue_is_given_up() {
    let mut world = World::new(plain(), 2);
    let tasks = [submit(&mut world), submit(&mut world)];
    world.refuse(first(&world));
    assert_eq!(world.fate(tasks[0]), None, "the other one may still come up");
    world.refuse(first(&world));
    assert_eq!(tasks.map(|it| world.fate(it)), [Some(Fate::GivenUp); 2]);
    // The next one tries again.
    let next = submit(&mut world);
    world.rest();
    assert_eq!(world.fate(next), Some(Fate::Succeeded));
    end(world);
}

#[test]
fn a_refusal_is_not_tried_again_at_once_if_all_were_to_be_started() {
    let mut world = World::new(Rules { start_all: true, ..plain() }, 2);
    world.refuse(first(&world));
    world.refuse(first(&world));
    assert_eq!(world.workers(), 0);
    submit(&mut world);
    assert_eq!(world.workers(), 2);
    end(world);
}

// ---- leaving --------------------------------------------------------------------------------

#[test]
fn a_worker_is_replaced_when_it_is_gone_and_by_one_of_its_index() {
    let mut world = world(Rules { max_tasks_per_worker: Some(1), ..plain() }, 1);
    let tasks = [submit(&mut world), submit(&mut world)];
    let worker = first(&world);
    world.receive(worker);
    finish(&mut world, worker);
    assert_eq!(world.workers(), 1);
    world.rest();
    assert_eq!(tasks.map(|it| world.fate(it)), [Some(Fate::Succeeded); 2]);
    assert_ne!(first(&world), worker);
    assert_eq!(world.indices(), [0]);
    end(world);
}

#[test]
fn a_worker_that_is_being_ended_is_not_the_one_too_many() {
    let mut world = world(plain(), 3);
    for _ in 0..3 {
        submit(&mut world);
    }
    while let Some(worker) = world.receiving(0) {
        world.receive(worker);
    }
    let youngest = world.worker(2).unwrap();
    world.announce(youngest);
    world.stop(world.running(youngest).unwrap());
    world.grace(0);
    // Three are there, and the youngest of them ends: one of the others has to leave.
    world.resize(1);
    world.rest();
    assert_eq!(world.workers(), 1);
    end(world);
}

#[test]
fn a_worker_too_many_stays_if_more_are_wanted_again() {
    let mut world = world(plain(), 2);
    for _ in 0..2 {
        submit(&mut world);
    }
    let (one, two) = (first(&world), world.worker(1).unwrap());
    world.receive(one);
    world.receive(two);
    world.resize(1);
    world.resize(2);
    finish(&mut world, two);
    let task = submit(&mut world);
    world.receive(two);
    assert_eq!(world.running(two), Some(task));
    end(world);
}

#[test]
fn a_worker_that_starts_while_fewer_are_wanted_leaves_when_it_is_up() {
    let mut world = World::new(Rules { start_all: true, ..plain() }, 2);
    world.resize(1);
    world.rest();
    assert_eq!(world.workers(), 1);
    world.resize(3);
    world.rest();
    assert_eq!(world.workers(), 3);
    end(world);
}

#[test]
fn closing_while_workers_start_leaves_nobody() {
    let mut world = World::new(Rules { start_all: true, ..plain() }, 3);
    let task = submit(&mut world);
    end_and_expect(world, task, Fate::Succeeded);
}

fn end_and_expect(mut world: World, task: TaskId, fate: Fate) {
    world.close(false);
    world.rest();
    world.check_end();
    assert_eq!(world.fate(task), Some(fate));
}

#[test]
fn a_worker_that_ignores_the_signal_leaves_after_its_call() {
    // Every third worker of the world is deaf to requests to end.
    let mut world = world(plain(), 3);
    let deaf = world.worker(2).unwrap();
    for _ in 0..3 {
        submit(&mut world);
    }
    world.receive(deaf);
    world.announce(deaf);
    let task = world.running(deaf).unwrap();
    world.stop(task);
    world.grace(0);
    assert_eq!(world.dying(0), None);
    end_and_expect(world, task, Fate::Succeeded);
}

#[test]
fn idle_time_is_watched_anew_after_a_call_that_was_taken_back() {
    let mut world = World::new(Rules { retires_idle: true, ..plain() }, 1);
    submit(&mut world);
    world.rest();
    let task = submit(&mut world);
    // Comes while the worker has something to do.
    world.idle(0);
    assert!(world.cancel(task, false));
    // The world checks that somebody watches.
    world.idle(0);
    world.rest();
    assert_eq!(world.workers(), 0);
    end(world);
}

// ---- stopping -------------------------------------------------------------------------------

#[test]
fn a_task_that_waits_to_be_tried_again_can_be_stopped() {
    let mut world = world(plain(), 1);
    let task = retrying(&mut world);
    let worker = first(&world);
    world.receive(worker);
    world.announce(worker);
    world.die(worker);
    world.stop(task);
    assert_eq!(world.fate(task), Some(Fate::Cancelled));
    world.rest();
    assert_eq!(world.runs(task), 1);
    end(world);
}

#[test]
fn a_task_that_was_sent_again_can_be_stopped_before_it_begins() {
    let mut world = world(plain(), 1);
    let task = retrying(&mut world);
    let worker = first(&world);
    world.receive(worker);
    world.announce(worker);
    fail(&mut world, worker);
    world.stop(task);
    assert_eq!(world.fate(task), Some(Fate::Cancelled));
    // The worker has not been given notice: it serves on.
    let next = submit(&mut world);
    world.rest();
    assert_eq!(world.fate(next), Some(Fate::Succeeded));
    end(world);
}

#[test]
fn a_task_that_has_begun_again_unseen_is_asked_to_stop() {
    let mut world = world(plain(), 1);
    let task = retrying(&mut world);
    let worker = first(&world);
    world.receive(worker);
    world.announce(worker);
    fail(&mut world, worker);
    world.receive(worker);
    // The world checks that the machine comes back after the grace time.
    world.stop(task);
    assert_eq!(world.fate(task), None);
    world.grace(0);
    world.rest();
    assert_eq!((world.fate(task), world.runs(task)), (Some(Fate::Lost), 2));
    end(world);
}

#[test]
fn a_task_that_was_to_stop_is_not_tried_again() {
    let mut world = world(plain(), 1);
    let task = retrying(&mut world);
    let worker = first(&world);
    world.receive(worker);
    world.announce(worker);
    world.stop(task);
    world.grace(0);
    world.rest();
    assert_eq!((world.fate(task), world.runs(task)), (Some(Fate::Lost), 1));
    end(world);
}

#[test]
fn those_behind_a_task_that_is_to_stop_go_elsewhere() {
    let mut world = world(plain(), 1);
    let (task, next) = (submit(&mut world), submit(&mut world));
    let worker = first(&world);
    world.receive(worker);
    world.announce(worker);
    world.stop(task);
    finish(&mut world, worker);
    // What is in its inbox was taken back, and is there once more now.
    world.rest();
    assert_eq!((world.fate(next), world.runs(next)), (Some(Fate::Succeeded), 1));
    end(world);
}

// ---- closing --------------------------------------------------------------------------------

#[test]
fn closing_with_cancel_cancels_what_has_not_begun() {
    let mut world = world(plain(), 1);
    let tasks: Vec<_> = (0..4).map(|_| submit(&mut world)).collect();
    let worker = first(&world);
    world.receive(worker);
    world.close(true);
    let fates: Vec<_> = tasks.iter().map(|it| world.fate(*it)).collect();
    assert_eq!(fates[0], None);
    assert_eq!(fates[1..], [Some(Fate::Cancelled); 3]);
    world.rest();
    world.check_end();
}
