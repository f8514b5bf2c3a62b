//! How pools of processes begin, what they hold, and how they go on after a death: P4 and P5.

use super::peers::{
    Pipe, die, meet, next, our_pool, private_memory, procspawn_pool, procspawned, result,
};
use super::python;
use crate::harness::{Contestant, Outcome, Race, Side, Unit, Workload};
use crate::work::{WORKERS, in_order};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A row whose cost is the mean of times that `one` measures; the result comes with its time.
fn mean_of<'a>(
    side: Side,
    name: &'static str,
    mut one: impl FnMut(u64) -> (u64, Duration) + 'a,
) -> Contestant<'a> {
    Contestant::measuring(side, name, move |count| {
        let (results, times): (Vec<_>, Vec<_>) = (0..count).map(&mut one).unzip();
        let time: Duration = times.iter().sum();
        Outcome { sum: in_order(results), cost: time.as_nanos() as f64 / count as f64 }
    })
}

// ---- P4 -------------------------------------------------------------------------------------

pub(crate) fn start(race: &Race<'_>) {
    let workload = Workload {
        title: "create a pool of two processes, first result (without the drop)",
        unit: Unit::Time,
        count: race.size(10, 1),
        rounds: 15,
        expected: |count| in_order((0..count).map(next)),
    };
    let mut contestants = vec![
        mean_of(Side::Ours, "new, submit, result", |n| {
            let begun = Instant::now();
            let pool = our_pool(WORKERS);
            (result(pool.submit(next, n)), begun.elapsed())
        }),
        mean_of(Side::Peer, "procspawn", |n| {
            let begun = Instant::now();
            let pool = procspawn_pool(WORKERS);
            (procspawned(&pool, next, n), begun.elapsed())
        }),
        mean_of(Side::Reference, "one process, first byte by pipe", |n| {
            let begun = Instant::now();
            let mut pipe = Pipe::new(1);
            pipe.exchange(&[0]);
            (next(n), begun.elapsed())
        }),
    ];
    contestants.extend(python::row(race, &["start"]));
    race.run(workload, contestants);
}

pub(crate) fn memory(race: &Race<'_>) {
    fn row(side: Side, name: &'static str, kib: impl Fn() -> u64 + 'static) -> Contestant<'static> {
        Contestant::measuring(side, name, move |count| Outcome { sum: count, cost: kib() as f64 })
    }
    let workload = Workload {
        title: "memory that a new worker process has for itself",
        unit: Unit::Other("KiB"),
        count: 1,
        rounds: 5,
        expected: |count| count,
    };
    let mut contestants = vec![
        row(Side::Ours, "worker", || result(our_pool(1).submit(private_memory, ()))),
        row(Side::Peer, "procspawn", || procspawned(&procspawn_pool(1), private_memory, ())),
    ];
    contestants.extend(python::row(race, &["memory"]));
    race.run(workload, contestants);
}

// ---- P5 -------------------------------------------------------------------------------------

/// Up to where the time after a death is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// The lost call has failed.
    Error,
    /// Two calls that wait for each other are over: so there are two workers again.
    FullStrength,
}

/// Files for calls that meet; gone with its owner.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("race-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("temporary files can be made");
        Folder(path)
    }

    /// The arguments of two calls that meet for the first time.
    fn meeting(&self) -> [(String, String); 2] {
        let file = |name| {
            let path = self.0.join(name);
            let _ = std::fs::remove_file(&path);
            path.to_str().expect("the name is text").to_owned()
        };
        let (one, other) = (file("one"), file("other"));
        [(one.clone(), other.clone()), (other, one)]
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(Path::new(&self.0));
    }
}

/// Lets two calls meet, kills a worker, and lets two calls meet again.
fn dying<'a>(
    side: Side,
    name: &'static str,
    until: Until,
    lose_one: impl Fn() + 'a,
    both_meet: impl Fn([(String, String); 2]) -> [u64; 2] + 'a,
) -> Contestant<'a> {
    let folder = Folder::new(name);
    mean_of(side, name, move |_| {
        assert_eq!(both_meet(folder.meeting()), [1, 1]);
        let meeting = folder.meeting();
        let begun = Instant::now();
        lose_one();
        let error_seen = begun.elapsed();
        assert_eq!(both_meet(meeting), [1, 1]);
        let full_strength = begun.elapsed();
        (1, if until == Until::Error { error_seen } else { full_strength })
    })
}

fn deaths(race: &Race<'_>, title: &'static str, until: Until) {
    let workload = Workload {
        title,
        unit: Unit::Time,
        count: race.size(10, 1),
        rounds: 15,
        expected: |count| in_order((0..count).map(|_| 1)),
    };
    let pool = our_pool(WORKERS);
    let procspawn = procspawn_pool(WORKERS);
    let mut contestants = vec![
        dying(
            Side::Ours,
            "submit, result",
            until,
            || assert!(pool.submit(die, ()).result().is_err()),
            |calls| calls.map(|call| pool.submit(meet, call)).map(result),
        ),
        dying(
            Side::Peer,
            "procspawn",
            until,
            || assert!(procspawn.spawn((), die).join().is_err()),
            |calls| {
                let handles = calls.map(|call| procspawn.spawn(call, meet));
                handles.map(|it| it.join().expect("no call fails"))
            },
        ),
    ];
    let until = if until == Until::Error { "error" } else { "full strength" };
    contestants.extend(python::row(race, &["death", until]));
    race.run(workload, contestants);
}

pub(crate) fn error_after_death(race: &Race<'_>) {
    deaths(race, "a worker kills itself: until its call has failed", Until::Error);
}

pub(crate) fn strength_after_death(race: &Race<'_>) {
    let title = "a worker kills itself: until there are two again (Python: a new pool)";
    deaths(race, title, Until::FullStrength);
}
