//! The text of conf files: `key = value`, `#` comment lines, `${NAME}` expansion, and rendering a commented template.

use std::fmt::Write as _;

use super::KeyDef;
use crate::{Result, bail, err};

/// One setting of a conf file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Line in the file, from 1.
    pub number: usize,
    pub key: String,
    /// Trimmed, expanded, outer double quotes removed.
    pub value: String,
}

/// Reads the settings of a conf file. `${NAME}` is looked up in `env`, then among the settings above it.
pub fn parse(text: &str, file_name: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Line>> {
    let mut lines: Vec<Line> = Vec::new();
    for (i, raw) in text.lines().enumerate() {
        let number = i + 1;
        let raw = raw.trim();
        if raw.is_empty() || raw.starts_with('#') {
            continue;
        }
        let Some((key, value)) = raw.split_once('=') else {
            bail!(InvalidArgument, "{file_name}:{number}: 'key = value' expected, found '{raw}'");
        };
        let value = value.trim();
        let value = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
        let known =
            |name: &str| env(name).or_else(|| lines.iter().rev().find(|l| l.key == name).map(|l| l.value.clone()));
        let is_for_scripts = !key.chars().any(|c| c.is_ascii_lowercase());
        let value = match expand(value, &known) {
            Ok(value) => value,
            // The start script's own settings may use the shell's syntax.
            Err(_) if is_for_scripts => value.to_owned(),
            Err(e) => bail!(InvalidArgument, "{file_name}:{number}: {}", e.message()),
        };
        lines.push(Line { number, key: key.trim().to_owned(), value });
    }
    Ok(lines)
}

fn expand(value: &str, known: &dyn Fn(&str) -> Option<String>) -> Result<String> {
    let mut out = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let (name, tail) =
            after.split_once('}').ok_or_else(|| err!(InvalidArgument, "no '}}' after '${{' in '{value}'"))?;
        out.push_str(&known(name).ok_or_else(|| err!(InvalidArgument, "environment variable {name} is not set"))?);
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

/// A commented conf file: every key with its text and its default, commented out.
pub fn render_conf(title: &str, sections: &[(&str, &[KeyDef])]) -> String {
    let mut out = format!("# {title}\n");
    for (section, keys) in sections {
        // Writing to a String does not fail.
        let _ = write!(out, "\n#### {section}\n");
        for key in keys.iter().filter(|k| k.acts()) {
            out.push('\n');
            for line in doc_lines(key.doc) {
                let _ = writeln!(out, "# {line}");
            }
            if key.mutable {
                out.push_str("# Can be changed while the process runs.\n");
            }
            let _ = writeln!(out, "{}", format!("# {} = {}", key.name, key.default).trim_end());
        }
    }
    out
}

/// A conf file with one setting replaced, or added at the end; everything else stays as it is.
pub fn replace_value(text: &str, key: &str, value: &str) -> String {
    let mut out = String::new();
    let mut done = false;
    for line in text.lines() {
        let is_key = !line.trim_start().starts_with('#') && line.split_once('=').is_some_and(|(k, _)| k.trim() == key);
        if is_key {
            // The last of several settings wins when read: keep one.
            if done {
                continue;
            }
            done = true;
            out.push_str(&format!("{key} = {value}"));
        } else {
            out.push_str(line);
        }
        out.push('\n');
    }
    if !done {
        out.push_str(&format!("{key} = {value}\n"));
    }
    out
}

/// The lines of a doc comment without the blank that follows the slashes.
pub(super) fn doc_lines(doc: &str) -> impl Iterator<Item = &str> {
    doc.lines().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ConfigKey, KeyDef};

    static PORT: ConfigKey<u16> = ConfigKey::new("port", "1", " The port.\n Really.\n", true, &[]);
    static KEYS: &[KeyDef] = &[ConfigKey::<String>::new("dir", "", " Where.\n", false, &[]).def()];

    #[test]
    fn lines_are_parsed_and_expanded() {
        let env = |name: &str| (name == "HOME").then(|| "/h".to_owned());
        let lines = parse(" a = \"x y\" \n#c\nLOG=${HOME}/log\nDATE = `date`${!x}\nb=${LOG}/b=1\n", "f", &env).unwrap();
        let pairs: Vec<_> = lines.iter().map(|l| (l.number, l.key.as_str(), l.value.as_str())).collect();
        assert_eq!(pairs, [(1, "a", "x y"), (3, "LOG", "/h/log"), (4, "DATE", "`date`${!x}"), (5, "b", "/h/log/b=1")]);
        assert_eq!(
            parse("\nnonsense", "f", &env).unwrap_err().message(),
            "f:2: 'key = value' expected, found 'nonsense'"
        );
        assert_eq!(parse("a = ${NO}", "f", &env).unwrap_err().message(), "f:1: environment variable NO is not set");
    }

    #[test]
    fn templates_and_replacements() {
        let text = render_conf("FE", &[("Ports", &[PORT.def()]), ("Dirs", KEYS)]);
        let expected = "# FE\n\n#### Ports\n\n# The port.\n# Really.\n# Can be changed while the process runs.\n# port = 1\n\n#### Dirs\n\n# Where.\n# dir =\n";
        assert_eq!(text, expected);
        assert_eq!(
            replace_value("# port = 1\nport=2\nx = 1\nport = 3\n", "port", "9"),
            "# port = 1\nport = 9\nx = 1\n"
        );
        assert_eq!(replace_value("x = 1", "port", "9"), "x = 1\nport = 9\n");
    }
}
