//! information_schema.be_compactions: what the newest heartbeats say of each backend's compactions.

use common_types::Scalar;

use super::{Provider, Ty, number};

pub(super) const BE_COMPACTIONS: Provider = Provider {
    asks_backends: false,
    db: "information_schema",
    name: "be_compactions",
    columns: &[
        ("BE_ID", Ty::BigInt),
        ("CANDIDATES_NUM", Ty::BigInt),
        ("BASE_COMPACTION_CONCURRENCY", Ty::BigInt),
        ("CUMULATIVE_COMPACTION_CONCURRENCY", Ty::BigInt),
        ("LATEST_COMPACTION_SCORE", Ty::Double),
        ("CANDIDATE_MAX_SCORE", Ty::Double),
        ("MANUAL_COMPACTION_CONCURRENCY", Ty::BigInt),
        ("MANUAL_COMPACTION_CANDIDATES_NUM", Ty::BigInt),
    ],
    rows: |cx| {
        let backends = cx.catalog.backends.values();
        backends
            .filter_map(|b| {
                let state = cx.engine.nodes.get(b.id).reply?.compactions?;
                Some(vec![
                    number(b.id.0),
                    number(state.candidates),
                    number(state.running_base),
                    number(state.running_cumulative),
                    Scalar::Double(state.max_score),
                    Scalar::Double(state.max_score),
                    // A disk has one slot for all kinds.
                    number(u64::from(state.asked > 0)),
                    number(state.asked),
                ])
            })
            .collect()
    },
};
