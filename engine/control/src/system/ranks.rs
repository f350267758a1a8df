//! Sets of ranks as people type them: `0-2,5`, with or without brackets. Empty text is the empty set, which requests
//! read as "all".

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use types::Rank;

/// Largest rank accepted in a set. Ranks are given in sequence, and a range is expanded in memory.
const MAX_RANK: u32 = 65_535;

/// Ranks in ascending order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RankSet(BTreeSet<Rank>);

/// Why a text is not a set of ranks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseRankSetError {
    /// An element is neither a number nor a range of two.
    #[error("`{0}` is not a rank or a range of ranks, as in `0-2,5`")]
    Element(String),
    /// The second number of a range is smaller than the first.
    #[error("the range `{0}` runs backwards")]
    Backwards(String),
    /// Above the limit.
    #[error("rank {0} is above the largest possible rank, {MAX_RANK}")]
    TooLarge(u32),
}

impl RankSet {
    /// The members in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = Rank> + '_ {
        self.0.iter().copied()
    }

    /// No members.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when `rank` is a member.
    pub fn contains(&self, rank: Rank) -> bool {
        self.0.contains(&rank)
    }
}

impl FromIterator<Rank> for RankSet {
    fn from_iter<I: IntoIterator<Item = Rank>>(ranks: I) -> RankSet {
        RankSet(ranks.into_iter().collect())
    }
}

impl FromStr for RankSet {
    type Err = ParseRankSetError;
    fn from_str(text: &str) -> Result<RankSet, ParseRankSetError> {
        let inner = text.trim();
        let inner = inner.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(inner);
        if inner.trim().is_empty() {
            return Ok(RankSet::default());
        }
        let number = |part: &str, element: &str| {
            let rank = part.trim().parse::<u32>().map_err(|_| ParseRankSetError::Element(element.to_owned()))?;
            if rank > MAX_RANK { Err(ParseRankSetError::TooLarge(rank)) } else { Ok(rank) }
        };
        let mut ranks = BTreeSet::new();
        for element in inner.split(',') {
            let (first, last) = match element.split_once('-') {
                Some((first, last)) => (number(first, element)?, number(last, element)?),
                None => (number(element, element)?, number(element, element)?),
            };
            if last < first {
                return Err(ParseRankSetError::Backwards(element.to_owned()));
            }
            ranks.extend((first..=last).map(Rank));
        }
        Ok(RankSet(ranks))
    }
}

impl fmt::Display for RankSet {
    /// The shortest form: runs of consecutive ranks become ranges.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ranks = self.0.iter().map(|rank| rank.0).peekable();
        let mut separator = "";
        while let Some(first) = ranks.next() {
            let mut last = first;
            while ranks.next_if_eq(&(last + 1)).is_some() {
                last += 1;
            }
            match last - first {
                0 => write!(f, "{separator}{first}")?,
                1 => write!(f, "{separator}{first},{last}")?,
                _ => write!(f, "{separator}{first}-{last}")?,
            }
            separator = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_lists_and_brackets_are_read() {
        for (text, shown) in [
            ("", ""),
            ("[]", ""),
            ("3", "3"),
            ("0-2,5", "0-2,5"),
            ("[5, 0-1]", "0,1,5"),
            ("2,1,0,1-3", "0-3"),
            (" 7 - 9 ", "7-9"),
        ] {
            assert_eq!(text.parse::<RankSet>().map(|set| set.to_string()), Ok(shown.to_owned()), "{text}");
        }
    }

    #[test]
    fn nonsense_is_named() {
        assert_eq!("0,x".parse::<RankSet>(), Err(ParseRankSetError::Element("x".to_owned())));
        assert_eq!("0,,1".parse::<RankSet>(), Err(ParseRankSetError::Element(String::new())));
        assert_eq!("5-2".parse::<RankSet>(), Err(ParseRankSetError::Backwards("5-2".to_owned())));
        assert_eq!("0-4294967295".parse::<RankSet>(), Err(ParseRankSetError::TooLarge(u32::MAX)));
    }

    proptest! {
        #[test]
        fn display_parses_back(ranks in prop::collection::btree_set(0u32..40, 0..40)) {
            let set: RankSet = ranks.into_iter().map(Rank).collect();
            prop_assert_eq!(set.to_string().parse::<RankSet>(), Ok(set));
        }
    }
}
