//! What comes after the death of a worker: another one, and another attempt. How a task can die is in
//! `tests/faults`.

use crate::common::workers::{
    Folder, death_of, note, noted, pool, process_of, send_signal, until_gone,
};
use crate::common::{eventually, within};
use concurrent_futures::{ProcessPoolExecutor, attempt};
use std::path::PathBuf;

pub(crate) fn aborts(_: ()) {
    std::process::abort();
}

#[test]
fn a_pool_that_starts_all_replaces_an_idle_worker_that_dies() {
    within(|| {
        let executor = ProcessPoolExecutor::builder().max_workers(2).start_all().build().unwrap();
        eventually(|| executor.stats().idle == 2);
        let processes =
            || executor.workers().iter().filter_map(|it| it.process_id).collect::<Vec<_>>();
        let before = processes();
        send_signal(before[0], libc::SIGKILL);
        eventually(|| !processes().contains(&before[0]) && executor.stats().idle == 2);
        assert!(processes().contains(&before[1]));
    });
}

#[test]
fn a_task_is_tried_again_as_often_as_was_said() {
    fn dies_until((path, last): (PathBuf, u32)) -> u32 {
        note(path);
        if attempt() < last {
            std::process::abort();
        }
        attempt()
    }
    within(|| {
        let folder = Folder::new();
        let executor = pool(1);
        let patient = executor.retrying(2);
        let third = patient.submit(dies_until, (folder.path("third"), 3));
        assert_eq!(third.result().unwrap(), 3);
        assert_eq!(noted(&folder.path("third")).len(), 3);
        let (_, death) = death_of(patient.submit(dies_until, (folder.path("fourth"), 4)));
        let processes = noted(&folder.path("fourth"));
        assert_eq!(processes.len(), 3);
        assert_eq!(death.process_id(), processes[2], "the last failure is the one that counts");
    });
}

#[test]
fn a_task_that_was_only_sent_to_a_dead_worker_is_at_its_first_attempt() {
    within(|| {
        let executor = pool(1);
        let _doomed = executor.submit(aborts, ());
        let behind = executor.submit(|()| attempt(), ());
        assert_eq!(behind.result().unwrap(), 1);
    });
}

#[test]
fn the_remains_of_a_dead_worker_are_removed() {
    within(|| {
        let executor = pool(1);
        let process = process_of(&executor);
        send_signal(process, libc::SIGKILL);
        eventually(|| !std::path::Path::new(&format!("/proc/{process}")).exists());
        until_gone(process);
    });
}
