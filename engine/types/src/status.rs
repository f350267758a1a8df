//! Status: the outcome of an operation, by DAOS's DER names and numbers.
//!
//! Numbers are DAOS's (`daos_errno.h`, 1000- and 2000-blocks); on the wire and in JSON they travel negated, 0 is
//! success. Only the outcomes this system produces are listed; an unknown number is carried as [`Status::Misc`].

use std::fmt;

macro_rules! statuses {
    ($($variant:ident = $number:literal, $name:literal, $text:literal;)*) => {
        /// Why an operation did not succeed.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Status {
            $(#[doc = $text] $variant,)*
        }

        impl Status {
            /// Every status, in the order of its number.
            pub const ALL: &'static [Status] = &[$(Status::$variant,)*];

            /// The positive DER number.
            pub const fn number(self) -> u32 {
                match self { $(Status::$variant => $number,)* }
            }

            /// The DER name.
            pub const fn name(self) -> &'static str {
                match self { $(Status::$variant => $name,)* }
            }

            /// One phrase for people, lower case, no period.
            pub const fn text(self) -> &'static str {
                match self { $(Status::$variant => $text,)* }
            }
        }
    };
}

statuses! {
    NoPermission = 1001, "DER_NO_PERM", "operation not permitted";
    Invalid = 1003, "DER_INVAL", "invalid parameters";
    Exists = 1004, "DER_EXIST", "entity already exists";
    Nonexistent = 1005, "DER_NONEXIST", "the specified entity does not exist";
    Unreachable = 1006, "DER_UNREACH", "unreachable node";
    NoSpace = 1007, "DER_NOSPACE", "no space on storage target";
    TimedOut = 1011, "DER_TIMEDOUT", "time out";
    Busy = 1012, "DER_BUSY", "device or resource busy";
    TooBig = 1013, "DER_OVERFLOW", "data does not fit the limit";
    Protocol = 1017, "DER_PROTO", "incompatible protocol";
    Misc = 1025, "DER_MISC", "miscellaneous error";
    BadTarget = 1035, "DER_BAD_TARGET", "bad target index";
    ClockSkew = 1037, "DER_HLC_SYNC", "hybrid logical clocks are too far apart";
    Io = 2001, "DER_IO", "generic I/O error";
    NoHandle = 2002, "DER_NO_HDL", "the container does not exist any more";
    Stale = 2007, "DER_STALE", "stale pool map version";
    NotLeader = 2008, "DER_NOTLEADER", "not service leader";
    NotEmpty = 2013, "DER_NOTEMPTY", "container or pool is not empty";
    Checksum = 2021, "DER_CSUM", "checksum error";
    Restart = 2025, "DER_TX_RESTART", "the history at that epoch is gone, start again with a newer one";
    DataLoss = 2026, "DER_DATA_LOSS", "data lost or not recoverable";
}

impl Status {
    /// The number as it travels: negative.
    pub const fn code(self) -> i32 {
        -(self.number() as i32)
    }

    /// `Ok` for 0, the status of a negative code, [`Status::Misc`] for anything unknown.
    pub fn from_code(code: i32) -> Result<(), Status> {
        if code == 0 {
            return Ok(());
        }
        Err(Status::ALL.iter().copied().find(|status| status.code() == code).unwrap_or(Status::Misc))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({}): {}", self.name(), self.code(), self.text())
    }
}

impl std::error::Error for Status {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_round_trip_and_are_distinct() {
        for (index, status) in Status::ALL.iter().enumerate() {
            assert_eq!(Status::from_code(status.code()), Err(*status));
            assert!(Status::ALL[index + 1..].iter().all(|other| other.number() > status.number()), "{status}");
        }
        assert_eq!(Status::from_code(0), Ok(()));
        assert_eq!(Status::from_code(-9999), Err(Status::Misc));
    }

    #[test]
    fn display_has_name_code_and_text() {
        assert_eq!(Status::NoSpace.to_string(), "DER_NOSPACE(-1007): no space on storage target");
    }
}
