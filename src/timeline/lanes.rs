//! Who is there: the lanes that have a worker, and the pools that they belong to.
//!
//! A lane is here from when its worker comes until that has gone and has no task open any more. What it has
//! done is handed over then, and keeps the lane for as long as it is kept itself; so a timeline to which
//! executors without end are given needs no more room than for the tasks that it keeps.

use super::lane::Lane;
#[cfg(feature = "monitor")]
use super::live::Tally;
use crate::sync::{Arc, Weak};
use std::collections::{BTreeSet, HashMap};

/// A pool, as long as one of its lanes is here or something of one is kept.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) name: String,
    /// In the order in which they came.
    pub(super) number: u64,
    #[cfg(feature = "monitor")]
    pub(super) tally: crate::sync::global::Mutex<Tally>,
}

impl Pool {
    pub(super) fn new(name: &str, number: u64) -> Arc<Pool> {
        Arc::new(Pool {
            name: name.to_owned(),
            number,
            #[cfg(feature = "monitor")]
            tally: Default::default(),
        })
    }
}

#[derive(Default)]
pub(super) struct Lanes {
    pub(super) here: Vec<Arc<Lane>>,
    /// By their names. Some may be gone.
    pools: HashMap<String, Weak<Pool>>,
    /// So many pools are worth a look for those that are gone.
    many: usize,
    next: u64,
}

impl Lanes {
    /// A lane for a worker that has come. The worker of this index that was there before, if there was one,
    /// had the same name, and they are shown as one.
    pub(super) fn add(
        &mut self,
        pool: &str,
        index: usize,
        name: String,
        process: u32,
    ) -> Arc<Lane> {
        let lane = Arc::new(Lane::new(self.pool(pool), index, name, process));
        self.here.push(Arc::clone(&lane));
        lane
    }

    /// The lowest that no lane of these has.
    pub(super) fn free_index(&self, is_one: impl Fn(&Lane) -> bool) -> usize {
        let here = self.here.iter().filter(|lane| is_one(lane));
        let taken: BTreeSet<usize> = here.map(|lane| lane.index).collect();
        let gap = taken.iter().enumerate().find(|(at, index)| at != *index);
        gap.map_or(taken.len(), |(at, _)| at)
    }

    pub(super) fn remove(&mut self, lane: &Arc<Lane>) {
        self.here.retain(|it| !Arc::ptr_eq(it, lane));
    }

    pub(super) fn find(&self, pool: &str) -> Option<Arc<Pool>> {
        self.pools.get(pool)?.upgrade()
    }

    /// How many pools are remembered.
    #[cfg(all(test, not(concurrent_futures_loom)))]
    pub(super) fn pools(&self) -> usize {
        self.pools.len()
    }

    fn pool(&mut self, name: &str) -> Arc<Pool> {
        if let Some(pool) = self.find(name) {
            return pool;
        }
        if self.pools.len() >= self.many {
            self.pools.retain(|_, pool| pool.strong_count() > 0);
            self.many = 2 * self.pools.len() + 16;
        }
        let pool = Pool::new(name, self.next);
        self.next += 1;
        self.pools.insert(name.to_owned(), Arc::downgrade(&pool));
        pool
    }
}
