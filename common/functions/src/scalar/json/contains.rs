//! `json_contains(target, candidate)`.

use common_base::Result;
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
};
use common_types::{
    Column, LogicalType as T,
    json::{self, Json},
};

use crate::kernels::{
    def::{sig, strict},
    strings::{booleans, const_str, strs},
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    r.add_scalar(strict(&["json_contains"], vec![sig([T::Json, T::Json], T::Boolean)], json_contains));
}

fn json_contains(_: &EvalContext, _: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let (targets, candidates) = (strs(&args[0]), strs(&args[1]));
    let constant = const_str(&args[1]).map(json::parse);
    Ok(booleans((0..rows).map(|row| {
        let made;
        let candidate = match &constant {
            Some(candidate) => candidate.as_ref(),
            None => {
                made = json::parse(candidates.get(row));
                made.as_ref()
            }
        };
        match (json::parse(targets.get(row)), candidate) {
            (Some(target), Some(candidate)) => contains(&target, candidate),
            _ => false,
        }
    })))
}

fn contains(target: &Json, candidate: &Json) -> bool {
    match (target, candidate) {
        (_, Json::Null) => true,
        (Json::Null, _) => false,
        _ if target.compare(candidate).is_eq() => true,
        (Json::Object(_), Json::Object(members)) => members.iter().all(|(k, v)| has_pair(target, k, v)),
        (Json::Array(_), Json::Array(wanted)) => wanted.iter().all(|w| element_contains(target, w)),
        // The pairs of an object may be spread over the elements.
        (Json::Array(items), Json::Object(members)) => {
            members.iter().all(|(k, v)| items.iter().any(|item| has_pair(item, k, v)))
        }
        (Json::Array(_), scalar) => element_contains(target, scalar),
        _ => false,
    }
}

fn has_pair(object: &Json, key: &str, value: &Json) -> bool {
    object.get(key).is_some_and(|have| have.compare(value).is_eq())
}

fn element_contains(target: &Json, wanted: &Json) -> bool {
    match target {
        Json::Array(items) => items.iter().any(|item| contains(item, wanted)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        for (target, candidate, want) in [
            ("[1, 2, 3]", "[1, 2]", true),
            ("[1, 2, 3]", "2", true),
            ("{\"a\": 1, \"b\": 2}", "{\"a\": 1}", true),
            ("{\"a\": 1, \"b\": 2}", "{\"a\": 2}", false),
            ("{\"a\": {\"b\": 1, \"c\": 2}}", "{\"a\": {\"b\": 1}}", false),
            ("[{\"a\": 1}, {\"b\": 2}]", "{\"a\": 1, \"b\": 2}", true),
            ("null", "1", false),
            ("1", "null", true),
        ] {
            let parse = |t: &str| json::parse(t.as_bytes()).unwrap();
            assert_eq!(contains(&parse(target), &parse(candidate)), want, "{target} {candidate}");
        }
    }
}
