//! Values from their bytes.

use hdf5_reader::{ByteOrder, Datatype};

use crate::files::number::{Kind, Stored};

/// How the numbers of a type are stored: a truth value is an enumeration of two integers. `None` if it is not read.
pub(super) fn stored(datatype: &Datatype) -> Option<Stored> {
    let (kind, size, order) = match datatype {
        Datatype::FixedPoint { size, signed: true, byte_order } => (Kind::Signed, size, byte_order),
        Datatype::FixedPoint { size, byte_order, .. } => (Kind::Unsigned, size, byte_order),
        Datatype::Bitfield { size, byte_order } => (Kind::Unsigned, size, byte_order),
        Datatype::FloatingPoint { size, byte_order } => (Kind::Float, size, byte_order),
        Datatype::Enum { base, .. } => return stored(base),
        _ => return None,
    };
    Stored::new(kind, usize::from(*size), *order == ByteOrder::BigEndian)
}

/// A text of a fixed length, without its padding.
pub(super) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).trim_end_matches(' ').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_lose_their_padding() {
        assert_eq!(text(b"VISp\0\0"), "VISp");
        assert_eq!(text(b"CA1  "), "CA1");
        assert_eq!(text(&[0xc3, 0xa9, 0]), "é");
    }
}
