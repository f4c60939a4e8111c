//! The text of the tree: every file we write, and for Rust the code without comments and literals and which lines are tests.

use std::io;
use std::path::Path;

/// Directories of the workspace that hold our files.
const ROOTS: &[&str] = &["be", "benches", "bin", "broker", "common", "conf", "docs", "fe", "proto", "tests"];
/// Directories that hold none.
const SKIPPED: &[&str] = &["target", "node_modules", "dist", "testdata", "meta", "storage", "log"];
const EXTENSIONS: &[&str] = &["rs", "toml", "proto", "md", "sh", "conf", "slt"];

/// The files of the workspace.
#[derive(Debug, Default)]
pub struct Tree {
    pub files: Vec<SourceFile>,
}

/// One file.
#[derive(Debug)]
pub struct SourceFile {
    /// Path below the workspace root, with `/`.
    pub path: String,
    pub text: String,
    /// For Rust: the text with comments and literals blanked, line by line as long as the original; else empty.
    pub code: String,
    /// For Rust: per line, whether it belongs to tests.
    pub test_lines: Vec<bool>,
}

impl Tree {
    /// Reads the tree below `root`.
    pub fn load(root: &Path) -> io::Result<Self> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(root)? {
            let path = entry?.path();
            if path.is_file() {
                read_file(root, &path, &mut files)?;
            }
        }
        for dir in ROOTS {
            walk(root, &root.join(dir), &mut files)?;
        }
        files.sort();
        let pairs: Vec<(&str, &str)> = files.iter().map(|(p, t)| (p.as_str(), t.as_str())).collect();
        Ok(Self::of(&pairs))
    }

    /// A tree of the given files.
    pub fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            let is_rust = path.ends_with(".rs");
            let code = if is_rust { mask(text) } else { String::new() };
            let test_lines = if is_rust { test_lines(path, &code) } else { Vec::new() };
            tree.files.push(SourceFile { path: (*path).to_owned(), text: (*text).to_owned(), code, test_lines });
        }
        tree.mark_test_modules();
        tree
    }

    /// The Rust files.
    pub fn rust(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter().filter(|f| f.path.ends_with(".rs"))
    }

    /// `#[cfg(test)] mod x;` makes the whole file of `x` a test.
    fn mark_test_modules(&mut self) {
        let mut test_files = Vec::new();
        for file in self.rust() {
            let dir = module_dir(&file.path);
            for (i, line) in file.code.lines().enumerate() {
                let name = line.trim().trim_start_matches("pub").trim_start_matches("(crate)").trim();
                if let Some(name) = name.strip_prefix("mod ").and_then(|n| n.strip_suffix(';'))
                    && file.test_lines.get(i).copied().unwrap_or(false)
                {
                    test_files.push(format!("{dir}/{name}.rs"));
                    test_files.push(format!("{dir}/{name}/"));
                }
            }
        }
        for file in &mut self.files {
            if test_files.iter().any(|t| file.path == *t || (t.ends_with('/') && file.path.starts_with(t.as_str()))) {
                file.test_lines.fill(true);
            }
        }
    }
}

/// The directory in which a file's `mod x;` lines look for `x`.
pub fn module_dir(path: &str) -> String {
    let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
    match name {
        "mod.rs" | "lib.rs" | "main.rs" => dir.to_owned(),
        _ => format!("{dir}/{}", name.trim_end_matches(".rs")),
    }
}

fn walk(root: &Path, dir: &Path, files: &mut Vec<(String, String)>) -> io::Result<()> {
    if !dir.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !SKIPPED.contains(&name.as_str()) && !name.starts_with('.') {
                walk(root, &path, files)?;
            }
        } else {
            read_file(root, &path, files)?;
        }
    }
    Ok(())
}

fn read_file(root: &Path, path: &Path, files: &mut Vec<(String, String)>) -> io::Result<()> {
    if path.extension().is_some_and(|e| EXTENSIONS.iter().any(|x| e == *x)) {
        let name = path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/");
        files.push((name, String::from_utf8_lossy(&std::fs::read(path)?).into_owned()));
    }
    Ok(())
}

