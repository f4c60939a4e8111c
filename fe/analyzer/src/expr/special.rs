//! Functions that are something else than a plain call: operators by name, special forms, date arithmetic, nested constructors.

use common_base::Result;
use common_expr::expr::Expr;
use fe_parser::ast::{encoding, sql};

use crate::binder::Binder;

use super::call::{no_match, types_of};

impl Binder<'_> {
    /// The value of a call that needs its syntax or is no registry function; None for plain calls.
    pub(super) fn bind_special(&mut self, name: &str, args: &[&sql::Expr]) -> Result<Option<Expr>> {
        let operator = match name {
            "add" => "add",
            "subtract" => "subtract",
            "multiply" => "multiply",
            "divide" => "divide",
            "mod" => "mod",
            "int_divide" => "int_divide",
            "bitand" => "bitand",
            "bitor" => "bitor",
            "bitxor" => "bitxor",
            "bit_shift_left" => "bit_shift_left",
            "bit_shift_right" => "bit_shift_right",
            "bit_shift_right_logical" => "bit_shift_right_logical",
            _ => "",
        };
        if !operator.is_empty() {
            let mut bound = self.bind_exprs(args.iter().copied())?;
            if bound.len() != 2 {
                return Err(no_match(name, &types_of(&bound)));
            }
            let right = bound.pop().expect("two arguments");
            let left = bound.pop().expect("two arguments");
            return self.arithmetic(operator, left, right).map(Some);
        }
        let value = match name {
            "date_add" | "adddate" => self.bind_date_add(name, args, true)?,
            "date_sub" | "subdate" => self.bind_date_add(name, args, false)?,
            "timestampadd" => self.bind_timestampadd(args)?,
            "timestampdiff" => self.bind_timestampdiff(args)?,
            "time_slice" | "date_slice" => self.bind_time_slice(name, args)?,
            "if" => {
                let bound = self.bind_exprs(args.iter().copied())?;
                self.bind_if(bound)?
            }
            "ifnull" | "coalesce" => {
                let bound = self.bind_exprs(args.iter().copied())?;
                if bound.is_empty() || name == "ifnull" && bound.len() != 2 {
                    return Err(no_match(name, &types_of(&bound)));
                }
                let bound = self.dates_as_datetimes(bound)?;
                self.bind_coalesce(bound)?
            }
            "nullif" => {
                let bound = self.bind_exprs(args.iter().copied())?;
                let bound = self.dates_as_datetimes(bound)?;
                self.bind_nullif(bound)?
            }
            "isnull" | "isnotnull" if args.len() == 1 => {
                let value = self.bind_expr(args[0])?;
                if name == "isnull" { value.is_null() } else { value.is_not_null() }
            }
            "like" | "regexp" if args.len() == 2 => self.bind_like(
                if name == "like" { "like" } else { "regexp" },
                &name.to_uppercase(),
                args[0],
                args[1],
                false,
            )?,
            "ilike" if args.len() == 2 => {
                let value = self.bind_expr(args[0])?;
                let pattern = self.bind_expr(args[1])?;
                let value = self.scalar_call("lower", vec![value])?;
                let pattern = self.scalar_call("lower", vec![pattern])?;
                self.call("like", vec![value, pattern])?
            }
            "row" => {
                let bound = self.bind_exprs(args.iter().copied())?;
                self.row(bound)?
            }
            "named_struct" => self.bind_named_struct(args)?,
            "map" => {
                let bound = self.bind_exprs(args.iter().copied())?;
                self.map_from_pairs(bound)?
            }
            "array" => {
                let bound = self.bind_exprs(args.iter().copied())?;
                self.array(bound)?
            }
            "element_at" if args.len() == 2 => {
                let value = self.bind_expr(args[0])?;
                let index = self.bind_expr(args[1])?;
                self.subscript(value, index)?
            }
            "str_to_date" if args.len() == 2 => {
                let bound = self.bind_exprs(args.iter().copied())?;
                let date_only = encoding::string_literal(args[1]).is_some_and(|format| !has_time_part(format));
                self.call(if date_only { "str2date" } else { "str_to_date" }, bound)?
            }
            _ => return Ok(None),
        };
        Ok(Some(value))
    }
}

/// Whether a date format names an hour, minute, second or fraction.
fn has_time_part(format: &str) -> bool {
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c == '%'
            && matches!(chars.next(), Some('f' | 'H' | 'k' | 'h' | 'I' | 'l' | 'i' | 'S' | 's' | 'p' | 'r' | 'T'))
        {
            return true;
        }
    }
    false
}
