//! Metrics that are read when somebody asks: rows of a table over a view of the process, taken once for all of them.

use super::render::{Family, Sample, SampleKind};

/// One metric of a table.
pub struct Row<V: 'static> {
    name: &'static str,
    help: &'static str,
    kind: SampleKind,
    read: Read<V>,
}

enum Read<V: 'static> {
    One(fn(&V) -> f64),
    Many(fn(&V, &mut Values)),
}

/// Takes the values of a metric with labels.
#[derive(Default)]
pub struct Values(Vec<(Vec<(String, String)>, f64)>);

impl Values {
    /// The value under these labels.
    pub fn add(&mut self, labels: &[(&str, &str)], value: f64) {
        self.0.push((labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(), value));
    }
}

impl<V: 'static> Row<V> {
    const fn new(name: &'static str, help: &'static str, kind: SampleKind, read: Read<V>) -> Self {
        Self { name, help, kind, read }
    }

    /// A value that goes up and down.
    pub const fn gauge(name: &'static str, help: &'static str, read: fn(&V) -> f64) -> Self {
        Self::new(name, help, SampleKind::Gauge, Read::One(read))
    }

    /// Values that go up and down, under labels.
    pub const fn gauges(name: &'static str, help: &'static str, read: fn(&V, &mut Values)) -> Self {
        Self::new(name, help, SampleKind::Gauge, Read::Many(read))
    }

    /// A value that only grows and is kept elsewhere.
    pub const fn counter(name: &'static str, help: &'static str, read: fn(&V) -> f64) -> Self {
        Self::new(name, help, SampleKind::Counter, Read::One(read))
    }

    /// Values that only grow, under labels.
    pub const fn counters(name: &'static str, help: &'static str, read: fn(&V, &mut Values)) -> Self {
        Self::new(name, help, SampleKind::Counter, Read::Many(read))
    }

    pub(super) fn family(&self, prefix: &str, view: &V) -> Family {
        let name = format!("{prefix}{}", self.name);
        let mut values = Values::default();
        match self.read {
            Read::One(read) => values.add(&[], read(view)),
            Read::Many(read) => read(view, &mut values),
        }
        let samples = values.0.into_iter().map(|(labels, value)| Sample { name: name.clone(), labels, value }).collect();
        Family { help: self.help.to_owned(), kind: self.kind, samples, name }
    }
}
