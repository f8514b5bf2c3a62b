//! Threads as the operating system sees them, and child processes.

use super::BOUND;
use std::io::Read;
use std::process::{Command, Output, Stdio};
use std::thread::JoinHandle;
use std::time::Instant;

/// The names of this process's threads that begin with `prefix`, as the operating system has them.
#[cfg(target_os = "linux")]
pub(crate) fn threads_named(prefix: &str) -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux lists the threads of a process");
    // A thread may end between being listed and being read.
    let names = tasks.filter_map(|it| std::fs::read_to_string(it.ok()?.path().join("comm")).ok());
    names.map(|it| it.trim_end().to_owned()).filter(|it| it.starts_with(prefix)).collect()
}

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
    command.args([name, "--exact", "--nocapture", "--test-threads=1"]).env(CHILD, "1");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    // Read while it runs: a child that prints more than a pipe holds waits for its reader.
    let stdout = read_all(process.stdout.take().unwrap());
    let stderr = read_all(process.stderr.take().unwrap());
    let begun = Instant::now();
    let mut hangs = false;
    let status = loop {
        if let Some(status) = process.try_wait().unwrap() {
            break status;
        }
        if begun.elapsed() > BOUND && !hangs {
            hangs = true;
            process.kill().unwrap();
        }
        std::thread::yield_now();
    };
    let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
    let output = Output { status, stdout, stderr };
    assert!(!hangs, "the child hangs: {output:?}");
    Some(output)
}

fn read_all(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut read = Vec::new();
        pipe.read_to_end(&mut read).unwrap();
        read
    })
}

/// Fails unless the child has ended well; what it printed.
#[track_caller]
pub(crate) fn printed(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{text}\n{errors}", output.status);
    assert!(text.contains("1 passed"), "the child ran another number of tests: {text}");
    text
}
