//! Damage that depends on a number only.

/// Values at which sizes, counts and offsets turn.
const TURNS: [u32; 12] =
    [0, 1, 7, 8, 0xff, 0xffff, 0x0100_0000, 0x1000_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff];

/// Pieces that mean something to readers of XML.
const PIECES: [&[u8]; 10] = [
    b"<",
    b"/>",
    b"</package>",
    b"<package type=\"rpm\">",
    b"&#0;",
    b"&lol;",
    b"<!DOCTYPE x [<!ENTITY lol \"lol\">]>",
    b"<![CDATA[",
    b"-99999999999999999999",
    b"../../../../etc/passwd",
];

/// A source of numbers (xorshift64*).
pub(crate) struct Damage(u64);

impl Damage {
    pub(crate) fn new(number: u64) -> Damage {
        Damage(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Below a bound, which is not 0.
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("below a length")
    }

    /// One to four wounds, anywhere or near the front, where counts and sizes are.
    pub(crate) fn done_to(&mut self, original: &[u8], all: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = original.to_vec();
        for _ in 0..=self.below(4) {
            if bytes.len() < 8 {
                break;
            }
            let reach = if self.below(2) == 0 { bytes.len() } else { bytes.len().min(2048) };
            let at = self.below(reach);
            let length = (1 + self.below(64)).min(bytes.len() - at);
            match self.below(9) {
                0 => bytes[at] ^= 1 << self.below(8),
                1 => bytes[at] = u8::try_from(self.below(256)).expect("a byte"),
                2 | 3 => {
                    let turn = TURNS[self.below(TURNS.len())].to_be_bytes();
                    let at = (at & !3).min(bytes.len() - 4);
                    bytes[at..at + 4].copy_from_slice(&turn);
                }
                4 => drop(bytes.drain(at..at + length)),
                5 => {
                    let again = bytes[at..at + length].to_vec();
                    bytes.splice(at..at, again);
                }
                6 => bytes.truncate(at.max(1)),
                7 => {
                    let piece = PIECES[self.below(PIECES.len())];
                    bytes.splice(at..at + length.min(piece.len()), piece.iter().copied());
                }
                _ => {
                    let other = &all[self.below(all.len())];
                    let from = self.below(other.len());
                    let part = &other[from..(from + length).min(other.len())];
                    bytes.splice(at..at + length, part.iter().copied());
                }
            }
        }
        bytes
    }
}
