//! A crawl: a list of work that grows while it is worked on. Threads fetch pages, because that is
//! waiting; processes look for links in them, because that is work on what strangers have written.
//!
//! `then` leads from one pool to the other. A `CompletionQueue` gives back what is done, and takes
//! the pages that it has led to; where the queue is empty, the crawl is over. The site is on this
//! machine. Its pages link to each other in circles, and one link is dead.
//!
//! ```text
//! cargo run --release --example crawl
//! ```

#[path = "common/site.rs"]
mod site;

use anyhow::ensure;
use concurrent_futures::{CompletionQueue, Future, ProcessPoolExecutor, ThreadPoolExecutor};
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const PAGES: usize = 20;

/// A page of the site: 0 leads to 1, that to 2 and 3, those to 4, 5, 6 and 7, and so on; the last
/// ones lead back, and every page leads to page 0. There is no page 20.
fn page(path: &str) -> Option<String> {
    thread::sleep(Duration::from_millis(20)); // It comes from afar.
    let n: usize = path.strip_prefix("/page/")?.parse().ok().filter(|n| *n < PAGES)?;
    let (left, right) = (2 * n % (PAGES + 1), (2 * n + 1) % PAGES);
    Some(format!(
        r#"<h1>{n}</h1> Go <a href="/page/0">home</a>, <a href="/page/{left}">left</a> or
        <a href="/page/{right}">right</a>."#
    ))
}

fn fetch(url: String) -> anyhow::Result<String> {
    let answer = minreq::get(url).send()?;
    ensure!(answer.status_code == 200, "{} {}", answer.status_code, answer.reason_phrase);
    Ok(answer.as_str()?.to_owned())
}

/// The paths that a page links to.
fn links(html: String) -> Vec<String> {
    let after = html.split(r#"<a href=""#).skip(1);
    after.filter_map(|it| it.split_once('"')).map(|(path, _)| path.to_owned()).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let served = Arc::new(Mutex::new(BTreeMap::<String, u32>::new()));
    let counts = Arc::clone(&served);
    let server = site::serve(move |path| {
        *counts.lock().unwrap().entry(path.to_owned()).or_default() += 1;
        page(path)
    })?;

    let threads = ThreadPoolExecutor::new(8)?;
    let processes = ProcessPoolExecutor::new(2)?;
    let links_of = |path: &str| -> Future<Vec<String>> {
        let html = threads.submit(fetch, format!("{server}{path}")).flatten();
        processes.then(html, links)
    };

    let begun = Instant::now();
    let home = "/page/0".to_owned();
    let mut known = BTreeSet::from([home.clone()]);
    let mut queue = CompletionQueue::from_iter([(home.clone(), links_of(&home))]);
    let mut dead = Vec::new();
    while let Some((path, future)) = queue.pop() {
        let found = match future.result() {
            Ok(links) => links,
            Err(error) => {
                println!("{path:9} {error}");
                dead.push(path);
                continue;
            }
        };
        let new: Vec<_> = found.into_iter().filter(|link| known.insert(link.clone())).collect();
        queue.extend(new.iter().map(|link| (link.clone(), links_of(link))));
        let leads_to = if new.is_empty() { "nothing new".to_owned() } else { new.join(" and ") };
        println!("{path:9} leads to {leads_to}, {} on the way", queue.len());
    }

    let served = served.lock().unwrap();
    println!(
        "\n{} requests in {} ms: {} pages, each fetched once, and a dead link",
        served.len(),
        begun.elapsed().as_millis(),
        known.len() - dead.len(),
    );
    assert!(served.values().all(|times| *times == 1), "{served:?}");
    assert_eq!((served.len(), dead), (PAGES + 1, vec!["/page/20".to_owned()]));
    Ok(())
}
