//! Values that fail on their way to another process, or back.
