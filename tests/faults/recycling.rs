//! Workers that are replaced, and pools that grow and shrink.
