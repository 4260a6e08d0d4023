//! Objects of public S3 buckets, unsigned, through `object_store`.

mod address;
mod connector;

pub use address::S3Address;

use crate::error::Refusal;
use crate::http::{Http, MOST_ENTRIES};
use crate::record::{Files, Record};
use crate::transfer::{Answer, Source, Transfer};
use crate::{Downloader, FetchError, Result, paths};
use bytes::Bytes;
use connector::{Connector, LastAnswer};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path as Key;
use object_store::{ClientOptions, GetOptions, GetRange, ObjectStore, ObjectStoreExt, RetryConfig};
use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Runtime;
use ureq::http::Request;

/// How one gets access to a bucket.
const ACCESS: &str = "only public buckets are read, without signature: check the name of the bucket, and fetch \
                      private ones with the tools of their owner";

/// Where any bucket says in which region it is.
const REGION_OF: &str = "https://s3.amazonaws.com";

/// One object of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Object {
    /// The bucket.
    pub bucket: String,
    /// The key, such as `perich_miller_2018/c_20131003_center_out_reaching.h5`.
    pub key: String,
    /// Length in bytes.
    pub size: u64,
    /// The validator of this version, with its quotes.
    pub etag: Option<String>,
}

/// Lists and downloads objects of public buckets.
#[derive(Debug, Clone)]
pub struct S3Client {
    endpoint: Option<String>,
    region: Option<String>,
    /// Regions of buckets that were asked for.
    regions: Arc<Mutex<HashMap<String, String>>>,
    downloader: Downloader,
}

impl S3Client {
    /// Amazon's S3; the region of a bucket is asked for when it is first used.
    pub fn new() -> S3Client {
        S3Client { endpoint: None, region: None, regions: Arc::default(), downloader: Downloader::new() }
    }

