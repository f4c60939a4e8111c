//! Generates the gRPC services from `proto/*.proto`; messages come from `proto_messages`.

fn main() {
    let files = ["fe_service", "fe_peer", "be_service", "be_peer", "broker_service"];
    let paths: Vec<String> = files.iter().map(|f| format!("proto/{f}.proto")).collect();
    for path in &paths {
        println!("cargo:rerun-if-changed={path}");
    }
    println!("cargo:rerun-if-changed=../messages/proto");
    let mut config = prost_build::Config::new();
    config.bytes(["."]);
    let mut builder = tonic_prost_build::configure();
    for name in ["types", "status", "expr", "plan", "fragment", "chunk", "profile", "catalog", "tablet", "segment"] {
        builder = builder.extern_path(format!(".mirrorship.{name}"), format!("::proto_messages::{name}"));
    }
    builder.compile_with_config(config, &paths, &["proto".to_owned(), "../messages/proto".to_owned()]).expect("the services compile");
}
