#![doc = include_str!("README.md")]

mod cell;
mod context;
mod deliver;
mod derived;
mod extras;
mod handle;
mod owner;
mod panic;
mod series;
mod settings;
mod span;
mod state;
mod task_ref;
mod waiters;

#[cfg(all(test, concurrent_futures_loom))]
mod model_tests;

pub(crate) use cell::{Body, End};
pub(crate) use context::{
    Blocking, Host, Standing, advise, at_attempt, help, host_owner, set_host, stand_in_for,
    standing, while_blocked,
};
pub use context::{attempt, block_in_place, cancellation_requested, current_label};
pub(crate) use deliver::leaving_delivery_of;
pub(crate) use derived::Stop;
pub(crate) use extras::{Extras, Report, Source, Watch, ending_with};
pub(crate) use handle::{Fresh, Handle, Producer, promised};
pub(crate) use owner::{Advice, Attendance, Owner, OwnerId, register, unregister};
#[cfg(feature = "monitor")]
pub(crate) use panic::REPORTER;
pub(crate) use panic::{AbortOnUnwind, catch, contain, install_hook, panicked, resume, told};
pub(crate) use series::{on_behalf_of, one_after_the_other};
pub(crate) use settings::{TaskSettings, Unobserved};
pub(crate) use state::Snapshot;
pub(crate) use task_ref::{Begun, Cancelled, TaskRef};
pub(crate) use waiters::{Observer, Phase, Waiter};
