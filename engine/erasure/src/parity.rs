//! Erasure codes: parity cells from data cells, and lost cells from those that are left.
//!
//! A systematic Reed-Solomon code. Parity row `i` has the coefficients `1 / (i ^ j)`, rows counted from the number of data cells
//! on: a Cauchy matrix, of which every square part can be inverted, so any cells may be lost as long as as many are left
//! as there were data cells. It is the matrix of ISA-L's `gf_gen_cauchy1_matrix`, so cells made there can be restored here.

use crate::galois::{inverse, product};
use crate::kernel::{self, Kernel};

/// Most cells of a stripe: the field has no more different rows.
pub const MAX_CELLS: usize = 255;

/// A shape of stripes: so many data cells, so many parity cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    data: usize,
    parity: usize,
    /// `parity` rows of `data` coefficients.
    rows: Vec<u8>,
}

/// Why no cells were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParityError {
    /// No such stripe.
    #[error(
        "a stripe has at least one data cell, one parity cell and at most {MAX_CELLS} cells, not {data} and {parity}"
    )]
    Shape {
        /// Data cells asked for.
        data: usize,
        /// Parity cells asked for.
        parity: usize,
    },
    /// Too few or too many cells were given.
    #[error("the stripe has {expected} cells, {given} were given")]
    Count {
        /// What the shape says.
        expected: usize,
        /// How many came.
        given: usize,
    },
    /// Cells of one stripe have one length.
    #[error("the cells of a stripe have different lengths")]
    Length,
    /// More is lost than parity can restore.
    #[error("{left} cells are left, {needed} are needed")]
    Lost {
        /// Cells given.
        left: usize,
        /// Data cells of the shape.
        needed: usize,
    },
}

impl Code {
    /// A code for stripes of `data` and `parity` cells.
    pub fn new(data: usize, parity: usize) -> Result<Code, ParityError> {
        if data == 0 || parity == 0 || data.saturating_add(parity) > MAX_CELLS {
            return Err(ParityError::Shape { data, parity });
        }
        let coefficient = |row: usize, column: usize| {
            inverse((row ^ column) as u8).expect("a parity row's number is no data column's")
        };
        let rows = (data..data + parity).flat_map(|row| (0..data).map(move |column| coefficient(row, column)));
        Ok(Code { data, parity, rows: rows.collect() })
    }

    /// The parity cells of data cells of one length.
    pub fn encode(&self, cells: &[&[u8]]) -> Result<Vec<Vec<u8>>, ParityError> {
        self.encode_by(kernel::parity(), cells)
    }

    pub(crate) fn encode_by(&self, kernel: &dyn Kernel, cells: &[&[u8]]) -> Result<Vec<Vec<u8>>, ParityError> {
        if cells.len() != self.data {
            return Err(ParityError::Count { expected: self.data, given: cells.len() });
        }
        combine(kernel, &self.rows, cells)
    }

    /// The lost cells (`None`), in their order, from the others: data cells first, then parity cells.
    pub fn restore(&self, cells: &[Option<&[u8]>]) -> Result<Vec<Vec<u8>>, ParityError> {
        self.restore_by(kernel::parity(), cells)
    }

    pub(crate) fn restore_by(&self, kernel: &dyn Kernel, cells: &[Option<&[u8]>]) -> Result<Vec<Vec<u8>>, ParityError> {
        if cells.len() != self.data + self.parity {
            return Err(ParityError::Count { expected: self.data + self.parity, given: cells.len() });
        }
        let left: Vec<(usize, &[u8])> =
            cells.iter().enumerate().filter_map(|(index, cell)| cell.map(|cell| (index, cell))).collect();
        if left.len() < self.data {
            return Err(ParityError::Lost { left: left.len(), needed: self.data });
        }
        let (used, inputs): (Vec<usize>, Vec<&[u8]>) = left.into_iter().take(self.data).unzip();
        // What is left is this matrix times the data; its inverse times what is left is the data.
        let from_left = inverted(used.iter().flat_map(|index| self.row(*index)).collect(), self.data);
        let lost = (0..cells.len()).filter(|index| cells[*index].is_none());
        let rows: Vec<u8> = lost.flat_map(|index| times(&self.row(index), &from_left)).collect();
        combine(kernel, &rows, &inputs)
    }

    /// How a cell comes from the data: a row of the identity, or of parity.
    fn row(&self, index: usize) -> Vec<u8> {
        match index.checked_sub(self.data) {
            None => (0..self.data).map(|column| u8::from(column == index)).collect(),
            Some(parity) => self.rows[parity * self.data..(parity + 1) * self.data].to_vec(),
        }
    }
}

