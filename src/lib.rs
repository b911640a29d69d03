//! `itembank_embed`: embedding models inside PostgreSQL.
//!
//! The SQL surface (`functions`) turns arguments into a request, the `engine` answers it, `postgres`
//! is the ground both stand on and the only room with `unsafe` of ours. Nothing heavy happens at load:
//! ONNX Runtime is first touched by the first call of a session, never before a fork.

mod engine;
mod functions;
mod postgres;

pgrx::pg_module_magic!(name, version);
pgrx::extension_sql_file!(
    "../sql/literals.sql",
    name = "literals",
    requires = [embed, qwen_embed, siglip_embed_image, combined_embed]
);
pgrx::extension_sql_file!("../sql/evaluation.sql", name = "evaluation");
pgrx::extension_sql_file!("../sql/labelling.sql", name = "labelling", requires = ["evaluation"]);
pgrx::extension_sql_file!("../sql/index_recall.sql", name = "index_recall");
pgrx::extension_sql_file!("../sql/report.sql", name = "report", requires = ["evaluation"]);
pgrx::extension_sql_file!(
    "../sql/engine.sql",
    name = "engine",
    requires = [load_model, unload_model, engine_models, engine_reset_statistics]
);
pgrx::extension_sql_file!("../sql/comments.sql", name = "comments", finalize);

/// Called once by each process that loads the library: settings; and by the postmaster, where it preloads the
/// library, the supervisor of the engine process.
#[pgrx::pg_guard]
extern "C-unwind" fn _PG_init() {
    postgres::settings::define();
    if postgres::background::preloading() {
        engine::supervisor::register();
    }
}
