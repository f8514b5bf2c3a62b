//! Ten downloads at once: work that waits gains from threads, however few processors there are.
//!
//! Python keeps a dictionary from future to address, `future_to_url`. Here the futures travel as
//! pairs `(url, future)`, and `as_completed` gives the pairs back. One of the pages is missing: its
//! future fails, the others don't mind.
//!
//! The pages come from a slow server on this machine that is part of the program.
//!
//! ```text
//! cargo run --release --example downloads
//! ```

use concurrent_futures::{ThreadPoolExecutor, as_completed};
use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

const PAGES: usize = 10;
const MISSING: usize = 7;

/// Downloads a page. Plain blocking code, which knows nothing of futures.
fn download(url: String) -> Result<String, Box<dyn Error + Send + Sync>> {
    let address = url.strip_prefix("http://").ok_or("only http addresses are known here")?;
    let (host, path) = address.split_once('/').ok_or("the address has no path")?;
    let mut connection = TcpStream::connect(host)?;
    write!(connection, "GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    let (head, page) = answer.split_once("\r\n\r\n").ok_or("the answer has no body")?;
    let status = head.lines().next().and_then(|line| line.split_once(' ')).map(|it| it.1);
    match status {
        Some(status) if status.starts_with("200") => Ok(page.to_owned()),
        status => Err(format!("the server said {}", status.unwrap_or("nothing")).into()),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let server = start_server()?;
    let urls: Vec<_> = (0..PAGES).map(|page| format!("http://{server}/page/{page}")).collect();

    println!("{PAGES} downloads, one after the other:");
    let begun = Instant::now();
    for url in &urls {
        match download(url.clone()) {
            Ok(page) => println!("  {url}  {:4} bytes", page.len()),
            Err(error) => println!("  {url}  failed: {error}"),
        }
    }
    let alone = begun.elapsed();
    println!("  {alone:.1?}");

    println!("\n{PAGES} downloads at once, in the order in which they are there:");
    let begun = Instant::now();
    let executor = ThreadPoolExecutor::new(PAGES)?;
    let futures: Vec<_> =
        urls.iter().map(|url| (url, executor.submit(download, url.clone()).flatten())).collect();
    for (url, future) in as_completed(futures) {
        match future.result() {
            Ok(page) => println!("  {url}  {:4} bytes", page.len()),
            Err(error) => println!("  {url}  {error}"),
        }
    }
    let together = begun.elapsed();
    println!("  {together:.0?}");

    println!("\n{:.1} times as fast", alone.as_secs_f64() / together.as_secs_f64());
    Ok(())
}

/// A server for as long as the program runs. Every page is a sleep away, as if it came from afar.
fn start_server() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for connection in listener.incoming() {
            thread::spawn(move || connection.and_then(answer));
        }
    });
    Ok(address)
}

fn answer(mut connection: TcpStream) -> io::Result<()> {
    let mut request = BufReader::new(connection.try_clone()?).lines();
    let first = request.next().transpose()?.unwrap_or_default();
    for line in request {
        if line?.is_empty() {
            break;
        }
    }
    let page = first.split(['/', ' ']).filter_map(|part| part.parse::<usize>().ok()).next();
    let page = page.unwrap_or(MISSING);
    thread::sleep(Duration::from_millis(100 + 37 * (page as u64 * 7 % 5)));
    if page == MISSING {
        write!(connection, "HTTP/1.0 404 Not Found\r\n\r\nno such page")
    } else {
        let text = "All work and no play. ".repeat(10 + 7 * page);
        write!(connection, "HTTP/1.0 200 OK\r\n\r\n{text}")
    }
}
