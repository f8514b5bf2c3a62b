//! What a call refers to, collected while it is encoded.

use super::region::{Region, Sent};
use crate::sync::Arc;
use crate::sys::Key;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// The shared memory that an encoded value refers to. As long as this exists, it can be decoded.
#[derive(Debug, Clone, Default)]
pub(in crate::process) struct References(BTreeMap<Key, Arc<Region>>);

impl References {
    pub(in crate::process) fn extend(&mut self, other: References) {
        self.0.extend(other.0);
    }
}

/// What this thread encodes.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    /// Nothing that shared memory can be a part of.
    Other,
    /// The argument of a call, or something else that goes to a worker.
    Call,
    /// A result, which goes where the call came from.
    Result,
}

thread_local! {
    static PURPOSE: Cell<Purpose> = const { Cell::new(Purpose::Other) };
    /// What the call refers to that is being encoded.
    static REFERENCES: RefCell<References> = const { RefCell::new(References(BTreeMap::new())) };
}

/// Encodes something that goes to a worker, and gives what has to be kept until it is not needed
/// there any more.
pub(in crate::process) fn for_call<R>(encode: impl FnOnce() -> R) -> (R, References) {
    /// Puts back what was there before.
    struct Restore(Option<References>);

    impl Restore {
        fn restore(&mut self) -> References {
            let before = self.0.take();
            before
                .and_then(|it| REFERENCES.try_with(|references| references.replace(it)).ok())
                .unwrap_or_default()
        }
    }

    impl Drop for Restore {
        fn drop(&mut self) {
            self.restore();
        }
    }

    // A thread that is about to end has no such variable any more: then nothing can be sent.
    let mut restore = Restore(REFERENCES.try_with(|it| it.replace(References::default())).ok());
    let result = within(Purpose::Call, encode);
    (result, restore.restore())
}

/// Encodes something that goes where a call came from.
pub(in crate::process) fn for_result<R>(encode: impl FnOnce() -> R) -> R {
    within(Purpose::Result, encode)
}

/// Runs code of the user's, which may panic, and may begin to encode something else.
fn within<R>(purpose: Purpose, encode: impl FnOnce() -> R) -> R {
    struct Restore(Purpose);

    impl Drop for Restore {
        #[inline]
        fn drop(&mut self) {
            PURPOSE.set(self.0);
        }
    }

    let _restore = Restore(PURPOSE.replace(purpose));
    encode()
}

/// The reference to a region that is to be encoded here and now, if it may.
pub(super) fn send(region: &Arc<Region>) -> Result<Sent, &'static str> {
    match PURPOSE.get() {
        Purpose::Call => REFERENCES
            .try_with(|references| {
                let mut references = references.borrow_mut();
                references.0.entry(region.key()).or_insert_with(|| Arc::clone(region));
                region.here()
            })
            .map_err(|_| "its thread is about to end"),
        Purpose::Result => region.sender().ok_or(
            "shared memory that was created in a worker cannot be in its result; create it in the \
             process that owns the pool, and give it to the call",
        ),
        Purpose::Other => {
            Err("shared memory travels only with the calls of a pool of processes, as \
                               the memory itself stays on this machine")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{SharedCounter, SharedData};
    use super::*;
    use serde::Serialize;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    fn encoded(value: &impl Serialize) -> Result<Vec<u8>, String> {
        crate::process::wire::value::encoded(value)
    }

    #[test]
    fn a_call_keeps_each_region_once_and_alive() {
        let data = SharedData::new(&[1u8, 2, 3]).unwrap();
        let counter = SharedCounter::new().unwrap();
        let value = (vec![data.clone(); 100], counter);
        let (bytes, references) = for_call(|| encoded(&value));
        assert_eq!(references.0.len(), 2);
        drop((data, value));
        let decoded: (Vec<SharedData<u8>>, SharedCounter) =
            crate::process::wire::value::decode(&bytes.clone().unwrap()).unwrap();
        assert_eq!(*decoded.0[99], [1, 2, 3]);
        drop((decoded, references));
        let again: Result<(Vec<SharedData<u8>>, SharedCounter), _> =
            crate::process::wire::value::decode(&bytes.unwrap());
        let error = again.unwrap_err();
        assert!(error.contains("the shared memory is gone"), "{error}");
    }

    #[test]
    fn outside_of_calls_and_in_results_it_is_not_encoded() {
        let data = SharedData::new(&[1.5f32]).unwrap();
        let nested = vec![(1, data.clone())];
        assert!(encoded(&nested).unwrap_err().contains("only with the calls of a pool"));
        let in_result = for_result(|| encoded(&data));
        assert!(in_result.unwrap_err().contains("created in a worker"));
        let (in_call, _references) = for_call(|| encoded(&data));
        assert!(in_call.is_ok());
    }

    #[test]
    fn a_call_within_a_call_keeps_its_own() {
        let (outer, inner) = (SharedData::new(&[1i8]).unwrap(), SharedData::new(&[2i8]).unwrap());
        let ((), references) = for_call(|| {
            let (_, references) = for_call(|| encoded(&inner).unwrap());
            assert_eq!(references.0.len(), 1);
            encoded(&outer).unwrap();
        });
        assert_eq!(references.0.len(), 1);
        assert!(encoded(&outer).is_err());
    }

    #[test]
    fn a_panic_while_encoding_ends_it() {
        let data = SharedData::new(&[0u16]).unwrap();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            for_call(|| {
                encoded(&data).unwrap();
                std::panic::resume_unwind(Box::new(()));
            })
        }));
        assert!(panicked.is_err());
        assert!(matches!(PURPOSE.get(), Purpose::Other));
        assert!(encoded(&data).is_err());
    }
}
