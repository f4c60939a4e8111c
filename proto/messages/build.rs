//! Generates the message types from `proto/*.proto`. Needs `protoc` on the PATH (Debian: protobuf-compiler).

fn main() {
    let files = ["types", "status", "expr", "plan", "fragment", "chunk", "profile", "catalog", "tablet", "segment"];
    let paths: Vec<String> = files.iter().map(|f| format!("proto/{f}.proto")).collect();
    for path in &paths {
        println!("cargo:rerun-if-changed={path}");
    }
    let mut config = prost_build::Config::new();
    config.bytes(["."]);
    config.compile_protos(&paths, &["proto"]).expect("the messages compile");
}
