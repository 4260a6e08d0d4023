//! Numbers from their bytes, as NumPy and HDF5 store them.

use std::fmt::Display;

use half::f16;

/// Numbers that those of a file are read as, whatever type they have there.
pub(crate) trait FileNumber: Sized + Copy {
    /// From a whole number; `None` where it does not fit.
    fn from_whole(value: i128) -> Option<Self>;
    /// From a float; `None` where it does not fit.
    fn from_float(value: f64) -> Option<Self>;
    /// What is asked for, for messages.
    const NAME: &'static str;
}

impl FileNumber for f64 {
    fn from_whole(value: i128) -> Option<f64> {
        Some(value as f64)
    }

    fn from_float(value: f64) -> Option<f64> {
        Some(value)
    }

    const NAME: &'static str = "numbers";
}

impl FileNumber for i64 {
    fn from_whole(value: i128) -> Option<i64> {
        i64::try_from(value).ok()
    }

    fn from_float(value: f64) -> Option<i64> {
        // Beyond 2^53 floats no longer tell whole numbers apart.
        (value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0).then_some(value as i64)
    }

    const NAME: &'static str = "whole numbers";
}

impl FileNumber for u32 {
    fn from_whole(value: i128) -> Option<u32> {
        u32::try_from(value).ok()
    }

    fn from_float(value: f64) -> Option<u32> {
        i64::from_float(value).and_then(|value| u32::try_from(value).ok())
    }

    const NAME: &'static str = "whole numbers from 0 to 4294967295";
}

/// How a number is stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Truth,
    Signed,
    Unsigned,
    Float,
}

/// How numbers are stored, in a type that is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stored {
    kind: Kind,
    width: usize,
    is_big_endian: bool,
}

impl Stored {
    /// Numbers of `width` bytes; `None` for a type that is not read.
    pub(crate) fn new(kind: Kind, width: usize, is_big_endian: bool) -> Option<Stored> {
        let widths: &[usize] = match kind {
            Kind::Truth => &[1],
            Kind::Signed | Kind::Unsigned => &[1, 2, 4, 8],
            Kind::Float => &[2, 4, 8],
        };
        widths.contains(&width).then_some(Stored { kind, width, is_big_endian })
    }

    /// Bytes of one number.
    pub(crate) fn width(self) -> usize {
        self.width
    }

    /// Appends the numbers of a block.
    ///
    /// # Errors
    /// In words: a number that `T` does not hold.
    pub(crate) fn append<T: FileNumber>(self, block: &[u8], out: &mut Vec<T>) -> Result<(), String> {
        self.each(block, |value| {
            out.push(value);
            Ok(())
        })
    }

    /// Calls `each` with the numbers of a block.
    ///
    /// # Errors
    /// In words: a number that `T` does not hold, or that `each` refuses.
    pub(crate) fn each<T: FileNumber>(
        self,
        block: &[u8],
        mut each: impl FnMut(T) -> Result<(), String>,
    ) -> Result<(), String> {
        let held = |value: Option<T>, found: &dyn Display| {
            value.ok_or_else(|| format!("holds {found} where {} are needed", T::NAME))
        };
        macro_rules! all {
            ($type:ty, $convert:expr) => {{
                let mut convert = $convert;
                let (elements, _) = block.as_chunks::<{ size_of::<$type>() }>();
                match self.is_big_endian {
                    true => elements.iter().try_for_each(|bytes| convert(<$type>::from_be_bytes(*bytes))),
                    false => elements.iter().try_for_each(|bytes| convert(<$type>::from_le_bytes(*bytes))),
                }
            }};
        }
        if self.kind == Kind::Float {
            let mut float = |value: f64| each(held(T::from_float(value), &value)?);
            return match self.width {
                2 => all!(f16, |value: f16| float(value.into())),
                4 => all!(f32, |value: f32| float(value.into())),
                _ => all!(f64, float),
            };
        }
        let mut whole = |value: i128| each(held(T::from_whole(value), &value)?);
        match (self.kind, self.width) {
            (Kind::Truth, _) => all!(u8, |value| whole((value != 0).into())),
            (Kind::Signed, 1) => all!(i8, |value: i8| whole(value.into())),
            (Kind::Signed, 2) => all!(i16, |value: i16| whole(value.into())),
            (Kind::Signed, 4) => all!(i32, |value: i32| whole(value.into())),
            (Kind::Signed, _) => all!(i64, |value: i64| whole(value.into())),
            (_, 1) => all!(u8, |value: u8| whole(value.into())),
            (_, 2) => all!(u16, |value: u16| whole(value.into())),
            (_, 4) => all!(u32, |value: u32| whole(value.into())),
            (_, _) => all!(u64, |value: u64| whole(value.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: FileNumber>(kind: Kind, width: usize, big: bool, bytes: &[u8]) -> Result<Vec<T>, String> {
        let mut out = Vec::new();
        Stored::new(kind, width, big).unwrap().append(bytes, &mut out).map(|()| out)
    }

    #[test]
    fn numbers_of_any_width_and_order() {
        let bytes = [0xff, 0xfe, 0x01, 0x00];
        assert_eq!(read(Kind::Signed, 2, true, &bytes), Ok(vec![-2.0, 256.0]));
        assert_eq!(read(Kind::Unsigned, 1, false, &bytes[..2]), Ok(vec![255.0, 254.0]));
        assert_eq!(read(Kind::Float, 4, false, &1.5f32.to_le_bytes()), Ok(vec![1.5]));
        // 0x4200 is 3 in IEEE 754 binary16.
        assert_eq!(read(Kind::Float, 2, false, &[0x00, 0x42]), Ok(vec![3.0]));
        assert_eq!(read(Kind::Truth, 1, false, &[2, 0]), Ok(vec![1u32, 0]));
    }

    #[test]
    fn integers_are_exact_or_refused() {
        let wide = |value: u64| read::<i64>(Kind::Unsigned, 8, false, &value.to_le_bytes());
        assert_eq!(wide(9_007_199_254_740_993), Ok(vec![9_007_199_254_740_993]));
        assert!(wide(u64::MAX).unwrap_err().contains("18446744073709551615"));
        let double = |value: f64| read::<i64>(Kind::Float, 8, false, &value.to_le_bytes());
        assert!(double(0.5).is_err() && double(f64::NAN).is_err());
    }
}
