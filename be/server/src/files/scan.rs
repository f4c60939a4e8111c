//! Scans of files: columnar ones by group, text by blocks that threads take from the file in turn.

use std::{path::{Path, PathBuf}, sync::Arc};

use be_exec::scan::{MorselReader, ScanColumn, ScanFilter, ScanProvider, ScanRequest, ScanSource};
use be_formats::{
    arrow_in::{FileField, ToLocal},
    columnar::{self, ColumnarFile, GroupReader},
};
use common_base::{Result, bail, err, fs::SharedFs};
use common_expr::{
    eval::Conjuncts,
    expr::Expr,
    predicate::{self, ColumnPredicate},
    scalar_fn::EvalContext,
};
use common_functions::kernels::zone::Zone;
use common_types::{Bounds, Chunk, Column, LogicalType, Scalar};
use proto_messages::{fragment::FileRange, plan::FileTable};

use super::{access::FileAccess, text::{TextFile, TextPlan, TextReader}};

/// A text file gets a thread for each of so many bytes.
const TEXT_BYTES: u64 = 8 << 20;

/// Scans of tablets, and of files.
pub struct FileScans {
    pub tablets: Arc<dyn ScanProvider>,
    pub fs: SharedFs,
    pub access: Arc<FileAccess>,
    pub threads: usize,
}

impl ScanProvider for FileScans {
    fn open(&self, request: ScanRequest) -> Result<Arc<dyn ScanSource>> {
        match request.files.clone() {
            None => self.tablets.open(request),
            Some(files) => self.open_files(request, &files),
        }
    }
}

/// Local time of instants, by the session's zone.
pub fn to_local(zone: &str) -> Result<ToLocal> {
    let zone = Zone::parse(zone).ok_or_else(|| err!(BadTimeZone, "Unknown or incorrect time zone: '{zone}'"))?;
    Ok(Arc::new(move |us| zone.to_local(us)))
}

/// Where the values of a column come from.
enum From {
    /// The column of that number among those read.
    File(usize),
    /// A directory `name=value` of the path.
    Path,
}

struct Plan {
    columns: Vec<ScanColumn>,
    from: Vec<From>,
    /// Columns read from files, once each.
    read: Vec<FileField>,
    output: Vec<usize>,
    predicates: Vec<Expr>,
    /// Those that are tests of one column.
    tests: Vec<ColumnPredicate>,
    filters: Vec<ScanFilter>,
    eval: Arc<EvalContext>,
    local: ToLocal,
    text: Option<Arc<TextPlan>>,
}

/// A piece of work.
enum Work {
    Group { file: Arc<dyn ColumnarFile>, group: usize, path: Arc<Vec<Scalar>> },
    Text { file: Arc<TextFile>, path: Arc<Vec<Scalar>> },
}

struct FileScan {
    plan: Arc<Plan>,
    work: Vec<Work>,
    rows: u64,
}

impl FileScans {
    fn open_files(&self, request: ScanRequest, files: &FileTable) -> Result<Arc<dyn ScanSource>> {
        let format = files.format.clone().unwrap_or_default();
        let mut read: Vec<FileField> = Vec::new();
        let mut from = Vec::with_capacity(request.columns.len());
        for column in &request.columns {
            from.push(if files.path_columns.iter().any(|p| *p == column.name) {
                From::Path
            } else {
                read.push(FileField { name: column.name.clone(), ty: column.ty.clone() });
                From::File(read.len() - 1)
            });
        }
        let text = match format.kind.as_str() {
            "csv" | "json" => {
                let columns: Vec<(String, LogicalType)> = read.iter().map(|f| (f.name.clone(), f.ty.clone())).collect();
                Some(Arc::new(TextPlan::new(&format, &columns, request.eval.clone(), files.fill_missing)?))
            }
            _ => None,
        };
        let (tests, _) = predicate::extract_all(&request.predicates);
        let plan = Plan {
            from,
            read,
            output: request.output.iter().map(|c| *c as usize).collect(),
            predicates: request.predicates,
            tests,
            filters: request.filters,
            local: to_local(&request.eval.time_zone)?,
            eval: request.eval,
            text,
            columns: request.columns,
        };
        let (mut work, mut rows) = (Vec::new(), 0);
        for range in request.ranges.iter().filter_map(|r| r.file.as_ref()) {
            let path = PathBuf::from(&range.path);
            self.access.check(&path)?;
            let values = Arc::new(plan.path_values(&path)?);
            if !plan.tests_pass(&values) {
                continue;
            }
            match &plan.text {
                Some(text) => {
                    let file = Arc::new(TextFile::new(self.fs.clone(), path, &text.format, &format.compression));
                    let threads = (range.size / TEXT_BYTES + 1).min(self.threads.max(1) as u64);
                    work.extend((0..threads).map(|_| Work::Text { file: file.clone(), path: values.clone() }));
                    rows = u64::MAX;
                }
                None => rows = self.groups(&plan, &path, range, files, &values, &mut work)?.saturating_add(rows),
            }
        }
        Ok(Arc::new(FileScan { plan: Arc::new(plan), work, rows }))
    }

