COMMENT ON FUNCTION embed(text, text, bytea, text, text, integer) IS
    'embedding of one text, image or both; task picks the prompt: query or document';
COMMENT ON FUNCTION embed(text, text[], bytea[], text, text, integer) IS
    'embeddings of many rows, batched, in the same order';
COMMENT ON FUNCTION qwen_embed(text, bytea, text, integer) IS
    'embedding of one text, image or both by Qwen3-VL-Embedding';
COMMENT ON FUNCTION qwen_embed(text[], bytea[], text, integer) IS
    'embeddings of many rows by Qwen3-VL-Embedding, batched, in the same order';
COMMENT ON FUNCTION kure_embed(text) IS
    'embedding of one text by KURE-v1';
COMMENT ON FUNCTION kure_embed(text[]) IS
    'embeddings of many texts by KURE-v1, batched, in the same order';
COMMENT ON FUNCTION siglip_embed_text(text) IS
    'embedding of one text by SigLIP, comparable with those of images';
COMMENT ON FUNCTION siglip_embed_text(text[]) IS
    'embeddings of many texts by SigLIP, batched, in the same order';
COMMENT ON FUNCTION siglip_embed_image(bytea) IS
    'embedding of one image by SigLIP';
COMMENT ON FUNCTION siglip_embed_image(bytea[]) IS
    'embeddings of many images by SigLIP, batched, in the same order';
COMMENT ON FUNCTION combined_embed(text, bytea) IS
    'KURE-v1 of the text followed by SigLIP of the image; a side that is NULL is zeros';
COMMENT ON FUNCTION combined_embed(text[], bytea[]) IS
    'combined_embed of many rows, batched, in the same order';
COMMENT ON FUNCTION count_tokens(text, text) IS
    'tokens of a text as the model counts, and how many of them it uses';
COMMENT ON FUNCTION models() IS
    'installed models, and what keeps a directory from being one';
COMMENT ON FUNCTION embed(text, text, text, text, text, integer) IS
    'the same, for an image given as a bare literal';
COMMENT ON FUNCTION qwen_embed(text, text, text, integer) IS
    'the same, for an image given as a bare literal';
COMMENT ON FUNCTION siglip_embed_image(text) IS
    'the same, for an image given as a bare literal';
COMMENT ON FUNCTION combined_embed(text, text) IS
    'the same, for an image given as a bare literal';
COMMENT ON FUNCTION rerank(text, text[], bytea, bytea[], text, text) IS
    'candidates by how well they match the query, best first';
COMMENT ON FUNCTION rerank_score(text, text, bytea, bytea, text, text) IS
    'how well one candidate matches the query';
COMMENT ON FUNCTION rerank_batch(text, text, bytea, bytea, text, text) IS
    'rerank_score of all rows of a window in one batch';
COMMENT ON AGGREGATE recall_at_k(text, bigint, integer, integer) IS
    'mean over the queries of the relevant documents among the first k, over all that are relevant';
COMMENT ON AGGREGATE precision_at_k(text, bigint, integer, integer) IS
    'mean over the queries of the relevant documents among the first k, over k';
COMMENT ON AGGREGATE hit_rate_at_k(text, bigint, integer, integer) IS
    'share of the queries with a relevant document among the first k';
COMMENT ON AGGREGATE judged_at_k(text, bigint, integer, integer) IS
    'mean over the queries of the judged documents among the first k, over k';
COMMENT ON AGGREGATE ndcg_at_k(text, bigint, integer, integer) IS
    'normalised discounted cumulative gain of the first k, gain = grade';
COMMENT ON AGGREGATE ndcg_at_k(text, bigint, integer, integer, text) IS
    'the same, with the gain linear or exponential';
COMMENT ON AGGREGATE mean_reciprocal_rank(text, bigint, integer) IS
    'mean over the queries of 1 / rank of the first relevant document';
COMMENT ON AGGREGATE mean_reciprocal_rank(text, bigint, integer, integer) IS
    'the same, 0 where it is not among the first k';
COMMENT ON AGGREGATE average_precision(text, bigint, integer) IS
    'mean over the queries of the precisions at the relevant documents, over all that are relevant (MAP)';
COMMENT ON AGGREGATE average_precision(text, bigint, integer, integer) IS
    'the same for the first k';
COMMENT ON AGGREGATE r_precision(text, bigint, integer) IS
    'mean over the queries of the relevant documents among the first R, over R, the number of relevant ones';
COMMENT ON AGGREGATE bpref(text, bigint, integer) IS
    'binary preference: relevant documents above judged non-relevant ones';
COMMENT ON FUNCTION evaluate(text, text, text[], text, text, integer, text) IS
    'metrics of a run: each query''s values, then the means with query_id NULL';
