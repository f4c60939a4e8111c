//! `json_set(json, path, value[, …])`, `json_remove(json, path, …)`.

use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
};
use common_types::{
    Column, LogicalType as T,
    json::{self, Json, JsonPath, Step},
};

use super::support::Paths;
use crate::kernels::{
    def::{custom, partial, sig},
    strings::{StrWriter, strs},
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    r.add_scalar(custom(&["json_set"], vec![sig([T::Json, T::Json], T::Json).variadic()], json_set));
    r.add_scalar(partial(&["json_remove"], vec![sig([T::Json, T::varchar()], T::Json).variadic()], json_remove));
}

/// The value the steps lead to, to be changed.
fn resolve<'a>(mut value: &'a mut Json, steps: &[Step]) -> Option<&'a mut Json> {
    for step in steps {
        value = match (step, value) {
            (Step::Key(key), Json::Object(members)) => &mut members.iter_mut().find(|(k, _)| k == key)?.1,
            (Step::Index(i), Json::Array(items)) => items.get_mut(*i)?,
            _ => return None,
        };
    }
    Some(value)
}

/// Replaces or inserts; the parent must exist, wildcards change nothing.
fn set(root: &mut Json, path: &JsonPath, value: Json) {
    if !path.is_simple() {
        return;
    }
    let Some((last, parents)) = path.steps().split_last() else {
        *root = value;
        return;
    };
    match (last, resolve(root, parents)) {
        (Step::Key(key), Some(Json::Object(members))) => {
            match members.binary_search_by(|(k, _)| k.as_bytes().cmp(key.as_bytes())) {
                Ok(at) => members[at].1 = value,
                Err(at) => members.insert(at, (key.clone(), value)),
            }
        }
        (Step::Index(i), Some(Json::Array(items))) => match items.get_mut(*i) {
            Some(slot) => *slot = value,
            None => items.push(value),
        },
        _ => {}
    }
}

fn remove(root: &mut Json, path: &JsonPath) {
    let Some((last, parents)) = path.steps().split_last() else { return };
    match (last, resolve(root, parents)) {
        (Step::Key(key), Some(Json::Object(members))) => members.retain(|(k, _)| k != key),
        (Step::Index(i), Some(Json::Array(items))) if *i < items.len() => {
            items.remove(*i);
        }
        _ => {}
    }
}

fn json_set(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if args.len() < 3 || args.len().is_multiple_of(2) {
        bail!(Analysis, "json_set takes a document and pairs of a path and a value");
    }
    let items: Vec<_> = args.iter().map(|c| (strs(c), c.nulls())).collect();
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        let edited = || -> Result<Option<Json>> {
            if items.iter().any(|(_, nulls)| nulls.as_ref().is_some_and(|n| n.is_null(row))) {
                return Ok(None);
            }
            let value = |i: usize| json::parse(items[i].0.get(row));
            let Some(mut doc) = value(0) else { return Ok(None) };
            for i in (1..items.len()).step_by(2) {
                let (Some(Json::String(path)), Some(value)) = (value(i), value(i + 1)) else { return Ok(None) };
                match JsonPath::parse(&path) {
                    Ok(path) => set(&mut doc, &path, value),
                    Err(e) if args[i].is_const() => return Err(e),
                    Err(_) => return Ok(None),
                }
            }
            Ok(Some(doc))
        };
        match edited()? {
            Some(doc) => {
                doc.print(out.buf());
                out.end_row();
            }
            None => out.end_null(),
        }
    }
    Ok(out.finish(&call.result))
}

fn json_remove(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let docs = strs(&args[0]);
    let mut paths = args[1..].iter().map(Paths::new).collect::<Result<Vec<_>>>()?;
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        let Some(mut doc) = json::parse(docs.get(row)) else {
            out.end_null();
            continue;
        };
        let mut valid = true;
        for path in &mut paths {
            match path.get(row) {
                Some(path) => remove(&mut doc, path),
                None => valid = false,
            }
        }
        if valid {
            doc.print(out.buf());
            out.end_row();
        } else {
            out.end_null();
        }
    }
    Ok(out.finish(&call.result))
}
