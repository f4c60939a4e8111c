//! Files that queries write. A file is written under a hidden name; when the query's last row is durable all get their names.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, atomic::{AtomicU32, AtomicU64, Ordering}},
    task::{Context, Poll},
};

use be_exec::{runtime::pool::yield_now, sink::{FileRows, FileTarget}};
use be_formats::encode::{FileEncoder, FileLayout};
use common_base::{Result, bail, ensure, err, fs::{SharedFs, parent_of}};
use common_types::{Chunk, display::TextEncoder};
use parking_lot::Mutex;
use proto_messages::{chunk::LoadCounters, fragment::FileSink};

use super::access::FileAccess;

/// Most bytes of a file that does not say.
const FILE_BYTES: u64 = 1 << 30;
/// What encoders of one writer may hold back; beyond, the largest writes its rows out.
const BUFFERED_BYTES: u64 = 128 << 20;
/// Directory of rows whose value is NULL.
const NULL_DIRECTORY: &str = "__HIVE_DEFAULT_PARTITION__";

/// What a query writes here.
pub struct Target {
    fs: SharedFs,
    path: PathBuf,
    prefix: String,
    single: bool,
    max_bytes: u64,
    layout: FileLayout,
    /// Ordinals of what arrives: names of directories, and what is in the files.
    partition_columns: Vec<(String, usize)>,
    data_columns: Vec<usize>,
    next: AtomicU32,
    rows: AtomicU64,
    /// (hidden name, name, bytes) of every file begun and not yet named.
    begun: Mutex<Vec<Begun>>,
    /// The one writer all drivers share (`single`).
    shared: Arc<Mutex<Writers>>,
}

struct Begun {
    hidden: PathBuf,
    name: PathBuf,
    bytes: Option<u64>,
}

/// Opens a target.
pub fn open(fs: &SharedFs, access: &FileAccess, sink: &FileSink) -> Result<Arc<Target>> {
    let path = PathBuf::from(FileAccess::local(&sink.path)?);
    ensure!(!be_formats::glob::is_pattern(&sink.path), InvalidArgument, "path '{}' of files to write has a pattern in it", sink.path);
    ensure!(path.components().all(|c| c != std::path::Component::ParentDir), InvalidArgument, "path '{}' has '..' in it", sink.path);
    access.check(&path)?;
    let format = sink.format.clone().unwrap_or_default();
    let partition: Vec<usize> = sink.partition_columns.iter().map(|c| *c as usize).collect();
    let data_columns: Vec<usize> = (0..format.columns.len()).filter(|c| !partition.contains(c)).collect();
    ensure!(!data_columns.is_empty(), InvalidArgument, "files need a column that partition_by does not name");
    let name = |c: &usize| format.columns.get(*c).map(|n| (n.clone(), *c)).ok_or_else(|| err!(Internal, "a file sink names columns that do not arrive"));
    let target = Target {
        fs: fs.clone(),
        prefix: sink.prefix.clone(),
        single: sink.single,
        max_bytes: if sink.target_max_file_size == 0 { FILE_BYTES } else { sink.target_max_file_size },
        layout: FileLayout::new(sink, &data_columns)?,
        partition_columns: partition.iter().map(name).collect::<Result<_>>()?,
        data_columns,
        path,
        next: AtomicU32::new(0),
        rows: AtomicU64::new(0),
        begun: Mutex::default(),
        shared: Arc::default(),
    };
    if target.single {
        target.refuse_existing(&target.path)?;
    }
    Ok(Arc::new(target))
}

impl Target {
    fn refuse_existing(&self, name: &Path) -> Result<()> {
        if self.fs.exists(name)? {
            bail!(AlreadyExists, "file '{}' exists already: files are not overwritten", name.display());
        }
        Ok(())
    }

    /// Begins a file in a directory below the path (empty: the path itself).
    fn begin(&self, directory: &str) -> Result<OpenFile> {
        let name = if self.single {
            self.path.clone()
        } else {
            let n = self.next.fetch_add(1, Ordering::Relaxed);
            self.path.join(directory).join(format!("{}_{n}.{}", self.prefix, self.layout.extension()))
        };
        self.refuse_existing(&name)?;
        let parent = parent_of(&name);
        self.fs.mkdir_all(parent)?;
        let own = name.file_name().ok_or_else(|| err!(InvalidArgument, "path '{}' names no file", name.display()))?;
        let hidden = parent.join(format!(".{}.{}.tmp", own.to_string_lossy(), self.prefix));
        let mut begun = self.begun.lock();
        let at = begun.len();
        let file = self.fs.create(&hidden)?;
        begun.push(Begun { hidden, name, bytes: None });
        drop(begun);
        Ok(OpenFile { encoder: self.layout.encoder(file)?, at })
    }

    fn complete(&self, file: OpenFile) -> Result<()> {
        let bytes = file.encoder.finish()?;
        self.begun.lock()[file.at].bytes = Some(bytes);
        Ok(())
    }

    fn write(&self, writers: &mut Writers, chunk: &Chunk) -> Result<()> {
        self.rows.fetch_add(chunk.rows() as u64, Ordering::Relaxed);
        if self.partition_columns.is_empty() {
            return self.write_to(writers, String::new(), &chunk.project(&self.data_columns));
        }
        for (directory, rows) in self.directories(chunk) {
            self.write_to(writers, directory, &chunk.gather(&rows).project(&self.data_columns))?;
        }
        Ok(())
    }

