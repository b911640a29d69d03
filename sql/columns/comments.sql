-- What each object of the embedding columns is.
COMMENT ON TABLE embedding_columns IS
    'embedding columns: their tables, models, inputs, keys and work lists';
COMMENT ON TABLE embedding_progress IS
    'how far the last or running back-fill of each embedding column is';
COMMENT ON VIEW itembank_progress IS
    'back-fills and work lists of embedding columns: state, bar, rows a second, time left, failures';
COMMENT ON FUNCTION add_embedding(regclass, name, text, text, text, integer, text, text, boolean, boolean) IS
    'makes a column of embeddings that stays fresh: column, content hashes, triggers, work list, index, back-fill';
COMMENT ON FUNCTION drop_embedding(regclass, name, boolean) IS
    'removes an embedding column and what belongs to it; keep_column leaves the vectors';
COMMENT ON FUNCTION embeddings() IS
    'embedding columns, and how many of their rows have a vector';
COMMENT ON PROCEDURE backfill(regclass, name, integer) IS
    'embeds what is stale in a table''s embedding columns, batch by batch, and goes on where it was left off';
COMMENT ON FUNCTION stale_embeddings(regclass) IS
    'rows whose vector is missing or of other content, another model or other dimensions';
COMMENT ON FUNCTION verify_embeddings(regclass, integer, name) IS
    'embeds a random sample of fresh rows again and compares';
COMMENT ON FUNCTION embedding_name(text, text) IS
    'internal: base_suffix as a name, cut and hashed where it is too long';
COMMENT ON FUNCTION embedding_free_name(oid, text, text) IS
    'internal: embedding_name for a relation: with a number where it is taken';
COMMENT ON FUNCTION embedding_may(regclass) IS
    'internal: whether the caller has the rights of a relation''s owner; NULL where there is none';
COMMENT ON FUNCTION embedding_require_owner(regclass) IS
    'internal: an error for who has not the rights of a table''s owner';
COMMENT ON FUNCTION embedding_guard() IS
    'internal: lets rows of embedding_columns, embedding_progress and embedding_migrations be written with the rights of '
    'their table''s owner only';
COMMENT ON FUNCTION embedding_column(regclass, name) IS
    'internal: an embedding column as it is registered, or an error';
COMMENT ON FUNCTION embedding_pgvector() IS
    'internal: the schema of pgvector';
COMMENT ON FUNCTION embedding_source(embedding_columns) IS
    'internal: a column''s rows as a SELECT: place, key, vector, hash, fingerprint, inputs, hash of the inputs';
COMMENT ON FUNCTION embedding_staleness(embedding_columns, boolean) IS
    'internal: a column''s keys as a SELECT, with the reason why each is stale';
COMMENT ON FUNCTION embedding_judge(text, text, oid, tid) IS
    'internal: why one row is stale; that its inputs fail is a reason, too';
COMMENT ON FUNCTION embedding_is_row_fault(text) IS
    'internal: whether an error may be of one row, by its SQLSTATE';
COMMENT ON FUNCTION embedding_template_value(regclass, text) IS
    'internal: what a column contributes to a template, and when, as expressions';
COMMENT ON FUNCTION embedding_template_lines(regclass, text) IS
    'internal: lines of a template, and when they have something, as expressions';
COMMENT ON FUNCTION embedding_template(regclass, text) IS
    'internal: a template as an expression';
COMMENT ON FUNCTION embedding_is_template(regclass, text) IS
    'internal: whether inputs is a template: it names a column of the table in braces';
COMMENT ON FUNCTION embedding_read(regclass, text, text) IS
    'internal: an SQL expression as Postgres reads it, its columns, its type';
COMMENT ON FUNCTION embedding_analyse(regclass, text, text) IS
    'internal: an expression over a table as Postgres reads it, its columns and its type';
COMMENT ON FUNCTION embedding_expression(regclass, text, text, text) IS
    'internal: inputs or image of add_embedding as an expression, and its columns';
