//! Variances, standard deviations, covariances and correlation. State: STRUCT of the count and the running moments.

use std::ops::Range;

use common_base::{Result, bail};
use common_expr::aggregate_fn::{Accumulator, AggregateFunction};
use common_types::{Column, LogicalType as T};

use arrow::buffer::NullBuffer;

use super::def::{Create, aggregate, struct_of};
use crate::kernels::{
    def::sig,
    num::{F64Arg, from_f64, union_nulls},
};

/// What is made of the moments.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    VarPop,
    VarSamp,
    StdPop,
    StdSamp,
    CovarPop,
    CovarSamp,
    Corr,
}

macro_rules! create {
    ($kind:expr) => {
        |_, _, _| Ok(Box::new(Moments { kind: $kind, states: Vec::new() }))
    };
}

/// The rows of the function table.
pub fn functions() -> Vec<AggregateFunction> {
    let one: [(&'static [&'static str], Create); 4] = [
        (&["variance", "var_pop", "variance_pop"], create!(Kind::VarPop)),
        (&["var_samp", "variance_samp"], create!(Kind::VarSamp)),
        (&["stddev", "stddev_pop", "std"], create!(Kind::StdPop)),
        (&["stddev_samp"], create!(Kind::StdSamp)),
    ];
    let two: [(&'static [&'static str], Create); 3] = [
        (&["covar_pop"], create!(Kind::CovarPop)),
        (&["covar_samp"], create!(Kind::CovarSamp)),
        (&["corr"], create!(Kind::Corr)),
    ];
    let d = || T::Double;
    one.into_iter()
        .map(|(names, create)| aggregate(names, vec![sig([d()], d())], state_type, create))
        .chain(two.into_iter().map(|(names, create)| aggregate(names, vec![sig([d(), d()], d())], state_type, create)))
        .collect()
}

const FIELDS: [&str; 6] = ["n", "mean_x", "mean_y", "m2_x", "m2_y", "c"];

fn state_type(_: &[T], _: &T) -> T {
    struct_of(&FIELDS.map(|f| (f, T::Double)))
}

/// Count, means, sums of squared deviations, and of their products.
#[derive(Clone, Copy, Default)]
struct State {
    n: f64,
    mean_x: f64,
    mean_y: f64,
    m2_x: f64,
    m2_y: f64,
    c: f64,
}

impl State {
    #[inline(always)]
    fn add(&mut self, x: f64, y: f64) {
        self.n += 1.0;
        let dx = x - self.mean_x;
        let dy = y - self.mean_y;
        self.mean_x += dx / self.n;
        self.mean_y += dy / self.n;
        self.m2_x += dx * (x - self.mean_x);
        self.m2_y += dy * (y - self.mean_y);
        self.c += dx * (y - self.mean_y);
    }

    #[inline(always)]
    fn add_one(&mut self, x: f64) {
        self.n += 1.0;
        let dx = x - self.mean_x;
        self.mean_x += dx / self.n;
        self.m2_x += dx * (x - self.mean_x);
    }

    fn merge(&mut self, o: &State) {
        if o.n == 0.0 {
            return;
        }
        let n = self.n + o.n;
        let (dx, dy) = (o.mean_x - self.mean_x, o.mean_y - self.mean_y);
        let weight = self.n * o.n / n;
        self.m2_x += o.m2_x + dx * dx * weight;
        self.m2_y += o.m2_y + dy * dy * weight;
        self.c += o.c + dx * dy * weight;
        self.mean_x += dx * o.n / n;
        self.mean_y += dy * o.n / n;
        self.n = n;
    }

    fn fields(&self) -> [f64; 6] {
        [self.n, self.mean_x, self.mean_y, self.m2_x, self.m2_y, self.c]
    }
}

struct Moments {
    kind: Kind,
    states: Vec<State>,
}

impl Moments {
    fn each(&mut self, args: &[Column], rows: usize, group: impl Fn(usize) -> usize) -> Result<()> {
        let nulls = union_nulls(args);
        if nulls.as_ref().is_some_and(|n| n.null_count() == rows) {
            return Ok(());
        }
        let x = F64Arg::new(&args[0], rows)?;
        let valid = |i: usize| nulls.as_ref().is_none_or(|n| n.is_valid(i));
        if let Some(y) = args.get(1) {
            let y = F64Arg::new(y, rows)?;
            (0..rows).filter(|i| valid(*i)).for_each(|i| self.states[group(i)].add(x.values[i], y.values[i]));
        } else {
            (0..rows).filter(|i| valid(*i)).for_each(|i| self.states[group(i)].add_one(x.values[i]));
        }
        Ok(())
    }

    fn value(&self, s: &State) -> Option<f64> {
        let sample = s.n - 1.0;
        match self.kind {
            _ if s.n == 0.0 => None,
            Kind::VarSamp | Kind::StdSamp | Kind::CovarSamp | Kind::Corr if sample <= 0.0 => None,
            Kind::VarPop => Some(s.m2_x / s.n),
            Kind::StdPop => Some((s.m2_x / s.n).sqrt()),
            Kind::VarSamp => Some(s.m2_x / sample),
            Kind::StdSamp => Some((s.m2_x / sample).sqrt()),
            Kind::CovarPop => Some(s.c / s.n),
            Kind::CovarSamp => Some(s.c / sample),
            Kind::Corr => Some(s.c / (s.m2_x.sqrt() * s.m2_y.sqrt())),
        }
    }
}

impl Accumulator for Moments {
    fn resize(&mut self, groups: usize) {
        self.states.resize(groups, State::default());
    }

    fn update(&mut self, groups: &[u32], args: &[Column]) -> Result<()> {
        self.each(args, groups.len(), |i| groups[i] as usize)
    }

    fn update_all(&mut self, group: u32, args: &[Column], rows: usize) -> Result<()> {
        self.each(args, rows, |_| group as usize)
    }

    fn merge(&mut self, groups: &[u32], states: &Column) -> Result<()> {
        let Some(parts) = states.struct_children() else { bail!(Internal, "state of a variance is {}", states.ty()) };
        let fields = parts.iter().map(|c| Ok(F64Arg::new(c, groups.len())?.values.into_owned())).collect::<Result<Vec<_>>>()?;
        for (i, &g) in groups.iter().enumerate().filter(|(i, _)| !states.is_null(*i)) {
            let f = |k: usize| fields[k][i];
            let other = State { n: f(0), mean_x: f(1), mean_y: f(2), m2_x: f(3), m2_y: f(4), c: f(5) };
            self.states[g as usize].merge(&other);
        }
        Ok(())
    }

    fn state(&mut self, groups: Range<usize>) -> Result<Column> {
        let children = (0..FIELDS.len())
            .map(|k| from_f64(&T::Double, self.states[groups.clone()].iter().map(|s| s.fields()[k]).collect(), None))
            .collect();
        Column::from_struct_children(state_type(&[], &T::Double), children, None, groups.len())
    }

    fn finish(&mut self, groups: Range<usize>) -> Result<Column> {
        let values: Vec<Option<f64>> = self.states[groups].iter().map(|s| self.value(s)).collect();
        let nulls = values.contains(&None).then(|| NullBuffer::from_iter(values.iter().map(Option::is_some)));
        Ok(from_f64(&T::Double, values.into_iter().map(|v| v.unwrap_or(0.0)).collect(), nulls))
    }

    fn memory_size(&self) -> usize {
        self.states.capacity() * size_of::<State>()
    }
}
