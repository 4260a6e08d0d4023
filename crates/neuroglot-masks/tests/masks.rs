//! What each masking scheme hides and counts, entry by entry, and how often.

use neuroglot_masks::{Holdout, Regions, Scheme};
use proptest::prelude::*;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// The truth about a batch, kept apart from `Regions`, which is under test too.
#[derive(Debug, Clone)]
struct Batch {
    trials: usize,
    bins: usize,
    acronyms: Vec<&'static str>,
}

impl Batch {
    fn draw(&self, scheme: Scheme, ratio: f64, seed: u64) -> Holdout {
        let regions = Regions::new(self.acronyms.iter().copied());
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mask = scheme.draw(self.trials, self.bins, &regions, ratio, &mut rng);
        assert_eq!(mask.hidden().len(), self.trials * self.bins * self.acronyms.len());
        assert_eq!(mask.scored().len(), mask.hidden().len());
        mask
    }

    fn units(&self) -> usize {
        self.acronyms.len()
    }

    fn entry(&self, trial: usize, bin: usize, unit: usize) -> usize {
        (trial * self.bins + bin) * self.units() + unit
    }

    fn region_of(&self, unit: usize) -> Option<&'static str> {
        Some(self.acronyms[unit]).filter(|name| !["", "root", "void", "unknown"].contains(name))
    }

    /// Regions with at least one unit, each once.
    fn regions(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = (0..self.units()).filter_map(|unit| self.region_of(unit)).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Every `(trial, bin, unit)`.
    fn entries(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        let (trials, bins, units) = (self.trials, self.bins, self.units());
        (0..trials).flat_map(move |trial| {
            (0..bins).flat_map(move |bin| (0..units).map(move |unit| (trial, bin, unit)))
        })
    }

    /// Whether all bins of a unit in a trial are treated as its first bin is.
    fn columns_are_whole(&self, hidden: &[bool]) -> bool {
        self.entries().all(|(t, b, u)| hidden[self.entry(t, b, u)] == hidden[self.entry(t, 0, u)])
    }

    /// Whether all units of a bin in a trial are treated as the first unit is.
    fn rows_are_whole(&self, hidden: &[bool]) -> bool {
        self.entries().all(|(t, b, u)| hidden[self.entry(t, b, u)] == hidden[self.entry(t, b, 0)])
    }
}

fn batches(acronyms: &'static [&'static str]) -> impl Strategy<Value = Batch> {
    let units = prop::collection::vec(prop::sample::select(acronyms), 0..20);
    (0..6usize, 0..9usize, units).prop_map(|(trials, bins, acronyms)| Batch { trials, bins, acronyms })
}

const ACRONYMS: &[&str] = &["CA1", "PO", "DG", "LP", "VISa", "root", "void", "unknown", ""];
const NOWHERE: &[&str] = &["root", "void", "unknown", ""];

