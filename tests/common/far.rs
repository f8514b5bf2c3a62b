//! What tasks in other processes can wait at, and tell the test.
//!
//! Both are sockets whose name is known to nobody else. What a task holds of them is that name, so
//! it can travel to any process; and both end with this process, however that ends.

use super::{BOUND, eventually};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::io::{ErrorKind, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The name of a socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Name(String);

impl Name {
    fn new() -> Name {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
        Name(format!("concurrent-futures-test-{process}-{count}"))
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from_abstract_name(&self.0).unwrap()
    }

    fn listen(&self) -> UnixListener {
        let listener = UnixListener::bind_addr(&self.address()).unwrap();
        listener.set_nonblocking(true).unwrap();
        listener
    }

    fn connect(&self) -> std::io::Result<UnixStream> {
        UnixStream::connect_addr(&self.address())
    }
}

/// Who has connected, if there is one more.
fn accept(listener: &UnixListener) -> Option<UnixStream> {
    match listener.accept() {
        Ok((stream, _)) => Some(stream),
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        Err(error) => panic!("{error}"),
    }
}

/// A [`Gate`](super::Gate) for tasks in any process: closed until it is opened, or its owner is
/// gone.
pub(crate) struct FarGate {
    name: Name,
    inner: Mutex<Option<(UnixListener, Vec<UnixStream>)>>,
}

impl FarGate {
    pub(crate) fn new() -> FarGate {
        let name = Name::new();
        FarGate { inner: Mutex::new(Some((name.listen(), Vec::new()))), name }
    }

    pub(crate) fn latch(&self) -> FarLatch {
        FarLatch(self.name.clone())
    }

    pub(crate) fn open(&self) {
        drop(self.inner.lock().unwrap().take());
    }

    /// How many have come to the gate since it was made.
    pub(crate) fn arrived(&self) -> usize {
        let mut inner = self.inner.lock().unwrap();
        let (listener, streams) = inner.as_mut().expect("it has not been opened");
        while let Some(stream) = accept(listener) {
            streams.push(stream);
        }
        streams.len()
    }

    /// Waits until so many have come to the gate.
    #[track_caller]
    pub(crate) fn await_arrivals(&self, count: usize) {
        eventually(|| self.arrived() >= count);
    }
}

/// The side of a [`FarGate`] that waits at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FarLatch(Name);

impl FarLatch {
    /// Blocks until it is open.
    pub(crate) fn pass(&self) {
        let Ok(mut stream) = self.0.connect() else { return };
        stream.set_read_timeout(Some(BOUND)).unwrap();
        // A read with a limit is interrupted if its process is stopped and goes on.
        let end = loop {
            match stream.read(&mut [0]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                end => break end,
            }
        };
        if let Err(error) = end {
            assert!(error.kind() != ErrorKind::WouldBlock, "this was not opened within {BOUND:?}");
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.0.connect().is_err()
    }
}

/// Where tasks in any process send what they have to tell.
pub(crate) struct Mailbox {
    name: Name,
    listener: UnixListener,
}

impl Mailbox {
    pub(crate) fn new() -> Mailbox {
        let name = Name::new();
        Mailbox { listener: name.listen(), name }
    }

    pub(crate) fn address(&self) -> Address {
        Address(self.name.clone())
    }

    /// The next letter, which may have to be waited for.
    #[track_caller]
    pub(crate) fn next(&self) -> String {
        let letter = RefCell::new(None);
        eventually(|| {
            letter.replace(self.try_next());
            letter.borrow().is_some()
        });
        letter.take().unwrap()
    }

    /// So many letters, in the order in which they were sent.
    #[track_caller]
    pub(crate) fn take(&self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.next()).collect()
    }

    /// The letters that have come and have not been read.
    pub(crate) fn unread(&self) -> Vec<String> {
        std::iter::from_fn(|| self.try_next()).collect()
    }

    fn try_next(&self) -> Option<String> {
        let mut stream = accept(&self.listener)?;
        stream.set_read_timeout(Some(BOUND)).unwrap();
        let mut letter = String::new();
        stream.read_to_string(&mut letter).unwrap();
        Some(letter)
    }
}

/// The address of a [`Mailbox`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Address(Name);

impl Address {
    /// Sends a letter. It has arrived when this returns.
    pub(crate) fn send(&self, letter: &str) {
        // Nobody reads it if the test is over.
        if let Ok(mut stream) = self.0.connect() {
            let _ = stream.write_all(letter.as_bytes());
        }
    }
}
