//! Conversion: the rows of one tablet at a version become the history of another that loads already write.
//!
//! The new tablet was created as *converting*: it publishes versions although those below are missing. The conversion reads its
//! source at version V, computes the new columns, writes them as one rowset for versions up to V, and swaps that in for whatever
//! the tablet had up to V. Versions after V stay: loads wrote both tablets. One metadata batch; doing it twice does nothing more.
//!
//! What a load does to a primary-key tablet depends on the rows it finds. Until the history is there, publications are only noted
//! (a waiting rowset with its version); the conversion then applies them one after the other, and ends when none is left.

use std::sync::Arc;

use common_base::ids::TabletId;
use common_base::{Result, ResultExt, bail, ensure};
use common_expr::eval::{CompiledExprs, Conjuncts};
use common_expr::expr::Expr;
use common_expr::scalar_fn::EvalContext;
use common_types::Chunk;
use proto_messages::expr::KeptValue;
use proto_messages::tablet::CreateTablet;

use crate::engine::StorageEngine;
use crate::ingest::DeltaWriter;
use crate::meta_store::MetaBatch;
use crate::read::{ReadColumn, ReadSpec};
use crate::rowset::Rowset;
use crate::rowset::writer::PendingRowset;
use crate::tablet::Tablet;

/// What to convert.
#[derive(Debug)]
pub struct Conversion {
    pub from: TabletId,
    pub to: TabletId,
    pub version: i64,
    /// Columns to read.
    pub columns: Vec<ReadColumn>,
    /// The new tablet's columns over those.
    pub exprs: Vec<Expr>,
    /// Rows that go over; `None` = all.
    pub predicate: Option<Expr>,
    /// Conversions that must not lose values.
    pub kept: Vec<KeptValue>,
    pub eval: EvalContext,
}

impl StorageEngine {
    /// Gives a converting tablet its history; fine when it has it already.
    pub fn convert(&self, conversion: &Conversion) -> Result<()> {
        let to = self.tablet(conversion.to)?;
        if !to.is_converting() {
            return Ok(());
        }
        if !to.begin_compaction() {
            bail!(Unavailable, "tablet {} is being converted", to.id());
        }
        let outcome = self.convert_alone(&to, conversion);
        to.end_compaction();
        outcome.with_context(|| format!("converting tablet {} at version {}", conversion.from, conversion.version))
    }

    fn convert_alone(&self, to: &Arc<Tablet>, conversion: &Conversion) -> Result<()> {
        if to.primary().is_some() && to.versions().max() > to.create_request().initial_version.max(1) {
            // The history came before, and some of what follows.
            return catch_up(to);
        }
        let from = self.tablet(conversion.from)?;
        let spec = ReadSpec { columns: conversion.columns.clone(), output: (0..conversion.columns.len()).collect(), ..Default::default() };
        let read = from.read(conversion.version, &spec)?;
        let exprs = CompiledExprs::compile(&conversion.exprs);
        let mut predicate = conversion.predicate.clone().map(|p| Conjuncts::compile(vec![p]));
        let writer = DeltaWriter::converting(to)?;
        for morsel in &read.morsels {
            for chunk in morsel.scan()? {
                let mut chunk = chunk?;
                if let Some(predicate) = &mut predicate {
                    chunk = predicate.filter(&conversion.eval, &chunk)?;
                }
                if chunk.rows() > 0 {
                    let converted = exprs.eval_chunk(&conversion.eval, &chunk)?;
                    check_kept(&conversion.kept, &chunk, &converted)?;
                    writer.write(converted)?;
                }
            }
        }
        let first = to.create_request().initial_version + 1;
        // Nothing was ever loaded; the files of no rows are none.
        let history = if conversion.version < first { None } else { Some(writer.close_covering((first, conversion.version))?) };
        if to.primary().is_some() {
            if let Some(history) = history {
                begin_history(to, history)?;
            }
            return catch_up(to);
        }
        install(to, history, conversion.version)
    }
}

