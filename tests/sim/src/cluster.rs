//! A whole cluster on one thread: frontends and backends as hosts of a simulated network, each with its own disk, key-value stores,
//! clock and randomness, and a scenario that plays the client and the weather.
//!
//! A seed decides everything: latencies, ids, the order of hash maps, what a crash leaves of an unsynced file.

use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use common_base::{
    Result, Rng, SharedRng,
    clock::TokioClock,
    config::ConfigSet,
    fs::{FaultyFs, MemFs, SharedFs},
    kv::{MemKv, SharedKv},
    runtime::Shutdown,
};
use parking_lot::Mutex;

use crate::{
    client::{http, http::Put, mysql::{MySql, Rows}},
    net::SimNet,
    os,
    trace::Trace,
};

/// Wall time when a simulation starts.
const START_US: i64 = 1_700_000_000_000_000;
/// Simulated time a scenario may take.
const DURATION_MAX: Duration = Duration::from_secs(3600);
/// Frames and plans of a debug-like build are deep.
const STACK_BYTES: usize = 64 << 20;

/// The frontend's name on the network.
pub const FE: &str = "fe1";
/// The backends' names.
pub const BACKENDS: [&str; 3] = ["be1", "be2", "be3"];
const CLIENT: &str = "client";

/// Which hosts there are.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// The first one starts the group.
    pub frontends: &'static [&'static str],
    pub backends: &'static [&'static str],
}

impl Layout {
    /// One frontend and three backends.
    pub const SMALL: Self = Self { frontends: &[FE], backends: &BACKENDS };
    /// One frontend and more backends than replicas.
    pub const WIDE: Self = Self { frontends: &[FE], backends: &["be1", "be2", "be3", "be4", "be5"] };
    /// A group of frontends.
    pub const GROUP: Self = Self { frontends: &[FE, "fe2", "fe3"], backends: &["be1", "be2", "be3", "be4", "be5"] };

    /// Every machine.
    pub fn machines(self) -> impl Iterator<Item = &'static str> {
        self.frontends.iter().chain(self.backends).copied()
    }
}

/// What survives a process: its disks.
#[derive(Clone)]
pub struct Machine {
    name: &'static str,
    seed: u64,
    disk: MemFs,
    /// The disk with the faults a scenario injects.
    pub faults: Arc<FaultyFs>,
    kvs: Arc<Mutex<BTreeMap<PathBuf, MemKv>>>,
    starts: Arc<Mutex<u64>>,
}

impl Machine {
    fn new(name: &'static str, seed: u64) -> Self {
        let disk = MemFs::new();
        let faults = Arc::new(FaultyFs::new(Arc::new(disk.clone())));
        Self { name, seed, disk, faults, kvs: Arc::default(), starts: Arc::default() }
    }

    fn kv(&self, path: &Path) -> SharedKv {
        Arc::new(self.kvs.lock().entry(path.to_owned()).or_default().clone())
    }

    /// The power goes.
    fn crash(&self, rng: &mut Rng) {
        self.disk.crash_torn(rng);
        self.kvs.lock().values().for_each(MemKv::crash);
    }

    fn rng(&self) -> SharedRng {
        let mut starts = self.starts.lock();
        *starts += 1;
        let name = self.name.bytes().fold(0, |h: u64, b| h.wrapping_mul(31).wrapping_add(u64::from(b)));
        SharedRng::from_seed(self.seed ^ name.rotate_left(32) ^ *starts)
    }

    fn fs(&self) -> SharedFs {
        self.faults.clone()
    }
}

fn clock() -> Arc<TokioClock> {
    let elapsed = turmoil::sim_elapsed().unwrap_or_default();
    Arc::new(TokioClock::new(START_US + elapsed.as_micros() as i64))
}

fn configuration(keys: &[&[common_base::config::KeyDef]], text: &str) -> Result<Arc<ConfigSet>> {
    let set = ConfigSet::new(keys)?;
    set.load(text, "conf", &|_| None)?;
    Ok(Arc::new(set))
}

/// Where a host's edit-log port is: machines know each other by address.
fn edit_log(host: &str) -> String {
    format!("{}:9010", turmoil::lookup(host))
}

async fn run_fe(machine: Machine, trace: Trace, first: &'static str) -> turmoil::Result {
    let set = configuration(fe_server::config::ALL, "heartbeat_interval_second = 1\nheartbeat_timeout_second = 2\n")?;
    let seams = fe_server::app::Seams {
        clock: clock(),
        rng: machine.rng(),
        fs: machine.fs(),
        net: Arc::new(SimNet { host: machine.name.to_owned(), trace }),
        log_store: machine.kv(Path::new("log")),
        threads: false,
        process: Default::default,
        memory: 4 << 30,
        host_name: || None,
        thread_list: Vec::new,
    };
    let helper = (machine.name != first).then(|| edit_log(first));
    let asked = fe_server::app::Asked { helper: helper.as_deref(), ..Default::default() };
    let _app = fe_server::app::start(&set, Path::new("/meta"), asked, seams, Shutdown::new()).await?;
    std::future::pending().await
}

