//! What a check has to say: where, what, what it means, what can be done.

use std::fmt;

use media::Role;

use crate::error::Slice;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Expected after a crash; no fault.
    Note,
    /// A copy is lost, another is there; or a book is wrong and no data is.
    Warning,
    /// Something that was stored is lost or cannot be trusted.
    Damage,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Damage => "damage",
        })
    }
}

/// Where something was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Byte of a whole device.
    Device(u64),
    /// Byte of a slice.
    Slice(Role, u64),
    /// Byte of the arena, as rebuilt from page images and log.
    Arena(u64),
}

impl Place {
    /// What the byte is counted in: `device`, `wal`, `meta`, `data` or `arena`.
    pub fn room(&self) -> String {
        match self {
            Place::Device(_) => String::from("device"),
            Place::Slice(role, _) => Slice(*role).to_string(),
            Place::Arena(_) => String::from("arena"),
        }
    }

    /// The byte.
    pub fn byte(&self) -> u64 {
        match self {
            Place::Device(byte) | Place::Slice(_, byte) | Place::Arena(byte) => *byte,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} byte {}", self.room(), self.byte())
    }
}

/// What a kind of finding means, and what can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advice {
    /// How bad it is.
    pub severity: Severity,
    /// What it means.
    pub meaning: &'static str,
    /// What can be done.
    pub remedy: &'static str,
}

/// Left by a crash, mended by the next start.
pub(super) const CRASH: Advice = Advice {
    severity: Severity::Note,
    meaning: "a crash leaves this, nothing acknowledged is lost",
    remedy: "nothing needs to be done",
};
/// One of two copies.
pub(super) const COPY: Advice = Advice {
    severity: Severity::Warning,
    meaning: "the other copy is good and is used, nothing is lost unless damage is told below",
    remedy: "the engine writes it again; look at the health of the device",
};
/// The target cannot be opened, or not be trusted.
pub(super) const LOST: Advice = Advice {
    severity: Severity::Damage,
    meaning: "the device does not hold what was written, and the engine refuses the target",
    remedy: "replace the device and format it anew; restore the data from elsewhere",
};
/// The device gives an error.
pub(super) const UNREADABLE: Advice = Advice {
    severity: Severity::Damage,
    meaning: "the device cannot be read here",
    remedy: "mend or replace the device",
};
/// Another release.
pub(super) const VERSION: Advice = Advice {
    severity: Severity::Damage,
    meaning: "another release wrote this, which this one cannot read",
    remedy: "use the release that wrote it, or format the storage anew, which loses what it holds",
};
/// Another engine's, target's or size.
pub(super) const MISMATCH: Advice = Advice {
    severity: Severity::Damage,
    meaning: "this is not what the target was formatted with, and the engine refuses it",
    remedy: "attach the devices that belong together",
};
/// The structures contradict each other under right checksums.
pub(super) const DEFECT: Advice = Advice {
    severity: Severity::Damage,
    meaning: "what was written contradicts itself: a defect of the store, or a consequence of a finding above",
    remedy: "keep the devices for analysis; copy what can be read elsewhere and format anew",
};
/// A sum is wrong, values are not.
pub(super) const BOOKS: Advice = Advice {
    severity: Severity::Warning,
    meaning: "a book is wrong, values are not: a defect of the store, or a consequence of a finding above",
    remedy: "keep the devices for analysis; the target can be used, its figures of space are off",
};
/// A value under a wrong checksum.
pub(super) const VALUE: Advice = Advice {
    severity: Severity::Damage,
    meaning: "this value is lost: a read of it is refused, never served wrong",
    remedy: "write or remove it again; look at the health of the device",
};

/// A value that a read or the scrubber found damaged.
pub(super) const MARKED: Advice = Advice {
    severity: Severity::Warning,
    meaning: "a read found this value damaged, and every read since is refused",
    remedy: "write or remove it again; look at the health of the device",
};

/// One thing found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// What.
    pub what: String,
    /// What it means, and what can be done.
    pub advice: Advice,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Advice { severity, meaning, remedy } = self.advice;
        write!(f, "{severity}: {}: {}; {meaning}; {remedy}", self.place, self.what)
    }
}

/// Findings in the order of the check, as many as are asked for; the rest is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    list: Vec<Finding>,
    most: usize,
    counts: [u64; 3],
}

impl Findings {
    /// Keeps `most` findings.
    pub fn new(most: usize) -> Findings {
        Findings { list: Vec::new(), most, counts: [0; 3] }
    }

    pub(super) fn add(&mut self, place: Place, advice: Advice, what: impl Into<String>) {
        self.counts[advice.severity as usize] += 1;
        if self.list.len() < self.most {
            self.list.push(Finding { place, what: what.into(), advice });
        }
    }

    /// Adds that something is not what it should belong to, found by comparing devices and configuration.
    pub fn mismatch(&mut self, place: Place, what: impl Into<String>) {
        self.add(place, MISMATCH, what);
    }

    /// Those kept.
    pub fn list(&self) -> &[Finding] {
        &self.list
    }

    /// How many there are of a severity, those not kept included.
    pub fn count(&self, severity: Severity) -> u64 {
        self.counts[severity as usize]
    }

    /// How many were not kept.
    pub fn left_out(&self) -> u64 {
        self.counts.iter().sum::<u64>() - self.list.len() as u64
    }

    /// True without warnings and damage.
    pub fn are_clean(&self) -> bool {
        self.count(Severity::Warning) == 0 && self.count(Severity::Damage) == 0
    }
}
