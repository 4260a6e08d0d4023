//! A checksum in safetensors files: a flipped bit of a weight is a number like any other.
//!
//! The metadata at the start of the file hold `"crc32"`, the CRC-32 of the whole file with its own eight digits as zeros, in
//! hexadecimal. Files without it are read as ever.

/// How the metadata begin that [`add`] adds to.
const METADATA: &[u8] = br#"{"__metadata__":{"format":"pt""#;
const ENTRY: &[u8] = br#","crc32":"00000000""#;
const DIGITS: usize = 8;

/// The length of the header, in front of it.
const LENGTH: usize = 8;

/// Bytes that begin with `METADATA` behind the length of their header, with a checksum.
pub(crate) fn add(bytes: &[u8]) -> Vec<u8> {
    let (length, header, tensors) = parts(bytes).expect("a file that was just made");
    debug_assert!(header.starts_with(METADATA));
    let mut header = [METADATA, ENTRY, &header[METADATA.len()..]].concat();
    // Tensors begin at a multiple of eight bytes.
    header.resize(header.len().next_multiple_of(LENGTH), b' ');
    debug_assert_eq!(length % LENGTH, 0);
    let mut copy = [&(header.len() as u64).to_le_bytes(), &header[..], tensors].concat();
    let sum = format!("{:08x}", crc32fast::hash(&copy));
    copy[digits()].copy_from_slice(sum.as_bytes());
    copy
}

/// Compares the checksum of a file, if it has one.
pub(crate) fn check(bytes: &[u8]) -> Result<(), String> {
    let Some((_, header, tensors)) = parts(bytes) else { return Ok(()) };
    let start = [METADATA, &ENTRY[..ENTRY.len() - DIGITS - 1]].concat();
    let Some(rest) = header.strip_prefix(&start[..]).filter(|rest| rest.get(DIGITS) == Some(&b'"')) else {
        return Ok(());
    };
    let said = std::str::from_utf8(&rest[..DIGITS]).unwrap_or_default();
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[..digits().start]);
    hasher.update(&[b'0'; DIGITS]);
    hasher.update(&bytes[digits().end..bytes.len() - tensors.len()]);
    hasher.update(tensors);
    let found = format!("{:08x}", hasher.finalize());
    if found == said {
        return Ok(());
    }
    Err(format!(
        "it was written with checksum {said} and has {found}: bytes of it have changed since; copy it again or use another \
         checkpoint (if it was changed on purpose, save it without the entry crc32 of its metadata)"
    ))
}

/// Where the digits stand in the file.
fn digits() -> std::ops::Range<usize> {
    let end = LENGTH + METADATA.len() + ENTRY.len() - 1;
    end - DIGITS..end
}

/// Length of the header, header, tensors; `None` where the header is not there whole.
fn parts(bytes: &[u8]) -> Option<(usize, &[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (header, tensors) = rest.split_at_checked(length)?;
    Some((length, header, tensors))
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::tensor::{Dtype, SafeTensors, TensorView};
    use std::collections::HashMap;

    fn plain() -> Vec<u8> {
        let values: Vec<u8> = [1.5f32, -2.0, 0.25].iter().flat_map(|value| value.to_le_bytes()).collect();
        let view = TensorView::new(Dtype::F32, vec![3], &values).unwrap();
        let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
        safetensors::serialize([("weight", view)], Some(metadata)).unwrap()
    }

    #[test]
    fn every_flipped_bit_is_an_error_or_changes_nothing() {
        let file = add(&plain());
        check(&file).unwrap();
        let weights = |bytes: &[u8]| {
            let tensors = SafeTensors::deserialize(bytes).ok()?;
            Some(tensors.tensor("weight").ok()?.data().to_vec())
        };
        let original = weights(&file).unwrap();
        assert_eq!(weights(&plain()), Some(original.clone()));
        for bit in 0..file.len() * 8 {
            let mut damaged = file.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let found = check(&damaged).ok().and_then(|()| weights(&damaged));
            assert!(found.is_none_or(|found| found == original), "bit {bit}");
        }
        let mut damaged = file;
        let last = damaged.len() - 1;
        damaged[last] ^= 1;
        assert!(check(&damaged).unwrap_err().contains("checksum"));
    }

    #[test]
    fn files_without_a_checksum_are_taken() {
        for file in [plain(), b"".to_vec(), b"PK\x03\x04 of PyTorch".to_vec(), vec![0xff; 40]] {
            check(&file).unwrap();
        }
    }
}
