//! The configuration of a running process: declared keys with their current values, loading a conf file over the defaults,
//! changing mutable keys, and the rows of SHOW CONFIG.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use super::{ConfigKey, ConfigValue, Effect, KeyDef, file};
use crate::{ErrorCode, Result, ResultExt, ensure, err};

/// The values of a process's keys; clones share them.
#[derive(Clone, Debug)]
pub struct ConfigSet {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    keys: BTreeMap<&'static str, KeyDef>,
    /// Alias → name.
    aliases: HashMap<&'static str, &'static str>,
    /// Only values that differ from the default.
    values: RwLock<HashMap<&'static str, String>>,
    /// Raised by every change, for readers that keep a parsed copy.
    version: AtomicU64,
}

/// One row of SHOW CONFIG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigRow {
    pub name: &'static str,
    pub aliases: String,
    pub value: String,
    pub default: &'static str,
    pub type_name: &'static str,
    pub mutable: bool,
    pub comment: String,
}

impl ConfigSet {
    /// The declared keys at their defaults; fails when a key is declared twice or its default is not of its type.
    pub fn new(lists: &[&[KeyDef]]) -> Result<Self> {
        let mut keys = BTreeMap::new();
        let mut aliases = HashMap::new();
        for def in lists.iter().flat_map(|l| l.iter()) {
            (def.check)(def.default).with_context(|| format!("checking the default of {}", def.name))?;
            ensure!(
                keys.insert(def.name, *def).is_none(),
                Internal,
                "configuration key {} is declared twice",
                def.name
            );
            for alias in def.aliases {
                aliases.insert(*alias, def.name);
            }
        }
        let inner = Inner { keys, aliases, values: RwLock::default(), version: AtomicU64::new(0) };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Reads `key = value` text over the current values. Returns warnings (keys that are unknown or do nothing here); a bad value is an error that names
    /// file and line. `env` resolves `${NAME}`.
    pub fn load(&self, text: &str, file_name: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Vec<String>> {
        let mut warnings = Vec::new();
        for line in file::parse(text, file_name, env)? {
            // Upper-case names are for the start scripts (LOG_DIR, JAVA_OPTS, DATE).
            if !line.key.chars().any(|c| c.is_ascii_lowercase()) {
                continue;
            }
            let place = || format!("{file_name}:{}", line.number);
            let Some(def) = self.find(&line.key) else {
                warnings.push(format!("{}: unknown configuration key '{}' is ignored", place(), line.key));
                continue;
            };
            match def.effect {
                Effect::Acts => {}
                Effect::None(reason) => warnings.push(format!("{}: '{}' has no effect here: {reason}", place(), line.key)),
                Effect::NotSupported(reason) => warnings.push(format!("{}: '{}' is not supported: {reason}", place(), line.key)),
            }
            (def.check)(&line.value)
                .map_err(|e| err!(InvalidArgument, "{}: bad value of {}: {}", place(), line.key, e.message()))?;
            self.store(&def, line.value);
        }
        Ok(warnings)
    }

    /// Reads a conf file of this machine, with its environment; a missing file is an error.
    pub fn load_file(&self, path: &Path) -> Result<Vec<String>> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        self.load(&text, &path.display().to_string(), &|name| std::env::var(name).ok())
    }

    /// The current value.
    ///
    /// # Panics
    /// When the key is not in the lists the set was made of: a wiring mistake found by the first test that starts the process.
    pub fn get<T: ConfigValue>(&self, key: &ConfigKey<T>) -> T {
        let def = self.inner.keys.get(key.name());
        let def = def.unwrap_or_else(|| panic!("configuration key {} is not in this process's list", key.name()));
        let values = self.inner.values.read();
        let text = values.get(def.name).map_or(def.default, String::as_str);
        T::parse(text).expect("every stored value and default was checked when it was set")
    }

    /// The current value as text, by name or alias.
    pub fn get_text(&self, name: &str) -> Option<String> {
        let def = self.find(name)?;
        Some(self.text_of(&def))
    }

    /// Changes a mutable key while the process runs.
    pub fn set(&self, name: &str, value: &str) -> Result<()> {
        let def = self.find(name).ok_or_else(|| err!(InvalidArgument, "Config '{name}' does not exist"))?;
        ensure!(def.mutable, InvalidArgument, "Config '{name}' is not mutable");
        self.set_any(name, value)
    }

    /// Changes any key: for command line arguments and tests, before the process reads it.
    pub fn set_any(&self, name: &str, value: &str) -> Result<()> {
        let def = self.find(name).ok_or_else(|| err!(InvalidArgument, "Config '{name}' does not exist"))?;
        (def.check)(value).map_err(|e| {
            crate::Error::new(ErrorCode::InvalidArgument, format!("bad value of {name}: {}", e.message()))
        })?;
        self.store(&def, value.to_owned());
        Ok(())
    }

    /// A number that grows with every change.
    pub fn version(&self) -> u64 {
        self.inner.version.load(Ordering::Acquire)
    }

    /// Whether the key exists, by name or alias.
    pub fn contains(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// All keys that act with their values, by name.
    pub fn rows(&self) -> Vec<ConfigRow> {
        let row = |def: &KeyDef| ConfigRow {
            name: def.name,
            aliases: def.aliases.join(", "),
            value: self.text_of(def),
            default: def.default,
            type_name: def.type_name,
            mutable: def.mutable,
            comment: file::doc_lines(def.doc).collect::<Vec<_>>().join(" "),
        };
        self.inner.keys.values().filter(|def| def.acts()).map(row).collect()
    }

    fn find(&self, name: &str) -> Option<KeyDef> {
        let name = self.inner.aliases.get(name).copied().unwrap_or(name);
        self.inner.keys.get(name).copied()
    }

    fn text_of(&self, def: &KeyDef) -> String {
        self.inner.values.read().get(def.name).cloned().unwrap_or_else(|| def.default.to_owned())
    }

    fn store(&self, def: &KeyDef, value: String) {
        self.inner.values.write().insert(def.name, value);
        self.inner.version.fetch_add(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::config_keys! {
        KEYS;
        /// Port of the MySQL service.
        QUERY_PORT: u16 = "query_port", "9030", fixed;
        /// Seconds after which a query is cancelled.
        /// Zero means never.
        TIMEOUT: i64 = "query_timeout", "300", mutable, alias "timeout";
        /// Where the catalog lives.
        META_DIR: String = "meta_dir", "/meta", fixed;
    }

    fn env(name: &str) -> Option<String> {
        (name == "HOME_DIR").then(|| "/opt/fe".to_owned())
    }

    #[test]
    fn a_file_overrides_defaults_and_unknown_keys_are_warned_about() {
        let set = ConfigSet::new(&[KEYS]).unwrap();
        assert_eq!((set.get(&QUERY_PORT), set.get(&TIMEOUT)), (9030, 300));
        let text =
            "# ports\nquery_port = 9031\nJAVA_OPTS=\"-Xmx1g\"\nmeta_dir=${HOME_DIR}/meta\n\nno_such = 1\ntimeout = 5\n";
        let warnings = set.load(text, "fe.conf", &env).unwrap();
        assert_eq!(warnings, ["fe.conf:6: unknown configuration key 'no_such' is ignored"]);
        assert_eq!((set.get(&QUERY_PORT), set.get(&META_DIR), set.get(&TIMEOUT)), (9031, "/opt/fe/meta".to_owned(), 5));
        let foreign: &[KeyDef] = &[KeyDef::without_effect("heap", "no heap"), KeyDef::not_supported("magic", "no magic")];
        let with_foreign = ConfigSet::new(&[KEYS, foreign]).unwrap();
        let warnings = with_foreign.load("heap = 1\nmagic = 2\n", "fe.conf", &env).unwrap();
        assert_eq!(warnings, ["fe.conf:1: 'heap' has no effect here: no heap", "fe.conf:2: 'magic' is not supported: no magic"]);
        assert_eq!(with_foreign.rows().len(), KEYS.len());
        let e = set.load("\nquery_port = many", "fe.conf", &env).unwrap_err();
        assert_eq!(e.message(), "fe.conf:2: bad value of query_port: 'many' is not a valid int value");
    }

    #[test]
    fn only_mutable_keys_change_at_runtime() {
        let set = ConfigSet::new(&[KEYS]).unwrap();
        let before = set.version();
        set.set("query_timeout", "7").unwrap();
        assert!(set.version() > before);
        assert_eq!(set.get(&TIMEOUT), 7);
        assert_eq!(set.set("query_port", "1").unwrap_err().message(), "Config 'query_port' is not mutable");
        assert_eq!(set.set("nope", "1").unwrap_err().message(), "Config 'nope' does not exist");
        assert!(set.set("query_timeout", "x").is_err());
        let rows = set.rows();
        assert_eq!(rows.iter().map(|r| r.name).collect::<Vec<_>>(), ["meta_dir", "query_port", "query_timeout"]);
        assert_eq!(rows[2].comment, "Seconds after which a query is cancelled. Zero means never.");
        assert_eq!((rows[2].aliases.as_str(), rows[2].type_name, rows[2].value.as_str()), ("timeout", "long", "7"));
        assert!(ConfigSet::new(&[KEYS, KEYS]).is_err(), "a key declared twice");
    }
}
