//! `itembank_embed`: embedding models inside PostgreSQL.
//!
//! The SQL surface (`functions`) turns arguments into a request, the `engine` answers it, `postgres`
//! is the ground both stand on and the only room with `unsafe` of ours. Nothing heavy happens at load:
//! ONNX Runtime is first touched by the first call of a session, never before a fork.

mod columns;
mod engine;
mod functions;
mod postgres;
mod sql;

pgrx::pg_module_magic!(name, version);

/// Called once by each process that loads the library: settings, the guard of comparisons; and by the postmaster, where
/// it preloads the library, the supervisor of the engine process.
#[pgrx::pg_guard]
extern "C-unwind" fn _PG_init() {
    postgres::settings::define();
    columns::guard::install();
    // pg_upgrade starts servers of its own, with everything that they preload.
    if postgres::background::preloading() && !postgres::background::is_binary_upgrade() {
        columns::worker::register();
        engine::supervisor::register();
    }
}
