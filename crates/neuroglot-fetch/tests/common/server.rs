//! The server: files with ranges, answers of an API, and faults one after the other.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What goes wrong with one request for a file.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Nothing.
    Serve,
    /// The connection ends after so many bytes of the body.
    Cut(usize),
    /// After so many bytes of the body nothing comes any more, until the client goes.
    Stall(usize),
    /// Another status, with a `Retry-After` if given.
    Status(u16, Option<&'static str>),
    /// `Content-Length` says so many bytes more than there are.
    TooLong(usize),
    /// `Content-Length` says so many bytes less than are sent.
    TooShort(usize),
    /// The whole file, whatever was asked for.
    IgnoreRange,
    /// Another part than was asked for.
    WrongRange,
    /// From now on the file is another one, with another `ETag`.
    Replace(Vec<u8>),
    /// The same, and the server does not look at the conditions of the request.
    SlipIn(Vec<u8>),
}

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub query: String,
    /// Names in lower case.
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// First byte that was asked for.
    fn from(&self) -> Option<usize> {
        self.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

/// An answer of the API: status, further headers, body.
pub type Answer = (u16, Vec<(&'static str, String)>, Vec<u8>);

type Routes = dyn Fn(&Seen) -> Option<Answer> + Send + Sync;

#[derive(Default)]
struct State {
    files: HashMap<String, (Vec<u8>, String)>,
    faults: HashMap<String, VecDeque<Fault>>,
    seen: Vec<Seen>,
    routes: Option<Arc<Routes>>,
    is_stopped: bool,
}

/// A server on a free port.
pub struct Server {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.lock().unwrap().is_stopped {
                    return;
                }
                let shared = shared.clone();
                // A client that goes in the middle is part of the tests.
                std::thread::spawn(move || stream.and_then(|stream| serve(stream, &shared)));
            }
        });
        Server { address, state }
    }

    /// The address of a path, by the number of the host.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The address of a path, by the name of the host: another host to a client.
    pub fn other_url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.address.port())
    }

    pub fn put(&self, path: &str, content: &[u8]) {
        let etag =
            format!("\"{:x}\"", content.iter().fold(7u64, |sum, byte| sum.wrapping_mul(31) + *byte as u64));
        self.state.lock().unwrap().files.insert(path.to_string(), (content.to_vec(), etag));
    }

    /// A file without a validator, or with this one.
    pub fn put_as(&self, path: &str, content: &[u8], etag: &str) {
        self.state.lock().unwrap().files.insert(path.to_string(), (content.to_vec(), etag.to_string()));
    }

    pub fn etag(&self, path: &str) -> String {
        self.state.lock().unwrap().files[path].1.clone()
    }

    /// What is asked of paths that are no files.
    pub fn route(&self, routes: impl Fn(&Seen) -> Option<Answer> + Send + Sync + 'static) {
        self.state.lock().unwrap().routes = Some(Arc::new(routes));
    }

    /// Faults of the next requests for `path`.
    pub fn faults(&self, path: &str, faults: impl IntoIterator<Item = Fault>) {
        self.state.lock().unwrap().faults.entry(path.to_string()).or_default().extend(faults);
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }

    pub fn forget(&self) {
        let mut state = self.state.lock().unwrap();
        state.seen.clear();
        state.faults.clear();
    }

    /// First bytes that were asked for of `path`, 0 for the whole file, in the order of the requests.
    pub fn starts(&self, path: &str) -> Vec<usize> {
        let is_body = |seen: &&Seen| seen.path == path && seen.method == "GET";
        self.seen().iter().filter(is_body).map(|seen| seen.from().unwrap_or(0)).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.lock().unwrap().is_stopped = true;
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let Some(seen) = read_request(&mut reader)? else { return Ok(()) };
    let (file, fault, routes) = {
        let mut state = state.lock().unwrap();
        state.seen.push(seen.clone());
        let is_body = seen.method == "GET" && state.files.contains_key(&seen.path);
        let fault = if is_body {
            state.faults.get_mut(&seen.path).and_then(VecDeque::pop_front).unwrap_or(Fault::Serve)
        } else {
            Fault::Serve
        };
        if let Fault::Replace(content) | Fault::SlipIn(content) = &fault {
            state.files.insert(seen.path.clone(), (content.clone(), "\"another\"".to_string()));
        }
        (state.files.get(&seen.path).cloned(), fault, state.routes.clone())
    };
    match (file, routes.and_then(|routes| routes(&seen))) {
        (Some((content, etag)), _) => send_file(stream, &mut reader, &seen, &content, &etag, fault),
        (None, Some((status, headers, body))) => send(stream, &seen, status, &headers, body.len(), &body),
        (None, None) => send(stream, &seen, 404, &[], 0, b""),
    }
}

fn read_request(reader: &mut impl BufRead) -> std::io::Result<Option<Seen>> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_string());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(Seen { method: method.into(), path: path.into(), query: query.into(), headers, body }))
}

fn send(
    mut stream: TcpStream,
    seen: &Seen,
    status: u16,
    headers: &[(&'static str, String)],
    said: usize,
    body: &[u8],
) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {status} Said\r\nContent-Length: {said}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    if seen.method != "HEAD" {
        stream.write_all(body)?;
    }
    stream.shutdown(Shutdown::Write)
}

fn send_file(
    stream: TcpStream,
    reader: &mut impl Read,
    seen: &Seen,
    content: &[u8],
    etag: &str,
    fault: Fault,
) -> std::io::Result<()> {
    let mut headers = vec![
        ("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT".to_string()),
        ("Accept-Ranges", "bytes".to_string()),
    ];
    if !etag.is_empty() {
        headers.push(("ETag", etag.to_string()));
    }
    if let Fault::Status(status, wait) = fault {
        let wait: Vec<_> = wait.map(|wait| ("Retry-After", wait.to_string())).into_iter().collect();
        return send(stream, seen, status, &wait, 0, b"");
    }
    let is_blind = matches!(fault, Fault::SlipIn(_));
    if seen.header("if-match").is_some_and(|wanted| wanted != etag && !is_blind) {
        return send(stream, seen, 412, &[], 0, b"");
    }
    let is_other = seen.header("if-range").is_some_and(|wanted| wanted != etag && !is_blind);
    let from = seen.from().filter(|_| !is_other && !matches!(fault, Fault::IgnoreRange));
    let length = content.len();
    let (status, body) = match from {
        Some(from) if from >= length => {
            return send(stream, seen, 416, &[("Content-Range", format!("bytes */{length}"))], 0, b"");
        }
        Some(from) => {
            let said = if matches!(fault, Fault::WrongRange) { from - 1 } else { from };
            headers.push(("Content-Range", format!("bytes {said}-{}/{length}", length - 1)));
            (206, &content[said..])
        }
        None => (200, content),
    };
    match fault {
        Fault::Cut(count) => send(stream, seen, status, &headers, body.len(), &body[..count]),
        Fault::Stall(count) => {
            let open = stream.try_clone()?;
            let mut head = format!("HTTP/1.1 {status} Said\r\nContent-Length: {}\r\n", body.len());
            for (name, value) in &headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            let mut stream = stream;
            stream.write_all(format!("{head}\r\n").as_bytes())?;
            stream.write_all(&body[..count])?;
            let _ = reader.read(&mut [0]);
            drop(open);
            Ok(())
        }
        Fault::TooLong(more) => send(stream, seen, status, &headers, body.len() + more, body),
        Fault::TooShort(less) => send(stream, seen, status, &headers, body.len() - less, body),
        _ => send(stream, seen, status, &headers, body.len(), body),
    }
}
