//! The rules: each gives its violations.

use crate::reading::{paths, tokens};
use crate::source::{Source, rust};
use std::collections::BTreeSet;

/// The rooms, from the ground floor up. An import may only point to a lower row.
const ROWS: [&[&str]; 11] = [
    &["error"],
    &["sync"],
    &["sys"],
    &["queue", "timeline"],
    &["task"],
    &["future"],
    &["executor"],
    &["thread", "process"],
    &["any_executor"],
    &["monitor"],
    &["lib"],
];

/// The same within the pool of processes. What is not named here, the files that its users see, stands on top.
const ROWS_OF_PROCESS: [&[&str]; 7] =
    [&["own"], &["page"], &["payload"], &["shared"], &["wire"], &["machine"], &["worker", "pool"]];

/// Paths that only `sync` may name.
const PRIMITIVES: [&str; 11] = [
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
    "loom",
];

/// What the ground floor, which stands below `sync`, takes from the standard library itself.
const ERRORS_MAY_NAME: [&str; 3] = ["std::sync::Arc", "std::sync::Mutex", "std::sync::PoisonError"];

/// Where `unsafe` may stand: a file, or all of a folder.
const UNSAFE_FILES: [&str; 10] = [
    "sys/",
    "task/",
    "thread/fork.rs",
    "thread/join.rs",
    "thread/scope.rs",
    "process/page/",
    "process/shared/plain.rs",
    "process/shared/word.rs",
    "process/wire/code.rs",
    "process/worker/bootstrap.rs",
];

pub(crate) const MOST_LINES: usize = 600;

/// How many lines above an atomic operation its `ORDERING:` comment may begin.
const ORDERING_REACH: usize = 8;

fn row(room: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&room))
}

/// Imports point to a lower row, or stay in the room.
pub(crate) fn imports_that_point_up(sources: &[Source]) -> Vec<String> {
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

/// The same between the rooms of the pool of processes.
pub(crate) fn imports_that_point_up_in_process(sources: &[Source]) -> Vec<String> {
    let row = |room: &str| ROWS_OF_PROCESS.iter().position(|row| row.contains(&room));
    let mut found = Vec::new();
    for source in rust(sources) {
        let Some(place) = source.path.strip_prefix("process/") else { continue };
        let own_room = place.split(['/', '.']).next().unwrap_or_default();
        let Some(own) = row(own_room) else { continue };
        if source.is_test() {
            continue;
        }
        // There `super` is the pool of processes; elsewhere it is the room itself.
        let is_front = !place.contains('/') || place == format!("{own_room}/mod.rs");
        for (line, path) in paths(&source.code()) {
            let rest = path
                .strip_prefix("crate::process::")
                .or_else(|| is_front.then(|| path.strip_prefix("super::")).flatten());
            let Some(target) = rest.and_then(|rest| rest.split("::").next()) else { continue };
            if target != own_room && row(target).is_none_or(|row| row >= own) {
                found.push(source.at(line, format!("`{path}` points up or sideways")));
            }
        }
    }
    found
}

/// Only `sync` names the primitives.
pub(crate) fn primitives_outside_of_sync(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in rust(sources).filter(|it| it.room() != "sync" && !it.is_model_test()) {
        for (line, path) in paths(&source.code()) {
            let is = |name: &str| {
                path.strip_prefix(name).is_some_and(|it| it.is_empty() || it.starts_with("::"))
            };
            let excused =
                source.room() == "error" && ERRORS_MAY_NAME.contains(&path.trim_end_matches(':'));
            // The names may also come in by a glob.
            let glob = ["std::*", "std::thread::*"].contains(&path.as_str());
            if glob || (PRIMITIVES.iter().any(|it| is(it)) && !excused) {
                found.push(source.at(line, format!("only `sync` may name `{path}`")));
            }
        }
    }
    found
}

/// Only `sys` names the libraries that ask the operating system, and `sync` where it sleeps on a word.
pub(crate) fn system_outside_of_sys(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in rust(sources).filter(|it| it.room() != "sys" && it.path != "sync/real.rs") {
        for (line, path) in paths(&source.code()) {
            if ["rustix", "libc"].iter().any(|it| path.split("::").next() == Some(it)) {
                found.push(source.at(line, format!("only `sys` may name `{path}`")));
            }
        }
    }
    found
}

/// `unsafe` stands only in the files that are listed.
pub(crate) fn unsafe_elsewhere(sources: &[Source]) -> Vec<String> {
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
pub(crate) fn unsafe_without_argument(sources: &[Source]) -> Vec<String> {
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
pub(crate) fn orderings_without_argument(sources: &[Source]) -> Vec<String> {
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

pub(crate) fn long_files(sources: &[Source]) -> Vec<String> {
    let too_long = |source: &&Source| source.text.lines().count() > MOST_LINES;
    let say = |source: &Source| source.at(MOST_LINES, "split this file");
    rust(sources).filter(too_long).map(say).collect()
}

/// Each file says at its top what it is for, and each folder has a page, or at least a paragraph.
pub(crate) fn unexplained_rooms(sources: &[Source]) -> Vec<String> {
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
