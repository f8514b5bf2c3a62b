use super::thread;
use std::cell::Cell;
use std::time::{Duration, Instant};

const LOOKS: usize = 80;
const LIMIT: Duration = Duration::from_micros(50);
const WORTH: Duration = Duration::from_micros(100);
const IN_VAIN: Duration = Duration::from_millis(1);
const SWITCH: Duration = Duration::from_micros(1);

#[derive(Debug)]
pub(crate) struct Spin {
    expected: Cell<Duration>,
    shares: Cell<bool>,
}

#[derive(Debug)]
#[must_use]
pub(crate) struct Waiting {
    since: Instant,
    in_vain: bool,
}

impl Spin {
    pub(crate) const fn new() -> Self {
        Spin { expected: Cell::new(Duration::ZERO), shares: Cell::new(false) }
    }

    pub(crate) fn until(
        &self,
        is_there: impl Fn() -> bool,
        is_busy: impl Fn() -> bool,
    ) -> Result<(), Waiting> {
        if self.expected.get() > WORTH || is_busy() {
            return Err(Waiting { since: Instant::now(), in_vain: false });
        }
        if !self.shares.get() && look(LOOKS, &is_there) {
            self.learn(Duration::ZERO);
            return Ok(());
        }
        let since = Instant::now();
        let mut before = since;
        loop {
            thread::yield_now();
            let now = Instant::now();
            let shares = now - before > SWITCH;
            self.shares.set(shares);
            if is_there() || (!shares && look(LOOKS / 4, &is_there)) {
                self.learn(now - since);
                return Ok(());
            }
            if now - since > LIMIT {
                return Err(Waiting { since, in_vain: true });
            }
            before = Instant::now();
        }
    }

    pub(crate) fn slept(&self, waiting: Waiting) {
        self.learn(if waiting.in_vain { IN_VAIN } else { waiting.since.elapsed().min(IN_VAIN) });
    }

    fn learn(&self, took: Duration) {
        self.expected.set((self.expected.get() + took) / 2);
    }
}

fn look(times: usize, is_there: impl Fn() -> bool) -> bool {
    (0..times).any(|_| {
        if is_there() {
            return true;
        }
        std::hint::spin_loop();
        false
    })
}
