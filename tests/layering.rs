//! The rules of the house, checked in the source text: imports point downwards, primitives and
//! `unsafe` stay where they belong, and are argued, and files stay small.
//!
//! Every rule is a function from the text of the files to its violations. Each has two tests: that
//! it finds a violation in a small text made for it, and that there is none in `src`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The rooms, from the ground floor up. An import may only point to a lower row.
const ROWS: [&[&str]; 9] = [
    &["error"],
    &["sync"],
    &["sys"],
    &["queue"],
    &["task"],
    &["future"],
    &["executor"],
    &["thread", "process"],
    &["lib"],
];

/// Paths that only `sync` may name.
const PRIMITIVES: [&str; 12] = [
    "std::sync",
    "core::sync",
    "alloc::sync",
    "std::thread::park",
    "std::thread::park_timeout",
    "std::thread::spawn",
    "std::thread::Builder",
    "std::thread::scope",
    "std::thread::sleep",
    "parking_lot",
    "crossbeam_channel",
    "loom",
];

/// What the ground floor, which stands below `sync`, takes from the standard library itself.
const ERRORS_MAY_NAME: [&str; 3] = ["std::sync::Arc", "std::sync::Mutex", "std::sync::PoisonError"];

/// Where `unsafe` may stand: a file, or all of a folder.
const UNSAFE_FILES: [&str; 3] = ["sys/", "task/", "thread/scope.rs"];

const MOST_LINES: usize = 600;

/// How many lines above an atomic operation its `ORDERING:` comment may begin.
const ORDERING_REACH: usize = 8;

/// One file below `src`.
struct Source {
    /// With `/` between folders, as in `task/cell.rs`.
    path: String,
    text: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    /// The room that it belongs to: its folder, or its own name at the top.
    fn room(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    fn is_model_test(&self) -> bool {
        self.path.ends_with("model_tests.rs")
    }

    /// The text with comments, strings and the unit tests at its end blanked out, line by line.
    fn code(&self) -> String {
        let code = without_comments_and_strings(&self.text);
        let is_test = |line: &str| line.starts_with("#[cfg(") && line.contains("test");
        let lines: Vec<&str> = code.lines().collect();
        let end = lines.windows(2).position(|pair| is_test(pair[0]) && pair[1] == "mod tests {");
        lines[..end.unwrap_or(lines.len())].join("\n")
    }

    fn at(&self, line: usize, what: impl std::fmt::Display) -> String {
        format!("src/{}:{}: {what}", self.path, line + 1)
    }
}

/// Every Rust file below `src`.
fn sources() -> Vec<Source> {
    fn collect(folder: &Path, prefix: &str, into: &mut Vec<Source>) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                collect(&entry.path(), &format!("{name}/"), into);
            } else if name.ends_with(".rs") || name.ends_with(".md") {
                let text = fs::read_to_string(entry.path()).unwrap();
                into.push(Source { path: name, text });
            }
        }
    }
    let mut sources = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut sources);
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    sources
}

fn rust(sources: &[Source]) -> impl Iterator<Item = &Source> {
    sources.iter().filter(|source| source.path.ends_with(".rs"))
}

// ---- reading Rust ---------------------------------------------------------------------------

/// Replaces comments and the contents of literals by spaces; line breaks stay.
fn without_comments_and_strings(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let starts =
        |at: usize, what: &str| what.chars().eq(chars[at..].iter().copied().take(what.len()));
    let mut blank = vec![false; chars.len()];
    let mut at = 0;
    while at < chars.len() {
        let begun = at;
        if starts(at, "//") {
            while at < chars.len() && chars[at] != '\n' {
                at += 1;
            }
        } else if starts(at, "/*") {
            let mut depth = 0;
            loop {
                if at >= chars.len() {
                    break;
                } else if starts(at, "/*") {
                    depth += 1;
                    at += 2;
                } else if starts(at, "*/") {
                    depth -= 1;
                    at += 2;
                    if depth == 0 {
                        break;
                    }
                } else {
                    at += 1;
                }
            }
        } else if let Some(hashes) = raw_string(&chars, at) {
            let end = format!("\"{}", "#".repeat(hashes));
            at += 2 + hashes;
            while at < chars.len() && !starts(at, &end) {
                at += 1;
            }
            at = (at + end.len()).min(chars.len());
        } else if chars[at] == '"' {
            at += 1;
            while at < chars.len() && chars[at] != '"' {
                at += if chars[at] == '\\' { 2 } else { 1 };
            }
            at = (at + 1).min(chars.len());
        } else if chars[at] == '\'' && chars.get(at + 1) == Some(&'\\') {
            at += 3;
            while at < chars.len() && chars[at] != '\'' {
                at += 1;
            }
            at = (at + 1).min(chars.len());
        } else if chars[at] == '\'' && chars.get(at + 2) == Some(&'\'') {
            at += 3;
        } else {
            at += 1;
            continue;
        }
        blank[begun..at].fill(true);
    }
    let keep = |(char, blank): (&char, &bool)| if *blank && *char != '\n' { ' ' } else { *char };
    chars.iter().zip(&blank).map(keep).collect()
}

