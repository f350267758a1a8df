//! Memory by size: small sizes are slots of a page of one class, larger ones runs of pages.

use types::Status;

use super::header::SLAB_HEADS_AT;
use super::pages::{self, Descriptor, Kind};
use super::{Arena, PAGE_BYTES};

/// Slot sizes. Steps of at most a half bound the waste; the smallest gives 128 slots, as many as a descriptor has bits.
pub(crate) const CLASSES: [u16; 13] = [32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1360, 2048];

pub(crate) fn class_for(bytes: usize) -> Option<usize> {
    CLASSES.iter().position(|&size| bytes <= size as usize)
}

pub(crate) fn capacity(class: usize) -> u16 {
    PAGE_BYTES as u16 / CLASSES[class]
}

fn head(class: usize) -> u64 {
    SLAB_HEADS_AT + 4 * class as u64
}

/// What memory of `bytes` is charged with: the size of its slot or run.
pub(crate) fn charged(bytes: usize) -> u64 {
    match class_for(bytes) {
        Some(class) => u64::from(CLASSES[class]),
        None => PAGE_BYTES << pages::order_for(bytes),
    }
}

pub(super) fn allocate(arena: &mut Arena, bytes: usize) -> Result<u64, Status> {
    let Some(class) = class_for(bytes) else {
        let page = pages::allocate(arena, pages::order_for(bytes), Kind::Run)?;
        return Ok(u64::from(page) * PAGE_BYTES);
    };
    let first = arena.u32_at(head(class));
    let page = if first != 0 { first } else { fresh(arena, class)? };
    let mut descriptor = Descriptor::read(arena, page);
    let slot = (!descriptor.slots).trailing_zeros();
    descriptor.slots |= 1 << slot;
    descriptor.free -= 1;
    if descriptor.free == 0 {
        pages::unlink(arena, head(class), &descriptor);
        (descriptor.next, descriptor.previous) = (0, 0);
    }
    descriptor.write(arena, page);
    Ok(u64::from(page) * PAGE_BYTES + u64::from(slot) * u64::from(CLASSES[class]))
}

fn fresh(arena: &mut Arena, class: usize) -> Result<u32, Status> {
    let page = pages::allocate(arena, 0, Kind::Slab)?;
    let descriptor = Descriptor { kind: Kind::Slab, order: class as u8, free: capacity(class), ..Descriptor::NONE };
    pages::push(arena, head(class), page, descriptor);
    Ok(page)
}

pub(super) fn free(arena: &mut Arena, offset: u64, bytes: usize) {
    let page = (offset / PAGE_BYTES) as u32;
    let mut descriptor = Descriptor::read(arena, page);
    let Some(class) = class_for(bytes) else {
        assert!(
            descriptor.kind == Kind::Run
                && descriptor.order == pages::order_for(bytes)
                && offset.is_multiple_of(PAGE_BYTES),
            "memory is freed as it was allocated"
        );
        pages::free(arena, page, descriptor.order);
        return;
    };
    let slot = offset % PAGE_BYTES / u64::from(CLASSES[class]);
    assert!(
        descriptor.kind == Kind::Slab && descriptor.order as usize == class && descriptor.slots & (1 << slot) != 0,
        "memory is freed as it was allocated"
    );
    descriptor.slots &= !(1 << slot);
    descriptor.free += 1;
    if descriptor.free == capacity(class) {
        if descriptor.free > 1 {
            pages::unlink(arena, head(class), &descriptor);
        }
        pages::free(arena, page, 0);
    } else if descriptor.free == 1 {
        pages::push(arena, head(class), page, descriptor);
    } else {
        descriptor.write(arena, page);
    }
}
