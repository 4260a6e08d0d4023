//! The address of an object or of a folder of objects.

use crate::{FetchError, Result};
use std::fmt;
use std::str::FromStr;

/// `s3://bucket/key`, where the key may be that of an object or of a folder of them, or be left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Address {
    /// The bucket.
    pub bucket: String,
    /// The key or folder; empty for the whole bucket.
    pub key: String,
}

impl FromStr for S3Address {
    type Err = FetchError;

    fn from_str(text: &str) -> Result<S3Address> {
        let rest = text.strip_prefix("s3://").unwrap_or_default();
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        let is_bucket = (3..=63).contains(&bucket.len())
            && bucket
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte))
            && !bucket.starts_with('.');
        if is_bucket {
            return Ok(S3Address { bucket: bucket.to_string(), key: key.to_string() });
        }
        Err(FetchError::Name {
            text: text.to_string(),
            expected: "an address of S3, such as s3://bucket/folder or s3://bucket/folder/file.h5",
        })
    }
}

impl fmt::Display for S3Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "s3://{}/{}", self.bucket, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_bucket_and_may_have_a_key() {
        let address: S3Address = "s3://brainsets/a/b c.h5".parse().unwrap();
        assert_eq!((address.bucket.as_str(), address.key.as_str()), ("brainsets", "a/b c.h5"));
        assert_eq!("s3://brainsets".parse::<S3Address>().unwrap().key, "");
        for bad in
            ["", "brainsets/a", "s3://", "s3:///a", "s3://../a", "s3://A_bucket/a", "https://brainsets/a"]
        {
            assert!(bad.parse::<S3Address>().is_err(), "{bad}");
        }
    }
}
