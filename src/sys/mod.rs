//! The only place that asks the operating system for anything but threads.
//!
//! So far that is one number: how many processors this process may use.

/// How many processors this process may use at once: the affinity mask and the quota of its
/// control group are respected, and a fraction of a processor is rounded down, but never to zero.
///
/// `num_cpus` rounds a fractional quota up, which gets a program throttled; the standard library
/// rounds it down. The smaller of the two is taken.
pub(crate) fn usable_processors() -> usize {
    let by_std = std::thread::available_parallelism().map_or(usize::MAX, usize::from);
    num_cpus::get().min(by_std).max(1)
}
