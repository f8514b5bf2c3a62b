//! The writing process's side: it sees that what is written comes into the files, and that they hold what one call
//! has written.

use super::flush::{end_lines, flush};
use super::{Ends, LITTLE, STREAMS, kept, read_file, retry, waiting_in};
use crate::error::Captured;
use crate::sync::global::OnceLock;
use crate::sync::{Arc, Mutex, MutexGuard, thread};
use crate::sys::child;
use crate::sys::descriptors::{OwnDescriptors, not_standard};
use crate::sys::limits::check_file_length;
use crate::sys::memory::{Key, key_of, path_of};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pipe::SpliceFlags;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// Records what this process writes.
#[derive(Debug)]
pub(crate) struct Recorder {
    streams: [Stream; STREAMS],
    most: usize,
    /// What is in the files. Held by whoever moves bytes there.
    fill: Mutex<[Fill; STREAMS]>,
    /// Those of its thread.
    descriptors: OwnDescriptors,
}

#[derive(Debug, Default, Clone, Copy)]
struct Fill {
    len: usize,
    /// Something has been thrown away.
    is_cut: bool,
}

#[derive(Debug)]
struct Stream {
    pipe: (OwnedFd, Key),
    file: (OwnedFd, Key),
}

impl Stream {
    fn open(process: u32, (pipe, file): Ends) -> io::Result<Stream> {
        let open = |number, flags| open(&path_of(process, number), flags);
        let pipe = open(pipe, OFlags::RDONLY | OFlags::NONBLOCK)?;
        let file = open(file, OFlags::RDWR)?;
        let (key_of_pipe, key_of_file) = (key(&pipe)?, key(&file)?);
        Ok(Stream { pipe: (pipe, key_of_pipe), file: (file, key_of_file) })
    }

    /// Whether pipe and file are still open.
    fn is_whole(&self) -> bool {
        is_still(&self.pipe) && is_still(&self.file)
    }

    fn waiting(&self) -> Option<usize> {
        waiting_in(&self.pipe.0)
    }

    /// Moves so many bytes out of the pipe.
    fn shift(&self, mut count: usize, most: usize, fill: &mut Fill) {
        while count > 0 {
            let wanted = count.min(most + 1 - fill.len);
            let end = (fill.len + wanted) as u64;
            // Beyond that limit, which a task may have set, the system would end this process.
            let moved = match wanted > 0 && check_file_length(end).is_ok() {
                true => {
                    let mut end = fill.len as u64;
                    let flags = SpliceFlags::NONBLOCK;
                    let (pipe, file) = (&self.pipe.0, &self.file.0);
                    retry(|| rustix::pipe::splice(pipe, None, file, Some(&mut end), wanted, flags))
                }
                false => Err(Errno::FBIG),
            };
            count -= match moved {
                Ok(moved @ 1..) => {
                    fill.len += moved;
                    moved
                }
                Ok(0) | Err(Errno::AGAIN) => return,
                // There is no memory for it, or it is more than is to be kept.
                Err(_) => {
                    fill.is_cut = true;
                    let mut waste = [0; 4096];
                    let room = count.min(waste.len());
                    match retry(|| rustix::io::read(&self.pipe.0, &mut waste[..room])) {
                        Ok(read @ 1..) => read,
                        _ => return,
                    }
                }
            };
        }
    }
}

fn open(path: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    not_standard(retry(|| rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty()))?)
}

fn key(file: &OwnedFd) -> rustix::io::Result<Key> {
    rustix::fs::fstat(file).map(|it| key_of(&it))
}

/// What standard output and standard error were before they were recorded.
static BEFORE: OnceLock<[(OwnedFd, Key); STREAMS]> = OnceLock::new();

impl Recorder {
    /// Opens what the process with this number reads.
    pub(crate) fn open(process: u32, ends: [Ends; STREAMS], most: usize) -> io::Result<Recorder> {
        let [output, errors] = ends;
        let streams = [Stream::open(process, output)?, Stream::open(process, errors)?];
        Ok(Recorder { streams, most, fill: Mutex::default(), descriptors: OwnDescriptors::new() })
    }

    /// From now on all is recorded that this process writes to its standard output and error, and whoever
    /// it starts.
    pub(crate) fn begin(self: &Arc<Self>) -> io::Result<()> {
        end_lines();
        let duplicate = |it| {
            let before = match rustix::io::fcntl_dupfd_cloexec(it, 3) {
                // It is closed.
                Err(Errno::BADF) => open("/dev/null", OFlags::WRONLY)?,
                other => other?,
            };
            let key = key(&before)?;
            Ok::<_, io::Error>((before, key))
        };
        let before = [duplicate(rustix::stdio::stdout())?, duplicate(rustix::stdio::stderr())?];
        let [output, errors] = self
            .streams
            .each_ref()
            .map(|it| open(&path_of(std::process::id(), it.pipe.0.as_raw_fd()), OFlags::WRONLY));
        let (output, errors) = (output?, errors?);
        // First, for who writes must be read, whatever is closed from then on.
        let recorder = Arc::clone(self);
        child::without_signals(|| {
            thread::spawn("output".to_owned(), Some(64 << 10), move || recorder.attend())
        })?;
        // Or a task might close them first.
        self.descriptors.wait();
        let _ = BEFORE.set(before);
        flush();
        rustix::stdio::dup2_stdout(&output)?;
        rustix::stdio::dup2_stderr(&errors)?;
        Ok(())
    }