COMMENT ON FUNCTION compare_runs(text, text, text, text[], integer, bigint, text, text, integer, text) IS
    'two runs over the same judgements: difference, its interval, whether it is chance';
COMMENT ON FUNCTION evaluation_interval(float8[], integer, bigint) IS
    'internal: bootstrap interval of a mean, 95 %';
COMMENT ON FUNCTION evaluation_rows(text, text) IS
    'internal: rows of a SELECT given as text, read-only';
COMMENT ON FUNCTION cohen_kappa(integer[], integer[], text) IS
    'agreement of two assessors beyond chance';
COMMENT ON FUNCTION fleiss_kappa(integer[]) IS
    'agreement of several assessors beyond chance';
COMMENT ON FUNCTION evaluation_run(text, text, text) IS
    'internal: rows of a run given as text, with their ranks, read-only';
COMMENT ON FUNCTION evaluation_judged(text, text) IS
    'internal: judgements given as text, checked, read-only';
COMMENT ON FUNCTION fleiss_kappa_of(integer[], integer) IS
    'internal: fleiss_kappa of subjects one behind the other';
COMMENT ON FUNCTION recall_curve_svg(text[], integer[], float8[], float8[], float8[], text) IS
    'internal: what evaluation_svg draws';
COMMENT ON TABLE evaluation_judgements IS
    'relevance of items to queries, by assessor';
COMMENT ON FUNCTION judge(text, text, integer, text, text) IS
    'records an assessor''s grade for a pair of query and item; gives the former one';
COMMENT ON FUNCTION pooled_judgements(text) IS
    'one relevance a pair out of all assessors'' grades: median, mean, max, min or majority';
COMMENT ON FUNCTION assessor_agreement(text) IS
    'Cohen''s kappa of each two assessors, and Fleiss'' kappa of all';
COMMENT ON FUNCTION label_sample(text, text, integer, text, text, integer, bigint) IS
    'pairs of query and item that are worth a person''s look: sheet, unjudged, missed or disagreement';
COMMENT ON FUNCTION index_recall(regclass, name, integer, integer, integer[], bigint) IS
    'recall and latency of an HNSW or IVFFlat index against exact search';
COMMENT ON FUNCTION index_recall_measured(regclass, name, integer, integer, integer[], bigint) IS
    'internal: index_recall with the caller''s rights';
COMMENT ON FUNCTION index_recall_candidates(regclass, name, integer) IS
    'internal: approximate indexes on a column, for index_recall';
COMMENT ON FUNCTION index_recall_uses(regclass, text, text, integer) IS
    'internal: whether the planner takes an index, for index_recall';
COMMENT ON FUNCTION evaluation_report(json, text, text, text, text, integer, text) IS
    'several runs side by side, over all queries and by category: recall, MRR, nDCG, MAP, share judged, with bars';
COMMENT ON FUNCTION evaluation_svg(json, text, integer, text, integer, bigint) IS
    'recall at 1 to max_k of several runs with 95 % confidence bands, as an SVG';
COMMENT ON FUNCTION text_bar(double precision, integer) IS
    'internal: a value from 0 to 1 as a bar of block characters';
COMMENT ON FUNCTION evaluation_runs(json) IS
    'internal: the runs of a JSON object of models and queries, checked, in its order';
COMMENT ON FUNCTION evaluation_categories(text) IS
    'internal: the categories of queries as a SELECT gives them, read-only';
COMMENT ON FUNCTION load_model(text) IS
    'loads a model now; false where it was loaded already';
COMMENT ON FUNCTION unload_model(text) IS
    'lets a model go, so that its memory is free; false where it was not loaded';
COMMENT ON FUNCTION engine_status() IS
    'state, work, times and troubles of the engine, in one row';
COMMENT ON FUNCTION engine_models() IS
    'statistics of the engine process, a row for each model';
COMMENT ON FUNCTION engine_summary() IS
    'the engine and its models on one screen';
COMMENT ON FUNCTION engine_reset_statistics() IS
    'sets the statistics of the engine process to zero';
COMMENT ON VIEW itembank_engine IS
    'statistics of the engine process, a row for each model';
COMMENT ON COLUMN evaluation_judgements.query_id IS
    'query';
COMMENT ON COLUMN evaluation_judgements.item_id IS
    'item';
COMMENT ON COLUMN evaluation_judgements.assessor IS
    'who judged';
COMMENT ON COLUMN evaluation_judgements.grade IS
    'relevance: 0 or less for none, 1 and more for how much';
COMMENT ON COLUMN evaluation_judgements.judged_at IS
    'when the grade was given';
COMMENT ON COLUMN evaluation_judgements.note IS
    'what the assessor says about it';
