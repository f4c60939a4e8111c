//! Fields of STRUCT columns added and dropped: the type that comes out, and the expression that makes its values of the old ones.

use common_base::{Result, bail};
use common_types::{LogicalType, StructField};
use fe_parser::ast::ColumnPosition;

/// What happens to a field.
#[derive(Clone, Debug)]
pub enum FieldChange<'a> {
    Add { ty: LogicalType, position: Option<&'a ColumnPosition> },
    Drop,
}

/// The type of a column after a change of the field at `path` (names of fields, `[*]` for elements of arrays), and SQL text that
/// makes a value of it out of `value`, the text of an old one.
pub fn change(ty: &LogicalType, path: &[String], change: &FieldChange<'_>, value: &str) -> Result<(LogicalType, String)> {
    walk(ty, path, change, value, 0)
}

fn walk(ty: &LogicalType, path: &[String], change: &FieldChange<'_>, value: &str, depth: usize) -> Result<(LogicalType, String)> {
    let Some((step, rest)) = path.split_first() else { bail!(User, "no field is named") };
    if step == "[*]" {
        let LogicalType::Array(element) = ty else { bail!(User, "Target Field is not array") };
        let item = format!("x{depth}");
        let (element, text) = walk(element, rest, change, &item, depth + 1)?;
        return Ok((LogicalType::array(element), format!("array_map({item} -> {text}, {value})")));
    }
    let LogicalType::Struct(fields) = ty else { bail!(User, "Target Field is not struct") };
    let at = fields.iter().position(|f| f.name.eq_ignore_ascii_case(step));
    let mut parts: Vec<(StructField, String)> = fields.iter().map(|f| (f.clone(), format!("{value}.`{}`", f.name))).collect();
    match (rest.is_empty(), change, at) {
        (false, _, Some(at)) => {
            let (field, text) = walk(&fields[at].ty, rest, change, &parts[at].1, depth)?;
            parts[at] = (StructField::new(&fields[at].name, field), text);
        }
        (false, _, None) | (true, FieldChange::Drop, None) => bail!(User, "Field {step} is not found"),
        (true, FieldChange::Add { .. }, Some(_)) => bail!(User, "Field {step} is already exist"),
        (true, FieldChange::Drop, Some(_)) if fields.len() == 1 => bail!(User, "Field {step} is the last field"),
        (true, FieldChange::Drop, Some(at)) => drop(parts.remove(at)),
        (true, FieldChange::Add { ty, position }, None) => {
            let to = match position {
                None => parts.len(),
                Some(ColumnPosition::First) => 0,
                Some(ColumnPosition::After(name)) => match fields.iter().position(|f| f.name.eq_ignore_ascii_case(&name.value)) {
                    Some(at) => at + 1,
                    None => bail!(User, "Field {} is not found", name.value),
                },
            };
            parts.insert(to, (StructField::new(step, ty.clone()), format!("CAST(NULL AS {})", ty.sql_name())));
        }
    }
    let made: Vec<String> = parts.iter().map(|(f, text)| format!("'{}', {text}", f.name.replace('\'', "''"))).collect();
    let text = format!("IF({value} IS NULL, NULL, named_struct({}))", made.join(", "));
    Ok((LogicalType::Struct(parts.into_iter().map(|(f, _)| f).collect()), text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use LogicalType as T;

    #[test]
    fn fields_come_and_go() {
        let inner = T::Struct(vec![StructField::new("b", T::Int)]);
        let ty = T::Struct(vec![StructField::new("a", T::Int), StructField::new("in", T::array(inner))]);
        let path = |p: &str| p.split('.').map(str::to_owned).collect::<Vec<_>>();
        let check = |p: &str, change_: &FieldChange<'_>| match change(&ty, &path(p), change_, "`s`") {
            Ok((ty, text)) => format!("{ty}: {text}"),
            Err(e) => e.message().to_owned(),
        };
        let add = FieldChange::Add { ty: T::BigInt, position: None };
        assert_eq!(
            check("c", &add),
            "struct<a int, in array<struct<b int>>, c bigint>: IF(`s` IS NULL, NULL, named_struct('a', `s`.`a`, 'in', `s`.`in`, 'c', CAST(NULL AS bigint(20))))"
        );
        assert_eq!(
            check("in.[*].c", &add),
            "struct<a int, in array<struct<b int, c bigint>>>: IF(`s` IS NULL, NULL, named_struct('a', `s`.`a`, 'in', array_map(x0 -> \
             IF(x0 IS NULL, NULL, named_struct('b', x0.`b`, 'c', CAST(NULL AS bigint(20)))), `s`.`in`)))"
        );
        assert_eq!(check("a", &FieldChange::Drop), "struct<in array<struct<b int>>>: IF(`s` IS NULL, NULL, named_struct('in', `s`.`in`))");
        assert_eq!(check("in.[*].b", &FieldChange::Drop), "Field b is the last field");
        assert_eq!(check("a", &add), "Field a is already exist");
        assert_eq!(check("x.y", &add), "Field x is not found");
        assert_eq!(check("a.y", &add), "Target Field is not struct");
    }
}
