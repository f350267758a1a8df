//! The arena as it would be after a start: page images read when they are looked at, with the log's changes over them.
//!
//! Nothing here trusts what it reads; every access is checked against the arena's length.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use media::{BLOCK_BYTES, Buffer, Device};

use super::map::PageMap;
use crate::arena::PAGE_BYTES;
use crate::checkpoint::NO_SLOT;

/// Page images kept for the next look: 64 MiB.
const CACHED_MOST: usize = 16_384;

/// A page.
pub(super) type Page = [u8; PAGE_BYTES as usize];

enum Base<'a> {
    /// Slots of the meta slice.
    Slots { meta: RefCell<&'a mut dyn Device>, map: &'a PageMap },
    /// Bytes as they are; for fuzzing.
    #[cfg_attr(not(any(test, feature = "fuzzing")), allow(dead_code))]
    Bytes(&'a [u8]),
}

/// See the head of the file.
pub(super) struct Image<'a> {
    length: u64,
    base: Base<'a>,
    changed: HashMap<u64, Rc<Page>>,
    cache: RefCell<HashMap<u64, Rc<Page>>>,
}

impl<'a> Image<'a> {
    pub(super) fn over_slots(length: u64, meta: &'a mut dyn Device, map: &'a PageMap) -> Image<'a> {
        Image::new(length, Base::Slots { meta: RefCell::new(meta), map })
    }

    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn over_bytes(bytes: &'a [u8]) -> Image<'a> {
        Image::new(bytes.len() as u64 / PAGE_BYTES * PAGE_BYTES, Base::Bytes(bytes))
    }

    fn new(length: u64, base: Base<'a>) -> Image<'a> {
        Image { length, base, changed: HashMap::new(), cache: RefCell::new(HashMap::new()) }
    }

    /// Bytes of the arena.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// A page; one that was never written, or cannot be read, is zeros. What cannot be read was told when the images were checked.
    pub(super) fn page(&self, number: u64) -> Rc<Page> {
        if let Some(page) = self.changed.get(&number) {
            return page.clone();
        }
        if let Some(page) = self.cache.borrow().get(&number) {
            return page.clone();
        }
        let page = Rc::new(self.read(number));
        let mut cache = self.cache.borrow_mut();
        if cache.len() >= CACHED_MOST {
            cache.clear();
        }
        cache.insert(number, page.clone());
        page
    }

    fn read(&self, number: u64) -> Page {
        let mut page = [0; PAGE_BYTES as usize];
        match &self.base {
            Base::Bytes(bytes) => {
                let stretch = bytes.get((number * PAGE_BYTES) as usize..).unwrap_or_default();
                let length = stretch.len().min(page.len());
                page[..length].copy_from_slice(&stretch[..length]);
            }
            Base::Slots { meta, map } => {
                let entry = map.entries.get(number as usize);
                let slot = entry
                    .map(|entry| entry.slot)
                    .filter(|slot| *slot != NO_SLOT && u64::from(*slot) < map.layout.slots);
                if let Some(slot) = slot {
                    let mut block = Buffer::zeroed(BLOCK_BYTES);
                    if meta.borrow_mut().read(map.layout.slot_offset(slot), &mut block).is_ok() {
                        page.copy_from_slice(&block);
                    }
                }
            }
        }
        page
    }

    /// A stretch; `None` when it lies outside of the arena.
    pub(super) fn bytes(&self, offset: u64, length: usize) -> Option<Vec<u8>> {
        offset.checked_add(length as u64).filter(|end| *end <= self.length)?;
        let mut bytes = Vec::with_capacity(length);
        let mut at = offset;
        while bytes.len() < length {
            let page = self.page(at / PAGE_BYTES);
            let within = (at % PAGE_BYTES) as usize;
            let take = (length - bytes.len()).min(page.len() - within);
            bytes.extend_from_slice(&page[within..within + take]);
            at += take as u64;
        }
        Some(bytes)
    }

    /// The integer at `offset`; zero outside of the arena.
    pub(super) fn u64_at(&self, offset: u64) -> u64 {
        self.bytes(offset, 8).map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().expect("eight bytes")))
    }

    /// The integer at `offset`; zero outside of the arena.
    pub(super) fn u32_at(&self, offset: u64) -> u32 {
        self.bytes(offset, 4).map_or(0, |bytes| u32::from_le_bytes(bytes.try_into().expect("four bytes")))
    }

    /// The byte at `offset`; zero outside of the arena.
    pub(super) fn u8_at(&self, offset: u64) -> u8 {
        self.bytes(offset, 1).map_or(0, |bytes| bytes[0])
    }

    /// Puts bytes of the log in place; false when they lie outside of the arena.
    pub(super) fn change(&mut self, offset: u64, bytes: &[u8]) -> bool {
        let end = offset.checked_add(bytes.len() as u64).filter(|end| *end <= self.length);
        if end.is_none() || bytes.is_empty() {
            return false;
        }
        let mut rest = bytes;
        let mut at = offset;
        while !rest.is_empty() {
            let number = at / PAGE_BYTES;
            let within = (at % PAGE_BYTES) as usize;
            let take = rest.len().min(PAGE_BYTES as usize - within);
            let mut page = self.page(number);
            Rc::make_mut(&mut page)[within..within + take].copy_from_slice(&rest[..take]);
            self.changed.insert(number, page);
            (rest, at) = (&rest[take..], at + take as u64);
        }
        true
    }
}
