//! Workers that do not start, or not as they should.
