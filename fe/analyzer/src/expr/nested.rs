//! ARRAY, MAP and STRUCT: constructors, subscripts, fields.

use std::sync::Arc;

use common_base::{Result, bail, err};
use common_expr::expr::{Expr, ExprKind};
use common_types::{LogicalType, Scalar, StructField};
use fe_parser::ast::{
    encoding,
    sql::{self, AccessExpr, Subscript},
};

use crate::{
    binder::Binder,
    types::{
        coerce,
        datatype::{check_map_key, type_text},
    },
};

impl Binder<'_> {
    pub(super) fn bind_array(&mut self, items: &[sql::Expr]) -> Result<Expr> {
        let items = self.bind_exprs(items)?;
        self.array(items)
    }

    /// `[a, b, …]`
    pub(super) fn array(&self, items: Vec<Expr>) -> Result<Expr> {
        if items.is_empty() {
            return Ok(Expr::typed_literal(Scalar::Array(Vec::new()), LogicalType::array(LogicalType::Null)));
        }
        if items.iter().all(|e| e.ty == LogicalType::Null) {
            // Elements without a type: a literal that takes any element type later.
            return Ok(Expr::typed_literal(
                Scalar::Array(vec![Scalar::Null; items.len()]),
                LogicalType::array(LogicalType::Null),
            ));
        }
        let items = self.unify(items)?;
        let ty = items[0].ty.clone();
        self.array_of(items, ty)
    }

    /// An array of values that already have the element type.
    fn array_of(&self, items: Vec<Expr>, ty: LogicalType) -> Result<Expr> {
        let mut overload = self.overload("array", &items)?;
        let chosen = Arc::make_mut(&mut overload);
        chosen.args = items.iter().map(|e| e.ty.clone()).collect();
        chosen.result = LogicalType::array(ty);
        self.call_overload(overload, items)
    }

    /// A cast of a constructor: its elements are cast instead. None for anything else.
    pub(super) fn cast_constructor(&self, expr: &Expr, ty: &LogicalType) -> Result<Option<Expr>> {
        match (&expr.kind, ty) {
            (ExprKind::Literal(Scalar::Array(items)), LogicalType::Array(_)) if items.iter().all(Scalar::is_null) => {
                Ok(Some(Expr { ty: ty.clone(), ..expr.clone() }))
            }
            (ExprKind::Literal(Scalar::Map(items)), LogicalType::Map(..)) if items.is_empty() => {
                Ok(Some(Expr { ty: ty.clone(), ..expr.clone() }))
            }
            (ExprKind::Call { function, args }, LogicalType::Array(element)) if function.name() == "array" => {
                let items = args.iter().map(|a| self.implicit_cast(a.clone(), element)).collect::<Result<Vec<_>>>()?;
                self.array_of(items, (**element).clone()).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Brings values to their common type; untyped NULLs become BOOLEAN.
    pub(super) fn unify(&self, items: Vec<Expr>) -> Result<Vec<Expr>> {
        let ty = coerce::common_type_of(items.iter().map(|e| &e.ty))
            .map_err(|(a, b)| err!(Analysis, "Types {} and {} have no common type", type_text(&a), type_text(&b)))?;
        let ty = if ty == LogicalType::Null { LogicalType::Boolean } else { ty };
        items.into_iter().map(|e| self.implicit_cast(e, &ty)).collect()
    }

    pub(super) fn bind_map(&mut self, map: &sql::Map) -> Result<Expr> {
        let mut pairs = Vec::with_capacity(2 * map.entries.len());
        for entry in &map.entries {
            pairs.push(self.bind_expr(&entry.key)?);
            pairs.push(self.bind_expr(&entry.value)?);
        }
        self.map_from_pairs(pairs)
    }

    /// `map(k, v, k, v, …)`
    pub(super) fn map_from_pairs(&self, pairs: Vec<Expr>) -> Result<Expr> {
        if pairs.is_empty() {
            return Ok(Expr::typed_literal(
                Scalar::Map(Vec::new()),
                LogicalType::map(LogicalType::Null, LogicalType::Null),
            ));
        }
        if pairs.len() % 2 != 0 {
            bail!(Analysis, "The number of arguments of map must be even");
        }
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        for (i, e) in pairs.into_iter().enumerate() {
            if i % 2 == 0 { keys.push(e) } else { values.push(e) }
        }
        for key in &keys {
            check_map_key(&key.ty)?;
        }
        let keys = self.unify(keys)?;
        let values = self.unify(values)?;
        let ty = LogicalType::map(keys[0].ty.clone(), values[0].ty.clone());
        let args: Vec<Expr> = keys.into_iter().zip(values).flat_map(|(k, v)| [k, v]).collect();
        let mut overload = self.overload("map", &args)?;
        let chosen = Arc::make_mut(&mut overload);
        chosen.args = args.iter().map(|e| e.ty.clone()).collect();
        chosen.result = ty;
        self.call_overload(overload, args)
    }

    /// `row(a, b, …)`: fields col1, col2, …
    pub(super) fn row(&self, values: Vec<Expr>) -> Result<Expr> {
        if values.is_empty() {
            bail!(Analysis, "row needs at least one value");
        }
        let names = (1..=values.len()).map(|i| format!("col{i}")).collect();
        self.struct_of(names, values)
    }

    /// A struct with given field names.
    pub(super) fn struct_of(&self, names: Vec<String>, values: Vec<Expr>) -> Result<Expr> {
        let values: Vec<Expr> = values
            .into_iter()
            .map(|v| if v.ty == LogicalType::Null { v.cast_to(&LogicalType::Boolean) } else { v })
            .collect();
        let fields = names.into_iter().zip(&values).map(|(n, v)| StructField::new(n, v.ty.clone())).collect();
        let mut overload = self.overload("row", &values)?;
        let chosen = Arc::make_mut(&mut overload);
        chosen.args = values.iter().map(|e| e.ty.clone()).collect();
        chosen.result = LogicalType::Struct(fields);
        self.call_overload(overload, values)
    }

    /// `named_struct('n', v, …)`
    pub(super) fn bind_named_struct(&mut self, args: &[&sql::Expr]) -> Result<Expr> {
        if args.is_empty() || args.len() % 2 != 0 {
            bail!(Analysis, "named_struct need even parameters");
        }
        let (mut names, mut values): (Vec<String>, Vec<Expr>) = (Vec::new(), Vec::new());
        for pair in args.chunks(2) {
            let Some(name) = encoding::string_literal(pair[0]) else {
                bail!(Analysis, "The {}-th input of named_struct must be string literal", 2 * names.len() + 1)
            };
            if name.is_empty() || names.iter().any(|n| n.eq_ignore_ascii_case(name)) {
                bail!(Analysis, "named_struct contains duplicate subfield name: {name}");
            }
            names.push(name.to_owned());
            values.push(self.bind_expr(pair[1])?);
        }
        self.struct_of(names, values)
    }

    pub(super) fn bind_access(&mut self, root: &sql::Expr, chain: &[AccessExpr]) -> Result<Expr> {
        let mut value = self.bind_expr(root)?;
        for access in chain {
            value = match access {
                AccessExpr::Dot(sql::Expr::Identifier(field)) => self.struct_fields(value, &[&field.value])?,
                AccessExpr::Dot(other) => bail!(Analysis, "Unsupported field '{other}'"),
                AccessExpr::Subscript(Subscript::Index { index }) => {
                    let index = self.bind_expr(index)?;
                    self.subscript(value, index)?
                }
                AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, .. }) => {
                    let lower = match lower_bound {
                        Some(e) => self.bind_expr(e)?,
                        None => Expr::literal(Scalar::TinyInt(1)),
                    };
                    let mut args = vec![value, lower.clone()];
                    if let Some(upper) = upper_bound {
                        let upper = self.bind_expr(upper)?;
                        let length = self.arithmetic("subtract", upper, lower)?;
                        args.push(self.arithmetic("add", length, Expr::literal(Scalar::TinyInt(1)))?);
                    }
                    self.call("array_slice", args)?
                }
            };
        }
        Ok(value)
    }

    /// `a[i]`, `m[k]`, `s[1]`
    pub(super) fn subscript(&self, value: Expr, index: Expr) -> Result<Expr> {
        match &value.ty {
            LogicalType::Array(element) => {
                let element = (**element).clone();
                if index.ty.is_nested() || index.ty.is_metric() || index.ty == LogicalType::Json {
                    bail!(Analysis, "array subscript must have type integer");
                }
                let index = self.implicit_cast(index, &LogicalType::Int)?;
                self.element_at(value, index, element)
            }
            LogicalType::Map(key, item) => {
                let (key, item) = ((**key).clone(), (**item).clone());
                let index = if key == LogicalType::Null { index } else { self.implicit_cast(index, &key)? };
                self.element_at(value, index, item)
            }
            LogicalType::Struct(fields) => {
                let count = fields.len() as i64;
                let Some(position) = index.as_literal().and_then(Scalar::as_i64).filter(|_| index.ty.is_integer())
                else {
                    bail!(Analysis, "Invalid type of subscript expr of struct: only integer literals are allowed")
                };
                if position == 0 {
                    bail!(Analysis, "the pos can't set to zero");
                }
                let at = if position < 0 { count + position } else { position - 1 };
                if !(0..count).contains(&at) {
                    bail!(Analysis, "the pos is out of struct subfields");
                }
                self.field_at(value, at as usize)
            }
            LogicalType::Json => {
                let json_path = match index.as_literal() {
                    Some(Scalar::String(_)) => {
                        format!("$.\"{}\"", index.as_literal().map(ToString::to_string).unwrap_or_default())
                    }
                    Some(v) if v.as_i64().is_some() => format!("$[{}]", v.as_i64().unwrap_or_default()),
                    _ => bail!(Analysis, "cannot subscript type json because it is not an array or a map or a struct"),
                };
                self.call("json_query", vec![value, Expr::literal(Scalar::string(json_path))])
            }
            other => bail!(
                Analysis,
                "cannot subscript type {} because it is not an array or a map or a struct",
                type_text(other)
            ),
        }
    }

    fn element_at(&self, value: Expr, index: Expr, element: LogicalType) -> Result<Expr> {
        let args = vec![value, index];
        let mut overload = self.overload("element_at", &args)?;
        let chosen = Arc::make_mut(&mut overload);
        chosen.args = args.iter().map(|e| e.ty.clone()).collect();
        chosen.result = element;
        self.call_overload(overload, args)
    }

    /// `s.a.b`
    pub(super) fn struct_fields(&self, mut value: Expr, fields: &[&str]) -> Result<Expr> {
        for field in fields {
            let LogicalType::Struct(all) = &value.ty else {
                bail!(Analysis, "{} must be a struct type, check if you are using `{field}`", self.display(&value));
            };
            let Some(at) = all.iter().position(|f| f.name.eq_ignore_ascii_case(field)) else {
                bail!(Analysis, "Struct subfield '{field}' cannot be resolved");
            };
            value = self.field_at(value, at)?;
        }
        Ok(value)
    }

    fn field_at(&self, value: Expr, at: usize) -> Result<Expr> {
        let LogicalType::Struct(fields) = &value.ty else { bail!(Internal, "field of a value that is no struct") };
        let ty = fields[at].ty.clone();
        let args = vec![value, Expr::literal(Scalar::Int(at as i32 + 1))];
        let mut overload = self.overload("subfield", &args)?;
        let chosen = Arc::make_mut(&mut overload);
        chosen.args = args.iter().map(|e| e.ty.clone()).collect();
        chosen.result = ty;
        self.call_overload(overload, args)
    }
}
