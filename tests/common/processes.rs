//! Threads as the operating system sees them, and child processes.

use super::BOUND;
use std::io::Read;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// The names of this process's threads that begin with `prefix`, as the operating system has them.
#[cfg(target_os = "linux")]
pub(crate) fn threads_named(prefix: &str) -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux lists the threads of a process");
    // A thread may end between being listed and being read.
    let names = tasks.filter_map(|it| std::fs::read_to_string(it.ok()?.path().join("comm")).ok());
    names.map(|it| it.trim_end().to_owned()).filter(|it| it.starts_with(prefix)).collect()
}

/// Set for a child to what no other child is given, and so for all processes that it starts.
const CHILD: &str = "CONCURRENT_FUTURES_TEST_CHILD";

/// Runs this test program again, only the test `name`, in a process of its own that does `child`.
///
/// In that process it does `child` and gives `None`: then the test just returns, and the program
/// ends as any program does.
pub(crate) fn in_child(name: &str, child: impl FnOnce()) -> Option<Output> {
    in_limited_child(name, None, child)
}

/// As [`in_child`], with an address space of so many KiB.
pub(crate) fn in_limited_child(
    name: &str,
    address_space: Option<usize>,
    child: impl FnOnce(),
) -> Option<Output> {
    if std::env::var_os(CHILD).is_some() {
        child();
        return None;
    }
    let program = std::env::current_exe().unwrap();
    let mut command = match address_space {
        None => Command::new(program),
        Some(kib) => {
            let mut shell = Command::new("sh");
            shell.args(["-c", &format!("ulimit -v {kib} && exec \"$0\" \"$@\"")]).arg(program);
            shell
        }
    };
    static CHILDREN: AtomicUsize = AtomicUsize::new(0);
    let mark = format!("{}-{}", std::process::id(), CHILDREN.fetch_add(1, Ordering::SeqCst));
    command.args([name, "--exact", "--nocapture", "--test-threads=1"]).env(CHILD, mark);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    // Read while it runs: a child that prints more than a pipe holds waits for its reader.
    let (ends, has_ended) = mpsc::channel();
    let stdout = read_all(process.stdout.take().unwrap(), ends.clone());
    let stderr = read_all(process.stderr.take().unwrap(), ends);
    // They end with the last process that has them, which is not always the child.
    let begun = Instant::now();
    let remaining = || BOUND.saturating_sub(begun.elapsed());
    let hangs = (0..2).any(|_| has_ended.recv_timeout(remaining()).is_err());
    if hangs {
        process.kill().unwrap();
    }
    let status = process.wait().unwrap();
    let [stdout, stderr] = [stdout, stderr].map(|it| it.lock().unwrap().clone());
    let output = Output { status, stdout, stderr };
    if hangs {
        panic!("the child hangs, or left somebody who may print: {}", told(&output));
    }
    Some(output)
}

/// Reads on a thread of its own until the end, which it then tells.
fn read_all(mut pipe: impl Read + Send + 'static, ends: Sender<()>) -> Arc<Mutex<Vec<u8>>> {
    let read = Arc::new(Mutex::new(Vec::new()));
    let reading = Arc::clone(&read);
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(length @ 1..) = pipe.read(&mut piece) {
            reading.lock().unwrap().extend_from_slice(&piece[..length]);
        }
        let _ = ends.send(());
    });
    read
}

/// How a child has ended, and all that it printed.
fn told(output: &Output) -> String {
    let [text, errors] = [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it));
    format!("{}\n{text}\n{errors}", output.status)
}

/// Fails unless the child has ended well; what it printed.
#[track_caller]
pub(crate) fn printed(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", told(output));
    assert!(text.contains("1 passed"), "the child ran another number of tests: {text}");
    text
}

/// What runs in this child but itself: all that it has started, and what those have started, however
/// they have changed since. The remains of processes are not among them.
#[cfg(target_os = "linux")]
pub(crate) fn processes_of_this_child() -> Vec<u32> {
    let mark = std::env::var(CHILD).expect("this is a child");
    let mark = format!("{CHILD}={mark}\0").into_bytes();
    let entries = std::fs::read_dir("/proc").unwrap();
    let all = entries.filter_map(|it| it.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let others = all.filter(|process| *process != std::process::id());
    let environment = |process: &u32| std::fs::read(format!("/proc/{process}/environ"));
    let is_marked = |process: &u32| {
        environment(process).is_ok_and(|it| it.windows(mark.len()).any(|part| part == mark))
    };
    others.filter(is_marked).collect()
}
