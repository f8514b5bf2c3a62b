//! Processes: their start, their end, and the signals in between.
//!
//! A child is held by its process descriptor, which means that very process even after it has ended
//! and its number has been given to another one.

use super::descriptors::not_standard;
use crate::sync::Mutex;
use crate::sync::global::{AtomicUsize, Ordering};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, WaitIdStatus};
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// A process that this one has started, and which leads a group of its own.
///
/// Dropping it neither ends the process nor removes what is left of it: that takes
/// [`wait`](Child::wait).
#[derive(Debug)]
pub(crate) struct Child {
    process: std::process::Child,
    number: Pid,
    descriptor: OwnedFd,
    /// How it has ended, once that was asked for; from then on its number may mean another process.
    ended: Mutex<Option<Ended>>,
}

/// What a process may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Terminate,
    Kill,
}

impl Signal {
    fn number(self) -> rustix::process::Signal {
        match self {
            Signal::Terminate => rustix::process::Signal::TERM,
            Signal::Kill => rustix::process::Signal::KILL,
        }
    }
}

/// How a process has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Exited(i32),
    Signalled {
        number: i32,
        core_dumped: bool,
    },
    /// Somebody else has asked first, or the program ignores the ends of its children, and the
    /// answer is given only once.
    Unknown,
}

impl Child {
    /// Starts a process as the leader of a new process group.
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Child> {
        refusal!(ProcessStarting);
        fault!(ProcessStarting);
        let mut process = command.process_group(0).spawn()?;
        fault!(ProcessStarted);
        let open = |number| {
            refusal!(ProcessStarted);
            Ok((number, descriptor_of(process.id())?))
        };
        match number_of(process.id()).and_then(open) {
            Ok((number, descriptor)) => {
                Ok(Child { process, number, descriptor, ended: Mutex::new(None) })
            }
            Err(error) => {
                let _ = process.kill();
                let _ = process.wait();
                Err(error)
            }
        }
    }

    /// The number of the process, and of the group that it leads.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sends a signal to the process and its whole group. Nothing happens if it has already been
    /// removed, by [`wait`](Child::wait) or by somebody else: the number may mean another process.
    pub(crate) fn signal_group(&self, signal: Signal) {
        let ended = self.ended.lock();
        if ended.is_some() || self.asked(WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT).is_err() {
            return;
        }
        // Whatever fails here has ended.
        let has_left = rustix::process::getpgid(Some(self.number)) != Ok(self.number);
        let _ = rustix::process::kill_process_group(self.number, signal.number());
        if has_left {
            let _ = rustix::process::pidfd_send_signal(&self.descriptor, signal.number());
        }
    }

    /// Waits for the end of the process and removes what is left of it.
    pub(crate) fn wait(&self) -> Ended {
        // First only the end is waited for, so that the process can be sent signals meanwhile.
        self.has_ended_within(None);
        let mut ended = self.ended.lock();
        if let Some(ended) = *ended {
            return ended;
        }
        let answer = self.asked(WaitIdOptions::empty());
        *ended.insert(answer.ok().flatten().map_or(Ended::Unknown, Ended::from))
    }

    /// Asks how it has ended; an error if that has already been asked.
    fn asked(&self, options: WaitIdOptions) -> rustix::io::Result<Option<WaitIdStatus>> {
        let id = WaitId::PidFd(self.descriptor.as_fd());
        rustix::io::retry_on_intr(|| {
            rustix::process::waitid(id.clone(), options | WaitIdOptions::EXITED)
        })
    }

    /// Waits for the end of the process, for `limit` at most if there is one, and removes nothing.
    /// Whether it has ended.
    pub(crate) fn has_ended_within(&self, limit: Option<Duration>) -> bool {
        let mut sources = [PollFd::new(&self.descriptor, PollFlags::IN)];
        let limit = limit.and_then(|it| Timespec::try_from(it).ok());
        rustix::io::retry_on_intr(|| poll(&mut sources, limit.as_ref())).is_ok_and(|it| it > 0)
    }

    /// What becomes readable when the process ends.
    pub(crate) fn process_descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl From<WaitIdStatus> for Ended {
    fn from(status: WaitIdStatus) -> Ended {
        match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Ended::Exited(code),
            (None, Some(number)) => Ended::Signalled { number, core_dumped: status.dumped() },
            (None, None) => Ended::Unknown,
        }
    }
}

