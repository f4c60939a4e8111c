//! Behaviour of the parser on small texts.