COMMENT ON FUNCTION embedding_expression_columns(regclass, smallint[], text) IS
    'internal: the columns of an expression by name, checked';
COMMENT ON FUNCTION embedding_expression_type(regtype, regtype, text) IS
    'internal: an error for an expression that is no text, or no image';
COMMENT ON FUNCTION embedding_check_table(regclass) IS
    'internal: an error for what can have no embedding column';
COMMENT ON FUNCTION embedding_key(regclass, name[]) IS
    'internal: the key of a table, and the operators of its index; NULL where there is none';
COMMENT ON FUNCTION embedding_require_key(regclass) IS
    'internal: embedding_key, or an error';
COMMENT ON FUNCTION embedding_size(text, integer, text, boolean) IS
    'internal: number of dimensions and type for an embedding column, checked';
COMMENT ON FUNCTION embedding_make_column(regclass, name, text, text) IS
    'internal: adds a column, or checks the one that is there';
COMMENT ON FUNCTION embedding_make_queue(embedding_columns) IS
    'internal: makes the work list of an embedding column';
COMMENT ON FUNCTION embedding_make_index(regclass, name) IS
    'internal: makes the HNSW index of an embedding column, unless there is one';
COMMENT ON FUNCTION embedding_index(regclass, name) IS
    'internal: the approximate index of an embedding column by cosine distance';
COMMENT ON FUNCTION embedding_make_triggers(regclass, regclass) IS
    'internal: makes or removes the triggers of a table and its partitions, as its embedding columns need them';
COMMENT ON FUNCTION embedding_make(embedding_columns, text, integer) IS
    'internal: makes all that belongs to an embedding column but its index, and registers it';
COMMENT ON FUNCTION embedding_check_arguments(regclass, name, text, text, text, text, boolean) IS
    'internal: an error for arguments of add_embedding that are wrong by themselves';
COMMENT ON FUNCTION embedding_add(regclass, name, text, text, text, integer, text, text, boolean, boolean, text) IS
    'internal: what add_embedding does; path is the caller''s search_path';
COMMENT ON FUNCTION embedding_refuse(embedding_columns, text) IS
    'internal: an error for a command that would break an embedding column';
COMMENT ON FUNCTION embedding_has_triggers(regclass) IS
    'internal: whether a table has triggers that keep embedding columns';
COMMENT ON FUNCTION embedding_key_lacks(embedding_columns) IS
    'internal: what is missing for an embedding column''s key to be one: not null, or an index';
COMMENT ON FUNCTION embedding_is_queue(embedding_columns) IS
    'internal: whether the work list of an embedding column has its columns, with their types';
COMMENT ON FUNCTION embedding_analysis_error(regclass, text, text) IS
    'internal: what is wrong with an expression over a table; it is not evaluated';
COMMENT ON FUNCTION embedding_check_analysis(embedding_columns) IS
    'internal: an error where the inputs of an embedding column have lost their meaning';
COMMENT ON FUNCTION embedding_check_column(embedding_columns) IS
    'internal: an error where an embedding column lacks what it needs';
COMMENT ON FUNCTION embedding_other_keys(embedding_columns) IS
    'internal: the keys of a queue whose types are not those of its table''s key';
COMMENT ON FUNCTION embedding_follow_keys(regclass, name, jsonb) IS
    'internal: gives the keys of an embedding column''s queue the types that its table''s have';
COMMENT ON FUNCTION embedding_is_locked(regclass) IS
    'internal: whether this session has locked a table as who drops an index of it';
COMMENT ON FUNCTION embedding_follow(embedding_columns) IS
    'internal: gives a work list the owner, schema and key types of its table';
COMMENT ON FUNCTION embedding_new_partitions(regclass) IS
    'internal: partitions that this transaction has attached';
COMMENT ON FUNCTION embedding_follow_partitions(regclass) IS
    'internal: gives triggers to new partitions, and takes them from detached ones';
