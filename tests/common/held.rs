//! What the system counts as a process's own.

use super::eventually;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// What a process holds that the system counts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// What each descriptor leads to.
    pub(crate) descriptors: BTreeMap<String, String>,
    pub(crate) threads: usize,
    /// Its own children, the remains of those that have ended included.
    pub(crate) children: Vec<String>,
}

impl Held {
    pub(crate) fn now() -> Held {
        let list = |folder: &str| -> Vec<_> {
            fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect()
        };
        let leads_to = |path: &Path| Some(fs::read_link(path).ok()?.display().to_string());
        let descriptors = list("/proc/self/fd").into_iter().filter_map(|path| {
            // The one for the list itself is gone by now.
            let leads_to = leads_to(&path)?;
            Some((path.display().to_string(), leads_to))
        });
        let threads = list("/proc/self/task");
        let children = threads.iter().filter_map(|thread| {
            let text = fs::read_to_string(thread.join("children")).ok()?;
            Some(text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        });
        Held {
            descriptors: descriptors.collect(),
            threads: threads.len(),
            children: children.flatten().collect(),
        }
    }

    /// What it holds when it has so many threads: one that has ended is listed for a moment longer.
    #[track_caller]
    pub(crate) fn with_threads(threads: usize) -> Held {
        eventually(|| Held::now().threads == threads);
        Held::now()
    }
}

/// The shared memory that this process has mapped, one line for each mapping.
pub(crate) fn shared_memory() -> Vec<String> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let is_shared = |line: &&str| line.contains("/memfd:") || line.contains("/dev/shm");
    maps.lines().filter(is_shared).map(str::to_owned).collect()
}
