//! Picks the paths of a column from a sample of its documents.

use std::collections::HashMap;

use common_types::{Column, json::each_member};

use super::FlatJson;

/// Documents looked at.
const SAMPLE: usize = 1024;
/// Objects in objects that are looked into.
const DEPTH_MAX: usize = 4;
/// Keys of one object that are told apart.
const KEYS_MAX: usize = 2048;
/// Longest key of a path.
const KEY_BYTES_MAX: usize = 256;

/// Paths as a tree; the children of a node are in byte order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    pub children: Vec<(Vec<u8>, Branch)>,
}

/// What a key leads to.
#[derive(Clone, Debug, PartialEq)]
pub enum Branch {
    /// The path with this number.
    Leaf(usize),
    Inner(Choice),
}

#[derive(Default)]
struct Seen {
    times: usize,
    /// Times it was an object with members.
    objects: usize,
    members: HashMap<Vec<u8>, Seen>,
}

impl Seen {
    fn look(&mut self, text: &[u8], depth: usize) {
        each_member(text, |key, value| {
            // Keys with escapes are not worth the trouble.
            if key.len() > KEY_BYTES_MAX || key.contains(&b'\\') || std::str::from_utf8(key).is_err() {
                return;
            }
            if !self.members.contains_key(key) && self.members.len() >= KEYS_MAX {
                return;
            }
            let member = self.members.entry(key.to_vec()).or_default();
            member.times += 1;
            if value.first() == Some(&b'{') && value.len() > 2 && depth < DEPTH_MAX {
                member.objects += 1;
                member.look(value, depth + 1);
            }
        });
    }

    /// Leaves seen often enough, as (times, path).
    fn leaves(&self, least: usize, path: &mut Vec<Vec<u8>>, out: &mut Vec<(usize, Vec<Vec<u8>>)>) {
        for (key, member) in self.members.iter().filter(|(_, m)| m.times >= least) {
            path.push(key.clone());
            if member.objects == member.times {
                member.leaves(least, path, out);
            } else {
                out.push((member.times, path.clone()));
            }
            path.pop();
        }
    }
}

impl Choice {
    /// The paths worth columns of their own, and the tree they make; `None` when there are none.
    pub fn of(pages: &[Column], options: FlatJson) -> Option<(Self, Vec<Vec<String>>)> {
        let rows: usize = pages.iter().map(Column::len).sum();
        let step = (rows / SAMPLE).max(1);
        let (mut root, mut sampled, mut nulls) = (Seen::default(), 0usize, 0usize);
        let mut first = 0;
        for page in pages {
            let flat = page.flatten();
            let texts = flat.str_view()?;
            let is_null = flat.nulls();
            for row in (first..page.len()).step_by(step) {
                if is_null.as_ref().is_some_and(|n| n.is_null(row)) {
                    nulls += 1;
                } else {
                    sampled += 1;
                    root.look(texts.get(row), 1);
                }
            }
            // The next page goes on where the step leads.
            first = (first + (page.len().saturating_sub(first)).div_ceil(step) * step).saturating_sub(page.len());
        }
        if sampled == 0 || nulls as f64 > options.nulls_max * (sampled + nulls) as f64 {
            return None;
        }
        let least = ((options.share_min * sampled as f64).ceil() as usize).max(1);
        let mut found = Vec::new();
        root.leaves(least, &mut Vec::new(), &mut found);
        found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        found.truncate(options.paths_max);
        let mut paths: Vec<Vec<Vec<u8>>> = found.into_iter().map(|(_, path)| path).collect();
        paths.sort();
        let mut tree = Self::default();
        for (number, path) in paths.iter().enumerate() {
            tree.add(path, number);
        }
        let text = |key: Vec<u8>| String::from_utf8(key).ok();
        let paths: Option<Vec<Vec<String>>> = paths.into_iter().map(|path| path.into_iter().map(text).collect()).collect();
        paths.filter(|p| !p.is_empty()).map(|paths| (tree, paths))
    }

    /// The tree of paths read from a file.
    pub fn from_paths<'a>(paths: impl Iterator<Item = &'a [String]>) -> Self {
        let mut tree = Self::default();
        for (number, path) in paths.enumerate() {
            let path: Vec<Vec<u8>> = path.iter().map(|key| key.as_bytes().to_vec()).collect();
            tree.add(&path, number);
        }
        tree
    }

    fn add(&mut self, path: &[Vec<u8>], number: usize) {
        let Some((key, rest)) = path.split_first() else { return };
        let at = match self.children.binary_search_by(|(k, _)| k.cmp(key)) {
            Ok(at) => at,
            Err(at) => {
                let branch = if rest.is_empty() { Branch::Leaf(number) } else { Branch::Inner(Self::default()) };
                self.children.insert(at, (key.clone(), branch));
                at
            }
        };
        if let Branch::Inner(below) = &mut self.children[at].1 {
            below.add(rest, number);
        }
    }

    /// What a key leads to.
    pub fn get(&self, key: &[u8]) -> Option<&Branch> {
        self.children.binary_search_by(|(k, _)| k.as_slice().cmp(key)).ok().map(|at| &self.children[at].1)
    }
}
