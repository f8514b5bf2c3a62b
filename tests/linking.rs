//! Programs that are compiled and linked in other ways than the tests have pools of processes too.
//!
//! Each test builds a small program that depends on this crate, and runs it. What is built is kept,
//! so that only the first run takes its time; those that are ignored take even longer.

#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The program. It ends well if every task did what it should.
const PROGRAM: &str = r#"
use concurrent_futures::{ProcessPoolExecutor, worker_index};

unsafe extern "C" { safe fn constructed() -> i32; }

fn square(n: u64) -> u64 { n * n }

struct Generic<T>(T);
impl<T: std::fmt::Display> Generic<T> {
    fn show(value: T) -> String { format!("<{value}>") }
}

fn main() {
    if std::env::args().nth(1).is_some() { concurrent_futures::init(); }
    println!("main runs");
    assert_eq!(worker_index(), None);
    let executor = ProcessPoolExecutor::new(2).unwrap();
    let squares: Vec<u64> = executor.map(square, 0..100).map(|it| it.unwrap()).collect();
    assert!(squares.into_iter().eq((0..100).map(square)));
    assert_eq!(executor.submit(Generic::<u8>::show, 7).result().unwrap(), "<7>");
    assert_eq!(executor.submit(|it: String| it.len(), "four".into()).result().unwrap(), 4);
    assert!(executor.submit(|()| std::process::id(), ()).result().unwrap() != std::process::id());
    assert_eq!(executor.submit(|()| constructed(), ()).result().unwrap(), 42);
    assert_eq!(constructed(), 42);

    let lost: Result<(), _> = executor.submit(|()| std::process::abort(), ()).result();
    assert!(lost.unwrap_err().worker_death().is_some());
    let panicked: Result<(), _> = executor.submit(|()| panic!("wanted"), ()).result();
    let panicked = panicked.unwrap_err();
    assert!(if cfg!(panic = "abort") { panicked.worker_death().is_some() } else { panicked.is_panic() });
    let state = ProcessPoolExecutor::builder().max_workers(1).initializer(|n: u32| n + 1, 1);
    let state = state.build().unwrap();
    assert_eq!(state.submit_with_state(|it, n: u32| *it + n, 5).result().unwrap(), 7);
    println!("all is well");
}
"#;

/// A global object of C++, whose constructor runs before `main`: behind the hook, or before it.
const CONSTRUCTOR: &str = r#"
static int answer();
struct Object { int value; Object() : value(answer()) {} };
static volatile int forty = 40;
static int answer() { return forty + 2; }
static Object object;
extern "C" int constructed() { return object.value; }
"#;

const BUILD: &str = r#"
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=object.cc");
    let out = std::env::var("OUT_DIR").unwrap();
    let object = format!("{out}/object.o");
    let run = |program: &str, arguments: &[&str]| {
        assert!(Command::new(program).args(arguments).status().unwrap().success());
    };
    run("c++", &["-O1", "-fPIC", "-c", "object.cc", "-o", &object]);
    run("ar", &["crs", &format!("{out}/libobject.a"), &object]);
    println!("cargo:rustc-link-search=native={out}");
    println!("cargo:rustc-link-lib=static=object");
}
"#;

/// How a program is built.
struct Way {
    name: &'static str,
    /// Of the release profile.
    profile: &'static str,
    flags: &'static str,
}

/// The folder of the program, with all that is needed to build it.
fn source(way: &Way) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("linking").join(way.name);
    std::fs::create_dir_all(folder.join("src")).unwrap();
    let manifest = format!(
        "[package]\nname = \"program\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
         [workspace]\n\n\
         [dependencies]\nconcurrent-futures = {{ path = {:?} }}\n\n\
         [profile.release]\n{}\n",
        env!("CARGO_MANIFEST_DIR"),
        way.profile
    );
    let files = [
        ("Cargo.toml", manifest.as_str()),
        ("src/main.rs", PROGRAM),
        ("object.cc", CONSTRUCTOR),
        ("build.rs", BUILD),
    ];
    for (name, text) in files {
        let path = folder.join(name);
        // Left alone if it is the same, so that it is not built again.
        if std::fs::read_to_string(&path).ok().as_deref() != Some(text) {
            std::fs::write(path, text).unwrap();
        }
    }
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock");
    if !folder.join("Cargo.lock").exists() && lock.exists() {
        std::fs::copy(lock, folder.join("Cargo.lock")).unwrap();
    }
    folder
}

/// What this machine's programs are built for, as the compiler says it.
fn host() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("-vV").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().find_map(|it| it.strip_prefix("host: ")).unwrap().to_owned()
}

fn build(way: &Way) -> PathBuf {
    let (folder, host) = (source(way), host());
    let target = folder.join("target");
    // With `--target`, the flags do not concern what runs during the build.
    let output = Command::new(env!("CARGO"))
        .args(["build", "--release", "--offline", "--target", &host])
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTFLAGS", way.flags)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    target.join(host).join("release/program")
}

fn run(program: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    command.arg("60").arg(program).args(arguments).output().unwrap()
}

/// Builds and runs the program, unless the machine lacks what that takes.
fn works(way: &Way) {
    let lacks = [("c++", "a compiler for C++"), ("ar", "an archiver")]
        .into_iter()
        .find(|(tool, _)| Command::new(tool).arg("--version").output().is_err());
    if let Some((_, what)) = lacks {
        return println!("skipped: there is no {what}");
    }
    let program = build(way);
    for arguments in [&[][..], &["init"]] {
        let output = run(&program, arguments);
        let (out, err) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{}: {}\n{out}\n{err}", way.name, output.status);
        // Once: no worker has run `main`.
        assert_eq!(out, "main runs\nall is well\n", "{err}");
    }
}

/// Whether the C library can be linked statically.
fn has_static_library() -> bool {
    let output = Command::new("cc").arg("-print-file-name=libc.a").output();
    output.is_ok_and(|it| Path::new(String::from_utf8_lossy(&it.stdout).trim()).is_absolute())
}

fn works_if_static(way: &Way) {
    if has_static_library() {
        works(way);
    } else {
        println!("skipped: there is no static C library");
    }
}

#[test]
#[ignore = "takes long to build"]
fn optimized_as_a_whole_and_stripped_and_without_unwinding() {
    works(&Way {
        name: "lto",
        profile: "lto = \"fat\"\ncodegen-units = 1\nstrip = true\npanic = \"abort\"",
        flags: "",
    });
}

#[test]
#[ignore = "takes long to build"]
fn linked_statically_and_not_optimized() {
    works_if_static(&Way {
        name: "static",
        profile: "opt-level = 0",
        flags: "-C target-feature=+crt-static",
    });
}

#[test]
#[ignore = "takes long to build"]
fn linked_statically_to_a_fixed_address_and_optimized_as_a_whole() {
    works_if_static(&Way {
        name: "fixed",
        profile: "lto = \"fat\"\nstrip = true",
        flags: "-C target-feature=+crt-static -C relocation-model=static",
    });
}

#[test]
#[ignore = "takes long to build"]
fn linked_to_a_fixed_address_with_shared_libraries() {
    works(&Way { name: "dynamic-fixed", profile: "", flags: "-C relocation-model=static" });
}

#[test]
#[ignore = "takes long to build"]
fn linked_by_the_linker_of_the_system_for_size() {
    works(&Way {
        name: "small",
        profile: "opt-level = \"z\"\nlto = \"thin\"",
        flags: "-C link-arg=-fuse-ld=bfd",
    });
}
