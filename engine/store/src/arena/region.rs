//! The bytes of the arena: all of them in memory, or paged.

use super::pager::Pager;
use crate::checkpoint::{Layout, MapEntry};
use crate::settings::{ArenaMemory, Residence};

/// Where the images of the arena's pages lie in the meta slice: as the last checkpoint step that completed its writes left them.
#[derive(Default)]
pub(crate) struct PageMap {
    pub(crate) layout: Layout,
    pub(crate) entries: Vec<MapEntry>,
}

/// What paging did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Paged {
    pub(crate) page_ins: u64,
    pub(crate) evictions: u64,
    pub(crate) resident_bytes: u64,
    pub(crate) over_limit_pages: u64,
}

enum Bytes {
    Whole(ArenaMemory),
    Paged(Box<Pager>),
}

/// The bytes, with the places of their images.
pub(super) struct Region {
    bytes: Bytes,
    pub(super) map: PageMap,
}

impl Region {
    pub(super) fn new(memory: Residence) -> Region {
        let bytes = match memory {
            Residence::Whole(memory) => Bytes::Whole(memory),
            Residence::Paged(paging) => Bytes::Paged(Box::new(Pager::new(paging))),
        };
        Region { bytes, map: PageMap::default() }
    }

    pub(super) fn length(&self) -> u64 {
        match &self.bytes {
            Bytes::Whole(memory) => memory.len() as u64,
            Bytes::Paged(pager) => pager.length(),
        }
    }

    pub(super) fn pager(&self) -> Option<&Pager> {
        match &self.bytes {
            Bytes::Whole(_) => None,
            Bytes::Paged(pager) => Some(pager),
        }
    }

    pub(super) fn pager_mut(&mut self) -> Option<&mut Pager> {
        match &mut self.bytes {
            Bytes::Whole(_) => None,
            Bytes::Paged(pager) => Some(pager),
        }
    }

    #[inline]
    pub(super) fn bytes(&self, offset: u64, length: usize) -> &[u8] {
        match &self.bytes {
            Bytes::Whole(memory) => &memory[offset as usize..offset as usize + length],
            Bytes::Paged(pager) => pager.bytes(&self.map, offset, length),
        }
    }

    #[inline]
    pub(super) fn bytes_mut(&mut self, offset: u64, length: usize) -> &mut [u8] {
        match &mut self.bytes {
            Bytes::Whole(memory) => &mut memory[offset as usize..offset as usize + length],
            Bytes::Paged(pager) => pager.bytes_mut(&self.map, offset, length),
        }
    }

    pub(super) fn copy_within(&mut self, from: u64, to: u64, length: usize) {
        match &mut self.bytes {
            Bytes::Whole(memory) => memory.copy_within(from as usize..from as usize + length, to as usize),
            Bytes::Paged(pager) => {
                let copy = pager.bytes(&self.map, from, length).to_vec();
                pager.bytes_mut(&self.map, to, length).copy_from_slice(&copy);
            }
        }
    }

    pub(super) fn offset_of(&self, stretch: &[u8]) -> u64 {
        match &self.bytes {
            Bytes::Whole(memory) => (stretch.as_ptr() as usize - memory.as_ptr() as usize) as u64,
            Bytes::Paged(pager) => pager.offset_of(stretch),
        }
    }
}
