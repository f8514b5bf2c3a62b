//! A system that refuses what a pool asks for.
