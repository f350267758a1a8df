//! aarch64: instructions beyond ARMv8.0-A with floating point and SIMD. Every instruction has 32 bits; those of an extension have some bits in
//! common (Arm Architecture Reference Manual, C4.1). The table has the extensions that compilers and libraries use; memory tagging, flag
//! manipulation and what came after ARMv9.0 are not in it.

use std::collections::BTreeSet;

use crate::elf::Function;

/// Rust's name of the processor that has nothing beyond.
pub(super) const BASELINE: &str = "generic";

/// An extension, the bits that are looked at, and what they are.
const EXTENSIONS: [(&str, u32, u32); 31] = [
    // Compare and swap, of one register and of a pair.
    ("LSE", 0x3fa0_7c00, 0x08a0_7c00),
    ("LSE", 0xbfa0_7c00, 0x0820_7c00),
    // Atomic operations on memory; LDAPR lies among them and is told before.
    ("LRCPC", 0x3fff_fc00, 0x38bf_c000),
    ("LRCPC", 0x3f20_0c00, 0x1900_0000),
    ("LSE", 0x3f20_0c00, 0x3820_0000),
    ("CRC32", 0x7fe0_e000, 0x1ac0_4000),
    ("AES", 0xff3e_0c00, 0x4e28_0800),
    ("PMULL", 0xbfe0_fc00, 0x0ee0_e000),
    ("SHA1 or SHA256", 0xff3e_0c00, 0x5e28_0800),
    ("SHA1 or SHA256", 0xffe0_8c00, 0x5e00_0000),
    ("SHA3, SHA512, SM3 or SM4", 0xff00_0000, 0xce00_0000),
    ("RDM", 0xbf20_f400, 0x2e00_8400),
    ("dot product", 0x9fe0_fc00, 0x0e80_9400),
    ("dot product", 0x9fc0_f400, 0x0f80_e000),
    ("I8MM", 0xbfe0_fc00, 0x0e80_9c00),
    ("I8MM", 0xdfe0_f400, 0x4e80_a400),
    ("BF16", 0xbfe0_fc00, 0x2e40_fc00),
    ("BF16", 0xffe0_fc00, 0x6e40_ec00),
    ("FCMA", 0xbf20_e400, 0x2e00_c400),
    ("FCMA", 0xbf20_ec00, 0x2e00_e400),
    ("half precision", 0x9f60_c400, 0x0e40_0400),
    ("half precision", 0x9f7e_0c00, 0x0e78_0800),
    ("half precision", 0xffe0_0c00, 0x1ee0_0800),
    ("half precision", 0xffe0_fc00, 0x1ee0_2000),
    ("half precision", 0xffc0_0000, 0x1fc0_0000),
    ("JSCVT", 0xffff_fc00, 0x1e7e_0000),
    // Authenticated returns, branches and loads; those that are hints do nothing on older processors.
    ("pointer authentication", 0xffff_fbff, 0xd65f_0bff),
    ("pointer authentication", 0xfe9f_f800, 0xd61f_0800),
    ("pointer authentication", 0xff20_0400, 0xf820_0400),
    ("SVE", 0x1e00_0000, 0x0400_0000),
    ("SME", 0x9e00_0000, 0x8000_0000),
];

