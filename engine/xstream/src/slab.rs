//! Things by number: adding and removing one is a step in a list. Numbers are used again.

/// A list with holes.
pub(crate) struct Slab<T> {
    places: Vec<Option<T>>,
    free: Vec<usize>,
}

impl<T> Default for Slab<T> {
    fn default() -> Slab<T> {
        Slab { places: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    /// Adds one; returns its number.
    pub(crate) fn add(&mut self, one: T) -> u64 {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        self.places[place] = Some(one);
        place as u64
    }

    /// The one with this number.
    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        self.places.get_mut(number as usize)?.as_mut()
    }

    /// Takes the one with this number out.
    pub(crate) fn remove(&mut self, number: u64) -> Option<T> {
        let one = self.places.get_mut(number as usize)?.take()?;
        self.free.push(number as usize);
        Some(one)
    }

    /// True when there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.free.len() == self.places.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_after_their_end_and_not_before() {
        let mut slab = Slab::default();
        let (a, b) = (slab.add("a"), slab.add("b"));
        assert_ne!(a, b);
        assert_eq!((slab.remove(a), slab.remove(a)), (Some("a"), None));
        assert_eq!(slab.add("c"), a);
        assert_eq!(slab.get_mut(a).copied(), Some("c"));
        assert_eq!((slab.remove(b), slab.is_empty()), (Some("b"), false));
        assert_eq!((slab.remove(a), slab.is_empty(), slab.remove(7)), (Some("c"), true, None));
    }
}
