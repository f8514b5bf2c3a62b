//! Threads as the operating system sees them, and child processes.

use super::BOUND;
use std::process::{Command, Output, Stdio};
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
    let begun = Instant::now();
    while process.try_wait().unwrap().is_none() {
        if begun.elapsed() > BOUND {
            process.kill().unwrap();
            panic!("the child hangs: {:?}", process.wait_with_output().unwrap());
        }
        std::thread::yield_now();
    }
    Some(process.wait_with_output().unwrap())
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