COMMENT ON FUNCTION embedding_dropped() IS
    'internal: dropped tables leave embedding_columns; what embedding columns need stays';
COMMENT ON FUNCTION embedding_changed() IS
    'internal: what changes tables with embedding columns is followed, or refused';
COMMENT ON EVENT TRIGGER itembank_embed_drop IS
    'dropped tables leave embedding_columns; what embedding columns need stays';
COMMENT ON EVENT TRIGGER itembank_embed_change IS
    'what changes tables with embedding columns is followed, or refused';
COMMENT ON FUNCTION embedding_enqueue_rows(regclass, name) IS
    'internal: puts stale rows on the work list of an embedding column, and all of it into a back-fill';
COMMENT ON FUNCTION embedding_backfill_begin(regclass, name) IS
    'internal: begins a back-fill or goes on with one';
COMMENT ON FUNCTION embedding_progress_add(embedding_columns, timestamp with time zone, integer, integer, integer) IS
    'internal: counts a batch of a back-fill';
COMMENT ON FUNCTION embedding_fill_safely(regclass, name, bigint[], boolean) IS
    'internal: embedding_fill, where an error of one row is that row''s outcome';
COMMENT ON FUNCTION embedding_lock_class() IS
    'internal: class of the advisory locks of who drains a work list';
COMMENT ON FUNCTION embedding_drain_batch(regclass, name, integer) IS
    'internal: embeds a batch of a work list, with the rights of the caller';
COMMENT ON FUNCTION embedding_check_outcomes(embedding_columns, jsonb) IS
    'internal: an error where all rows of a batch fail for want of a function or a right';
COMMENT ON FUNCTION embedding_duration(double precision) IS
    'internal: seconds in words';
COMMENT ON FUNCTION embedding_bar(double precision, integer) IS
    'internal: a share from 0 to 1 as a bar of this width';
COMMENT ON FUNCTION embedding_number(double precision) IS
    'internal: a number with commas';
COMMENT ON FUNCTION embedding_progress_line(regclass, name) IS
    'internal: a back-fill in one line, with a bar';
COMMENT ON FUNCTION embedding_next_batch(integer, integer, double precision) IS
    'internal: how many rows the next batch should have';
COMMENT ON FUNCTION embedding_check_batch(integer) IS
    'internal: an error if batch is no number of rows';
COMMENT ON FUNCTION embedding_report_failures(regclass, name) IS
    'internal: says how many rows of an embedding column have failed';
COMMENT ON FUNCTION embedding_backfill_now(regclass, name) IS
    'internal: a back-fill within the caller''s transaction';
COMMENT ON FUNCTION embedding_backfill_later(regclass, name) IS
    'internal: a back-fill for the background worker';
COMMENT ON FUNCTION embedding_backfill_targets(regclass, name, integer) IS
    'internal: the columns that backfill fills, checked';
COMMENT ON FUNCTION embedding_backfill_step(regclass, name, integer, bigint, timestamp with time zone) IS
    'internal: a batch for backfill; passing troubles are waited for';
COMMENT ON FUNCTION embedding_backfill_finish(regclass, name, bigint, boolean) IS
    'internal: whether a back-fill is done; marks it so';
COMMENT ON FUNCTION embedding_progress_rows() IS
    'internal: the rows of itembank_progress';
COMMENT ON FUNCTION embedding_stale_rows(regclass, name) IS
    'internal: stale rows of one column, with the rights of the caller';
COMMENT ON FUNCTION embedding_stale_as_owner(regclass, name) IS
    'internal: embedding_stale_rows, as the table''s owner';
COMMENT ON FUNCTION embedding_stale_or_unknown(regclass, name) IS
    'internal: embedding_stale_as_owner, or a warning and one row without a key';
COMMENT ON FUNCTION embedding_sample_cosines(regclass, name, integer) IS
    'internal: cosines of stored vectors with those that the model makes now';
COMMENT ON FUNCTION embedding_forget() IS
    'internal: how far its back-fill is goes with an embedding column';