proptest! {
    #[test]
    fn neuron_hides_all_bins_of_a_unit_of_a_trial(
        batch in batches(ACRONYMS), ratio in 0.0..=1.0, seed in any::<u64>(),
    ) {
        let mask = batch.draw(Scheme::Neuron, ratio, seed);
        prop_assert!(batch.columns_are_whole(mask.hidden()));
        prop_assert_eq!(mask.scored(), mask.hidden());
    }

    #[test]
    fn temporal_and_causal_hide_all_units_of_a_bin_of_a_trial(
        batch in batches(ACRONYMS), ratio in 0.0..=1.0, seed in any::<u64>(),
    ) {
        for scheme in [Scheme::Temporal, Scheme::Causal] {
            let mask = batch.draw(scheme, ratio, seed);
            prop_assert!(batch.rows_are_whole(mask.hidden()), "{}", scheme);
            prop_assert_eq!(mask.scored(), mask.hidden());
        }
    }

    #[test]
    fn random_counts_what_it_hides(batch in batches(ACRONYMS), ratio in 0.0..=1.0, seed in any::<u64>()) {
        let mask = batch.draw(Scheme::Random, ratio, seed);
        prop_assert_eq!(mask.scored(), mask.hidden());
    }

    #[test]
    fn inter_region_hides_one_region_of_the_whole_batch_alone(
        batch in batches(ACRONYMS), ratio in 0.0..=1.0, seed in any::<u64>(),
    ) {
        prop_assume!(!batch.regions().is_empty());
        let mask = batch.draw(Scheme::InterRegion, ratio, seed);
        let hides_just = |region: &str| {
            batch.entries().all(|(t, b, u)| {
                mask.hidden()[batch.entry(t, b, u)] == (batch.region_of(u) == Some(region))
            })
        };
        prop_assert!(batch.regions().into_iter().any(hides_just));
        prop_assert_eq!(mask.scored(), mask.hidden());
    }

    #[test]
    fn intra_region_shows_only_some_units_of_one_region(
        batch in batches(ACRONYMS), ratio in 0.0..=1.0, seed in any::<u64>(),
    ) {
        prop_assume!(!batch.regions().is_empty());
        let mask = batch.draw(Scheme::IntraRegion, ratio, seed);
        let is_of = |region: &str| {
            batch.entries().all(|(t, b, u)| {
                let (hidden, target) = (mask.hidden()[batch.entry(t, b, u)], mask.scored()[batch.entry(t, b, u)]);
                if batch.region_of(u) == Some(region) { target == hidden } else { hidden && !target }
            })
        };
        prop_assert!(batch.regions().into_iter().any(is_of));
        prop_assert!(batch.columns_are_whole(mask.hidden()));
    }

    #[test]
    fn certain_draws_hide_everything_or_nothing(batch in batches(ACRONYMS), seed in any::<u64>()) {
        for scheme in
            [Scheme::Neuron, Scheme::Temporal, Scheme::Causal, Scheme::Random, Scheme::RandomToken]
        {
            prop_assert!(batch.draw(scheme, 1.0, seed).scored().iter().all(|target| *target));
            prop_assert!(!batch.draw(scheme, 0.0, seed).hidden().contains(&true));
        }
        prop_assume!(!batch.regions().is_empty());
        let mask = batch.draw(Scheme::IntraRegion, 1.0, seed);
        prop_assert!(mask.hidden().iter().all(|hidden| *hidden));
        let mask = batch.draw(Scheme::IntraRegion, 0.0, seed);
        prop_assert_eq!(mask.scored_entries(), 0);
        // A region is hidden whole at any ratio.
        let targets = batch.draw(Scheme::InterRegion, 0.0, seed).scored_entries();
        prop_assert_eq!(targets > 0, batch.trials * batch.bins > 0);
    }

    #[test]
    fn a_unit_without_region_is_no_target_of_a_region_scheme(
        batch in batches(ACRONYMS), ratio in 0.0..=1.0, seed in any::<u64>(),
    ) {
        prop_assume!(!batch.regions().is_empty());
        for scheme in [Scheme::InterRegion, Scheme::IntraRegion] {
            let mask = batch.draw(scheme, ratio, seed);
            for (t, b, u) in batch.entries().filter(|(_, _, unit)| batch.region_of(*unit).is_none()) {
                prop_assert!(!mask.scored()[batch.entry(t, b, u)], "{} counts a unit outside regions", scheme);
                let hidden = mask.hidden()[batch.entry(t, b, u)];
                prop_assert_eq!(hidden, scheme == Scheme::IntraRegion, "{}", scheme);
            }
        }
    }

    #[test]
    fn without_any_region_region_schemes_draw_neuron_masks(
        batch in batches(NOWHERE), ratio in 0.0..=1.0, seed in any::<u64>(),
    ) {
        let neuron = batch.draw(Scheme::Neuron, ratio, seed);
        for scheme in [Scheme::InterRegion, Scheme::IntraRegion] {
            prop_assert_eq!(&batch.draw(scheme, ratio, seed), &neuron);
        }
    }

    #[test]
    fn a_seed_chooses_the_mask(batch in batches(ACRONYMS), ratio in 0.0..=1.0, seed in any::<u64>()) {
        for scheme in Scheme::ALL {
            prop_assert_eq!(batch.draw(scheme, ratio, seed), batch.draw(scheme, ratio, seed));
        }
    }

    #[test]
    fn only_what_is_hidden_is_scored(
        batch in batches(ACRONYMS), ratio in 0.0..=1.0, seed in any::<u64>(),
    ) {
        for scheme in Scheme::ALL {
            let mask = batch.draw(scheme, ratio, seed);
            let entries = mask.scored().iter().zip(mask.hidden());
            let scored: Vec<bool> = entries.filter(|(scored, _)| **scored).map(|(_, hidden)| *hidden).collect();
            prop_assert!(scored.iter().all(|hidden| *hidden), "{} counts what the model sees", scheme);
            prop_assert_eq!(mask.scored_entries(), scored.len());
        }
    }

    #[test]
    fn nothing_hides_nothing(trials in 0..5usize, bins in 0..5usize, units in 0..5usize) {
        let mask = Holdout::nothing(trials, bins, units);
        prop_assert_eq!(mask.hidden(), vec![false; trials * bins * units]);
        prop_assert_eq!(mask.scored_entries(), 0);
    }

    #[test]
    fn chosen_units_and_bins_are_hidden_in_every_trial(
        batch in batches(ACRONYMS), chosen in any::<u32>(), counted in any::<u32>(), chosen_bins in any::<u32>(),
    ) {
        let is_in = |set: u32, index: usize| set >> index & 1 == 1;
        let mut units = Holdout::nothing(batch.trials, batch.bins, batch.units());
        units.hide_units(|unit| is_in(chosen, unit)).score_units(|unit| is_in(counted, unit));
        let mut bins = Holdout::nothing(batch.trials, batch.bins, batch.units());
        bins.hide_bins(|bin| is_in(chosen_bins, bin)).score_hidden();
        let mut both = units.clone();
        both.hide_bins(|bin| is_in(chosen_bins, bin));
        for (t, b, u) in batch.entries() {
            let entry = batch.entry(t, b, u);
            prop_assert_eq!(units.hidden()[entry], is_in(chosen, u));
            prop_assert_eq!(units.scored()[entry], is_in(chosen & counted, u));
            prop_assert_eq!(bins.hidden()[entry], is_in(chosen_bins, b));
            prop_assert_eq!(bins.scored()[entry], is_in(chosen_bins, b));
            prop_assert_eq!(both.hidden()[entry], is_in(chosen, u) || is_in(chosen_bins, b));
            // What is hidden later is scored as what is hidden already.
            prop_assert_eq!(both.scored()[entry], both.hidden()[entry] && is_in(counted, u));
        }
        if batch.trials * batch.bins > 0 {
            let chosen_units: Vec<usize> = (0..batch.units()).filter(|unit| is_in(chosen, *unit)).collect();
            prop_assert_eq!(units.units_hidden(), chosen_units);
            let scored = (0..batch.units()).filter(|unit| is_in(chosen & counted, *unit));
            prop_assert_eq!(units.units_scored(), scored.collect::<Vec<_>>());
        }
    }
}

