//! What is used of libisal: declarations as in `isa-l/crc.h` and `isa-l/erasure_code.h` (2.30 and later).

use std::ffi::{c_int, c_uint};

#[link(name = "isal")]
unsafe extern "C" {
    /// CRC32C without its first and last inversion.
    pub(super) fn crc32_iscsi(buffer: *const u8, length: c_int, initial: c_uint) -> c_uint;
    /// Expands `rows * inputs` coefficients to 32 bytes each.
    pub(super) fn ec_init_tables(inputs: c_int, rows: c_int, coefficients: *const u8, tables: *mut u8);
    /// Multiplies `inputs` buffers of `length` bytes into `rows` others.
    pub(super) fn ec_encode_data(
        length: c_int,
        inputs: c_int,
        rows: c_int,
        tables: *const u8,
        data: *const *const u8,
        coding: *const *mut u8,
    );
}
