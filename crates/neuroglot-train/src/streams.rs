//! Random streams: one per purpose, found by counting, so that a resumed run needs no stored state.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// What random numbers are drawn for. Streams of different purposes never share a number.
///
/// The numbers are part of every result: none is ever changed or used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Initial parameters.
    Initialisation = 0,
    /// Order of trials and batches; by epoch.
    Shuffling = 1,
    /// Scheme, mask and time reversal; by step.
    Masking = 2,
    /// The fixed masks of validation; by session and [`Scheme::stream_key`](neuroglot_masks::Scheme::stream_key).
    Validation = 3,
    /// Bootstrap intervals.
    Bootstrap = 4,
    /// Which training trials are used where not all are.
    Calibration = 5,
    /// What tells units apart whose stitchers start alike; by session.
    Stitchers = 6,
    /// Masks under which output stitchers are fitted; by session and scheme.
    Regression = 7,
    /// Order of trials, what is hidden and what is dropped where a decoder is trained through a network; by network and epoch.
    Decoding = 8,
}

/// The stream of a purpose: the ChaCha8 generator with key (seed, purpose, `a`, `b`).
pub fn stream(seed: u64, purpose: Purpose, a: u64, b: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (place, word) in key.chunks_exact_mut(8).zip([seed, purpose as u64, a, b]) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn every_part_of_the_key_makes_another_stream() {
        let first = |rng: ChaCha8Rng| {
            let mut rng = rng;
            rng.next_u64()
        };
        let base = first(stream(1, Purpose::Masking, 2, 3));
        assert_eq!(base, first(stream(1, Purpose::Masking, 2, 3)));
        let others = [
            stream(2, Purpose::Masking, 2, 3),
            stream(1, Purpose::Shuffling, 2, 3),
            stream(1, Purpose::Masking, 1, 3),
            stream(1, Purpose::Masking, 2, 4),
        ];
        for other in others {
            assert_ne!(base, first(other));
        }
    }
}
