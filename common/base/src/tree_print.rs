//! The tree printer used by EXPLAIN, memo, profile and dumps: one look for every tree of the product.

/// A node of a tree to print: its lines, then its children.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TreeNode {
    lines: Vec<String>,
    children: Vec<TreeNode>,
}

impl TreeNode {
    /// A node with one line.
    pub fn new(line: impl Into<String>) -> Self {
        Self { lines: vec![line.into()], children: Vec::new() }
    }

    /// Adds a line below the first.
    pub fn line(&mut self, line: impl Into<String>) -> &mut Self {
        self.lines.push(line.into());
        self
    }

    /// Adds a child.
    pub fn child(&mut self, child: TreeNode) -> &mut Self {
        self.children.push(child);
        self
    }

    /// Adds a child, for building in one expression.
    #[must_use]
    pub fn with_child(mut self, child: TreeNode) -> Self {
        self.children.push(child);
        self
    }

    /// Adds a line, for building in one expression.
    #[must_use]
    pub fn with_line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// The tree as text, every line ended.
    pub fn render(&self) -> String {
        let mut out = String::new();
        self.render_into(&mut out, "", "");
        out
    }

    fn render_into(&self, out: &mut String, first: &str, rest: &str) {
        let stem = if self.children.is_empty() { "  " } else { "│ " };
        for (i, line) in self.lines.iter().enumerate() {
            if i == 0 {
                out.push_str(first);
            } else {
                out.push_str(rest);
                out.push_str(stem);
            }
            out.push_str(line);
            // A last line of blanks would be trailing whitespace in golden files.
            out.truncate(out.trim_end_matches(' ').len());
            out.push('\n');
        }
        for (i, child) in self.children.iter().enumerate() {
            let last = i + 1 == self.children.len();
            let (branch, below) = if last { ("└── ", "    ") } else { ("├── ", "│   ") };
            child.render_into(out, &format!("{rest}{branch}"), &format!("{rest}{below}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_have_one_look() {
        let scan = |t: &str| TreeNode::new(format!("scan {t}")).with_line("rows: 1");
        let tree = TreeNode::new("join")
            .with_line("on: a = b")
            .with_child(TreeNode::new("filter").with_child(scan("x")))
            .with_child(scan("y"));
        let expected = "\
join
│ on: a = b
├── filter
│   └── scan x
│         rows: 1
└── scan y
      rows: 1
";
        assert_eq!(tree.render(), expected);
    }
}
