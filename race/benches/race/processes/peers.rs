//! What answers from another process, and the calls that are made there.

use crate::machine::stay_on;
use concurrent_futures::{Future, ProcessPoolExecutor, SharedData};
use ipc_channel::ipc::{self, IpcOneShotServer, IpcReceiver, IpcSender};
use procspawn::Pool;
use rustix::process::{Signal, getpid, kill_process};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use std::io::{self, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

// ---- calls ----------------------------------------------------------------------------------

pub(crate) fn next(n: u64) -> u64 {
    n.wrapping_add(1)
}

pub(crate) fn next_of_each(numbers: Vec<u64>) -> Vec<u64> {
    numbers.into_iter().map(next).collect()
}

pub(crate) fn echo(bytes: ByteBuf) -> ByteBuf {
    bytes
}

pub(crate) fn stay(processors: Vec<usize>) {
    stay_on(&processors);
}

pub(crate) fn sum_of((table, from, to): (SharedData<u64>, u64, u64)) -> u64 {
    table[from as usize..to as usize].iter().sum()
}

/// The memory of a process, of what it shares its part only, in KiB.
pub(crate) fn memory_of(process: u32) -> u64 {
    let smaps = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup"));
    let smaps = smaps.unwrap_or_default();
    let line = smaps.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or_default()
}

/// The memory that this process has for itself, in KiB.
pub(crate) fn private_memory((): ()) -> u64 {
    let smaps = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let kib = |line: &str| line.split_whitespace().nth(1)?.parse::<u64>().ok();
    smaps.lines().filter(|line| line.starts_with("Private_")).filter_map(kib).sum()
}

/// Ends this process by a signal that it cannot catch.
pub(crate) fn die((): ()) {
    let _ = kill_process(getpid(), Signal::KILL);
    thread::sleep(Duration::from_secs(10));
}

/// Waits until the other one of two calls has begun as well, in another process. They find each other
/// through files.
pub(crate) fn meet((own, other): (String, String)) -> u64 {
    std::fs::write(&own, "").expect("a temporary file can be written");
    let begun = Instant::now();
    while !std::fs::exists(&other).unwrap_or_default() {
        assert!(begun.elapsed() < Duration::from_secs(10), "the other one does not come");
        thread::yield_now();
    }
    1
}

// ---- pools ----------------------------------------------------------------------------------

/// The result of a call to ours.
pub(crate) fn result<R>(future: Future<R>) -> R {
    future.result().expect("no call fails")
}

pub(crate) fn our_pool(workers: usize) -> ProcessPoolExecutor {
    ProcessPoolExecutor::new(workers).expect("it can be built")
}

pub(crate) fn procspawn_pool(workers: usize) -> Pool {
    Pool::new(workers).expect("it can be built")
}

/// A call through `procspawn`, whose result is waited for.
pub(crate) fn procspawned<A, R>(pool: &Pool, function: fn(A) -> R, argument: A) -> R
where
    A: Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned + Send + 'static,
{
    pool.spawn(argument, function).join().expect("no call fails")
}

// ---- processes made here --------------------------------------------------------------------

/// Starts what `main` has to begin with: a worker does not come back from here.
pub(crate) fn run_as_worker() {
    procspawn::init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [PIPE, length] => answer_pipe(length.parse().expect("it is a number")),
        [IPC, server] => answer_ipc(server.to_owned()),
        _ => return,
    }
    std::process::exit(0);
}

const PIPE: &str = "--answer-pipe";
const IPC: &str = "--answer-ipc";

/// This program again, as a worker.
fn worker(arguments: [&str; 2]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a program can find itself"));
    command.args(arguments);
    command
}

/// A process that sends every piece of so many bytes back, through its standard input and output.
pub(crate) struct Pipe {
    child: Child,
    writer: Option<ChildStdin>,
    reader: ChildStdout,
    answer: Vec<u8>,
}

impl Pipe {
    pub(crate) fn new(length: usize) -> Self {
        let mut command = worker([PIPE, &length.to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("this program can be started");
        let writer = child.stdin.take();
        let reader = child.stdout.take().expect("it is a pipe");
        Pipe { child, writer, reader, answer: vec![0; length] }
    }

    pub(crate) fn exchange(&mut self, bytes: &[u8]) -> &[u8] {
        let writer = self.writer.as_mut().expect("it is there until the drop");
        writer.write_all(bytes).expect("it is read");
        self.reader.read_exact(&mut self.answer).expect("it is answered");
        &self.answer
    }

    /// Lets the process run only there.
    pub(crate) fn keep_on(&self, processors: &[usize]) {
        crate::machine::keep_on(self.child.id(), processors);
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.writer = None;
        let _ = self.child.wait();
    }
}

fn answer_pipe(length: usize) {
    let (mut reader, mut writer) = (io::stdin().lock(), io::stdout().lock());
    let mut bytes = vec![0; length];
    while reader.read_exact(&mut bytes).is_ok() {
        if writer.write_all(&bytes).and_then(|()| writer.flush()).is_err() {
            return;
        }
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) enum Message {
    Number(u64),
    Bytes(ByteBuf),
}

type Ends = (IpcSender<Message>, IpcReceiver<Message>);

/// A process that answers through `ipc-channel`: one worker, and no pool.
pub(crate) struct Ipc {
    child: Child,
    ends: Option<Ends>,
}

impl Ipc {
    pub(crate) fn new() -> Self {
        let (server, name) = IpcOneShotServer::<Ends>::new().expect("there are sockets");
        let child = worker([IPC, &name]).spawn().expect("this program can be started");
        let (_, ends) = server.accept().expect("it connects");
        Ipc { child, ends: Some(ends) }
    }

    pub(crate) fn ends(&self) -> &Ends {
        self.ends.as_ref().expect("they are there until the drop")
    }

    pub(crate) fn exchange(&self, message: Message) -> Message {
        let (sender, receiver) = self.ends();
        sender.send(message).expect("it is received");
        receiver.recv().expect("it is answered")
    }

    /// Lets the process run only there.
    pub(crate) fn keep_on(&self, processors: &[usize]) {
        crate::machine::keep_on(self.child.id(), processors);
    }
}

impl Drop for Ipc {
    fn drop(&mut self) {
        self.ends = None;
        let _ = self.child.wait();
    }
}

fn answer_ipc(server: String) {
    let (to_worker, requests) = ipc::channel().expect("there are sockets");
    let (answers, from_worker) = ipc::channel().expect("there are sockets");
    let connected = IpcSender::<Ends>::connect(server).expect("the parent waits");
    connected.send((to_worker, from_worker)).expect("the parent waits");
    while let Ok(message) = requests.recv() {
        let answer = match message {
            Message::Number(n) => Message::Number(next(n)),
            Message::Bytes(bytes) => Message::Bytes(bytes),
        };
        if answers.send(answer).is_err() {
            return;
        }
    }
}
