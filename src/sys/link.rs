//! What two processes talk through, and how one of them waits for the other.
//!
//! Whether a call waits is said in each call, never by a flag of the socket, which the other process
//! might share.

use super::child::{self, Child};
use super::descriptors::not_standard;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// One end of a stream of bytes in both directions.
#[derive(Debug)]
pub(crate) struct Link(OwnedFd);

impl Link {
    /// A link and its other end, which is meant to be the standard input of a new process. Neither
    /// is inherited by any other process.
    pub(crate) fn pair() -> io::Result<(Link, OwnedFd)> {
        let (own, other) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )?;
        Ok((Link(not_standard(own)?), not_standard(other)?))
    }

    /// The link that this process was started with as its standard input, in whose place it finds
    /// nothing from then on: neither the functions that it runs nor the processes that it starts
    /// get hold of the link.
    pub(crate) fn of_standard_input() -> io::Result<Link> {
        let input = rustix::stdio::stdin();
        let is_link = rustix::net::sockopt::socket_type(input)? == SocketType::STREAM
            && rustix::net::sockopt::socket_domain(input)? == AddressFamily::UNIX;
        if !is_link {
            let error = "the standard input is no stream socket";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, error));
        }
        let link = rustix::io::fcntl_dupfd_cloexec(input, 3)?;
        let nothing = std::fs::File::open("/dev/null")?;
        rustix::stdio::dup2_stdin(&nothing)?;
        Ok(Link(link))
    }

    /// Receives what is there, at once; [`io::ErrorKind::WouldBlock`] if that is nothing. Zero means
    /// that the other end has sent its last (or that `bytes` is empty).
    pub(crate) fn try_receive(&self, bytes: &mut [u8]) -> io::Result<usize> {
        let most = short!(LinkReceiving, bytes.len());
        let bytes = &mut bytes[..most];
        restarting(|| rustix::net::recv(&self.0, &mut *bytes, RecvFlags::DONTWAIT)).map(|it| it.0)
    }

    /// Sends all, and waits for room if need be. A link whose other end is closed is an error, not a
    /// signal.
    pub(crate) fn send_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let some = &bytes[..short!(LinkSending, bytes.len())];
            match restarting(|| rustix::net::send(&self.0, some, SendFlags::NOSIGNAL)) {
                Ok(sent) => bytes = &bytes[sent..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait_until(PollFlags::OUT)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// For the case that somebody has set the flag that this module does not rely on.
    fn wait_until(&self, what: PollFlags) -> io::Result<()> {
        restarting(|| poll(&mut [PollFd::new(&self.0, what)], None)).map(drop)
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What one thread rings to interrupt another one that waits in [`wait_for`].
#[derive(Debug)]
pub(crate) struct Bell(OwnedFd);

impl Bell {
    pub(crate) fn new() -> io::Result<Bell> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Ok(Bell(not_standard(rustix::event::eventfd(0, flags)?)?))
    }

    /// Rings until it is [silenced](Bell::silence), however often it is called.
    pub(crate) fn ring(&self) {
        // It fails only if the count is full, and then it rings.
        let _ = restarting(|| rustix::io::write(&self.0, &1u64.to_ne_bytes()));
    }

    /// Ends the ringing. To be called before one looks for what it was rung for.
    pub(crate) fn silence(&self) {
        // It fails only if it does not ring.
        let _ = restarting(|| rustix::io::read(&self.0, &mut [0; 8]));
    }
}

/// What [`wait_for`] has found; nothing if the time was up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ready {
    /// There is something to receive: bytes, the end or an error.
    pub(crate) readable: bool,
    /// The bell rings.
    pub(crate) rung: bool,
    /// The child process has ended.
    pub(crate) ended: bool,
}

/// Waits, for `limit` at most if there is one, until one of several things has happened. All of
/// them last: a link that has ended stays readable, a child that has ended stays so, and the bell
/// rings until it is silenced.
pub(crate) fn wait_for(
    link: &Link,
    bell: &Bell,
    child: &Child,
    limit: Option<Duration>,
) -> io::Result<Ready> {
    let hung_up = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
    let mut sources = [
        PollFd::new(&link.0, PollFlags::IN),
        PollFd::new(&bell.0, PollFlags::IN),
        PollFd::from_borrowed_fd(child.process_descriptor(), PollFlags::IN),
    ];
    let limit = limit.and_then(|it| Timespec::try_from(it).ok());
    restarting(|| poll(&mut sources, limit.as_ref()))?;
    let [link, bell, child] = sources.map(|it| it.revents());
    Ok(Ready {
        readable: link.intersects(PollFlags::IN | hung_up),
        rung: bell.intersects(PollFlags::IN | hung_up),
        ended: child.intersects(PollFlags::IN | hung_up),
    })
}

/// Waits until the other end of the link is closed or hung up, whether or not there are bytes to
/// receive, or the process with the descriptor `parent` has ended: some other process might have
/// inherited the link's other end, and keep it open. False if somebody has closed one of the two here.
pub(crate) fn wait_for_parent_end(link: Option<&Link>, parent: Option<BorrowedFd<'_>>) -> bool {
    let link = link.map(|it| PollFd::from_borrowed_fd(it.0.as_fd(), PollFlags::empty()));
    let parent = parent.map(|it| PollFd::from_borrowed_fd(it, PollFlags::IN));
    let mut sources = Vec::from_iter(link.into_iter().chain(parent));
    loop {
        // A failure is want of memory in the kernel, and passes.
        match poll(&mut sources, None) {
            Ok(_) => {
                let seen = sources.iter().fold(PollFlags::empty(), |all, it| all | it.revents());
                if !seen.is_empty() {
                    return seen != PollFlags::NVAL;
                }
            }
            Err(Errno::INTR) => {}
            Err(_) => std::thread::yield_now(),
        }
    }
}

/// The same by nothing but the parent's number, which means that very process as long as it is the parent.
pub(crate) fn wait_for_end_of(parent: u32) {
    /// How often to look if the system gives no descriptor for it.
    const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    while child::parent_id() == parent {
        let Ok(descriptor) = child::descriptor_of(parent) else {
            let _ = poll(&mut [], Some(&LOOK));
            continue;
        };
        let is_parent = child::parent_id() == parent;
        if is_parent && wait_for_parent_end(None, Some(descriptor.as_fd())) {
            return;
        }
        // Somebody has closed it here, and may have something else under its number.
        std::mem::forget(descriptor);
    }
}

/// Repeats a call as long as it is interrupted by signals.
fn restarting<T>(call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    rustix::io::retry_on_intr(call).map_err(io::Error::from)
}

#[cfg(all(test, not(concurrent_futures_loom)))]
mod tests {
    use super::*;
    use crate::sys::child::Signal;
    use crate::sys::tests::{again, alone, is_again};
    use std::os::fd::AsRawFd;
    use std::process::{Command, Stdio};
    use std::thread;

    const NONE: Ready = Ready { readable: false, rung: false, ended: false };

    fn linked() -> (Link, Link) {
        let (own, other) = Link::pair().unwrap();
        (own, Link(other))
    }

    fn sleeper() -> Child {
        Child::spawn(Command::new("sleep").arg("1000").stdin(Stdio::null())).unwrap()
    }

    fn receive(link: &Link, bytes: &mut [u8]) -> usize {
        link.wait_until(PollFlags::IN).unwrap();
        link.try_receive(bytes).unwrap()
    }

    /// What is received until the end.
    fn all_of(link: &Link) -> Vec<u8> {
        let mut all = Vec::new();
        let mut bytes = [0; 5000];
        loop {
            match receive(link, &mut bytes) {
                0 => return all,
                some => all.extend(&bytes[..some]),
            }
        }
    }

    #[test]
    fn an_empty_link_gives_nothing_at_once() {
        let (own, other) = linked();
        let error = other.try_receive(&mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        own.send_all(b"x").unwrap();
        assert_eq!(receive(&other, &mut [0; 8]), 1);
    }

    #[test]
    fn much_is_sent_while_it_is_received() {
        let (own, other) = linked();
        // Even if somebody has made the socket refuse to wait.
        rustix::io::ioctl_fionbio(&own.0, true).unwrap();
        let sender = thread::spawn(move || own.send_all(&[3; 1_000_000]));
        let received = all_of(&other).len();
        sender.join().unwrap().unwrap();
        assert_eq!(received, 1_000_000);
    }

    #[test]
    fn a_closed_link_is_an_end_and_an_error_but_no_signal() {
        let (own, other) = linked();
        other.send_all(b"last").unwrap();
        drop(other);
        let mut bytes = [0; 8];
        assert_eq!(own.try_receive(&mut bytes).unwrap(), 4);
        assert_eq!(own.try_receive(&mut bytes).unwrap(), 0);
        assert_eq!(own.send_all(b"x").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn neither_end_is_inherited() {
        let (own, other) = Link::pair().unwrap();
        for end in [&own.0, &other] {
            let flags = rustix::io::fcntl_getfd(end).unwrap();
            assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        }
    }

    #[test]
    fn a_process_takes_its_standard_input_for_a_link() {
        const NAME: &str = "sys::link::tests::a_process_takes_its_standard_input_for_a_link";
        if is_again(NAME) {
            let link = Link::of_standard_input().unwrap();
            assert!(Link::of_standard_input().is_err());
            let path = std::fs::read_link("/proc/self/fd/0").unwrap();
            link.send_all(path.to_str().unwrap().as_bytes()).unwrap();
            return;
        }
        let (own, other) = Link::pair().unwrap();
        let mut command = again(NAME);
        command.stdin(other).stdout(Stdio::null());
        let mut child = command.spawn().unwrap();
        drop(command);
        let told = all_of(&own);
        assert!(child.wait().unwrap().success());
        assert_eq!(told, b"/dev/null");
    }

    #[test]
    fn waiting_sees_what_can_be_received() {
        let (own, other) = linked();
        let bell = Bell::new().unwrap();
        let child = sleeper();
        other.send_all(b"x").unwrap();
        let ready = wait_for(&own, &bell, &child, None).unwrap();
        assert_eq!(ready, Ready { readable: true, ..NONE });
        receive(&own, &mut [0; 8]);
        drop(other);
        let ready = wait_for(&own, &bell, &child, None).unwrap();
        assert_eq!(ready, Ready { readable: true, ..NONE });
        child.signal_group(Signal::Kill);
        child.wait();
    }

    #[test]
    fn waiting_hears_the_bell_until_it_is_silenced() {
        let (own, _other) = linked();
        let bell = Bell::new().unwrap();
        let child = sleeper();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| wait_for(&own, &bell, &child, None).unwrap());
            thread::sleep(Duration::from_millis(20));
            bell.ring();
            bell.ring();
            assert_eq!(waiting.join().unwrap(), Ready { rung: true, ..NONE });
        });
        assert!(wait_for(&own, &bell, &child, None).unwrap().rung);
        bell.silence();
        bell.silence();
        let limit = Some(Duration::from_millis(1));
        assert_eq!(wait_for(&own, &bell, &child, limit).unwrap(), NONE);
        child.signal_group(Signal::Kill);
        child.wait();
    }

    #[test]
    fn waiting_sees_the_end_of_the_child() {
        let (own, _other) = linked();
        let bell = Bell::new().unwrap();
        let child = sleeper();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| wait_for(&own, &bell, &child, None).unwrap());
            thread::sleep(Duration::from_millis(20));
            child.signal_group(Signal::Kill);
            assert_eq!(waiting.join().unwrap(), Ready { ended: true, ..NONE });
        });
        child.wait();
    }

    #[test]
    fn the_end_of_the_parent_is_a_closed_link_and_no_bytes() {
        let (own, other) = linked();
        other.send_all(b"mere bytes").unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| wait_for_parent_end(Some(&own), None));
            thread::sleep(Duration::from_millis(30));
            assert!(!waiting.is_finished());
            drop(other);
            assert!(waiting.join().unwrap());
        });
    }

    #[test]
    fn the_end_of_the_parent_is_also_that_of_its_process() {
        let (own, _other) = linked();
        let child = sleeper();
        let process = child.process_descriptor();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| wait_for_parent_end(Some(&own), Some(process)));
            thread::sleep(Duration::from_millis(30));
            assert!(!waiting.is_finished());
            child.signal_group(Signal::Kill);
            assert!(waiting.join().unwrap());
        });
        child.wait();
    }

    #[test]
    fn a_descriptor_that_was_closed_here_is_not_the_end_of_the_parent() {
        alone(
            "sys::link::tests::a_descriptor_that_was_closed_here_is_not_the_end_of_the_parent",
            || {
                let (own, _other) = linked();
                let child = sleeper();
                // SAFETY: the link is forgotten, so nobody closes what may have its number later.
                assert_eq!(unsafe { libc::close(own.0.as_raw_fd()) }, 0);
                assert!(!wait_for_parent_end(Some(&own), Some(child.process_descriptor())));
                std::mem::forget(own);
                child.signal_group(Signal::Kill);
                assert!(wait_for_parent_end(None, Some(child.process_descriptor())));
                child.wait();
            },
        );
    }
}