/// The extensions that a function uses.
pub(super) fn beyond(function: &Function<'_>) -> BTreeSet<&'static str> {
    let words = function.bytes.as_chunks::<4>().0;
    words.iter().filter_map(|word| extension(u32::from_le_bytes(*word))).collect()
}

fn extension(word: u32) -> Option<&'static str> {
    EXTENSIONS.iter().find(|(_, mask, value)| word & mask == *value).map(|(name, _, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::extension;

    /// As GNU as 2.40 assembles them with `.arch armv9-a+...`.
    const BEYOND: &[(&str, u32, &str)] = &[
        ("cas w0, w1, [x2]", 0x88a0_7c41, "LSE"),
        ("casal x0, x1, [x2]", 0xc8e0_fc41, "LSE"),
        ("casp x0, x1, x2, x3, [x4]", 0x4820_7c82, "LSE"),
        ("caspal w0, w1, w2, w3, [x4]", 0x0860_fc82, "LSE"),
        ("ldadd x0, x1, [x2]", 0xf820_0041, "LSE"),
        ("swpal w0, w1, [x2]", 0xb8e0_8041, "LSE"),
        ("ldsetb w0, w1, [x2]", 0x3820_3041, "LSE"),
        ("stadd x0, [x1]", 0xf820_003f, "LSE"),
        ("ldapr x0, [x1]", 0xf8bf_c020, "LRCPC"),
        ("ldaprb w0, [x1]", 0x38bf_c020, "LRCPC"),
        ("ldapur x0, [x1, #8]", 0xd940_8020, "LRCPC"),
        ("crc32b w0, w1, w2", 0x1ac2_4020, "CRC32"),
        ("crc32cx w0, w1, x2", 0x9ac2_5c20, "CRC32"),
        ("aese v0.16b, v1.16b", 0x4e28_4820, "AES"),
        ("aesmc v0.16b, v1.16b", 0x4e28_6820, "AES"),
        ("pmull v0.1q, v1.1d, v2.1d", 0x0ee2_e020, "PMULL"),
        ("pmull2 v0.1q, v1.2d, v2.2d", 0x4ee2_e020, "PMULL"),
        ("sha1h s0, s1", 0x5e28_0820, "SHA1 or SHA256"),
        ("sha256su0 v0.4s, v1.4s", 0x5e28_2820, "SHA1 or SHA256"),
        ("sha256h q0, q1, v2.4s", 0x5e02_4020, "SHA1 or SHA256"),
        ("sha1c q0, s1, v2.4s", 0x5e02_0020, "SHA1 or SHA256"),
        ("sha512h q0, q1, v2.2d", 0xce62_8020, "SHA3, SHA512, SM3 or SM4"),
        ("eor3 v0.16b, v1.16b, v2.16b, v3.16b", 0xce02_0c20, "SHA3, SHA512, SM3 or SM4"),
        ("sm4e v0.4s, v1.4s", 0xcec0_8420, "SHA3, SHA512, SM3 or SM4"),
        ("sqrdmlah v0.4s, v1.4s, v2.4s", 0x6e82_8420, "RDM"),
        ("udot v0.4s, v1.16b, v2.16b", 0x6e82_9420, "dot product"),
        ("sdot v0.2s, v1.8b, v2.8b", 0x0e82_9420, "dot product"),
        ("udot v0.4s, v1.16b, v2.4b[1]", 0x6fa2_e020, "dot product"),
        ("usdot v0.4s, v1.16b, v2.16b", 0x4e82_9c20, "I8MM"),
        ("smmla v0.4s, v1.16b, v2.16b", 0x4e82_a420, "I8MM"),
        ("bfdot v0.4s, v1.8h, v2.8h", 0x6e42_fc20, "BF16"),
        ("bfmmla v0.4s, v1.8h, v2.8h", 0x6e42_ec20, "BF16"),
        ("fcmla v0.4s, v1.4s, v2.4s, #90", 0x6e82_cc20, "FCMA"),
        ("fcadd v0.4s, v1.4s, v2.4s, #90", 0x6e82_e420, "FCMA"),
        ("fadd v0.8h, v1.8h, v2.8h", 0x4e42_1420, "half precision"),
        ("fmul v0.4h, v1.4h, v2.4h", 0x2e42_1c20, "half precision"),
        ("fabs v0.8h, v1.8h", 0x4ef8_f820, "half precision"),
        ("fcvtzs v0.8h, v1.8h", 0x4ef9_b820, "half precision"),
        ("fjcvtzs w0, d1", 0x1e7e_0020, "JSCVT"),
        ("retaa", 0xd65f_0bff, "pointer authentication"),
        ("retab", 0xd65f_0fff, "pointer authentication"),
        ("braa x0, x1", 0xd71f_0801, "pointer authentication"),
        ("blraaz x0", 0xd63f_081f, "pointer authentication"),
        ("add z0.s, z1.s, z2.s", 0x04a2_0020, "SVE"),
        ("ptrue p0.b", 0x2518_e3e0, "SVE"),
        ("ld1w {z0.s}, p0/z, [x0]", 0xa540_a000, "SVE"),
        ("whilelo p0.s, x0, x1", 0x25a1_1c00, "SVE"),
        ("cntd x0", 0x04e0_e3e0, "SVE"),
        ("fadd h0, h1, h2", 0x1ee2_2820, "half precision"),
        ("fmadd h0, h1, h2, h3", 0x1fc2_0c20, "half precision"),
        ("fcmp h0, h1", 0x1ee1_2000, "half precision"),
        ("ldraa x0, [x1, #8]", 0xf820_1420, "pointer authentication"),
    ];

    /// Of ARMv8.0-A, some next to an extension's place.
    const WITHIN: &[(&str, u32)] = &[
        ("ldxr x0, [x1]", 0xc85f_7c20),
        ("stlxr w0, x1, [x2]", 0xc800_fc41),
        ("ldxp x0, x1, [x2]", 0xc87f_0440),
        ("stxp w0, x1, x2, [x3]", 0xc820_0861),
        ("ldaxr w0, [x1]", 0x885f_fc20),
        ("stlr x0, [x1]", 0xc89f_fc20),
        ("ldar x0, [x1]", 0xc8df_fc20),
        ("ldr x0, [x1, x2]", 0xf862_6820),
        ("str w0, [x1, x2, lsl #2]", 0xb822_7820),
        ("ldrb w0, [x1, w2, sxtw]", 0x3862_c820),
        ("ldr q0, [x1, x2]", 0x3ce2_6820),
        ("ldr x0, [x1], #8", 0xf840_8420),
        ("ldur x0, [x1, #-8]", 0xf85f_8020),
        ("ldtr x0, [x1]", 0xf840_0820),
        ("ldrsw x0, [x1, x2]", 0xb8a2_6820),
        ("prfm pldl1keep, [x0, x1]", 0xf8a1_6800),
        ("udiv x0, x1, x2", 0x9ac2_0820),
        ("lsl x0, x1, x2", 0x9ac2_2020),
        ("asr w0, w1, w2", 0x1ac2_2820),
        ("fcvt h0, s1", 0x1e23_c020),
        ("fcvt s0, h1", 0x1ee2_4020),
        ("fcvt d0, h1", 0x1ee2_c020),
        ("mul v0.8h, v1.8h, v2.8h", 0x4e62_9c20),
        ("pmull v0.8h, v1.8b, v2.8b", 0x0e22_e020),
        ("umull2 v0.2d, v1.4s, v2.4s", 0x6ea2_c020),
        ("sqrdmulh v0.4s, v1.4s, v2.4s", 0x6ea2_b420),
        ("sqdmulh v0.8h, v1.8h, v2.8h", 0x4e62_b420),
        ("fadd v0.4s, v1.4s, v2.4s", 0x4e22_d420),
        ("fadd v0.2d, v1.2d, v2.2d", 0x4e62_d420),
        ("fmla v0.2d, v1.2d, v2.2d", 0x4e62_cc20),
        ("fabs v0.4s, v1.4s", 0x4ea0_f820),
        ("fabs v0.2d, v1.2d", 0x4ee0_f820),
        ("dup v0.8h, w1", 0x4e02_0c20),
        ("mov b0, v1.b[3]", 0x5e07_0420),
        ("mov v0.h[1], v1.h[2]", 0x6e06_2420),
        ("umov w0, v1.h[2]", 0x0e0a_3c20),
        ("tbl v0.16b, {v1.16b}, v2.16b", 0x4e02_0020),
        ("zip1 v0.8h, v1.8h, v2.8h", 0x4e42_3820),
        ("ext v0.16b, v1.16b, v2.16b, #3", 0x6e02_1820),
        ("rev64 v0.16b, v1.16b", 0x4e20_0820),
        ("cnt v0.16b, v1.16b", 0x4e20_5820),
        ("addv b0, v1.16b", 0x4e31_b820),
        ("uaddlv h0, v1.16b", 0x6e30_3820),
        ("uxtl v0.8h, v1.8b", 0x2f08_a420),
        ("shrn v0.8b, v1.8h, #4", 0x0f0c_8420),
        ("movi v0.16b, #0x1", 0x4f00_e420),
        ("mvni v0.4s, #0x3", 0x6f00_0460),
        ("smlal v0.4s, v1.4h, v2.h[1]", 0x0f52_2020),
        ("mla v0.8h, v1.8h, v2.h[1]", 0x6f52_0020),
        ("fmul v0.4s, v1.4s, v2.s[1]", 0x4fa2_9020),
        ("sqdmull v0.4s, v1.4h, v2.h[1]", 0x0f52_b020),
        ("mul v0.4s, v1.4s, v2.s[3]", 0x4fa2_8820),
        ("umlsl v0.2d, v1.2s, v2.s[3]", 0x2fa2_6820),
        ("ret", 0xd65f_03c0),
        ("br x0", 0xd61f_0000),
        ("blr x1", 0xd63f_0020),
        ("paciasp", 0xd503_233f),
        ("autiasp", 0xd503_23bf),
        ("bti c", 0xd503_245f),
        ("fcvtzs w0, d1", 0x1e78_0020),
        ("fmov x0, d1", 0x9e66_0020),
        ("scvtf d0, w1", 0x1e62_0020),
        ("fmadd d0, d1, d2, d3", 0x1f42_0c20),
        ("fcsel d0, d1, d2, eq", 0x1e62_0c20),
        ("mov x0, #0x1", 0xd280_0020),
        ("madd x0, x1, x2, x3", 0x9b02_0c20),
        ("csel x0, x1, x2, eq", 0x9a82_0020),
        ("extr x0, x1, x2, #3", 0x93c2_0c20),
        ("ldp x0, x1, [sp], #16", 0xa8c1_07e0),
        ("ldp q0, q1, [x0]", 0xad40_0400),
        ("ld1 {v0.16b}, [x0]", 0x4c40_7000),
        ("st4 {v0.4s-v3.4s}, [x0], #64", 0x4c9f_0800),
        ("ld1r {v0.4s}, [x0]", 0x4d40_c800),
        ("ld1 {v0.b}[3], [x0]", 0x0d40_0c00),
        ("mrs x0, tpidr_el0", 0xd53b_d040),
        ("svc #0x0", 0xd400_0001),
        ("dmb ish", 0xd503_3bbf),
        ("isb", 0xd503_3fdf),
        ("clrex", 0xd503_3f5f),
        ("sub sp, sp, #0x10", 0xd100_43ff),
        ("tst x0, #0x1", 0xf240_001f),
        ("ccmp x0, x1, #0x0, eq", 0xfa41_0000),
        ("rbit x0, x1", 0xdac0_0020),
        ("rev x0, x1", 0xdac0_0c20),
        ("clz x0, x1", 0xdac0_1020),
        ("smulh x0, x1, x2", 0x9b42_7c20),
        ("udf #1", 0x0000_0001),
        ("nop", 0xd503_201f),
        ("yield", 0xd503_203f),
    ];

    #[test]
    fn extensions_are_told() {
        for (text, word, name) in BEYOND {
            assert_eq!(extension(*word), Some(*name), "{text}");
        }
    }

    #[test]
    fn the_baseline_is_no_extension() {
        for (text, word) in WITHIN {
            assert_eq!(extension(*word), None, "{text}");
        }
    }
}
