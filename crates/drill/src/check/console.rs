//! Console numbers grow by one, whoever reads them and however often the reader comes back.

use super::Fault;

/// The numbers that one reader has seen.
#[derive(Debug, Default)]
pub struct Numbers {
    first: Option<u64>,
    last: Option<u64>,
    faults: Vec<Fault>,
}

impl Numbers {
    /// Faults that are remembered; more would only repeat them.
    const MOST: usize = 20;

    /// The last number; a reader that comes back asks for what follows it.
    pub const fn last(&self) -> Option<u64> {
        self.last
    }

    /// Takes note of a line.
    pub fn line(&mut self, reader: &str, number: u64) {
        if let Some(last) = self.last
            && number != last + 1
        {
            let how = if number <= last { "came again" } else { "came too early" };
            self.fault(format!("{reader}: line {number} {how}; {} was due.", last + 1));
        }
        self.first.get_or_insert(number);
        self.last = Some(self.last.map_or(number, |last| last.max(number)));
    }

    /// Takes note of lines that the installation itself says are missing.
    pub fn gap(&mut self, reader: &str, from: u64, to: u64) {
        self.fault(format!("{reader}: lines {from} to {to} are announced as missing."));
        self.last = Some(self.last.map_or(to, |last| last.max(to)));
    }

    fn fault(&mut self, text: String) {
        if self.faults.len() < Self::MOST {
            self.faults.push(Fault::Gap(text));
        }
    }

    /// What was wrong, when `end` is the number of the last line that there is.
    pub fn judge(mut self, reader: &str, end: u64) -> Vec<Fault> {
        match self.last {
            Some(last) if last < end => self.fault(format!("{reader}: saw nothing after line {last} of {end}.")),
            None if end > 0 => self.fault(format!("{reader}: saw none of {end} lines.")),
            _ => {}
        }
        self.faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(numbers: &[u64], end: u64) -> Vec<Fault> {
        let mut seen = Numbers::default();
        for &number in numbers {
            seen.line("reader", number);
        }
        seen.judge("reader", end)
    }

    #[test]
    fn numbers_without_a_gap_are_right() {
        assert_eq!(judge(&[3, 4, 5], 5), []);
        assert_eq!(judge(&[], 0), []);
    }

    #[test]
    fn every_irregularity_is_a_fault() {
        for (numbers, end) in [(&[1, 3][..], 3), (&[1, 2, 2], 2), (&[1, 2, 1], 2), (&[1, 2], 3), (&[], 1)] {
            assert_eq!(judge(numbers, end).len(), 1, "{numbers:?} of {end}");
        }
        let mut seen = Numbers::default();
        seen.line("reader", 1);
        seen.gap("reader", 2, 4);
        seen.line("reader", 5);
        assert_eq!(seen.judge("reader", 5).len(), 1, "an announced gap is a gap");
    }
}
