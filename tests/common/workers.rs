//! Folders and doors through which a test hears of what happens in other processes.

use super::eventually;
use concurrent_futures::{Future, ProcessPoolExecutor, ProcessPoolHandle, TaskError, WorkerDeath};
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A pool of so many processes.
pub(crate) fn pool(max_workers: usize) -> ProcessPoolExecutor {
    ProcessPoolExecutor::new(max_workers).expect("processes can be started")
}

/// A folder of its own for a test, which goes with it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static FOLDERS: AtomicUsize = AtomicUsize::new(0);
        let number = FOLDERS.fetch_add(1, Ordering::SeqCst);
        // The name of a socket must be short.
        let name = format!("cf-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A task: adds the number of its process to a file, as a line.
pub(crate) fn note(path: PathBuf) -> u32 {
    let own = std::process::id();
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(format!("{own}\n").as_bytes()).unwrap();
    own
}

/// What has been noted.
pub(crate) fn noted(path: &Path) -> Vec<u32> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

/// Where tasks of a test knock, and then wait to be let go.
pub(crate) struct Door {
    listener: UnixListener,
    path: PathBuf,
    _folder: Folder,
}

/// A task that has knocked. It goes on when this is dropped.
pub(crate) struct Visitor {
    pub(crate) process: u32,
    stream: UnixStream,
}

impl Door {
    pub(crate) fn new() -> Self {
        let folder = Folder::new();
        let path = folder.path("door");
        Door { listener: UnixListener::bind(&path).unwrap(), path, _folder: folder }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// The next one who knocks.
    pub(crate) fn open(&self) -> Visitor {
        let (mut stream, _) = self.listener.accept().unwrap();
        let mut process = [0; 4];
        stream.read_exact(&mut process).unwrap();
        Visitor { process: u32::from_ne_bytes(process), stream }
    }
}

impl Visitor {
    /// What the visitor says, if it does before it is gone. Blocks until then.
    pub(crate) fn last_word(mut self) -> Option<u8> {
        let mut word = [0];
        (self.stream.read(&mut word).ok()? == 1).then_some(word[0])
    }
}

/// A task: knocks, and waits until it is let go.
pub(crate) fn knock(door: PathBuf) -> u32 {
    let mut stream = knock_only(door);
    // The end, or the death of the test.
    let _ = stream.read(&mut [0]);
    std::process::id()
}

/// Knocks, and is there until the stream is dropped.
pub(crate) fn knock_only(door: PathBuf) -> UnixStream {
    let mut stream = UnixStream::connect(door).unwrap();
    stream.write_all(&std::process::id().to_ne_bytes()).unwrap();
    stream
}

/// A task: knocks, and never ends by itself.
pub(crate) fn knock_for_ever(door: PathBuf) {
    let _stream = knock_only(door);
    pause_for_ever();
}

pub(crate) fn pause_for_ever() -> ! {
    loop {
        std::thread::park();
    }
}

/// What a process or thread is doing, by the file that says so: `T` is stopped, for instance.
fn state_in(file: &Path) -> Option<char> {
    let text = fs::read_to_string(file).ok()?;
    // It stands behind the name, which may hold anything.
    text.rsplit(')').next()?.trim_start().chars().next()
}

/// Whether all of the process's threads are stopped.
pub(crate) fn is_stopped(process: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    threads.into_iter().all(|it| state_in(&it.unwrap().path().join("stat")) == Some('T'))
}

/// Whether the process is there, and not only its remains.
pub(crate) fn is_alive(process: u32) -> bool {
    state_in(Path::new(&format!("/proc/{process}/stat")))
        .is_some_and(|it| !['Z', 'X'].contains(&it))
}

#[track_caller]
pub(crate) fn until_gone(process: u32) {
    eventually(|| !is_alive(process));
}

pub(crate) fn send_signal(process: u32, signal: i32) {
    // SAFETY: it takes plain numbers.
    let answer = unsafe { libc::kill(process.cast_signed(), signal) };
    assert_eq!(answer, 0, "{}", io::Error::last_os_error());
}

/// The process that runs tasks of a pool of one.
pub(crate) fn process_of<S: 'static>(pool: &ProcessPoolHandle<S>) -> u32 {
    pool.submit(|()| std::process::id(), ()).result().unwrap()
}

/// The death that this future ended with.
#[track_caller]
pub(crate) fn death_of<R: Send + 'static + std::fmt::Debug>(
    future: Future<R>,
) -> (TaskError, WorkerDeath) {
    let error = future.result().unwrap_err();
    let Some(death) = error.worker_death().cloned() else { panic!("no death: {error}") };
    (error, death)
}
