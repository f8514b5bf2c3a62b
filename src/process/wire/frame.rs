//! The wire: what stands between two bytes of a stream and a message.
//!
//! A frame is a length, a kind and a body. Neither side trusts the other: a frame that is longer than
//! agreed, or of no known kind, ends the connection; memory grows with the bytes that have really
//! arrived and not with what a length promises; and nothing here panics, whatever the bytes are.

use std::fmt;

/// Length (of the body) and kind.
pub(crate) const HEADER: usize = 9;

/// A body that promises more than this gets its memory as it arrives.
const STEP: usize = 1 << 20;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// To a worker, once: what it is to be.
    Configure,
    /// To a worker: one call.
    Call,
    /// To a worker: what is not in its last frame has been taken: a large outcome has been opened, and long output
    /// has been read.
    Taken,
    /// To a worker: leave.
    Retire,
    /// From a worker, once: who it is.
    Hello,
    /// From a worker, once: it can take calls, or not, and why.
    Ready,
    /// From a worker: a call that was to be announced has begun.
    Begun,
    /// From a worker: the outcome of a call.
    Done,
    /// From a worker: there are outcomes, or there is room, in the shared memory.
    Look,
}

impl Kind {
    const ALL: [Kind; 9] = [
        Kind::Configure,
        Kind::Call,
        Kind::Taken,
        Kind::Retire,
        Kind::Hello,
        Kind::Ready,
        Kind::Begun,
        Kind::Done,
        Kind::Look,
    ];

    fn of(byte: u8) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// The other side broke the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Violation {
    UnknownKind(u8),
    TooLong {
        length: u64,
        most: usize,
    },
    /// A message that cannot be decoded, or makes no sense at this point.
    Nonsense(&'static str),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::UnknownKind(kind) => write!(f, "a frame of the unknown kind {kind}"),
            Violation::TooLong { length, most } => {
                write!(f, "a frame of {length} bytes, where {most} are the most")
            }
            Violation::Nonsense(what) => write!(f, "{what}"),
        }
    }
}

/// The first bytes of a frame whose body has this length.
pub(crate) fn header(kind: Kind, length: usize) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(&(length as u64).to_le_bytes());
    header[8] = kind as u8;
    header
}

/// Puts a frame behind what is in `into`. The body may be continued elsewhere by `more` bytes.
pub(crate) fn put(into: &mut Vec<u8>, kind: Kind, body: &[u8], more: usize) {
    into.extend_from_slice(&header(kind, body.len() + more));
    into.extend_from_slice(body);
}

/// So much space there is at least for what may come.
const ROOM: usize = 64 << 10;

/// More memory than this is not kept when the frame has passed that needed it.
const LARGE: usize = 4 * ROOM;

/// Takes frames out of a stream.
#[derive(Debug)]
pub(crate) struct FrameReader {
    bytes: Vec<u8>,
    /// Where the next frame begins.
    begin: usize,
    /// Where the bytes end that have arrived.
    end: usize,
    most: usize,
}

impl FrameReader {
    /// `most` is the longest body that is accepted.
    pub(crate) fn new(most: usize) -> Self {
        FrameReader { bytes: Vec::new(), begin: 0, end: 0, most }
    }

    /// Space for the next bytes. How many came is told to [`filled`](Self::filled).
    pub(crate) fn space(&mut self) -> &mut [u8] {
        if self.begin == self.end {
            (self.begin, self.end) = (0, 0);
        }
        let missing = match self.announced() {
            // What is still to come of a large body, but not all of it at once.
            Ok(Some((_, length))) => (HEADER + length).saturating_sub(self.end - self.begin),
            _ => 0,
        };
        let wanted = missing.clamp(ROOM, STEP.max(ROOM));
        if self.bytes.len() - self.end < wanted / 2 || self.bytes.len() == self.end {
            self.bytes.copy_within(self.begin..self.end, 0);
            self.end -= self.begin;
            self.begin = 0;
            let least = self.end + wanted;
            if self.bytes.len() < least {
                // Growth in proportion to what has arrived keeps the copying linear.
                self.bytes.resize(least.max(self.end * 2), 0);
            }
        }
        &mut self.bytes[self.end..]
    }

    /// So many bytes have been put into the space.
    pub(crate) fn filled(&mut self, count: usize) {
        self.end += count.min(self.bytes.len() - self.end);
    }

