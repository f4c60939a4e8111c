//! User variables: `@name`, typed by the value last set.

use common_types::{LogicalType, Scalar};

use super::Session;

impl Session {
    /// The value of `@name`; `None` = never set.
    pub fn user_variable(&self, name: &str) -> Option<(Scalar, LogicalType)> {
        self.user_variables.get(name).cloned()
    }

    /// Sets `@name`.
    pub fn set_user_variable(&mut self, name: &str, value: Scalar, ty: LogicalType) {
        self.user_variables.insert(name.to_owned(), (value, ty));
    }
}
