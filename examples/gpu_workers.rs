//! A worker for each graphics processor: a variable in its environment tells each which one is its
//! own, as the libraries for such devices expect.
//!
//! A library that finds `CUDA_VISIBLE_DEVICES=1` knows of no other device, so the code in the worker
//! need not choose. Each worker opens its device once. If it is lost, the next worker with the same
//! number gets the same device. Without any device, the program plays with two.
//!
//! ```text
//! cargo run --release --example gpu_workers
//! ```

use concurrent_futures::{ProcessPoolExecutor, as_completed, worker_index};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::thread;
use std::time::Duration;

const VARIABLE: &str = "CUDA_VISIBLE_DEVICES";
const BATCHES: usize = 16;

/// What a worker opens once: a model that lies in the memory of its device, say.
struct Model {
    device: String,
}

impl Model {
    fn load(_: ()) -> Result<Self, std::env::VarError> {
        thread::sleep(Duration::from_millis(20)); // Stands in for a transfer of gigabytes.
        Ok(Model { device: std::env::var(VARIABLE)? })
    }

    fn run(&mut self, batch: usize) -> Report {
        if batch == 5 {
            std::process::abort(); // As a fault in a driver may.
        }
        thread::sleep(Duration::from_millis(20)); // Stands in for the computation.
        let (worker, process) = (worker_index().unwrap_or_default(), std::process::id());
        Report { worker, process, device: self.device.clone() }
    }
}

/// Who did it.
#[derive(Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct Report {
    worker: usize,
    process: u32,
    device: String,
}

/// The devices that this program may use, or two to play with.
fn devices() -> (&'static str, Vec<String>) {
    if let Ok(allowed) = std::env::var(VARIABLE) {
        let allowed = allowed.split(',').map(|it| it.trim().to_owned());
        return ("allowed by the environment", allowed.collect());
    }
    let exists = |n: &usize| Path::new(&format!("/dev/nvidia{n}")).exists();
    let found: Vec<_> = (0..).take_while(exists).map(|n| n.to_string()).collect();
    match found.len() {
        0 => ("to play with", vec!["0".to_owned(), "1".to_owned()]),
        _ => ("found", found),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (which, devices) = devices();
    println!("{} devices {which}, {BATCHES} batches:", devices.len());
    let device_of = devices.clone();
    let executor = ProcessPoolExecutor::builder()
        .max_workers(devices.len())
        .env_of_worker(move |index| [(VARIABLE, device_of[index].clone())])
        .try_initializer(Model::load, ())
        .build()?;

    let futures = (0..BATCHES).map(|batch| (batch, executor.submit_with_state(Model::run, batch)));
    let mut batches_of = BTreeMap::<Report, Vec<usize>>::new();
    let mut lost = Vec::new();
    for (batch, future) in as_completed(futures) {
        match future.result() {
            Ok(report) => batches_of.entry(report).or_default().push(batch),
            Err(error) => {
                println!("  batch {batch}: {error}");
                lost.push(batch);
            }
        }
    }

    println!("\n  worker  process  device  batches");
    for (Report { worker, process, device }, batches) in &batches_of {
        println!("  {worker:>6}  {process:>7}  {device:>6}  {batches:?}");
        assert_eq!(*device, devices[*worker], "each worker has the device of its number");
    }
    assert_eq!(batches_of.values().map(Vec::len).sum::<usize>(), BATCHES - 1);
    assert_eq!(lost, [5]);
    Ok(())
}
