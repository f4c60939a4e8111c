//! Fields and schemas: names, types and nullability of a chunk's columns.

use crate::logical_type::LogicalType;

/// One column of a schema.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Field {
    pub name: String,
    pub ty: LogicalType,
    pub nullable: bool,
}

impl Field {
    /// A nullable field.
    pub fn new(name: impl Into<String>, ty: LogicalType) -> Self {
        Self { name: name.into(), ty, nullable: true }
    }
    /// A field without NULLs.
    pub fn not_null(name: impl Into<String>, ty: LogicalType) -> Self {
        Self { name: name.into(), ty, nullable: false }
    }
}

/// The columns of a relation, in order.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Schema {
    pub fields: Vec<Field>,
}

impl Schema {
    /// A schema of these fields.
    pub fn new(fields: Vec<Field>) -> Self {
        Self { fields }
    }
    /// Number of columns.
    pub fn len(&self) -> usize {
        self.fields.len()
    }
    /// Whether there are no columns.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
    /// The i-th field.
    pub fn field(&self, i: usize) -> &Field {
        &self.fields[i]
    }
    /// Position of a column by name, ASCII case-insensitive.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|f| f.name.eq_ignore_ascii_case(name))
    }
    /// The column types.
    pub fn types(&self) -> impl ExactSizeIterator<Item = &LogicalType> {
        self.fields.iter().map(|f| &f.ty)
    }
}
