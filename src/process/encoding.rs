//! How a call is put into bytes, on the thread of whoever submits it.

use super::handle::ProcessPoolHandle;
use super::payload::{Payload, Writer};
use super::pool::job::Call;
use super::shared::{References, for_call};
use super::wire::message::Code;
use super::wire::value;
use crate::error::{TaskErrorKind, TransferError, TransferStage};
use crate::sync::Arc;
use crate::task;
use serde::Serialize;
use std::fmt;

impl<S: 'static> ProcessPoolHandle<S> {
    pub(super) fn encode<A: Serialize>(
        &self,
        code: Result<Code, TransferError>,
        argument: &A,
    ) -> Result<Call, TaskErrorKind> {
        let mut call = self.encode_bare(code, argument)?;
        self.capture_context()?.add_to(&mut call);
        Ok(call)
    }

    /// A call without the context of whoever submits it.
    pub(super) fn encode_bare<A: Serialize>(
        &self,
        code: Result<Code, TransferError>,
        argument: &A,
    ) -> Result<Call, TaskErrorKind> {
        let mut writer = self.writer();
        let references = encode_contained(argument, &mut writer)?;
        self.bare_call(code, writer, references)
    }

    /// What an argument is encoded into.
    pub(super) fn writer(&self) -> Writer {
        Writer::new(&self.pool().values)
    }

    /// The call with the argument that was encoded.
    pub(super) fn call(
        &self,
        code: Result<Code, TransferError>,
        argument: Writer,
        references: References,
    ) -> Result<Call, TaskErrorKind> {
        let mut call = self.bare_call(code, argument, references)?;
        self.capture_context()?.add_to(&mut call);
        Ok(call)
    }

    fn bare_call(
        &self,
        code: Result<Code, TransferError>,
        argument: Writer,
        references: References,
    ) -> Result<Call, TaskErrorKind> {
        let code = code.map_err(TaskErrorKind::NotTransferred)?;
        let (length, most) = (argument.len(), self.pool().settings.max_message);
        if length > most {
            return Err(not_encoded(format!("it has {length} bytes, and {most} is the limit")));
        }
        let argument = Payload::from(argument);
        if matches!(argument, Payload::Kept(_)) {
            self.pool().mind_values();
        }
        Ok(Call { code, argument, context: None, references })
    }

    /// What the pool's context hook captures on this thread.
    pub(super) fn capture_context(&self) -> Result<Context, TaskErrorKind> {
        match &self.pool().settings.context {
            None => Ok(Context(None)),
            Some((code, capture)) => {
                let (bytes, references) = capture().map_err(not_encoded)?;
                Ok(Context(Some((*code, bytes, references))))
            }
        }
    }
}

/// The context of whoever submitted a call, if the pool carries one.
pub(super) struct Context(Option<(Code, Arc<[u8]>, References)>);

impl Context {
    pub(super) fn add_to(self, call: &mut Call) {
        if let Some((code, bytes, references)) = self.0 {
            call.context = Some((code, bytes));
            call.references.extend(references);
        }
    }
}

pub(super) fn not_encoded(cause: impl fmt::Display) -> TaskErrorKind {
    TaskErrorKind::NotTransferred(TransferError::new(TransferStage::EncodeArgument, cause))
}

/// Encodes a value, which is the user's code and may panic, and gives what it refers to.
fn encode_contained(
    value: &impl Serialize,
    into: &mut Writer,
) -> Result<References, TaskErrorKind> {
    let (encoded, references) = for_call(|| task::catch(|| value::encode(value, into)));
    match encoded {
        Ok(Ok(())) => Ok(references),
        Ok(Err(error)) => Err(not_encoded(error)),
        Err(panic) => Err(TaskErrorKind::Panicked(panic)),
    }
}
