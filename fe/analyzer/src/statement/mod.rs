//! Statements that are not a bare query: legality and normalisation.

#[cfg(test)]
pub(crate) mod tests {
    //! Statement results as text, for the golden tests.

    use fe_parser::ast::Statement;

    use crate::AnalyzeContext;

    pub fn run_statement(_ctx: &AnalyzeContext<'_>, stmt: &Statement, _text: &str) -> String {
        format!("unsupported in tests: {stmt:?}\n")
    }
}
