//! A small web site on this machine, for the examples that download something.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

/// Serves what `page` gives for a path (`/page/7`) until the program ends; nothing is a 404. Each
/// request has a thread of its own, so `page` may be slow. Gives the site's address.
pub(crate) fn serve(
    page: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
) -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = format!("http://{}", listener.local_addr()?);
    let page = Arc::new(page);
    thread::spawn(move || {
        for connection in listener.incoming() {
            let page = Arc::clone(&page);
            thread::spawn(move || answer(connection?, &*page));
        }
    });
    Ok(address)
}

fn answer(mut connection: TcpStream, page: &dyn Fn(&str) -> Option<String>) -> io::Result<()> {
    let request: Result<Vec<String>, _> = BufReader::new(&connection)
        .lines()
        .take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty()))
        .collect();
    let request = request?;
    // The first line is `GET /page/7 HTTP/1.1`.
    let path = request.first().and_then(|line| line.split(' ').nth(1)).unwrap_or("/");
    let (status, body) = match page(path) {
        Some(body) => ("200 OK", body),
        None => ("404 Not Found", "no such page".to_owned()),
    };
    let length = body.len();
    write!(
        connection,
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}
