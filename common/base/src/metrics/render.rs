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

/// One line of a scrape.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Name of the metric the line belongs to.
    pub family: String,
    /// Name on the line (`_sum` and `_count` lines differ from the family).
    pub name: String,
    pub help: String,
    pub kind: SampleKind,
    pub labels: Vec<(String, String)>,
    pub value: f64,
}

impl Sample {
    /// A line whose name is its family.
    pub fn new(name: &str, help: &str, kind: SampleKind, labels: &[(&str, &str)], value: f64) -> Self {
        Self {
            family: name.to_owned(),
            name: name.to_owned(),
            help: help.to_owned(),
            kind,
            labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            value,
        }
    }

    /// The labels as text: `type="load",state="done"`.
    pub fn labels_text(&self) -> String {
        let pairs: Vec<String> = self.labels.iter().map(|(k, v)| format!("{k}=\"{}\"", escape(v))).collect();
        pairs.join(",")
    }
}

const QUANTILES: [(&str, f64); 6] =
    [("0.50", 0.5), ("0.75", 0.75), ("0.95", 0.95), ("0.98", 0.98), ("0.99", 0.99), ("0.999", 0.999)];

pub(super) fn sample_metric(
    out: &mut Vec<Sample>,
    name: &str,
    help: &str,
    labels: &[(String, String)],
    metric: &Metric,
) {
    let mut push = |line: &str, kind: SampleKind, extra: Option<(&str, &str)>, value: f64| {
        let mut labels = labels.to_vec();
        labels.extend(extra.map(|(k, v)| (k.to_owned(), v.to_owned())));
        out.push(Sample { family: name.to_owned(), name: line.to_owned(), help: help.to_owned(), kind, labels, value });
    };
    match metric {
        Metric::Counter(c) => push(name, SampleKind::Counter, None, c.get() as f64),
        Metric::Gauge(g) => push(name, SampleKind::Gauge, None, g.get() as f64),
        Metric::Read(kind, read) => push(name, *kind, None, read()),
        Metric::Histogram(h) => {
            for (text, q) in QUANTILES {
                push(name, SampleKind::Summary, Some(("quantile", text)), h.quantile(q) as f64);
            }
            push(&format!("{name}_sum"), SampleKind::Summary, None, h.sum() as f64);
            push(&format!("{name}_count"), SampleKind::Summary, None, h.count() as f64);
        }
    }
}

/// The text format: one `# HELP` and `# TYPE` per metric, then its lines.
pub(super) fn prometheus(samples: &[Sample]) -> String {
    let mut out = String::new();
    let mut family = "";
    for s in samples {
        // Writing to a String does not fail.
        if s.family != family {
            family = &s.family;
            let help = s.help.replace('\\', "\\\\").replace('\n', "\\n");
            let _ = write!(out, "# HELP {family} {help}\n# TYPE {family} {}\n", s.kind.name());
        }
        let labels = if s.labels.is_empty() { String::new() } else { format!("{{{}}}", s.labels_text()) };
        let _ = writeln!(out, "{}{labels} {}", s.name, s.value);
    }
    out
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::super::Registry;
    use super::*;

    #[test]
    fn the_text_is_what_scrapers_expect() {
        let registry = Registry::new("starrocks_fe_");
        registry.counter("query_total", "all queries", &[]).add(3);
        assert_eq!(registry.counter("query_total", "all queries", &[]).get(), 3, "same name, same metric");
        let gauge = registry.gauge("job", "jobs", &[("job", "load"), ("type", "a\"b")]);
        {
            let _one = gauge.scope();
            assert_eq!(gauge.get(), 1);
        }
        registry.histogram("latency_ms", "latency", &[]).observe(5);
        registry.gauge_fn("memory", "bytes", &[], || 1.5);
        registry.collector(|out| out.push(Sample::new("table_num", "tables", SampleKind::Gauge, &[("db", "d")], 2.0)));
        let expected = "\
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
# TYPE starrocks_fe_table_num gauge
starrocks_fe_table_num{db=\"d\"} 2
";
        assert_eq!(registry.render(), expected);
        registry.remove("query_total", &[]);
        assert!(!registry.render().contains("query_total"));
    }
}