/// Fails when a conversion made NULL of a value.
fn check_kept(kept: &[KeptValue], before: &Chunk, after: &Chunk) -> Result<()> {
    for k in kept {
        let (from, to) = (before.column(k.from as usize), after.column(k.to as usize));
        ensure!(to.null_count() <= from.null_count(), InvalidArgument, "a value of column {} does not convert from {} to {}", k.name, from.ty(), to.ty());
    }
    Ok(())
}

/// Gives a primary-key tablet its first rows; it goes on converting.
fn begin_history(to: &Arc<Tablet>, history: PendingRowset) -> Result<()> {
    let _state = to.primary().map(|p| p.lock());
    let _turn = to.pending.lock();
    to.check()?;
    let rowset = Rowset::new(history.meta().clone(), to.dir().clone(), to.shared().clone())?;
    let next = to.versions().with_filler(rowset.clone())?;
    let mut batch = MetaBatch::new();
    to.dir().meta().put_rowset(&mut batch, rowset.meta())?;
    to.dir().meta().commit(batch)?;
    to.set_versions(next);
    history.settle();
    Ok(())
}

/// Applies the publications that waited for the history, in their order; the conversion ends when none is left.
fn catch_up(to: &Arc<Tablet>) -> Result<()> {
    let Some(primary) = to.primary() else { return Ok(()) };
    loop {
        // Taken anew every time: a publication may come in between.
        let mut state = primary.lock();
        to.check()?;
        if !to.is_converting() {
            return Ok(());
        }
        let mut pending = to.pending.lock();
        let versions = to.versions();
        let next = pending.iter().filter(|(_, r)| r.versions().1 > 0).min_by_key(|(_, r)| r.versions().1).map(|(txn, r)| (*txn, r.clone()));
        let meta = to.dir().meta();
        let Some((txn, rowset)) = next else {
            let create = CreateTablet { converting: false, ..(*to.create_request()).clone() };
            let mut header = to.header();
            header.create = Some(create.clone());
            let mut batch = MetaBatch::new();
            meta.put_tablet(&mut batch, &header);
            meta.commit(batch)?;
            to.set_schema(create, (*to.schema()).clone());
            return Ok(());
        };
        let version = rowset.versions().1;
        let mut batch = MetaBatch::new();
        meta.delete_txn(&mut batch, txn, to.id());
        if version <= versions.max() {
            // The history has its rows.
            meta.commit(batch)?;
            pending.remove(&txn);
            rowset.discard();
            continue;
        }
        ensure!(version == versions.max() + 1, Unavailable, "versions after {} are missing", versions.max());
        drop(pending);
        let outcome = crate::primary::apply::apply(to, &mut state, &rowset, version).and_then(|applied| {
            let next = versions.with_next(applied.rowset.clone())?;
            applied.record(to, version, &mut batch)?;
            meta.commit(batch)?;
            Ok((applied, next))
        });
        let (applied, next) = match outcome {
            Ok(done) => done,
            Err(e) => {
                state.invalidate();
                to.dir().end_writing(rowset.id());
                return Err(e);
            }
        };
        let mut pending = to.pending.lock();
        pending.remove(&txn);
        applied.settle(to, version);
        to.set_versions(next);
    }
}