/// The number of hashes of a raw string that begins here.
fn raw_string(chars: &[char], at: usize) -> Option<usize> {
    let continues_a_name = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    if chars[at] != 'r' || continues_a_name {
        return None;
    }
    let hashes = chars[at + 1..].iter().take_while(|it| **it == '#').count();
    (chars.get(at + 1 + hashes) == Some(&'"')).then_some(hashes)
}

/// Names, `::`, braces, commas and whatever else, each with its line.
fn tokens(code: &str) -> Vec<(usize, String)> {
    let mut tokens: Vec<(usize, String)> = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            let is_name = |it: char| it.is_alphanumeric() || it == '_';
            let len = if is_name(first) {
                rest.find(|it| !is_name(it)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            if !first.is_whitespace() {
                tokens.push((number, rest[..len].to_owned()));
            }
            rest = &rest[len..];
        }
    }
    tokens
}

/// Every path of more than one name, with the trees of `use` spelled out, and its line.
fn paths(code: &str) -> Vec<(usize, String)> {
    let tokens = tokens(code);
    let mut paths = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let is_path = tokens.get(at + 1).is_some_and(|(_, token)| token == "::");
        if is_path && is_name(&tokens[at].1) {
            at = path_tree(&tokens, at, "", &mut paths);
        } else {
            at += 1;
        }
    }
    paths
}

fn is_name(token: &str) -> bool {
    token.starts_with(|it: char| it.is_alphanumeric() || it == '_')
}

/// Reads one path, or tree of paths, from `at`; gives the place behind it.
fn path_tree(
    tokens: &[(usize, String)],
    mut at: usize,
    prefix: &str,
    paths: &mut Vec<(usize, String)>,
) -> usize {
    let mut path = prefix.to_owned();
    let begun = tokens[at].0;
    loop {
        match tokens.get(at).map(|(_, token)| token.as_str()) {
            Some("{") => {
                at += 1;
                while let Some((_, token)) = tokens.get(at)
                    && token != "}"
                {
                    at = if is_name(token) || token == "{" {
                        path_tree(tokens, at, &path, paths)
                    } else {
                        at + 1
                    };
                }
                return at + 1;
            }
            Some(name) if is_name(name) || name == "*" => {
                path.push_str(name);
                at += 1;
            }
            _ => {}
        }
        if tokens.get(at).is_some_and(|(_, token)| token == "::") {
            path.push_str("::");
            at += 1;
            let goes_on = |token: &str| is_name(token) || token == "{" || token == "*";
            if tokens.get(at).is_some_and(|(_, token)| goes_on(token)) {
                continue;
            }
        }
        paths.push((begun, path));
        return at;
    }
}

// ---- the rules ------------------------------------------------------------------------------

fn row(room: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&room))
}

/// Imports point to a lower row, or stay in the room.
fn imports_that_point_up(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in rust(sources) {
        let Some(own) = row(source.room()) else {
            found.push(source.at(0, "this room stands in no row"));
            continue;
        };
        for (line, path) in paths(&source.code()) {
            if path.starts_with("super::super") {
                found.push(source.at(line, format!("`{path}` leaves the room; say `crate::`")));
            }
            let Some(target) = path.strip_prefix("crate::") else { continue };
            let target = target.split("::").next().unwrap_or_default();
            match row(target) {
                // A macro of the crate itself, or a re-export of `lib.rs`, is on the top floor.
                None => found.push(source.at(line, format!("`{path}` names no room"))),
                Some(row) if row < own || target == source.room() => {}
                Some(_) => found.push(source.at(line, format!("`{path}` points up or sideways"))),
            }
        }
    }
    found
}

/// Only `sync` names the primitives.
fn primitives_outside_of_sync(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in rust(sources).filter(|it| it.room() != "sync" && !it.is_model_test()) {
        for (line, path) in paths(&source.code()) {
            let is = |name: &str| {
                path.strip_prefix(name).is_some_and(|it| it.is_empty() || it.starts_with("::"))
            };
            let excused =
                source.path == "error.rs" && ERRORS_MAY_NAME.contains(&path.trim_end_matches(':'));
            // The names may also come in by a glob.
            let glob = ["std::*", "std::thread::*"].contains(&path.as_str());
            if glob || (PRIMITIVES.iter().any(|it| is(it)) && !excused) {
                found.push(source.at(line, format!("only `sync` may name `{path}`")));
            }
        }
    }
    found
}

