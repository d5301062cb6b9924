//! A source that gives only so much for one line, and says when it is at its end.

use std::io::{self, Read};

use super::MAX_LINE_BYTES;

/// Passes a source on, and a mark behind its end.
///
/// A CSV reader takes the end of the file for the end of a quoted cell too. The mark then stands inside that cell,
/// which tells a file that was cut off from one that is whole. A line that never ends, as after a quote that is never
/// closed, is cut off before it fills the memory.
pub(super) struct Bounded<R> {
    source: R,
    /// What of the mark was not given yet.
    mark: &'static [u8],
    allowance: usize,
}

impl<R: Read> Bounded<R> {
    pub(super) const MARK: &[u8] = b"\n\x04\n";

    pub(super) fn new(source: R) -> Self {
        Self { source, mark: Self::MARK, allowance: MAX_LINE_BYTES }
    }

    pub(super) fn begin_line(&mut self) {
        self.allowance = MAX_LINE_BYTES;
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.allowance == 0 {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("it has more than {MAX_LINE_BYTES} bytes"),
            ));
        }
        let room = buffer.len().min(self.allowance);
        let read = match self.source.read(&mut buffer[..room])? {
            0 => self.mark.read(&mut buffer[..room])?,
            read => read,
        };
        self.allowance -= read;
        Ok(read)
    }
}
