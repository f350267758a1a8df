//! Our own kernel, and the field GF(2^8) with the polynomial x^8 + x^4 + x^3 + x^2 + 1 (0x11d), the one of ISA-L and of RAID 6.

use crate::kernel::Kernel;

const POLYNOMIAL: u16 = 0x11d;

const fn tables() -> ([u8; 512], [u8; 256]) {
    let mut powers = [0; 512];
    let mut logarithms = [0; 256];
    let mut value = 1u16;
    let mut exponent = 0;
    while exponent < 255 {
        powers[exponent] = value as u8;
        powers[exponent + 255] = value as u8;
        logarithms[value as usize] = exponent as u8;
        value <<= 1;
        if value & 0x100 != 0 {
            value ^= POLYNOMIAL;
        }
        exponent += 1;
    }
    (powers, logarithms)
}

/// Powers of the generator 2, twice over so that a sum of two logarithms needs no reduction; and logarithms.
static TABLES: ([u8; 512], [u8; 256]) = tables();

/// The product.
pub(crate) fn product(a: u8, b: u8) -> u8 {
    let (powers, logarithms) = &TABLES;
    if a == 0 || b == 0 {
        return 0;
    }
    powers[usize::from(logarithms[usize::from(a)]) + usize::from(logarithms[usize::from(b)])]
}

/// The inverse; zero has none.
pub(crate) fn inverse(a: u8) -> Option<u8> {
    let (powers, logarithms) = &TABLES;
    (a != 0).then(|| powers[255 - usize::from(logarithms[usize::from(a)])])
}

/// Portable code; checksums by `crc-fast`, which uses the processor's instructions.
pub(crate) struct Own;

impl Kernel for Own {
    fn name(&self) -> &'static str {
        "rust"
    }

    fn crc32c(&self, bytes: &[u8]) -> u32 {
        crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes) as u32
    }

    fn multiply(&self, rows: &[u8], inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
        for (row, output) in rows.chunks(inputs.len()).zip(outputs) {
            output.fill(0);
            for (coefficient, input) in row.iter().zip(inputs) {
                let products: [u8; 256] = std::array::from_fn(|byte| product(*coefficient, byte as u8));
                for (sum, byte) in output.iter_mut().zip(*input) {
                    *sum ^= products[usize::from(*byte)];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Multiplication as it is defined: shift and add, reduced.
    fn by_definition(a: u8, b: u8) -> u8 {
        let mut sum = 0u16;
        for bit in 0..8 {
            if b & (1 << bit) != 0 {
                sum ^= u16::from(a) << bit;
            }
        }
        for bit in (8..16).rev() {
            if sum & (1 << bit) != 0 {
                sum ^= POLYNOMIAL << (bit - 8);
            }
        }
        sum as u8
    }

    #[test]
    fn products_and_inverses_are_those_of_the_field() {
        for a in 0..=255 {
            for b in 0..=255 {
                assert_eq!(product(a, b), by_definition(a, b), "{a} * {b}");
            }
            assert_eq!(inverse(a).map(|inverse| product(a, inverse)), (a != 0).then_some(1), "{a}");
        }
    }
}
