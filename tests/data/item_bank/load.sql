-- Run with psql from the repository root, after schema.sql.
\set QUIET on
\set ON_ERROR_STOP on
SET client_encoding = 'UTF8';
BEGIN;
\copy items (id, subject, grade, unit, difficulty, question_text, choices, answer, image) from 'tests/data/item_bank/items.csv' with (format csv, header)
\copy queries (query_id, query_text, language, note) from 'tests/data/item_bank/queries.csv' with (format csv, header)
\copy judgements (query_id, item_id, relevance) from 'tests/data/item_bank/judgements.csv' with (format csv, header)
COMMIT;
