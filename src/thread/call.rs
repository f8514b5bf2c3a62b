//! What a task of the pool does: a call, alone or within the context of whoever submitted it.

use crate::task::Body;

/// Runs a task, given as the function to call, within a context that was captured at submission.
pub(super) type Carry = Box<dyn FnOnce(&mut dyn FnMut()) + Send>;

/// A function and its argument, kept apart so that a refused call can be given back.
pub(super) struct Call<F, A> {
    pub(super) function: F,
    pub(super) argument: A,
}

impl<F: FnOnce(A) -> R, A, R> Body for Call<F, A> {
    type Output = R;
    type Guard = ();

    fn guard(&mut self) {}

    fn run(self) -> R {
        (self.function)(self.argument)
    }
}

/// A call within a context.
pub(super) struct Carried<F, A> {
    pub(super) call: Call<F, A>,
    pub(super) carry: Carry,
}

impl<F: FnOnce(A) -> R, A, R> Body for Carried<F, A> {
    type Output = R;
    type Guard = ();

    fn guard(&mut self) {}

    fn run(self) -> R {
        let call = self.call;
        within(self.carry, || call.run())
    }
}

/// Makes a call within a context.
pub(super) fn within<R>(carry: Carry, call: impl FnOnce() -> R) -> R {
    let mut call = Some(call);
    let mut result = None;
    carry(&mut || {
        if let Some(call) = call.take() {
            result = Some(call());
        }
    });
    match result {
        Some(result) => result,
        None => panic!("the executor's context hook returned without having called the task"),
    }
}

/// A body that can be taken apart again.
pub(super) trait Returnable<F, A>: Body {
    fn into_call(self) -> Call<F, A>;
}

impl<F: FnOnce(A) -> R, A, R> Returnable<F, A> for Call<F, A> {
    fn into_call(self) -> Call<F, A> {
        self
    }
}

impl<F: FnOnce(A) -> R, A, R> Returnable<F, A> for Carried<F, A> {
    fn into_call(self) -> Call<F, A> {
        self.call
    }
}
