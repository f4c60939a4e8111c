//! The backend process: arguments, configuration, and the seams to the real world.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use be_server::{app, config};
use common_base::{Result, SharedRng, SystemClock, bail, config::ConfigSet, fs::LocalFs, net::TokioNet, runtime::Shutdown, telemetry};
use common_kv_rocks::RocksStore;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Running queries and loads get this long after a signal to stop.
const DRAIN: std::time::Duration = std::time::Duration::from_secs(20);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            tracing::error!("{e}");
            eprintln!("mirrorship-be: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    check_cpu()?;
    let home = home_argument()?;
    let set = Arc::new(ConfigSet::new(&[config::KEYS])?);
    let warnings = set.load_file(&home.join("conf/be.conf"))?;
    let clock = SystemClock::shared();
    let log_dir = PathBuf::from(set.get(&config::LOG_DIR));
    let log_dir = if log_dir.is_absolute() { log_dir } else { home.join(log_dir) };
    let policy = telemetry::RollPolicy::parse(&set.get(&config::LOG_ROLL_MODE), set.get(&config::LOG_ROLL_NUM))?;
    let file = |name: &str| telemetry::RollingFile::open(&log_dir.join(name), policy.clone(), clock.clone());
    let target = telemetry::LogTarget::Files { log: file("be.INFO.log")?, warnings: Some(file("be.WARNING.log")?) };
    let _telemetry = telemetry::init(&set.get(&config::SYS_LOG_LEVEL), &target)?;
    for warning in warnings {
        tracing::warn!("{warning}");
        eprintln!("mirrorship-be: warning: {warning}");
    }
    let seams = app::Seams {
        clock,
        rng: SharedRng::from_entropy(),
        fs: LocalFs::shared(),
        net: Arc::new(TokioNet),
        kv: Arc::new(|path| RocksStore::open_shared(path)),
        memory: common_base::machine::memory_bytes()?,
        threads: true,
    };
    let runtime = common_base::runtime::build_runtime("be", common_base::runtime::cores().max(2))?;
    runtime.block_on(async {
        let shutdown = Shutdown::new();
        let app = app::start(&set, &home, seams, shutdown.clone()).await?;
        common_base::runtime::wait_for_signal().await?;
        tracing::info!("stopping");
        shutdown.trigger();
        app.drain(DRAIN).await;
        Ok(())
    })
}

/// The binary is built for CPUs with AVX2; without it the process would die of an illegal instruction later.
fn check_cpu() -> Result<()> {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = text.lines().find(|l| l.starts_with("flags"));
    match flags {
        Some(flags) if !flags.split_whitespace().any(|f| f == "avx2") => bail!(NotSupported, "this CPU lacks AVX2, which the backend needs"),
        _ => Ok(()),
    }
}

/// `--home DIR`; the current directory without it.
fn home_argument() -> Result<PathBuf> {
    let mut home = std::env::current_dir()?;
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--home" => match args.next() {
                Some(dir) => home = PathBuf::from(dir),
                None => bail!(InvalidArgument, "--home needs a directory"),
            },
            "--version" => {
                use std::io::Write;
                writeln!(std::io::stdout(), "mirrorship-be {}", env!("CARGO_PKG_VERSION"))?;
                std::process::exit(0);
            }
            other => bail!(InvalidArgument, "unknown argument '{other}' (known: --home DIR, --version)"),
        }
    }
    Ok(home)
}