    fn write_to(&self, writers: &mut Writers, directory: String, rows: &Chunk) -> Result<()> {
        let file = match writers.open.get_mut(&directory) {
            Some(file) => file,
            None => {
                let file = self.begin(&directory)?;
                writers.open.entry(directory.clone()).or_insert(file)
            }
        };
        file.encoder.write(rows)?;
        if !self.single && file.encoder.bytes() >= self.max_bytes {
            if let Some(full) = writers.open.remove(&directory) {
                self.complete(full)?;
            }
        }
        if writers.open.len() > 1 && writers.open.values().map(|f| f.encoder.buffered()).sum::<u64>() > BUFFERED_BYTES {
            if let Some(largest) = writers.open.values_mut().max_by_key(|f| f.encoder.buffered()) {
                largest.encoder.flush()?;
            }
        }
        Ok(())
    }

    /// The rows of each directory.
    fn directories(&self, chunk: &Chunk) -> Vec<(String, Vec<u32>)> {
        let texts: Vec<(&str, TextEncoder<'_>)> = self.partition_columns.iter().map(|(name, c)| (name.as_str(), TextEncoder::new(chunk.column(*c)))).collect();
        let mut out: Vec<(String, Vec<u32>)> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut value = Vec::new();
        for row in 0..chunk.rows() {
            let mut directory = String::new();
            for (name, text) in &texts {
                value.clear();
                if !directory.is_empty() {
                    directory.push('/');
                }
                directory.push_str(name);
                directory.push('=');
                match text.append(row, &mut value) {
                    true => escape(&value, &mut directory),
                    false => directory.push_str(NULL_DIRECTORY),
                }
            }
            let at = *known.entry(directory).or_insert_with_key(|directory| {
                out.push((directory.clone(), Vec::new()));
                out.len() - 1
            });
            out[at].1.push(row as u32);
        }
        out
    }

    fn finish(&self, writers: &mut Writers) -> Result<()> {
        writers.open.drain().try_for_each(|(_, file)| self.complete(file))
    }
}

/// What a name of a directory cannot hold, as `%` and two digits.
fn escape(value: &[u8], out: &mut String) {
    for c in String::from_utf8_lossy(value).chars() {
        match c {
            '\0'..=' ' | '"' | '#' | '%' | '\'' | '*' | '/' | ':' | '=' | '?' | '\\' | '{' | '[' | ']' | '^' | '\u{7f}' => {
                out.push_str(&format!("%{:02X}", c as u32));
            }
            other => out.push(other),
        }
    }
}

/// Undoes [`escape`].
pub fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten().and_then(|h| u8::from_str_radix(h, 16).ok());
        match hex {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

struct OpenFile {
    encoder: Box<dyn FileEncoder>,
    at: usize,
}

/// Files a writer has open, by directory.
#[derive(Default)]
struct Writers {
    open: HashMap<String, OpenFile>,
}

/// [`Target`] as the executor sees it.
pub struct Handle(pub Arc<Target>);

impl FileTarget for Handle {
    fn writer(&self, _driver: usize) -> Result<Box<dyn FileRows>> {
        let target = self.0.clone();
        let writers = if target.single { target.shared.clone() } else { Arc::default() };
        Ok(Box::new(Rows { target, writers }))
    }

    fn commit(&self) -> Result<LoadCounters> {
        let target = &self.0;
        target.finish(&mut target.shared.lock())?;
        // A query without rows leaves one file without rows.
        if target.begun.lock().is_empty() && target.partition_columns.is_empty() {
            let file = target.begin("")?;
            target.complete(file)?;
        }
        let mut begun = target.begun.lock();
        let mut named: Vec<&Path> = Vec::with_capacity(begun.len());
        let give = |file: &Begun| -> Result<()> {
            ensure!(file.bytes.is_some(), Internal, "file '{}' was not completed", file.name.display());
            // A link fails where a file of that name is: what others have written stays.
            target.fs.hard_link(&file.hidden, &file.name)?;
            Ok(())
        };
        let mut result = Ok(());
        for file in begun.iter() {
            result = give(file);
            if result.is_err() {
                break;
            }
            named.push(&file.name);
        }
        if result.is_ok() {
            let mut dirs: Vec<&Path> = named.iter().map(|n| parent_of(n)).collect();
            dirs.sort_unstable();
            dirs.dedup();
            result = dirs.iter().try_for_each(|dir| target.fs.sync_dir(dir));
        }
        if let Err(e) = result {
            for name in named {
                let _ = target.fs.remove(name);
            }
            return Err(e);
        }
        let rows = target.rows.load(Ordering::Relaxed);
        let (bytes, files) = (begun.iter().filter_map(|f| f.bytes).sum(), begun.len() as u64);
        for file in begun.drain(..) {
            let _ = target.fs.remove(&file.hidden);
        }
        Ok(LoadCounters { total_rows: rows, loaded_rows: rows, bytes, files, ..LoadCounters::default() })
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // Named or not: the hidden names go.
        for file in self.begun.get_mut().drain(..) {
            let _ = self.fs.remove(&file.hidden);
        }
    }
}

struct Rows {
    target: Arc<Target>,
    writers: Arc<Mutex<Writers>>,
}

impl FileRows for Rows {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if self.writers.try_lock().is_none() {
            // Another driver writes to the same file: its chunk takes no time worth a timer.
            return yield_now(cx).map(Ok);
        }
        Poll::Ready(Ok(()))
    }

    fn write(&mut self, chunk: Chunk) -> Result<()> {
        self.target.write(&mut self.writers.lock(), &chunk)
    }

    fn finish(&mut self) -> Result<()> {
        // What drivers share ends with the last of them.
        if self.target.single { Ok(()) } else { self.target.finish(&mut self.writers.lock()) }
    }
}
