//! Positions of space-time tokens.

use crate::cpu::math::add_to;
use crate::{Cost, Slot};
use rayon::prelude::*;

/// y of bin t and patch p: time_t + space_p, and where patches have regions + region_{r(p)}.
///
/// The backward pass takes gradients in the places of y, which is read, and of time, space and region, which are written: each
/// of their rows receives the sum of dy over the tokens that it was added to.
#[derive(Debug, Clone, Copy)]
pub struct PatchPositions {
    /// Bins of a trial.
    pub bins: usize,
    /// Patches of a bin.
    pub patches: usize,
    /// Width of a token.
    pub width: usize,
    /// Regions; 0 where patches have none.
    pub regions: usize,
    /// `[bins, width]`, read.
    pub time: Slot,
    /// `[patches, width]`, read.
    pub space: Slot,
    /// `[regions, width]`, read; empty without regions.
    pub region: Slot,
    /// r, `[patches]`: numbers of regions as floats, read; empty without regions.
    pub region_of_patch: Slot,
    /// `[bins · patches, width]`, written.
    pub y: Slot,
}

impl PatchPositions {
    /// What each pass costs at least.
    pub fn cost(&self) -> Cost {
        Cost::of_slots(self.slots())
    }

    pub(crate) fn slots(&self) -> [Slot; 5] {
        [self.time, self.space, self.region, self.region_of_patch, self.y]
    }

    pub(crate) fn forward(&self, [time, space, region, region_of_patch, y]: [&mut [f32]; 5]) {
        let (width, patches) = (self.width, self.patches);
        let bins = y.par_chunks_mut(patches * width).zip(time.par_chunks(width));
        bins.with_min_len(8).for_each(|(y, time)| {
            for (patch, (y, space)) in y.chunks_exact_mut(width).zip(space.chunks_exact(width)).enumerate() {
                for (y, (time, space)) in y.iter_mut().zip(time.iter().zip(space)) {
                    *y = time + space;
                }
                if self.regions > 0 {
                    add_to(y, &region[region_of_patch[patch] as usize * width..][..width]);
                }
            }
        });
    }

    pub(crate) fn backward(&self, [dtime, dspace, dregion, region_of_patch, dy]: [&mut [f32]; 5]) {
        let (width, patches) = (self.width, self.patches);
        let times = dtime.par_chunks_mut(width).zip(dy.par_chunks(patches * width));
        times.with_min_len(8).for_each(|(dtime, dy)| {
            dtime.fill(0.0);
            dy.chunks_exact(width).for_each(|dy| add_to(dtime, dy));
        });
        dspace.par_chunks_mut(width).enumerate().for_each(|(patch, dspace)| {
            dspace.fill(0.0);
            for dy in dy.chunks_exact(patches * width) {
                add_to(dspace, &dy[patch * width..][..width]);
            }
        });
        dregion.fill(0.0);
        for (region, dspace) in region_of_patch.iter().zip(dspace.chunks_exact(width)) {
            add_to(&mut dregion[*region as usize * width..][..width], dspace);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;
    use crate::ops::gradient_check::{Check, Sizes, uniform};

    #[test]
    fn gradient_matches_finite_differences_with_and_without_regions() {
        // The first and the last patch share a region, and one region has no patch.
        let (bins, patches, width, of_patch) = (5, 4, 3, [2.0, 0.0, 1.0, 2.0]);
        for regions in [0, 4] {
            let reference = |v: &[Vec<f64>]| {
                let mut y = Vec::new();
                for (bin, patch) in (0..bins * patches).map(|token| (token / patches, token % patches)) {
                    let of_region = |i: usize| match regions {
                        0 => 0.0,
                        _ => v[2][of_patch[patch] as usize * width + i],
                    };
                    y.extend(
                        (0..width).map(|i| v[0][bin * width + i] + v[1][patch * width + i] + of_region(i)),
                    );
                }
                y
            };
            let sizes = Sizes::of(&[bins * width, patches * width, regions * width]);
            let check = Check { outputs: bins * patches * width, tolerance: 1e-6 };
            check.run(&sizes, uniform(-1.0, 1.0), reference, |s| {
                let region_of_patch = s.extra.part(0, if regions == 0 { 0 } else { patches });
                if regions > 0 {
                    s.device.write(region_of_patch, &of_patch);
                }
                let op = PatchPositions {
                    bins,
                    patches,
                    width,
                    regions,
                    time: s.inputs[0],
                    space: s.inputs[1],
                    region: s.inputs[2],
                    region_of_patch,
                    y: s.output,
                };
                s.device.patch_positions(&op);
                let [time, space, region] = [0, 1, 2].map(|input| s.gradients[input]);
                let y = s.output_gradient;
                s.device.patch_positions_backward(&PatchPositions { time, space, region, y, ..op });
            });
        }
    }
}