    /// Empties the pipes until nobody has their other ends any more.
    fn attend(&self) {
        /// So much at once shows that there is more to come.
        const MUCH: usize = 32 << 10;
        let [output, errors] = &self.streams;
        let kept = [&output.pipe.0, &output.file.0, &errors.pipe.0, &errors.file.0];
        self.descriptors.keep_only(&kept.map(AsFd::as_fd));
        let mut open: Vec<&Stream> = self.streams.iter().collect();
        let mut is_busy = false;
        while !open.is_empty() {
            let mut sources: Vec<PollFd<'_>> =
                open.iter().map(|it| PollFd::new(&it.pipe.0, PollFlags::IN)).collect();
            let _ = retry(|| poll(&mut sources, None));
            let mut found = sources.iter().map(PollFd::revents);
            let mut is_open = || found.next().is_none_or(|it| it.is_empty() || it == PollFlags::IN);
            if !is_busy {
                // Most tasks are over after that, and empty the pipes themselves.
                pause();
            }
            let before = open.len();
            open.retain(|_| is_open());
            let Some(moved) = self.shift(&mut self.fill.lock()) else { return };
            is_busy = moved >= MUCH && open.len() == before;
        }
    }

    /// Moves what waits in the pipes by now. How much that was; none if they have been closed here.
    fn shift(&self, fill: &mut [Fill; STREAMS]) -> Option<usize> {
        let [output, errors] = self.streams.each_ref().map(Stream::waiting);
        let waiting = [output?, errors?];
        let moved = waiting.iter().sum();
        if moved > 0 {
            if !self.streams.iter().all(Stream::is_whole) {
                return None;
            }
            for ((stream, count), fill) in self.streams.iter().zip(waiting).zip(fill) {
                stream.shift(count, self.most, fill);
            }
        }
        Some(moved)
    }

    /// What has been written since it was last forgotten; none if that cannot be had any more. Nothing is
    /// added to it until this is forgotten, or dropped.
    pub(crate) fn recorded(&self) -> Option<Recorded<'_>> {
        flush();
        let mut fill = self.fill.lock();
        self.shift(&mut fill)?;
        if fill.iter().any(|it| it.len > 0) && !self.streams.iter().all(Stream::is_whole) {
            return None;
        }
        Some(Recorded { recorder: self, fill })
    }
}

/// What was written.
#[must_use]
pub(crate) struct Recorded<'a> {
    recorder: &'a Recorder,
    fill: MutexGuard<'a, [Fill; STREAMS]>,
}

impl Recorded<'_> {
    /// The bytes, if they are few.
    pub(crate) fn little(&self) -> Option<[Captured; STREAMS]> {
        if self.fill.iter().map(|it| it.len).sum::<usize>() > LITTLE {
            return None;
        }
        let mut streams: [Captured; STREAMS] = Default::default();
        let recorded = self.recorder.streams.iter().zip(&*self.fill);
        for ((stream, fill), captured) in recorded.zip(&mut streams) {
            if fill.len > 0 {
                *captured = kept(read_file(&stream.file.0, fill.len), self.recorder.most);
            }
            captured.is_cut |= fill.is_cut;
        }
        Some(streams)
    }

    /// Of which stream something has been thrown away.
    pub(crate) fn are_cut(&self) -> [bool; STREAMS] {
        self.fill.map(|it| it.is_cut)
    }

    /// From now on something else is recorded.
    pub(crate) fn forget(mut self) {
        for (stream, fill) in self.recorder.streams.iter().zip(&mut *self.fill) {
            // Its memory goes back.
            if fill.len > 0 && stream.is_whole() {
                let _ = rustix::fs::ftruncate(&stream.file.0, 0);
            }
            *fill = Fill::default();
        }
    }
}

/// Whether a descriptor still leads where it did.
fn is_still((file, key_of_file): &(OwnedFd, Key)) -> bool {
    key(file).is_ok_and(|it| it == *key_of_file)
}

/// From now on what this process writes goes where it went before it was recorded.
pub(crate) fn end_recording() {
    if let Some([output, errors]) = BEFORE.get() {
        flush();
        if is_still(output) {
            let _ = rustix::stdio::dup2_stdout(&output.0);
        }
        if is_still(errors) {
            let _ = rustix::stdio::dup2_stderr(&errors.0);
        }
    }
}

fn pause() {
    let pause = rustix::thread::Timespec { tv_sec: 0, tv_nsec: 1_000_000 };
    let _ = rustix::thread::nanosleep(&pause);
}

#[cfg(all(test, not(concurrent_futures_loom)))]
mod tests {
    use super::*;
    use crate::sys::capture::Transcript;
    use crate::sys::memory::nameless;
    use crate::sys::tests::alone;
    use std::io::Write;

