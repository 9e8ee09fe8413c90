-- What things are called: units and labels of features.

-- Says in the comments of their columns what people read of features. words: '[°C|Outdoor temperature]', as it stands
-- behind a name in FEATURES, or ''. It is where httpapi reads it while no collector is heard. A comment that does not end
-- as describe_columns() has it is somebody else's, and stays; what is right already is not written again, so that a start
-- takes no lock.
CREATE FUNCTION describe_features(features text[], words text[]) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    comments text;
BEGIN
    SELECT string_agg(format('COMMENT ON COLUMN %s.%I IS %L', c.oid::regclass, a.attname, said.words), ';')
    INTO comments
    FROM unnest(features, words) feature (f, w)
    CROSS JOIN LATERAL (SELECT f || w || ' as the device sent it, NULL when it did not.') said (words)
    JOIN pg_class c ON c.relnamespace = current_schema()::regnamespace AND c.relname IN ('readings', 'peaks', 'device_readings')
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = f AND NOT a.attisdropped
    JOIN pg_description d ON d.classoid = 'pg_class'::regclass AND d.objoid = c.oid AND d.objsubid = a.attnum
    WHERE d.description <> said.words AND right(d.description, 45) = ' as the device sent it, NULL when it did not.';
    IF comments IS NOT NULL THEN
        EXECUTE comments;
    END IF;
END $$;
COMMENT ON FUNCTION describe_features(text[], text[]) IS 'Used by the collector at its start, with what FEATURES and MAPPINGS say.';