/// Swaps the history in and ends the conversion.
fn install(to: &Arc<Tablet>, history: Option<PendingRowset>, version: i64) -> Result<()> {
    // No publication comes in between.
    let _turn = to.pending.lock();
    to.check()?;
    let rowset = match &history {
        Some(pending) => Some(Rowset::new(pending.meta().clone(), to.dir().clone(), to.shared().clone())?),
        None => None,
    };
    let (next, replaced) = to.versions().with_history(rowset.clone(), version)?;
    let create = CreateTablet { converting: false, ..(*to.create_request()).clone() };
    let meta = to.dir().meta();
    let mut batch = MetaBatch::new();
    for old in &replaced {
        meta.delete_rowset(&mut batch, old.meta())?;
    }
    if let Some(rowset) = &rowset {
        meta.put_rowset(&mut batch, rowset.meta())?;
    }
    let mut header = to.header();
    header.create = Some(create.clone());
    meta.put_tablet(&mut batch, &header);
    meta.commit(batch)?;
    to.set_versions(next);
    to.set_schema(create, (*to.schema()).clone());
    if let Some(pending) = history {
        pending.settle();
    }
    for old in replaced {
        old.discard();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use common_types::{LogicalType, Scalar};

    use super::*;
    use crate::testkit::{Machine, create_request, keys, load, publish, spec};

    /// Tablet 1 with five versions of rows; tablet 2 converting, in which loads wrote versions 4 and 5, and 3 never came.
    fn half_way(machine: &Machine) -> Arc<StorageEngine> {
        let engine = machine.start();
        let converting = CreateTablet { converting: true, ..create_request(2) };
        engine.create_tablets(&[create_request(1), converting]).unwrap();
        for version in 2..=5 {
            let rows = version as i32 * 100..version as i32 * 100 + 50;
            load(&engine, 1, version as u64, rows.clone()).unwrap();
            publish(&engine, 1, version as u64, version).unwrap();
            if version >= 4 {
                load(&engine, 2, version as u64, rows).unwrap();
                publish(&engine, 2, version as u64, version).unwrap();
            }
        }
        engine
    }

    fn conversion(version: i64) -> Conversion {
        let columns = spec().columns;
        let exprs = columns.iter().enumerate().map(|(i, c)| Expr::column(i as u32, c.ty.clone(), true)).collect();
        Conversion { from: TabletId(1), to: TabletId(2), version, columns, exprs, predicate: None, kept: Vec::new(), eval: EvalContext::default() }
    }

    #[test]
    fn history_comes_below_what_loads_wrote() {
        for version in [3, 4, 5] {
            let machine = Machine::new();
            let engine = half_way(&machine);
            assert_eq!(engine.tablet(TabletId(2)).unwrap().versions().max(), 5);
            engine.convert(&conversion(version)).unwrap();
            assert_eq!(keys(&engine, 2, 5, &spec()).unwrap(), keys(&engine, 1, 5, &spec()).unwrap(), "converted at {version}");
            // Again, and after a power failure: nothing more happens.
            engine.convert(&conversion(2)).unwrap();
            drop(engine);
            machine.crash();
            let engine = machine.start();
            assert!(!engine.tablet(TabletId(2)).unwrap().is_converting());
            assert_eq!(keys(&engine, 2, 5, &spec()).unwrap().len(), 200);
            load(&engine, 2, 9, 0..5).unwrap();
            publish(&engine, 2, 9, 6).unwrap();
            assert_eq!(keys(&engine, 2, 6, &spec()).unwrap().len(), 205);
        }
    }

    #[test]
    fn a_conversion_that_was_cut_off_starts_again() {
        let machine = Machine::new();
        drop(half_way(&machine));
        machine.crash();
        let engine = machine.start();
        assert!(engine.tablet(TabletId(2)).unwrap().is_converting());
        // Version 3 is missing above 2: dividing there is refused.
        assert!(engine.convert(&conversion(2)).is_err());
        engine.convert(&conversion(5)).unwrap();
        assert_eq!(keys(&engine, 2, 5, &spec()).unwrap().len(), 200);
    }

    #[test]
    fn a_publication_that_comes_after_its_conversion_is_done_already() {
        let machine = Machine::new();
        let engine = half_way(&machine);
        load(&engine, 1, 6, 600..650).unwrap();
        publish(&engine, 1, 6, 6).unwrap();
        load(&engine, 2, 6, 600..650).unwrap();
        engine.convert(&conversion(6)).unwrap();
        publish(&engine, 2, 6, 6).unwrap();
        assert_eq!(keys(&engine, 2, 6, &spec()).unwrap().len(), 250);
        assert!(engine.pending_txns().is_empty());
    }

    #[test]
    fn a_value_that_is_lost_fails() {
        let machine = Machine::new();
        let engine = half_way(&machine);
        let mut lossy = conversion(5);
        lossy.exprs[0] = Expr::literal(Scalar::Null).cast_to(&LogicalType::Int);
        lossy.kept = vec![KeptValue { from: 0, to: 0, name: "k".to_owned() }];
        let e = engine.convert(&lossy).unwrap_err();
        assert!(e.to_string().contains("does not convert"), "{e}");
        assert!(engine.tablet(TabletId(2)).unwrap().is_converting());
    }
}
