//! Configuration keys, declared beside their use and collected by the process that reads them.
//!
//! ```text
//! config_keys! {
//!     pub KEYS;
//!     /// Port of the MySQL service.
//!     pub QUERY_PORT: u16 = "query_port", "9030", fixed;
//!     /// Seconds after which a query is cancelled.
//!     pub QUERY_TIMEOUT_SECOND: i64 = "query_timeout_second", "300", mutable;
//! }
//! ConfigSet::new("fe", &[query::KEYS, load::KEYS])?.get(&QUERY_PORT)
//! ```
//! Defaults are text, parsed like a user's value, so there is one way in; [`ConfigSet::new`] checks them all.

use std::time::Duration;

use crate::{Result, err};

mod file;
mod set;

pub use file::{Line, parse, render_conf, replace_value};
pub use set::{ConfigRow, ConfigSet};

/// A value a key can have.
pub trait ConfigValue: Sized + Send + Sync + 'static {
    /// The type's name in SHOW CONFIG.
    const TYPE_NAME: &'static str;
    /// Reads the text of a conf file or statement.
    fn parse(text: &str) -> Result<Self>;
}

macro_rules! number_value {
    ($($ty:ty => $name:literal),+) => {$(
        impl ConfigValue for $ty {
            const TYPE_NAME: &'static str = $name;
            fn parse(text: &str) -> Result<Self> {
                text.parse().map_err(|_| err!(InvalidArgument, "'{text}' is not a valid {} value", $name))
            }
        }
    )+};
}

number_value!(u16 => "int", u32 => "int", i32 => "int", u64 => "long", i64 => "long", usize => "long", f64 => "double");

impl ConfigValue for bool {
    const TYPE_NAME: &'static str = "boolean";
    fn parse(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "on" | "yes" => Ok(true),
            "false" | "0" | "off" | "no" => Ok(false),
            _ => Err(err!(InvalidArgument, "'{text}' is not a boolean")),
        }
    }
}

impl ConfigValue for String {
    const TYPE_NAME: &'static str = "String";
    fn parse(text: &str) -> Result<Self> {
        Ok(text.to_owned())
    }
}

/// Text split at commas or semicolons, blanks trimmed, empty items dropped.
impl ConfigValue for Vec<String> {
    const TYPE_NAME: &'static str = "String[]";
    fn parse(text: &str) -> Result<Self> {
        Ok(text.split([',', ';']).map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect())
    }
}

/// A span of time: `90` (seconds), `500ms`, `10s`, `5m`, `2h`, `7d`.
impl ConfigValue for Duration {
    const TYPE_NAME: &'static str = "duration";
    fn parse(text: &str) -> Result<Self> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let bad = || err!(InvalidArgument, "'{text}' is not a duration (examples: 500ms, 10s, 5m, 2h, 7d)");
        let n: u64 = text[..digits].parse().map_err(|_| bad())?;
        let ms_per_unit = match text[digits..].trim() {
            "ms" => 1,
            "" | "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(bad()),
        };
        Ok(Duration::from_millis(n.checked_mul(ms_per_unit).ok_or_else(bad)?))
    }
}

/// A number of bytes: `1048576`, `64k`, `512MB`, `2G`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

impl ConfigValue for ByteSize {
    const TYPE_NAME: &'static str = "bytes";
    fn parse(text: &str) -> Result<Self> {
        let bad = || err!(InvalidArgument, "'{text}' is not a number of bytes (examples: 4096, 64K, 512M, 2G)");
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let shift = match text[digits..].trim().to_ascii_lowercase().trim_end_matches('b') {
            "" => 0,
            "k" => 10,
            "m" => 20,
            "g" => 30,
            "t" => 40,
            _ => return Err(bad()),
        };
        if let Ok(n) = text[..digits].parse::<u64>() {
            return Ok(Self(n.checked_mul(1 << shift).ok_or_else(bad)?));
        }
        let n: f64 = text[..digits].parse().map_err(|_| bad())?;
        Ok(Self((n * (1u64 << shift) as f64) as u64))
    }
}

/// Bytes or a share of a whole: `90%`, `80G`, `-1` or empty for no limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SizeOrPercent {
    Bytes(u64),
    Percent(f64),
    Unlimited,
}

impl SizeOrPercent {
    /// The bytes it means when the whole is `total`; `None` for no limit.
    pub fn of(self, total: u64) -> Option<u64> {
        match self {
            Self::Bytes(n) => Some(n),
            Self::Percent(p) => Some((total as f64 * p / 100.0) as u64),
            Self::Unlimited => None,
        }
    }
}

impl ConfigValue for SizeOrPercent {
    const TYPE_NAME: &'static str = "String";
    fn parse(text: &str) -> Result<Self> {
        if text.is_empty() || text == "-1" || text == "0" {
            return Ok(Self::Unlimited);
        }
        match text.strip_suffix('%') {
            Some(p) => match p.trim().parse::<f64>() {
                Ok(p) if p > 0.0 && p <= 100.0 => Ok(Self::Percent(p)),
                _ => Err(err!(InvalidArgument, "'{text}' is not a percentage between 0 and 100")),
            },
            None => ByteSize::parse(text).map(|b| Self::Bytes(b.0)),
        }
    }
}

/// A log level, as the log's filter spells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLevel(pub String);

