//! What the compiler must refuse, with its words, and beside each case one that it must take.
//!
//! The expected messages stand in the `.stderr` files; a new compiler may word them differently.
//! `TRYBUILD=overwrite cargo test --test ui` writes them anew, to be read before they are kept.

use std::fs;
use std::path::Path;

/// The cases that the compiler must refuse, each with its twin that it must take and run.
const PAIRS: [(&str, &str); 17] = [
    ("submit_not_send", "submit_send"),
    ("submit_borrowed", "submit_moved"),
    ("submit_borrowed_argument", "submit_owned_argument"),
    ("scope_borrows_from_inside", "scope_borrows_from_outside"),
    ("scope_shares_a_mutable_borrow", "scope_parts_a_mutable_borrow"),
    ("scoped_future_escapes", "scoped_result_escapes"),
    ("scoped_future_escapes_through_a_variable", "scoped_result_escapes"),
    ("join_shares_a_mutable_borrow", "join_parts_a_mutable_borrow"),
    ("join_not_send", "join_parts_a_mutable_borrow"),
    ("callback_not_sync", "callback_sync"),
    ("executor_capturing_closure", "executor_plain_function"),
    ("process_capturing_closure", "process_plain_closure"),
    ("executor_not_portable", "threads_take_anything"),
    ("retrying_once_only", "retrying"),
    ("retrying_without_clone", "retrying"),
    ("shared_future_not_send", "shared_future_send"),
    ("with_state_of_another_type", "with_state_of_its_type"),
];

#[test]
fn what_must_not_compile_does_not_and_its_twin_does() {
    let cases = trybuild::TestCases::new();
    let mut good: Vec<_> = PAIRS.iter().map(|(_, good)| good).collect();
    good.dedup();
    for name in good {
        cases.pass(format!("tests/ui/good/{name}.rs"));
    }
    for (bad, _) in PAIRS {
        cases.compile_fail(format!("tests/ui/bad/{bad}.rs"));
    }
}

#[test]
fn every_case_is_listed_and_every_message_is_pinned() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui");
    let names = |kind: &str, extension: &str| -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder.join(kind))
            .unwrap()
            .filter_map(|entry| {
                entry
                    .unwrap()
                    .file_name()
                    .to_str()
                    .unwrap()
                    .strip_suffix(extension)
                    .map(str::to_owned)
            })
            .collect();
        names.sort();
        names
    };
    let listed = |mut names: Vec<&'static str>| {
        names.sort();
        names.dedup();
        names
    };
    let (bad, good): (Vec<_>, Vec<_>) = PAIRS.into_iter().unzip();
    assert_eq!(names("bad", ".rs"), listed(bad.clone()));
    assert_eq!(names("bad", ".stderr"), listed(bad));
    assert_eq!(names("good", ".rs"), listed(good));
}
