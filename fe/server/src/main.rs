//! The frontend process: the seams to the real world.

use std::{process::ExitCode, sync::Arc};

use common_base::{
    Result, SharedRng, fs::LocalFs, machine::ProcessFacts, net::TokioNet,
    process::{Program, Started},
    runtime::Shutdown,
};
use common_kv_rocks::RocksStore;
use fe_server::{app, config};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PROGRAM: Program = Program {
    name: "mirrorship-fe",
    version: env!("CARGO_PKG_VERSION"),
    conf: "conf/fe.conf",
    keys: config::ALL,
    logs: ["fe.log", "fe.warn.log"],
    refused: &[("--helper", "joining a frontend to an existing cluster is not supported yet")],
    valued: &["--host_type"],
};

fn main() -> ExitCode {
    PROGRAM.main(run)
}

fn run(started: Started) -> Result<()> {
    let set = &started.set;
    let meta_dir = started.under_home(&set.get(&config::META_DIR));
    let seams = app::Seams {
        clock: started.clock.clone(),
        rng: SharedRng::from_entropy(),
        fs: LocalFs::shared(),
        net: Arc::new(TokioNet),
        log_store: RocksStore::open_shared(&meta_dir.join("log"))?,
        threads: true,
        process: ProcessFacts::real,
        memory: common_base::machine::memory_bytes()?,
        host_name: common_base::machine::host_name,
        thread_list: common_base::machine::thread_list,
    };
    let runtime = common_base::runtime::build_runtime("fe", common_base::runtime::cores().max(2))?;
    runtime.block_on(async {
        let shutdown = Shutdown::new();
        let app = app::start(set, &meta_dir, started.argument("--host_type"), seams, shutdown.clone()).await?;
        let signal = common_base::runtime::wait_for_signal().await?;
        tracing::info!("stopping: {signal}");
        if signal == "SIGTERM" {
            app.leave(set.get(&config::MAX_GRACEFUL_EXIT_TIME)).await;
        }
        shutdown.trigger();
        app.stop().await;
        Ok(())
    })
}
