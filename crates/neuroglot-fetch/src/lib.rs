//! Downloads that resume: the DANDI archive, the Hugging Face hub, public S3 buckets.
