//! x86_64: which instructions belong to which level of the x86-64 psABI (x86-64 System V ABI, table 3.1). The disassembler is iced-x86.

use std::collections::BTreeSet;

use iced_x86::{Code, CpuidFeature, Decoder, DecoderOptions};

use crate::elf::Function;

/// The level of a processor under Rust's name.
pub(super) fn level(cpu: &str) -> Option<u32> {
    match cpu {
        "x86-64" => Some(1),
        "x86-64-v2" => Some(2),
        "x86-64-v3" => Some(3),
        "x86-64-v4" => Some(4),
        _ => None,
    }
}

/// The extensions beyond a level that a function uses.
pub(super) fn beyond(function: &Function<'_>, level: u32) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    let mut decoder = Decoder::with_ip(64, function.bytes, function.address, DecoderOptions::NONE);
    for instruction in &mut decoder {
        if instruction.is_invalid() || is_everywhere(instruction.code()) {
            continue;
        }
        for feature in instruction.cpuid_features() {
            if level_of(*feature).is_none_or(|needed| needed > level) {
                found.insert(name(*feature));
            }
        }
    }
    found
}

/// Instructions that run on every processor although the manual counts them to an extension: `tzcnt` is `bsf` there, which compilers make
/// use of; `prefetchw` does nothing; `xgetbv` is how code asks whether it may use AVX.
fn is_everywhere(code: Code) -> bool {
    matches!(
        code,
        Code::Tzcnt_r16_rm16 | Code::Tzcnt_r32_rm32 | Code::Tzcnt_r64_rm64 | Code::Prefetchw_m8 | Code::Xgetbv
    )
}

fn level_of(feature: CpuidFeature) -> Option<u32> {
    use CpuidFeature as F;
    match feature {
        F::INTEL8086
        | F::INTEL186
        | F::INTEL286
        | F::INTEL386
        | F::INTEL486
        | F::X64
        | F::CMOV
        | F::CX8
        | F::FPU
        | F::FPU287
        | F::FPU387
        | F::FXSR
        | F::MMX
        | F::SSE
        | F::SSE2
        | F::CPUID
        | F::TSC
        | F::MSR
        | F::RDPMC
        | F::SYSCALL
        | F::CLFSH
        | F::PAUSE
        | F::MULTIBYTENOP
        // Control-flow enforcement lies in the space of instructions that do nothing.
        | F::CET_IBT
        | F::CET_SS => Some(1),
        F::CMPXCHG16B | F::POPCNT | F::SSE3 | F::SSE4_1 | F::SSE4_2 | F::SSSE3 => Some(2),
        F::AVX | F::AVX2 | F::BMI1 | F::BMI2 | F::F16C | F::FMA | F::LZCNT | F::MOVBE | F::XSAVE => Some(3),
        F::AVX512F | F::AVX512BW | F::AVX512CD | F::AVX512DQ | F::AVX512VL => Some(4),
        _ => None,
    }
}

/// As the manuals of the makers write it, where that matters to a reader; else one word for the rest.
fn name(feature: CpuidFeature) -> &'static str {
    use CpuidFeature as F;
    match feature {
        F::CMPXCHG16B => "CMPXCHG16B",
        F::POPCNT => "POPCNT",
        F::SSE3 => "SSE3",
        F::SSE4_1 => "SSE4.1",
        F::SSE4_2 => "SSE4.2",
        F::SSE4A => "SSE4A",
        F::SSSE3 => "SSSE3",
        F::AVX => "AVX",
        F::AVX2 => "AVX2",
        F::BMI1 => "BMI1",
        F::BMI2 => "BMI2",
        F::F16C => "F16C",
        F::FMA => "FMA",
        F::LZCNT => "LZCNT",
        F::MOVBE => "MOVBE",
        F::XSAVE | F::XSAVEC | F::XSAVEOPT | F::XSAVES => "XSAVE",
        F::AVX512F | F::AVX512BW | F::AVX512CD | F::AVX512DQ | F::AVX512VL => "AVX-512",
        F::AVX512_IFMA
        | F::AVX512_VBMI
        | F::AVX512_VBMI2
        | F::AVX512_VNNI
        | F::AVX512_BITALG
        | F::AVX512_VPOPCNTDQ
        | F::AVX512_BF16
        | F::AVX512_FP16 => "further AVX-512",
        F::ADX => "ADX",
        F::AES => "AES-NI",
        F::VAES => "VAES",
        F::PCLMULQDQ => "PCLMULQDQ",
        F::VPCLMULQDQ => "VPCLMULQDQ",
        F::GFNI => "GFNI",
        F::SHA => "SHA",
        F::RDRAND => "RDRAND",
        F::RDSEED => "RDSEED",
        F::RDTSCP => "RDTSCP",
        F::RDPID => "RDPID",
        F::CLFLUSHOPT => "CLFLUSHOPT",
        F::CLWB => "CLWB",
        F::RTM => "RTM",
        F::WAITPKG => "WAITPKG",
        F::MOVDIRI | F::MOVDIR64B => "MOVDIR",
        F::ENQCMD => "ENQCMD",
        F::AMX_TILE | F::AMX_INT8 | F::AMX_BF16 => "AMX",
        _ => "another extension",
    }
}

#[cfg(test)]
mod tests {
    use super::beyond;
    use crate::elf::Function;

    fn of(bytes: &[u8], level: u32) -> Vec<&'static str> {
        beyond(&Function { name: None, address: 0x1000, bytes }, level).into_iter().collect()
    }

    #[test]
    fn instructions_belong_to_levels() {
        let popcnt = [0xf3, 0x48, 0x0f, 0xb8, 0xc7]; // popcnt rax, rdi
        assert_eq!((of(&popcnt, 1), of(&popcnt, 2)), (vec!["POPCNT"], vec![]));
        let vpaddd = [0xc5, 0xfd, 0xfe, 0xc1]; // vpaddd ymm0, ymm0, ymm1
        assert_eq!((of(&vpaddd, 2), of(&vpaddd, 3)), (vec!["AVX2"], vec![]));
        let wide = [0x62, 0xf1, 0x7d, 0x48, 0xfe, 0xc1]; // vpaddd zmm0, zmm0, zmm1
        assert_eq!((of(&wide, 3), of(&wide, 4)), (vec!["AVX-512"], vec![]));
        let aesenc = [0x66, 0x0f, 0x38, 0xdc, 0xc1]; // aesenc xmm0, xmm1: in no level
        assert_eq!(of(&aesenc, 4), ["AES-NI"]);
    }

    #[test]
    fn what_runs_everywhere_is_no_extension() {
        for bytes in [
            &[0xf3, 0x0f, 0x1e, 0xfa][..],         // endbr64
            &[0xf3, 0x48, 0x0f, 0xbc, 0xc7],       // tzcnt rax, rdi
            &[0x0f, 0x01, 0xd0],                   // xgetbv
            &[0xf3, 0x48, 0x0f, 0x1e, 0xc8],       // rdsspq rax
            &[0x0f, 0xa2],                         // cpuid
            &[0x48, 0x0f, 0x44, 0xc7],             // cmove rax, rdi
            &[0x66, 0x0f, 0xfe, 0xc1],             // paddd xmm0, xmm1
            &[0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00], // nop
        ] {
            assert_eq!(of(bytes, 1), [] as [&str; 0], "{bytes:02x?}");
        }
    }
}
