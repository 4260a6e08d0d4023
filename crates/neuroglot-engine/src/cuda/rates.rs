//! How fast a GPU can be at best.

use super::product::Precision;
use crate::Cost;

/// What a GPU's maker says of its speed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rates {
    /// Bandwidth of its memory, bytes/s.
    pub bytes: Option<f64>,
    /// Multiply-adds per second with factors of f32, TF32 and bf16: half of the floating point operations that data sheets
    /// count, without sparsity.
    pub multiply_adds: Option<[f64; 3]>,
}

/// Parts of names, the longer ones first; GB/s; TFLOP/s in f32, TF32 and bf16 with sums of f32. From NVIDIA's data sheets.
const KNOWN: [(&str, f64, [f64; 3]); 11] = [
    ("H200 NVL", 4800.0, [60.3, 417.5, 835.5]),
    ("H200", 4800.0, [66.9, 494.7, 989.4]),
    ("H100 NVL", 3938.0, [60.3, 417.5, 835.5]),
    ("H100 PCIe", 2039.0, [51.2, 378.0, 756.0]),
    ("H100", 3352.0, [66.9, 494.7, 989.4]),
    ("A100-SXM4-80GB", 2039.0, [19.5, 156.0, 312.0]),
    ("A100 80GB PCIe", 1935.0, [19.5, 156.0, 312.0]),
    ("A100", 1555.0, [19.5, 156.0, 312.0]),
    ("L40S", 864.0, [91.6, 183.0, 362.0]),
    ("RTX 4090 D", 1008.0, [73.5, 73.5, 147.1]),
    ("RTX 4090", 1008.0, [82.6, 82.6, 165.2]),
];

impl Rates {
    /// Those of a GPU of this name. Of one that is not in the table, `clock_and_width` gives the bandwidth: the memory's clock
    /// (kHz) and the width of its bus (bits), which moves data twice a cycle.
    pub fn of(name: &str, clock_and_width: Option<[u32; 2]>) -> Self {
        if let Some((_, gigabytes, teraflops)) = KNOWN.iter().find(|(known, ..)| name.contains(known)) {
            let multiply_adds = teraflops.map(|teraflops| teraflops * 1e12 / 2.0);
            return Self { bytes: Some(gigabytes * 1e9), multiply_adds: Some(multiply_adds) };
        }
        let bandwidth = |[clock, width]: [u32; 2]| 2.0 * 1e3 * f64::from(clock) * f64::from(width) / 8.0;
        let bytes = clock_and_width.map(bandwidth).filter(|bytes| *bytes > 0.0);
        Self { bytes, multiply_adds: None }
    }

    /// The time (ms) that this cost takes at least; `None` where it depends on a rate that is not known.
    pub fn floor(&self, cost: Cost, precision: Precision) -> Option<f64> {
        let of_bytes = 1e3 * cost.bytes as f64 / self.bytes?;
        if cost.multiply_adds == 0 {
            return Some(of_bytes);
        }
        let rate = self.multiply_adds?[precision as usize];
        Some(of_bytes.max(1e3 * cost.multiply_adds as f64 / rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_floor_is_the_longer_of_bytes_and_products() {
        let h100 = Rates::of("NVIDIA H100 80GB HBM3", None);
        // A gigabyte at 3352 GB/s; 10¹² operations at 989.4, 494.7 and 66.9 TFLOP/s.
        let cost = Cost { bytes: 1_000_000_000, multiply_adds: 500_000_000_000, ..Cost::default() };
        let expected =
            [(Precision::Bf16, 1e3 / 989.4), (Precision::Tf32, 1e3 / 494.7), (Precision::F32, 1e3 / 66.9)];
        for (precision, milliseconds) in expected {
            assert!((h100.floor(cost, precision).unwrap() - milliseconds).abs() < 1e-9, "{precision}");
        }
        let moved = h100.floor(Cost { multiply_adds: 1000, ..cost }, Precision::F32).unwrap();
        assert!((moved - 1e3 / 3352.0).abs() < 1e-9);
    }

    #[test]
    fn the_longest_name_counts_and_what_is_not_known_is_not_guessed() {
        for (name, gigabytes) in [
            ("NVIDIA H100 PCIe", 2039.0),
            ("NVIDIA H200", 4800.0),
            ("NVIDIA A100-SXM4-40GB", 1555.0),
            ("NVIDIA A100-SXM4-80GB", 2039.0),
            ("NVIDIA L40S", 864.0),
            ("NVIDIA GeForce RTX 4090", 1008.0),
        ] {
            assert_eq!(Rates::of(name, Some([1, 1])).bytes, Some(gigabytes * 1e9), "{name}");
        }
        // 2 · 9.501 GHz · 384 bits: the 912 GB/s of a GeForce RTX 3080 Ti.
        let other = Rates::of("another", Some([9_501_000, 384]));
        assert_eq!(other.bytes, Some(912.096e9));
        let cost = Cost { bytes: 912_096_000, multiply_adds: 0, ..Cost::default() };
        assert_eq!(other.floor(cost, Precision::Tf32), Some(1.0));
        assert_eq!(other.floor(Cost { multiply_adds: 1, ..cost }, Precision::Tf32), None);
        assert_eq!(Rates::of("another", Some([0, 384])).floor(cost, Precision::F32), None);
        assert_eq!(Rates::of("L40", None), Rates::default());
    }
}
