//! The frontend process: arguments, configuration, and the seams to the real world.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use common_base::{Result, SharedRng, SystemClock, bail, config::ConfigSet, fs::LocalFs, net::TokioNet, runtime::Shutdown, telemetry};
use common_kv_rocks::RocksStore;
use fe_server::{app, config};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            tracing::error!("{e}");
            eprintln!("mirrorship-fe: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let home = home_argument()?;
    let set = Arc::new(ConfigSet::new(&[config::KEYS])?);
    let warnings = set.load_file(&home.join("conf/fe.conf"))?;
    let under_home = |path: String| if PathBuf::from(&path).is_absolute() { PathBuf::from(path) } else { home.join(path) };
    let clock = SystemClock::shared();
    let log_dir = under_home(set.get(&config::LOG_DIR));
    let policy = telemetry::RollPolicy::parse(&set.get(&config::LOG_ROLL_MODE), set.get(&config::LOG_ROLL_NUM))?;
    let file = |name: &str| telemetry::RollingFile::open(&log_dir.join(name), policy.clone(), clock.clone());
    let target = telemetry::LogTarget::Files { log: file("fe.log")?, warnings: Some(file("fe.warn.log")?) };
    let _telemetry = telemetry::init(&set.get(&config::SYS_LOG_LEVEL), &target)?;
    for warning in warnings {
        tracing::warn!("{warning}");
        eprintln!("mirrorship-fe: warning: {warning}");
    }
    let meta_dir = under_home(set.get(&config::META_DIR));
    let seams = app::Seams {
        clock,
        rng: SharedRng::from_entropy(),
        fs: LocalFs::shared(),
        net: Arc::new(TokioNet),
        log_store: RocksStore::open_shared(&meta_dir.join("log"))?,
        threads: true,
    };
    let runtime = common_base::runtime::build_runtime("fe", common_base::runtime::cores().max(2))?;
    runtime.block_on(async {
        let shutdown = Shutdown::new();
        let app = app::start(&set, &meta_dir, seams, shutdown.clone()).await?;
        common_base::runtime::wait_for_signal().await?;
        tracing::info!("stopping");
        shutdown.trigger();
        app.stop().await;
        Ok(())
    })
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
                writeln!(std::io::stdout(), "mirrorship-fe {}", env!("CARGO_PKG_VERSION"))?;
                std::process::exit(0);
            }
            "--helper" => bail!(NotSupported, "--helper: joining a frontend to an existing cluster is not supported yet"),
            other => bail!(InvalidArgument, "unknown argument '{other}' (known: --home DIR, --version)"),
        }
    }
    Ok(home)
}
