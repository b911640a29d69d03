CREATE VIEW itembank_engine AS SELECT * FROM @extschema@.engine_models();
