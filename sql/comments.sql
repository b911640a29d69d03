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
