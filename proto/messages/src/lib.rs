//! Messages on the wire and on disk. Each module mirrors one `.proto` file; no services, no logic.

/// Generated code; one module per file of `proto/`.
macro_rules! message_modules {
    ($($name:ident),+ $(,)?) => {$(
        #[allow(clippy::all, missing_docs)]
        pub mod $name {
            include!(concat!(env!("OUT_DIR"), "/mirrorship.", stringify!($name), ".rs"));
        }
    )+};
}

message_modules!(types, status, expr, plan, fragment, chunk, profile, catalog, tablet, segment);

pub use prost::Message;
pub use prost;
