//! What documents say about tests: a test that they name is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// How many words the name of a test has at least that is looked for; what has fewer may be the name of
/// something else.
const WORDS: usize = 4;

/// The names between backticks that look like those of tests, and are of no function.
pub(crate) fn names_of_no_function(document: &str, functions: &BTreeSet<String>) -> Vec<String> {
    let is_name = |it: &str| it.chars().all(|it| it.is_alphanumeric() || "_:".contains(it));
    let quoted = document.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let names = quoted.filter(|it| is_name(it)).filter_map(|it| it.rsplit("::").next());
    let long = names.filter(|it| it.split('_').count() >= WORDS);
    long.filter(|it| !functions.contains(*it)).map(str::to_owned).collect()
}

/// The names of all functions in the Rust files of these folders of the crate.
pub(crate) fn functions_of(folders: &[&str]) -> BTreeSet<String> {
    fn collect(folder: &Path, into: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, into);
            } else if path.extension().is_some_and(|it| it == "rs") {
                let text = fs::read_to_string(path).unwrap();
                let names = text.lines().filter_map(|line| line.trim_start().split_once("fn "));
                let names = names.filter_map(|(_, name)| name.split(['(', '<']).next());
                into.extend(names.map(str::to_owned));
            }
        }
    }
    let mut functions = BTreeSet::new();
    folders.iter().for_each(|it| collect(&crate_folder().join(it), &mut functions));
    functions
}

pub(crate) fn crate_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
