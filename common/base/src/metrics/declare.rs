//! Metrics that a subsystem keeps and raises: declared as rows of a struct, put into a registry by whoever composes the process.

use super::{Counter, Gauge, Histogram, Metric, Registry};

/// What can be put into a registry under a name.
pub trait Register {
    /// Puts it there; the registry shows what the handle counts from then on.
    fn register(&self, registry: &Registry, name: &str, help: &str, labels: &[(&str, &str)]);
}

impl Register for Counter {
    fn register(&self, registry: &Registry, name: &str, help: &str, labels: &[(&str, &str)]) {
        registry.put(name, help, labels, Metric::Counter(self.clone()));
    }
}

impl Register for Gauge {
    fn register(&self, registry: &Registry, name: &str, help: &str, labels: &[(&str, &str)]) {
        registry.put(name, help, labels, Metric::Gauge(self.clone()));
    }
}

impl Register for Histogram {
    fn register(&self, registry: &Registry, name: &str, help: &str, labels: &[(&str, &str)]) {
        registry.put(name, help, labels, Metric::Histogram(self.clone()));
    }
}

/// Attempts and how many of them failed, told apart by the label `status`.
#[derive(Clone, Debug, Default)]
pub struct Outcomes {
    total: Counter,
    failed: Counter,
}

impl Outcomes {
    /// Counts an attempt by its result, which comes back.
    pub fn count<T, E>(&self, result: Result<T, E>) -> Result<T, E> {
        self.total.inc();
        if result.is_err() {
            self.failed.inc();
        }
        result
    }
}

impl Register for Outcomes {
    fn register(&self, registry: &Registry, name: &str, help: &str, labels: &[(&str, &str)]) {
        for (status, counter) in [("total", &self.total), ("failed", &self.failed)] {
            let labels: Vec<_> = labels.iter().copied().chain([("status", status)]).collect();
            counter.register(registry, name, help, &labels);
        }
    }
}

/// Declares a struct of metrics, one row each: `field: Kind = "name" {"label" = "value"} "what it means";`. The struct starts at
/// zero and has `register`, which puts every row into a registry.
#[macro_export]
macro_rules! metrics {
    (
        $(#[$attribute:meta])*
        $vis:vis struct $name:ident {
            $($field:ident: $kind:ident = $text:literal { $($key:literal = $value:literal),* } $help:literal;)*
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Debug, Default)]
        $vis struct $name {
            $(#[doc = $help] pub $field: $crate::metrics::$kind,)*
        }

        impl $name {
            /// Puts all of them into a registry.
            pub fn register(&self, registry: &$crate::metrics::Registry) {
                $($crate::metrics::Register::register(&self.$field, registry, $text, $help, &[$(($key, $value)),*]);)*
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::metrics! {
        /// Some.
        struct Some {
            requests: Counter = "requests_total" {"type" = "a"} "Requests";
            engine: Outcomes = "engine_total" {"type" = "b"} "Engine";
        }
    }

    #[test]
    fn rows_are_registered_under_their_labels() {
        let some = Some::default();
        let registry = Registry::new("x_");
        some.register(&registry);
        some.requests.add(2);
        let _ = some.engine.count(Err::<(), ()>(()));
        let lines: Vec<String> = registry.samples().iter().map(|s| format!("{}{{{}}} {}", s.name, s.labels_text(), s.value)).collect();
        assert_eq!(lines, [
            "x_engine_total{type=\"b\",status=\"failed\"} 1",
            "x_engine_total{type=\"b\",status=\"total\"} 1",
            "x_requests_total{type=\"a\"} 2",
        ]);
    }
}