/// The name of a signal, such as `SIGSEGV`.
pub(crate) fn signal_name(number: i32) -> Option<&'static str> {
    Some(match number {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGUSR1 => "SIGUSR1",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGUSR2 => "SIGUSR2",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGALRM => "SIGALRM",
        libc::SIGTERM => "SIGTERM",
        libc::SIGCHLD => "SIGCHLD",
        libc::SIGCONT => "SIGCONT",
        libc::SIGSTOP => "SIGSTOP",
        libc::SIGTSTP => "SIGTSTP",
        libc::SIGTTIN => "SIGTTIN",
        libc::SIGTTOU => "SIGTTOU",
        libc::SIGURG => "SIGURG",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGXFSZ => "SIGXFSZ",
        libc::SIGVTALRM => "SIGVTALRM",
        libc::SIGPROF => "SIGPROF",
        libc::SIGWINCH => "SIGWINCH",
        libc::SIGIO => "SIGIO",
        libc::SIGPWR => "SIGPWR",
        libc::SIGSYS => "SIGSYS",
        _ => return None,
    })
}

/// Ends this process at once, with all of its group if it leads it; for one whose parent is gone.
pub(crate) fn kill_own_group() -> ! {
    let kill = rustix::process::Signal::KILL;
    let own = rustix::process::getpid();
    let _ = if rustix::process::getpgrp() == own {
        rustix::process::kill_current_process_group(kill)
    } else {
        rustix::process::kill_process(own, kill)
    };
    // The first process of a container cannot be killed from within.
    end_at_once(128 + libc::SIGKILL)
}

/// Not zero in a copy of a process that has said that it minds them.
static IS_COPY: AtomicUsize = AtomicUsize::new(0);

/// From now on a copy of this process, as `fork` makes it, knows that it is one: see [`end_copy`].
pub(crate) fn mind_copies() {
    extern "C" fn in_copy() {
        // ORDERING: relaxed; whoever reads it is this thread, the only one of the copy, or started by it.
        IS_COPY.store(1, Ordering::Relaxed);
    }
    // SAFETY: what is called in the copy only writes a word. It fails for want of memory, and then copies
    // do not know.
    unsafe { libc::pthread_atfork(None, None, Some(in_copy)) };
}

/// Whether this process is a copy of one that [minds them](mind_copies), and has not begun as itself.
fn is_copy() -> bool {
    // ORDERING: relaxed; see `mind_copies`.
    IS_COPY.load(Ordering::Relaxed) != 0
}

/// Ends this process if it [is a copy](is_copy), and does nothing else: neither is anything printed that
/// has not been yet, nor are destructors called.
pub(crate) fn end_copy() {
    if is_copy() {
        end_at_once(0);
    }
}

fn end_at_once(code: i32) -> ! {
    // SAFETY: it ends the process, and needs nothing for it.
    unsafe { libc::_exit(code) }
}

/// Calls `code` with all signals blocked, so that a thread that it starts gets none: they are the business of the
/// threads of the user's code, which may have blocked one to wait for it.
pub(crate) fn without_signals<R>(code: impl FnOnce() -> R) -> R {
    let mask = |how, new: *const libc::sigset_t, before: *mut libc::sigset_t| {
        // SAFETY: both are null, or sets that live on the stack for as long as this takes.
        unsafe { libc::pthread_sigmask(how, new, before) }
    };
    // SAFETY: it is a plain array of bits.
    let mut all: libc::sigset_t = unsafe { std::mem::zeroed() };
    let mut before = all;
    // SAFETY: it writes to a set that is there.
    unsafe { libc::sigfillset(&raw mut all) };
    let is_done = mask(libc::SIG_SETMASK, &raw const all, &raw mut before) == 0;
    let answer = code();
    if is_done {
        mask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
    }
    answer
}

/// Sees that standard output and standard error are there, if they lead nowhere: a file that is opened later would
/// take their place, and what is printed would go there.
pub(crate) fn fill_standard_streams() -> io::Result<()> {
    for stream in [rustix::stdio::stdout(), rustix::stdio::stderr()] {
        if rustix::io::fcntl_getfd(stream) == Err(rustix::io::Errno::BADF) {
            // It gets the lowest number that is free, which is this one.
            let flags = rustix::fs::OFlags::RDWR;
            let nowhere = rustix::fs::open("/dev/null", flags, rustix::fs::Mode::empty())?;
            std::mem::forget(nowhere);
        }
    }
    Ok(())
}

