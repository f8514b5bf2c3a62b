//! How much of the machine this very process may use, and uses.

use rustix::process::{Pid, Resource};
use rustix::thread::CpuSet;
use std::path::Path;
use std::time::Duration;
use std::{fs, io};

/// Every thread that this process has so far; later ones inherit what their starter has.
fn threads() -> Vec<Option<Pid>> {
    let folder = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let numbers = folder.filter_map(|it| it.file_name().to_str()?.parse().ok());
    let threads: Vec<_> = numbers.filter_map(Pid::from_raw).map(Some).collect();
    if threads.is_empty() { vec![None] } else { threads }
}

/// Does it for every thread; one that has ended meanwhile is no error.
fn for_every_thread(what: impl Fn(Option<Pid>) -> rustix::io::Result<()>) -> io::Result<()> {
    for thread in threads() {
        match what(thread) {
            Err(rustix::io::Errno::SRCH) | Ok(()) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Whether this process may make a file so long. To try it beyond the limit would end the program with a
/// signal, and not with an error.
pub(crate) fn check_file_length(bytes: u64) -> io::Result<()> {
    if bytes > longest_file() { Err(rustix::io::Errno::FBIG.into()) } else { Ok(()) }
}

/// How long a file this process may make.
pub(crate) fn longest_file() -> u64 {
    rustix::process::getrlimit(Resource::Fsize).current.unwrap_or(u64::MAX)
}

/// How much this process gives way to others: from -20, not at all, to 19. Linux cuts a number that
/// is beyond. Less than it has is an error, without special rights.
pub(crate) fn set_niceness(niceness: i32) -> io::Result<()> {
    for_every_thread(|thread| rustix::process::setpriority_process(thread, niceness))
}

/// Which processors this process may run on. An error if none of them exists, or one is beyond what
/// this crate can say.
pub(crate) fn set_affinity(processors: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for processor in processors {
        if *processor >= CpuSet::MAX_CPU {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no such processor"));
        }
        set.set(*processor);
    }
    for_every_thread(|thread| rustix::thread::sched_setaffinity(thread, &set))
}

/// Most addresses that this process may use, for whatever; asking for more fails from then on. Not
/// more than it was allowed before.
pub(crate) fn limit_address_space(bytes: u64) -> io::Result<()> {
    let mut limit = rustix::process::getrlimit(Resource::As);
    limit.current = Some(limit.maximum.map_or(bytes, |most| most.min(bytes)));
    Ok(rustix::process::setrlimit(Resource::As, limit)?)
}

/// How much memory this process has at the moment.
pub(crate) fn resident_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
    pages.checked_mul(rustix::param::page_size() as u64)
}

/// How much time processors have spent on this process so far, on all of its threads.
pub(crate) fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// From now on the [peak](peak_bytes) counts. Whether the system can do that.
pub(crate) fn reset_peak() -> bool {
    fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// The most memory that this process has had at once.
pub(crate) fn peak_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kib.checked_mul(1 << 10)
}

/// How many processes the system has ended for want of memory, in the control group of this process
/// and on the whole machine, as far as either is known.
///
/// Only the difference of two such numbers means something, since many are counted twice: if there
/// is none, no process has been ended in between.
pub(crate) fn memory_kills() -> Option<u64> {
    let in_group = fs::read_to_string("/proc/self/cgroup")
        .ok()
        .and_then(|groups| kills_in_group(&groups, Path::new("/sys/fs/cgroup")));
    let on_machine = fs::read_to_string("/proc/vmstat").ok().and_then(|it| kills_told_in(&it));
    match (in_group, on_machine) {
        (None, None) => None,
        (one, other) => Some(one.unwrap_or(0).saturating_add(other.unwrap_or(0))),
    }
}

/// The count of the control group that is named in `groups`, the text of `/proc/self/cgroup`.
fn kills_in_group(groups: &str, root: &Path) -> Option<u64> {
    let kills = |folder: &Path, group: &str, file: &str| {
        let group = folder.join(group.trim_start_matches('/'));
        // In a container, the path may be one that is only visible outside; the group itself is
        // then at the root.
        [&*group, folder]
            .iter()
            .find_map(|it| kills_told_in(&fs::read_to_string(it.join(file)).ok()?))
    };
    // `number:controllers:path`; the second version has no controllers, and the number zero.
    groups.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, group) = (parts.next()?, parts.next()?);
        if controllers.is_empty() {
            ["", "unified"].iter().find_map(|it| kills(&root.join(it), group, "memory.events"))
        } else if controllers.split(',').any(|it| it == "memory") {
            kills(&root.join("memory"), group, "memory.oom_control")
        } else {
            None
        }
    })
}

