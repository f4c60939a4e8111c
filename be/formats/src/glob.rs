//! Paths with patterns: `*`, `?`, `[a-z]`, `[!a]`, `{x,y}` within a directory's names.

use std::path::{Path, PathBuf};

use common_base::{Result, bail, ensure, fs::{DirEntry, FileSystem}};

/// Most files a pattern may stand for.
const FILES_MAX: usize = 100_000;
/// Most alternatives of `{a,b}` groups together.
const ALTERNATIVES_MAX: usize = 1000;

/// A file or directory that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub path: PathBuf,
    pub is_dir: bool,
    pub len: u64,
}

/// Whether the text has characters of patterns.
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '[', '{'])
}

/// The part of a path before its first pattern: nothing outside of it can match.
pub fn fixed_part(path: &str) -> PathBuf {
    let mut out = PathBuf::new();
    for part in Path::new(path).components() {
        if is_pattern(&part.as_os_str().to_string_lossy()) {
            break;
        }
        out.push(part);
    }
    out
}

/// What a path stands for, by path. A directory stands for what it holds, with `recursive` for all below it.
pub fn list(fs: &dyn FileSystem, path: &str, recursive: bool) -> Result<Vec<Found>> {
    ensure!(path.starts_with('/'), InvalidArgument, "path '{path}' is not absolute");
    let mut out = Vec::new();
    for path in alternatives(path)? {
        expand(fs, &path, recursive, &mut out)?;
    }
    out.sort_by(|a, b| a.path.cmp(&b.path));
    out.dedup();
    Ok(out)
}

fn expand(fs: &dyn FileSystem, path: &str, recursive: bool, out: &mut Vec<Found>) -> Result<()> {
    let whole_dir = path.ends_with('/');
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
    let mut found = vec![Found { path: PathBuf::from("/"), is_dir: true, len: 0 }];
    for part in &parts {
        ensure!(!matches!(*part, "." | ".."), InvalidArgument, "path '{path}' has '.' or '..' in it");
        let mut next = Vec::new();
        for dir in found.into_iter().filter(|f| f.is_dir) {
            if is_pattern(part) {
                let entries = fs.list(&dir.path)?;
                let matching = entries.into_iter().filter(|e| !e.name.starts_with(['.', '_']) && matches(part.as_bytes(), e.name.as_bytes()));
                next.extend(matching.map(|e| entry(&dir.path, e)));
            } else {
                let path = dir.path.join(part);
                // One look decides all: a directory can be listed.
                match fs.list(&path) {
                    Ok(_) => next.push(Found { path, is_dir: true, len: 0 }),
                    Err(_) if fs.exists(&path)? => next.push(Found { len: fs.len(&path)?, path, is_dir: false }),
                    Err(_) => {}
                }
            }
            ensure!(next.len() <= FILES_MAX, InvalidArgument, "path '{path}' stands for more than {FILES_MAX} files");
        }
        found = next;
    }
    let last_is_pattern = parts.last().is_some_and(|p| is_pattern(p));
    for f in found {
        match f.is_dir && (whole_dir || !last_is_pattern || recursive) {
            true => below(fs, &f.path, recursive, out)?,
            false => out.push(f),
        }
        ensure!(out.len() <= FILES_MAX, InvalidArgument, "path '{path}' stands for more than {FILES_MAX} files");
    }
    Ok(())
}

fn below(fs: &dyn FileSystem, dir: &Path, recursive: bool, out: &mut Vec<Found>) -> Result<()> {
    for e in fs.list(dir)? {
        // Hidden files and those of writers that have not finished are nobody's.
        if e.name.starts_with(['.', '_']) {
            continue;
        }
        let f = entry(dir, e);
        if f.is_dir && recursive {
            below(fs, &f.path, true, out)?;
        } else {
            out.push(f);
        }
        if out.len() > FILES_MAX {
            bail!(InvalidArgument, "directory '{}' has more than {FILES_MAX} files", dir.display());
        }
    }
    Ok(())
}

fn entry(dir: &Path, e: DirEntry) -> Found {
    Found { path: dir.join(e.name), is_dir: e.is_dir, len: e.len }
}

