//! The model of devices itself: what may be lost, and what each harm does.

use super::*;
use crate::{Io, IoKind, Role};

fn devices(lengths: &[u64]) -> Fault {
    Fault::new(lengths.iter().map(|length| Contents::zeroed(*length)).collect())
}

fn byte(contents: &Contents, at: usize) -> u8 {
    contents.to_bytes()[at]
}

#[test]
fn a_crash_loses_only_what_no_flush_covers() {
    let fault = devices(&[8192, 4096]);
    let (mut one, mut two) = (fault.device(0), fault.device(1));
    one.write(0, &Buffer::padded(b"a")).unwrap();
    two.write(0, &Buffer::padded(b"b")).unwrap();
    one.flush().unwrap();
    one.write(4096, &Buffer::padded(&[b'c'; 4096])).unwrap();
    let mut points = fault.crash_points();
    let start = points.image(|_| Fate::Kept);
    while points.advance() {}
    assert_eq!((points.done(), points.unflushed()), (4, 2));
    let lost = points.image(|_| Fate::Lost);
    let at = |image: &Image, device: usize, at| byte(&image.devices[device], at);
    assert_eq!((at(&lost, 0, 0), at(&lost, 1, 0), at(&lost, 0, 4096)), (b'a', 0, 0));
    let kept = points.image(|_| Fate::Kept);
    assert_eq!(kept.devices, fault.contents());
    let torn = points.image(|_| Fate::Torn { unit: SECTOR_BYTES, mask: 0b10 });
    assert_eq!((at(&torn, 0, 4096), at(&torn, 0, 4096 + 512), at(&torn, 0, 4096 + 1024)), (0, b'c', 0));
    let cut = points.image(|_| Fate::Cut { bytes: 8 });
    assert_eq!((at(&cut, 0, 4096 + 7), at(&cut, 0, 4096 + 8)), (b'c', 0));
    let digests = [&start, &lost, &kept, &torn, &cut].map(Image::digest);
    assert!((0..5).all(|n| (0..n).all(|m| digests[n] != digests[m])));
}

#[test]
fn a_flush_of_one_part_covers_all_parts_of_a_device() {
    let parts = vec![Contents::zeroed(4096), Contents::zeroed(4096)];
    let fault = Fault::of_one_device(parts);
    let (mut one, mut two) = (fault.device(0), fault.device(1));
    two.write(0, &Buffer::padded(b"b")).unwrap();
    one.flush().unwrap();
    one.write(0, &Buffer::padded(b"a")).unwrap();
    let mut points = fault.crash_points();
    while points.advance() {}
    let lost = points.image(|_| Fate::Lost);
    assert_eq!((byte(&lost.devices[0], 0), byte(&lost.devices[1], 0)), (0, b'b'));
}

#[test]
fn equal_images_have_equal_digests_however_they_came_about() {
    let fault = devices(&[16384]);
    let mut device = fault.device(0);
    device.write(0, &Buffer::padded(&[1; 8192])).unwrap();
    device.flush().unwrap();
    device.write(4096, &Buffer::padded(&[2; 8192])).unwrap();
    let mut points = fault.crash_points();
    while points.advance() {}
    let whole = points.image(|_| Fate::Kept);
    let pieces = points.image(|_| Fate::Torn { unit: SECTOR_BYTES, mask: u64::MAX });
    let long = points.image(|_| Fate::Cut { bytes: 8192 });
    assert_eq!((&whole, &whole), (&pieces, &long));
    let half = points.image(|_| Fate::Torn { unit: BLOCK_BYTES, mask: 0b10 });
    assert_eq!((byte(&half.devices[0], 4096), byte(&half.devices[0], 8192)), (1, 2));
    assert_eq!(half.digest() == whole.digest(), half.devices == whole.devices);
    // The same state reached by flushing, with nothing left to lose.
    device.flush().unwrap();
    let mut flushed = fault.crash_points();
    while flushed.advance() {}
    assert_eq!(flushed.image(|_| Fate::Lost), whole);
    assert_ne!(flushed.digest(), points.digest());
}

