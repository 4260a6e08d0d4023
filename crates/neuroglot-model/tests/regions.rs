//! The patches that a model's settings make of a session, which the `random-token` scheme hides.

use neuroglot_masks::Regions;
use neuroglot_model::{Architecture, ModelConfig, Ndt2Settings};

#[test]
fn patches_are_cut_in_order_or_by_region() {
    let sizes = [("CA1", 24), ("PO", 12), ("root", 8), ("DG", 8), ("LP", 6), ("VISa", 2)];
    let acronyms: Vec<&str> =
        sizes.iter().flat_map(|(name, units)| std::iter::repeat_n(*name, *units)).collect();
    // 60 units in patches of 5; by region CA1 takes 5 of them, PO 3, root 2, DG 2, LP 2 and VISa 1.
    for (region_patches, patches) in [(false, 12), (true, 15)] {
        let config = ModelConfig {
            architecture: Architecture::Ndt2,
            patch: 5,
            ndt2: Ndt2Settings { region_patches, ..Ndt2Settings::default() },
            ..ModelConfig::default()
        };
        let regions = config.regions(&acronyms);
        let mut first_units = vec![None; patches];
        for (unit, patch) in regions.patch_of_unit().iter().enumerate() {
            let first = *first_units[*patch].get_or_insert(unit);
            assert!(!region_patches || acronyms[unit] == acronyms[first]);
        }
        assert!(first_units.iter().all(Option::is_some));
    }
    assert_eq!(ModelConfig::default().regions(&["CA1"; 300]), Regions::new(["CA1"; 300]));
}
