//! information_schema.be_configs, be_metrics, fe_metrics: settings and counters of the cluster's processes. Those of backends came
//! with their newest heartbeat; those of a frontend are this frontend's.

use common_types::Scalar;

use super::{Context, Provider, TEXT, Ty, number};
use crate::result::text;

pub(super) const BE_CONFIGS: Provider = Provider {
    asks_backends: false,
    db: "information_schema",
    name: "be_configs",
    columns: &[("BE_ID", Ty::BigInt), ("NAME", TEXT), ("VALUE", TEXT), ("TYPE", TEXT), ("DEFAULT", TEXT), ("MUTABLE", TEXT)],
    rows: |cx| {
        of_backends(cx, |reply| {
            let row = |s: proto_services::be_service::SettingReport| {
                vec![text(s.name), text(s.value), text(s.r#type), text(s.default), text(s.mutable.to_string())]
            };
            reply.settings.into_iter().map(row).collect()
        })
    },
};

pub(super) const BE_METRICS: Provider = Provider {
    asks_backends: false,
    db: "information_schema",
    name: "be_metrics",
    columns: &[("BE_ID", Ty::BigInt), ("NAME", TEXT), ("LABELS", TEXT), ("VALUE", Ty::BigInt)],
    rows: |cx| {
        of_backends(cx, |reply| reply.metrics.into_iter().map(|m| vec![text(m.name), text(m.labels), Scalar::BigInt(m.value as i64)]).collect())
    },
};

pub(super) const FE_METRICS: Provider = Provider {
    asks_backends: false,
    db: "information_schema",
    name: "fe_metrics",
    columns: &[("FE_ID", TEXT), ("NAME", TEXT), ("LABELS", TEXT), ("VALUE", Ty::BigInt)],
    rows: |cx| {
        let own = cx.engine.meta.node_id();
        let name = cx.catalog.frontends.values().find(|f| f.id.0 == own).map_or_else(|| own.to_string(), |f| f.name.clone());
        let samples = cx.engine.metrics.get().map(|source| source()).unwrap_or_default();
        let row = |s: common_base::metrics::Sample| {
            vec![text(name.clone()), text(s.name.clone()), text(s.labels_text()), Scalar::BigInt(s.value as i64)]
        };
        samples.into_iter().map(row).collect()
    },
};

/// The rows of every wanted backend that has answered, its id first.
fn of_backends(cx: &Context<'_>, rows: impl Fn(proto_services::be_service::HeartbeatReply) -> Vec<Vec<Scalar>>) -> Vec<Vec<Scalar>> {
    let wanted = cx.catalog.backends.values().filter(|b| cx.wants("BE_ID", &b.id.to_string()));
    let answered = wanted.filter_map(|b| Some((b.id, cx.engine.nodes.get(b.id).reply?)));
    answered.flat_map(|(id, reply)| rows(reply).into_iter().map(move |row| std::iter::once(number(id.0)).chain(row).collect())).collect()
}
