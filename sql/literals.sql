-- For a bare NULL or '\x00' PostgreSQL cannot tell image from images, one row from many. It prefers
-- text where a function takes it, so that these stand for one image; the cast reads it as such.

CREATE FUNCTION embed(model text, input text, image text, task text DEFAULT 'document',
                      instruction text DEFAULT NULL, dimensions int DEFAULT NULL) RETURNS vector
    IMMUTABLE PARALLEL RESTRICTED COST 10000
    RETURN @extschema@.embed(model, input, image::bytea, task, instruction, dimensions);

CREATE FUNCTION qwen_embed(input text, image text, instruction text DEFAULT NULL,
                           dimensions int DEFAULT NULL) RETURNS vector
    IMMUTABLE PARALLEL RESTRICTED COST 100000
    RETURN @extschema@.qwen_embed(input, image::bytea, instruction, dimensions);

CREATE FUNCTION siglip_embed_image(image text) RETURNS vector
    IMMUTABLE PARALLEL RESTRICTED COST 10000
    RETURN @extschema@.siglip_embed_image(image::bytea);

CREATE FUNCTION combined_embed(input text, image text) RETURNS vector
    IMMUTABLE PARALLEL RESTRICTED COST 100000
    RETURN @extschema@.combined_embed(input, image::bytea);

