//! Rewrite rules: the normal form every plan is brought to before costs are looked at.

pub mod normalize;