/// Blanks comments, string and character literals; line ends stay, so positions do too.
pub fn mask(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while i < chars.len() {
        let end = match (chars[i], chars.get(i + 1)) {
            ('/', Some('/')) => (i..chars.len()).find(|j| chars[*j] == '\n').unwrap_or(chars.len()),
            ('/', Some('*')) => block_comment_end(&chars, i),
            ('"', _) => string_end(&chars, i),
            ('r', Some('"' | '#')) if !follows_ident(&chars, i) => raw_string_end(&chars, i).unwrap_or(i),
            ('\'', _) => char_end(&chars, i).unwrap_or(i),
            _ => i,
        };
        if end == i {
            out.push(chars[i]);
            i += 1;
        } else {
            out.extend(chars[i..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            i = end;
        }
    }
    out
}

fn follows_ident(chars: &[char], i: usize) -> bool {
    // `br"…"` and `cr"…"` are raw strings too.
    let before = |n: usize| i.checked_sub(n).map(|j| chars[j]);
    match before(1) {
        Some('b' | 'c') => before(2).is_some_and(|c| c.is_alphanumeric() || c == '_'),
        Some(c) => c.is_alphanumeric() || c == '_',
        None => false,
    }
}

fn block_comment_end(chars: &[char], start: usize) -> usize {
    let (mut i, mut depth) = (start, 0);
    while i < chars.len() {
        match (chars[i], chars.get(i + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                i += 2;
            }
            ('*', Some('/')) => {
                depth -= 1;
                i += 2;
                if depth == 0 {
                    return i;
                }
            }
            _ => i += 1,
        }
    }
    chars.len()
}

fn string_end(chars: &[char], start: usize) -> usize {
    let mut i = start + 1;
    while i < chars.len() {
        match chars[i] {
            '\\' => i += 2,
            '"' => return i + 1,
            _ => i += 1,
        }
    }
    chars.len()
}

fn raw_string_end(chars: &[char], start: usize) -> Option<usize> {
    let hashes = chars[start + 1..].iter().take_while(|c| **c == '#').count();
    let open = start + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return None;
    }
    let is_close =
        |j: usize| chars[j] == '"' && chars[j + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
    Some((open + 1..chars.len()).find(|j| is_close(*j)).map_or(chars.len(), |j| j + 1 + hashes))
}

/// The end of a character literal; `None` for a lifetime.
fn char_end(chars: &[char], start: usize) -> Option<usize> {
    if chars.get(start + 1) == Some(&'\\') {
        let close = (start + 3..chars.len()).find(|j| chars[*j] == '\'')?;
        return Some(close + 1);
    }
    (chars.get(start + 2) == Some(&'\'')).then_some(start + 3)
}

/// Per line of the masked code, whether it belongs to an item under `#[cfg(test)]` or `#[test]`, or to a test file.
fn test_lines(path: &str, code: &str) -> Vec<bool> {
    let lines: Vec<&str> = code.lines().collect();
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_test_file = name == "tests.rs"
        || name.ends_with("_tests.rs")
        || path.starts_with("tests/")
        || path.starts_with("benches/")
        || path.contains("/examples/")
        || path.contains("/tests/");
    let mut out = vec![is_test_file; lines.len()];
    let mut i = 0;
    while i < lines.len() {
        let line = lines[i].trim();
        if !(line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(all(test")) {
            i += 1;
            continue;
        }
        let end = item_end(&lines, i);
        out[i..end].fill(true);
        i = end;
    }
    out
}

/// The line after the item that starts at `start`: after its closing brace, or its semicolon when it has no braces.
fn item_end(lines: &[&str], start: usize) -> usize {
    let mut depth = 0i64;
    let mut brackets = 0i64;
    for (i, line) in lines.iter().enumerate().skip(start) {
        for c in line.chars() {
            match c {
                '(' | '[' => brackets += 1,
                ')' | ']' => brackets -= 1,
                '{' => depth += 1,
                '}' => {
                    depth -= 1;
                    if depth == 0 {
                        return i + 1;
                    }
                }
                ';' if depth == 0 && brackets == 0 => return i + 1,
                _ => {}
            }
        }
    }
    lines.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked() {
        let text = "let a = \"x.unwrap() \\\" y\"; // .unwrap()\nlet c = '\"'; let l: &'a str = r#\"dbg!(\"1\")\"#; /* a /* b */ c */ f('\\'');\n";
        let code = mask(text);
        assert!(!code.contains("unwrap") && !code.contains("dbg"), "{code}");
        assert!(code.contains("let l: &'a str =") && code.contains("f("), "{code}");
        assert_eq!(
            code.lines().map(|l| l.chars().count()).collect::<Vec<_>>(),
            text.lines().map(|l| l.chars().count()).collect::<Vec<_>>()
        );
    }

    #[test]
    fn test_items_are_found() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { {} }\n}\nfn c() {}\n#[cfg(test)]\nmod more;\nfn d() {}\n";
        let tree =
            Tree::of(&[("x/src/lib.rs", text), ("x/src/more.rs", "fn e() {}\n"), ("x/src/y_tests.rs", "fn f() {}\n")]);
        assert_eq!(tree.files[0].test_lines, [false, true, true, true, true, false, true, true, false]);
        assert_eq!((&tree.files[1].test_lines, &tree.files[2].test_lines), (&vec![true], &vec![true]));
    }
}
