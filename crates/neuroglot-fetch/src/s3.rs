//! Objects of public S3 buckets, unsigned.
//!
//! A list is a page of XML, an object an ordinary file: without signatures both are plain requests, which go through the
//! loop and the agent of all others (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>).

mod address;

pub use address::S3Address;

use crate::download::HttpSource;
use crate::http::{Http, NO_SERVICE, Pages, check_status, get, header_text};
use crate::record::{Files, Record};
use crate::transfer::Transfer;
use crate::{Downloader, FetchError, Result, paths};
use roxmltree::{Document, Node};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use ureq::http::{Method, Request, StatusCode, header};
use url::Url;

/// How one gets access to a bucket.
const ACCESS: &str = "only public buckets are read, without signature: check the name of the bucket, and fetch \
                      private ones with the tools of their owner";

/// Where any bucket says in which region it is.
const REGION_OF: &str = "https://s3.amazonaws.com";

/// The region of buckets that do not say theirs.
const USUAL_REGION: &str = "us-east-1";

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

/// Lists and downloads objects of public buckets: by default those of Amazon's S3, where the region of a bucket is asked for when
/// it is first used.
#[derive(Debug, Clone, Default)]
pub struct S3Client {
    endpoint: Option<String>,
    region: Option<String>,
    /// Regions of buckets that were asked for.
    regions: Arc<Mutex<HashMap<String, String>>>,
    downloader: Downloader,
}

