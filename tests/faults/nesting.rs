//! Callbacks, maps, pools within pools, and what is left of them.
