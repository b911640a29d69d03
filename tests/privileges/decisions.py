"""Who may use which object of the extension. Each has its place here, or tests/privileges fails.

sql/privileges.sql has the reasons. Functions go by their names: all of a name have the same rights.
"""

PUBLIC = "-"
MONITOR = "pg_monitor"
DATABASE_OWNER = "pg_database_owner"

# What everybody is meant to call: it computes from arguments, or works with the caller's rights.
FOR_EVERYBODY = """
    embed qwen_embed kure_embed siglip_embed_text siglip_embed_image combined_embed count_tokens
    rerank rerank_score rerank_batch
    models model_dimensions model_fingerprint

    recall_at_k precision_at_k hit_rate_at_k judged_at_k ndcg_at_k mean_reciprocal_rank
    average_precision r_precision bpref
    evaluate compare_runs evaluation_report evaluation_svg index_recall
    judge label_sample pooled_judgements assessor_agreement cohen_kappa fleiss_kappa

    add_embedding drop_embedding embeddings backfill stale_embeddings verify_embeddings embed_query
    embedding_hash embedding_agreement near_duplicates migrate_embedding rollback_embedding
"""

# What those call in turn, with the caller's rights: EXECUTE for everybody, but "internal: ..." in
# its comment, and of no use alone.
FOR_THOSE_ABOVE = """
    text_bar recall_curve_svg fleiss_kappa_of evaluation_interval evaluation_rows evaluation_run
    evaluation_judged evaluation_runs evaluation_categories index_recall_candidates
    index_recall_uses index_recall_measured

    embedding_may embedding_is_there embedding_require_owner embedding_column embedding_column_meant
    embedding_pgvector embedding_name embedding_free_name embedding_table_columns embedding_type_of
    embedding_source embedding_staleness embedding_judge embedding_is_row_fault embedding_look
    embedding_queue_counts embedding_announce embedding_wake embedding_worker_available
    embedding_in_transaction_block embedding_as_owner embedding_text_as_owner embedding_record

    embedding_check_arguments embedding_check_modalities embedding_size embedding_template_value
    embedding_template_lines embedding_template embedding_is_template embedding_analyse
    embedding_read
    embedding_expression embedding_expression_columns embedding_expression_type
    embedding_check_expression

    embedding_add embedding_check_table embedding_key embedding_require_key embedding_make
    embedding_make_column embedding_make_queue embedding_make_index embedding_index
    embedding_make_triggers embedding_check_roles embedding_trigger

    embedding_enqueue_rows embedding_backfill_begin embedding_progress_add embedding_fill
    embedding_fill_safely embedding_lock_class embedding_drain embedding_drain_batch
    embedding_check_outcomes embedding_backfill_now embedding_backfill_later
    embedding_backfill_targets embedding_backfill_step embedding_backfill_left
    embedding_backfill_finish embedding_next_batch embedding_check_batch embedding_report_failures
    embedding_duration embedding_bar embedding_number embedding_progress_line embedding_is_drained
    embedding_progress_rows

    embedding_stale_rows embedding_stale_as_owner embedding_stale_or_unknown
    embedding_sample_cosines embedding_vector_type embedding_key_text embedding_agreement_part
    embedding_near_pairs embedding_text_forms embedding_text_spaces embedding_text_numbers
    embedding_text_sorted

    embedding_sibling embedding_names embedding_check_names embedding_lacking
    embedding_lacking_as_owner embedding_queued embedding_make_due embedding_make_due_as_owner
    embedding_swap_most embedding_require_filled embedding_hash_index embedding_key_index
    embedding_rename_pair embedding_rename embedding_exchange embedding_bound embedding_swap_locks
    embedding_swap_try
    embedding_migration_check embedding_copy_grants embedding_migration_begin
    embedding_migration_arguments embedding_snapshots embedding_next_transaction
    embedding_wait_for_snapshots embedding_catch_up embedding_swap embedding_migration_end
    embedding_migration_run embedding_migration_judgements embedding_migration_judged
    embedding_migration_metrics embedding_migration_report

    embedding_refuse embedding_has_triggers embedding_key_lacks embedding_is_queue
    embedding_queue_lacks embedding_analysis_error embedding_check_analysis embedding_check_column
    embedding_follow embedding_follow_keys embedding_other_keys embedding_is_locked
    embedding_new_partitions embedding_follow_partitions
"""

# What tells of the engine, its process and others' requests.
FOR_MONITORING = "engine_status engine_models engine_summary"

# What changes things for all sessions: a superuser's, until he grants it.
FOR_ADMINISTRATORS = "load_model unload_model engine_reset_statistics"

# What no statement calls: triggers, steps of aggregates, what embedding_record does.
FOR_NOBODY = """
    embedding_guard embedding_forget embedding_dropped embedding_changed
    embedding_record_removed embedding_record_keys embedding_record_progress
    embedding_record_swapped
    metric_combine metric_serialize metric_deserialize metric_mean
    observe_recall observe_precision observe_hit_rate observe_judged observe_ndcg observe_ndcg_gain
    observe_reciprocal_rank observe_reciprocal_rank_at observe_average_precision
    observe_average_precision_at observe_r_precision observe_bpref
"""

RELATIONS = {
    "embedding_columns": {PUBLIC: "INSERT SELECT"},
    "embedding_progress": {PUBLIC: "INSERT SELECT"},
    "embedding_migrations": {PUBLIC: "INSERT SELECT"},
    "evaluation_judgements": {DATABASE_OWNER: "DELETE INSERT SELECT UPDATE"},
    "itembank_progress": {PUBLIC: "SELECT"},
    "itembank_engine": {MONITOR: "SELECT"},
}

# Functions in SQL that find names by their caller's search path, and why.
BY_THE_CALLERS_PATH = {
    "add_embedding": "inputs and image mean what they mean to the caller",
    "label_sample": "its SELECTs mean what they mean to the caller",
    "evaluation_categories": "its SELECT means what it means to the caller",
    "backfill": "it commits, so it sets the path of each transaction",
    "migrate_embedding": "it commits, so it sets the path of each transaction",
    "embedding_next_transaction": "it sets that path",
    "embedding_swap": "it commits; migrate_embedding has set the path",
    "embedding_wait_for_snapshots": "it commits, so it sets the path of each transaction",
}
