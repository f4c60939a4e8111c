SELECT SearchPhrase FROM hits WHERE SearchPhrase <> '' ORDER BY EventTime, 1 LIMIT 10;