    /// The groups of a part of a columnar file that can hold rows that pass; how many rows they have.
    fn groups(&self, plan: &Plan, path: &Path, range: &FileRange, files: &FileTable, values: &Arc<Vec<Scalar>>, out: &mut Vec<Work>) -> Result<u64> {
        let kind = files.format.as_ref().map_or("", |f| f.kind.as_str());
        let file = columnar::open(kind, self.fs.open_read(path)?, &range.path)?;
        check_columns(&*file, &plan.read, files.fill_missing, &range.path)?;
        let mut rows = 0;
        for group in 0..file.groups() {
            let middle = file.middle(group);
            if middle < range.offset || middle >= range.offset.saturating_add(range.length) || !plan.group_may_match(&*file, group) {
                continue;
            }
            rows += file.rows(group);
            out.push(Work::Group { file: file.clone(), group, path: values.clone() });
        }
        Ok(rows)
    }
}

/// Whether a file has what is read of it.
pub fn check_columns(file: &dyn ColumnarFile, read: &[FileField], fill_missing: bool, path: &str) -> Result<()> {
    match read.iter().find(|f| !fill_missing && !file.has(&f.name)) {
        None => Ok(()),
        Some(missing) => bail!(
            InvalidArgument,
            "column '{}' is not found in file '{path}'; with \"fill_mismatch_column_with\" = \"null\" it is NULL there",
            missing.name
        ),
    }
}

impl Plan {
    /// Values of `name=value` directories, for the columns that come from there.
    fn path_values(&self, path: &Path) -> Result<Vec<Scalar>> {
        let directories: Vec<(String, String)> = path
            .components()
            .filter_map(|c| c.as_os_str().to_str()?.split_once('=').map(|(k, v)| (k.to_owned(), super::sink::unescape(v))))
            .collect();
        let value = |c: &ScanColumn| -> Result<Scalar> {
            let found = directories.iter().rev().find(|(k, _)| *k == c.name);
            let (_, text) = found.ok_or_else(|| err!(InvalidArgument, "path '{}' has no directory '{}=…' (columns_from_path)", path.display(), c.name))?;
            if text == "__HIVE_DEFAULT_PARTITION__" {
                return Ok(Scalar::Null);
            }
            let typed = Expr::literal(Scalar::string(text)).cast_to(&c.ty);
            common_expr::eval::eval_constant(&self.eval, &typed)
        };
        self.columns
            .iter()
            .zip(&self.from)
            .map(|(c, from)| match from {
                From::Path => value(c),
                From::File(_) => Ok(Scalar::Null),
            })
            .collect()
    }

    /// Whether values of a path pass what is asked of their columns.
    fn tests_pass(&self, values: &[Scalar]) -> bool {
        self.tests.iter().all(|t| match self.from.get(t.column as usize) {
            Some(From::Path) => t.matches(&values[t.column as usize]),
            _ => true,
        })
    }

