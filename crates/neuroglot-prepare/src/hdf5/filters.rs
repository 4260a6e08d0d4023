//! Filters that pack the chunks of a data set: LZF, which h5py has and `hdf5-reader` has not, and the names of those that
//! are not read.

use hdf5_reader::FilterRegistry;
use hdf5_reader::error::Error;

/// The filter of h5py's `compression="lzf"`.
const LZF: u16 = 32_000;

/// The filters that are read: those of `hdf5-reader`, and LZF.
pub(super) fn registry() -> FilterRegistry {
    let mut registry = FilterRegistry::new();
    registry.register(
        LZF,
        Box::new(|filter, packed, _| {
            // Its third parameter is the length of a chunk.
            let most = filter.client_data.get(2).map_or(usize::MAX, |length| *length as usize);
            unpack_lzf(packed, most).ok_or_else(|| {
                Error::DecompressionError("LZF: the chunk does not hold what it should".into())
            })
        }),
    );
    registry
}

/// Whether a filter is read.
pub(super) fn is_read(filter: u16) -> bool {
    matches!(filter, 1..=6 | LZF | hdf5_reader::filters::FILTER_LZ4)
}

/// What a filter is called (<https://github.com/HDFGroup/hdf5_plugins/blob/master/docs/RegisteredFilterPlugins.md>).
pub(super) fn name(filter: u16) -> &'static str {
    match filter {
        305 => "LZO",
        307 => "bzip2",
        32_001 => "Blosc",
        32_008 => "bitshuffle",
        32_013 => "ZFP",
        32_015 => "Zstandard",
        32_017 => "SZ",
        32_018 => "FCIDECOMP",
        32_019 => "JPEG",
        32_023 => "granular bit rounding",
        32_024 => "SZ3",
        32_026 => "Blosc2",
        32_028 => "JPEG XL",
        _ => "a filter",
    }
}

/// Unpacks a stream of LibLZF (<http://oldhome.schmorp.de/marc/liblzf.html>) to at most `most` bytes; `None` if it is none.
///
/// Three bytes become 264 at most, so that what is asked for stays in proportion to what is there.
fn unpack_lzf(packed: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut unpacked = Vec::new();
    let mut bytes = packed;
    while let Some((&control, rest)) = bytes.split_first() {
        bytes = rest;
        if control < 32 {
            // Bytes as they are.
            let (run, rest) = bytes.split_at_checked(usize::from(control) + 1)?;
            bytes = rest;
            unpacked.extend_from_slice(run);
        } else {
            // Bytes that were there before, and may go on into those that they make.
            let mut length = usize::from(control >> 5) + 2;
            if length == 9 {
                let (&more, rest) = bytes.split_first()?;
                bytes = rest;
                length += usize::from(more);
            }
            let (&low, rest) = bytes.split_first()?;
            bytes = rest;
            let distance = (usize::from(control & 31) << 8 | usize::from(low)) + 1;
            let start = unpacked.len().checked_sub(distance)?;
            for place in start..start + length {
                unpacked.push(unpacked[place]);
            }
        }
        if unpacked.len() > most {
            return None;
        }
    }
    Some(unpacked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lzf_as_the_library_packs_it() {
        // By hand: "abc", then 6 from 3 before ("abcabc"), 1 + 255 + 9 of the last, and "d".
        let mut packed = vec![2, b'a', b'b', b'c', 4 << 5, 2];
        packed.extend([7 << 5, 255, 0, 0, b'd']);
        let expected = [b"abcabcabc".as_slice(), &[b'c'; 264], b"d"].concat();
        assert_eq!(unpack_lzf(&packed, usize::MAX), Some(expected.clone()));
        assert_eq!(unpack_lzf(&packed, expected.len()), Some(expected.clone()));
        assert_eq!(unpack_lzf(&packed, expected.len() - 1), None);
        assert_eq!(unpack_lzf(&[], 0), Some(Vec::new()));
    }

    #[test]
    fn hostile_streams_are_refused() {
        // Cut off: in a run, before a length, before a distance; from before the beginning.
        for packed in [
            &[3, 1, 2][..],
            &[0, 1, 7 << 5],
            &[0, 1, 7 << 5, 9],
            &[0, 1, 1 << 5],
            &[1 << 5, 0],
            &[0, 1, 32, 1],
        ] {
            assert_eq!(unpack_lzf(packed, usize::MAX), None, "{packed:?}");
        }
        // As far as three bytes go.
        let bomb = [vec![0, 1], [7 << 5, 255, 0].repeat(1000)].concat();
        assert_eq!(unpack_lzf(&bomb, usize::MAX).unwrap().len(), 1 + 264 * 1000);
        assert_eq!(unpack_lzf(&bomb, 1000), None);
    }
}