impl S3Client {
    /// As Amazon's tools: another server by `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL`, a region by `AWS_REGION` or
    /// `AWS_DEFAULT_REGION`. Keys in the environment are not used.
    pub fn from_env() -> S3Client {
        let first = |names: [&str; 2]| {
            names.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        };
        S3Client {
            endpoint: first(["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]),
            region: first(["AWS_REGION", "AWS_DEFAULT_REGION"]),
            ..S3Client::default()
        }
    }

    /// Another server that speaks S3, by its address; buckets are folders of it.
    pub fn with_endpoint(self, endpoint: impl Into<String>) -> S3Client {
        S3Client { endpoint: Some(endpoint.into()), ..self }
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
        let folder = address.key.trim_matches('/');
        if !folder.is_empty() && folder.split('/').any(|part| ["", ".", ".."].contains(&part)) {
            return Err(FetchError::Name {
                text: address.to_string(),
                expected: "an object whose key is a plain path, without empty parts, such as s3://bucket/folder/file.h5",
            });
        }
        let is_object = !folder.is_empty() && !address.key.ends_with('/');
        let object = if is_object { self.object(address)? } else { None };
        let mut objects = object.map_or_else(|| self.folder(address, folder), |object| Ok(vec![object]))?;
        objects.retain(|object| pattern.as_ref().is_none_or(|pattern| pattern.matches(&object.key)));
        if objects.is_empty() {
            let cure = "give the key of an object, or a whole folder such as s3://bucket/folder";
            return Err(FetchError::nothing(address.to_string(), "object", glob, cure));
        }
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(objects)
    }

    /// The object with the key of the address, if there is one.
    fn object(&self, address: &S3Address) -> Result<Option<S3Object>> {
        let url = self.url(&address.bucket, &address.key)?;
        let answer = self.downloader.http.patiently(&head(url.as_str())?)?;
        match check(address, answer.status()) {
            Err(FetchError::NotFound { .. }) => return Ok(None),
            result => result?,
        }
        let size = header_text(&answer, header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
        let S3Address { bucket, key } = address.clone();
        let etag = header_text(&answer, header::ETAG).map(str::to_string);
        let size = size.ok_or_else(|| FetchError::no_length(url.as_str()))?;
        Ok(Some(S3Object { bucket, key, size, etag }))
    }

    /// All objects in a folder, page after page.
    fn folder(&self, address: &S3Address, folder: &str) -> Result<Vec<S3Object>> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let mut first = self.url(&address.bucket, "")?;
        first.query_pairs_mut().append_pair("list-type", "2").append_pair("prefix", &prefix);
        let (mut objects, mut pages) = (Vec::new(), Pages::default());
        let mut next = Some(first.clone());
        while let Some(page) = next {
            pages.check(&page, objects.len(), "give a longer prefix")?;
            let request = get(page.as_str(), None)?;
            let text = self.downloader.http.whole(&request, |status| check(address, status))?;
            let problem = |problem: &dyn ToString| FetchError::index(&page, problem.to_string());
            let text = String::from_utf8(text).map_err(|error| problem(&error))?;
            let document = Document::parse(&text).map_err(|error| problem(&error))?;
            let list = document.root_element();
            for entry in list.children().filter(|node| node.has_tag_name("Contents")) {
                let size = text_of(entry, "Size").and_then(|size| size.parse().ok());
                let (Some(key), Some(size)) = (text_of(entry, "Key"), size) else {
                    return Err(problem(&"an object has no key or no size"));
                };
                // Consoles make empty objects for folders.
                if size > 0 || !key.ends_with('/') {
                    let etag = text_of(entry, "ETag").map(str::to_string);
                    let (bucket, key) = (address.bucket.clone(), key.to_string());
                    objects.push(S3Object { bucket, key, size, etag });
                }
            }
            next = text_of(list, "NextContinuationToken").map(|token| {
                let mut page = first.clone();
                page.query_pairs_mut().append_pair("continuation-token", token);
                page
            });
        }
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
        let S3Object { bucket, key, size, etag } = object;
        let target = paths::inside(&paths::inside(folder, bucket)?, key)?;
        let url = self.url(bucket, key)?;
        let http = &self.downloader.http;
        let source = HttpSource { http, url: url.as_str(), authorization: None, access: ACCESS };
        let wanted = Record {
            url: format!("s3://{bucket}/{key}"),
            etag: etag.clone(),
            size: Some(*size),
            ..Record::default()
        };
        Transfer { source: &source, files: Files::new(&target)?, wanted, named_by_content: false }
            .run(progress)?;
        Ok(target)
    }

    /// Where an object lies, or its bucket without a key.
    fn url(&self, bucket: &str, key: &str) -> Result<Url> {
        let server = match &self.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => {
                let region = self.region_of(bucket)?;
                format!("https://s3.{}.amazonaws.com", region.as_deref().unwrap_or(USUAL_REGION))
            }
        };
        let mut url = Url::parse(&server).map_err(|error| FetchError::unreachable(&server, error))?;
        url.path_segments_mut()
            .map_err(|()| FetchError::unreachable(&server, NO_SERVICE))?
            .pop_if_empty()
            .push(bucket)
            .extend(key.split('/').filter(|part| !part.is_empty()));
        // To S3 a plus is a blank.
        url.set_path(&url.path().replace('+', "%2B"));
        Ok(url)
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

/// Refuses every status but success.
fn check(address: &S3Address, status: StatusCode) -> Result<()> {
    match check_status(&address.to_string(), status, ACCESS) {
        Err(FetchError::Status { url, status, .. }) => {
            let cure = "check AWS_ENDPOINT_URL and AWS_REGION if they are set";
            Err(FetchError::Status { url, status, cure })
        }
        result => result,
    }
}

/// The text of an element inside another.
fn text_of<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    node.children().find(|child| child.has_tag_name(name))?.text()
}

/// A request for what is said of a file, without the file.
fn head(url: &str) -> Result<Request<()>> {
    let mut request = get(url, None)?;
    *request.method_mut() = Method::HEAD;
    Ok(request)
}

/// The region of a bucket: S3 tells it whatever else it answers.
fn ask_region(http: &Http, server: &str, bucket: &str) -> Result<Option<String>> {
    let answer = http.patiently_without_redirects(&head(&format!("{server}/{bucket}"))?)?;
    let region = answer.headers().get("x-amz-bucket-region").and_then(|region| region.to_str().ok());
    let is_name = |name: &&str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    Ok(region.filter(is_name).map(str::to_string))
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