fn combine(kernel: &dyn Kernel, rows: &[u8], cells: &[&[u8]]) -> Result<Vec<Vec<u8>>, ParityError> {
    let length = cells[0].len();
    if cells.iter().any(|cell| cell.len() != length) {
        return Err(ParityError::Length);
    }
    let mut made = vec![vec![0; length]; rows.len() / cells.len()];
    if !made.is_empty() && length > 0 {
        let mut outputs: Vec<&mut [u8]> = made.iter_mut().map(Vec::as_mut_slice).collect();
        kernel.multiply(rows, cells, &mut outputs);
    }
    Ok(made)
}

/// A row times a square matrix.
fn times(row: &[u8], matrix: &[u8]) -> Vec<u8> {
    let size = row.len();
    (0..size).map(|column| (0..size).fold(0, |sum, n| sum ^ product(row[n], matrix[n * size + column]))).collect()
}

/// The inverse of a square matrix, by Gauss and Jordan.
fn inverted(mut matrix: Vec<u8>, size: usize) -> Vec<u8> {
    let mut result: Vec<u8> = (0..size * size).map(|n| u8::from(n / size == n % size)).collect();
    for pivot in 0..size {
        let row = (pivot..size).find(|row| matrix[row * size + pivot] != 0);
        let row = row.expect("rows of the identity and of a Cauchy matrix are independent");
        let factor = inverse(matrix[row * size + pivot]).expect("it is not zero");
        for part in [&mut matrix, &mut result] {
            for column in 0..size {
                part.swap(row * size + column, pivot * size + column);
                let at = pivot * size + column;
                part[at] = product(part[at], factor);
            }
        }
        for row in (0..size).filter(|row| *row != pivot) {
            let factor = matrix[row * size + pivot];
            for part in [&mut matrix, &mut result] {
                for column in 0..size {
                    part[row * size + column] ^= product(factor, part[pivot * size + column]);
                }
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::KERNELS;
    use proptest::prelude::*;

    /// A shape, the bytes of its data cells, and an order in which cells are lost.
    fn stripes() -> impl Strategy<Value = (Code, Vec<Vec<u8>>, Vec<usize>)> {
        (1usize..=20, 1usize..=6, 0usize..5000).prop_flat_map(|(data, parity, length)| {
            let cells = prop::collection::vec(prop::collection::vec(any::<u8>(), length), data);
            let order = Just((0..data + parity).collect::<Vec<_>>()).prop_shuffle();
            (Just(Code::new(data, parity).unwrap()), cells, order)
        })
    }

    proptest! {
        #[test]
        fn all_kernels_make_the_same_parity_and_restore_what_was_lost((code, data, order) in stripes()) {
            let cells: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
            let parity = code.encode_by(KERNELS[0], &cells).unwrap();
            let whole: Vec<&[u8]> = cells.iter().copied().chain(parity.iter().map(Vec::as_slice)).collect();
            for kernel in KERNELS {
                prop_assert_eq!(&code.encode_by(*kernel, &cells).unwrap(), &parity, "{}", kernel.name());
                for count in 0..=code.parity {
                    let mut lost = order[..count].to_vec();
                    lost.sort_unstable();
                    let left: Vec<_> = (0..whole.len()).map(|n| (!lost.contains(&n)).then_some(whole[n])).collect();
                    let expected: Vec<_> = lost.iter().map(|n| whole[*n].to_vec()).collect();
                    prop_assert_eq!(code.restore_by(*kernel, &left).unwrap(), expected, "{}", kernel.name());
                }
                let left: Vec<_> = (0..whole.len()).map(|n| order[code.parity + 1..].contains(&n).then_some(whole[n])).collect();
                let refused = ParityError::Lost { left: code.data - 1, needed: code.data };
                prop_assert_eq!(code.restore_by(*kernel, &left), Err(refused));
            }
        }

        #[test]
        fn parity_of_equal_cells_is_what_the_matrix_says(length in 1usize..100) {
            // Two equal data cells and coefficients 1 / (2 ^ 0) and 1 / (2 ^ 1): parity is the sum of those times the cell.
            let cell: Vec<u8> = (0..length).map(|n| n as u8).collect();
            let parity = Code::new(2, 1).unwrap().encode(&[&cell, &cell]).unwrap();
            let factor = inverse(2).unwrap() ^ inverse(3).unwrap();
            prop_assert_eq!(&parity[0], &cell.iter().map(|byte| product(*byte, factor)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn stripes_that_cannot_be_are_refused() {
        for (data, parity) in [(0, 1), (1, 0), (200, 56), (usize::MAX, 1)] {
            assert_eq!(Code::new(data, parity), Err(ParityError::Shape { data, parity }));
        }
        let code = Code::new(2, 1).unwrap();
        assert_eq!(code.encode(&[b"a"]), Err(ParityError::Count { expected: 2, given: 1 }));
        assert_eq!(code.encode(&[b"a", b"bc"]), Err(ParityError::Length));
        assert_eq!(code.restore(&[None, Some(b"a")]), Err(ParityError::Count { expected: 3, given: 2 }));
    }
}