/// The number behind `oom_kill` in lines of names and numbers.
fn kills_told_in(text: &str) -> Option<u64> {
    let number = |line: &str| line.strip_prefix("oom_kill ")?.trim().parse().ok();
    text.lines().find_map(number)
}

#[cfg(all(test, not(concurrent_futures_loom)))]
mod tests {
    use super::*;
    use crate::sys::tests::alone;
    use std::thread;

    #[test]
    fn niceness_reaches_threads_that_already_run() {
        alone("sys::limits::tests::niceness_reaches_threads_that_already_run", || {
            let (go, wait) = std::sync::mpsc::channel::<()>();
            let thread = thread::spawn(move || {
                wait.recv().unwrap();
                rustix::process::getpriority_process(None).unwrap()
            });
            set_niceness(7).unwrap();
            go.send(()).unwrap();
            assert_eq!(thread.join().unwrap(), 7);
            assert_eq!(rustix::process::getpriority_process(None).unwrap(), 7);
        });
    }

    #[test]
    fn affinity_binds_to_the_given_processors() {
        alone("sys::limits::tests::affinity_binds_to_the_given_processors", || {
            let allowed = rustix::thread::sched_getaffinity(None).unwrap();
            let first = (0..CpuSet::MAX_CPU).find(|it| allowed.is_set(*it)).unwrap();
            set_affinity(&[first]).unwrap();
            let now = rustix::thread::sched_getaffinity(None).unwrap();
            assert_eq!((now.count(), now.is_set(first)), (1, true));
            assert!(set_affinity(&[]).is_err());
            assert!(set_affinity(&[first, usize::MAX]).is_err());
        });
    }

    #[test]
    fn an_address_space_can_be_limited() {
        alone("sys::limits::tests::an_address_space_can_be_limited", || {
            limit_address_space(1 << 40).unwrap();
            assert!(Vec::<u8>::new().try_reserve_exact(1 << 41).is_err());
            assert!(Vec::<u8>::new().try_reserve_exact(1 << 20).is_ok());
        });
    }

    #[test]
    fn resident_memory_is_counted_in_bytes() {
        let before = resident_bytes().unwrap();
        assert!(before > 100_000);
        let pages = std::hint::black_box(vec![1u8; 256 << 20]);
        assert!(resident_bytes().unwrap() > 200 << 20);
        drop(pages);
    }

    #[test]
    fn the_peak_is_remembered_until_it_is_reset() {
        alone("sys::limits::tests::the_peak_is_remembered_until_it_is_reset", || {
            drop(std::hint::black_box(vec![1u8; 256 << 20]));
            assert!(peak_bytes().unwrap() > 200 << 20);
            assert!(reset_peak());
            assert!(peak_bytes().unwrap() < 200 << 20);
        });
    }

    #[test]
    fn processor_time_grows_with_work() {
        let before = processor_time();
        while processor_time() == before {
            std::hint::black_box(0);
        }
    }

    #[test]
    fn kills_are_read_from_the_group_of_either_version() {
        let root = std::env::temp_dir().join(format!("concurrent-futures-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("a/b/memory.events", "low 1\noom 2\noom_kill 3\noom_group_kill 4\n");
        write("memory/c/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n");
        write("memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 6\n");
        let kills = |groups: &str| kills_in_group(groups, &root);
        assert_eq!(kills("0::/a/b\n"), Some(3));
        assert_eq!(kills("12:cpu,cpuacct:/c\n11:hugetlb,memory:/c\n0::/none\n"), Some(5));
        assert_eq!(kills("11:memory:/elsewhere:with:colons\n"), Some(6));
        assert_eq!(kills("0::/none\n"), None);
        assert_eq!(kills(""), None);
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn kills_are_only_those_by_their_name() {
        assert_eq!(kills_told_in("oom_kill_disable 1\noom_kill 8\n"), Some(8));
        assert_eq!(kills_told_in("oom_killer 1\n"), None);
        // Linux counts them since 4.13.
        assert!(memory_kills().is_some());
    }
}
