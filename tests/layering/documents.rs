//! What documents say: the tests, files and headings that they name are there, and their programs are compiled.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

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

/// One page of the project's documents, with its place below the crate's folder.
pub(crate) struct Page {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// All pages of the crate: those at the top, and those in these folders.
pub(crate) fn pages() -> Vec<Page> {
    fn collect(folder: &Path, goes_deeper: bool, into: &mut Vec<Page>) {
        for entry in fs::read_dir(crate_folder().join(folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if entry.path().is_dir() {
                if goes_deeper && path != Path::new("docs/guide/book") {
                    collect(&path, true, into);
                }
            } else if path.extension().is_some_and(|it| it == "md") {
                let text = fs::read_to_string(entry.path()).unwrap();
                into.push(Page { path, text });
            }
        }
    }
    let mut pages = Vec::new();
    collect(Path::new(""), false, &mut pages);
    ["docs", "race", "src"].iter().for_each(|it| collect(Path::new(it), true, &mut pages));
    pages
}

/// The text without code: neither blocks of it nor pieces in lines.
fn prose(text: &str) -> String {
    let mut is_code = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            prose.extend(line.split('`').step_by(2));
            prose.push('\n');
        }
    }
    prose
}

/// Where the links of a page point to that stay within the project.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let inline = prose.split("](").skip(1).filter_map(|it| it.split(')').next());
    let below =
        prose.lines().filter(|it| it.starts_with('[')).filter_map(|it| it.split_once("]: "));
    let all = inline.chain(below.map(|(_, target)| target));
    all.filter(|it| !it.contains("://")).map(str::to_owned).collect()
}

/// The files that the book has in a page.
fn inclusions(text: &str) -> Vec<String> {
    let after = text.split("{{#include ").skip(1);
    after.filter_map(|it| it.split("}}").next()).map(str::to_owned).collect()
}

/// The links of a page of the guide to what is not there in the built book, which knows its own pages only.
pub(crate) fn links_out_of_the_book(page: &Page) -> Vec<String> {
    let is_of_book = page.path.starts_with("docs/guide/src");
    let out = links(&page.text).into_iter().filter(|it| it.starts_with("../"));
    out.filter(|_| is_of_book).collect()
}

/// The names by which headings can be linked to.
fn anchors(text: &str) -> Vec<String> {
    let mut is_code = false;
    let is_heading = |line: &&str| {
        is_code ^= line.starts_with("```");
        !is_code && line.starts_with('#')
    };
    let name = |heading: &str| {
        let text = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = text.chars().filter(|it| it.is_alphanumeric() || " -_".contains(*it));
        kept.map(|it| if it == ' ' { '-' } else { it }).collect()
    };
    text.lines().filter(is_heading).map(name).collect()
}

/// The links and inclusions of a page that point to no file, or to no heading of it.
pub(crate) fn broken_links(page: &Page) -> Vec<String> {
    let is_broken = |link: &String| {
        let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
        let target = crate_folder().join(page.path.parent().unwrap()).join(path);
        if anchor.is_empty() {
            return !target.exists();
        }
        let text = if path.is_empty() { Ok(page.text.clone()) } else { fs::read_to_string(target) };
        text.map_or(true, |text| !anchors(&text).iter().any(|it| it == anchor))
    };
    let all = [links(&page.text), inclusions(&page.text)].concat();
    all.into_iter().filter(is_broken).collect()
}

/// The paths between backticks that are written as from the crate's folder, and lead nowhere.
pub(crate) fn paths_to_nothing(page: &Page) -> Vec<String> {
    let is_path = |it: &&str| {
        let folders = ["docs/", "examples/", "race/", "src/", "tests/"];
        folders.iter().any(|folder| it.starts_with(folder)) && !it.contains(['*', ' ', '<'])
    };
    let quoted = page.text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let gone = quoted.filter(is_path).filter(|it| !crate_folder().join(it).exists());
    gone.map(str::to_owned).collect()
}

/// The pages with programs in them that no doc test compiles: `lib` is the text that includes the others.
pub(crate) fn programs_that_nobody_compiles(pages: &[Page], lib: &str) -> Vec<String> {
    let has_program = |page: &&Page| page.text.contains("```rust");
    let is_included = |page: &&Page| lib.contains(&format!("\"../{}\"", page.path.display()));
    let forgotten = pages.iter().filter(has_program).filter(|it| !is_included(it));
    forgotten.map(|it| it.path.display().to_string()).collect()
}

/// The chapters of the guide that its contents do not list.
pub(crate) fn chapters_without_an_entry(pages: &[Page]) -> Vec<String> {
    let folder = Path::new("docs/guide/src");
    let contents = pages.iter().find(|it| it.path == folder.join("SUMMARY.md")).unwrap();
    let chapters = pages.iter().filter(|it| it.path.parent() == Some(folder));
    let names =
        chapters.filter_map(|it| it.path.file_name()?.to_str()).filter(|it| *it != "SUMMARY.md");
    let listed = links(&contents.text);
    names.filter(|name| !listed.iter().any(|it| it == name)).map(str::to_owned).collect()
}

/// The examples that the README does not list.
pub(crate) fn examples_without_a_row(readme: &str) -> Vec<String> {
    let files = fs::read_dir(crate_folder().join("examples")).unwrap();
    let paths = files.map(|it| it.unwrap().path());
    let programs = paths.filter(|it| it.extension().is_some_and(|it| it == "rs"));
    let names = programs.map(|it| it.file_name().unwrap().to_str().unwrap().to_owned());
    names.filter(|it| !readme.contains(&format!("(examples/{it})"))).collect()
}
