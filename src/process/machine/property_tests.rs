//! Whatever happens in whatever order: the machine keeps its promises.
//!
//! The promises are checked after each event, in the [world](super::world).

use super::world::World;
use super::{OnWorkerDeath, Return, Rules};
use crate::queue::Order;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::time::Duration;

/// Something that happens. A number picks one of those to whom it can happen.
#[derive(Debug, Clone)]
enum Event {
    Submit { priority: i32, retries: u32 },
    Ready(usize),
    Refuse(usize),
    Receive(usize),
    Announce(usize),
    Finish { worker: usize, how: Return, micros: u64, is_too_large: bool },
    Tell(usize),
    Die(usize),
    Crash(usize),
    Expel(usize),
    Cancel { task: usize, late: bool },
    Spread,
    Stop(usize),
    Grace(usize),
    Silence(usize),
    Idle(usize),
    Resize(usize),
    GoOn,
    BreakDown,
    Close { cancel: bool },
    EndAll { hard: bool },
    Rest,
}

fn event() -> impl Strategy<Value = Event> {
    let n = || 0..8_usize;
    let how = prop_oneof![3 => Just(Return::Succeeded), 1 => Just(Return::Failed)];
    let micros = prop_oneof![2 => Just(0), 1 => Just(10_000_u64)];
    let finish = (n(), how, micros, prop::bool::weighted(0.1)).prop_map(
        |(worker, how, micros, is_too_large)| Event::Finish { worker, how, micros, is_too_large },
    );
    prop_oneof![
        24 => (-2..3, 0..3_u32).prop_map(|(priority, retries)| Event::Submit { priority, retries }),
        14 => n().prop_map(Event::Ready),
        1 => n().prop_map(Event::Refuse),
        24 => n().prop_map(Event::Receive),
        6 => n().prop_map(Event::Announce),
        16 => finish,
        16 => n().prop_map(Event::Tell),
        6 => n().prop_map(Event::Die),
        2 => n().prop_map(Event::Crash),
        1 => n().prop_map(Event::Expel),
        5 => (n(), any::<bool>()).prop_map(|(task, late)| Event::Cancel { task, late }),
        4 => Just(Event::Spread),
        5 => n().prop_map(Event::Stop),
        5 => n().prop_map(Event::Grace),
        2 => n().prop_map(Event::Idle),
        4 => n().prop_map(Event::Silence),
        3 => (1..5_usize).prop_map(Event::Resize),
        2 => Just(Event::GoOn),
        1 => prop::bool::weighted(0.3).prop_map(|cancel| Event::Close { cancel }),
        1 => Just(Event::Rest),
    ]
}

fn rules() -> impl Strategy<Value = Rules> {
    let order = prop_oneof![Just(Order::Fifo), Just(Order::Lifo), Just(Order::Priority)];
    let on_worker_death = prop_oneof![
        4 => Just(OnWorkerDeath::default()),
        2 => Just(OnWorkerDeath::Replace { most: 2, within: Duration::from_secs(9) }),
        1 => Just(OnWorkerDeath::Break),
    ];
    (order, any::<bool>(), option::of(1..4_usize), on_worker_death, any::<bool>()).prop_map(
        |(order, start_all, max_tasks_per_worker, on_worker_death, retires_idle)| Rules {
            order,
            start_all,
            max_tasks_per_worker,
            on_worker_death,
            retires_idle,
        },
    )
}

fn happen(world: &mut World, event: Event) {
    world.wait();
    let with = |world: &mut World, worker: Option<_>, then: &dyn Fn(&mut World, _)| {
        if let Some(worker) = worker {
            then(world, worker);
        }
    };
    match event {
        Event::Submit { priority, retries } => drop(world.submit(priority, retries)),
        Event::Ready(n) => with(world, world.starting(n), &World::ready),
        Event::Refuse(n) => with(world, world.starting(n), &World::refuse),
        Event::Receive(n) => with(world, world.receiving(n), &World::receive),
        Event::Announce(n) => with(world, world.busy(n), &World::announce),
        Event::Finish { worker, how, micros, is_too_large } => {
            with(world, world.busy(worker), &|world, worker| {
                world.finish(worker, how, micros, is_too_large);
            });
        }
        Event::Tell(n) => with(world, world.telling(n), &World::tell),
        Event::Die(n) => with(world, world.dying(n), &World::die),
        Event::Crash(n) => with(world, world.worker(n), &World::die),
        Event::Expel(n) => with(world, world.worker(n), &World::expel),
        Event::Cancel { task, late } => {
            if let Some(task) = world.unfinished(task) {
                world.cancel(task, late);
            }
        }
        Event::Spread => world.spread(),
        Event::Stop(n) => {
            if let Some(task) = world.unfinished(n) {
                world.stop(task);
            }
        }
        Event::Grace(n) => world.grace(n),
        Event::Idle(n) => world.idle(n),
        Event::Silence(n) => with(world, world.worker(n), &World::silence),
        Event::Resize(most) => world.resize(most),
        Event::GoOn => drop(world.go_on()),
        Event::BreakDown => world.break_down(),
        Event::Close { cancel } => world.close(cancel),
        Event::EndAll { hard } => world.end_all(hard),
        Event::Rest => world.rest(),
    }
}

/// Ways to end.
fn ending() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => any::<bool>().prop_map(|cancel| Event::Close { cancel }),
        1 => any::<bool>().prop_map(|hard| Event::EndAll { hard }),
        1 => Just(Event::BreakDown),
    ]
}

fn config() -> ProptestConfig {
    // Whoever sets `PROPTEST_CASES` wants so many.
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() {
        ProptestConfig::default().cases
    } else {
        300
    };
    ProptestConfig { failure_persistence: None, cases, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_task_ends_once_and_no_worker_is_forgotten(
        rules in rules(),
        max_workers in 1..4_usize,
        events in vec(event(), 0..120),
        rests in any::<bool>(),
        ending in ending(),
        late in vec(event(), 0..20),
    ) {
        let mut world = World::new(rules, max_workers);
        for event in events {
            happen(&mut world, event);
        }
        if rests {
            // Everything comes to an end, even if the pool stays open.
            world.rest();
            prop_assert_eq!(world.unfinished(0), None);
        }
        happen(&mut world, ending);
        for event in late {
            happen(&mut world, event);
        }
        world.rest();
        world.check_end();
    }
}
