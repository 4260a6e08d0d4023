//! Coordinates relative to bregma, as the IBL writes them, and those of the common coordinate framework (CCF).

/// Bregma in the CCF: anterior-posterior, dorsal-ventral and mediolateral distance from the volume's corner (µm).
///
/// As `iblatlas.atlas.ALLEN_CCF_LANDMARKS_MLAPDV_UM` has it (there in the order ml, ap, dv: 5739, 5400, 332).
pub const BREGMA_UM: [f64; 3] = [5400.0, 332.0, 5739.0];

/// From metres relative to bregma to µm from the corner of the CCF.
///
/// `mlapdv` is mediolateral (positive to the right), anterior-posterior (positive forward) and dorsal-ventral (positive
/// up), as in `channels.mlapdv` of the IBL (there in µm: divide by 10⁶). The result is anterior-posterior (positive
/// backward), dorsal-ventral (positive down) and left-right (positive to the right), the order of the Allen volumes.
/// This is `AllenAtlas.xyz2ccf(…, ccf_order="apdvml")` of `iblatlas`: a shift and flips, without tilt or scaling.
pub fn ccf_from_bregma(mlapdv: [f64; 3]) -> [f64; 3] {
    let [ml, ap, dv] = mlapdv.map(|metres| metres * 1e6);
    [BREGMA_UM[0] - ap, BREGMA_UM[1] - dv, BREGMA_UM[2] + ml]
}

/// The inverse of [`ccf_from_bregma`].
pub fn bregma_from_ccf(apdvml: [f64; 3]) -> [f64; 3] {
    let [ap, dv, ml] = apdvml;
    [ml - BREGMA_UM[2], BREGMA_UM[0] - ap, BREGMA_UM[1] - dv].map(|micrometres| micrometres * 1e-6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_millimetre_right_forward_and_down_of_bregma() {
        let ccf = ccf_from_bregma([1e-3, 1e-3, -1e-3]);
        assert_eq!(ccf, [4400.0, 1332.0, 6739.0]);
        let back = bregma_from_ccf(ccf);
        assert!(back.iter().zip([1e-3, 1e-3, -1e-3]).all(|(found, wanted)| (found - wanted).abs() < 1e-12));
    }
}