COMMENT ON FUNCTION embedding_queue_counts(regclass) IS
    'internal: entries of a work list that wait, that have failed, and their most frequent error';
COMMENT ON FUNCTION embedding_table_columns(regclass) IS
    'internal: the columns of a table, for hints';
COMMENT ON FUNCTION embedding_type_of(regclass, name) IS
    'internal: the type of a column; NULL where there is none';
COMMENT ON FUNCTION embedding_is_drained(regclass) IS
    'internal: whether somebody is working on a work list';
COMMENT ON FUNCTION embedding_is_there(regclass) IS
    'internal: whether a relation is there for this session: temporary ones of others are not';
COMMENT ON FUNCTION embedding_queue_lacks(embedding_columns) IS
    'internal: key columns that a work list should have and has not';
COMMENT ON FUNCTION embedding_check_modalities(text, text, text) IS
    'internal: an error where a model does not take text or images';
COMMENT ON FUNCTION embedding_check_roles(embedding_columns) IS
    'internal: an error where a column would be both written by an embedding column and read by one';
COMMENT ON FUNCTION embedding_agreement(regclass, name, name, integer, integer, bigint) IS
    'how many of the k nearest rows two columns of vectors have in common, for a sample of rows, by exact search';
COMMENT ON FUNCTION embedding_agreement_part(text, regclass, name, text, name[], integer, integer) IS
    'internal: the query of one column''s nearest rows, for embedding_agreement';
COMMENT ON FUNCTION embedding_vector_type(regclass, name) IS
    'internal: the type of a column of vectors and its schema, or an error';
COMMENT ON FUNCTION embedding_key_text(text, name[]) IS
    'internal: SQL of a row''s key as text, for embedding_agreement, near_duplicates and judged items';
COMMENT ON FUNCTION near_duplicates(regclass, double precision, name, integer) IS
    'pairs of items that are identical, the same but for numbers or the order of lines and choices, or similar by their vectors';
COMMENT ON FUNCTION embedding_near_pairs(embedding_columns, integer, double precision) IS
    'internal: the query of near_duplicates';
COMMENT ON FUNCTION embedding_column_meant(regclass, name) IS
    'internal: the embedding column of that name, or the only current one of the table';
COMMENT ON FUNCTION embedding_text_forms(text) IS
    'internal: what near_duplicates compares texts by: plain, with # for numbers, with lines and choices in order, and both';
COMMENT ON FUNCTION embedding_text_spaces(text) IS
    'internal: a text without spaces that say nothing, for near_duplicates';
COMMENT ON FUNCTION embedding_text_numbers(text) IS
    'internal: a text with # for each number, for near_duplicates';
COMMENT ON FUNCTION embedding_text_sorted(text) IS
    'internal: a text''s lines in order, for near_duplicates';
COMMENT ON TABLE embedding_migrations IS
    'reports of migrations to other models: overlap of neighbours, metrics on judgements, when it was swapped';
COMMENT ON FUNCTION embedding_migration_run(embedding_columns, text, text) IS
    'internal: the run of an embedding column for given queries as a SELECT, for migrate_embedding';
COMMENT ON FUNCTION embedding_migration_judgements(text) IS
    'internal: the pooled judgements of given queries as a SELECT, for migrate_embedding';
COMMENT ON FUNCTION embedding_migration_judged(text, text) IS
    'internal: checks the queries that migrate_embedding was given; how many have judgements';
COMMENT ON FUNCTION embedding_migration_metrics(embedding_columns, embedding_columns, text, text) IS
    'internal: old against new model by judgements, for migrate_embedding';
COMMENT ON FUNCTION embedding_migration_report(regclass, name, text, bigint, integer, text) IS
    'internal: makes, tells and keeps the report of a migration';
COMMENT ON FUNCTION embedding_sibling(regclass, name, text) IS
    'internal: the column that a migration fills for an embedding column (next), or has kept of it (previous)';
