-- The sample item bank (tests/data/item_bank, made from templates): 546 items with their embeddings, in the schema `public`
-- of the database `demo`. Run by itembank-entrypoint at the first start where ITEMBANK_DEMO=1, from the folder of this file.
\set ON_ERROR_STOP on
-- It may be there: POSTGRES_DB or POSTGRES_USER may name it.
SELECT 'CREATE DATABASE demo' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'demo')
\gexec
\connect demo
CREATE EXTENSION IF NOT EXISTS itembank_embed CASCADE;
\i tests/data/item_bank/schema.sql
\i tests/data/item_bank/load.sql
SELECT add_embedding('items', 'embedding', 'multilingual-e5-small', inputs => '{question_text}\n{choices}');
ANALYZE items;
