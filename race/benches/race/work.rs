//! What the tasks compute, and the checksums of their results.

use std::hint::black_box;

/// The workers of every pool.
pub(crate) const WORKERS: usize = 2;

/// Some nanoseconds of work that cannot be left out.
pub(crate) fn tiny(n: u64) -> u64 {
    let mut mixed = n;
    for _ in 0..2 {
        mixed = mixed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
    }
    mixed
}

/// Trial division by the odd numbers up to the root.
pub(crate) fn is_prime(n: u64) -> bool {
    if n < 4 || n % 2 == 0 {
        return n == 2 || n == 3;
    }
    let mut divisor = 3;
    while divisor * divisor <= n {
        if n % divisor == 0 {
            return false;
        }
        divisor += 2;
    }
    true
}

/// A checksum of the prime factors of `n`.
pub(crate) fn factors(n: u64) -> u64 {
    let (mut rest, mut sum, mut divisor) = (n, 0, 2);
    while divisor * divisor <= rest {
        while rest % divisor == 0 {
            sum = joined(sum, divisor);
            rest /= divisor;
        }
        divisor += if divisor == 2 { 1 } else { 2 };
    }
    joined(sum, rest)
}

pub(crate) fn fibonacci(n: u64) -> u64 {
    if n < 2 { n } else { fibonacci(black_box(n - 1)) + fibonacci(black_box(n - 2)) }
}

fn joined(sum: u64, result: u64) -> u64 {
    sum.wrapping_mul(31).wrapping_add(result)
}

/// A checksum of results in order.
pub(crate) fn in_order(results: impl IntoIterator<Item = u64>) -> u64 {
    results.into_iter().fold(0, joined)
}

/// A checksum of results in any order.
pub(crate) fn in_any_order(results: impl IntoIterator<Item = u64>) -> u64 {
    results.into_iter().fold(0, u64::wrapping_add)
}

/// The checksum of `count` tiny results in order, from the first on.
pub(crate) fn tiny_in_order(count: u64) -> u64 {
    in_order((0..count).map(|n| tiny(black_box(n))))
}

/// The checksum of `count` tiny results in any order, each with its number.
pub(crate) fn tiny_in_any_order(count: u64) -> u64 {
    in_any_order((0..count).map(|n| n ^ tiny(black_box(n))))
}
