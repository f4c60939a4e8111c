SELECT SearchPhrase FROM hits WHERE SearchPhrase <> '' ORDER BY SearchPhrase, 1 LIMIT 10;
