//! Behaviour decoders.
