//! A clock that all processes of one machine read alike, which `Instant` is, and does not say.

use crate::sync::global::OnceLock;
use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// How much time has passed since some moment in the past, the same for all processes.
pub(crate) fn shared_clock() -> Duration {
    // It is not negative.
    Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap_or_default()
}

/// When that clock showed this. Always by the same comparison of the two clocks, so that what follows one
/// another there does so here.
pub(crate) fn instant_of(shown: Duration) -> Option<Instant> {
    static COMPARED: OnceLock<(Duration, Instant)> = OnceLock::new();
    let (then, at) = *COMPARED.get_or_init(compare);
    match shown.checked_sub(then) {
        Some(later) => at.checked_add(later),
        None => at.checked_sub(then - shown),
    }
}

/// What both clocks show at one moment.
fn compare() -> (Duration, Instant) {
    /// Of so many looks, one will not be interrupted.
    const LOOKS: usize = 8;
    let look = |_| {
        let before = Instant::now();
        let shown = shared_clock();
        (before.elapsed(), shown, before)
    };
    let [first, rest @ ..] = std::array::from_fn::<_, LOOKS, _>(look);
    let (_, shown, at) =
        rest.into_iter().fold(first, |best, it| if it.0 < best.0 { it } else { best });
    (shown, at)
}

#[cfg(all(test, not(concurrent_futures_loom)))]
mod tests {
    use super::*;

    #[test]
    fn moments_are_as_far_apart_on_one_clock_as_on_the_other() {
        let shown = shared_clock();
        let apart = Duration::from_secs(3);
        let moments = [shown.checked_sub(apart), Some(shown), shown.checked_add(apart)];
        let [before, now, after] = moments.map(|it| instant_of(it.unwrap()).unwrap());
        assert_eq!([now - before, after - now], [apart; 2]);
    }

    #[test]
    fn what_no_instant_can_be_is_none() {
        assert_eq!(instant_of(Duration::MAX), None);
    }
}