    #[cfg(test)]
    pub(crate) fn append(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let space = self.space();
            let count = bytes.len().min(space.len());
            space[..count].copy_from_slice(&bytes[..count]);
            self.filled(count);
            bytes = &bytes[count..];
        }
    }

    /// Kind and length of the frame that begins the unread bytes.
    fn announced(&self) -> Result<Option<(Kind, usize)>, Violation> {
        let unread = &self.bytes[self.begin..self.end];
        let Some((header, _)) = unread.split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let [length @ .., kind] = header;
        let length = u64::from_le_bytes(*length);
        let kind = Kind::of(*kind).ok_or(Violation::UnknownKind(*kind))?;
        match usize::try_from(length) {
            Ok(length) if length <= self.most => Ok(Some((kind, length))),
            _ => Err(Violation::TooLong { length, most: self.most }),
        }
    }

    /// The next whole frame.
    pub(crate) fn next(&mut self) -> Result<Option<(Kind, &[u8])>, Violation> {
        let body = self.begin + HEADER;
        match self.announced()? {
            Some((kind, length)) if self.end - body >= length => {
                self.begin = body + length;
                Ok(Some((kind, &self.bytes[body..body + length])))
            }
            _ => {
                self.shrink();
                Ok(None)
            }
        }
    }

    /// Gives back what only frames have needed that have passed. Now, for it may be long until there is more to
    /// read.
    fn shrink(&mut self) {
        if self.begin > 0 && self.bytes.len() > LARGE {
            self.bytes = self.bytes[self.begin..self.end].to_vec();
            self.end -= self.begin;
            self.begin = 0;
        }
    }
}

#[cfg(all(test, not(concurrent_futures_loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kinds() -> impl Strategy<Value = Kind> {
        (0..Kind::ALL.len()).prop_map(|index| Kind::ALL[index])
    }

    proptest! {
        #[test]
        fn frames_come_out_as_they_went_in(
            frames in prop::collection::vec((kinds(), prop::collection::vec(any::<u8>(), 0..300)), 0..40),
            cut in 1..700_usize,
        ) {
            let mut stream = Vec::new();
            for (kind, body) in &frames {
                put(&mut stream, *kind, body, 0);
            }
            let mut reader = FrameReader::new(300);
            let mut read = Vec::new();
            for piece in stream.chunks(cut) {
                reader.append(piece);
                while let Some((kind, body)) = reader.next().unwrap() {
                    read.push((kind, body.to_vec()));
                }
            }
            prop_assert_eq!(read, frames);
        }

        #[test]
        fn any_bytes_give_frames_or_a_violation(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20),
        ) {
            let mut reader = FrameReader::new(1 << 40);
            'reading: for piece in &pieces {
                reader.append(piece);
                loop {
                    match reader.next() {
                        Ok(Some(_)) => {}
                        Ok(None) => break,
                        Err(_) => break 'reading,
                    }
                }
            }
            prop_assert!(reader.bytes.len() <= 4 * STEP, "{} bytes", reader.bytes.len());
        }
    }

    #[test]
    fn a_promise_of_many_bytes_takes_no_memory() {
        let mut reader = FrameReader::new(usize::MAX);
        reader.append(&header(Kind::Done, 1 << 45));
        assert!(matches!(reader.next(), Ok(None)));
        assert!(reader.space().len() <= 2 * STEP);
    }

    #[test]
    fn a_frame_longer_than_agreed_is_a_violation() {
        let mut reader = FrameReader::new(10);
        reader.append(&header(Kind::Done, 11));
        assert_eq!(reader.next(), Err(Violation::TooLong { length: 11, most: 10 }));
    }

    #[test]
    fn a_frame_of_no_kind_is_a_violation() {
        let mut reader = FrameReader::new(10);
        reader.append(&[0, 0, 0, 0, 0, 0, 0, 0, 200]);
        assert_eq!(reader.next(), Err(Violation::UnknownKind(200)));
    }

    #[test]
    fn the_memory_of_a_large_frame_is_not_kept() {
        let mut reader = FrameReader::new(usize::MAX);
        let mut stream = Vec::new();
        put(&mut stream, Kind::Done, &vec![7; 10 << 20], 0);
        reader.append(&stream);
        reader.append(&header(Kind::Look, 0)[..4]);
        assert!(matches!(reader.next(), Ok(Some((Kind::Done, body))) if body.len() == 10 << 20));
        assert_eq!(reader.next(), Ok(None));
        assert_eq!(reader.bytes.capacity(), 4);
        // What has come of the next one is still there.
        reader.append(&header(Kind::Look, 0)[4..]);
        assert_eq!(reader.next(), Ok(Some((Kind::Look, &[][..]))));
    }
}
