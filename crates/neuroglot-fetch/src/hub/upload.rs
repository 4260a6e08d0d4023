//! Putting a model onto the hub: one commit, whose large files go to the store of git's large file storage first
//! (<https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md>).
//!
//! `hf-hub` uploads since its version 1, which brings tokio, reqwest and a store of chunks: as many crates again as this
//! whole project has.

use super::listing::{MODEL_CONFIG, escape};
use super::repository::{HubKind, HubRepository};
use super::{ACCESS, HubClient};
use crate::error::Refusal;
use crate::http::{bearer, check_status, header_text};
use crate::{FetchError, Result};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use neuroglot_files::FromIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use ureq::http::{Request, header};
use ureq::{Body, SendBody};
use url::Url;

/// So much of a file's beginning is shown to the hub, which says by it how the file is to be sent.
const SAMPLE: u64 = 512;

/// What a repository shows first.
const CARD: &str = "README.md";

const JSON: &str = "application/json";
const LFS: &str = "application/vnd.git-lfs+json";

/// How one becomes able to write.
const WRITE_ACCESS: &str = "use a token that may write (https://huggingface.co/settings/tokens) in HF_TOKEN, or run \
                            `hf auth login`, and check that the owner is you or an organisation of yours";

/// A file to put into a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HubUpload {
    /// A file of this machine.
    File {
        /// Path in the repository.
        path: String,
        /// Where it lies.
        file: PathBuf,
    },
    /// A text.
    Text {
        /// Path in the repository.
        path: String,
        /// What it says.
        text: String,
    },
}

impl HubUpload {
    /// The files of a model's repository: its card, its `config.json`, and its weights under their own names.
    pub fn model(card: String, config: String, weights: Vec<PathBuf>) -> Vec<HubUpload> {
        let text = |path: &str, text| HubUpload::Text { path: path.to_string(), text };
        let weights = weights.into_iter().map(|file| {
            let path = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            HubUpload::File { path, file }
        });
        [text(CARD, card), text(MODEL_CONFIG, config)].into_iter().chain(weights).collect()
    }

    /// Path in the repository.
    pub fn path(&self) -> &str {
        match self {
            HubUpload::File { path, .. } | HubUpload::Text { path, .. } => path,
        }
    }

    fn open(&self) -> Result<Content<'_>> {
        match self {
            HubUpload::Text { path, text } => {
                let (place, size) = (Path::new(path), text.len() as u64);
                Ok(Content { place, size, source: Source::Text(text) })
            }
            HubUpload::File { file, .. } => {
                let failed = FetchError::io("read", file);
                let opened = neuroglot_files::open(file)
                    .and_then(|open| Ok((open.metadata()?.len(), Source::File(open))));
                opened.map(|(size, source)| Content { place: file, size, source }).map_err(failed)
            }
        }
    }
}

/// What is in a file.
struct Content<'a> {
    /// The file, as errors name it.
    place: &'a Path,
    size: u64,
    source: Source<'a>,
}

enum Source<'a> {
    Text(&'a str),
    File(File),
}

impl Content<'_> {
    /// The bytes from `from` on, at most `length` of them.
    fn part(&self, from: u64, length: u64) -> Result<Box<dyn Read + '_>> {
        match &self.source {
            Source::Text(text) => {
                let mut cursor = Cursor::new(text.as_bytes());
                cursor.set_position(from);
                Ok(Box::new(cursor.take(length)))
            }
            Source::File(file) => {
                let mut file = file;
                file.seek(SeekFrom::Start(from)).map_err(FetchError::io("read", self.place))?;
                Ok(Box::new(file.take(length)))
            }
        }
    }

    /// The first bytes, in base 64.
    fn in_base_64(&self, length: u64) -> Result<String> {
        let mut bytes = Vec::new();
        self.part(0, length)?.read_to_end(&mut bytes).map_err(FetchError::io("read", self.place))?;
        Ok(BASE64_STANDARD.encode(bytes))
    }

    fn sha256(&self) -> Result<String> {
        neuroglot_files::sha256_of(self.part(0, self.size)?).map_err(FetchError::io("read", self.place))
    }
}

