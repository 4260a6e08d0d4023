//! Products of pairs of samples: all that a linear model with an L2 penalty needs to know of its features.

use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};
use rayon::prelude::*;

use crate::{Features, FitError};

/// Features converted to `f64` at a time: bounds the memory to `samples · FEATURES_AT_ONCE · 8` bytes.
const FEATURES_AT_ONCE: usize = 2048;

/// Samples whose products one task computes. A constant, so that sums do not depend on the number of threads.
const SAMPLES_PER_TILE: usize = 64;

/// Scalar products between training samples and of test samples with training samples, after subtracting each
/// feature's mean over the training samples (large common offsets would cost digits).
///
/// Computing them is the slow part of fitting: reuse them to fit several targets to the same features.
#[derive(Clone, Debug)]
pub struct SampleProducts {
    train: Mat<f64>,
    test: Mat<f64>,
}

impl SampleProducts {
    /// Computes the products in one pass over the features.
    ///
    /// # Errors
    /// If training and test samples differ in their number of features.
    pub fn new(train: Features<'_>, test: Features<'_>) -> Result<Self, FitError> {
        if train.width() != test.width() {
            let problem = format!(
                "training samples have {} features and test samples {}; use the same bins and units for both",
                train.width(),
                test.width()
            );
            return Err(FitError::new("features", problem));
        }
        let samples = train.samples() + test.samples();
        let mut tiles: Vec<Tile> = (0..samples)
            .step_by(SAMPLES_PER_TILE)
            .map(|first| Tile::new(first..samples.min(first + SAMPLES_PER_TILE), train.samples()))
            .collect();
        for first in (0..train.width()).step_by(FEATURES_AT_ONCE) {
            let features = first..train.width().min(first + FEATURES_AT_ONCE);
            let block = centred_block(train, test, features);
            tiles.par_iter_mut().for_each(|tile| tile.add(block.as_ref()));
        }

        let product = |row: usize, column: usize| {
            tiles[row / SAMPLES_PER_TILE].products[(row % SAMPLES_PER_TILE, column)]
        };
        Ok(Self {
            train: Mat::from_fn(train.samples(), train.samples(), |row, column| {
                product(row.max(column), row.min(column))
            }),
            test: Mat::from_fn(test.samples(), train.samples(), |row, column| {
                product(train.samples() + row, column)
            }),
        })
    }

    /// Number of training samples.
    pub fn train_samples(&self) -> usize {
        self.train.nrows()
    }

    /// Number of test samples.
    pub fn test_samples(&self) -> usize {
        self.test.nrows()
    }

    /// Products of training samples with each other: `[training sample, training sample]`.
    pub(crate) fn train(&self) -> MatRef<'_, f64> {
        self.train.as_ref()
    }

    /// Products of test samples with training samples: `[test sample, training sample]`.
    pub(crate) fn test(&self) -> MatRef<'_, f64> {
        self.test.as_ref()
    }
}

/// Products of a few consecutive samples (test samples follow the training samples) with the training samples up to
/// the last of the few: the rest follows by symmetry.
struct Tile {
    samples: Range<usize>,
    products: Mat<f64>,
}

impl Tile {
    fn new(samples: Range<usize>, train_samples: usize) -> Self {
        let products = Mat::zeros(samples.len(), samples.end.min(train_samples));
        Self { samples, products }
    }

    /// Adds the products over the features of `block`: `[feature, sample]`.
    fn add(&mut self, block: MatRef<'_, f64>) {
        let mine = block.subcols(self.samples.start, self.samples.len());
        let others = block.subcols(0, self.products.ncols());
        matmul(self.products.as_mut(), Accum::Add, mine.transpose(), others, 1.0, Par::Seq);
    }
}

/// Some features of all samples minus their mean over the training samples: `[feature, sample]`.
fn centred_block(train: Features<'_>, test: Features<'_>, features: Range<usize>) -> Mat<f64> {
    let mut mean = vec![0.0; features.len()];
    for sample in 0..train.samples() {
        for (mean, &value) in mean.iter_mut().zip(&train.sample(sample)[features.clone()]) {
            *mean += f64::from(value);
        }
    }
    mean.iter_mut().for_each(|mean| *mean /= train.samples() as f64);

    let mut block = Mat::zeros(features.len(), train.samples() + test.samples());
    for column in 0..block.ncols() {
        let sample = match column.checked_sub(train.samples()) {
            None => train.sample(column),
            Some(test_sample) => test.sample(test_sample),
        };
        let values = sample[features.clone()].iter().zip(&mean);
        for (centred, (&value, &mean)) in block.col_mut(column).iter_mut().zip(values) {
            *centred = f64::from(value) - mean;
        }
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn products_of_three_samples_by_hand() {
        // Mean of the training samples (1, 2); centred (-1, 2) and (1, -2); the test sample (3, 3) becomes (2, 1).
        let train = Features::new(&[0.0, 4.0, 2.0, 0.0], 2).unwrap();
        let test = Features::new(&[3.0, 3.0], 2).unwrap();
        let products = SampleProducts::new(train, test).unwrap();
        assert_eq!(products.train(), faer::mat![[5.0, -5.0], [-5.0, 5.0]]);
        assert_eq!(products.test(), faer::mat![[0.0, 0.0]]);
    }

    #[test]
    fn tiles_and_blocks_add_up_to_the_plain_sums() {
        // More samples than a tile and more features than a block, neither a multiple of it.
        let (train_samples, test_samples, width) = (70, 5, FEATURES_AT_ONCE + 3);
        let mut generator = ChaCha8Rng::seed_from_u64(5);
        let values: Vec<f32> =
            (0..(train_samples + test_samples) * width).map(|_| generator.random_range(-3.0..1.0)).collect();
        let (train, test) = values.split_at(train_samples * width);
        let products =
            SampleProducts::new(Features::new(train, width).unwrap(), Features::new(test, width).unwrap())
                .unwrap();

        let mean: Vec<f64> = (0..width)
            .map(|feature| {
                train[feature..].iter().step_by(width).map(|&value| f64::from(value)).sum::<f64>()
                    / train_samples as f64
            })
            .collect();
        let expected = |a: &[f32], b: &[f32]| -> f64 {
            (0..width).map(|j| (f64::from(a[j]) - mean[j]) * (f64::from(b[j]) - mean[j])).sum()
        };
        for (column, other) in train.chunks_exact(width).enumerate() {
            for (row, sample) in train.chunks_exact(width).enumerate() {
                assert!((products.train()[(row, column)] - expected(sample, other)).abs() < 1e-8);
            }
            for (row, sample) in test.chunks_exact(width).enumerate() {
                assert!((products.test()[(row, column)] - expected(sample, other)).abs() < 1e-8);
            }
        }
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let (samples, width) = (150, 3000);
        let mut generator = ChaCha8Rng::seed_from_u64(6);
        let values: Vec<f32> = (0..samples * width).map(|_| generator.random_range(-1.0..1.0)).collect();
        let features = Features::new(&values, width).unwrap();
        let with_threads = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| SampleProducts::new(features, features).unwrap())
        };
        let (one, four) = (with_threads(1), with_threads(4));
        assert_eq!(one.train(), four.train());
        assert_eq!(one.test(), four.test());
    }

    #[test]
    fn different_features_are_refused() {
        let train = Features::new(&[0.0; 6], 3).unwrap();
        let test = Features::new(&[0.0; 6], 2).unwrap();
        let error = SampleProducts::new(train, test).unwrap_err();
        assert!(error.problem.starts_with("training samples have 3 features and test samples 2;"), "{error}");
    }
}
