"""Page tables seen from Python: inspection. The mechanism (types, validation, translation) is C."""
