//! What tasks start: processes of their own, and pools within pools.

use crate::common::workers::{
    Door, Folder, death_of, is_alive, knock, knock_only, noted, pause_for_ever, pool, process_of,
    send_signal, until_gone,
};
use crate::common::{eventually, within};
use concurrent_futures::{BuildError, ProcessPoolExecutor, ThreadPoolExecutor, worker_index};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Starts a child, and a grandchild whose parent has ended, as a daemon does. Their numbers.
pub(crate) fn start_children(folder: PathBuf) -> Vec<u32> {
    let quiet =
        |command: &mut Command| command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    #[allow(clippy::zombie_processes)] // Nobody waits for it but the system.
    let child = quiet(Command::new("sleep").arg("1000"));
    let told = folder.join("grandchild");
    let script = format!("(sleep 1000 & echo $! >{}.new)", told.display());
    assert!(quiet(Command::new("sh").args(["-c", &script])).wait().unwrap().success());
    std::fs::rename(told.with_extension("new"), &told).unwrap();
    vec![child.id(), noted(&told)[0]]
}

#[test]
fn the_children_of_a_task_end_with_its_worker() {
    fn starts((folder, door): (PathBuf, PathBuf)) {
        let numbers = start_children(folder.clone());
        let text: String = numbers.iter().map(|it| format!("{it}\n")).collect();
        std::fs::write(folder.join("numbers"), text).unwrap();
        let _stream = knock_only(door);
        pause_for_ever();
    }
    within(|| {
        let (door, folder) = (Door::new(), Folder::new());
        let executor =
            ProcessPoolExecutor::builder().max_workers(1).grace(Duration::ZERO).build().unwrap();
        for is_killed in [true, false] {
            let future = executor.submit(starts, (folder.path("."), door.path()));
            let visitor = door.open();
            let children = noted(&folder.path("numbers"));
            assert!(children.len() == 2 && children.iter().all(|it| is_alive(*it)));
            if is_killed {
                send_signal(visitor.process, libc::SIGKILL);
                death_of(future);
            } else {
                assert!(future.abort());
                assert!(future.result().is_err());
            }
            children.into_iter().for_each(until_gone);
        }
    });
}

#[test]
fn the_children_of_a_task_end_when_its_worker_leaves() {
    within(|| {
        let folder = Folder::new();
        let executor =
            ProcessPoolExecutor::builder().max_workers(1).max_tasks_per_child(1).build().unwrap();
        let children = executor.submit(start_children, folder.path(".")).result().unwrap();
        children.into_iter().for_each(until_gone);
        let executor = pool(1);
        let children = executor.submit(start_children, folder.path(".")).result().unwrap();
        assert!(children.iter().all(|it| is_alive(*it)), "they may outlive their task");
        executor.shutdown(true, false);
        children.into_iter().for_each(until_gone);
    });
}

#[test]
fn a_worker_has_a_pool_of_its_own_that_ends_with_it() {
    fn outer((door, n): (PathBuf, u32)) -> Vec<(u32, u32)> {
        let executor = pool(2);
        let inner = |n: u32| (n * n, std::process::id());
        let squares = executor.map(inner, 0..n).map(|it| it.unwrap()).collect();
        drop(executor.submit(knock, door).result());
        squares
    }
    within(|| {
        let door = Door::new();
        let executor = pool(1);
        let own = process_of(&executor);
        // To its end, and then with a death in the midst.
        let future = executor.submit(outer, (door.path(), 10));
        let nested = door.open().process;
        let squares = future.result().unwrap();
        assert!(squares.iter().all(|(_, process)| *process != own));
        assert!(squares.into_iter().map(|it| it.0).eq((0..10).map(|n| n * n)));
        until_gone(nested);

        let future = executor.submit(outer, (door.path(), 1));
        let visitor = door.open();
        assert!(is_alive(visitor.process));
        send_signal(own, libc::SIGKILL);
        assert_eq!(death_of(future).1.process_id(), own);
        until_gone(visitor.process);
    });
}

