//! The files of the crate, and their text.

use crate::reading::without_comments_and_strings;
use std::fs;
use std::path::Path;

/// One file below `src`.
pub(crate) struct Source {
    /// With `/` between folders, as in `task/cell.rs`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    /// The room that it belongs to: its folder, or its own name at the top.
    pub(crate) fn room(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// Whether all of the file is a unit test.
    pub(crate) fn is_test(&self) -> bool {
        self.path.ends_with("tests.rs")
    }

    pub(crate) fn is_model_test(&self) -> bool {
        self.path.ends_with("model_tests.rs")
    }

    /// The text with comments, strings and the unit tests at its end blanked out, line by line.
    pub(crate) fn code(&self) -> String {
        let code = without_comments_and_strings(&self.text);
        let is_test = |line: &str| line.starts_with("#[cfg(") && line.contains("test");
        let lines: Vec<&str> = code.lines().collect();
        let end = lines.windows(2).position(|pair| is_test(pair[0]) && pair[1] == "mod tests {");
        lines[..end.unwrap_or(lines.len())].join("\n")
    }

    pub(crate) fn at(&self, line: usize, what: impl std::fmt::Display) -> String {
        format!("src/{}:{}: {what}", self.path, line + 1)
    }
}

/// Every Rust file below `src`.
pub(crate) fn sources() -> Vec<Source> {
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

pub(crate) fn rust(sources: &[Source]) -> impl Iterator<Item = &Source> {
    sources.iter().filter(|source| source.path.ends_with(".rs"))
}
