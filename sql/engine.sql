-- What changes the engine for all sessions is for the superuser, until he grants it; how it fares is for everybody.
REVOKE EXECUTE ON FUNCTION load_model(text) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION unload_model(text) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION engine_reset_statistics() FROM PUBLIC;

CREATE VIEW itembank_engine AS SELECT * FROM @extschema@.engine_models();
GRANT SELECT ON itembank_engine TO PUBLIC;
