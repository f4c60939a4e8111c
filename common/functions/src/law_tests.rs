use std::collections::BTreeSet;

use common_expr::laws::check_function;

use crate::registry;

#[test]
fn every_scalar_function_obeys_the_laws() {
    let r = registry();
    let mut faults = Vec::new();
    let mut done = BTreeSet::new();
    let mut names: Vec<_> = r.scalar_names().collect();
    names.sort_unstable();
    for name in names {
        let function = r.scalar_function(name).expect("registered");
        if name != "sleep" && done.insert(function.names[0]) {
            faults.extend(check_function(function));
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