#[derive(Deserialize)]
struct UploadModes {
    files: Vec<UploadMode>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UploadMode {
    path: String,
    upload_mode: String,
}

#[derive(Deserialize)]
struct Batch {
    objects: Vec<BatchObject>,
}

#[derive(Deserialize)]
struct BatchObject {
    oid: String,
    actions: Option<Actions>,
    error: Option<BatchError>,
}

#[derive(Deserialize)]
struct BatchError {
    message: String,
}

#[derive(Deserialize)]
struct Actions {
    upload: Option<Action>,
    verify: Option<Action>,
}

#[derive(Deserialize)]
struct Action {
    href: String,
    #[serde(default)]
    header: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Committed {
    commit_oid: String,
}

/// A file that the store is to have before the commit names it.
struct LargeFile<'a> {
    content: Content<'a>,
    oid: String,
}

impl HubClient {
    /// Puts files into a repository, which is made where there is none, as one commit, and returns the commit.
    ///
    /// A README.md that is there already stays as it is: somebody may have written it. `progress` is told the bytes so far
    /// and of all.
    ///
    /// # Errors
    ///
    /// Without a token or a network, if the hub refuses, or if a file cannot be read. The repository is then as it was, but
    /// for having been made.
    pub fn upload(
        &self,
        repository: &HubRepository,
        files: &[HubUpload],
        message: &str,
        is_private: bool,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<String> {
        let writer = Writer { client: self, repository, token: self.writing_token(repository)? };
        let has_readme = writer.make(is_private)?;
        let files: Vec<&HubUpload> =
            files.iter().filter(|file| !(has_readme && file.path() == CARD)).collect();
        let contents = files.iter().map(|file| file.open()).collect::<Result<Vec<_>>>()?;
        let modes = writer.modes(&files, &contents)?;
        let total = contents.iter().map(|content| content.size).sum();
        let mut lines = vec![json!({"key": "header", "value": {"summary": message, "description": ""}})];
        let mut large = Vec::new();
        for (file, content) in files.iter().zip(contents) {
            let (path, size) = (file.path(), content.size);
            // The store takes no empty file.
            if size > 0 && modes.get(path).is_some_and(|mode| mode == "lfs") {
                let oid = content.sha256()?;
                lines.push(json!({"key": "lfsFile", "value": {"path": path, "algo": "sha256", "oid": oid, "size": size}}));
                large.push(LargeFile { content, oid });
            } else {
                let content = content.in_base_64(size)?;
                lines.push(
                    json!({"key": "file", "value": {"path": path, "content": content, "encoding": "base64"}}),
                );
            }
        }
        writer.store(&large, total, progress)?;
        let commit = writer.commit(&lines)?;
        progress(total, Some(total));
        Ok(commit)
    }

    fn writing_token(&self, repository: &HubRepository) -> Result<&str> {
        let url = self.address(&repository.name);
        if self.is_offline {
            return Err(FetchError::unreachable(&url, "HF_HUB_OFFLINE is set"));
        }
        let cure = WRITE_ACCESS.to_string();
        self.token.as_deref().ok_or(FetchError::Denied { url, status: 401, cure })
    }
}

/// Whoever writes into one repository.
struct Writer<'a> {
    client: &'a HubClient,
    repository: &'a HubRepository,
    token: &'a str,
}

impl Writer<'_> {
    /// Makes the repository unless there is one, and says whether that has a README.md.
    fn make(&self, is_private: bool) -> Result<bool> {
        match self.client.listing(self.repository) {
            Ok(listing) => return Ok(listing.holds(CARD)),
            // The hub does not tell those who may not know whether there is a repository.
            Err(FetchError::NotFound { .. } | FetchError::Denied { .. }) => {}
            Err(error) => return Err(error),
        }
        let (owner, name) = self.repository.words();
        let mut asked = json!({"organization": owner, "name": name, "private": is_private});
        if self.repository.kind == HubKind::DataSet {
            asked["type"] = json!("dataset");
        }
        let url = self.client.address("api/repos/create");
        match self.post::<Value>(&url, JSON, &asked.to_string()) {
            // Somebody was faster.
            Ok(_) | Err(FetchError::Status { status: 409, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether each file goes to the store (`lfs`) or into the commit (`regular`), by its path.
    fn modes(&self, files: &[&HubUpload], contents: &[Content<'_>]) -> Result<BTreeMap<String, String>> {
        let described = files.iter().zip(contents).map(|(file, content)| {
            let sample = content.in_base_64(SAMPLE)?;
            Ok(json!({"path": file.path(), "size": content.size, "sample": sample}))
        });
        let asked = json!({"files": described.collect::<Result<Vec<_>>>()?});
        let answer: UploadModes = self.post(&self.api("preupload"), JSON, &asked.to_string())?;
        Ok(answer.files.into_iter().map(|file| (file.path, file.upload_mode)).collect())
    }

    /// Brings large files to where the hub says.
    fn store(
        &self,
        large: &[LargeFile<'_>],
        total: u64,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<()> {
        if large.is_empty() {
            return Ok(());
        }
        let objects: Vec<Value> =
            large.iter().map(|file| json!({"oid": file.oid, "size": file.content.size})).collect();
        let asked = json!({
            "operation": "upload", "transfers": ["basic", "multipart"], "hash_algo": "sha256",
            "ref": {"name": self.repository.revision}, "objects": objects,
        });
        let url =
            self.client.address(&format!("{}.git/info/lfs/objects/batch", self.repository.repo().url()));
        let batch: Batch = self.post(&url, LFS, &asked.to_string())?;
        let mut before = 0;
        for file in large {
            let size = file.content.size;
            let found = batch.objects.iter().find(|object| object.oid == file.oid);
            let found =
                found.ok_or_else(|| FetchError::index(&url, format!("nothing is said of {}", file.oid)))?;
            if let Some(error) = &found.error {
                return Err(FetchError::index(&url, &error.message));
            }
            // Without actions the store has it already.
            if let Some(actions) = &found.actions {
                if let Some(action) = &actions.upload {
                    self.send(file, action, &mut |done| progress(before + done, Some(total)))?;
                }
                if let Some(verify) = &actions.verify {
                    let asked = json!({"oid": file.oid, "size": size}).to_string();
                    self.post::<Value>(&verify.href, LFS, &asked)?;
                }
            }
            before += size;
            progress(before, Some(total));
        }
        Ok(())
    }

    /// Sends one file, whole or in the parts that the store asks for.
    fn send(&self, file: &LargeFile<'_>, action: &Action, progress: &mut dyn FnMut(u64)) -> Result<()> {
        let size = file.content.size;
        let Some(chunk) = action.header.get("chunk_size") else {
            self.put(&action.href, &file.content, 0, size, progress)?;
            return Ok(());
        };
        let chunk = chunk.as_u64().or_else(|| chunk.as_str()?.parse().ok()).filter(|chunk| *chunk > 0);
        let chunk =
            chunk.ok_or_else(|| FetchError::index(&action.href, "chunk_size is no number of bytes"))?;
        let parts: BTreeMap<u64, &str> = action
            .header
            .iter()
            .filter_map(|(name, url)| Some((name.parse().ok()?, url.as_str()?)))
            .collect();
        if parts.len() as u64 != size.div_ceil(chunk) {
            let problem = format!("{} addresses for {size} bytes in parts of {chunk}", parts.len());
            return Err(FetchError::index(&action.href, problem));
        }
        let mut sent = Vec::new();
        for (place, url) in parts.into_values().enumerate() {
            let from = place as u64 * chunk;
            let length = chunk.min(size - from);
            let answer = self.put(url, &file.content, from, length, &mut |done| progress(from + done))?;
            let etag = answer.ok_or_else(|| FetchError::index(url, "the part was taken without an ETag"))?;
            sent.push(json!({"partNumber": place + 1, "etag": etag}));
        }
        self.post::<Value>(&action.href, LFS, &json!({"oid": file.oid, "parts": sent}).to_string())?;
        Ok(())
    }

    /// Puts bytes at an address of the store, and returns the `ETag` of the answer.
    fn put(
        &self,
        url: &str,
        content: &Content<'_>,
        from: u64,
        length: u64,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Option<String>> {
        let http = &self.client.downloader.http;
        http.repeat(url, || {
            let part = content.part(from, length).map_err(Refusal::Fatal)?;
            let mut counted = Counted { part, done: 0, progress: &mut *progress };
            let request = Request::put(url).header(header::CONTENT_LENGTH, length);
            let request =
                request.body(SendBody::from_reader(&mut counted)).map_err(|error| no_address(url, &error))?;
            let answer = http.direct(request)?;
            check_status(url, answer.status(), ACCESS).map_err(Refusal::Fatal)?;
            Ok(header_text(&answer, header::ETAG).map(str::to_string))
        })
    }

    fn commit(&self, lines: &[Value]) -> Result<String> {
        let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let answer: Committed = self.post(&self.api("commit"), "application/x-ndjson", &lines)?;
        Ok(answer.commit_oid)
    }

    /// The address of an operation on the revision.
    fn api(&self, operation: &str) -> String {
        let kind = match self.repository.kind {
            HubKind::DataSet => "datasets",
            HubKind::Model => "models",
        };
        let HubRepository { name, revision, .. } = self.repository;
        // A revision is one word of an address, whatever is in it.
        let revision = escape(revision).replace('/', "%2F");
        self.client.address(&format!("api/{kind}/{name}/{operation}/{revision}"))
    }

    /// Posts a text and reads the answer, which may be empty where nothing is wanted of it. The token goes to the hub alone.
    fn post<T: DeserializeOwned>(&self, url: &str, content_type: &str, text: &str) -> Result<T> {
        let origin = |url: &str| Url::parse(url).ok().map(|url| url.origin());
        let is_the_hub = origin(url).is_some_and(|found| Some(found) == origin(&self.client.endpoint));
        let token = is_the_hub.then_some(self.token);
        let http = &self.client.downloader.http;
        let answer = http.repeat(url, || {
            let mut request = Request::post(url).header(header::CONTENT_TYPE, content_type);
            if content_type == LFS {
                request = request.header(header::ACCEPT, LFS);
            }
            if let Some(value) = bearer(token, "Bearer") {
                request = request.header(header::AUTHORIZATION, value);
            }
            let request = request.body(text).map_err(|error| no_address(url, &error))?;
            let answer = http.direct(request)?;
            check_status(url, answer.status(), WRITE_ACCESS).map_err(Refusal::Fatal)?;
            short_text(answer.into_body())
        })?;
        let answer = if answer.is_empty() { "null".to_string() } else { answer };
        serde_json::from_str(&answer).map_err(|error| FetchError::index(url, error))
    }
}

/// Tells how far sending is.
struct Counted<'a> {
    part: Box<dyn Read + 'a>,
    done: u64,
    progress: &'a mut dyn FnMut(u64),
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.part.read(buffer)?;
        self.done += count as u64;
        (self.progress)(self.done);
        Ok(count)
    }
}

/// What an answer says, which is as long as the list of files that it answers to.
fn short_text(body: Body) -> std::result::Result<String, Refusal> {
    const LONGEST: u64 = 1 << 22;
    let read = body.into_with_config().limit(LONGEST).read_to_string();
    read.map_err(|error| Refusal::transient(format!("the answer was cut: {error}")))
}

fn no_address(url: &str, error: &ureq::http::Error) -> Refusal {
    Refusal::Fatal(FetchError::unreachable(url, error))
}
