//! Statements that are not a bare query: legality and normalisation.
