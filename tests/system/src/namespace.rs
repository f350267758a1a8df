//! What stands for a namespace of persistent memory: a loop device with a file system, without DAX.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::Outcome;

/// Size of the file; it takes only what is written.
pub(crate) const GIB: u32 = 3;

/// Makes a file with a file system, mounts it and gives the device. Unmounting it, which the guard does, ends the device too.
pub(crate) fn namespace(file: &Path, mount: &Path) -> String {
    let made = fs::File::create(file).and_then(|made| made.set_len(u64::from(GIB) << 30));
    made.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let made = Command::new("mkfs.ext4").arg("-q").arg(file).status();
    assert!(made.is_ok_and(|status| status.success()), "mkfs.ext4 does not run\nhint: it comes with e2fsprogs");
    let mounted = Outcome::of(Command::new("mount").args(["-o", "loop,noatime"]).args([file, mount]));
    assert_eq!(mounted.code, 0, "{mounted:?}\nhint: mounting takes root");
    mounted_device(mount).expect("it was mounted just now")
}

/// The device of a mount.
pub fn mounted_device(mount: &Path) -> Option<String> {
    let table = fs::read_to_string("/proc/self/mounts").ok()?;
    table.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let device = fields.next()?;
        (Path::new(fields.next()?) == mount).then(|| device.to_owned())
    })
}
