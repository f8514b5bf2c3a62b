//! What a process holds that the system counts.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// What each descriptor leads to.
    descriptors: BTreeMap<String, String>,
    threads: usize,
    children: Vec<String>,
    /// Mappings of memory that is shared with another process.
    shared: Vec<String>,
}

impl Held {
    pub(super) fn now() -> Held {
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
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let shared = maps.lines().filter(|it| it.contains("/memfd:"));
        Held {
            descriptors: descriptors.collect(),
            threads: threads.len(),
            children: children.flatten().collect(),
            shared: shared.map(str::to_owned).collect(),
        }
    }
}
