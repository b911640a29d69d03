//! The hand-written SQL, in the order in which it needs itself and Rust's functions.

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
    requires = [
        load_model,
        unload_model,
        engine_status,
        engine_models,
        engine_summary,
        engine_reset_statistics
    ]
);
pgrx::extension_sql_file!(
    "../sql/columns/registry.sql",
    name = "columns_registry",
    requires = [
        embedding_hash,
        embedding_check_expression,
        embedding_is_row_fault,
        model_fingerprint,
        model_dimensions,
        embedding_trigger,
        embedding_fill,
        embedding_record,
        embedding_drain,
        embedding_announce,
        embedding_as_owner,
        embedding_in_transaction_block,
        embed_query,
        embedding_wake,
        embedding_worker_available,
        "evaluation",
        "labelling",
        "report"
    ]
);
pgrx::extension_sql_file!(
    "../sql/columns/compile.sql",
    name = "columns_compile",
    requires = ["columns_registry"]
);
pgrx::extension_sql_file!(
    "../sql/columns/add.sql",
    name = "columns_add",
    requires = ["columns_compile"]
);
pgrx::extension_sql_file!(
    "../sql/columns/backfill.sql",
    name = "columns_backfill",
    requires = ["columns_add"]
);
pgrx::extension_sql_file!(
    "../sql/columns/progress.sql",
    name = "columns_progress",
    requires = ["columns_backfill"]
);
pgrx::extension_sql_file!(
    "../sql/columns/inspect.sql",
    name = "columns_inspect",
    requires = ["columns_progress"]
);
pgrx::extension_sql_file!(
    "../sql/columns/agreement.sql",
    name = "columns_agreement",
    requires = ["columns_registry"]
);
pgrx::extension_sql_file!(
    "../sql/columns/near_duplicates.sql",
    name = "columns_near_duplicates",
    requires = ["columns_agreement"]
);
pgrx::extension_sql_file!(
    "../sql/columns/migration_report.sql",
    name = "columns_migration_report",
    requires = ["columns_agreement"]
);
pgrx::extension_sql_file!(
    "../sql/columns/swap.sql",
    name = "columns_swap",
    requires = ["columns_migration_report", "columns_inspect"]
);
pgrx::extension_sql_file!(
    "../sql/columns/migrate.sql",
    name = "columns_migrate",
    requires = ["columns_swap"]
);
pgrx::extension_sql_file!(
    "../sql/columns/events.sql",
    name = "columns_events",
    requires = ["columns_migrate", "columns_near_duplicates"]
);
pgrx::extension_sql_file!(
    "../sql/columns/comments.sql",
    name = "columns_comments",
    requires = ["columns_events"]
);
pgrx::extension_sql_file!(
    "../sql/privileges.sql",
    name = "privileges",
    requires = ["columns_comments", "engine", "index_recall", "literals"]
);
pgrx::extension_sql_file!("../sql/comments.sql", name = "comments", finalize);