#[test]
fn nested_workers_end_when_the_task_above_them_is_ended() {
    fn outer(door: PathBuf) {
        let executor = pool(1);
        drop(executor.submit(knock, door).result());
        pause_for_ever();
    }
    within(|| {
        let door = Door::new();
        let executor =
            ProcessPoolExecutor::builder().max_workers(1).grace(Duration::ZERO).build().unwrap();
        let future = executor.submit(outer, door.path());
        let nested = door.open();
        assert!(future.abort());
        assert!(future.result().unwrap_err().is_cancelled());
        until_gone(nested.process);
    });
}

/// Why no pool can be built at this depth.
fn depth_error(most: usize) -> Option<String> {
    match ProcessPoolExecutor::builder().max_workers(1).max_depth(most).build() {
        Ok(_) => None,
        Err(error) => {
            assert!(matches!(error, BuildError::TooDeep { .. }), "{error}");
            Some(error.to_string())
        }
    }
}

#[test]
fn pools_are_nested_no_deeper_than_allowed() {
    fn deeper(most: usize) -> (Option<String>, Option<String>) {
        match ProcessPoolExecutor::builder().max_workers(1).max_depth(most).build() {
            Ok(executor) => (None, executor.submit(depth_error, most).result().unwrap()),
            Err(error) => (Some(error.to_string()), None),
        }
    }
    within(|| {
        let executor = pool(1);
        let (first, second) = executor.submit(deeper, 2).result().unwrap();
        assert_eq!(first, None);
        assert!(second.is_some_and(|it| it.contains("at depth 2")));
        // A limit that is set further down cannot lift the one from above.
        let (_, second) = executor.submit(deeper, 100).result().unwrap();
        assert!(second.is_some_and(|it| it.contains("at depth 2")));

        let flat = ProcessPoolExecutor::builder().max_workers(1).max_depth(1).build().unwrap();
        let (first, _) = flat.submit(deeper, 2).result().unwrap();
        assert!(first.is_some_and(|it| it.contains("at depth 1")));

        let deep = ProcessPoolExecutor::builder().max_workers(1).max_depth(3).build().unwrap();
        let (first, second) = deep.submit(deeper, 3).result().unwrap();
        assert_eq!((first, second), (None, None));
    });
    assert_eq!(depth_error(0).map(|it| it.contains("at depth 0")), Some(true));
}

#[test]
fn a_worker_takes_its_share_of_the_processors() {
    fn threads(_: ()) -> (usize, usize, Vec<Option<String>>) {
        let variables = ["OMP_NUM_THREADS", "RAYON_NUM_THREADS"];
        (
            ThreadPoolExecutor::default().max_workers(),
            ProcessPoolExecutor::builder().build().unwrap().max_workers(),
            variables.map(|it| std::env::var(it).ok()).to_vec(),
        )
    }
    within(|| {
        let all = ThreadPoolExecutor::default().max_workers();
        for workers in [1, 2, 64] {
            let share = (all / workers).max(1);
            let found = pool(workers).submit(threads, ()).result().unwrap();
            assert_eq!((found.0, found.1), (share, share));
            for variable in found.2 {
                assert_eq!(variable, Some(share.to_string()));
            }
        }
        let executor = ProcessPoolExecutor::builder().max_workers(2).env("OMP_NUM_THREADS", "17");
        let found = executor.build().unwrap().submit(threads, ()).result().unwrap();
        assert_eq!(found.2[0].as_deref(), Some("17"));
    });
}

#[test]
fn the_children_of_a_worker_are_no_workers() {
    fn child_of_a_worker(_: ()) -> String {
        let program = std::env::current_exe().unwrap();
        let output = Command::new(program).arg("--list").output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    }
    within(|| {
        let executor = pool(1);
        let listed = executor.submit(child_of_a_worker, ()).result().unwrap();
        assert!(listed.contains("the_children_of_a_worker_are_no_workers: test"), "{listed}");
        let marks = executor
            .submit(|()| std::env::vars().filter(|it| it.0.contains("FUTURES_WORKER")).count(), ());
        assert_eq!(marks.result().unwrap(), 0);
        assert_eq!(executor.submit(|()| worker_index(), ()).result().unwrap(), Some(0));
        eventually(|| executor.stats().idle == 1);
    });
}
