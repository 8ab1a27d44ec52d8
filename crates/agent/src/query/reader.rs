//! Reads fields off the front of a reply, whose end may come at any byte.

/// A reply that is not what the language says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the reply is not what this kind of game sends")]
pub struct Unreadable;

/// The rest of a reply.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// The next `count` bytes.
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], Unreadable> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Unreadable)?;
        self.0 = rest;
        Ok(taken)
    }

    /// Passes over `prefix`, which must be next.
    pub fn expect(&mut self, prefix: &[u8]) -> Result<(), Unreadable> {
        self.0 = self.0.strip_prefix(prefix).ok_or(Unreadable)?;
        Ok(())
    }

    /// A byte.
    pub fn u8(&mut self) -> Result<u8, Unreadable> {
        let (byte, rest) = self.0.split_first().ok_or(Unreadable)?;
        self.0 = rest;
        Ok(*byte)
    }

    /// The bytes before the next zero byte, which is passed over.
    pub fn text(&mut self) -> Result<&'a [u8], Unreadable> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or(Unreadable)?;
        let text = self.bytes(end)?;
        self.u8()?;
        Ok(text)
    }
}
