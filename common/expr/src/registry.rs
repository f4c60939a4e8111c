//! Names to functions, and overload resolution (types.md §11): identical, then polymorphic, then lossless casts, then any cast.

use std::{collections::HashMap, sync::Arc};

use common_base::{Result, err};
use common_types::LogicalType;

use crate::{
    aggregate_fn::{AggregateFunction, AggregateOverload},
    resolve::resolve_signatures,
    scalar_fn::{ScalarFunction, ScalarOverload},
    table_fn::{TableFunction, TableFunctionRef},
    window_fn::{WindowFunction, WindowOverload},
};

/// Every function the product knows. Built once at start; shared.
#[derive(Default)]
pub struct FunctionRegistry {
    scalars: HashMap<&'static str, Arc<ScalarFunction>>,
    aggregates: HashMap<&'static str, Arc<AggregateFunction>>,
    windows: HashMap<&'static str, Arc<WindowFunction>>,
    tables: HashMap<&'static str, Arc<TableFunction>>,
}

impl FunctionRegistry {
    /// Adds a scalar function under all its names. A name registered twice is a bug and panics at start.
    pub fn add_scalar(&mut self, function: ScalarFunction) {
        insert(&mut self.scalars, function.names, function);
    }

    /// Adds an aggregate function.
    pub fn add_aggregate(&mut self, function: AggregateFunction) {
        insert(&mut self.aggregates, function.names, function);
    }

    /// Adds a window function.
    pub fn add_window(&mut self, function: WindowFunction) {
        insert(&mut self.windows, function.names, function);
    }

    /// Adds a table function.
    pub fn add_table(&mut self, function: TableFunction) {
        insert(&mut self.tables, function.names, function);
    }

    /// Whether `name` (lower case) is a scalar function.
    pub fn is_scalar(&self, name: &str) -> bool {
        self.scalars.contains_key(name)
    }

    /// Whether `name` (lower case) is an aggregate function.
    pub fn is_aggregate(&self, name: &str) -> bool {
        self.aggregates.contains_key(name)
    }

    /// Whether `name` (lower case) is a window-only function.
    pub fn is_window(&self, name: &str) -> bool {
        self.windows.contains_key(name)
    }

    /// Chooses the overload for the argument types; the caller casts its arguments to `overload.args`.
    pub fn scalar(&self, name: &str, args: &[LogicalType]) -> Result<Arc<ScalarOverload>> {
        let function = self.scalars.get(name).ok_or_else(|| no_match(name, args))?;
        let (args, result) = resolve_signatures(&function.signatures, args)?.ok_or_else(|| no_match(name, args))?;
        Ok(Arc::new(ScalarOverload { function: function.clone(), args, result }))
    }

    /// Chooses the overload of a higher-order call: `args` holds `LogicalType::Function` where the lambda stands, `body` is the
    /// type of the lambda's body.
    pub fn scalar_with_lambda(&self, name: &str, args: &[LogicalType], body: &LogicalType) -> Result<Arc<ScalarOverload>> {
        let mut call = self.scalar(name, args)?;
        if let Some(form) = call.function.lambda_kernel {
            let plain: Vec<LogicalType> = call.args.iter().filter(|t| **t != LogicalType::Function).cloned().collect();
            Arc::make_mut(&mut call).result = (form.result)(&plain, body)?;
        }
        Ok(call)
    }

    /// Chooses an aggregate overload.
    pub fn aggregate(&self, name: &str, args: &[LogicalType]) -> Result<Arc<AggregateOverload>> {
        let function = self.aggregates.get(name).ok_or_else(|| no_match(name, args))?;
        let (args, result) = resolve_signatures(&function.signatures, args)?.ok_or_else(|| no_match(name, args))?;
        Ok(Arc::new(AggregateOverload { function: function.clone(), args, result }))
    }

    /// Chooses a window overload.
    pub fn window(&self, name: &str, args: &[LogicalType]) -> Result<Arc<WindowOverload>> {
        let function = self.windows.get(name).ok_or_else(|| no_match(name, args))?;
        let (args, result) = resolve_signatures(&function.signatures, args)?.ok_or_else(|| no_match(name, args))?;
        Ok(Arc::new(WindowOverload { function: function.clone(), args, result }))
    }

    /// A scalar function by name (lower case), no overload chosen.
    pub fn scalar_function(&self, name: &str) -> Option<&Arc<ScalarFunction>> {
        self.scalars.get(name)
    }

    /// An aggregate function by name (lower case).
    pub fn aggregate_function(&self, name: &str) -> Option<&Arc<AggregateFunction>> {
        self.aggregates.get(name)
    }

    /// A window function by name (lower case).
    pub fn window_function(&self, name: &str) -> Option<&Arc<WindowFunction>> {
        self.windows.get(name)
    }

    /// A table function by name.
    pub fn table(&self, name: &str) -> Option<TableFunctionRef> {
        self.tables.get(name).cloned().map(TableFunctionRef)
    }

    /// Every scalar function name, for SHOW BUILTIN FUNCTIONS and "did you mean".
    pub fn scalar_names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.scalars.keys().copied()
    }

    /// Every aggregate function name.
    pub fn aggregate_names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.aggregates.keys().copied()
    }
}

fn insert<F>(map: &mut HashMap<&'static str, Arc<F>>, names: &'static [&'static str], function: F) {
    let function = Arc::new(function);
    for name in names {
        let previous = map.insert(name, function.clone());
        assert!(previous.is_none(), "function {name} is registered twice");
    }
}

/// The error a user sees when no overload fits.
pub fn no_match(name: &str, args: &[LogicalType]) -> common_base::Error {
    let types: Vec<String> = args.iter().map(LogicalType::to_string).collect();
    err!(Analysis, "No matching function with signature: {name}({}).", types.join(", "))
}
