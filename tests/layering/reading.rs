//! As much of Rust as the rules have to read: what is code, its tokens, and its paths.

/// Replaces comments and the contents of literals by spaces; line breaks stay.
pub(crate) fn without_comments_and_strings(text: &str) -> String {
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
pub(crate) fn tokens(code: &str) -> Vec<(usize, String)> {
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
pub(crate) fn paths(code: &str) -> Vec<(usize, String)> {
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

pub(crate) fn is_name(token: &str) -> bool {
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
