//! Times and counts in the words that people read.

use std::fmt::Write;

/// Nanoseconds, in a unit that fits, to about three digits.
pub(crate) fn time(nanoseconds: u64) -> String {
    const MINUTE: u64 = 60_000_000_000;
    match nanoseconds {
        0 => "0".to_owned(),
        1..1_000 => format!("{nanoseconds} ns"),
        1_000..1_000_000 => digits(nanoseconds, 1e3, "µs"),
        1_000_000..1_000_000_000 => digits(nanoseconds, 1e6, "ms"),
        1_000_000_000..MINUTE => digits(nanoseconds, 1e9, "s"),
        _ => {
            let seconds = nanoseconds / 1_000_000_000;
            let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")];
            let mut text = String::new();
            for (count, unit) in parts.into_iter().filter(|(count, _)| *count > 0).take(2) {
                let space = if text.is_empty() { "" } else { " " };
                let _ = write!(text, "{space}{count} {unit}");
            }
            text
        }
    }
}

fn digits(nanoseconds: u64, per_unit: f64, unit: &str) -> String {
    let value = nanoseconds as f64 / per_unit;
    let places = match value {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    let number = format!("{value:.places$}");
    let number = match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.'),
        false => &number,
    };
    format!("{number} {unit}")
}

/// A count, with its thousands apart.
pub(crate) fn count(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count of things.
pub(crate) fn counted(number: usize, thing: &str) -> String {
    format!("{} {thing}{}", count(number), if number == 1 { "" } else { "s" })
}

/// The distance of the marks on an axis of this length, so that there are about so many.
pub(super) fn step(length: u64, marks: u64) -> u64 {
    const SECOND: u64 = 1_000_000_000;
    let least = (length / marks.max(1)).max(1);
    let powers = (0..).map(|power| 10_u64.pow(power)).take_while(|it| *it <= 10 * SECOND);
    let short =
        powers.flat_map(|power| [power, 2 * power, 5 * power]).filter(|it| *it < 60 * SECOND);
    let minutes = [1, 2, 5, 10, 30, 60, 120, 360, 720, 1440].map(|it| it * 60 * SECOND);
    let mut steps = short.filter(|it| *it <= 30 * SECOND).chain(minutes);
    steps.find(|step| *step >= least).unwrap_or(least)
}

#[cfg(all(test, not(concurrent_futures_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_a_unit_that_fits() {
        let cases = [
            (0, "0"),
            (999, "999 ns"),
            (1_500, "1.5 µs"),
            (12_345, "12.3 µs"),
            (999_999, "1000 µs"),
            (2_000_000_000, "2 s"),
            (59_900_000_000, "59.9 s"),
            (60_000_000_000, "1 min"),
            (3_723_000_000_000, "1 h 2 min"),
        ];
        for (nanoseconds, text) in cases {
            assert_eq!(time(nanoseconds), text);
        }
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!([1, 999, 1000, 1234567].map(count), ["1", "999", "1,000", "1,234,567"]);
        assert_eq!(counted(1, "task"), "1 task");
        assert_eq!(counted(1000, "task"), "1,000 tasks");
    }

    #[test]
    fn marks_stand_at_round_times() {
        assert_eq!(step(2_310_000_000, 8), 500_000_000);
        assert_eq!(step(10, 8), 1);
        assert_eq!(step(1000 * 1_000_000_000, 8), 300 * 1_000_000_000);
        for length in [1, 17, 1_000_000, 7_000_000_000, 100_000_000_000, 86_400_000_000_000_000] {
            assert!(length / step(length, 8) <= 8, "{length}");
        }
    }
}
