//! Tasks that end their process, or do it harm.

use crate::postconditions::{goes_on_and_ends, scenario};
use crate::support::{death_of, pool};
use concurrent_futures::DeathCause;

#[test]
fn s021_exit_zero_in_a_task_is_lost_and_not_success() {
    scenario(|ledger| {
        let executor = pool(1);
        let exits: fn(()) = |()| std::process::exit(0);
        let (_, death) = death_of(ledger.watch(executor.submit(exits, ())));
        assert_eq!(death.cause(), &DeathCause::Exited { code: 0 });
        goes_on_and_ends(executor);
    });
}
