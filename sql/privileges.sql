-- Who may use what. What is not named here everybody may call, as PostgreSQL has it: what computes from its arguments
-- with the models that are installed, and what reads and changes tables with the caller's rights or, for who has them,
-- with their owner's. All of it is granted and revoked like anything else, and what an administrator grants is in the
-- dump. No role is made: roles are the whole server's, and would stay behind DROP EXTENSION.

-- Models are loaded and let go, and what others have measured is forgotten, for all sessions: the superuser's, until he
-- grants it.
REVOKE EXECUTE ON FUNCTION load_model(text), unload_model(text), engine_reset_statistics() FROM PUBLIC;

-- How the engine fares tells what others ask of it and when, and its process: for those who watch the server.
REVOKE EXECUTE ON FUNCTION engine_status(), engine_models(), engine_summary() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION engine_status(), engine_models(), engine_summary() TO pg_monitor;
GRANT SELECT ON itembank_engine TO pg_monitor;

-- The registry. Everybody reads it, as he does the catalogs: names, definitions and numbers of rows, as in pg_trigger and
-- pg_class. pg_dump as the database's owner needs that, and policies would keep it from it. Everybody may add rows about
-- tables of his, as add_embedding does in his name, and a restore: embedding_guard sees to that. To change and to remove
-- them is for embedding_record, which does it for who has the rights of the table's owner: with UPDATE or DELETE anybody
-- could lock rows of others, or the whole table, and stop all who write to tables with embedding columns.
GRANT SELECT, INSERT ON embedding_columns, embedding_progress, embedding_migrations TO PUBLIC;
GRANT SELECT ON itembank_progress TO PUBLIC;

-- Judgements are nobody's own, and no row is the business of some only: who may judge may name any assessor. The database's
-- owner has them without being a superuser, since he dumps and restores them; others have what is granted to them. In a
-- schema that is not his he needs USAGE besides, which an extension cannot give away: the schema is not its own.
GRANT SELECT, INSERT, UPDATE, DELETE ON evaluation_judgements TO pg_database_owner;

-- What no statement calls: triggers and aggregates run these by the right of who made them. The exception is
-- embedding_trigger, which a table's owner puts on his table.
REVOKE EXECUTE ON FUNCTION embedding_guard(), embedding_forget(), embedding_dropped(), embedding_changed() FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION
    metric_combine(internal, internal), metric_serialize(internal), metric_deserialize(bytea, internal), metric_mean(internal),
    observe_recall(internal, text, bigint, int, int), observe_precision(internal, text, bigint, int, int),
    observe_hit_rate(internal, text, bigint, int, int), observe_judged(internal, text, bigint, int, int),
    observe_ndcg(internal, text, bigint, int, int), observe_ndcg_gain(internal, text, bigint, int, int, text),
    observe_reciprocal_rank(internal, text, bigint, int), observe_reciprocal_rank_at(internal, text, bigint, int, int),
    observe_average_precision(internal, text, bigint, int), observe_average_precision_at(internal, text, bigint, int, int),
    observe_r_precision(internal, text, bigint, int), observe_bpref(internal, text, bigint, int)
    FROM PUBLIC;

-- What embedding_record does once it knows whose table it is.
REVOKE EXECUTE ON FUNCTION
    embedding_record_removed(regclass, jsonb), embedding_record_keys(regclass, jsonb),
    embedding_record_progress(regclass, jsonb), embedding_record_swapped(regclass, jsonb)
    FROM PUBLIC;
