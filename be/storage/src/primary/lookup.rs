//! Values of rows by their place: what partial and conditional updates need of the rows they change.

use std::collections::HashMap;
use std::sync::Arc;

use be_segment::{Segment, relabel};
use common_base::{Result, err};
use common_types::{Column, Scalar};

use super::index::Location;
use crate::tablet::TabletColumn;

/// Open segments by their number in the tablet's list.
#[derive(Debug, Default)]
pub struct Places {
    segments: HashMap<u32, Arc<Segment>>,
}

impl Places {
    /// Adds a segment.
    pub fn add(&mut self, number: u32, segment: Arc<Segment>) {
        self.segments.insert(number, segment);
    }

    /// The values of a column at places that exist, in their order.
    pub fn values(&self, column: &TabletColumn, places: &[Location]) -> Result<Column> {
        let mut order: Vec<u32> = (0..places.len() as u32).collect();
        order.sort_unstable_by_key(|i| places[*i as usize]);
        let mut pieces: Vec<Column> = Vec::new();
        let mut at = 0;
        while at < order.len() {
            let number = places[order[at] as usize].segment();
            let segment = self.segments.get(&number).ok_or_else(|| err!(Internal, "the primary index names segment {number} that is gone"))?;
            let page_rows = segment.page_rows();
            let page = places[order[at] as usize].row() as usize / page_rows;
            let rows: Vec<u32> = order[at..]
                .iter()
                .map(|i| places[*i as usize])
                .take_while(|l| l.segment() == number && l.row() as usize / page_rows == page)
                .map(|l| l.row() - (page * page_rows) as u32)
                .collect();
            at += rows.len();
            pieces.push(match segment.position_of(column.uid) {
                Some(position) => relabel(segment.page(position, page)?, &column.ty)?.gather(&rows),
                None => Column::constant(column.default.clone(), column.ty.clone(), rows.len()),
            });
        }
        if pieces.is_empty() {
            return Ok(Column::empty(column.ty.clone()));
        }
        let mut back = vec![0u32; order.len()];
        order.iter().enumerate().for_each(|(at, i)| back[*i as usize] = at as u32);
        Ok(Column::concat(&pieces).gather(&back))
    }

    /// The same over a column that has the values where there is no place.
    pub fn values_over(&self, column: &TabletColumn, places: &[Location], otherwise: Column) -> Result<Column> {
        let known: Vec<Location> = places.iter().copied().filter(|l| l.is_some()).collect();
        if known.is_empty() {
            return Ok(otherwise);
        }
        let with = Column::concat(&[self.values(column, &known)?, otherwise]);
        let mut next = 0u32;
        let pick = |(row, place): (usize, &Location)| {
            if place.is_some() {
                next += 1;
                next - 1
            } else {
                (known.len() + row) as u32
            }
        };
        let picks: Vec<u32> = places.iter().enumerate().map(pick).collect();
        Ok(with.gather(&picks))
    }

    /// The same with `otherwise` where there is no place.
    pub fn values_or(&self, column: &TabletColumn, places: &[Location], otherwise: &Scalar) -> Result<Column> {
        let known: Vec<Location> = places.iter().copied().filter(|l| l.is_some()).collect();
        if known.is_empty() {
            return Ok(Column::constant(otherwise.clone(), column.ty.clone(), places.len()));
        }
        let values = self.values(column, &known)?;
        if known.len() == places.len() {
            return Ok(values);
        }
        let with = Column::concat(&[values, Column::constant(otherwise.clone(), column.ty.clone(), 1)]);
        let mut next = 0u32;
        let picks: Vec<u32> = places
            .iter()
            .map(|l| {
                if l.is_some() {
                    next += 1;
                    next - 1
                } else {
                    known.len() as u32
                }
            })
            .collect();
        Ok(with.gather(&picks))
    }
}
