//! The backend process: the seams to the real world.

use std::{process::ExitCode, sync::Arc};

use be_server::{app, config, tool};
use common_base::{
    Result, SharedRng, bail, fs::LocalFs, machine::ProcessFacts, net::TokioNet,
    process::{Program, Started},
    runtime::Shutdown,
};
use common_kv_rocks::RocksStore;

#[global_allocator]
static ALLOCATOR: common_alloc::Allocator = common_alloc::Allocator;

/// Running queries and loads get this long after a signal to stop.
const DRAIN: std::time::Duration = std::time::Duration::from_secs(20);

const PROGRAM: Program = Program {
    name: "mirrorship-be",
    version: env!("CARGO_PKG_VERSION"),
    conf: "conf/be.conf",
    keys: config::ALL,
    logs: ["be.INFO.log", "be.WARNING.log"],
    refused: &[],
    valued: &[],
};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.split_first() {
        Some((first, rest)) if first == "tool" => {
            let seams = tool::ToolSeams { fs: LocalFs::shared(), kv: Arc::new(|path| RocksStore::open_read_only(path)) };
            ExitCode::from(tool::run(rest, &seams, &mut std::io::stdout()))
        }
        _ => PROGRAM.main(run),
    }
}

fn run(started: Started) -> Result<()> {
    check_cpu()?;
    let seams = app::Seams {
        clock: started.clock.clone(),
        rng: SharedRng::from_entropy(),
        fs: LocalFs::shared(),
        net: Arc::new(TokioNet),
        kv: Arc::new(|path| RocksStore::open_shared(path)),
        memory: common_base::machine::memory_bytes()?,
        threads: true,
        process: ProcessFacts::real,
        thread_list: common_base::machine::thread_list,
        log_file: Some(started.home.join(started.set.get(&common_base::process::LOG_DIR)).join(PROGRAM.logs[0])),
    };
    let runtime = common_base::runtime::build_runtime("be", common_base::runtime::cores().max(2))?;
    runtime.block_on(async {
        let shutdown = Shutdown::new();
        let app = app::start(&started.set, &started.home, seams, shutdown.clone()).await?;
        let signal = common_base::runtime::wait_for_signal().await?;
        tracing::info!("stopping: {signal}");
        app.leave(DRAIN).await;
        shutdown.trigger();
        Ok(())
    })
}

/// The binary is built for CPUs with AVX2; without it the process would die of an illegal instruction later.
fn check_cpu() -> Result<()> {
    if common_base::machine::cpu_has("avx2") == Some(false) {
        bail!(NotSupported, "this CPU lacks AVX2, which the backend needs");
    }
    Ok(())
}