    /// Both sides in one process, and who writes to both streams.
    fn sides(most: usize) -> (Transcript, Recorder, [std::fs::File; STREAMS]) {
        let transcript = Transcript::new(most).unwrap();
        let own = std::process::id();
        let recorder = Recorder::open(own, transcript.ends(), most).unwrap();
        let writers = transcript.ends().map(|(pipe, _)| {
            let path = path_of(own, pipe);
            std::fs::OpenOptions::new().write(true).open(path).unwrap()
        });
        (transcript, recorder, writers)
    }

    fn texts(streams: &[Captured; STREAMS]) -> [&str; STREAMS] {
        streams.each_ref().map(|it| str::from_utf8(&it.bytes).unwrap())
    }

    #[test]
    fn what_was_written_is_found_whether_it_has_been_moved_or_not() {
        let (transcript, recorder, mut writers) = sides(1000);
        writers[0].write_all(b"moved, ").unwrap();
        writers[1].write_all(b"to errors").unwrap();
        assert_eq!(texts(&transcript.so_far()), ["", ""]);
        assert_eq!(recorder.shift(&mut recorder.fill.lock()), Some(16));
        writers[0].write_all(b"and not").unwrap();
        assert_eq!(texts(&transcript.so_far()), ["moved, ", "to errors"]);
        assert_eq!(texts(&transcript.rest()), ["moved, and not", "to errors"]);
    }

    #[test]
    fn what_was_forgotten_is_no_part_of_what_comes_then() {
        let (transcript, recorder, mut writers) = sides(1000);
        for text in ["first", "second"] {
            writers[0].write_all(text.as_bytes()).unwrap();
            let recorded = recorder.recorded().unwrap();
            assert_eq!(texts(&recorded.little().unwrap()), [text, ""]);
            // A death at this moment would leave it where it is.
            assert_eq!(texts(&transcript.so_far()), [text, ""]);
            recorded.forget();
            assert_eq!(texts(&transcript.so_far()), ["", ""]);
        }
    }

    #[test]
    fn both_sides_cut_at_the_limit() {
        for (length, is_cut) in [(9, false), (10, false), (11, true), (5000, true)] {
            let (transcript, recorder, mut writers) = sides(10);
            let expected = Captured { bytes: vec![b'x'; length.min(10)], is_cut };
            writers[1].write_all(&vec![b'x'; length]).unwrap();
            // Nothing has been moved, or all.
            assert_eq!(sides_rest(&transcript), expected);
            writers[1].write_all(&vec![b'x'; length]).unwrap();
            let recorded = recorder.recorded().unwrap();
            assert_eq!(recorded.little().unwrap()[1], expected);
            assert_eq!(transcript.recorded(recorded.are_cut())[1], expected);
            drop(recorded);
            assert_eq!(sides_rest(&transcript), expected);
        }
    }

    fn sides_rest(transcript: &Transcript) -> Captured {
        let [_, errors] = transcript.rest();
        errors
    }

    #[test]
    fn a_file_that_has_another_number_is_left_alone() {
        alone(
            "sys::capture::recorder::tests::a_file_that_has_another_number_is_left_alone",
            || {
                let (_transcript, recorder, mut writers) = sides(1000);
                writers[0].write_all(b"text").unwrap();
                let precious = nameless("precious").unwrap();
                rustix::io::write(&precious, b"precious").unwrap();
                // As a task does that closes what is not its own.
                // SAFETY: it takes plain numbers; the file that is replaced is the recorder's, which expects it.
                let answer = unsafe {
                    libc::dup2(precious.as_raw_fd(), recorder.streams[0].file.0.as_raw_fd())
                };
                assert!(answer >= 0);
                assert!(recorder.recorded().is_none());
                assert_eq!(read_file(&precious, 1000), b"precious");
            },
        );
    }

    /// As a task does that closes all that is open, when it is the first.
    #[test]
    fn who_has_closed_all_descriptors_can_go_on_writing() {
        alone(
            "sys::capture::recorder::tests::who_has_closed_all_descriptors_can_go_on_writing",
            || {
                // The thread that is started then does not run before this one waits for it.
                let here = rustix::thread::sched_getcpu();
                crate::sys::limits::set_affinity(&[here]).unwrap();
                const KEPT: i32 = 100;
                let kept = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), KEPT).unwrap();
                for _ in 0..100 {
                    let (transcript, recorder, writers) = sides(1000);
                    let recorder = Arc::new(recorder);
                    recorder.begin().unwrap();
                    std::mem::forget((transcript, recorder, writers));
                    for (first, last) in
                        [(3, KEPT.cast_unsigned() - 1), (KEPT.cast_unsigned() + 1, u32::MAX)]
                    {
                        // SAFETY: it takes plain numbers. Whoever has one of these expects it.
                        unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
                    }
                    let written = rustix::io::write(rustix::stdio::stdout(), &[b'x'; 200_000]);
                    rustix::stdio::dup2_stdout(&kept).unwrap();
                    assert_eq!(written, Ok(200_000));
                }
            },
        );
    }
}
