//! The rules of the house, checked in the source text: imports point downwards, primitives and
//! `unsafe` stay where they belong, and are argued, files stay small, and documents name what is there.
//!
//! Every rule is a function from the text of the files to its violations. Each has two tests: that
//! it finds a violation in a small text made for it, and that there is none in `src`.

mod documents;
mod reading;
mod rules;
mod source;

use documents::{
    Page, broken_links, chapters_without_an_entry, crate_folder, examples_without_a_row,
    functions_of, links_out_of_the_book, names_of_no_function, pages, paths_to_nothing,
    programs_that_nobody_compiles,
};
use reading::{is_name, paths, tokens, without_comments_and_strings};
use rules::{
    MOST_LINES, imports_that_point_up, imports_that_point_up_in_process, long_files,
    orderings_without_argument, primitives_outside_of_sync, system_outside_of_sys,
    unexplained_rooms, unsafe_elsewhere, unsafe_without_argument,
};
use source::{Source, rust, sources};
use std::collections::BTreeSet;

// ---- the house ------------------------------------------------------------------------------

fn assert_none(violations: &[String]) {
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

#[test]
fn all_of_src_is_read() {
    let sources = sources();
    let rooms: BTreeSet<_> = rust(&sources).map(Source::room).collect();
    for room in
        ["error", "sync", "sys", "queue", "task", "future", "executor", "thread", "process", "lib"]
    {
        assert!(rooms.contains(room), "{room} was not found");
    }
    assert!(paths(&sources.iter().map(Source::code).collect::<String>()).len() > 500);
}

#[test]
fn imports_point_downwards() {
    assert_none(&imports_that_point_up(&sources()));
}

#[test]
fn imports_point_downwards_in_the_pool_of_processes() {
    assert_none(&imports_that_point_up_in_process(&sources()));
}

#[test]
fn only_sync_names_the_primitives() {
    assert_none(&primitives_outside_of_sync(&sources()));
}

#[test]
fn only_sys_names_the_system() {
    assert_none(&system_outside_of_sys(&sources()));
}

#[test]
fn unsafe_stands_only_where_it_belongs() {
    assert_none(&unsafe_elsewhere(&sources()));
}

#[test]
fn every_unsafe_block_is_argued() {
    assert_none(&unsafe_without_argument(&sources()));
}

#[test]
fn every_ordering_is_argued() {
    assert_none(&orderings_without_argument(&sources()));
}

#[test]
fn no_file_is_long() {
    assert_none(&long_files(&sources()));
}

#[test]
fn every_file_and_folder_says_what_it_is_for() {
    assert_none(&unexplained_rooms(&sources()));
}

#[test]
fn tests_that_documents_name_are_there() {
    let functions = functions_of(&["src", "tests"]);
    for document in ["docs/faults.md", "docs/models.md", "docs/parity.md"] {
        let text = std::fs::read_to_string(crate_folder().join(document)).unwrap();
        let gone = names_of_no_function(&text, &functions);
        assert!(gone.is_empty(), "{document} names what is not there: {gone:?}");
    }
}

#[test]
fn links_and_paths_in_documents_lead_somewhere() {
    for page in pages() {
        let gone = [broken_links(&page), paths_to_nothing(&page)].concat();
        assert!(gone.is_empty(), "{} points to what is not there: {gone:?}", page.path.display());
    }
}

#[test]
fn links_of_the_guide_stay_within_the_book() {
    pages().iter().for_each(|page| assert_none(&links_out_of_the_book(page)));
}

#[test]
fn programs_in_documents_are_compiled() {
    let lib = std::fs::read_to_string(crate_folder().join("src/lib.rs")).unwrap();
    assert_none(&programs_that_nobody_compiles(&pages(), &lib));
}

#[test]
fn all_chapters_and_examples_are_listed() {
    let readme = std::fs::read_to_string(crate_folder().join("README.md")).unwrap();
    assert_none(&chapters_without_an_entry(&pages()));
    assert_none(&examples_without_a_row(&readme));
}

// ---- the rules can fail ---------------------------------------------------------------------

fn violations(rule: fn(&[Source]) -> Vec<String>, path: &str, text: &str) -> usize {
    rule(&[Source::new(path, text)]).len()
}

#[test]
fn a_path_is_found_however_it_is_written() {
    let found = |code: &str| paths(code).into_iter().map(|(_, path)| path).collect::<Vec<_>>();
    assert_eq!(found("use crate::a::b;"), ["crate::a::b"]);
    assert_eq!(
        found("use crate::{a, b::{self, c}, d};"),
        ["crate::a", "crate::b::self", "crate::b::c", "crate::d"]
    );
    assert_eq!(
        found("use a::*; let x = b::c(d::E { f: g::H });"),
        ["a::*", "b::c", "d::E", "g::H"]
    );
    assert_eq!(found("a::b::<c::D>()"), ["a::b::", "c::D"]);
}

#[test]
fn comments_strings_and_unit_tests_are_no_code() {
    let text = "a // b\n/* c /* d */ e */ f \"g \\\" h\" r#\"i \" j\"# 'k' '\\'' 'l: loop {}";
    let names: Vec<_> = tokens(&without_comments_and_strings(text))
        .into_iter()
        .map(|(_, token)| token)
        .filter(|token| is_name(token))
        .collect();
    assert_eq!(names, ["a", "f", "l", "loop"]);
    let tested = Source::new("x.rs", "mod a;\n#[cfg(test)]\nmod tests {\nuse crate::b;\n}\n");
    assert_eq!(tested.code(), "mod a;");
}

#[test]
fn an_import_upwards_or_sideways_is_found() {
    let count = |path, text| violations(imports_that_point_up, path, text);
    assert_eq!(count("task/cell.rs", "use crate::future::Future;"), 1);
    assert_eq!(count("task/cell.rs", "fn f() { crate::thread::g() }"), 1);
    assert_eq!(count("sync/timer.rs", "use crate::sys::clock;"), 1);
    assert_eq!(count("thread/pool.rs", "use crate::process::link;"), 1);
    assert_eq!(count("queue/mod.rs", "use crate::{error::E, sync::Mutex, task::TaskRef};"), 1);
    assert_eq!(count("future/wait.rs", "use crate::Future;"), 1, "a re-export of lib.rs");
    assert_eq!(count("task/cell.rs", "use super::super::future::Future;"), 1);
    assert_eq!(count("cluster/mod.rs", ""), 1, "a room without a row");
}

#[test]
fn an_import_downwards_or_within_a_room_is_none() {
    let count = |path, text| violations(imports_that_point_up, path, text);
    assert_eq!(count("thread/pool.rs", "use crate::{task::{self, End}, sync::Arc, error::E};"), 0);
    assert_eq!(count("task/cell.rs", "use crate::task::state; use super::panic;"), 0);
    assert_eq!(count("task/cell.rs", "/// See [`crate::Future`].\nfn f() {}"), 0);
}

#[test]
fn an_import_upwards_or_sideways_in_the_pool_of_processes_is_found() {
    let count = |path, text| violations(imports_that_point_up_in_process, path, text);
    assert_eq!(count("process/page/slots.rs", "use crate::process::wire::frame;"), 1);
    assert_eq!(count("process/page/mod.rs", "use super::payload::Place;"), 1);
    assert_eq!(count("process/worker/mod.rs", "use crate::process::pool::Pool;"), 1);
    assert_eq!(count("process/pool/line.rs", "use crate::process::handle::Handle;"), 1);
    assert_eq!(count("process/own.rs", "use super::page::Page;"), 1);
    assert_eq!(count("process/wire/code.rs", "use super::value::decode;"), 0);
    assert_eq!(count("process/wire/code.rs", "use crate::process::{page::Page, shared};"), 0);
    assert_eq!(count("process/pool/line.rs", "use crate::process::pool::job::Job;"), 0);
    assert_eq!(count("process/handle.rs", "use super::pool::Pool;"), 0);
}

#[test]
fn a_primitive_outside_of_sync_is_found() {
    let count = |path, text| violations(primitives_outside_of_sync, path, text);
    assert_eq!(count("task/state.rs", "use std::sync::atomic::AtomicUsize;"), 1);
    assert_eq!(count("task/state.rs", "use std::{fmt, sync::Mutex};"), 1);
    assert_eq!(count("thread/pool.rs", "use std::sync;"), 1);
    assert_eq!(count("thread/pool.rs", "fn f() { std::thread::spawn(|| ()); }"), 1);
    assert_eq!(count("thread/pool.rs", "use std::thread::{self, park};"), 1);
    assert_eq!(count("queue/mod.rs", "type M = parking_lot::Mutex<()>;"), 1);
    assert_eq!(count("queue/mod.rs", "use loom::sync::Arc;"), 1);
    assert_eq!(count("error.rs", "use std::sync::{Arc, RwLock};"), 1);
}

#[test]
fn a_primitive_in_sync_and_an_arc_in_an_error_are_allowed() {
    let count = |path, text| violations(primitives_outside_of_sync, path, text);
    assert_eq!(count("sync/real.rs", "use std::sync::atomic::AtomicUsize; use loom::thread;"), 0);
    assert_eq!(count("error.rs", "use std::sync::{Arc, Mutex, PoisonError};"), 0);
    assert_eq!(
        count("thread/mod.rs", "use crate::sync::Arc; fn f() { std::thread::panicking(); }"),
        0
    );
    assert_eq!(count("task/model_tests.rs", "use loom::thread;"), 0);
}

#[test]
fn the_system_outside_of_sys_is_found() {
    let count = |path, text| violations(system_outside_of_sys, path, text);
    assert_eq!(count("process/line.rs", "use rustix::process::Pid;"), 1);
    assert_eq!(count("thread/worker.rs", "fn f() { libc::getpid(); }"), 1);
    assert_eq!(count("sync/parker.rs", "use rustix::thread::futex;"), 1);
    assert_eq!(count("sync/real.rs", "use rustix::thread::futex;"), 0);
    assert_eq!(count("sys/child.rs", "use rustix::process::Pid;"), 0);
}

#[test]
fn unsafe_outside_of_its_files_is_found() {
    let text = "// SAFETY: none\nfn f() { unsafe { g() } }";
    for path in ["future/mod.rs", "thread/pool.rs", "sync/real.rs", "lib.rs", "tasks.rs"] {
        assert_eq!(violations(unsafe_elsewhere, path, text), 1, "{path}");
    }
    for path in ["task/cell.rs", "task/deep/er.rs", "thread/scope.rs"] {
        assert_eq!(violations(unsafe_elsewhere, path, text), 0, "{path}");
    }
    assert_eq!(violations(unsafe_elsewhere, "lib.rs", "#![deny(unsafe_code)] // unsafe"), 0);
}

#[test]
fn unsafe_without_its_argument_is_found() {
    let count = |text| violations(unsafe_without_argument, "task/cell.rs", text);
    assert_eq!(count("fn f() {\n    unsafe { g() };\n}"), 1);
    assert_eq!(count("// Sound.\nunsafe impl Send for T {}"), 1);
    assert_eq!(count("// SAFETY: for the first.\na();\nunsafe { b() };"), 1);
    assert_eq!(count("// SAFETY: far away.\n\nunsafe { b() };"), 1);
}

#[test]
fn unsafe_with_its_argument_just_above_is_not() {
    let count = |text| violations(unsafe_without_argument, "task/cell.rs", text);
    assert_eq!(count("// SAFETY: a reason,\n// in two lines.\nunsafe { b() };"), 0);
    assert_eq!(count("// SAFETY: a reason.\nlet c =\n    d(unsafe { b() });"), 0);
    assert_eq!(count("/// # Safety\nunsafe fn f();\ntype F = unsafe fn();"), 0);
}

#[test]
fn an_ordering_without_its_argument_is_found() {
    let count = |text: &str| violations(orderings_without_argument, "task/state.rs", text);
    assert_eq!(count("a.load(Ordering::Relaxed);"), 1);
    assert_eq!(count("// Relaxed will do.\na.load(atomic::Ordering::Acquire);"), 1);
    let far = format!("// ORDERING: why.\n{}a.load(Ordering::SeqCst);", "b();\n".repeat(20));
    assert_eq!(count(&far), 1);
    assert_eq!(count("// ORDERING: why.\na.load(Ordering::Relaxed);"), 0);
    assert_eq!(count("a.cmp(&b) == Ordering::Less;"), 0);
}

#[test]
fn a_document_that_names_a_test_which_is_not_there_is_found() {
    let functions = ["a_test_that_is_there".to_owned()].into();
    let count = |text| names_of_no_function(text, &functions).len();
    assert_eq!(count("| `a::a_test_that_is_there` | and `a_test_that_is_there`"), 0);
    assert_eq!(count("| `a::a_test_that_is_gone` | and `a_test_that_was_there`"), 2);
    assert_eq!(count("`Future::cancel`, `cargo test a_test_that_is_gone`, a_test_that_is_gone"), 0);
}

fn page(text: &str) -> Page {
    Page { path: "docs/testing.md".into(), text: text.to_owned() }
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let count = |text| broken_links(&page(text)).len();
    assert_eq!(count("[a](parity.md), [b](../src/lib.rs) and [c](https://nowhere.example)"), 0);
    assert_eq!(count("[a](gone.md), [b](../src/gone.rs)\n\n[c]: gone/too.md"), 3);
    assert_eq!(count("`[a](gone.md)`\n```text\n[b](gone.md)\n```\n"), 0, "code");
    assert_eq!(count("# One `heading`, two\n[a](#one-heading-two) [b](#three)"), 1);
    assert_eq!(count("[a](parity.md#cpythons-tests) [b](parity.md#nobodys-tests)"), 1);
    assert_eq!(count("~~~rust\n{{#include ../src/lib.rs}}\n~~~\n{{#include gone.rs}}"), 1);
}

#[test]
fn a_link_out_of_the_book_is_found() {
    let page =
        |path: &str| Page { path: path.into(), text: "[a](../../faults.md) [b](c.md)".into() };
    assert_eq!(links_out_of_the_book(&page("docs/guide/src/async.md")), ["../../faults.md"]);
    assert_eq!(links_out_of_the_book(&page("docs/testing.md")).len(), 0);
}

#[test]
fn a_path_that_leads_nowhere_is_found() {
    let count = |text| paths_to_nothing(&page(text)).len();
    assert_eq!(count("`src/lib.rs`, `docs/`, `tests/parity_*` and `lib.rs`"), 0);
    assert_eq!(count("`src/gone.rs` and `docs/gone/`"), 2);
}

#[test]
fn a_program_that_nobody_compiles_is_found() {
    let count = |text, lib| programs_that_nobody_compiles(&[page(text)], lib).len();
    assert_eq!(count("```rust\nlet a = 1;\n```", "include_str!(\"../docs/testing.md\")"), 0);
    assert_eq!(count("```rust\nlet a = 1;\n```", "include_str!(\"../docs/parity.md\")"), 1);
    assert_eq!(count("```text\nlet a = 1;\n```", ""), 0);
}

#[test]
fn a_chapter_and_an_example_that_are_not_listed_are_found() {
    let mut pages = pages();
    pages.push(Page { path: "docs/guide/src/new.md".into(), text: String::new() });
    assert_eq!(chapters_without_an_entry(&pages), ["new.md"]);
    assert!(examples_without_a_row("nothing").contains(&"primes.rs".to_owned()));
}

#[test]
fn a_long_file_is_found() {
    assert_eq!(violations(long_files, "task/cell.rs", &"\n".repeat(MOST_LINES + 1)), 1);
    assert_eq!(violations(long_files, "task/cell.rs", &"\n".repeat(MOST_LINES)), 0);
}

#[test]
fn a_room_that_nobody_explains_is_found() {
    let count = |text| violations(unexplained_rooms, "queue/mod.rs", text);
    assert_eq!(count("//! One line.\nmod a;"), 1);
    assert_eq!(count("mod a;"), 2, "neither the file nor the folder");
    assert_eq!(count("//! One line.\n//!\n//! And another.\nmod a;"), 0);
    let page = Source::new("queue/README.md", &"line\n".repeat(10));
    assert_eq!(unexplained_rooms(&[Source::new("queue/mod.rs", "//! One line."), page]).len(), 0);
}
