//! Trouble in the program that has the pool.
