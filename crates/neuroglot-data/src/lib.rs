//! Sessions of spike-sorted recordings: reading, writing, filtering, simulating.