#[test]
fn a_flush_covers_what_was_complete_when_it_was_given() {
    let fault = devices(&[8192, 4096, 4096]);
    let mut queue = Queue::new(&fault);
    let write = |id, offset| Io { id, role: Role::Wal, kind: IoKind::Write { offset, buffer: Buffer::padded(b"x") } };
    queue.give(write(1, 0));
    assert!(queue.execute(0).is_some());
    queue.give(Io { id: 2, role: Role::Wal, kind: IoKind::Flush });
    queue.give(write(3, 4096));
    assert_eq!(queue.execute(1).map(|done| done.id), Some(3));
    assert_eq!(queue.execute(0).map(|done| done.id), Some(2));
    let mut points = fault.crash_points();
    while points.advance() {}
    assert_eq!(points.unflushed(), 1);
    let lost = points.image(|_| Fate::Lost);
    assert_eq!((byte(&lost.devices[0], 0), byte(&lost.devices[0], 4096)), (b'x', 0));
}

#[test]
fn a_countdown_ends_in_errors_that_change_nothing() {
    let fault = devices(&[4096]);
    let mut device = fault.device(0);
    fault.fail_after(1, libc::EIO);
    device.flush().unwrap();
    let error = device.write(0, &Buffer::padded(b"a")).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EIO));
    assert_eq!(device.flush().unwrap_err().raw_os_error(), Some(libc::EIO));
    assert_eq!((byte(&fault.contents()[0], 0), fault.events()), (0, 1));
}

#[test]
fn each_harm_meets_the_commands_it_is_for() {
    let fault = devices(&[3 * 4096, 4096, 4096]);
    let mut device = fault.device(0);
    let rule = |on, skip, harm| Rule { device: 0, on, skip, count: 1, harm };
    fault.harm(rule(On::Write, 1, Harm::Lose));
    fault.harm(rule(On::Write, 2, Harm::Misdirect { offset: 8192 }));
    fault.harm(rule(On::Read, 0, Harm::Flip { bit: 4096 * 8 + 1 }));
    fault.harm(rule(On::Read, 1, Harm::Fail(libc::EIO)));
    fault.harm(rule(On::Read, 2, Harm::Misdirect { offset: 8192 }));
    fault.harm(rule(On::Flush, 0, Harm::Fail(libc::ENOSPC)));
    for name in [b"a", b"b", b"c", b"d"] {
        device.write(0, &Buffer::padded(name)).unwrap();
    }
    let now = fault.contents();
    assert_eq!((byte(&now[0], 0), byte(&now[0], 8192)), (b'd', b'c'));
    let mut read = || {
        let mut buffer = Buffer::zeroed(4096);
        device.read(0, &mut buffer).map(|()| buffer[0])
    };
    assert_eq!(read().unwrap(), b'd' ^ 2);
    assert_eq!(read().unwrap_err().raw_os_error(), Some(libc::EIO));
    assert_eq!((read().unwrap(), read().unwrap()), (b'c', b'd'));
    assert_eq!(device.flush().unwrap_err().raw_os_error(), Some(libc::ENOSPC));
    device.flush().unwrap();
    assert_eq!((fault.harmed(), fault.events()), (6, 4));
    fault.shrink(0, 4096);
    assert!(device.write(4096, &Buffer::zeroed(4096)).is_err());
    assert_eq!(device.length(), 4096);
}

#[test]
fn a_stalled_command_is_done_when_it_is_released() {
    let fault = devices(&[4096, 4096, 4096]);
    let mut queue = Queue::new(&fault);
    fault.harm(Rule { device: 2, on: On::Write, skip: 0, count: 1, harm: Harm::Stall });
    queue.give(Io { id: 7, role: Role::Data, kind: IoKind::Write { offset: 0, buffer: Buffer::padded(b"x") } });
    assert!(queue.execute(0).is_none());
    assert_eq!((queue.len(), queue.stalled(), fault.events()), (0, 1, 0));
    queue.release();
    assert!(matches!(queue.execute(0), Some(done) if done.id == 7 && done.result.is_ok()));
    assert_eq!((queue.stalled(), byte(&fault.contents()[2], 0)), (0, b'x'));
    assert!(queue.is_empty());
}
