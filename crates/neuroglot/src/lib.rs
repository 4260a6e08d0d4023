//! A universal translator for neural dynamics at single-cell, single-spike resolution.