async fn run_be(machine: Machine, trace: Trace) -> turmoil::Result {
    let set = configuration(be_server::config::ALL, "report_tablet_interval_seconds = 10\nstorage_root_path = /storage\n")?;
    let stores = machine.clone();
    let seams = be_server::app::Seams {
        clock: clock(),
        rng: machine.rng(),
        fs: machine.fs(),
        net: Arc::new(SimNet { host: machine.name.to_owned(), trace }),
        kv: Arc::new(move |path: &Path| Ok(stores.kv(path))),
        memory: 4 << 30,
        threads: false,
        process: Default::default,
        thread_list: Vec::new,
        log_file: None,
    };
    let _app = be_server::app::start(&set, Path::new("/be"), seams, Shutdown::new()).await?;
    std::future::pending().await
}

enum Weather {
    Crash(&'static str),
    Restart(&'static str),
    Latency(&'static str, &'static str, Duration),
}

/// What a scenario works with.
#[derive(Clone)]
pub struct World {
    pub net: SimNet,
    pub trace: Trace,
    pub machines: Arc<BTreeMap<&'static str, Machine>>,
    pub layout: Layout,
    weather: Arc<Mutex<VecDeque<Weather>>>,
}

impl World {
    /// A MySQL connection to the frontend; waits until it is there.
    pub async fn connect(&self) -> MySql {
        loop {
            match MySql::connect(&self.net, &format!("{FE}:9030")).await {
                Ok(client) => return client,
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Runs a statement that succeeds; rows as lines in the trace and as the result.
    pub async fn sql(&self, client: &mut MySql, sql: &str) -> String {
        let rows = client.query(sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
        let text = lines(&rows);
        self.trace.answer(format!("{sql} = {text}"));
        text
    }

    /// Runs a statement that fails; the error.
    pub async fn fails(&self, client: &mut MySql, sql: &str) -> String {
        let error = client.query(sql).await.err().unwrap_or_else(|| panic!("{sql} succeeded"));
        self.trace.answer(format!("{sql} fails: {error}"));
        error
    }

    /// A load by way of the frontend's redirect; its `Status` and `Message`.
    pub async fn load(&self, put: Put<'_>) -> std::result::Result<(String, String), String> {
        let backend = http::redirect(&self.net, &format!("{FE}:8030"), &put).await?;
        self.load_at(&backend, put).await
    }

    /// A load at one backend.
    pub async fn load_at(&self, backend: &str, put: Put<'_>) -> std::result::Result<(String, String), String> {
        let answer = http::send(&self.net, backend, &put).await?;
        let field = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        Ok((field("Status"), field("Message")))
    }

    /// The process dies and the machine loses its power: what was not synced is gone.
    pub async fn crash(&self, host: &'static str) {
        self.trace.event(&format!("{host} crashes"));
        self.weather.lock().push_back(Weather::Crash(host));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    /// The process starts again.
    pub async fn restart(&self, host: &'static str) {
        self.trace.event(&format!("{host} starts"));
        self.weather.lock().push_back(Weather::Restart(host));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    /// Messages between two machines take up to this long from now on.
    pub async fn slow(&self, a: &'static str, b: &'static str, most: Duration) {
        self.trace.event(&format!("{a} and {b} are {most:?} apart"));
        self.weather.lock().push_back(Weather::Latency(a, b, most));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    /// Adds the other frontends as followers and waits until all are alive.
    pub async fn join_frontends(&self, client: &mut MySql) {
        for frontend in &self.layout.frontends[1..] {
            self.sql(client, &format!("ALTER SYSTEM ADD FOLLOWER \"{}\"", edit_log(frontend))).await;
        }
        for frontend in &self.layout.frontends[1..] {
            while MySql::connect(&self.net, &format!("{frontend}:9030")).await.is_err() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }

    /// Adds the backends and waits until all are alive.
    pub async fn join_backends(&self, client: &mut MySql) {
        for backend in self.layout.backends {
            self.sql(client, &format!("ALTER SYSTEM ADD BACKEND \"{backend}:9050\"")).await;
        }
        self.wait_alive(client, self.layout.backends.len()).await;
    }

    /// Waits until so many backends are alive.
    pub async fn wait_alive(&self, client: &mut MySql, count: usize) {
        for _ in 0..600 {
            let rows = client.query("SHOW BACKENDS").await.unwrap_or_else(|e| panic!("SHOW BACKENDS: {e}"));
            let alive = rows.iter().filter(|r| r.iter().flatten().any(|v| v == "true")).count();
            if alive == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{count} backends are not alive after a minute");
    }

    /// Repeats a statement until it gives what is expected.
    pub async fn eventually(&self, client: &mut MySql, sql: &str, expected: &str) {
        let mut last = String::new();
        for _ in 0..600 {
            last = match client.query(sql).await {
                Ok(rows) => lines(&rows),
                Err(e) => e,
            };
            if last == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{sql}: after a minute still {last}, not {expected}");
    }
}

/// Rows as `a,b;c,d`.
pub fn lines(rows: &Rows) -> String {
    let row = |r: &Vec<Option<String>>| r.iter().map(|v| v.as_deref().unwrap_or("NULL")).collect::<Vec<_>>().join(",");
    rows.iter().map(row).collect::<Vec<_>>().join(";")
}

/// Plays a scenario in a small cluster on a thread of its own; the trace, or how it failed.
pub fn simulate<F, Fut>(seed: u64, scenario: F) -> Trace
where
    F: FnOnce(World) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + 'static,
{
    simulate_in(Layout::SMALL, seed, scenario)
}

/// The same in a cluster of some layout.
pub fn simulate_in<F, Fut>(layout: Layout, seed: u64, scenario: F) -> Trace
where
    F: FnOnce(World) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + 'static,
{
    let trace = match std::env::var_os("SIM_TRACE") {
        Some(_) => Trace::with_lines(),
        None => Trace::default(),
    };
    if let Ok(level) = std::env::var("SIM_LOG") {
        // The first simulation of the process sets it for all.
        let _ = common_base::telemetry::init(&level, &common_base::telemetry::LogTarget::Stderr).map(std::mem::forget);
    }
    let seen = trace.clone();
    let run = move || {
        os::simulate(seed);
        play(layout, seed, &seen, scenario)
    };
    let thread = std::thread::Builder::new().name(format!("sim-{seed}")).stack_size(STACK_BYTES).spawn(run).expect("a thread starts");
    let played = thread.join();
    if let Some(path) = std::env::var_os("SIM_TRACE") {
        std::fs::write(path, trace.lines()).expect("the trace file is writable");
    }
    match played {
        Ok(Ok(())) => trace,
        Ok(Err(e)) => panic!("seed {seed}: {e}"),
        Err(payload) => panic!("seed {seed}: {}", common_base::runtime::panic_text(&*payload)),
    }
}

fn play<F, Fut>(layout: Layout, seed: u64, trace: &Trace, scenario: F) -> std::result::Result<(), String>
where
    F: FnOnce(World) -> Fut,
    Fut: Future<Output = ()> + 'static,
{
    let mut sim = turmoil::Builder::new()
        .rng_seed(seed)
        .epoch(std::time::UNIX_EPOCH + Duration::from_micros(START_US as u64))
        .simulation_duration(DURATION_MAX)
        // Every tick visits every machine, whether it has something to do or not.
        .tick_duration(Duration::from_millis(5))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(10))
        .tcp_capacity(1 << 16)
        .build();
    let machines: Arc<BTreeMap<_, _>> = Arc::new(layout.machines().map(|name| (name, Machine::new(name, seed))).collect());
    for machine in machines.values() {
        let (machine, trace) = (machine.clone(), trace.clone());
        let name = machine.name;
        if layout.frontends.contains(&name) {
            let first = layout.frontends[0];
            sim.host(name, move || run_fe(machine.clone(), trace.clone(), first));
        } else {
            sim.host(name, move || run_be(machine.clone(), trace.clone()));
        }
    }
    let weather: Arc<Mutex<VecDeque<Weather>>> = Arc::default();
    let net = SimNet { host: CLIENT.to_owned(), trace: trace.clone() };
    let world = World { net, trace: trace.clone(), machines: machines.clone(), layout, weather: weather.clone() };
    let played = scenario(world);
    sim.client(CLIENT, async move {
        played.await;
        Ok(())
    });
    let mut rng = Rng::from_seed(seed);
    while !sim.step().map_err(|e| e.to_string())? {
        for change in std::mem::take(&mut *weather.lock()) {
            match change {
                Weather::Crash(host) => {
                    sim.crash(host);
                    machines[host].crash(&mut rng);
                }
                Weather::Restart(host) => sim.bounce(host),
                Weather::Latency(a, b, most) => sim.set_link_max_message_latency(a, b, most),
            }
        }
    }
    Ok(())
}
