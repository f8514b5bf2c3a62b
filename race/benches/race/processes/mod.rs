//! Pools of processes: their workloads follow.
pub(crate) mod latency {
    use crate::harness::Race;
    pub(crate) fn one_processor(_: &Race<'_>) {}
    pub(crate) fn two_processors(_: &Race<'_>) {}
    pub(crate) fn free(_: &Race<'_>) {}
}
pub(crate) mod throughput {
    use crate::harness::Race;
    pub(crate) fn one_call_each(_: &Race<'_>) {}
    pub(crate) fn map(_: &Race<'_>) {}
    pub(crate) fn echo_1_kib(_: &Race<'_>) {}
    pub(crate) fn echo_64_kib(_: &Race<'_>) {}
    pub(crate) fn echo_1_mib(_: &Race<'_>) {}
    pub(crate) fn echo_64_mib(_: &Race<'_>) {}
}
pub(crate) mod lifetime {
    use crate::harness::Race;
    pub(crate) fn start(_: &Race<'_>) {}
    pub(crate) fn death(_: &Race<'_>) {}
}
pub(crate) fn run_as_worker() {}
