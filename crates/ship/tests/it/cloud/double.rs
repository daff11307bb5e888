//! Stands in front of an emulator and adds what it does not know of: locks of single objects, and versions where it has none.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;

/// A request as it came.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// What the emulator answered.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    pub status: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// Decides whether a request is answered, and edits the answer.
pub trait Adds: Send + Sync + 'static {
    fn is_open(&self) -> bool;
    fn edit(&self, request: &Request, reply: &mut Reply);
}

/// Starts a double in front of a port; its endpoint. It runs until the tests end.
pub fn start(port: u16, adds: Arc<impl Adds>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let adds = adds.clone();
            std::thread::spawn(move || serve(client, port, adds.as_ref()));
        }
    });
    endpoint
}

/// Answers one request and closes.
fn serve(mut client: TcpStream, port: u16, adds: &impl Adds) -> Option<()> {
    let (first, headers) = head(&mut client)?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let length = header(&headers, "content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut request = Request { method, target, headers, body: vec![0; length] };
    client.read_exact(&mut request.body).ok()?;
    if !adds.is_open() {
        return client.shutdown(Shutdown::Both).ok();
    }
    let mut reply = ask(port, &first, &request)?;
    adds.edit(&request, &mut reply);
    let mut answer = format!("HTTP/1.1 {}\r\n", reply.status);
    for (name, value) in &reply.headers {
        answer.push_str(&format!("{name}: {value}\r\n"));
    }
    answer.push_str("connection: close\r\n\r\n");
    client.write_all(answer.as_bytes()).ok()?;
    client.write_all(&reply.body).ok()
}

/// The first line and the headers.
fn head(stream: &mut TcpStream) -> Option<(String, Vec<(String, String)>)> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let text = String::from_utf8(head).ok()?;
    let mut lines = text.lines();
    let first = lines.next()?.to_owned();
    let headers = lines.filter_map(|line| line.split_once(':'));
    Some((first, headers.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect()))
}

fn ask(port: u16, first: &str, request: &Request) -> Option<Reply> {
    let mut server = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let mut text = format!("{first}\r\n");
    for (name, value) in request.headers.iter().filter(|(name, _)| name != "connection") {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("connection: close\r\n\r\n");
    server.write_all(text.as_bytes()).ok()?;
    server.write_all(&request.body).ok()?;
    let (status, mut headers) = head(&mut server)?;
    let mut body = Vec::new();
    server.read_to_end(&mut body).ok()?;
    if header(&headers, "transfer-encoding") == Some("chunked") {
        body = joined(&body)?;
    }
    let length = header(&headers, "content-length").map(str::to_owned).filter(|_| request.method == "HEAD");
    let length = length.unwrap_or(body.len().to_string());
    headers.retain(|(name, _)| {
        !matches!(name.as_str(), "transfer-encoding" | "content-length" | "connection" | "keep-alive")
    });
    headers.push(("content-length".to_owned(), length));
    Some(Reply { status: status.split_once(' ')?.1.to_owned(), headers, body })
}

impl Reply {
    /// Puts another body in the place of this one.
    pub fn replace(&mut self, body: String) {
        self.headers.retain(|(name, _)| name != "content-length");
        self.headers.push(("content-length".to_owned(), body.len().to_string()));
        self.body = body.into_bytes();
    }
}

/// A body that came in chunks.
fn joined(mut chunked: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = chunked.windows(2).position(|pair| pair == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&chunked[..end]).ok()?, 16).ok()?;
        if length == 0 {
            return Some(body);
        }
        chunked = &chunked[end + 2..];
        body.extend_from_slice(&chunked[..length]);
        chunked = &chunked[length + 2..];
    }
}
