//! What each task of a pool of processes wrote, and what it needed, is found in its future: also if a C
//! library, or a program that it started, wrote it, and if the task crashed.
//!
//! ```text
//! cargo run --release --example captured_output
//! ```

use concurrent_futures::{Future, ProcessPoolExecutor, TaskOptions};
use std::error::Error;
use std::process::Command;
use std::time::Duration;

/// A conversion of an image, say, by code that likes to talk.
fn convert(name: String) -> usize {
    println!("reading {name}");
    match &*name {
        "broken.png" => {
            eprintln!("unexpected end of file at byte 4711");
            std::process::abort();
        }
        "endless.png" => {
            eprintln!("row 1 of 4294967295");
            loop {
                std::thread::park();
            }
        }
        "loud.png" => println!("{}", "row\n".repeat(1_000_000)),
        "large.png" => {
            return std::hint::black_box(vec![0xff_u8; 64 << 20]).len();
        }
        _ => {
            let status = Command::new("sh").args(["-c", "echo optimizing >&2"]).status();
            assert!(status.expect("there is a shell").success());
        }
    }
    name.len()
}

fn main() -> Result<(), Box<dyn Error>> {
    let executor = ProcessPoolExecutor::builder()
        .max_workers(2)
        .capture_output(10_000)
        .measure_usage()
        .grace(Duration::ZERO)
        .build()?;
    let names = ["plain.png", "broken.png", "large.png", "endless.png", "loud.png"];
    let submit = |name: &str| -> Future<usize> {
        let options = TaskOptions::new().label(name).timeout(Duration::from_secs(3));
        executor.with(options).submit(convert, name.to_owned())
    };
    let futures = names.map(submit);

    for future in &futures {
        future.wait();
        let output = future.output().expect("it is captured");
        let stdout = output.stdout();
        println!("{}:", future.label().unwrap_or_default());
        println!("  stdout: {:?}{}", first_line(&stdout), if output.is_cut() { ", …" } else { "" });
        println!("  stderr: {:?}", first_line(&output.stderr()));
        if let Some(usage) = future.usage() {
            let mib = usage.peak_memory().map_or(0, |it| it >> 20);
            println!("  needed: {:?} of a processor, {mib} MiB of memory", usage.cpu_time());
        }
        assert!(stdout.starts_with("reading "));
        assert_eq!(output.is_cut(), future.label() == Some("loud.png"));
    }

    println!("\nand what the errors say:");
    let [plain, broken, large, endless, loud] = futures;
    assert_eq!(plain.output().expect("it is captured").stderr(), "optimizing\n");
    assert_eq!(plain.result()?, 9);
    let memory = large.usage().and_then(|it| it.peak_memory());
    assert!(memory.is_none_or(|it| it >= 64 << 20));
    assert_eq!(large.result()?, 64 << 20);
    assert_eq!(loud.result()?, 8);
    for (future, words) in [(broken, "unexpected end of file"), (endless, "row 1 of")] {
        let error = future.result().unwrap_err();
        println!("  {error}");
        assert!(error.to_string().contains(&format!("; its last words: {words}")));
    }
    Ok(())
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