    /// As Amazon's tools: another server by `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL`, a region by `AWS_REGION` or
    /// `AWS_DEFAULT_REGION`. Keys in the environment are not used.
    pub fn from_env() -> S3Client {
        let first = |names: [&str; 2]| {
            names.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        };
        S3Client {
            endpoint: first(["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]),
            region: first(["AWS_REGION", "AWS_DEFAULT_REGION"]),
            ..S3Client::new()
        }
    }

    /// Another server that speaks S3, by its address; buckets are folders of it.
    pub fn with_endpoint(self, endpoint: impl Into<String>) -> S3Client {
        S3Client { endpoint: Some(endpoint.into()), ..self }
    }

    /// With the region of the buckets.
    pub fn with_region(self, region: impl Into<String>) -> S3Client {
        S3Client { region: Some(region.into()), ..self }
    }

    /// With another patience.
    pub fn with_downloader(self, downloader: Downloader) -> S3Client {
        S3Client { downloader, ..self }
    }

    /// The object at `address`, or those in the folder `address` whose key matches `glob` (all without one), in the
    /// order of their keys. In the pattern `*` stands for any text, `/` included.
    ///
    /// # Errors
    ///
    /// If the pattern is not one, the server cannot be asked or refuses, or there is no such object.
    pub fn list(&self, address: &S3Address, glob: Option<&str>) -> Result<Vec<S3Object>> {
        let pattern = glob.map(paths::pattern).transpose()?;
        let bucket = self.open(&address.bucket)?;
        let url = address.to_string();
        let prefix = bucket.key(&address.key)?;
        let mut found = Vec::new();
        if !address.key.is_empty() && !address.key.ends_with('/') {
            match bucket.runtime.block_on(bucket.store.head(&prefix)) {
                Ok(object) => found.push(object),
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(bucket.error(&url, error)),
            }
        }
        if found.is_empty() {
            let mut objects = bucket.store.list(Some(&prefix));
            while let Some(object) = bucket.runtime.block_on(objects.next()) {
                if found.len() >= MOST_ENTRIES {
                    let problem = format!("it lists more than {MOST_ENTRIES} objects: give a longer prefix");
                    return Err(FetchError::Index { url, problem });
                }
                found.push(object.map_err(|error| bucket.error(&url, error))?);
            }
        }
        // Consoles make empty objects for folders, whose names the store gives without the slash at their end.
        let folders: HashSet<String> = found
            .iter()
            .flat_map(|object| {
                object.location.as_ref().match_indices('/').map(|(end, _)| &object.location.as_ref()[..end])
            })
            .map(str::to_string)
            .collect();
        let mut objects: Vec<S3Object> = found
            .into_iter()
            .filter(|object| object.size > 0 || !folders.contains(object.location.as_ref()))
            .map(|object| S3Object {
                bucket: address.bucket.clone(),
                key: object.location.to_string(),
                size: object.size,
                etag: object.e_tag,
            })
            .filter(|object| pattern.as_ref().is_none_or(|pattern| pattern.matches(&object.key)))
            .collect();
        if objects.is_empty() {
            return Err(FetchError::Nothing {
                place: url,
                wanted: glob.map_or("object".to_string(), |glob| format!("object that matches {glob:?}")),
                cure: "give the key of an object, or a whole folder such as s3://bucket/folder".to_string(),
            });
        }
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(objects)
    }

    /// Downloads one object to `folder/<bucket>/<key>` and returns where it lies.
    ///
    /// `progress` is told the bytes so far and the length. A file that is there already is not fetched again.
    ///
    /// # Errors
    ///
    /// If the key would leave the folder, the object is no longer the one that was listed, or as for
    /// [`Downloader::download`].
    pub fn download(
        &self,
        object: &S3Object,
        folder: &Path,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<PathBuf> {
        let target = paths::inside(&paths::inside(folder, &object.bucket)?, &object.key)?;
        let bucket = self.open(&object.bucket)?;
        let url = format!("s3://{}/{}", object.bucket, object.key);
        let key = bucket.key(&object.key)?;
        let wanted = Record {
            url: url.clone(),
            etag: object.etag.clone(),
            size: Some(object.size),
            ..Record::default()
        };
        let source = ObjectSource { bucket: &bucket, key, url, etag: object.etag.clone() };
        let files = Files::new(&target)?;
        let http = &self.downloader.http;
        Transfer { http, source: &source, files, wanted, named_by_content: false }.run(progress)?;
        Ok(target)
    }

    /// A client for one bucket and one call.
    fn open(&self, name: &str) -> Result<Bucket> {
        let failed = |source| FetchError::Store { url: format!("s3://{name}"), source };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(|error| failed(error.into()))?;
        let last = LastAnswer::default();
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(name)
            .with_skip_signature(true)
            .with_client_options(ClientOptions::new().with_allow_http(true))
            // Attempts are counted in one place only, by the connector and by the transfer.
            .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
            .with_http_connector(Connector { http: self.downloader.http.clone(), last: last.clone() });
        if let Some(region) = self.region_of(name)? {
            builder = builder.with_region(region);
        }
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        let store = builder.build().map_err(|error| failed(error.into()))?;
        Ok(Bucket { name: name.to_string(), store, runtime: Arc::new(runtime), last })
    }

    fn region_of(&self, bucket: &str) -> Result<Option<String>> {
        if self.region.is_some() || self.endpoint.is_some() {
            return Ok(self.region.clone());
        }
        let known = |regions: &Mutex<HashMap<String, String>>| {
            regions.lock().unwrap_or_else(PoisonError::into_inner).get(bucket).cloned()
        };
        if let Some(region) = known(&self.regions) {
            return Ok(Some(region));
        }
        let Some(region) = ask_region(&self.downloader.http, REGION_OF, bucket)? else { return Ok(None) };
        let mut regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        regions.insert(bucket.to_string(), region.clone());
        Ok(Some(region))
    }
}

impl Default for S3Client {
    fn default() -> Self {
        S3Client::from_env()
    }
}

/// The region of a bucket: S3 tells it whatever else it answers.
fn ask_region(http: &Http, server: &str, bucket: &str) -> Result<Option<String>> {
    let url = format!("{server}/{bucket}");
    let request = Request::head(&url)
        .body(())
        .map_err(|error| FetchError::Unreachable { url: url.clone(), problem: error.to_string() })?;
    let answer = http.patiently_without_redirects(&request)?;
    let region = answer.headers().get("x-amz-bucket-region").and_then(|region| region.to_str().ok());
    let is_name = |name: &&str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    Ok(region.filter(is_name).map(str::to_string))
}

/// A bucket for the length of one call.
struct Bucket {
    name: String,
    store: AmazonS3,
    runtime: Arc<Runtime>,
    last: LastAnswer,
}

impl Bucket {
    fn key(&self, key: &str) -> Result<Key> {
        Key::parse(key).map_err(|_| FetchError::Name {
            text: format!("s3://{}/{key}", self.name),
            expected: "an object whose key is a plain path, without empty parts, such as s3://bucket/folder/file.h5",
        })
    }

    /// The error behind one of the store.
    fn error(&self, url: &str, error: object_store::Error) -> FetchError {
        if let Some(error) = self.last.take_error() {
            return error;
        }
        let url = url.to_string();
        match self.last.status() {
            Some(status @ (401 | 403)) => FetchError::Denied { url, status, cure: ACCESS.to_string() },
            Some(status @ 404) => FetchError::NotFound { url, status },
            Some(412) => FetchError::Changed { url },
            _ => FetchError::Store { url, source: Box::new(error) },
        }
    }
}

/// An object as the transfer sees it.
struct ObjectSource<'a> {
    bucket: &'a Bucket,
    key: Key,
    url: String,
    /// The version that was listed.
    etag: Option<String>,
}

impl Source for ObjectSource<'_> {
    fn url(&self) -> &str {
        &self.url
    }

    fn open(&self, from: u64, etag: Option<&str>) -> std::result::Result<Answer, Refusal> {
        let Bucket { store, runtime, last, .. } = self.bucket;
        let options = GetOptions {
            range: (from > 0).then_some(GetRange::Offset(from)),
            if_match: etag.map(str::to_string).or_else(|| self.etag.clone()),
            ..GetOptions::default()
        };
        let answer = runtime.block_on(store.get_opts(&self.key, options)).map_err(|error| {
            match last.status() {
                // A server that does not know ranges sends the whole object, which is read from its start.
                Some(200) if from > 0 => Refusal::RangeNotSatisfiable(None),
                Some(206) => Refusal::Doubtful(FetchError::Range {
                    url: self.url.clone(),
                    problem: format!("asked for bytes from {from} on: {error}"),
                }),
                Some(416) => Refusal::RangeNotSatisfiable(None),
                _ => Refusal::Fatal(self.bucket.error(&self.url, error)),
            }
        })?;
        Ok(Answer {
            from: answer.range.start,
            total: Some(answer.meta.size),
            etag: answer.meta.e_tag.clone(),
            has_end: true,
            body: Box::new(BlockingBody {
                runtime: runtime.clone(),
                stream: answer.into_stream(),
                block: Bytes::new(),
            }),
        })
    }
}

/// A stream of blocks as a reader.
struct BlockingBody {
    runtime: Arc<Runtime>,
    stream: BoxStream<'static, object_store::Result<Bytes>>,
    block: Bytes,
}

impl Read for BlockingBody {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.block.is_empty() {
            match self.runtime.block_on(self.stream.next()) {
                None => return Ok(0),
                Some(block) => self.block = block.map_err(std::io::Error::other)?,
            }
        }
        let count = self.block.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.block.split_to(count));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn a_bucket_tells_its_region_whatever_else_it_answers() {
        for (answer, region) in [
            ("HTTP/1.1 301 Moved Permanently\r\nx-amz-bucket-region: us-west-2\r\n\r\n", Some("us-west-2")),
            ("HTTP/1.1 403 Forbidden\r\nx-amz-bucket-region: eu-north-1\r\n\r\n", Some("eu-north-1")),
            ("HTTP/1.1 200 OK\r\n\r\n", None),
            ("HTTP/1.1 200 OK\r\nx-amz-bucket-region: a.evil/host\r\n\r\n", None),
        ] {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let server = format!("http://{}", listener.local_addr().unwrap());
            let serve = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 4096];
                let count = stream.read(&mut request).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
                String::from_utf8_lossy(&request[..count]).into_owned()
            });
            assert_eq!(ask_region(&Http::default(), &server, "brainsets").unwrap().as_deref(), region);
            assert!(serve.join().unwrap().starts_with("HEAD /brainsets HTTP/1.1"));
        }
    }
}