#[test]
fn marks_are_bits_and_say_what_every_entry_says() {
    let (trials, bins, units) = (2, 3, 40);
    let mut holdout = Holdout::nothing(trials, bins, units);
    holdout.hide_unit_in(1, 33);
    holdout.hide_bin_in(0, 2);
    holdout.score_units(|unit| unit != 4);
    let marks = holdout.marks();
    assert_eq!(marks.units, [0, 0, 0, 1 << 1]);
    assert_eq!(marks.bins, [1 << 2, 0]);
    assert_eq!(marks.scored, [!(1 << 4), 0xFF]);
    assert!(marks.entries.is_none());
    assert_eq!(holdout.scored_entries(), (units - 1) + bins);
    // A single entry is a mark of its own, and the same entries hidden in another way are the same holdout.
    let mut other = Holdout::nothing(trials, bins, units);
    other.hide(|trial, bin, unit| (trial == 1 && unit == 33) || (trial == 0 && bin == 2));
    other.score_units(|unit| unit != 4);
    assert_eq!(other.marks().entries.map(<[u32]>::len), Some(trials * bins * 2));
    assert_eq!(other, holdout);
    assert_eq!(other.scored_entries(), holdout.scored_entries());
    assert_eq!(other.units_scored(), holdout.units_scored());
}

#[test]
fn a_holdout_of_one_trial_is_repeated_with_all_that_it_hides() {
    let mut one = Holdout::nothing(1, 3, 5);
    one.hide_units(|unit| unit == 1)
        .hide_bins(|bin| bin == 2)
        .hide(|_, bin, unit| bin == unit)
        .score_hidden();
    let mut all = Holdout::nothing(7, 1, 1);
    all.repeat(&one, 2);
    assert_eq!([all.trials(), all.bins(), all.units()], [2, 3, 5]);
    assert_eq!(all.hidden(), [one.hidden(), one.hidden()].concat());
    assert_eq!(all.scored(), [one.scored(), one.scored()].concat());
}