/// The path for each choice of its `{a,b}` groups.
fn alternatives(path: &str) -> Result<Vec<String>> {
    let Some(open) = path.find('{') else { return Ok(vec![path.to_owned()]) };
    let Some(close) = path[open..].find('}').map(|at| open + at) else {
        bail!(InvalidArgument, "path '{path}' has '{{' without '}}'")
    };
    let mut out = Vec::new();
    for choice in path[open + 1..close].split(',') {
        out.extend(alternatives(&format!("{}{choice}{}", &path[..open], &path[close + 1..]))?);
        ensure!(out.len() <= ALTERNATIVES_MAX, InvalidArgument, "path '{path}' has more than {ALTERNATIVES_MAX} alternatives");
    }
    Ok(out)
}

/// Whether a name is of a pattern; one point to come back to suffices, as only the last `*` can take more.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while n < name.len() {
        let step = match pattern.get(p) {
            Some(b'*') => {
                back = Some((p + 1, n));
                p += 1;
                continue;
            }
            Some(b'?') => Some(p + 1),
            Some(b'[') => class(pattern, p, name[n]),
            Some(c) if *c == name[n] => Some(p + 1),
            _ => None,
        };
        match (step, back) {
            (Some(next), _) => (p, n) = (next, n + 1),
            (None, Some((after, from))) => {
                (p, n) = (after, from + 1);
                back = Some((after, from + 1));
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

/// The position after a class that the byte is in.
fn class(pattern: &[u8], open: usize, byte: u8) -> Option<usize> {
    let close = open + 1 + pattern[open + 1..].iter().skip(1).position(|c| *c == b']')? + 1;
    let inside = &pattern[open + 1..close];
    let (negated, inside) = match inside.first() {
        Some(b'!' | b'^') => (true, &inside[1..]),
        _ => (false, inside),
    };
    let mut found = false;
    let mut i = 0;
    while i < inside.len() {
        if i + 2 < inside.len() && inside[i + 1] == b'-' {
            found |= inside[i] <= byte && byte <= inside[i + 2];
            i += 3;
        } else {
            found |= inside[i] == byte;
            i += 1;
        }
    }
    (found != negated).then_some(close + 1)
}

#[cfg(test)]
mod tests {
    use common_base::fs::MemFs;

    use super::*;

    #[test]
    fn patterns() {
        let cases = [
            ("*.parquet", "a.parquet", true),
            ("*.parquet", "a.csv", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("?.x", "q.x", true),
            ("[a-c]1", "b1", true),
            ("[a-c]1", "d1", false),
            ("[!a-c]1", "d1", true),
            ("*", "", true),
            ("x", "", false),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn paths_stand_for_files() {
        let fs = MemFs::new();
        for dir in ["/d/x", "/d/y", "/e"] {
            fs.mkdir_all(Path::new(dir)).unwrap();
        }
        for file in ["/d/1.csv", "/d/2.csv", "/d/3.txt", "/d/.hidden", "/d/x/4.csv", "/d/y/5.csv"] {
            fs.create(Path::new(file)).unwrap().append(b"abc").unwrap();
        }
        let names = |path: &str, recursive: bool| -> Vec<String> {
            list(&fs, path, recursive).unwrap().iter().map(|f| f.path.to_string_lossy().into_owned()).collect()
        };
        assert_eq!(names("/d/*.csv", false), ["/d/1.csv", "/d/2.csv"]);
        assert_eq!(names("/d/1.csv", false), ["/d/1.csv"]);
        assert_eq!(names("/d/{1,3}.*", false), ["/d/1.csv", "/d/3.txt"]);
        assert_eq!(names("/d/*/*.csv", false), ["/d/x/4.csv", "/d/y/5.csv"]);
        assert_eq!(names("/d/", false), ["/d/1.csv", "/d/2.csv", "/d/3.txt", "/d/x", "/d/y"]);
        assert_eq!(names("/d", true), ["/d/1.csv", "/d/2.csv", "/d/3.txt", "/d/x/4.csv", "/d/y/5.csv"]);
        assert_eq!(names("/d/none*", false), Vec::<String>::new());
        assert_eq!(names("/nowhere/x", false), Vec::<String>::new());
        assert!(list(&fs, "/d/../etc/x", false).is_err());
        assert!(list(&fs, "d/x", false).is_err());
        assert_eq!(fixed_part("/d/x*/y"), Path::new("/d"));
    }
}
