//! Metrics as samples, and samples as Prometheus text.

use std::fmt::Write as _;

use super::Metric;

/// What a metric is, for `# TYPE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleKind {
    Counter,
    Gauge,
    Summary,
}

impl SampleKind {
    /// The word of the text format.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Summary => "summary",
        }
    }
}

/// A metric with its values.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    pub name: String,
    pub help: String,
    pub kind: SampleKind,
    pub samples: Vec<Sample>,
}

/// One line of a scrape.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Name on the line (`_sum` and `_count` lines differ from the metric's).
    pub name: String,
    pub labels: Vec<(String, String)>,
    pub value: f64,
}

impl Sample {
    /// The labels as text: `type="load",state="done"`.
    pub fn labels_text(&self) -> String {
        let pairs: Vec<String> = self.labels.iter().map(|(k, v)| format!("{k}=\"{}\"", escape(v))).collect();
        pairs.join(",")
    }
}

const QUANTILES: [(&str, f64); 6] =
    [("0.50", 0.5), ("0.75", 0.75), ("0.95", 0.95), ("0.98", 0.98), ("0.99", 0.99), ("0.999", 0.999)];

pub(super) fn sample_metric(out: &mut Vec<Sample>, name: &str, labels: &[(String, String)], metric: &Metric) {
    let mut push = |line: &str, extra: Option<(&str, &str)>, value: f64| {
        let mut labels = labels.to_vec();
        labels.extend(extra.map(|(k, v)| (k.to_owned(), v.to_owned())));
        out.push(Sample { name: line.to_owned(), labels, value });
    };
    match metric {
        Metric::Counter(c) => push(name, None, c.get() as f64),
        Metric::Gauge(g) => push(name, None, g.get() as f64),
        Metric::Histogram(h) => {
            for (text, q) in QUANTILES {
                push(name, Some(("quantile", text)), h.quantile(q) as f64);
            }
            push(&format!("{name}_sum"), None, h.sum() as f64);
            push(&format!("{name}_count"), None, h.count() as f64);
        }
    }
}

/// The text format: one `# HELP` and `# TYPE` per metric, then its lines.
pub(super) fn prometheus(families: &[Family]) -> String {
    let mut out = String::new();
    for family in families {
        // Writing to a String does not fail.
        let help = family.help.replace('\\', "\\\\").replace('\n', "\\n");
        let _ = write!(out, "# HELP {0} {help}\n# TYPE {0} {1}\n", family.name, family.kind.name());
        for s in &family.samples {
            let labels = if s.labels.is_empty() { String::new() } else { format!("{{{}}}", s.labels_text()) };
            let _ = writeln!(out, "{}{labels} {}", s.name, s.value);
        }
    }
    out
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::super::{Counter, Gauge, Histogram, Register, Registry, Row};

    const TABLE: &[Row<u32>] = &[
        Row::gauge("memory", "bytes", |v| f64::from(*v) / 2.0),
        Row::counters("table_num", "tables", |v, out| out.add(&[("db", "d")], f64::from(*v))),
        Row::gauges("empty", "nothing yet", |_, _| {}),
    ];

    #[test]
    fn the_text_is_what_scrapers_expect() {
        let registry = Registry::new("starrocks_fe_");
        let queries = Counter::default();
        queries.register(&registry, "query_total", "all queries", &[]);
        queries.add(3);
        let gauge = Gauge::default();
        gauge.register(&registry, "job", "jobs", &[("job", "load"), ("type", "a\"b")]);
        {
            let _one = gauge.scope();
            assert_eq!(gauge.get(), 1);
        }
        let latency = Histogram::default();
        latency.register(&registry, "latency_ms", "latency", &[]);
        latency.observe(5);
        registry.table(TABLE, || Some(3));
        let expected = "\
# HELP starrocks_fe_empty nothing yet
# TYPE starrocks_fe_empty gauge
# HELP starrocks_fe_job jobs
# TYPE starrocks_fe_job gauge
starrocks_fe_job{job=\"load\",type=\"a\\\"b\"} 0
# HELP starrocks_fe_latency_ms latency
# TYPE starrocks_fe_latency_ms summary
starrocks_fe_latency_ms{quantile=\"0.50\"} 5
starrocks_fe_latency_ms{quantile=\"0.75\"} 5
starrocks_fe_latency_ms{quantile=\"0.95\"} 5
starrocks_fe_latency_ms{quantile=\"0.98\"} 5
starrocks_fe_latency_ms{quantile=\"0.99\"} 5
starrocks_fe_latency_ms{quantile=\"0.999\"} 5
starrocks_fe_latency_ms_sum 5
starrocks_fe_latency_ms_count 1
# HELP starrocks_fe_memory bytes
# TYPE starrocks_fe_memory gauge
starrocks_fe_memory 1.5
# HELP starrocks_fe_query_total all queries
# TYPE starrocks_fe_query_total counter
starrocks_fe_query_total 3
# HELP starrocks_fe_table_num tables
# TYPE starrocks_fe_table_num counter
starrocks_fe_table_num{db=\"d\"} 3
";
        assert_eq!(registry.render(), expected);
    }
}
