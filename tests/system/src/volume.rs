//! A file system, or a bare block device, that a test can fill and make fail: a partition of a loop device over a sparse file.
//!
//! A partition that was made smaller under its owner fails everything that lies beyond its end with EIO, and is healthy again when it has its
//! former size: what a broken cable does, without a kernel module. The loop device is given back when nobody has it open any more, so what
//! the guard unmounts is gone as a whole. Making one needs root.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;

const SECTOR: u64 = 512;
/// What is left of a broken one. Less than one KiB would make mke2fs's superblock unreadable too, which nobody asks for.
const BROKEN_SECTORS: u64 = 2048;
/// Written at a time while a file system is filled.
const FILLER: usize = 1 << 20;

/// A partition, mounted or bare.
#[derive(Debug)]
pub struct Volume {
    /// The whole loop device.
    disk: String,
    sectors: u64,
    mount: Option<PathBuf>,
    /// Keeps a bare one from being given back.
    held: Option<File>,
}

impl Volume {
    /// An ext4 of `mib` MiB below `folder`, mounted there as `name`.
    pub fn mounted(folder: &Path, name: &str, mib: u64) -> Volume {
        let mut volume = Volume::bare(folder, name, mib);
        tool("mkfs.ext4", &["-q", "-m", "0", &volume.partition()]);
        let mount = folder.join(name);
        fs::create_dir(&mount).expect("a folder in a fresh folder");
        volume.mount = Some(mount);
        volume.attach();
        volume.held = None;
        volume
    }

    /// A block device of `mib` MiB over a file below `folder`.
    pub fn bare(folder: &Path, name: &str, mib: u64) -> Volume {
        let image = folder.join(format!("{name}.image"));
        File::create_new(&image).and_then(|file| file.set_len(mib << 20)).expect("a file in a fresh folder");
        let disk = tool("losetup", &["--partscan", "--find", "--show", text(&image)]).trim().to_owned();
        let sectors = (mib << 20) / SECTOR;
        tool("addpart", &[&disk, "1", "0", &sectors.to_string()]);
        let held = File::open(format!("{disk}p1")).expect("a partition that was made just now");
        // Takes effect when the last one has closed it.
        tool("losetup", &["--detach", &disk]);
        Volume { disk, sectors, mount: None, held: Some(held) }
    }

    /// The block device.
    pub fn partition(&self) -> String {
        format!("{}p1", self.disk)
    }

    /// A path in the file system.
    pub fn path(&self, name: &str) -> PathBuf {
        self.mount.as_ref().expect("it is a file system").join(name)
    }

    /// Every read and write fails with EIO from here on.
    pub fn fail(&self) {
        tool("resizepart", &[&self.disk, "1", &BROKEN_SECTORS.to_string()]);
    }

    /// It works again. A file system has to be mounted anew: it has given up by itself.
    pub fn heal(&mut self) {
        tool("resizepart", &[&self.disk, "1", &self.sectors.to_string()]);
        if let Some(mount) = self.mount.clone() {
            self.held = Some(File::open(self.partition()).expect("it is there as long as it is mounted"));
            tool("umount", &[text(&mount)]);
            self.attach();
            self.held = None;
        }
    }

    /// Whether writes are taken; reads are in any case.
    pub fn set_writable(&self, writable: bool) {
        tool("blockdev", &[if writable { "--setrw" } else { "--setro" }, &self.partition()]);
    }

    /// Fills the file system to its last block.
    pub fn fill(&self) {
        let mut file = File::create(self.path("filler")).expect("an empty file always fits");
        for piece in [FILLER, 4096, 1] {
            let bytes = vec![1; piece];
            loop {
                match file.write_all(&bytes) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => panic!("filling a file system: {error}"),
                }
            }
        }
        file.sync_all().expect("what was taken can be written");
    }

    /// Gives back what filled it.
    pub fn make_room(&self) {
        fs::remove_file(self.path("filler")).expect("it was filled before");
    }

    fn attach(&self) {
        let mount = self.mount.as_ref().expect("it is a file system");
        tool("mount", &["-o", "noatime", &self.partition(), text(mount)]);
    }
}

fn tool(program: &str, arguments: &[&str]) -> String {
    let outcome = Outcome::of(Command::new(program).args(arguments));
    assert_eq!(outcome.code, 0, "{program} {arguments:?}: {outcome:?}\nhint: loop devices and mounts take root");
    outcome.stdout
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders are UTF-8")
}
