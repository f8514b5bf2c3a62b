//! Panics that a test wants, and that print nothing.

use std::any::Any;
use std::panic::{panic_any, set_hook, take_hook};
use std::sync::Once;

/// The payload of a panic that a test wants.
pub(crate) struct Deliberate(pub(crate) Box<dyn Any + Send>);

/// Panics without a message; `carried` is dropped with the payload.
pub(crate) fn panic_quietly(carried: impl Send + 'static) -> ! {
    hush();
    panic_any(Deliberate(Box::new(carried)))
}

/// Lets the panic hook say nothing of deliberate panics. To be called before the first executor is
/// built, which wraps the hook that it finds.
pub(crate) fn hush() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let hook = take_hook();
        set_hook(Box::new(move |panic| {
            if !panic.payload().is::<Deliberate>() {
                hook(panic);
            }
        }));
    });
}
