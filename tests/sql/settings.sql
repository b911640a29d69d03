-- Settings: defaults, bounds, and whose they are.
LOAD 'itembank_embed';
SELECT name, boot_val, unit, context, min_val, max_val FROM pg_settings
WHERE name LIKE 'itembank\_embed.%' ORDER BY name;

SET itembank_embed.device = 'gpu';
\echo :SQLSTATE
SET itembank_embed.device = 'cuda:1';
SET itembank_embed.device = 'cpu';
SET itembank_embed.max_batch_tokens = -1;
\echo :SQLSTATE
SET itembank_embed.no_such_setting = 1;
\echo :SQLSTATE

\getenv fixtures ITEMBANK_FIXTURES
SET itembank_embed.model_path = :'fixtures';

-- Where CUDA is not there, an explicit wish is an error that names what is missing; auto goes on.
SET itembank_embed.device = 'cuda';
SELECT embed('tiny-bert', 'a');
\echo :SQLSTATE
SET itembank_embed.device = 'auto';
SELECT vector_dims(embed('tiny-bert', 'a'));
SELECT device LIKE 'cpu (no CUDA: libonnxruntime_providers_cuda.so is missing%' AS says_why
FROM models() WHERE name = 'tiny-bert';
SET itembank_embed.device = 'cpu';
SELECT vector_dims(embed('tiny-bert', 'a'));
SELECT device FROM models() WHERE name = 'tiny-bert';

-- The number of threads and the size of a run change no vector.
SELECT embed('tiny-bert', '문제') AS before \gset
SET itembank_embed.intra_op_threads = 1;
SET itembank_embed.max_batch_tokens = 16;
SET itembank_embed.cache_size = 0;
SELECT bool_and(e = :'before') FROM unnest(embed('tiny-bert', array_fill('문제'::text, ARRAY[10]))) AS e;

-- An ordinary user may embed, and may neither see nor set where files are.
CREATE ROLE regress_itembank;
SET ROLE regress_itembank;
SELECT vector_dims(embed('tiny-bert', 'b'));
-- The words differ between versions.
\set VERBOSITY sqlstate
SHOW itembank_embed.model_path;
SHOW itembank_embed.onnxruntime_path;
\set VERBOSITY default
SET itembank_embed.model_path = '/';
\echo :SQLSTATE
SET itembank_embed.onnxruntime_path = '/tmp/evil.so';
\echo :SQLSTATE
SET itembank_embed.device = 'cpu';
\echo :SQLSTATE
SET itembank_embed.max_input_bytes = 100000000;
\echo :SQLSTATE
RESET ROLE;
DROP ROLE regress_itembank;
