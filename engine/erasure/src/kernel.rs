//! Who computes: our own code, or libisal where it is built in. All kernels give the same bytes; only their speed differs.
//!
//! A process that works much measures once at its start and keeps the faster kernel for each kind of work. One that does not
//! choose uses ours. The clock is an argument, as this crate takes none of its own.

use std::sync::OnceLock;
use std::time::Duration;

use crate::galois::Own;
use crate::parity::Code;

/// The two kinds of work.
pub trait Kernel: Sync {
    /// How logs and settings call it.
    fn name(&self) -> &'static str;

    /// CRC32C (Castagnoli, iSCSI) of `bytes`.
    fn crc32c(&self, bytes: &[u8]) -> u32;

    /// Multiplies by a matrix over GF(2^8): output `o` is the sum over all inputs `i` of
    /// `rows[o * inputs.len() + i] * inputs[i]`, byte by byte. All inputs and outputs have one length.
    fn multiply(&self, rows: &[u8], inputs: &[&[u8]], outputs: &mut [&mut [u8]]);
}

/// The kernels of this build.
pub(crate) static KERNELS: &[&dyn Kernel] = &[
    &Own,
    #[cfg(feature = "isal")]
    &crate::isal::Isal,
];

/// Which kernel does what.
#[derive(Clone, Copy)]
pub struct Choice {
    /// For checksums.
    pub checksums: &'static dyn Kernel,
    /// For parity.
    pub parity: &'static dyn Kernel,
}

/// A kernel that this build does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no erasure kernel `{name}`\nhint: this build has {}, and `auto` takes the faster", known.join(", "))]
pub struct UnknownKernel {
    name: String,
    known: Vec<&'static str>,
}

static CHOSEN: OnceLock<Choice> = OnceLock::new();

/// Bytes of one measurement: they fit into the caches nearest to the core, so memory does not decide.
const SAMPLE_BYTES: usize = 32 << 10;
/// Runs of which the shortest counts.
const SAMPLES: u32 = 16;
/// The shape measured: DAOS's class EC_4P2.
const SAMPLE_SHAPE: (usize, usize) = (4, 2);

impl Choice {
    /// By name: `auto` measures with `now`, the time since any fixed moment.
    pub fn named(name: &str, now: impl Fn() -> Duration) -> Result<Choice, UnknownKernel> {
        if name == "auto" {
            return Ok(Choice::fastest(now));
        }
        let kernel = KERNELS.iter().find(|kernel| kernel.name() == name).ok_or_else(|| UnknownKernel {
            name: name.to_owned(),
            known: KERNELS.iter().map(|kernel| kernel.name()).collect(),
        })?;
        Ok(Choice { checksums: *kernel, parity: *kernel })
    }

    fn fastest(now: impl Fn() -> Duration) -> Choice {
        let sample: Vec<u8> = (0..SAMPLE_BYTES).map(|n| n as u8).collect();
        let cells: Vec<&[u8]> = sample.chunks(SAMPLE_BYTES / SAMPLE_SHAPE.0).collect();
        let code = Code::new(SAMPLE_SHAPE.0, SAMPLE_SHAPE.1).expect("the shape of a class of DAOS");
        let best = |work: &dyn Fn(&dyn Kernel)| {
            let time = |kernel: &dyn Kernel| {
                let once = || {
                    let begun = now();
                    work(kernel);
                    now().saturating_sub(begun)
                };
                (0..SAMPLES).map(|_| once()).min()
            };
            *KERNELS.iter().min_by_key(|kernel| time(**kernel)).expect("our own is always there")
        };
        Choice {
            checksums: best(&|kernel| {
                std::hint::black_box(kernel.crc32c(&sample));
            }),
            parity: best(&|kernel| drop(std::hint::black_box(code.encode_by(kernel, &cells)))),
        }
    }

    /// Makes it this process's. Only the first choice of a process counts; the one that counts is returned.
    pub fn install(self) -> Choice {
        *CHOSEN.get_or_init(|| self)
    }
}

/// The kernel for checksums.
pub(crate) fn checksums() -> &'static dyn Kernel {
    CHOSEN.get().map_or(&Own, |choice| choice.checksums)
}

/// The kernel for parity.
pub(crate) fn parity() -> &'static dyn Kernel {
    CHOSEN.get().map_or(&Own, |choice| choice.parity)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_name_decides_and_an_unknown_one_lists_the_known() {
        let still = || Duration::ZERO;
        for kernel in KERNELS {
            let choice = Choice::named(kernel.name(), still).unwrap();
            assert_eq!((choice.checksums.name(), choice.parity.name()), (kernel.name(), kernel.name()));
        }
        let error = Choice::named("gpu", still).map(drop).unwrap_err().to_string();
        assert!(error.contains("`gpu`") && error.contains("rust"), "{error}");
    }

    #[test]
    fn the_kernel_that_took_less_time_is_chosen() {
        // A clock by which every run takes less time than the one before: the last kernel wins both.
        let (at, step) = (Cell::new(0u64), Cell::new(1 << 20));
        let clock = || {
            step.set(step.get() - 1);
            at.set(at.get() + step.get());
            Duration::from_nanos(at.get())
        };
        let choice = Choice::named("auto", clock).unwrap();
        let last = KERNELS.last().unwrap().name();
        assert_eq!((choice.checksums.name(), choice.parity.name()), (last, last));
    }
}
