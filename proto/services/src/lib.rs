//! gRPC services between the processes of a cluster. Requests and replies that are more than a few fields live in `proto_messages`.

macro_rules! service_modules {
    ($($name:ident),+ $(,)?) => {$(
        #[allow(clippy::all, missing_docs)]
        pub mod $name {
            include!(concat!(env!("OUT_DIR"), "/mirrorship.", stringify!($name), ".rs"));
        }
    )+};
}

service_modules!(fe_service, fe_peer, be_service, be_peer, broker_service);
