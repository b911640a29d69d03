COMMENT ON FUNCTION embed(text, text, bytea, text, text, integer) IS
    'embedding of one text; task picks the prompt: query or document';
COMMENT ON FUNCTION embed(text, text[], bytea[], text, text, integer) IS
    'embeddings of many texts, batched, in the same order';
COMMENT ON FUNCTION count_tokens(text, text) IS
    'tokens of a text as the model counts, and how many of them it uses';
COMMENT ON FUNCTION models() IS
    'installed models, and what keeps a directory from being one';
