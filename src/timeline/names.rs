//! What a task is called.

use crate::sync::Arc;
use std::borrow::Cow;

/// The name of a task, as it was given.
#[derive(Debug, Clone)]
pub(crate) enum Name {
    Label(Arc<str>),
    /// The name of the function's type.
    Function(&'static str),
}

impl Name {
    /// For people. `number` is the task's.
    pub(super) fn text(&self, number: u64) -> Cow<'_, str> {
        match self {
            Name::Label(label) => Cow::Borrowed(label),
            Name::Function(path) => match short(path) {
                Some(name) => Cow::Owned(name),
                None => Cow::Owned(format!("task {number}")),
            },
        }
    }
}

/// The last part of the path of a function, if its type has a path: not if it is a pointer.
fn short(path: &str) -> Option<String> {
    let path = without_generics(path);
    let is_name = |part: &&str| part.starts_with(|it: char| it.is_alphabetic() || it == '_');
    let is_path = !path.contains([' ', '(', '&', '[']);
    let mut parts = path.split("::").collect::<Vec<_>>();
    let is_closure = parts.last() == Some(&"{{closure}}");
    parts.retain(is_name);
    let last = parts.pop().filter(|_| is_path)?;
    if is_closure {
        return Some(format!("closure in {last}"));
    }
    let is_type = |part: &&str| part.starts_with(char::is_uppercase);
    // A function is not the only one of its name if it belongs to a type; and a type is none.
    match parts.pop().filter(is_type) {
        _ if is_type(&last) => None,
        Some(of) => Some(format!("{of}::{last}")),
        None => Some(last.to_owned()),
    }
}

fn without_generics(path: &str) -> String {
    let mut depth = 0;
    let mut rest = String::new();
    for part in path.replace("->", "  ").chars() {
        match part {
            '<' => depth += 1,
            '>' => depth -= 1,
            _ if depth == 0 => rest.push(part),
            _ => {}
        }
    }
    rest
}

#[cfg(all(test, not(concurrent_futures_loom)))]
mod tests {
    use super::short;

    #[test]
    fn a_function_is_called_by_the_end_of_its_path() {
        let cases = [
            ("primes::is_prime", Some("is_prime")),
            ("primes::main::{{closure}}", Some("closure in main")),
            ("a::b::{{closure}}::{{closure}}", Some("closure in b")),
            ("core::str::<impl str>::len", Some("len")),
            ("app::parse<alloc::vec::Vec<u8>>", Some("parse")),
            ("app::Page::render", Some("Page::render")),
            ("app::Page<fn(u8) -> u8>::render", Some("Page::render")),
            ("fn(u64) -> bool", None),
            ("alloc::boxed::Box<dyn core::ops::FnOnce() -> u8>", None),
            ("&app::f", None),
            ("", None),
        ];
        for (path, name) in cases {
            assert_eq!(short(path).as_deref(), name, "{path}");
        }
    }
}
