//! However a program ends, its workers end too, and what those have started.
//!
//! Each test runs this test program again, as one that has a pool, and looks from outside at what is
//! left of it.

use crate::common::workers::{
    Door, Folder, is_stopped, knock_for_ever, knock_only, note, noted, pause_for_ever, send_signal,
    until_gone,
};
use crate::common::{BOUND, eventually};
use crate::descendants::start_children;
use concurrent_futures::ProcessPoolExecutor;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

const FOLDER: &str = "CONCURRENT_FUTURES_TEST_ORPHANS";
const END: &str = "CONCURRENT_FUTURES_TEST_END";

/// The program: builds pools in all states, and ends as it was told to.
#[test]
fn program_with_pools() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let workers = |name: &str| folder.join(name);
    let executor = ProcessPoolExecutor::builder().max_workers(4).start_all().build().unwrap();
    let idle: Vec<u32> = loop {
        let workers = executor.workers();
        if workers.iter().all(|it| it.process_id.is_some()) {
            break workers.iter().filter_map(|it| it.process_id).collect();
        }
    };
    // The first two are kept busy, the others are idle.
    drop(executor.submit(busy, workers("busy")));
    drop(executor.submit(has_children, workers("children")));
    let initializing = ProcessPoolExecutor::builder()
        .max_workers(1)
        .start_all()
        .initializer(stays_in_initializer, workers("initializer"))
        .build()
        .unwrap();
    let nested = ProcessPoolExecutor::new(1).unwrap();
    drop(nested.submit(has_pool, workers("nested")));
    for name in ["busy", "children", "initializer", "nested"] {
        eventually(|| workers(name).exists());
    }
    // These are perhaps still being started when the program ends.
    let starting = ProcessPoolExecutor::builder().max_workers(3).start_all().build().unwrap();
    let begun: Vec<u32> = starting.workers().iter().filter_map(|it| it.process_id).collect();
    idle.iter().chain(&begun).for_each(|process| tell(&workers("all"), *process));
    match std::env::var(END).unwrap().as_str() {
        "return" => {
            // A program may forget its pools.
            std::mem::forget((executor, initializing, nested, starting));
            std::fs::write(workers("ready"), "").unwrap();
        }
        end => {
            std::fs::write(workers("ready"), "").unwrap();
            match end {
                "exit" => std::process::exit(0),
                "abort" => std::process::abort(),
                "panic" => {
                    std::mem::forget((executor, initializing, nested, starting));
                    panic!("this program ends with a panic");
                }
                _ => pause_for_ever(),
            }
        }
    }
}

fn tell(path: &Path, process: u32) {
    std::fs::write(path.with_extension(process.to_string()), process.to_string()).unwrap();
}

fn busy(ready: PathBuf) {
    note(ready);
    loop {
        std::hint::spin_loop();
    }
}

fn has_children(ready: PathBuf) {
    for process in start_children(ready.parent().unwrap().to_owned()) {
        tell(&ready.with_file_name("all"), process);
    }
    note(ready);
    pause_for_ever();
}

fn stays_in_initializer(ready: PathBuf) {
    note(ready);
    pause_for_ever();
}

fn has_pool(ready: PathBuf) {
    let executor = ProcessPoolExecutor::new(1).unwrap();
    drop(executor.submit(busy, ready));
    pause_for_ever();
}

/// Starts the program, and gives it when all is as it should be.
fn start(folder: &Folder, end: &str) -> Child {
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.args(["--exact", "orphans::program_with_pools", "--nocapture", "--test-threads=1"]);
    program.env(FOLDER, folder.path("")).env(END, end);
    program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut program = program.spawn().unwrap();
    let ready = folder.path("ready");
    eventually(|| ready.exists() || program.try_wait().unwrap().is_some());
    assert!(ready.exists(), "the program has ended before it was told to");
    program
}

#[track_caller]
fn leaves_nothing(folder: &Folder, program: &mut Child) {
    let begun = Instant::now();
    while program.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < BOUND, "the program does not end");
        std::thread::yield_now();
    }
    let files = std::fs::read_dir(folder.path("")).unwrap().map(|it| it.unwrap().path());
    let mut processes: Vec<u32> = files
        .filter(|it| it.file_stem().is_some_and(|it| it == "all"))
        .map(|it| std::fs::read_to_string(it).unwrap().parse().unwrap())
        .collect();
    for name in ["busy", "children", "initializer", "nested"] {
        processes.extend(noted(&folder.path(name)));
    }
    // Four idle or busy, two children, one in its initializer, one below another.
    assert!(processes.len() >= 8, "{processes:?}");
    processes.into_iter().for_each(until_gone);
}

#[track_caller]
fn ends_by_itself(end: &str) {
    let folder = Folder::new();
    let mut program = start(&folder, end);
    leaves_nothing(&folder, &mut program);
}

#[test]
fn nothing_is_left_when_main_returns() {
    ends_by_itself("return");
}

#[test]
fn nothing_is_left_after_exit() {
    ends_by_itself("exit");
}

#[test]
fn nothing_is_left_after_a_panic() {
    ends_by_itself("panic");
}

#[test]
fn nothing_is_left_after_an_abort() {
    ends_by_itself("abort");
}

#[test]
fn nothing_is_left_when_the_program_is_killed() {
    let folder = Folder::new();
    let mut program = start(&folder, "wait");
    send_signal(program.id(), libc::SIGKILL);
    leaves_nothing(&folder, &mut program);
}

#[test]
fn nothing_is_left_when_the_program_is_stopped_and_killed() {
    let folder = Folder::new();
    let mut program = start(&folder, "wait");
    send_signal(program.id(), libc::SIGSTOP);
    send_signal(program.id(), libc::SIGKILL);
    leaves_nothing(&folder, &mut program);
}

#[test]
fn nothing_is_left_when_workers_are_stopped_and_the_program_is_killed() {
    let folder = Folder::new();
    let mut program = start(&folder, "wait");
    for process in noted(&folder.path("busy")) {
        send_signal(process, libc::SIGSTOP);
        eventually(|| is_stopped(process));
    }
    send_signal(program.id(), libc::SIGKILL);
    leaves_nothing(&folder, &mut program);
}

/// The same from within: the worker's own view of it.
#[test]
fn a_worker_does_not_outlive_the_task_that_built_its_pool() {
    fn builds_and_exits(door: PathBuf) {
        let executor = ProcessPoolExecutor::new(1).unwrap();
        drop(executor.submit(knock_for_ever, door.clone()));
        let mut stream = knock_only(door);
        let _ = std::io::Read::read(&mut stream, &mut [0]);
        std::process::exit(5);
    }
    let door = Door::new();
    let executor = ProcessPoolExecutor::new(1).unwrap();
    let future = executor.submit(builds_and_exits, door.path());
    let (one, other) = (door.open(), door.open());
    let processes = [one.process, other.process];
    drop((one, other));
    assert!(future.result().unwrap_err().worker_death().is_some());
    processes.into_iter().for_each(until_gone);
}