    /// Whether a group can hold a row that passes.
    fn group_may_match(&self, file: &dyn ColumnarFile, group: usize) -> bool {
        let zone = |column: u32| match self.from.get(column as usize) {
            Some(From::File(at)) => file.zone(group, &self.read[*at].name, &self.read[*at].ty, &self.local),
            _ => None,
        };
        let tests = self.tests.iter().all(|t| zone(t.column).is_none_or(|z| t.may_match(&z.min, &z.max, z.nulls, z.rows)));
        tests
            && self.filters.iter().all(|f| match (f.probe.as_column(), f.slot.get()) {
                (Some(column), Some(filter)) => zone(column).is_none_or(|z| filter.may_match(&z.min, &z.max, z.nulls, z.rows)),
                _ => true,
            })
    }
}

impl ScanSource for FileScan {
    fn morsels(&self) -> usize {
        self.work.len()
    }

    fn open_morsel(&self, index: usize) -> Result<Box<dyn MorselReader>> {
        let plan = self.plan.clone();
        let (input, path) = match &self.work[index] {
            // A join's filter may have come since the scan was opened.
            Work::Group { file, group, path } if plan.group_may_match(&**file, *group) => {
                (Input::Group(Box::new(file.read(*group, &plan.read, &plan.local)?), file.bytes(*group)), path.clone())
            }
            Work::Group { path, .. } => (Input::Nothing, path.clone()),
            Work::Text { file, path } => {
                let text = plan.text.clone().ok_or_else(|| err!(Internal, "a text file without a plan"))?;
                (Input::Text(file.clone(), Box::new(TextReader::new(text))), path.clone())
            }
        };
        let conjuncts = Conjuncts::compile(plan.predicates.clone());
        Ok(Box::new(Reader { plan, input, path, conjuncts, rows: 0 }))
    }

    fn bounds(&self, _output: usize) -> Option<Bounds> {
        None
    }

    fn max_rows(&self) -> u64 {
        self.rows
    }
}

enum Input {
    Group(Box<GroupReader>, u64),
    Text(Arc<TextFile>, Box<TextReader>),
    Nothing,
}

struct Reader {
    plan: Arc<Plan>,
    input: Input,
    path: Arc<Vec<Scalar>>,
    conjuncts: Conjuncts,
    rows: u64,
}

impl MorselReader for Reader {
    fn next(&mut self) -> Result<Option<Chunk>> {
        loop {
            let read = match &mut self.input {
                Input::Group(group, _) => group.next_chunk()?,
                Input::Text(file, text) => text.next_chunk(file)?,
                Input::Nothing => None,
            };
            let Some(read) = read else { return Ok(None) };
            self.rows += read.rows() as u64;
            let chunk = self.rows_that_pass(read)?;
            if chunk.rows() > 0 {
                return Ok(Some(chunk.project(&self.plan.output)));
            }
        }
    }

    fn progress(&self) -> (u64, u64) {
        match &self.input {
            Input::Group(_, bytes) => (self.rows, *bytes),
            Input::Text(_, text) => (self.rows, text.bytes),
            Input::Nothing => (0, 0),
        }
    }
}

impl Reader {
    fn rows_that_pass(&mut self, read: Chunk) -> Result<Chunk> {
        let rows = read.rows();
        let column = |(i, from): (usize, &From)| match from {
            From::File(at) => read.column(*at).clone(),
            From::Path => Column::constant(self.path[i].clone(), self.plan.columns[i].ty.clone(), rows),
        };
        let mut chunk = Chunk::new(self.plan.from.iter().enumerate().map(column).collect(), rows);
        if !self.conjuncts.is_empty() {
            chunk = self.conjuncts.filter(&self.plan.eval, &chunk)?;
        }
        for filter in &self.plan.filters {
            // A filter on an expression is left to the join itself.
            if let (Some(column), Some(filter)) = (filter.probe.as_column(), filter.slot.get()) {
                if chunk.rows() > 0 {
                    chunk = chunk.filter(&filter.mask(chunk.column(column as usize)));
                }
            }
        }
        Ok(chunk)
    }
}
