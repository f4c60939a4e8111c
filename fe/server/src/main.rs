//! The frontend process: the seams to the real world.

use std::{process::ExitCode, sync::Arc};

use common_base::{
    Result, SharedRng, fs::LocalFs, machine::ProcessFacts, net::TokioNet,
    process::{Program, Started},
    runtime::Shutdown,
};
use common_kv_rocks::RocksStore;
use fe_server::{app, config, tool};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PROGRAM: Program = Program {
    name: "mirrorship-fe",
    version: env!("CARGO_PKG_VERSION"),
    conf: "conf/fe.conf",
    keys: config::ALL,
    logs: ["fe.log", "fe.warn.log"],
    refused: &[],
    valued: &["--host_type", "--helper"],
};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.split_first() {
        Some((first, rest)) if first == "tool" => ExitCode::from(tool::run(rest, &LocalFs::shared(), RocksStore::open_read_only, &mut std::io::stdout())),
        _ => PROGRAM.main(run),
    }
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
        let asked = app::Asked { host_type: started.argument("--host_type"), helper: started.argument("--helper") };
        // A frontend that waits for the others of its group can be stopped.
        let app = tokio::select! {
            app = app::start(set, &meta_dir, asked, seams, shutdown.clone()) => app?,
            signal = common_base::runtime::wait_for_signal() => {
                tracing::info!("stopping before it was ready: {}", signal?);
                return Ok(());
            }
        };
        let signal = tokio::select! {
            signal = common_base::runtime::wait_for_signal() => signal?,
            () = app.engine.dropped.wait() => "it was dropped from the cluster",
            e = app.engine.meta.failed() => return Err(e),
        };
        tracing::info!("stopping: {signal}");
        if signal == "SIGTERM" {
            app.leave(set.get(&config::MIN_GRACEFUL_EXIT_TIME), set.get(&config::MAX_GRACEFUL_EXIT_TIME)).await;
        }
        app.hand_over().await;
        shutdown.trigger();
        app.stop().await;
        Ok(())
    })
}