/// `unsafe` stands only in the files that are listed.
fn unsafe_elsewhere(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in rust(sources) {
        let is_listed = UNSAFE_FILES
            .iter()
            .any(|it| source.path == *it || (it.ends_with('/') && source.path.starts_with(it)));
        if is_listed {
            continue;
        }
        for (line, token) in tokens(&source.code()) {
            if token == "unsafe" {
                found.push(source.at(line, "no `unsafe` in this file"));
            }
        }
    }
    found
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

/// Each `unsafe` block and implementation has its argument in the comment just above it, or above
/// the statement that it stands in.
fn unsafe_without_argument(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in rust(sources) {
        let text: Vec<&str> = source.text.lines().collect();
        let tokens = tokens(&source.code());
        for pair in tokens.windows(2) {
            let [(line, first), (_, second)] = pair else { unreachable!() };
            if first != "unsafe" || !["{", "impl"].contains(&second.as_str()) {
                continue;
            }
            let mut above = *line;
            let ends = |it: &str| it.is_empty() || it.ends_with([';', '{', '}', ',']);
            while above > 0 && !is_comment(text[above - 1]) && !ends(text[above - 1].trim()) {
                above -= 1;
            }
            let is_argued = text[..above]
                .iter()
                .rev()
                .take_while(|it| is_comment(it))
                .any(|it| it.contains("SAFETY:"));
            if !is_argued {
                found.push(source.at(*line, "`unsafe` without a `SAFETY:` comment just above"));
            }
        }
    }
    found
}

/// Each ordering of an atomic operation has its argument within a few lines above.
fn orderings_without_argument(sources: &[Source]) -> Vec<String> {
    const ORDERINGS: [&str; 5] = ["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst"];
    let mut found = BTreeSet::new();
    for source in rust(sources).filter(|it| !it.is_model_test()) {
        let text: Vec<&str> = source.text.lines().collect();
        for (line, path) in paths(&source.code()) {
            let mut names = path.rsplit("::");
            let is_ordering = names.next().is_some_and(|it| ORDERINGS.contains(&it))
                && names.next() == Some("Ordering");
            let reach = line.saturating_sub(ORDERING_REACH);
            let is_argued =
                text[reach..line].iter().any(|it| is_comment(it) && it.contains("ORDERING:"));
            if is_ordering && !is_argued {
                found.insert(source.at(line, format!("`{path}` without an `ORDERING:` comment")));
            }
        }
    }
    found.into_iter().collect()
}

fn long_files(sources: &[Source]) -> Vec<String> {
    let too_long = |source: &&Source| source.text.lines().count() > MOST_LINES;
    let say = |source: &Source| source.at(MOST_LINES, "split this file");
    rust(sources).filter(too_long).map(say).collect()
}

/// Each file says at its top what it is for, and each folder has a page, or at least a paragraph.
fn unexplained_rooms(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in rust(sources) {
        if !source.text.starts_with("//!") && !source.text.starts_with("#![doc") {
            found.push(source.at(0, "the file does not begin with its documentation"));
        }
    }
    let folders: BTreeSet<&str> = sources
        .iter()
        .filter_map(|it| it.path.rsplit_once('/'))
        .map(|(folder, _)| folder)
        .collect();
    for folder in folders {
        let file = |name: &str| sources.iter().find(|it| it.path == format!("{folder}/{name}"));
        let page = file("README.md").map_or(0, |it| it.text.lines().count());
        let header = file("mod.rs")
            .map_or(0, |it| it.text.lines().take_while(|line| line.starts_with("//!")).count());
        if page < 10 && header < 3 {
            found.push(format!("src/{folder}: nothing says what this folder is for"));
        }
    }
    found
}

// ---- the house ------------------------------------------------------------------------------

fn assert_none(violations: &[String]) {
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

#[test]
fn all_of_src_is_read() {
    let sources = sources();
    let rooms: BTreeSet<_> = rust(&sources).map(Source::room).collect();
    for room in ["error", "sync", "sys", "queue", "task", "future", "executor", "thread", "lib"] {
        assert!(rooms.contains(room), "{room} was not found");
    }
    assert!(paths(&sources.iter().map(Source::code).collect::<String>()).len() > 500);
}

#[test]
fn imports_point_downwards() {
    assert_none(&imports_that_point_up(&sources()));
}

#[test]
fn only_sync_names_the_primitives() {
    assert_none(&primitives_outside_of_sync(&sources()));
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
fn a_primitive_outside_of_sync_is_found() {
    let count = |path, text| violations(primitives_outside_of_sync, path, text);
    assert_eq!(count("task/state.rs", "use std::sync::atomic::AtomicUsize;"), 1);
    assert_eq!(count("task/state.rs", "use std::{fmt, sync::Mutex};"), 1);
    assert_eq!(count("thread/pool.rs", "use std::sync;"), 1);
    assert_eq!(count("thread/pool.rs", "fn f() { std::thread::spawn(|| ()); }"), 1);
    assert_eq!(count("thread/pool.rs", "use std::thread::{self, park};"), 1);
    assert_eq!(count("queue/mod.rs", "use crossbeam_channel::unbounded;"), 1);
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
