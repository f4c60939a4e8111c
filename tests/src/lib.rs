//! The harness of the SQL corpus and the cluster tests. It depends on everything, so selecting it beside a crate
//! (`cargo test --release -p be_exec -p tests`) keeps one feature set and rebuilds no dependency.