COMMENT ON FUNCTION embedding_names(name, text) IS
    'internal: names of an embedding column and of its two companions with a suffix';
COMMENT ON FUNCTION embedding_check_names(regclass, name[]) IS
    'internal: an error where a name that a migration needs is taken';
COMMENT ON FUNCTION embedding_lacking(regclass, name, name, boolean) IS
    'internal: how many rows have a vector in one embedding column and would lack it in another';
COMMENT ON FUNCTION embedding_lacking_as_owner(regclass, name, name, boolean) IS
    'internal: embedding_lacking with the rights of the table''s owner';
COMMENT ON FUNCTION embedding_queued(embedding_columns) IS
    'internal: entries of an embedding column''s queue that wait, and those that failed';
COMMENT ON FUNCTION embedding_require_filled(embedding_columns, embedding_columns) IS
    'internal: an error where rows would lose a vector by a swap';
COMMENT ON FUNCTION embedding_hash_index(regclass, name) IS
    'internal: the index on a column of content hashes';
COMMENT ON FUNCTION embedding_key_index(regclass) IS
    'internal: the primary key of an embedding column''s queue';
COMMENT ON FUNCTION embedding_rename_pair(text, regclass, regclass, text, text) IS
    'internal: passes a relation''s name on to another one, for the swap of a migration';
COMMENT ON FUNCTION embedding_rename(embedding_columns, embedding_columns, name[]) IS
    'internal: renames what belongs to two embedding columns, for the swap of a migration';
COMMENT ON FUNCTION embedding_exchange(embedding_columns, embedding_columns, text) IS
    'internal: the swap of a migration, once everything is locked';
COMMENT ON FUNCTION embedding_bound(regclass, name) IS
    'internal: what depends on a column itself and not on its name: views, functions, policies, other indexes';
COMMENT ON FUNCTION embedding_swap_locks(embedding_columns, embedding_columns) IS
    'internal: takes the locks of a migration''s swap, or fails soon';
COMMENT ON FUNCTION embedding_swap_try(regclass, name, text, text, integer) IS
    'internal: one try of a migration''s swap: swapped, locked or busy';
COMMENT ON FUNCTION embedding_migration_check(regclass, name, text, integer) IS
    'internal: what keeps an embedding column from a migration; the column that one under way fills';
COMMENT ON FUNCTION embedding_copy_grants(regclass, name, name) IS
    'internal: gives another column the rights that were granted on one';
COMMENT ON FUNCTION embedding_migration_begin(regclass, name, text, integer) IS
    'internal: makes the column that a migration fills; NULL where the table is in use';
COMMENT ON FUNCTION embedding_migration_arguments(boolean, double precision, integer, integer) IS
    'internal: checks arguments of migrate_embedding';
COMMENT ON FUNCTION embedding_snapshots(xid8) IS
    'internal: sessions of this database that may not see what a transaction did';
COMMENT ON PROCEDURE embedding_next_transaction() IS
    'internal: commits; the next transaction reads committed rows and has a safe search_path';
COMMENT ON PROCEDURE embedding_wait_for_snapshots() IS
    'internal: waits until every session sees what was committed before';
COMMENT ON FUNCTION embedding_catch_up(regclass, name, integer) IS
    'internal: embeds a batch of what changed during a migration';
COMMENT ON PROCEDURE embedding_swap(regclass, name, integer) IS
    'internal: swaps an embedding column with the one that a migration has filled';
COMMENT ON FUNCTION embedding_migration_end(regclass, name) IS
    'internal: keeps and tells that a migration has swapped';
COMMENT ON PROCEDURE migrate_embedding(regclass, name, text, integer, text, boolean, double precision, integer, integer) IS
    'another model for an embedding column while it is in use: fills a second column, compares, swaps; goes on where it was';
COMMENT ON FUNCTION rollback_embedding(regclass, name) IS
    'back to the vectors before the last migration';
