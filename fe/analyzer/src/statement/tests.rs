//! Statement results as text, for the golden tests.

use std::fmt::Write;

use fe_parser::ast::Statement;

use crate::{AnalyzeContext, AnalyzedQuery, plan_text::query_text};

use super::*;

/// The analysis of a statement, or its error.
pub fn run_statement(ctx: &AnalyzeContext<'_>, stmt: &Statement, _text: &str) -> String {
    match text_of(ctx, stmt) {
        Ok(text) => text,
        Err(e) => format!("error: {:?}: {}\n", e.code(), e.message()),
    }
}

fn plan(plan: &fe_plan::LogicalNode, columns: &fe_plan::ColumnFactory) -> String {
    query_text(&AnalyzedQuery { plan: plan.clone(), output: Vec::new(), columns: columns.clone(), tables: Vec::new() })
}

fn text_of(ctx: &AnalyzeContext<'_>, stmt: &Statement) -> Result<String> {
    let mut out = String::new();
    match stmt {
        Statement::Insert(insert) => {
            let a = analyze_insert(ctx, insert)?;
            let output: Vec<String> = a.output.iter().map(|(uid, id)| format!("{uid}=#{id}")).collect();
            write!(
                out,
                "insert {}.{} overwrite={} columns [{}] written {:?}\n{}",
                a.db_name,
                a.table.name,
                a.overwrite,
                output.join(", "),
                a.written,
                plan(&a.plan, &a.columns)
            )
            .unwrap();
        }
        Statement::Update(update) => {
            let a = analyze_update(ctx, update)?;
            write!(out, "update {}.{} changed {:?}\n{}", a.db_name, a.table.name, a.changed, plan(&a.plan, &a.columns))
                .unwrap();
        }
        Statement::Delete(delete) => {
            let a = analyze_delete(ctx, delete)?;
            match &a.form {
                DeleteForm::Predicates { conjuncts, .. } => {
                    let texts: Vec<String> = conjuncts
                        .iter()
                        .map(|e| common_expr::sql::to_sql(e, &|id| a.columns.info(id).name.clone()))
                        .collect();
                    writeln!(out, "delete {}.{} where {}", a.db_name, a.table.name, texts.join(" ; ")).unwrap();
                }
                DeleteForm::Keys { plan: p, .. } => {
                    write!(out, "delete keys {}.{}\n{}", a.db_name, a.table.name, plan(p, &a.columns)).unwrap()
                }
            }
        }
        Statement::CreateTable(create) => {
            spec_text(&analyze_create_table(ctx, create, &DdlDefaults::default())?, &mut out)
        }
        Statement::CreateTableAsSelect(ctas) => {
            let a = analyze_ctas(ctx, ctas, &DdlDefaults::default())?;
            spec_text(&a.spec, &mut out);
            out.push_str(&query_text(&a.query));
        }
        Statement::CreateView(create) => {
            let a = analyze_create_view(ctx, create)?;
            let columns: Vec<String> = a.columns.iter().map(|c| format!("{} {}", c.name, c.ty.sql_name())).collect();
            writeln!(out, "view {}.{} ({})\n{}", a.db_name, a.name, columns.join(", "), a.view.definition).unwrap();
            for t in &a.tables {
                writeln!(out, "uses {}.{} {:?} through_view={}", t.db, t.table, t.columns, t.through_view).unwrap();
            }
        }
        other => writeln!(out, "not a tested statement: {other:?}").unwrap(),
    }
    Ok(out)
}

fn spec_text(s: &CreateTableSpec, out: &mut String) {
    writeln!(out, "table {}.{} {:?} short key {}", s.db_name, s.name, s.keys, s.short_key_columns).unwrap();
    for c in &s.columns {
        writeln!(
            out,
            "  {} {}{}{} {:?}{}",
            c.name,
            c.ty.sql_name(),
            if c.nullable { "" } else { " not null" },
            if c.key { " key" } else { "" },
            c.default,
            c.generated.as_ref().map_or_else(String::new, |g| format!(" as {g}"))
        )
        .unwrap();
    }
    writeln!(out, "  {:?}", s.partition_info).unwrap();
    for p in &s.partitions {
        writeln!(out, "  {} {:?}", p.name, p.item).unwrap();
    }
    writeln!(out, "  {:?} sort {:?}", s.distribution, s.sort_key).unwrap();
    writeln!(out, "  {:?}", s.properties).unwrap();
    for i in &s.indexes_ddl {
        writeln!(out, "  {i}").unwrap();
    }
}
