-- Which engine answers, and how it is looked after; the same with the engine process and without. What only the
-- process can do: tests/engine.
\getenv fixtures ITEMBANK_FIXTURES
LOAD 'itembank_embed';
SET itembank_embed.model_path = :'fixtures';

-- Loading and unloading, once each; a name that is none.
SELECT unload_model('tiny-cls') IS NOT NULL AS known;
SELECT load_model('tiny-cls');
SELECT load_model('tiny-cls');
SELECT loaded, device LIKE 'cpu%' AS on_cpu FROM models() WHERE name = 'tiny-cls';
SELECT unload_model('tiny-cls');
SELECT unload_model('tiny-cls');
SELECT loaded FROM models() WHERE name = 'tiny-cls';
SELECT vector_dims(embed('tiny-cls', 'loaded again'));
SELECT load_model('no-such-model');
\echo :SQLSTATE
SELECT load_model('../tiny-cls');
\echo :SQLSTATE
SELECT load_model(NULL), unload_model(NULL);
SELECT unload_model('no-such-model');

-- Each engine by name gives the same vector; rows of one engine or the other may stand side by side.
SET itembank_embed.cache_size = 0;
SELECT embed('tiny-bert', '두 근의 합') AS here \gset
SET itembank_embed.engine = 'backend';
SELECT embed('tiny-bert', '두 근의 합') <-> :'here' < 1e-6 AS same;
RESET itembank_embed.engine;
SET itembank_embed.engine = 'gpu';
\echo :SQLSTATE

-- Status is of a known form whether there is a process or not.
SELECT count(*), bool_and(state IN ('running', 'backend')) AS known FROM engine_status();
SELECT length(engine_summary()) > 20 AS says_something;
SELECT count(*) >= 0 AS readable FROM itembank_engine;

-- What costs memory, or is others' record, is the superuser's; status is for who watches the server.
CREATE ROLE regress_itembank;
SET ROLE regress_itembank;
SELECT count(*) FROM engine_status();
\echo :SQLSTATE
SELECT count(*) FROM itembank_engine;
\echo :SQLSTATE
SELECT load_model('tiny-cls');
\echo :SQLSTATE
SELECT unload_model('tiny-cls');
\echo :SQLSTATE
SELECT engine_reset_statistics();
\echo :SQLSTATE
SET itembank_embed.engine = 'backend';
\echo :SQLSTATE
-- The words differ between versions.
\set VERBOSITY sqlstate
SHOW itembank_embed.engine_path;
\set VERBOSITY default
RESET ROLE;
GRANT pg_monitor TO regress_itembank;
SET ROLE regress_itembank;
SELECT count(*) FROM engine_status();
SELECT count(*) >= 0 AS readable FROM itembank_engine;
RESET ROLE;
DROP ROLE regress_itembank;