COMMENT ON FUNCTION embedding_wake() IS
    'internal: once this transaction has committed, has the background worker of this database look for work, or has one started';
COMMENT ON FUNCTION embedding_worker_available() IS
    'internal: whether this server has background workers for embedding columns of mode queue';
COMMENT ON FUNCTION embedding_hash(text, bytea) IS
    'sha256 of what a row embeds: text, image or both; NULL for nothing';
COMMENT ON FUNCTION embedding_check_expression(text, text) IS
    'internal: an error for what is not one SQL expression';
COMMENT ON FUNCTION model_fingerprint(text) IS
    'which vectors an installed model gives, in 64 hexadecimal digits';
COMMENT ON FUNCTION model_dimensions(text) IS
    'how many elements a model''s vectors have';
COMMENT ON FUNCTION embedding_trigger() IS
    'internal: embeds what a statement has changed, or puts it on the work list';
COMMENT ON FUNCTION embedding_fill(regclass, name, bigint[]) IS
    'internal: embeds the rows that entries of a work list name, and says what came of each';
COMMENT ON FUNCTION embedding_drain(regclass, name, integer) IS
    'internal: takes a batch out of a work list, as the table''s owner';
COMMENT ON FUNCTION embedding_as_owner(regclass, text) IS
    'internal: rows of a query that is run as the table''s owner, for who has his rights';
COMMENT ON FUNCTION embedding_text_as_owner(regclass, text) IS
    'internal: embedding_as_owner, each row as the text of its JSON';
COMMENT ON FUNCTION embedding_announce(oid) IS
    'internal: has all sessions look again at a table''s embedding columns';
COMMENT ON FUNCTION embedding_in_transaction_block() IS
    'internal: whether a procedure could not commit here';
COMMENT ON FUNCTION embed_query(regclass, name, text, bytea, text) IS
    'embedding of what is searched with, by the model that an embedding column has now';
COMMENT ON FUNCTION embedding_make_due(regclass, name) IS
    'internal: makes what waits in a column''s queue due, whatever it waits for';
COMMENT ON FUNCTION embedding_make_due_as_owner(regclass, name) IS
    'internal: embedding_make_due, as the table''s owner';
COMMENT ON FUNCTION embedding_swap_most() IS
    'internal: how many changed rows are embedded under the lock of a swap at most';
COMMENT ON FUNCTION embedding_look(regclass, text) IS
    'internal: the row of a statement that reads a relation, by its owner''s rights';
COMMENT ON FUNCTION embedding_backfill_left(regclass, bigint, boolean) IS
    'internal: whether anything of a back-fill is left in a work list';
COMMENT ON FUNCTION embedding_record(regclass, text, text) IS
    'internal: changes what is registered about a table, for who has its owner''s rights';
COMMENT ON FUNCTION embedding_record_removed(regclass, jsonb) IS
    'internal: embedding_record where columns are no embedding columns any more';
COMMENT ON FUNCTION embedding_record_keys(regclass, jsonb) IS
    'internal: embedding_record where the key of a table has other types';
COMMENT ON FUNCTION embedding_record_progress(regclass, jsonb) IS
    'internal: embedding_record of how far a back-fill is';
COMMENT ON FUNCTION embedding_record_swapped(regclass, jsonb) IS
    'internal: embedding_record where a migration has swapped, or was undone';
COMMENT ON COLUMN embedding_columns.tbl IS
    'table of the column';
COMMENT ON COLUMN embedding_columns.target IS
    'column that holds the vectors';
COMMENT ON COLUMN embedding_columns.model IS
    'model that makes them';
COMMENT ON COLUMN embedding_columns.inputs IS
    'text as it was given: an expression or a template';
COMMENT ON COLUMN embedding_columns.image IS
    'image as it was given: an expression';
COMMENT ON COLUMN embedding_columns.input_expression IS
    'text as an expression, as PostgreSQL writes it';
COMMENT ON COLUMN embedding_columns.image_expression IS
    'image as an expression, as PostgreSQL writes it';
