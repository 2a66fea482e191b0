//! A position in the bytes, with the primitives of the encoding.

use std::ops::Range;

/// What is wrong with the bytes, and where.
#[derive(Debug)]
pub(super) struct Fault {
    /// Offset in the file.
    pub at: usize,
    /// What was expected and found.
    pub message: String,
    /// True for a sound file that holds something kiln does not read.
    pub unsupported: bool,
}

pub(super) type Read<T> = Result<T, Fault>;

/// A part of the file that is read from front to back. Positions count from the start of the file.
#[derive(Clone)]
pub(super) struct Cursor<'b> {
    bytes: &'b [u8],
    at: usize,
    end: usize,
}

impl<'b> Cursor<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Cursor<'b> {
        Cursor { bytes, at: 0, end: bytes.len() }
    }

    /// A cursor over a part of the same file.
    pub(super) fn over(&self, range: Range<usize>) -> Cursor<'b> {
        let end = range.end.min(self.bytes.len());
        Cursor { bytes: self.bytes, at: range.start.min(end), end }
    }

    pub(super) fn place(&self) -> usize {
        self.at
    }

    pub(super) fn remaining(&self) -> usize {
        self.end - self.at
    }

    pub(super) fn at_end(&self) -> bool {
        self.at == self.end
    }

    pub(super) fn fail<T>(&self, message: impl Into<String>) -> Read<T> {
        Err(Fault { at: self.at, message: message.into(), unsupported: false })
    }

    pub(super) fn unsupported<T>(&self, message: impl Into<String>) -> Read<T> {
        Err(Fault { at: self.at, message: message.into(), unsupported: true })
    }

    pub(super) fn byte(&mut self) -> Read<u8> {
        if self.at_end() {
            return self.fail("the bytes end early");
        }
        self.at += 1;
        Ok(self.bytes[self.at - 1])
    }

    pub(super) fn take(&mut self, count: usize) -> Read<&'b [u8]> {
        let range = self.range(count)?;
        Ok(&self.bytes[range])
    }

    /// The positions of the next bytes, which are passed over.
    pub(super) fn range(&mut self, count: usize) -> Read<Range<usize>> {
        if count > self.remaining() {
            return self.fail(format!("{count} bytes are announced, {} are left", self.remaining()));
        }
        self.at += count;
        Ok(self.at - count..self.at)
    }

    /// A number of 1 to 9 bytes: the zeros below the lowest set bit of the first byte count the bytes behind it.
    pub(super) fn varint(&mut self) -> Read<u64> {
        let first = self.byte()?;
        let more = first.trailing_zeros() as usize;
        let mut wide = [0u8; 8];
        if more == 8 {
            wide.copy_from_slice(self.take(8)?);
            return Ok(u64::from_le_bytes(wide));
        }
        wide[0] = first;
        wide[1..=more].copy_from_slice(self.take(more)?);
        Ok(u64::from_le_bytes(wide) >> (more + 1))
    }

    /// A signed number: the sign in the lowest bit.
    pub(super) fn signed(&mut self) -> Read<i64> {
        let n = self.varint()?;
        Ok((n >> 1) as i64 ^ -((n & 1) as i64))
    }

    /// A number with a flag in the lowest bit.
    pub(super) fn flagged(&mut self) -> Read<(usize, bool)> {
        let n = self.varint()?;
        Ok((usize::try_from(n >> 1).unwrap_or(usize::MAX), n & 1 == 1))
    }

    /// A position in a table or a size. What it counts is checked where it is used.
    pub(super) fn index(&mut self) -> Read<usize> {
        Ok(usize::try_from(self.varint()?).unwrap_or(usize::MAX))
    }

    /// The number of things that follow, each of at least one byte.
    pub(super) fn count(&mut self) -> Read<usize> {
        let n = self.index()?;
        if n > self.remaining() {
            return self.fail(format!("{n} entries are announced in {} bytes", self.remaining()));
        }
        Ok(n)
    }

    /// Bytes with their number before them.
    pub(super) fn blob(&mut self) -> Read<&'b [u8]> {
        let n = self.index()?;
        self.take(n)
    }

    /// Bytes up to a zero, which is passed over.
    pub(super) fn terminated(&mut self) -> Read<&'b [u8]> {
        let rest = &self.bytes[self.at..self.end];
        match rest.iter().position(|b| *b == 0) {
            Some(n) => {
                self.at += n + 1;
                Ok(&rest[..n])
            }
            None => self.fail("a string without an end"),
        }
    }

    /// A section: its kind and what it holds.
    pub(super) fn section(&mut self) -> Read<(u8, Range<usize>)> {
        let head = self.byte()?;
        let length = self.index()?;
        if head & 0x80 != 0 {
            let alignment = self.index()?;
            if !alignment.is_power_of_two() || alignment > 1 << 20 {
                return self.fail(format!("an alignment of {alignment}"));
            }
            while !self.at.is_multiple_of(alignment) {
                if self.byte()? != 0xCB {
                    self.at -= 1;
                    return self.fail("padding bytes that are none");
                }
            }
        }
        Ok((head & 0x7F, self.range(length)?))
    }
}

#[cfg(test)]
mod tests {
    use super::Cursor;

    #[test]
    fn numbers_of_every_length() {
        for n in [0, 1, 127, 128, 1 << 14, (1 << 21) - 1, 1 << 27, 1 << 35, 1 << 48, (1 << 56) - 1, 1 << 56, u64::MAX] {
            let bytes = (1..=9usize).find(|b| *b == 9 || n < 1 << (7 * b)).expect("nine bytes hold all");
            let mut encoded = match bytes {
                9 => [vec![0], n.to_le_bytes().to_vec()].concat(),
                b => ((n << b) | 1 << (b - 1)).to_le_bytes()[..b].to_vec(),
            };
            assert_eq!(Cursor::new(&encoded).varint().expect("whole"), n, "{n}");
            encoded.pop();
            assert!(Cursor::new(&encoded).varint().is_err(), "{n} cut short");
        }
        for (byte, n) in [(1, 0), (3, -1), (5, 1), (7, -2), (9, 2)] {
            assert_eq!(Cursor::new(&[byte]).signed().expect("whole"), n);
        }
        assert_eq!(Cursor::new(&[0, 255, 255, 255, 255, 255, 255, 255, 255]).signed().expect("whole"), i64::MIN);
    }

    #[test]
    fn sections_are_aligned_and_bounded() {
        let (kind, range) =
            Cursor::new(&[0x84, 0x05, 0x11, 0xCB, 0xCB, 0xCB, 0xCB, 0xCB, 7, 8]).section().expect("whole");
        assert_eq!((kind, range), (4, 8..10));
        assert!(Cursor::new(&[0x84, 0x05, 0x11, 0xCB, 0, 0xCB, 0xCB, 0xCB, 7, 8]).section().is_err(), "padding");
        assert!(Cursor::new(&[0x84, 0x05, 0x0D, 0xCB]).section().is_err(), "no power of two");
        assert!(Cursor::new(&[0x04, 0x05, 7]).section().is_err(), "cut short");
    }
}
