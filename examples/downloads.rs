//! Ten downloads at once, into files: work that waits gains from threads, however few processors
//! there are. Then ten more, of which one fails and one is too slow; the others do not mind.
//!
//! Python keeps a dictionary from future to address, `future_to_url`. Here the futures travel as
//! pairs `(url, future)`, and `as_completed` gives the pairs back. The pages come from a server on
//! this machine that takes a fifth of a second for each, as if they came from afar.
//!
//! ```text
//! cargo run --release --example downloads
//! ```

#[path = "common/site.rs"]
mod site;

use anyhow::ensure;
use concurrent_futures::{TaskError, TaskOptions, ThreadPoolExecutor, as_completed};
use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// What the server has, and how long it takes.
fn page(path: &str) -> Option<String> {
    thread::sleep(Duration::from_millis(if path == "/page/slow" { 5_000 } else { 200 }));
    (path != "/page/missing").then(|| format!("This is {path}. ").repeat(100))
}

/// Downloads an address into a file of this folder, and gives the file's size. Plain blocking code,
/// which knows nothing of futures.
fn download(url: &str, folder: &Path) -> anyhow::Result<usize> {
    let answer = minreq::get(url).with_timeout(2).send()?;
    let status = answer.status_code;
    ensure!(status == 200, "the server said {status} {}", answer.reason_phrase);
    let name = url.rsplit('/').next().unwrap_or(url);
    fs::write(folder.join(name), answer.as_bytes())?;
    Ok(answer.as_bytes().len())
}

type Downloads = BTreeMap<String, Result<usize, TaskError>>;

fn ten_at_once(urls: Vec<String>, folder: PathBuf) -> Result<Downloads, Box<dyn Error>> {
    let executor = ThreadPoolExecutor::new(10)?;
    let hurried = executor.with(TaskOptions::new().timeout(Duration::from_secs(1)));
    let futures = urls.into_iter().map(|url| {
        let (address, folder) = (url.clone(), folder.clone());
        (url, hurried.spawn(move || download(&address, &folder)).flatten())
    });

    let begun = Instant::now();
    let mut downloads = Downloads::new();
    for (url, future) in as_completed(futures) {
        let result = future.result();
        let ms = begun.elapsed().as_millis();
        match &result {
            Ok(bytes) => println!("  {ms:4} ms  {url}: {bytes} bytes"),
            Err(error) => println!("  {ms:4} ms  {url}: {error}"),
        }
        downloads.insert(url, result);
    }
    Ok(downloads)
}

fn main() -> Result<(), Box<dyn Error>> {
    let server = site::serve(page)?;
    let folder = tempfile::tempdir()?;
    let urls: Vec<_> = (0..10).map(|n| format!("{server}/page/{n}")).collect();

    let begun = Instant::now();
    for url in &urls {
        download(url, folder.path())?;
    }
    let alone = begun.elapsed();
    println!("10 downloads, one after the other: {} ms", alone.as_millis());

    println!("\n10 downloads at once, in the order in which they are there:");
    let begun = Instant::now();
    let downloads = ten_at_once(urls, folder.path().to_owned())?;
    let speed_up = alone.as_secs_f64() / begun.elapsed().as_secs_f64();
    println!("  {speed_up:.1} times as fast, and {} files", fs::read_dir(folder.path())?.count());
    for n in 0..10 {
        let file = fs::read_to_string(folder.path().join(n.to_string()))?;
        assert_eq!(file, format!("This is /page/{n}. ").repeat(100));
    }
    assert!(downloads.values().all(Result::is_ok));

    println!(
        "\nThe same with a page that is missing, and one that would take five seconds;\neach has one second:"
    );
    let names = ["slow", "missing", "0", "1", "2", "3", "4", "5", "6", "7"];
    let urls = names.map(|name| format!("{server}/page/{name}"));
    let downloads = ten_at_once(urls.to_vec(), folder.path().to_owned())?;
    assert_eq!(downloads.values().filter(|it| it.is_ok()).count(), 8);
    let error = |url: &str| downloads[url].as_ref().unwrap_err();
    assert!(error(&urls[0]).is_timed_out());
    assert!(error(&urls[1]).to_string().ends_with("the server said 404 Not Found"));
    Ok(())
}
