//! A proxy in front of the server that loses, delays and refuses requests.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is answered.
    Pass,
    /// The connection is cut in the middle of the request.
    CutRequest,
    /// The server has it; the connection is cut before the answer.
    CutAnswer,
    /// The answer is only a status, from in front of the server.
    Status(u16),
    /// It is answered late.
    Late(Duration),
    /// The connection stays open and nothing is said.
    Silent,
    /// The last byte of the answer is another one.
    Changed,
    /// The answer is the one that the same request got when it last passed.
    Stale,
}

/// Decides about a request by its first line.
type Decide = dyn Fn(&str) -> Fate + Send + Sync;

/// The last answer to each request.
type Answers = Mutex<HashMap<String, Vec<u8>>>;

/// Starts a proxy in front of a port; its endpoint. It runs until the tests end.
pub fn start(port: u16, decide: impl Fn(&str) -> Fate + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let decide: Arc<Decide> = Arc::new(decide);
    let answers = Arc::new(Answers::default());
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (decide, answers) = (decide.clone(), answers.clone());
            std::thread::spawn(move || serve(client, port, decide.as_ref(), &answers));
        }
    });
    endpoint
}

/// Answers one request and closes.
fn serve(mut client: TcpStream, port: u16, decide: &Decide, answers: &Answers) -> Option<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    let request = text.lines().next().unwrap_or_default();
    let fate = decide(request);
    if fate == Fate::CutRequest {
        let half = body.len() / 2;
        client.read_exact(&mut body[..half]).ok()?;
        return client.shutdown(Shutdown::Both).ok();
    }
    client.read_exact(&mut body).ok()?;
    match fate {
        Fate::Status(status) => {
            let answer = format!("HTTP/1.1 {status} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            return client.write_all(answer.as_bytes()).ok();
        }
        Fate::Late(time) => std::thread::sleep(time),
        Fate::Silent => std::thread::sleep(Duration::from_secs(3600)),
        Fate::Stale => {
            let known = answers.lock().expect("no panic while held").get(request).cloned();
            if let Some(answer) = known {
                return client.write_all(&answer).ok();
            }
        }
        _ => {}
    }
    let mut server = TcpStream::connect(("127.0.0.1", port)).ok()?;
    head.truncate(head.len() - 2);
    head.extend_from_slice(b"connection: close\r\n\r\n");
    server.write_all(&head).ok()?;
    server.write_all(&body).ok()?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).ok()?;
    if fate == Fate::Changed {
        *answer.last_mut()? ^= 1;
    }
    if fate == Fate::CutAnswer {
        return client.shutdown(Shutdown::Both).ok();
    }
    answers.lock().expect("no panic while held").insert(request.to_owned(), answer.clone());
    client.write_all(&answer).ok()
}

/// Before a store that refuses each request twice, once by each way of telling a client to slow down.
pub fn slowing_down(port: u16) -> String {
    let seen: Mutex<HashMap<String, u32>> = Mutex::default();
    start(port, move |request| {
        let mut seen = seen.lock().unwrap();
        let tries = seen.entry(request.to_owned()).or_default();
        *tries += 1;
        match *tries % 3 {
            1 => Fate::Status(503),
            2 => Fate::Status(429),
            _ => Fate::Pass,
        }
    })
}
