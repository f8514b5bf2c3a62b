//! What a failure is.

use concurrent_futures::{Refusal, TaskError, TaskErrorKind};

pub(crate) fn is_shut_down(error: &TaskError) -> bool {
    matches!(error.kind(), TaskErrorKind::Refused(Refusal::ShutDown))
}

pub(crate) fn is_queue_full(error: &TaskError) -> bool {
    matches!(error.kind(), TaskErrorKind::Refused(Refusal::QueueFull { .. }))
}

pub(crate) fn is_no_worker(error: &TaskError) -> bool {
    matches!(error.kind(), TaskErrorKind::Refused(Refusal::NoWorker(_)))
}