impl ConfigValue for LogLevel {
    const TYPE_NAME: &'static str = "String";
    fn parse(text: &str) -> Result<Self> {
        let level = match text.to_ascii_uppercase().as_str() {
            "DEBUG" => "debug",
            "INFO" => "info",
            "WARN" | "WARNING" => "warn",
            "ERROR" | "FATAL" => "error",
            _ => return Err(err!(InvalidArgument, "'{text}' is not a log level (DEBUG, INFO, WARNING, ERROR, FATAL)")),
        };
        Ok(Self(level.to_owned()))
    }
}

/// A span of time between two rounds: never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval(pub Duration);

impl ConfigValue for Interval {
    const TYPE_NAME: &'static str = "duration";
    fn parse(text: &str) -> Result<Self> {
        let duration = Duration::parse(text)?;
        if duration.is_zero() {
            return Err(err!(InvalidArgument, "it must be more than 0"));
        }
        Ok(Self(duration))
    }
}

/// A declared key; the type says what its value is.
#[derive(Debug)]
pub struct ConfigKey<T> {
    def: KeyDef,
    _type: std::marker::PhantomData<fn() -> T>,
}

/// A declared key without its type.
#[derive(Clone, Copy, Debug)]
pub struct KeyDef {
    /// Name in conf files.
    pub name: &'static str,
    /// Default value as text.
    pub default: &'static str,
    /// What it does, lines joined by `\n`.
    pub doc: &'static str,
    /// Can be changed while the process runs.
    pub mutable: bool,
    /// Type name in SHOW CONFIG.
    pub type_name: &'static str,
    /// Other names a conf file may use.
    pub aliases: &'static [&'static str],
    /// Whether a text is a value of the key's type.
    pub check: fn(&str) -> Result<()>,
    /// What setting it does.
    pub effect: Effect,
}

/// What setting a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It acts.
    Acts,
    /// It is known and means nothing here, for this reason.
    None(&'static str),
    /// What it would change does not exist here; the reason.
    NotSupported(&'static str),
}

impl KeyDef {
    /// A key of the compatible surface that means nothing here.
    pub const fn without_effect(name: &'static str, reason: &'static str) -> Self {
        Self::foreign(name, Effect::None(reason))
    }

    /// A key of the compatible surface whose feature does not exist here.
    pub const fn not_supported(name: &'static str, reason: &'static str) -> Self {
        Self::foreign(name, Effect::NotSupported(reason))
    }

    const fn foreign(name: &'static str, effect: Effect) -> Self {
        Self { name, default: "", doc: "", mutable: false, type_name: "String", aliases: &[], check: |_| Ok(()), effect }
    }

    /// Whether setting it changes something.
    pub fn acts(&self) -> bool {
        self.effect == Effect::Acts
    }
}

impl<T: ConfigValue> ConfigKey<T> {
    /// Declares a key; use [`config_keys!`](crate::config_keys).
    pub const fn new(
        name: &'static str,
        default: &'static str,
        doc: &'static str,
        mutable: bool,
        aliases: &'static [&'static str],
    ) -> Self {
        let check = |text: &str| T::parse(text).map(|_| ());
        let def = KeyDef { name, default, doc, mutable, type_name: T::TYPE_NAME, aliases, check, effect: Effect::Acts };
        Self { def, _type: std::marker::PhantomData }
    }

    /// Its name in conf files.
    pub const fn name(&self) -> &'static str {
        self.def.name
    }

    /// The declaration without its type.
    pub const fn def(&self) -> KeyDef {
        self.def
    }
}

/// Declares typed configuration keys and the list of them.
/// Each row: doc comment, `pub NAME: Type = "name", "default", fixed|mutable [, alias "other"]*;`
#[macro_export]
macro_rules! config_keys {
    (
        $(#[$list_meta:meta])* $list_vis:vis $list:ident;
        $( $(#[doc = $doc:expr])+ $vis:vis $id:ident : $ty:ty = $name:literal, $default:literal, $mutability:ident
           $(, alias $alias:literal)* ; )+
    ) => {
        $(
            $(#[doc = $doc])+
            $vis static $id: $crate::config::ConfigKey<$ty> = $crate::config::ConfigKey::new(
                $name, $default, concat!($($doc, "\n"),+), $crate::config_keys!(@mutable $mutability), &[$($alias),*],
            );
        )+
        $(#[$list_meta])*
        #[doc = "The configuration keys declared here."]
        $list_vis static $list: &[$crate::config::KeyDef] = &[$(
            $crate::config::ConfigKey::<$ty>::new(
                $name, $default, concat!($($doc, "\n"),+), $crate::config_keys!(@mutable $mutability), &[$($alias),*],
            ).def()
        ),+];
    };
    (@mutable mutable) => { true };
    (@mutable fixed) => { false };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_users_write_them() {
        assert_eq!(Duration::parse("7d").unwrap(), Duration::from_secs(7 * 86_400));
        assert_eq!(Duration::parse("5").unwrap(), Duration::from_secs(5));
        assert!(Duration::parse("soon").is_err());
        assert_eq!(ByteSize::parse("512MB").unwrap(), ByteSize(512 << 20));
        assert_eq!(ByteSize::parse("1.5k").unwrap(), ByteSize(1536));
        assert!(ByteSize::parse("5x").is_err());
        assert_eq!(SizeOrPercent::parse("90%").unwrap().of(1000), Some(900));
        assert_eq!(SizeOrPercent::parse("-1").unwrap().of(1000), None);
        assert!(SizeOrPercent::parse("900%").is_err());
        assert!(bool::parse("TRUE").unwrap() && bool::parse("maybe").is_err());
        assert_eq!(Vec::<String>::parse("a, b;;c").unwrap(), ["a", "b", "c"]);
    }
}
