//! The kernel of libisal, which chooses the best instructions of the processor itself.
#![allow(unsafe_code)] // the door to libisal

mod sys;

use std::ffi::c_int;

use crate::kernel::Kernel;

/// Bytes given to libisal at once: its lengths are C integers.
const PIECE_BYTES: usize = 1 << 30;
/// Bytes of a table for one coefficient.
const TABLE_BYTES: usize = 32;

/// libisal.
pub(crate) struct Isal;

impl Kernel for Isal {
    fn name(&self) -> &'static str {
        "isal"
    }

    fn crc32c(&self, bytes: &[u8]) -> u32 {
        let step = |sum, piece: &[u8]| {
            // SAFETY: the library reads exactly `piece.len()` bytes, which fit its integer, from `piece`.
            unsafe { sys::crc32_iscsi(piece.as_ptr(), piece.len() as c_int, sum) }
        };
        !bytes.chunks(PIECE_BYTES).fold(u32::MAX, step)
    }

    fn multiply(&self, rows: &[u8], inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
        let length = inputs.first().map_or(0, |input| input.len());
        assert!(inputs.iter().all(|input| input.len() == length), "cells of one length");
        assert!(outputs.iter().all(|output| output.len() == length), "cells of one length");
        assert_eq!(rows.len(), inputs.len() * outputs.len(), "a coefficient for each pair");
        let (sources, made) = (inputs.len() as c_int, outputs.len() as c_int);
        let mut tables = vec![0u8; TABLE_BYTES * rows.len()];
        // SAFETY: it reads `sources * made` coefficients, which is the length of `rows`, and writes 32 bytes for each into
        // `tables`, which has room for them.
        unsafe { sys::ec_init_tables(sources, made, rows.as_ptr(), tables.as_mut_ptr()) };
        for from in (0..length).step_by(PIECE_BYTES) {
            let piece = PIECE_BYTES.min(length - from);
            let data: Vec<*const u8> = inputs.iter().map(|input| input[from..].as_ptr()).collect();
            let coding: Vec<*mut u8> = outputs.iter_mut().map(|output| output[from..].as_mut_ptr()).collect();
            // SAFETY: `data` and `coding` hold `sources` and `made` pointers, each to at least `piece` bytes (checked above);
            // the outputs are borrowed mutably, so they overlap neither each other nor the inputs.
            unsafe {
                sys::ec_encode_data(piece as c_int, sources, made, tables.as_ptr(), data.as_ptr(), coding.as_ptr());
            }
        }
    }
}