/// From now on this process takes no notice of writing where nobody reads.
pub(crate) fn ignore_pipe() {
    // SAFETY: no handler is installed, and nothing else refers to the one that was.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

fn number_of(process: u32) -> io::Result<Pid> {
    let number = i32::try_from(process).ok().and_then(Pid::from_raw);
    number.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no number of a process"))
}

/// A descriptor of the process that has this number now. It is closed in programs that this process
/// starts.
pub(crate) fn descriptor_of(process: u32) -> io::Result<OwnedFd> {
    Ok(not_standard(rustix::process::pidfd_open(number_of(process)?, PidfdFlags::empty())?)?)
}

/// The number of the process that has started this one, or has inherited it; zero if that is not
/// visible from here.
pub(crate) fn parent_id() -> u32 {
    rustix::process::getppid().map_or(0, |it| it.as_raw_nonzero().get().unsigned_abs())
}

/// Whether a process can have this variable in its environment; why not.
pub(crate) fn check_variable(name: &OsStr, value: &OsStr) -> Result<(), &'static str> {
    let (name, value) = (name.as_encoded_bytes(), value.as_encoded_bytes());
    match (name, value) {
        ([], _) => Err("its name is empty"),
        _ if name.contains(&b'=') => Err("its name contains `=`"),
        _ if name.contains(&0) => Err("its name contains a NUL"),
        _ if value.contains(&0) => Err("its value contains a NUL"),
        _ => Ok(()),
    }
}

/// What this process runs, even if the file was renamed, replaced or removed since it was started.
pub(crate) fn executable() -> PathBuf {
    PathBuf::from("/proc/self/exe")
}