#[test]
fn a_unit_of_which_a_bin_is_seen_is_not_hidden_whole() {
    let mut holdout = Holdout::nothing(1, 3, 2);
    holdout.hide_unit_in(0, 1);
    holdout.hide_bin_in(0, 2);
    holdout.score_hidden();
    assert_eq!(holdout.hidden(), [false, true, false, true, true, true]);
    assert_eq!((holdout.units_hidden(), holdout.units_scored()), (vec![1], vec![0, 1]));
}

#[test]
fn default_ratios_are_the_published_ones() {
    let published = &Scheme::ALL[..7];
    assert_eq!(published.last(), Some(&Scheme::RandomToken));
    for scheme in published {
        assert_eq!(scheme.default_ratio(), if *scheme == Scheme::Causal { 0.6 } else { 0.3 });
    }
}

/// Fails where `hits` of `draws` independent draws are more than 5 σ from what `probability` gives.
fn assert_binomial(what: &str, hits: usize, draws: usize, probability: f64) {
    let (n, mean) = (draws as f64, draws as f64 * probability);
    let sigma = (n * probability * (1.0 - probability)).sqrt();
    let off = (hits as f64 - mean).abs() / sigma;
    assert!(off <= 5.0, "{what}: {hits} of {draws}, {off:.1} sigma from {mean}");
}

/// Checks draws `[row, column]`: their share, and that neighbours in a row or a column are drawn independently.
///
/// Both of a pair are hidden with probability², and pairs that share no draw are independent.
fn assert_independent(what: &str, columns: usize, draws: &[bool], probability: f64) {
    let hits = draws.iter().filter(|hidden| **hidden).count();
    assert_binomial(what, hits, draws.len(), probability);
    let rows: Vec<&[bool]> = draws.chunks(columns).collect();
    let below: Vec<bool> =
        rows.chunks_exact(2).flat_map(|pair| pair[0].iter().zip(pair[1]).map(|(a, b)| *a && *b)).collect();
    let beside: Vec<bool> =
        rows.iter().flat_map(|row| row.chunks_exact(2).map(|pair| pair[0] && pair[1])).collect();
    for (direction, pairs) in [("below", below), ("beside", beside)] {
        let hits = pairs.iter().filter(|both| **both).count();
        assert!(!pairs.is_empty());
        assert_binomial(&format!("{what}, pairs {direction}"), hits, pairs.len(), probability * probability);
    }
}

/// A large batch: 40 trials of 50 bins, 60 units of five regions of unequal sizes and of none.
fn large() -> Batch {
    let sizes = [("CA1", 24), ("PO", 12), ("root", 8), ("DG", 8), ("LP", 6), ("VISa", 2)];
    let acronyms = sizes.iter().flat_map(|(name, units)| std::iter::repeat_n(*name, *units)).collect();
    Batch { trials: 40, bins: 50, acronyms }
}

#[test]
fn units_are_drawn_per_trial_with_the_ratio() {
    let batch = large();
    for seed in 0..5 {
        let mask = batch.draw(Scheme::Neuron, 0.3, seed);
        let draws: Vec<bool> = (0..batch.trials)
            .flat_map(|trial| (0..batch.units()).map(move |unit| (trial, unit)))
            .map(|(trial, unit)| mask.hidden()[batch.entry(trial, 0, unit)])
            .collect();
        assert_independent("neuron", batch.units(), &draws, 0.3);
    }
}

#[test]
fn bins_are_drawn_per_trial_with_the_ratio_of_the_scheme() {
    let batch = large();
    for (scheme, ratio) in [(Scheme::Temporal, 0.3), (Scheme::Causal, 0.6)] {
        for seed in 0..5 {
            let mask = batch.draw(scheme, scheme.default_ratio(), seed);
            let draws: Vec<bool> = mask.hidden().chunks(batch.units()).map(|row| row[0]).collect();
            assert_independent(scheme.name(), batch.bins, &draws, ratio);
        }
    }
}