COMMENT ON COLUMN itembank_engine.name IS
    'model';
COMMENT ON COLUMN itembank_engine.loaded IS
    'whether it is in memory';
COMMENT ON COLUMN itembank_engine.device IS
    'where it runs';
COMMENT ON COLUMN itembank_engine.bytes IS
    'size of its files';
COMMENT ON COLUMN itembank_engine.load_seconds IS
    'time that loading took';
COMMENT ON COLUMN itembank_engine.idle_seconds IS
    'time since its last call';
COMMENT ON COLUMN itembank_engine.queued IS
    'calls that wait';
COMMENT ON COLUMN itembank_engine.requests IS
    'calls';
COMMENT ON COLUMN itembank_engine.items IS
    'texts and images';
COMMENT ON COLUMN itembank_engine.batches IS
    'runs';
COMMENT ON COLUMN itembank_engine.mean_batch IS
    'items a run';
COMMENT ON COLUMN itembank_engine.largest_batch IS
    'items of the largest run';
COMMENT ON COLUMN itembank_engine.tokens IS
    'tokens without padding';
COMMENT ON COLUMN itembank_engine.padding_share IS
    'share of padding in what was run';
COMMENT ON COLUMN itembank_engine.queue_p50_ms IS
    'time that calls waited, median';
COMMENT ON COLUMN itembank_engine.queue_p95_ms IS
    'time that calls waited, 95th percentile';
COMMENT ON COLUMN itembank_engine.queue_p99_ms IS
    'time that calls waited, 99th percentile';
COMMENT ON COLUMN itembank_engine.run_p50_ms IS
    'time of a run, median';
COMMENT ON COLUMN itembank_engine.run_p95_ms IS
    'time of a run, 95th percentile';
COMMENT ON COLUMN itembank_engine.run_p99_ms IS
    'time of a run, 99th percentile';
COMMENT ON COLUMN itembank_engine.failures IS
    'calls that failed';
COMMENT ON COLUMN itembank_engine.failures_by_code IS
    'the same by kind of error';
COMMENT ON COLUMN itembank_engine.canceled IS
    'calls whose session had gone';
COMMENT ON COLUMN itembank_engine.bisected IS
    'runs that failed as a whole and were halved';
COMMENT ON COLUMN itembank_engine.fixed_cost_ms IS
    'measured cost of a run besides its tokens';
COMMENT ON COLUMN itembank_engine.token_cost_ms IS
    'measured cost of a token';
COMMENT ON FUNCTION observe_recall(internal, text, bigint, integer, integer) IS
    'internal: a row for recall_at_k';
COMMENT ON FUNCTION observe_precision(internal, text, bigint, integer, integer) IS
    'internal: a row for precision_at_k';
COMMENT ON FUNCTION observe_hit_rate(internal, text, bigint, integer, integer) IS
    'internal: a row for hit_rate_at_k';
COMMENT ON FUNCTION observe_judged(internal, text, bigint, integer, integer) IS
    'internal: a row for judged_at_k';
COMMENT ON FUNCTION observe_ndcg(internal, text, bigint, integer, integer) IS
    'internal: a row for ndcg_at_k';
COMMENT ON FUNCTION observe_ndcg_gain(internal, text, bigint, integer, integer, text) IS
    'internal: a row for ndcg_at_k with a gain';
COMMENT ON FUNCTION observe_reciprocal_rank(internal, text, bigint, integer) IS
    'internal: a row for mean_reciprocal_rank';
COMMENT ON FUNCTION observe_reciprocal_rank_at(internal, text, bigint, integer, integer) IS
    'internal: a row for mean_reciprocal_rank with a k';
COMMENT ON FUNCTION observe_average_precision(internal, text, bigint, integer) IS
    'internal: a row for average_precision';
COMMENT ON FUNCTION observe_average_precision_at(internal, text, bigint, integer, integer) IS
    'internal: a row for average_precision with a k';
COMMENT ON FUNCTION observe_r_precision(internal, text, bigint, integer) IS
    'internal: a row for r_precision';
COMMENT ON FUNCTION observe_bpref(internal, text, bigint, integer) IS
    'internal: a row for bpref';
COMMENT ON FUNCTION metric_combine(internal, internal) IS
    'internal: two partial states of a metric as one';
COMMENT ON FUNCTION metric_serialize(internal) IS
    'internal: a partial state of a metric as bytes, for parallel plans';
COMMENT ON FUNCTION metric_deserialize(bytea, internal) IS
    'internal: a partial state of a metric from its bytes';
COMMENT ON FUNCTION metric_mean(internal) IS
    'internal: the mean of a metric over the queries, from its state';