#[cfg(all(test, not(concurrent_futures_loom)))]
mod tests {
    use super::*;
    use crate::sys::tests::{again, alone, is_again};
    use std::io::{BufRead, BufReader, Read};
    use std::os::unix::process::ExitStatusExt;
    use std::process::Stdio;
    use std::time::Duration;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null());
        command
    }

    fn end_of(script: &str) -> Ended {
        Child::spawn(&mut shell(script)).unwrap().wait()
    }

    #[test]
    fn the_end_of_a_child_is_its_code_or_its_signal() {
        assert_eq!(end_of("exit 0"), Ended::Exited(0));
        assert_eq!(end_of("exit 41"), Ended::Exited(41));
        let killed = Ended::Signalled { number: libc::SIGKILL, core_dumped: false };
        assert_eq!(end_of("kill -KILL $$"), killed);
    }

    #[test]
    fn a_core_is_told_of_as_by_the_standard_library() {
        let script = "ulimit -c unlimited; kill -ABRT $$";
        let folder =
            std::env::temp_dir().join(format!("concurrent-futures-core-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let by_std = shell(script).current_dir(&folder).status().unwrap();
        let ended = Child::spawn(shell(script).current_dir(&folder)).unwrap().wait();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(by_std.signal(), Some(libc::SIGABRT));
        let core_dumped = by_std.core_dumped();
        assert_eq!(ended, Ended::Signalled { number: libc::SIGABRT, core_dumped });
    }

    #[test]
    fn the_end_is_seen_before_it_is_asked_for_and_told_again() {
        let child = Child::spawn(&mut shell("exit 3")).unwrap();
        assert!(child.has_ended_within(Some(Duration::from_secs(20))));
        assert_eq!(child.wait(), Ended::Exited(3));
        assert_eq!(child.wait(), Ended::Exited(3));
        assert!(child.has_ended_within(Some(Duration::ZERO)));
        child.signal_group(Signal::Kill);
    }

    #[test]
    fn a_child_that_somebody_else_has_asked_for_has_an_unknown_end() {
        let mut child = Child::spawn(&mut shell("exit 3")).unwrap();
        assert_eq!(child.process.wait().unwrap().code(), Some(3));
        child.signal_group(Signal::Kill);
        assert_eq!(child.wait(), Ended::Unknown);
    }

    #[test]
    fn a_running_child_has_not_ended() {
        let child = Child::spawn(&mut shell("exec sleep 1000")).unwrap();
        assert!(!child.has_ended_within(Some(Duration::ZERO)));
        child.signal_group(Signal::Terminate);
        let ended = Ended::Signalled { number: libc::SIGTERM, core_dumped: false };
        assert_eq!(child.wait(), ended);
    }

    #[test]
    fn a_command_that_cannot_be_started_is_an_error() {
        assert!(Child::spawn(&mut Command::new("/nonexistent/program")).is_err());
    }

    /// Whether the process with the number that a child has written is gone, or will be soon.
    fn ends_soon(number: u32) -> bool {
        let Ok(descriptor) = descriptor_of(number) else { return true };
        let limit = Timespec { tv_sec: 20, tv_nsec: 0 };
        poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], Some(&limit)).unwrap() == 1
    }

    #[test]
    fn a_signal_to_the_group_reaches_a_grandchild() {
        let mut command = shell("sleep 1000 & echo $!; wait");
        let mut child = Child::spawn(command.stdout(Stdio::piped())).unwrap();
        let mut line = String::new();
        let output = child.process.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        child.signal_group(Signal::Kill);
        assert!(matches!(child.wait(), Ended::Signalled { number: libc::SIGKILL, .. }));
        assert!(ends_soon(line.trim().parse().unwrap()));
    }

    #[test]
    fn a_process_that_leads_a_group_ends_with_it() {
        const NAME: &str = "sys::child::tests::a_process_that_leads_a_group_ends_with_it";
        if is_again(NAME) {
            // It holds the pipe, too.
            #[allow(clippy::zombie_processes)] // It dies with this one.
            let _sleeper = shell("sleep 1000").spawn().unwrap();
            kill_own_group();
        }
        let mut child = Child::spawn(again(NAME).stdout(Stdio::piped())).unwrap();
        assert!(matches!(child.wait(), Ended::Signalled { number: libc::SIGKILL, .. }));
        let mut output = child.process.stdout.take().unwrap();
        output.read_to_end(&mut Vec::new()).unwrap();
    }

    #[test]
    fn a_process_that_leads_no_group_ends_alone() {
        const NAME: &str = "sys::child::tests::a_process_that_leads_no_group_ends_alone";
        if is_again(NAME) {
            kill_own_group();
        }
        let status = again(NAME).stdout(Stdio::null()).status().unwrap();
        assert_eq!(status.signal(), Some(libc::SIGKILL));
    }

    #[test]
    fn a_copy_ends_where_it_should() {
        alone("sys::child::tests::a_copy_ends_where_it_should", || {
            mind_copies();
            // SAFETY: the copy only ends.
            let copy = unsafe { libc::fork() };
            if copy == 0 {
                end_copy();
                end_at_once(7);
            }
            let mut status = 0;
            // SAFETY: it writes to a place that is there.
            assert_eq!(unsafe { libc::waitpid(copy, &raw mut status, 0) }, copy);
            assert_eq!(status, 0);
            end_copy();
        });
    }

    #[test]
    fn a_broken_pipe_can_be_ignored() {
        alone("sys::child::tests::a_broken_pipe_can_be_ignored", || {
            ignore_pipe();
            let own = rustix::process::getpid();
            rustix::process::kill_process(own, rustix::process::Signal::PIPE).unwrap();
        });
    }

    #[test]
    fn a_process_knows_its_parent_and_what_it_runs() {
        const NAME: &str = "sys::child::tests::a_process_knows_its_parent_and_what_it_runs";
        if is_again(NAME) {
            assert_eq!(std::env::var("PARENT").unwrap(), parent_id().to_string());
            assert_eq!(
                std::fs::canonicalize(executable()).unwrap(),
                std::env::current_exe().unwrap()
            );
            return;
        }
        let mut command = again(NAME);
        command.env("PARENT", std::process::id().to_string()).stdout(Stdio::null());
        assert!(command.status().unwrap().success());
    }

    #[test]
    fn a_number_that_is_no_process_has_no_descriptor() {
        for number in [0, u32::MAX, i32::MAX.unsigned_abs()] {
            assert!(descriptor_of(number).is_err());
        }
    }

    #[test]
    fn signals_have_names() {
        assert_eq!(signal_name(libc::SIGSEGV), Some("SIGSEGV"));
        assert_eq!(signal_name(9), Some("SIGKILL"));
        assert_eq!(signal_name(0), None);
        assert_eq!(signal_name(64), None);
    }
}