COMMENT ON COLUMN embedding_columns.input_columns IS
    'columns of the table that the expressions read';
COMMENT ON COLUMN embedding_columns.key_columns IS
    'columns by which rows are told apart';
COMMENT ON COLUMN embedding_columns.key_equals IS
    'operators by which two of their values are equal';
COMMENT ON COLUMN embedding_columns.dimensions IS
    'number of dimensions that was asked for; NULL: all of the model';
COMMENT ON COLUMN embedding_columns.mode IS
    'when changed rows are embedded: statement, queue or manual';
COMMENT ON COLUMN embedding_columns.hash_column IS
    'column with the hash of what each vector was made of';
COMMENT ON COLUMN embedding_columns.fingerprint_column IS
    'column with the fingerprint of the model that made it';
COMMENT ON COLUMN embedding_columns.queue IS
    'table that lists what is to be embedded';
COMMENT ON COLUMN embedding_columns.role IS
    'current, or of a migration: next or previous';
COMMENT ON COLUMN embedding_columns.of IS
    'column whose migration it belongs to';
COMMENT ON COLUMN embedding_progress.tbl IS
    'table of the embedding column';
COMMENT ON COLUMN embedding_progress.target IS
    'column that holds the vectors';
COMMENT ON COLUMN embedding_progress.total IS
    'rows of the back-fill';
COMMENT ON COLUMN embedding_progress.done IS
    'rows of it that are done';
COMMENT ON COLUMN embedding_progress.failures IS
    'rows of it that failed';
COMMENT ON COLUMN embedding_progress.started_at IS
    'when it began';
COMMENT ON COLUMN embedding_progress.updated_at IS
    'when a batch last ended';
COMMENT ON COLUMN embedding_progress.finished_at IS
    'when it ended; NULL: it has not';
COMMENT ON COLUMN embedding_progress.active IS
    'time that was worked';
COMMENT ON COLUMN embedding_progress.rate IS
    'rows a second of late';
COMMENT ON COLUMN embedding_migrations.tbl IS
    'table of the embedding column';
COMMENT ON COLUMN embedding_migrations.target IS
    'column that holds the vectors';
COMMENT ON COLUMN embedding_migrations.old_model IS
    'model before';
COMMENT ON COLUMN embedding_migrations.new_model IS
    'model after';
COMMENT ON COLUMN embedding_migrations.at IS
    'when the report was made';
COMMENT ON COLUMN embedding_migrations.overlap_at_10 IS
    'share of the ten nearest rows that both models have in common';
COMMENT ON COLUMN embedding_migrations.sampled IS
    'rows that were compared';
COMMENT ON COLUMN embedding_migrations.metrics IS
    'agreement of neighbours, and metrics on judgements';
COMMENT ON COLUMN embedding_migrations.swapped_at IS
    'when the new vectors took the name; NULL: they have not, or were rolled back';
COMMENT ON COLUMN itembank_progress.tbl IS
    'table of the embedding column';
COMMENT ON COLUMN itembank_progress.target IS
    'column that holds the vectors';
COMMENT ON COLUMN itembank_progress.state IS
    'running, interrupted, waiting, finished or idle';
COMMENT ON COLUMN itembank_progress.done IS
    'rows of the last back-fill that are done';
COMMENT ON COLUMN itembank_progress.total IS
    'rows of it';
COMMENT ON COLUMN itembank_progress.percent IS
    'share of it that is done, in percent';
COMMENT ON COLUMN itembank_progress.bar IS
    'the same as a bar';
COMMENT ON COLUMN itembank_progress.rows_per_second IS
    'its speed';
COMMENT ON COLUMN itembank_progress.eta IS
    'time left';
COMMENT ON COLUMN itembank_progress.failures IS
    'rows that failed';
COMMENT ON COLUMN itembank_progress.pending IS
    'rows that wait; NULL for who has not the rights of the table''s owner';
