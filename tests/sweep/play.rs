//! Plays the program, and looks from outside at what becomes of it.

use super::Run;
use super::program::{EXPECTED, Expected};
use crate::sys::child::{Child, Ended, Signal};
use crate::sys::faults::{Kind, VARIABLE, trace};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Longer than anything that is not a hang.
const BOUND: Duration = Duration::from_secs(45);

/// How often one looks.
const PAUSE: Duration = Duration::from_millis(5);

/// A folder that goes when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static FOLDERS: AtomicUsize = AtomicUsize::new(0);
        let number = FOLDERS.fetch_add(1, Ordering::SeqCst);
        let name = format!("concurrent-futures-sweep-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a process does, by its letter: `T` is stopped, `Z` has ended.
fn state(process: u32) -> Option<char> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    text.rsplit(')').next()?.trim_start().chars().next()
}

/// The processes that have this folder in their environment, and live.
fn processes_of(folder: &Path) -> Vec<u32> {
    let mark = folder.to_str().unwrap().as_bytes();
    let all = fs::read_dir("/proc").unwrap();
    let all = all.filter_map(|it| it.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let is_marked = |process: &u32| {
        let environment = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
        // A line ends behind it, so that it is no part of another one's name.
        let is_it = |it: &[u8]| it.starts_with(mark) && it.get(mark.len()) == Some(&b'\n');
        environment.windows(mark.len() + 1).any(is_it)
            && state(*process).is_some_and(|it| !['Z', 'X'].contains(&it))
    };
    all.filter(is_marked).collect()
}

fn send(process: u32, signal: i32) {
    // SAFETY: it takes plain numbers.
    unsafe { libc::kill(process.cast_signed(), signal) };
}

fn told(folder: &Path) -> String {
    fs::read_to_string(folder.join("told")).unwrap_or_default()
}

/// What all threads of these processes wait in.
fn situation(processes: &[u32]) -> String {
    let mut text = String::new();
    for process in processes {
        let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten();
        for thread in threads.filter_map(|it| Some(it.ok()?.path())) {
            let read = |name: &str| fs::read_to_string(thread.join(name)).unwrap_or_default();
            let (name, stat, call) = (read("comm"), read("stat"), read("syscall"));
            let state = stat.rsplit(')').next().unwrap_or_default().trim_start();
            let (name, state) = (name.trim(), state.get(..1).unwrap_or("?"));
            text += &format!("{process} {name}: {state} in {call}");
        }
    }
    text
}

/// Plays the program. Whether its fault has happened, if all was as it should be.
pub(super) fn play(run: &Run) -> Result<bool, String> {
    let folder = Folder::new();
    let Run { fault, besides, expected, continues, is_certain } = run;
    let mut text = format!("{}\n{fault}", folder.0.display());
    text.extend(besides.map(|it| format!("\n{it}")));
    let output = File::create(folder.0.join("told")).unwrap();
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.args(["--exact", "sweep::program::program", "--nocapture", "--test-threads=1"]);
    program.env(VARIABLE, text).env(EXPECTED, format!("{expected:?}"));
    program.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
    let program = Child::spawn(&mut program).map_err(|error| error.to_string())?;
    let trace = trace(&folder.0, fault);
    let who = || fs::read_to_string(&trace).ok()?.trim_end_matches('\n').parse::<u32>().ok();
    let begun = Instant::now();
    let mut waits_for_stop = *continues;
    while !program.has_ended_within(Some(PAUSE)) {
        if waits_for_stop
            && let Some(process) = who()
            && state(process) == Some('T')
        {
            send(process, libc::SIGCONT);
            waits_for_stop = false;
        }
        if begun.elapsed() > BOUND {
            let processes = processes_of(&folder.0);
            let situation = situation(&processes);
            processes.into_iter().for_each(|it| send(it, libc::SIGKILL));
            program.signal_group(Signal::Kill);
            program.wait();
            return Err(format!("it hangs:\n{situation}{}", told(&folder.0)));
        }
    }
    let ended = program.wait();
    let has_happened = trace.exists();
    let is_right = match (expected, fault.kind) {
        (Expected::Death, _) if !has_happened => ended == Ended::Exited(0),
        (Expected::Death, Kind::Exit) => ended == Ended::Exited(3),
        (Expected::Death, _) => matches!(ended, Ended::Signalled { number: libc::SIGKILL, .. }),
        _ => ended == Ended::Exited(0),
    };
    let begun = Instant::now();
    loop {
        let left = processes_of(&folder.0);
        if left.is_empty() {
            break;
        }
        if begun.elapsed() > BOUND {
            let situation = situation(&left);
            left.into_iter().for_each(|it| send(it, libc::SIGKILL));
            return Err(format!("these are left:\n{situation}{}", told(&folder.0)));
        }
        std::thread::yield_now();
    }
    if !is_right {
        return Err(format!("it ended by {ended:?}\n{}", told(&folder.0)));
    }
    if *is_certain && !has_happened {
        return Err("it never came to this step".to_owned());
    }
    Ok(has_happened)
}