#[test]
fn patches_are_drawn_whole_per_bin_with_the_ratio() {
    let batch = large();
    for patches in [12, 15] {
        let patch_of_unit: Vec<usize> = (0..60).map(|unit| unit * patches / 60).collect();
        let regions = Regions::new(batch.acronyms.iter().copied()).with_patches(patch_of_unit.clone());
        let first_of = |patch| patch_of_unit.iter().position(|of| *of == patch).unwrap();
        let first_units: Vec<usize> = (0..patches).map(first_of).collect();
        for seed in 0..5 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let (trials, bins) = (batch.trials, batch.bins);
            let mask = Scheme::RandomToken.draw(trials, bins, &regions, 0.3, &mut rng);
            assert_eq!(mask.scored(), mask.hidden());
            for row in mask.hidden().chunks(batch.units()) {
                let of_patch = |unit: usize| row[first_units[regions.patch_of_unit()[unit]]];
                assert!((0..batch.units()).all(|unit| row[unit] == of_patch(unit)));
            }
            let rows = mask.hidden().chunks(batch.units());
            let draws: Vec<bool> = rows.flat_map(|row| first_units.iter().map(|unit| row[*unit])).collect();
            assert_independent("random-token", patches, &draws, 0.3);
            assert_independent("random-token, trials", bins * patches, &draws, 0.3);
        }
    }
}

#[test]
fn without_a_model_patches_are_of_128_units() {
    let regions = Regions::new(["CA1"; 300]);
    let patches: Vec<usize> = (0..300).map(|unit| unit / 128).collect();
    assert_eq!(regions.patch_of_unit(), patches);
}

#[test]
fn entries_are_drawn_with_the_ratio() {
    let batch = large();
    for seed in 0..5 {
        let mask = batch.draw(Scheme::Random, 0.3, seed);
        assert_independent("random", batch.units(), mask.hidden(), 0.3);
        // Rows of whole trials: neighbours below are the same bin and unit of the next trial.
        assert_independent("random, trials", batch.bins * batch.units(), mask.hidden(), 0.3);
    }
}

#[test]
fn units_inside_the_drawn_region_are_drawn_per_trial_with_the_ratio() {
    let batch = large();
    for seed in 0..20 {
        let mask = batch.draw(Scheme::IntraRegion, 0.3, seed);
        // In 40 trials some unit of the region is seen; units outside never are.
        let seen = batch.entries().find(|(t, b, u)| !mask.hidden()[batch.entry(*t, *b, *u)]).unwrap().2;
        let inside: Vec<usize> =
            (0..batch.units()).filter(|unit| batch.acronyms[*unit] == batch.acronyms[seen]).collect();
        let draws: Vec<bool> = (0..batch.trials)
            .flat_map(|trial| inside.iter().map(move |unit| (trial, *unit)))
            .map(|(trial, unit)| mask.scored()[batch.entry(trial, 0, unit)])
            .collect();
        assert_independent("intra-region", inside.len(), &draws, 0.3);
    }
}

#[test]
fn regions_are_drawn_uniformly_whatever_their_size() {
    let batch = Batch { trials: 1, bins: 1, ..large() };
    let names = batch.regions();
    assert_eq!(names.len(), 5);
    for scheme in [Scheme::InterRegion, Scheme::IntraRegion] {
        let draws = 5000;
        let mut counts = vec![0; names.len()];
        for seed in 0..draws {
            // At ratio 0 intra-region shows the drawn region whole, and inter-region hides it at any ratio.
            let mask = batch.draw(scheme, 0.0, seed as u64);
            let marked = scheme == Scheme::InterRegion;
            let unit = mask.hidden().iter().position(|hidden| *hidden == marked).unwrap();
            counts[names.iter().position(|name| *name == batch.acronyms[unit]).unwrap()] += 1;
        }
        for (name, count) in names.iter().zip(counts) {
            assert_binomial(&format!("{scheme} {name}"), count, draws, 0.2);
        }
    }
}

#[test]
fn one_generator_gives_a_new_mask_every_batch() {
    let batch = large();
    let regions = Regions::new(batch.acronyms.iter().copied());
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let schemes = [Scheme::Neuron, Scheme::Causal, Scheme::Temporal, Scheme::Random, Scheme::IntraRegion];
    for scheme in schemes.into_iter().chain([Scheme::RandomToken]) {
        let mut draw = || scheme.draw(batch.trials, batch.bins, &regions, 0.3, &mut rng);
        assert_ne!(draw(), draw(), "{scheme}");
    }
}
